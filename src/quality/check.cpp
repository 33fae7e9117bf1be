// check_quality: every active rule of a table in one scan, with counts and bounded samples.

#include "core/sql_text.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/set_result.hpp"
#include "pg/spi.hpp"
#include "quality/filter.hpp"
#include "quality/rules.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::quality {

using core::QuoteName;
using core::QuoteText;

namespace {

constexpr int kSamples = 10;

struct Finding {
    std::int64_t records = 0;
    std::int64_t failed = 0;
    std::string samples;  // jsonb
};

// Columns of the primary key, in its order.
std::vector<std::string> KeyColumns(pg::SpiScope& spi, Oid relation) {
    const pg::Rows rows = spi.Execute(
        "SELECT a.attname::text FROM pg_index i "
        "CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.n",
        {pg::Param::OidValue(relation)});
    std::vector<std::string> columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        columns.push_back(*rows.Text(i, 1));
    }
    return columns;
}

// One row: per rule count of rows it applies to, count of failures, samples. What names a sampled
// row (its primary key, or where it lies) is built for failing rows only.
std::string CheckSql(pg::SpiScope& spi, Oid relation, const std::vector<Rule>& rules,
                     const std::string& filter) {
    std::string inner;
    std::string key;
    int n = 0;
    for (const std::string& column : KeyColumns(spi, relation)) {
        const std::string alias = "k" + std::to_string(++n);
        inner += "t." + QuoteName(column) + " AS " + alias + ", ";
        key += (n == 1 ? "" : ", ") + QuoteText(column) + "::text, " + alias;
    }
    if (n == 0) {
        inner = "t.tableoid AS k1, t.ctid AS k2, ";
        key = "'table', k1::regclass::text, 'ctid', k2::text";
    }
    std::string aggregates;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const std::string id = std::to_string(i + 1);
        inner += (i == 0 ? "" : ", ") + FailureSql(rules[i], "t") + " AS f" + id + ", t." +
                 QuoteName(rules[i].column) + " AS v" + id;
        aggregates += (i == 0 ? "" : ", ") + std::string("count(f") + id +
                      "), count(*) FILTER (WHERE f" + id +
                      "), bitvelocity.quality_sample(jsonb_build_object(" + key + "), to_jsonb(v" +
                      id + "), " + std::to_string(kSamples) + ") FILTER (WHERE f" + id + ")";
    }
    const std::string where = filter.empty() ? "" : " WHERE " + filter;
    return "SELECT " + aggregates + " FROM (SELECT " + inner + " FROM " +
           pg::QualifiedName(relation) + " t" + where + " OFFSET 0) s";
}

std::vector<Finding> Evaluate(pg::SpiScope& spi, Oid relation, const std::vector<Rule>& rules,
                              const std::string& filter) {
    const pg::OwnerScope owner(pg::OwnerOf(relation));
    const pg::Rows row = spi.Execute(CheckSql(spi, relation, rules, filter));
    std::vector<Finding> findings;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const int column = static_cast<int>(3 * i) + 1;
        findings.push_back(
            {row.Int(0, column), row.Int(0, column + 1), row.Text(0, column + 2).value_or("[]")});
    }
    return findings;
}

// Stores one result per rule under one run id; returns the run id.
std::string Store(pg::SpiScope& spi, const std::vector<Rule>& rules,
                  const std::vector<Finding>& findings) {
    const pg::CatalogScope catalog;
    const std::string run = *spi.Execute("SELECT gen_random_uuid()::text").Text(0, 1);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        spi.Execute(
            "INSERT INTO bitvelocity.data_quality_results (rule_id, run_id, checked_at,"
            " record_count, failed_count, success_rate, sample_failures) "
            "VALUES ($1::uuid, $2::uuid, clock_timestamp(), $3, $4,"
            " bitvelocity.quality_success_rate($3, $4), $5)",
            {pg::Param::Text(rules[i].id), pg::Param::Text(run),
             pg::Param::Bigint(findings[i].records), pg::Param::Bigint(findings[i].failed),
             pg::Param::Jsonb(findings[i].samples)});
    }
    return run;
}

struct Run {
    std::string id;
    bool any = false;
};

