#include "partition/partman.hpp"

#include "pg/boundary.hpp"
#include "pg/month_partition.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::partition {

namespace {

// One argument of a function of pg_partman; left out where this version has no such parameter.
struct Argument {
    const char* name;
    const char* type;
    std::optional<std::string> value;  // nothing: NULL
};

std::set<std::string> ParametersOf(pg::SpiScope& spi, const std::string& schema,
                                   const char* function) {
    const pg::Rows rows = spi.Execute(
        "SELECT DISTINCT a FROM pg_catalog.pg_proc p, pg_catalog.unnest(p.proargnames) AS a "
        "WHERE p.pronamespace = $1::pg_catalog.regnamespace AND p.proname = $2",
        {pg::Param::Text(std::string_view(pg::QuoteIdentifier(schema))),
         pg::Param::Name(function)});
    std::set<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        names.insert(*rows.Text(i, 1));
    }
    return names;
}

void CallByName(pg::SpiScope& spi, const std::string& schema, const char* function,
                const std::vector<Argument>& arguments) {
    const std::set<std::string> known = ParametersOf(spi, schema, function);
    if (known.empty()) {
        pg::Throw(core::kFeatureNotSupported,
                  std::string("pg_partman has no function ") + function + "()", {},
                  "Versions 4.7 and 5.x are supported.");
    }
    std::string sql = "SELECT " + pg::QuoteIdentifier(schema) + "." + function + "(";
    std::vector<pg::Param> params;
    for (const Argument& argument : arguments) {
        if (known.count(argument.name) == 0) {
            continue;
        }
        params.push_back(pg::Param::Text(argument.value));
        sql += (params.size() > 1 ? ", " : "") + std::string(argument.name) + " => $" +
               std::to_string(params.size()) + "::" + argument.type;
    }
    spi.Execute(sql + ")", params);
}

// 4.x always makes one.
void DropDefault(std::uint32_t relation) {
    pg::SpiScope spi;
    const pg::Rows made = spi.Execute(
        "SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = "
        "i.inhrelid WHERE i.inhparent = $1 AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) = "
        "'DEFAULT'",
        {pg::Param::OidValue(relation)});
    for (std::size_t i = 0; i < made.size(); ++i) {
        spi.Execute("DROP TABLE " + pg::QualifiedName(made.OidValue(i, 1)));
    }
}

}  // namespace

Partman::Partman() : major_(pg::PartmanMajor()) {
    if (major_ == 0) {
        pg::Throw(
            core::kFeatureNotSupported, "partitioning needs the extension pg_partman",
            "It is not installed in this database.",
            "Install the package postgresql-" + std::to_string(PG_VERSION_NUM / 10000) +
                "-partman, then run CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA "
                "partman;");
    }
    pg::SpiScope spi;
    schema_ = *spi.Execute(
                      "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN "
                      "pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
                      "WHERE e.extname OPERATOR(pg_catalog.=) 'pg_partman'")
                   .Text(0, 1);
}

void Partman::RequireRights(std::uint32_t role) const {
    pg::SpiScope spi;
    const std::string schema = pg::QuoteIdentifier(schema_);
    const pg::Rows rights = spi.Execute(
        "SELECT pg_catalog.has_schema_privilege($1, $2, 'USAGE') AND "
        "pg_catalog.has_schema_privilege($1, $2, 'CREATE') AND "
        "pg_catalog.has_table_privilege($1, c.oid, 'SELECT') AND "
        "pg_catalog.has_table_privilege($1, c.oid, 'INSERT') AND "
        "pg_catalog.has_table_privilege($1, c.oid, 'UPDATE') "
        "FROM pg_catalog.pg_class c WHERE c.relname = 'part_config' "
        "AND c.relnamespace = pg_catalog.to_regnamespace($3)",
        {pg::Param::OidValue(role), pg::Param::Text(std::string_view(schema_)),
         pg::Param::Text(std::string_view(schema))});
    if (!rights.empty() && rights.Bool(0, 1)) {
        return;
    }
    const char* name = pg::Call([role]() { return GetUserNameFromId(role, false); });
    const std::string grantee = pg::QuoteIdentifier(name);
    pg::Throw(core::kInsufficientPrivilege,
              "role \"" + std::string(name) + "\" may not use pg_partman",
              "pg_partman works with the rights of the table's owner.",
              "Run GRANT ALL ON SCHEMA " + schema + " TO " + grantee +
                  "; GRANT ALL ON ALL TABLES IN "
                  "SCHEMA " +
                  schema + " TO " + grantee + "; as its owner.");
}

// pg_partman takes "schema.table" apart by itself, without quotes.
std::string Partman::Plain(std::uint32_t relation) const {
    const std::string schema = pg::RelationSchema(relation);
    const std::string table = pg::RelationName(relation);
    if (schema.find('.') != std::string::npos || table.find('.') != std::string::npos) {
        pg::Throw(core::kFeatureNotSupported,
                  "pg_partman cannot work with a name that contains a period",
                  "The table is " + pg::QualifiedName(relation) + ".", "Rename it first.");
    }
    return schema + "." + table;
}

