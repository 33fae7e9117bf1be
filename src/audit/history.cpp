// audit_history(): what happened to one row, oldest first. Reads the trail with the rights of the
// caller.

#include "audit/registry.hpp"
#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/set_result.hpp"
#include "pg/spi.hpp"
#include "trail/trail_table.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

constexpr char kResult[] =
    "t.audit_id, t.operation_type, t.operation_timestamp, t.operation_user, t.changed_columns, "
    "t.old_values, t.new_values, t.correlation_id, t.transaction_id, t.actor, t.session_user_name, "
    "t.application_name, t.traceparent";

struct KeyColumn {
    std::string name;   // in the audited table
    std::string trail;  // in the trail, and in previous_key
    std::string type;
    Oid type_oid = InvalidOid;
};

// Plain, may raise. A type without equality cannot be a key.
Oid EqualityOf(Oid type) {
    const Oid equals = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
    if (!OidIsValid(equals)) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("values of type %s cannot be compared", format_type_be(type))));
    }
    return equals;
}

// left = right, by the type's own operator, whatever schema that is in.
std::string Equal(const KeyColumn& key, const std::string& left, const std::string& right) {
    return pg::Call([type = key.type_oid, l = left.c_str(), r = right.c_str()]() -> const char* {
        StringInfoData text;
        initStringInfo(&text);
        generate_operator_clause(&text, l, type, EqualityOf(type), r, type);
        return text.data;
    });
}

std::vector<KeyColumn> KeyColumns(const trail::TrailOptions& options) {
    std::vector<KeyColumn> keys;
    for (std::size_t i = 0; i < options.keys.size(); ++i) {
        struct Described {
            const char* name;
            const char* type;
            Oid type_oid;
        };
        const Oid relation = options.relation;
        const auto number = static_cast<AttrNumber>(options.keys[i]);
        const char* column = options.key_names[i].c_str();
        const Oid trail = options.trail;
        const Described d = pg::Call([relation, number, trail, column]() -> Described {
            const char* name = get_attname(relation, number, true);
            const AttrNumber in_trail = get_attnum(trail, column);
            if (in_trail <= 0) {
                ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                                errmsg("column \"%s\" of the audit trail does not exist", column)));
            }
            const Oid type = get_atttype(trail, in_trail);
            return {name != nullptr ? name : column,
                    format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY), type};
        });
        keys.push_back({d.name, options.key_names[i], d.type, d.type_oid});
    }
    return keys;
}

void RequireKeys(pg::SpiScope& spi, const std::vector<KeyColumn>& keys, const pg::Param& given) {
    std::set<std::string> known;
    for (const KeyColumn& key : keys) {
        known.insert(key.name);
    }
    const pg::Rows names = spi.Execute(
        "SELECT k FROM pg_catalog.jsonb_object_keys(CASE WHEN "
        "pg_catalog.jsonb_typeof($1) OPERATOR(pg_catalog.=) 'object' THEN $1 ELSE '{}' END) AS k",
        {given});
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string name = *names.Text(i, 1);
        if (known.count(name) == 0) {
            pg::Throw(core::kInvalidParameter, "\"" + name + "\" is not a key column", {},
                      core::NearestHint(name, known, "key columns"));
        }
    }
    if (names.size() != keys.size()) {
        std::string list;
        for (const KeyColumn& key : keys) {
            list += (list.empty() ? "\"" : ", \"") + key.name + "\"";
        }
        pg::Throw(core::kInvalidParameter, "the key has to name every key column",
                  "The key is " + list + ".",
                  "Give an object, for example jsonb_build_object('" + keys[0].name + "', ...).");
    }
}

// A row's own changes, the one by which it got another key, and what emptied the table after it.
// Keys go through jsonb_to_record, which reads what to_jsonb wrote, of arrays and rows, too.
std::string HistoryQuery(const std::string& trail, const std::vector<KeyColumn>& keys) {
    std::string wanted;
    std::string given;
    std::string before;
    std::string current;
    std::string previous;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const KeyColumn& key = keys[i];
        const std::string column = pg::QuoteIdentifier(key.trail);
        const std::string number = "w.k" + std::to_string(i + 1);
        const std::string comma = i == 0 ? "" : ", ";
        wanted += comma + "r." + pg::QuoteIdentifier(key.name) + " AS k" + std::to_string(i + 1);
        given += comma + pg::QuoteIdentifier(key.name) + " " + key.type;
        before += comma + column + " " + key.type;
        const std::string both = i == 0 ? "" : " AND ";
        current += both + Equal(key, "t." + column, number);
        previous += both + Equal(key, "p." + column, number);
    }
    return "WITH w AS (SELECT " + wanted + " FROM pg_catalog.jsonb_to_record($1) AS r(" + given +
           ")), own AS (SELECT t.* FROM w JOIN " + trail + " t ON " + current +
           " UNION ALL SELECT t.* FROM " + trail +
           " t CROSS JOIN LATERAL pg_catalog.jsonb_to_record(t.previous_key) AS p(" + before +
           ") JOIN w ON " + previous + " WHERE t.previous_key IS NOT NULL) SELECT " + kResult +
           " FROM (SELECT * FROM own UNION ALL SELECT t.* FROM " + trail +
           " t WHERE t.operation_type = 'TRUNCATE' AND t.audit_id > (SELECT "
           "pg_catalog.min(own.audit_id) FROM own)) t ORDER BY t.audit_id";
}

std::string KeylessQuery(const std::string& trail) {
    return std::string("SELECT ") + kResult + " FROM " + trail +
           " t WHERE t.old_values @> $1 OR t.new_values @> $1 ORDER BY t.audit_id";
}

}  // namespace

void History(FunctionCallInfo fcinfo) {
    const Oid relation = PG_GETARG_OID(0);
    const auto options = Find(relation);
    if (!options) {
        pg::Throw(core::kObjectNotInPrerequisiteState,
                  "table " + pg::QualifiedName(relation) + " is not audited", {},
                  "Run bitvelocity.enable_audit() on it.");
    }
    const std::string trail = pg::QualifiedName(options->trail);
    const std::vector<KeyColumn> keys = KeyColumns(*options);
    const pg::Param given = pg::Param::Raw(JSONBOID, PG_GETARG_DATUM(1), false);
    pg::BeginSet(fcinfo);
    pg::SpiScope spi;
    if (keys.empty()) {
        pg::AppendQuery(fcinfo, spi, KeylessQuery(trail), {given});
        return;
    }
    RequireKeys(spi, keys, given);
    pg::AppendQuery(fcinfo, spi, HistoryQuery(trail, keys), {given});
}

}  // namespace bitvelocity::audit

// audit_history(target, key) RETURNS TABLE (...)
BV_FUNCTION(bitvelocity_audit_history) {
    bitvelocity::audit::History(fcinfo);
    return static_cast<Datum>(0);
}