Run Check(pg::SpiScope& spi, Oid target, const std::string& filter) {
    pg::RequireOwner(target);
    const std::vector<Rule> rules = LoadRules(target);
    if (rules.empty()) {
        return {};
    }
    const std::string checked = filter.empty() ? filter : CheckedFilter(target, filter);
    return {Store(spi, rules, Evaluate(spi, target, rules, checked)), true};
}

Oid Target(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0)) {
        pg::Throw(core::kInvalidParameter, "target must not be null");
    }
    return PG_GETARG_OID(0);
}

std::string Text(FunctionCallInfo fcinfo, int index) {
    if (PG_ARGISNULL(index)) {
        return {};
    }
    return pg::Call([fcinfo, index]() { return text_to_cstring(PG_GETARG_TEXT_PP(index)); });
}

}  // namespace

// check_quality(target, filter) RETURNS SETOF ...
BV_FUNCTION(bitvelocity_check_quality) {
    pg::BeginSet(fcinfo);
    pg::SpiScope spi;
    const Run run = Check(spi, Target(fcinfo), Text(fcinfo, 1));
    if (run.any) {
        const pg::CatalogScope catalog;
        pg::AppendQuery(
            fcinfo, spi,
            "SELECT name, rule_type, column_name, severity, record_count, failed_count,"
            " success_rate, passed, sample_failures, rule_id, check_id "
            "FROM bitvelocity.quality_outcome WHERE run_id = $1::uuid ORDER BY name COLLATE \"C\"",
            {pg::Param::Text(run.id)});
    }
    return static_cast<Datum>(0);
}

// CALL run_quality(target, on_failure)
BV_FUNCTION(bitvelocity_run_quality) {
    const std::string on_failure = Text(fcinfo, 1);
    if (on_failure != "report" && on_failure != "raise") {
        pg::Throw(core::kInvalidParameter, "unknown on_failure \"" + on_failure + "\"", {},
                  "Known values are raise and report.");
    }
    const Oid target = Target(fcinfo);
    pg::SpiScope spi;
    const Run run = Check(spi, target, {});
    if (!run.any) {
        PG_RETURN_VOID();
    }
    const pg::CatalogScope catalog;
    const pg::Rows failed = spi.Execute(
        "SELECT format('%s: %s of %s rows failed', name, failed_count, record_count), severity "
        "FROM bitvelocity.quality_outcome WHERE run_id = $1::uuid AND NOT passed "
        "ORDER BY severity COLLATE \"C\", name COLLATE \"C\"",
        {pg::Param::Text(run.id)});
    std::string detail;
    bool error = false;
    for (std::size_t i = 0; i < failed.size(); ++i) {
        const std::string severity = *failed.Text(i, 2);
        error |= severity == "ERROR";
        detail += (i == 0 ? "" : "\n") + severity + " " + *failed.Text(i, 1);
    }
    const std::string name = pg::QualifiedName(target);
    if (error && on_failure == "raise") {
        pg::Throw("23514", "quality of " + name + " is not sufficient", detail,
                  "See sample_failures of check_quality for the rows.");
    }
    pg::Call([what = name.c_str(), text = detail.c_str(), good = detail.empty()]() {
        if (good) {
            ereport(NOTICE, (errmsg("all quality rules of %s passed", what)));
        } else {
            ereport(NOTICE, (errmsg("quality rules of %s failed", what), errdetail("%s", text)));
        }
    });
    PG_RETURN_VOID();
}

// quality_report(target) RETURNS SETOF ...
BV_FUNCTION(bitvelocity_quality_report) {
    const Oid target = Target(fcinfo);
    pg::RequireOwner(target);
    pg::BeginSet(fcinfo);
    pg::SpiScope spi;
    const pg::CatalogScope catalog;
    pg::AppendQuery(
        fcinfo, spi,
        "SELECT r.name, r.rule_type, r.column_name, r.severity, o.record_count, o.failed_count,"
        " o.success_rate, o.passed, o.checked_at, o.sample_failures "
        "FROM bitvelocity.data_quality_rules r LEFT JOIN LATERAL"
        " (SELECT * FROM bitvelocity.quality_outcome q WHERE q.rule_id = r.rule_id"
        "  ORDER BY q.checked_at DESC LIMIT 1) o ON true "
        "WHERE r.relation = $1::regclass AND r.is_active ORDER BY r.name COLLATE \"C\"",
        {pg::Param::OidValue(target)});
    return static_cast<Datum>(0);
}

}  // namespace bitvelocity::quality
