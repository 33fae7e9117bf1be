// enable_audit(), disable_audit(): the trail, the triggers and the registry's entry of one table,
// made and taken away together. As the table's owner; only the entry is written as the extension's.

#include "audit/registry.hpp"
#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "trail/retention.hpp"
#include "trail/trail_table.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

void RequireMode(const std::string& mode) {
    if (mode != "sync") {
        pg::Throw(core::kInvalidParameter, "audit mode \"" + mode + "\" is not known", {},
                  "The mode is 'sync': the trail is written in the transaction of the change.");
    }
}

bool ChangedOnly(const std::string& columns) {
    if (columns != "all" && columns != "changed") {
        pg::Throw(core::kInvalidParameter, "columns \"" + columns + "\" is not known", {},
                  "Use 'all' for whole rows, or 'changed' to keep of an UPDATE only the columns "
                  "that it changed.");
    }
    return columns == "changed";
}

void RequireAuditable(Oid relation) {
    struct Kind {
        char kind;
        bool partition;
        char persistence;
    };
    const Kind kind = pg::Call([relation]() -> Kind {
        return {get_rel_relkind(relation), get_rel_relispartition(relation),
                get_rel_persistence(relation)};
    });
    const std::string name = pg::QualifiedName(relation);
    if (kind.kind != RELKIND_RELATION && kind.kind != RELKIND_PARTITIONED_TABLE) {
        pg::Throw("42809", name + " is not a table");
    }
    if (kind.partition) {
        pg::Throw("42809", name + " is a partition", {},
                  "Enable the audit on the partitioned table: it covers every partition.");
    }
    if (kind.persistence == RELPERSISTENCE_TEMP) {
        pg::Throw("42809", name + " is a temporary table",
                  "Its trail would outlive it and be shared by nobody.");
    }
}

struct Columns {
    std::set<std::string> names;
    std::map<std::string, int> numbers;
    std::vector<int> keys;  // of the primary key, in its order
    std::vector<std::string> key_list;
    std::set<std::string> key_names;
};

Columns Describe(Oid relation) {
    Columns columns;
    pg::SpiScope spi;
    const pg::Rows all = spi.Execute(
        "SELECT attname::pg_catalog.text, attnum FROM pg_catalog.pg_attribute "
        "WHERE attrelid OPERATOR(pg_catalog.=) $1 AND attnum OPERATOR(pg_catalog.>) 0 "
        "AND NOT attisdropped",
        {pg::Param::OidValue(relation)});
    for (std::size_t i = 0; i < all.size(); ++i) {
        columns.names.insert(*all.Text(i, 1));
        columns.numbers[*all.Text(i, 1)] = static_cast<int>(all.Int(i, 2));
    }
    const pg::Rows keys = spi.Execute(
        "SELECT a.attname::pg_catalog.text, a.attnum FROM pg_catalog.pg_index i "
        "CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY "
        "AS k (attnum, at) JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) "
        "i.indrelid AND a.attnum OPERATOR(pg_catalog.=) k.attnum "
        "WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND i.indisprimary "
        "AND k.at OPERATOR(pg_catalog.<=) i.indnkeyatts ORDER BY k.at",
        {pg::Param::OidValue(relation)});
    for (std::size_t i = 0; i < keys.size(); ++i) {
        columns.keys.push_back(static_cast<int>(keys.Int(i, 2)));
        columns.key_list.push_back(*keys.Text(i, 1));
        columns.key_names.insert(*keys.Text(i, 1));
    }
    return columns;
}

std::vector<std::string> NamesOf(FunctionCallInfo fcinfo, int argument) {
    std::vector<std::string> names;
    if (PG_ARGISNULL(argument)) {
        return names;
    }
    struct Elements {
        Datum* values;
        bool* nulls;
        int count;
    };
    const Elements elements = pg::Call([fcinfo, argument]() -> Elements {
        Elements e{};
        deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), NAMEOID, NAMEDATALEN, false,
                          TYPALIGN_CHAR, &e.values, &e.nulls, &e.count);
        return e;
    });
    for (int i = 0; i < elements.count; ++i) {
        if (!elements.nulls[i]) {
            names.emplace_back(NameStr(*DatumGetName(elements.values[i])));
        }
    }
    return names;
}

std::vector<int> NumbersOf(const std::vector<std::string>& names, const Columns& columns,
                           const char* what) {
    std::vector<int> numbers;
    for (const std::string& name : names) {
        const auto found = columns.numbers.find(name);
        if (found == columns.numbers.end()) {
            pg::Throw("42703", "column \"" + name + "\" does not exist", {},
                      core::NearestHint(name, columns.names, "columns"));
        }
        if (columns.key_names.count(name) > 0) {
            pg::Throw(core::kInvalidParameter,
                      std::string("cannot ") + what + " the key column \"" + name + "\"",
                      "The trail finds a row's history by its key.");
        }
        numbers.push_back(found->second);
    }
    return numbers;
}

