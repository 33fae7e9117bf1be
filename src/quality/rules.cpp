#include "quality/rules.hpp"

#include <optional>
#include <set>

#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "quality/filter.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::quality {

namespace {

// The text form of an argument; nothing for NULL.
std::optional<std::string> Argument(FunctionCallInfo fcinfo, int index, Oid type) {
    if (PG_ARGISNULL(index)) {
        return std::nullopt;
    }
    char* text = pg::Call([fcinfo, index, type]() {
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(type, &output, &is_varlena);
        return OidOutputFunctionCall(output, PG_GETARG_DATUM(index));
    });
    return std::string(text);
}

Oid TargetArgument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0)) {
        pg::Throw(core::kInvalidParameter, "target must not be null");
    }
    const Oid target = PG_GETARG_OID(0);
    pg::RequireOwner(target);
    return target;
}

std::vector<ConfigEntry> ReadConfig(pg::SpiScope& spi, const std::string& config) {
    const pg::Rows kind = spi.Execute("SELECT jsonb_typeof($1)", {pg::Param::Jsonb(config)});
    if (kind.Text(0, 1) != "object") {
        pg::Throw(core::kInvalidParameter, "config must be a JSON object");
    }
    const pg::Rows rows =
        spi.Execute("SELECT key, jsonb_typeof(value), value #>> '{}' FROM jsonb_each($1)",
                    {pg::Param::Jsonb(config)});
    std::vector<ConfigEntry> entries;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        entries.push_back({*rows.Text(i, 1), *rows.Text(i, 2), rows.Text(i, 3).value_or("")});
    }
    return entries;
}

// The type of a column without its modifier; throws 22023 with the nearest name.
std::string ColumnType(pg::SpiScope& spi, Oid relation, const std::string& column) {
    const pg::Rows rows = spi.Execute(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped",
        {pg::Param::OidValue(relation)});
    std::set<std::string> known;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (*rows.Text(i, 1) == column) {
            return *rows.Text(i, 2);
        }
        known.insert(*rows.Text(i, 1));
    }
    pg::Throw(core::kInvalidParameter,
              "column \"" + column + "\" of " + pg::QualifiedName(relation) + " does not exist", {},
              core::NearestHint(column, known, "columns"));
}

// A reference without a schema means the schema of the table that has the rule.
void ResolveReference(pg::SpiScope& spi, Oid target, Rule& rule) {
    const pg::Rows rows = spi.Execute(
        "SELECT coalesce(to_regclass($2 || '.' || quote_ident($1)),"
        " CASE WHEN cardinality(parse_ident($1)) > 1 THEN to_regclass($1) END)",
        {pg::Param::Text(rule.reference_table),
         pg::Param::Text(pg::QuoteIdentifier(pg::RelationSchema(target)))});
    const Oid reference = rows.OidValue(0, 1);
    if (!OidIsValid(reference)) {
        pg::Throw(core::kInvalidParameter, "table \"" + rule.reference_table + "\" does not exist",
                  {},
                  "Write schema.table; a name alone is looked up in the schema of " +
                      pg::QualifiedName(target) + ".");
    }
    ColumnType(spi, reference, rule.reference_column);
    rule.reference_table = pg::QualifiedName(reference);
}

// Parses, resolves and tries out the rule's expression as the owner of the table.
void Validate(pg::SpiScope& spi, Oid target, const std::string& config, Rule& rule) {
    const pg::OwnerScope owner(pg::OwnerOf(target));
    if (rule.column.empty()) {
        pg::Throw(core::kInvalidParameter,
                  "a " + std::string(KindName(rule.kind)) + " rule needs a column_name");
    }
    rule.column_type = ColumnType(spi, target, rule.column);
    pg::ThrowIfError(ParseConfig(ReadConfig(spi, config), rule));
    if (rule.kind == Kind::kReference) {
        ResolveReference(spi, target, rule);
    }
    if (rule.kind == Kind::kPattern) {
        spi.Execute("SELECT '' ~ $1", {pg::Param::Text(rule.regex)});
    }
    if (!rule.filter.empty()) {
        rule.filter = CheckedFilter(target, rule.filter);
    }
    const pg::Rows mostly =
        spi.Execute("SELECT $1::numeric BETWEEN 0 AND 1", {pg::Param::Text(rule.mostly)});
    if (!mostly.Bool(0, 1)) {
        pg::Throw(core::kInvalidParameter, "mostly must be between 0 and 1",
                  "It is the share of rows that must pass; 1 means all.");
    }
    spi.Execute("SELECT " + FailureSql(rule, "r") + " FROM " + pg::QualifiedName(target) +
                " r LIMIT 0");
}

// The config as it is kept: a reference by its qualified name.
std::string StoredConfig(pg::SpiScope& spi, const Rule& rule, const std::string& config) {
    if (rule.kind != Kind::kReference) {
        return config;
    }
    return *spi.Execute("SELECT ($1 || jsonb_build_object('table', $2))::text",
                        {pg::Param::Jsonb(config), pg::Param::Text(rule.reference_table)})
                .Text(0, 1);
}

