// partition_table(): hands a table to pg_partman, as the table's owner, and to our maintenance.

#include "partition/convert.hpp"
#include "partition/partman.hpp"
#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::partition {

namespace {

// Every one is a table with its own locks: many more would exhaust the lock table half-way.
constexpr std::int64_t kMostPartitions = 5000;

struct Table {
    char kind;
    bool partition;
    char strategy;        // of a partitioned table
    std::string control;  // its only key column; empty: several, or an expression
};

Table Describe(std::uint32_t relation) {
    struct Plain {
        char kind;
        bool partition;
        char strategy;
        const char* control;
    };
    const Plain plain = pg::Call([relation]() -> Plain {
        Plain p{get_rel_relkind(relation), get_rel_relispartition(relation), '\0', ""};
        if (p.kind == RELKIND_PARTITIONED_TABLE) {
            const Relation opened = table_open(relation, AccessShareLock);
            const PartitionKey key = RelationGetPartitionKey(opened);
            p.strategy = key->strategy;
            if (key->partnatts == 1 && key->partattrs[0] > 0) {
                p.control = get_attname(relation, key->partattrs[0], false);
            }
            table_close(opened, NoLock);
        }
        return p;
    });
    return {plain.kind, plain.partition, plain.strategy, plain.control};
}

void RequireControl(std::uint32_t relation, const std::string& table, const std::string& control) {
    const Oid type = pg::Call([relation, name = control.c_str()]() -> Oid {
        const AttrNumber number = get_attnum(relation, name);
        return number > 0 ? get_atttype(relation, number) : InvalidOid;
    });
    if (!OidIsValid(type)) {
        std::set<std::string> known;
        pg::SpiScope spi;
        const pg::Rows columns = spi.Execute(
            "SELECT attname::pg_catalog.text FROM pg_catalog.pg_attribute WHERE attrelid "
            "OPERATOR(pg_catalog.=) $1 AND attnum OPERATOR(pg_catalog.>) 0 AND NOT attisdropped",
            {pg::Param::OidValue(relation)});
        for (std::size_t i = 0; i < columns.size(); ++i) {
            known.insert(*columns.Text(i, 1));
        }
        pg::Throw("42703", "column \"" + control + "\" of table " + table + " does not exist", {},
                  core::NearestHint(control, known, "columns"));
    }
    if (type != DATEOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID) {
        const char* have = pg::Call([type]() { return format_type_be(type); });
        pg::Throw("42804", "cannot partition by column \"" + control + "\" of type " + have, {},
                  "The column is of type date, timestamp or timestamptz.");
    }
}

void RequireInterval(const SetOptions& options) {
    pg::SpiScope spi;
    const pg::Rows good = spi.Execute(
        "SELECT $1::pg_catalog.interval OPERATOR(pg_catalog.>=) '1 second'::pg_catalog.interval, "
        "COALESCE($2::pg_catalog.interval OPERATOR(pg_catalog.>) '0', true)",
        {pg::Param::Text(std::string_view(options.every)), pg::Param::Text(options.retention)});
    if (!good.Bool(0, 1) || options.premake < 0) {
        pg::Throw(core::kInvalidParameter, "every must be positive and premake not negative");
    }
    if (!good.Bool(0, 2)) {
        pg::Throw(core::kInvalidParameter, "retention must be positive");
    }
}

// Partitions that were asked for can all be made, are not too many, and are kept.
void RequireSpan(const SetOptions& options) {
    if (!options.since) {
        if (options.until) {
            pg::Throw(core::kInvalidParameter, "until needs since", {},
                      "Partitions ahead of the running one are made by premake.");
        }
        return;
    }
    pg::SpiScope spi;
    const pg::Rows span = spi.Execute(
        "SELECT pg_catalog.isfinite(since) AND pg_catalog.isfinite(until) AND since < until, CASE "
        "WHEN pg_catalog.isfinite(since) AND pg_catalog.isfinite(until) THEN "
        "(EXTRACT(epoch FROM until - since) / EXTRACT(epoch FROM $3::interval))::bigint END, "
        "since + $3::interval <= pg_catalog.now() - $4::interval "
        "FROM (SELECT $1::timestamptz AS since, COALESCE($2::timestamptz, GREATEST("
        "pg_catalog.now(), $1::timestamptz + interval '1 second')) AS until) AS asked",
        {pg::Param::Text(options.since), pg::Param::Text(options.until),
         pg::Param::Text(std::string_view(options.every)), pg::Param::Text(options.retention)});
    if (!span.Bool(0, 1)) {
        pg::Throw(core::kInvalidParameter, "until must be later than since, and both finite");
    }
    if (span.Int(0, 2) > kMostPartitions) {
        pg::Throw(
            "54000",
            "that would be " + std::to_string(span.Int(0, 2)) + " partitions of " + options.every,
            "At most " + std::to_string(kMostPartitions) + " are made at once.",
            "Choose a wider every, or name the time of the old rows with since and until.");
    }
    if (span.Bool(0, 3)) {
        pg::Throw(core::kInvalidParameter, "retention would drop the partitions of the past",
                  "Partitions older than " + options.retention.value_or("") + " are dropped.",
                  "Choose a later since, or a longer retention.");
    }
}

// Our workers maintain it, or, where the library is not preloaded, whoever runs pg_partman.
bool Preloaded() {
    const char* libraries = shared_preload_libraries_string;
    return libraries != nullptr && std::strstr(libraries, "bitvelocity") != nullptr;
}

void Remember(const SetOptions& options) {
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    spi.Execute(
        "INSERT INTO bitvelocity.partition_set (relation, every, premake, retention, managed_by) "
        "VALUES ($1, $2::interval, $3, $4::interval, 'pg_partman') ON CONFLICT (relation) DO "
        "UPDATE "
        "SET every = excluded.every, premake = excluded.premake, retention = excluded.retention, "
        "managed_by = excluded.managed_by",
        {pg::Param::OidValue(options.relation), pg::Param::Text(std::string_view(options.every)),
         pg::Param::Int(options.premake), pg::Param::Text(options.retention)});
}

void PartitionTable(SetOptions options) {
    const Partman partman;
    pg::RequireOwner(options.relation);
    const std::string table = pg::QualifiedName(options.relation);
    const Table described = Describe(options.relation);
    const bool plain = described.kind == RELKIND_RELATION;
    if ((!plain && described.kind != RELKIND_PARTITIONED_TABLE) || described.partition) {
        pg::Throw("42809", table + (described.partition ? " is a partition" : " is not a table"));
    }
    RequireControl(options.relation, table, options.control);
    RequireInterval(options);
    RequireSpan(options);
    if (!plain &&
        (described.strategy != PARTITION_STRATEGY_RANGE || described.control != options.control)) {
        pg::Throw("42P16",
                  "table " + table + " is not partitioned by RANGE (" +
                      pg::QuoteIdentifier(options.control) + ")",
                  {}, "Give the column that it is partitioned by.");
    }
    const std::uint32_t owner = pg::OwnerOf(options.relation);
    partman.RequireRights(owner);
    {
        pg::OwnerScope as_owner(owner);
        if (partman.Knows(options.relation)) {
            pg::Throw("42710", "table " + table + " is in pg_partman's care already", {},
                      "See the view bitvelocity.partition_status.");
        }
        if (plain) {
            options.relation = ConvertEmptyTable(options.relation, options.control, options.every);
        }
        partman.CreateParent(options);
    }
    Remember(options);
}

std::string TextOf(Datum value, Oid type) {
    return pg::Call([value, type]() {
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(type, &output, &is_varlena);
        return OidOutputFunctionCall(output, value);
    });
}

}  // namespace

}  // namespace bitvelocity::partition