std::string TextOf(FunctionCallInfo fcinfo, int argument, const char* otherwise) {
    if (PG_ARGISNULL(argument)) {
        return otherwise;
    }
    return pg::Call([fcinfo, argument]() { return text_to_cstring(PG_GETARG_TEXT_PP(argument)); });
}

Oid TargetOf(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0)) {
        pg::Throw("22004", "target must not be null");
    }
    return PG_GETARG_OID(0);
}

void CreateTriggers(Oid relation, const std::string& table) {
    pg::OwnerScope as_owner(pg::OwnerOf(relation));
    pg::SpiScope spi;
    spi.Execute("CREATE TRIGGER bitvelocity_audit AFTER INSERT OR UPDATE OR DELETE ON " + table +
                " FOR EACH ROW EXECUTE FUNCTION bitvelocity.audit_row()");
    spi.Execute("CREATE TRIGGER bitvelocity_audit_truncate AFTER TRUNCATE ON " + table +
                " FOR EACH STATEMENT EXECUTE FUNCTION bitvelocity.audit_truncate()");
    spi.Execute("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER bitvelocity_audit");
    spi.Execute("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER bitvelocity_audit_truncate");
}

void Enable(FunctionCallInfo fcinfo, Oid relation, Oid* trail) {
    pg::RequireOwner(relation);
    const std::string mode = TextOf(fcinfo, 1, "sync");
    RequireMode(mode);
    trail::TrailOptions options;
    options.relation = relation;
    options.changed_only = ChangedOnly(TextOf(fcinfo, 2, "all"));
    RequireAuditable(relation);
    pg::Call([relation]() { LockRelationOid(relation, ShareRowExclusiveLock); });
    const std::string table = pg::QualifiedName(relation);
    if (Find(relation)) {
        pg::Throw("42710", "table " + table + " is audited already", {},
                  "Run bitvelocity.disable_audit() first to change how; the trail is kept.");
    }
    const Columns columns = Describe(relation);
    options.exclude = NumbersOf(NamesOf(fcinfo, 3), columns, "exclude");
    options.redact = NumbersOf(NamesOf(fcinfo, 4), columns, "redact");
    options.keys = columns.keys;
    options.key_names = trail::TrailKeyNames(columns.key_list);
    const bool key_index = PG_ARGISNULL(5) || PG_GETARG_BOOL(5);
    options.trail = trail::CreateTrailTable(relation, options.keys, key_index);
    *trail = options.trail;
    if (!PG_ARGISNULL(6)) {
        trail::SetRetention(options.trail, PG_GETARG_DATUM(6));
    }
    Add(options, mode);
    CreateTriggers(relation, table);
}

void Disable(Oid relation, bool drop_trail) {
    pg::RequireOwner(relation);
    const auto options = Find(relation);
    if (!options) {
        pg::Throw(core::kObjectNotInPrerequisiteState,
                  "table " + pg::QualifiedName(relation) + " is not audited");
    }
    const std::string table = pg::QualifiedName(relation);
    {
        pg::OwnerScope as_owner(pg::OwnerOf(relation));
        pg::SpiScope spi;
        spi.Execute("DROP TRIGGER IF EXISTS bitvelocity_audit ON " + table);
        spi.Execute("DROP TRIGGER IF EXISTS bitvelocity_audit_truncate ON " + table);
        const bool exists = pg::Call([trail = options->trail]() {
            return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(trail));
        });
        if (drop_trail && exists) {
            spi.Execute("DROP TABLE " + pg::QualifiedName(options->trail));
        }
    }
    if (drop_trail) {
        pg::CatalogScope catalog;
        pg::SpiScope spi;
        spi.Execute("DELETE FROM bitvelocity.partition_set WHERE relation = $1",
                    {pg::Param::OidValue(options->trail)});
    }
    Remove(relation);
}

}  // namespace

}  // namespace bitvelocity::audit

// enable_audit(target, mode, columns, exclude, redact, key_index, retention) RETURNS regclass
BV_FUNCTION(bitvelocity_enable_audit) {
    Oid trail = InvalidOid;
    bitvelocity::audit::Enable(fcinfo, bitvelocity::audit::TargetOf(fcinfo), &trail);
    return ObjectIdGetDatum(trail);
}

// disable_audit(target, drop_trail) RETURNS void
BV_FUNCTION(bitvelocity_disable_audit) {
    bitvelocity::audit::Disable(bitvelocity::audit::TargetOf(fcinfo),
                                !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
    return static_cast<Datum>(0);
}