constexpr const char* kColumns =
    "r.rule_id::text, r.name, r.rule_type, r.severity, r.column_name, "
    "format_type(a.atttypid, NULL), r.filter, r.mostly::text, r.rule_config->>'min', "
    "r.rule_config->>'max', coalesce((r.rule_config->>'min_inclusive')::boolean, true), "
    "coalesce((r.rule_config->>'max_inclusive')::boolean, true), r.rule_config->>'regex', "
    "coalesce((r.rule_config->>'negate')::boolean, false), r.rule_config->>'table', "
    "r.rule_config->>'column', r.rule_config::text, r.tags::text "
    "FROM bitvelocity.data_quality_rules r LEFT JOIN pg_attribute a ON a.attrelid = r.relation "
    "AND a.attname = r.column_name AND NOT a.attisdropped ";

Rule ReadRule(const pg::Rows& rows, std::size_t i) {
    Rule rule;
    rule.id = *rows.Text(i, 1);
    rule.name = *rows.Text(i, 2);
    rule.kind = pg::ValueOrThrow(ParseKind(*rows.Text(i, 3)));
    rule.severity = pg::ValueOrThrow(ParseSeverity(*rows.Text(i, 4)));
    rule.column = *rows.Text(i, 5);
    if (rows.IsNull(i, 6)) {
        pg::Throw(
            "42703",
            "column \"" + rule.column + "\" of quality rule \"" + rule.name + "\" does not exist",
            {}, "Drop the rule with drop_quality_rule, or deactivate it.");
    }
    rule.column_type = *rows.Text(i, 6);
    rule.filter = rows.Text(i, 7).value_or("");
    rule.mostly = *rows.Text(i, 8);
    rule.min = rows.Text(i, 9);
    rule.max = rows.Text(i, 10);
    rule.min_inclusive = rows.Bool(i, 11);
    rule.max_inclusive = rows.Bool(i, 12);
    rule.regex = rows.Text(i, 13).value_or("");
    rule.negate = rows.Bool(i, 14);
    rule.reference_table = rows.Text(i, 15).value_or("");
    rule.reference_column = rows.Text(i, 16).value_or("");
    return rule;
}

void RequireNewName(pg::SpiScope& spi, Oid target, const std::string& name) {
    const pg::Rows rows = spi.Execute(
        "SELECT FROM bitvelocity.data_quality_rules WHERE relation = $1::regclass AND name = $2",
        {pg::Param::OidValue(target), pg::Param::Text(name)});
    if (!rows.empty()) {
        pg::Throw(
            "42710",
            "quality rule \"" + name + "\" of " + pg::QualifiedName(target) + " already exists", {},
            "Give the rule another name, or use alter_quality_rule.");
    }
}

// Throws 42704 with the nearest name of the table's rules.
[[noreturn]] void NoSuchRule(pg::SpiScope& spi, Oid target, const std::string& name) {
    const pg::Rows rows =
        spi.Execute("SELECT name FROM bitvelocity.data_quality_rules WHERE relation = $1::regclass",
                    {pg::Param::OidValue(target)});
    std::set<std::string> known;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        known.insert(*rows.Text(i, 1));
    }
    pg::Throw("42704",
              "quality rule \"" + name + "\" of " + pg::QualifiedName(target) + " does not exist",
              {}, core::NearestHint(name, known, "rules"));
}

std::string RequiredText(FunctionCallInfo fcinfo, int index, const char* what) {
    auto text = Argument(fcinfo, index, TEXTOID);
    if (!text) {
        pg::Throw(core::kInvalidParameter, std::string(what) + " must not be null");
    }
    return *text;
}

// "{a,b}" of a text[] argument, or what was there.
pg::Param TagsParam(FunctionCallInfo fcinfo, int index) {
    return PG_ARGISNULL(index) ? pg::Param::Null(TEXTARRAYOID)
                               : pg::Param::Raw(TEXTARRAYOID, PG_GETARG_DATUM(index), false);
}

}  // namespace

std::vector<Rule> LoadRules(std::uint32_t relation) {
    const pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        std::string("SELECT ") + kColumns +
            "WHERE r.relation = $1::regclass AND r.is_active ORDER BY r.name COLLATE \"C\"",
        {pg::Param::OidValue(relation)});
    std::vector<Rule> rules;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rules.push_back(ReadRule(rows, i));
    }
    return rules;
}