std::string Partman::Interval(const std::string& every) const {
    if (major_ >= 5) {
        return every;
    }
    pg::SpiScope spi;
    const pg::Rows keyword = spi.Execute(
        "SELECT k FROM (VALUES ('yearly', '1 year'), ('quarterly', '3 months'), ('monthly', "
        "'1 month'), ('weekly', '7 days'), ('daily', '1 day'), ('hourly', '1 hour'), ('half-hour', "
        "'30 minutes'), ('quarter-hour', '15 minutes')) AS v (k, i) "
        "WHERE i::pg_catalog.interval = $1::pg_catalog.interval LIMIT 1",
        {pg::Param::Text(std::string_view(every))});
    return keyword.empty() ? every : *keyword.Text(0, 1);
}

void Partman::CreateParent(const SetOptions& options) const {
    const std::string parent = Plain(options.relation);
    const std::string interval = Interval(options.every);
    pg::SpiScope spi;
    CallByName(spi, schema_, "create_parent",
               {{"p_parent_table", "text", parent},
                {"p_control", "text", options.control},
                {"p_type", "text", std::string(major_ >= 5 ? "range" : "native")},
                {"p_interval", "text", interval},
                {"p_premake", "int", std::to_string(options.premake)},
                {"p_default_table", "boolean", options.default_partition ? "true" : "false"},
                {"p_automatic_maintenance", "text", options.own_maintenance ? "off" : "on"},
                {"p_control_not_null", "boolean", std::string("false")},
                {"p_jobmon", "boolean", std::string("false")}});
    // Partitions come ahead even of a table that nothing is written to.
    spi.Execute("UPDATE " + pg::QuoteIdentifier(schema_) +
                    ".part_config SET infinite_time_partitions = true, retention = $2, "
                    "retention_keep_table = $2 IS NULL WHERE parent_table = $1",
                {pg::Param::Text(std::string_view(parent)), pg::Param::Text(options.retention)});
    if (!options.default_partition && major_ < 5) {
        DropDefault(options.relation);
    }
    if (options.since) {
        CreateSpan(options);
    }
}

// The partitions around now give the grid: whole widths before the oldest and after the newest of
// them.
void Partman::CreateSpan(const SetOptions& options) const {
    pg::SpiScope spi;
    const pg::Rows missing = spi.Execute(
        "WITH made AS (SELECT pg_catalog.min(pg_catalog.substring(b, $5)::timestamptz) AS oldest, "
        "pg_catalog.max(pg_catalog.substring(b, $6)::timestamptz) AS newest FROM "
        "pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid CROSS JOIN "
        "LATERAL pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS b WHERE i.inhparent = $1), "
        "asked AS (SELECT oldest, newest, $2::interval AS every, $3::timestamptz AS since, "
        "COALESCE($4::timestamptz, oldest) AS until FROM made) "
        "SELECT pg_catalog.array_agg(t ORDER BY t)::text FROM asked, LATERAL (SELECT t FROM "
        "pg_catalog.generate_series(oldest - every, since - every, -every) AS t UNION ALL SELECT t "
        "FROM pg_catalog.generate_series(newest, until, every) AS t) AS grid WHERE t < until AND t "
        "+ every > since",
        {pg::Param::OidValue(options.relation), pg::Param::Text(std::string_view(options.every)),
         pg::Param::Text(options.since), pg::Param::Text(options.until),
         pg::Param::Text(std::string_view("FROM \\('([^']+)'\\)")),
         pg::Param::Text(std::string_view("TO \\('([^']+)'\\)"))});
    if (missing.IsNull(0, 1)) {
        return;
    }
    CallByName(spi, schema_, "create_partition_time",
               {{"p_parent_table", "text", Plain(options.relation)},
                {"p_partition_times", "timestamptz[]", missing.Text(0, 1)},
                {"p_analyze", "boolean", std::string("false")}});
}

bool Partman::Knows(std::uint32_t relation) const {
    const std::string parent = Plain(relation);
    pg::SpiScope spi;
    return !spi.Execute("SELECT 1 FROM " + pg::QuoteIdentifier(schema_) +
                            ".part_config WHERE parent_table = $1",
                        {pg::Param::Text(std::string_view(parent))})
                .empty();
}

void Partman::RunMaintenance(std::uint32_t relation) const {
    const std::string parent = Plain(relation);
    pg::SpiScope spi;
    CallByName(spi, schema_, "run_maintenance",
               {{"p_parent_table", "text", parent},
                {"p_analyze", "boolean", std::string("false")},
                {"p_jobmon", "boolean", std::string("false")}});
}

}  // namespace bitvelocity::partition