// partition_table(target, control, every, premake, retention, default_partition, since, until)
// RETURNS void
BV_FUNCTION(bitvelocity_partition_table) {
    using namespace bitvelocity;  // NOLINT: the body is outside the namespace
    for (const int argument : {0, 1, 2, 3, 5}) {
        if (PG_ARGISNULL(argument)) {
            pg::Throw("22004",
                      "target, control, every, premake and default_partition must not be null");
        }
    }
    partition::SetOptions options;
    options.relation = PG_GETARG_OID(0);
    options.control = NameStr(*PG_GETARG_NAME(1));
    options.every = partition::TextOf(PG_GETARG_DATUM(2), INTERVALOID);
    options.premake = PG_GETARG_INT32(3);
    if (!PG_ARGISNULL(4)) {
        options.retention = partition::TextOf(PG_GETARG_DATUM(4), INTERVALOID);
    }
    options.default_partition = PG_GETARG_BOOL(5);
    if (!PG_ARGISNULL(6)) {
        options.since = partition::TextOf(PG_GETARG_DATUM(6), TIMESTAMPTZOID);
    }
    if (!PG_ARGISNULL(7)) {
        options.until = partition::TextOf(PG_GETARG_DATUM(7), TIMESTAMPTZOID);
    }
    options.own_maintenance = partition::Preloaded();
    partition::PartitionTable(std::move(options));
    return static_cast<Datum>(0);
}