// add_quality_rule(target, rule_type, column_name, config, severity, name, mostly, filter, tags)
BV_FUNCTION(bitvelocity_add_quality_rule) {
    const Oid target = TargetArgument(fcinfo);
    Rule rule;
    rule.kind = pg::ValueOrThrow(ParseKind(RequiredText(fcinfo, 1, "rule_type")));
    rule.column = Argument(fcinfo, 2, TEXTOID).value_or("");
    const std::string config = Argument(fcinfo, 3, JSONBOID).value_or("{}");
    rule.severity = pg::ValueOrThrow(ParseSeverity(RequiredText(fcinfo, 4, "severity")));
    rule.mostly = Argument(fcinfo, 6, NUMERICOID).value_or("1");
    rule.filter = Argument(fcinfo, 7, TEXTOID).value_or("");
    pg::SpiScope spi;
    Validate(spi, target, config, rule);
    rule.name = Argument(fcinfo, 5, TEXTOID).value_or(DefaultName(rule));

    const pg::CatalogScope catalog;
    RequireNewName(spi, target, rule.name);
    const pg::Rows made = spi.Execute(
        "INSERT INTO bitvelocity.data_quality_rules (table_name, column_name, rule_type, "
        "rule_config,"
        " severity, relation, name, mostly, filter, tags, owner) "
        "VALUES ($1, $2, $3, $4, $5, $6::regclass, $7, $8::numeric, $9, coalesce($10, '{}'),"
        " $11::regrole) RETURNING rule_id::text",
        {pg::Param::Text(pg::QualifiedName(target)), pg::Param::Text(rule.column),
         pg::Param::Text(KindName(rule.kind)), pg::Param::Jsonb(StoredConfig(spi, rule, config)),
         pg::Param::Text(SeverityName(rule.severity)), pg::Param::OidValue(target),
         pg::Param::Text(rule.name), pg::Param::Text(rule.mostly),
         rule.filter.empty() ? pg::Param::Null(TEXTOID) : pg::Param::Text(rule.filter),
         TagsParam(fcinfo, 8), pg::Param::OidValue(pg::OwnerOf(target))});
    const std::string id = *made.Text(0, 1);
    // The result must outlive SPI's memory.
    return pg::Call([text = id.c_str()]() {
        const Datum uuid = DirectFunctionCall1(uuid_in, CStringGetDatum(text));
        return SPI_datumTransfer(uuid, false, UUID_LEN);
    });
}

// alter_quality_rule(target, name, config, severity, mostly, filter, tags, is_active)
BV_FUNCTION(bitvelocity_alter_quality_rule) {
    const Oid target = TargetArgument(fcinfo);
    const std::string name = RequiredText(fcinfo, 1, "name");
    pg::SpiScope spi;
    Rule rule;
    std::string config;
    {
        const pg::CatalogScope catalog;
        const pg::Rows rows = spi.Execute(
            std::string("SELECT ") + kColumns + "WHERE r.relation = $1::regclass AND r.name = $2",
            {pg::Param::OidValue(target), pg::Param::Text(name)});
        if (rows.empty()) {
            NoSuchRule(spi, target, name);
        }
        const Rule old = ReadRule(rows, 0);
        rule.id = old.id;
        rule.name = old.name;
        rule.kind = old.kind;
        rule.column = old.column;
        rule.severity = old.severity;
        rule.mostly = old.mostly;
        rule.filter = old.filter;
        config = *rows.Text(0, 17);
    }
    config = Argument(fcinfo, 2, JSONBOID).value_or(config);
    if (const auto severity = Argument(fcinfo, 3, TEXTOID)) {
        rule.severity = pg::ValueOrThrow(ParseSeverity(*severity));
    }
    rule.mostly = Argument(fcinfo, 4, NUMERICOID).value_or(rule.mostly);
    rule.filter = Argument(fcinfo, 5, TEXTOID).value_or(rule.filter);
    Validate(spi, target, config, rule);

    const pg::CatalogScope catalog;
    spi.Execute(
        "UPDATE bitvelocity.data_quality_rules SET rule_config = $2, severity = $3,"
        " mostly = $4::numeric, filter = nullif($5, ''), tags = coalesce($6, tags),"
        " is_active = coalesce($7, is_active) WHERE rule_id = $1::uuid",
        {pg::Param::Text(rule.id), pg::Param::Jsonb(StoredConfig(spi, rule, config)),
         pg::Param::Text(SeverityName(rule.severity)), pg::Param::Text(rule.mostly),
         pg::Param::Text(rule.filter), TagsParam(fcinfo, 6),
         PG_ARGISNULL(7) ? pg::Param::Null(BOOLOID) : pg::Param::Bool(PG_GETARG_BOOL(7))});
    PG_RETURN_VOID();
}

// drop_quality_rule(target, name)
BV_FUNCTION(bitvelocity_drop_quality_rule) {
    const Oid target = TargetArgument(fcinfo);
    const std::string name = RequiredText(fcinfo, 1, "name");
    const pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "DELETE FROM bitvelocity.data_quality_rules WHERE relation = $1::regclass AND name = $2",
        {pg::Param::OidValue(target), pg::Param::Text(name)});
    if (rows.processed() == 0) {
        NoSuchRule(spi, target, name);
    }
    PG_RETURN_VOID();
}

}  // namespace bitvelocity::quality
