#include "trail/trail_table.hpp"

#include "pg/boundary.hpp"
#include "pg/month_partition.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::trail {

namespace {

constexpr int kPremake = 4;

struct Column {
    const char* name;
    const char* definition;
};

constexpr Column kShape[kTrailColumns] = {
    {"audit_id", "bigint NOT NULL GENERATED ALWAYS AS IDENTITY"},
    {"operation_type", "text NOT NULL"},
    {"operation_timestamp", "timestamptz NOT NULL"},
    {"operation_user", "text NOT NULL"},
    {"old_values", "jsonb"},
    {"new_values", "jsonb"},
    {"correlation_id", "uuid"},
    {"transaction_id", "xid8 NOT NULL"},
    {"actor", "text"},
    {"session_user_name", "text NOT NULL"},
    {"application_name", "text"},
    {"traceparent", "text"},
    {"changed_columns", "text[]"},
    {"previous_key", "jsonb"},
};

struct Key {
    std::string name;  // in the trail
    std::string type;
};

std::vector<Key> DescribeKeys(std::uint32_t source, const std::vector<int>& keys) {
    std::vector<Key> result;
    std::vector<std::string> source_names;
    for (const int number : keys) {
        struct Described {
            const char* name;
            const char* type;
        };
        const auto attnum = static_cast<std::int16_t>(number);
        const Described d = pg::Call([source, attnum]() -> Described {
            Oid type = InvalidOid;
            int32 typmod = -1;
            Oid collation = InvalidOid;
            get_atttypetypmodcoll(source, attnum, &type, &typmod, &collation);
            return {get_attname(source, attnum, false),
                    format_type_extended(type, typmod,
                                         FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY)};
        });
        source_names.emplace_back(d.name);
        result.push_back({{}, d.type});
    }
    const std::vector<std::string> names = TrailKeyNames(source_names);
    for (std::size_t i = 0; i < names.size(); ++i) {
        result[i].name = names[i];
    }
    return result;
}

std::string TrailName(std::uint32_t source) {
    std::string name = pg::RelationName(source);
    constexpr int kSuffix = 6;
    name.resize(
        pg_mbcliplen(name.c_str(), static_cast<int>(name.size()), NAMEDATALEN - 1 - kSuffix));
    return name + "_audit";
}

std::uint32_t Find(const std::string& schema, const std::string& name) {
    return pg::Call([s = schema.c_str(), n = name.c_str()]() {
        return get_relname_relid(n, get_namespace_oid(s, false));
    });
}

// A trail that was kept is continued: audit_id goes on, and history with it.
void RequireSameShape(std::uint32_t trail, std::uint32_t owner, const std::vector<Key>& keys) {
    bool same = pg::OwnerOf(trail) == owner;
    const auto has = [trail](const char* column) {
        return pg::Call([trail, column]() { return get_attnum(trail, column) > 0; });
    };
    for (const Column& column : kShape) {
        same = same && has(column.name);
    }
    for (const Key& key : keys) {
        same = same && has(key.name.c_str());
    }
    if (!same) {
        pg::Throw("42P07", "relation " + pg::QualifiedName(trail) + " already exists",
                  "It is not a trail of this table, so it is not written to.",
                  "Rename or drop it, then enable the audit again.");
    }
}

// A partitioned trail gets its months ahead of time.
void LookAfter(std::uint32_t trail, std::uint32_t owner) {
    const char kind = pg::Call([trail]() { return get_rel_relkind(trail); });
    if (kind != RELKIND_PARTITIONED_TABLE) {
        return;
    }
    {
        pg::OwnerScope as_owner(owner);
        pg::PremakeMonths(trail, kPremake);
    }
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    spi.Execute(
        "INSERT INTO bitvelocity.partition_set (relation, premake, managed_by) "
        "VALUES ($1, $2, 'bitvelocity') ON CONFLICT (relation) DO NOTHING",
        {pg::Param::OidValue(trail), pg::Param::Int(kPremake)});
}

}  // namespace

std::vector<std::string> TrailKeyNames(const std::vector<std::string>& keys) {
    std::set<std::string> taken(keys.begin(), keys.end());
    for (const Column& column : kShape) {
        taken.insert(column.name);
    }
    std::vector<std::string> names;
    for (const std::string& key : keys) {
        std::string name = key;
        if (std::any_of(std::begin(kShape), std::end(kShape),
                        [&](const Column& column) { return key == column.name; })) {
            while (taken.contains(name)) {
                name.insert(0, "key_");
            }
            taken.insert(name);
        }
        names.push_back(name);
    }
    return names;
}

std::uint32_t CreateTrailTable(std::uint32_t source, const std::vector<int>& keys, bool key_index) {
    const std::string schema = pg::RelationSchema(source);
    const std::string name = TrailName(source);
    const std::uint32_t owner = pg::OwnerOf(source);
    const std::vector<Key> key_columns = DescribeKeys(source, keys);
    if (const std::uint32_t existing = Find(schema, name); existing != 0) {
        RequireSameShape(existing, owner, key_columns);
        LookAfter(existing, owner);
        return existing;
    }
    const bool partitioned = pg::PartmanMajor() > 0;
    const std::string table = pg::QuoteIdentifier(schema) + "." + pg::QuoteIdentifier(name);
    std::string columns;
    std::string key_list;
    for (int i = 0; i < kTrailColumns; ++i) {
        columns += std::string(i == 0 ? "" : ", ") + kShape[i].name + " " + kShape[i].definition;
        for (std::size_t k = 0; i == kAuditId && k < key_columns.size(); ++k) {
            const std::string key = pg::QuoteIdentifier(key_columns[k].name);
            columns += ", " + key + " " + key_columns[k].type;
            key_list += key + ", ";
        }
    }
    std::uint32_t oid = 0;
    {
        pg::OwnerScope as_owner(owner);
        pg::SpiScope spi;
        spi.Execute("CREATE TABLE " + table + " (" + columns +
                    ", PRIMARY KEY (audit_id, operation_timestamp))" +
                    (partitioned ? " PARTITION BY RANGE (operation_timestamp)" : ""));
        oid = Find(schema, name);
        if (key_index && !key_list.empty()) {
            spi.Execute("CREATE INDEX ON " + table + " (" + key_list + "audit_id)");
            spi.Execute("CREATE INDEX ON " + table + " (audit_id) WHERE previous_key IS NOT NULL");
        }
        spi.Execute("COMMENT ON TABLE " + table + " IS " +
                    pg::QuoteLiteral("Audit trail of " + pg::QualifiedName(source) +
                                     ", one row per change, written by bitvelocity"));
    }
    LookAfter(oid, owner);
    return oid;
}

}  // namespace bitvelocity::trail
