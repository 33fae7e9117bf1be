#include "quality/model/expression.hpp"

#include "core/sql_text.hpp"

namespace bitvelocity::quality {

using core::QuoteName;
using core::QuoteText;

namespace {

std::string Bound(const Rule& rule, const std::string& value) {
    return "CAST(" + QuoteText(value) + " AS " + rule.column_type + ")";
}

std::string RangeFailure(const Rule& rule, const std::string& column) {
    std::string sql;
    if (rule.min) {
        sql = column + (rule.min_inclusive ? " < " : " <= ") + Bound(rule, *rule.min);
    }
    if (rule.max) {
        sql += (sql.empty() ? "" : " OR ") + column + (rule.max_inclusive ? " > " : " >= ") +
               Bound(rule, *rule.max);
    }
    return "coalesce(" + sql + ", false)";
}

std::string Failure(const Rule& rule, const std::string& column) {
    switch (rule.kind) {
        case Kind::kNotNull:
            return "(" + column + " IS NULL)";
        case Kind::kRange:
            return RangeFailure(rule, column);
        case Kind::kPattern:
            return "coalesce(CAST(" + column + " AS text)" + (rule.negate ? " ~ " : " !~ ") +
                   QuoteText(rule.regex) + ", false)";
        case Kind::kReference:
            return "(" + column + " IS NOT NULL AND NOT EXISTS (SELECT FROM " +
                   rule.reference_table + " bv_reference WHERE bv_reference." +
                   QuoteName(rule.reference_column) + " = " + column + "))";
    }
    return "false";
}

// (a + b + ...) over the rules, each term `CASE WHEN condition THEN weight ELSE 0 END`.
std::string WeightSum(const std::vector<Rule>& rules, std::string_view failures,
                      std::string_view condition) {
    std::string sum;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        sum += (i == 0 ? "" : " + ") + std::string("CASE WHEN ") + std::string(failures) + "[" +
               std::to_string(i + 1) + "] " + std::string(condition) + " THEN " +
               std::to_string(Weight(rules[i].severity)) + " ELSE 0 END";
    }
    return "(" + sum + ")";
}

std::string NameArray(const std::vector<Rule>& rules, std::string_view failures,
                      std::string_view condition) {
    std::string array;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        array += (i == 0 ? "" : ", ") + std::string("CASE WHEN ") + std::string(failures) + "[" +
                 std::to_string(i + 1) + "] " + std::string(condition) + " THEN " +
                 QuoteText(rules[i].name) + " END";
    }
    return "array_remove(ARRAY[" + array + "]::text[], NULL)";
}

std::string AnyFailed(const std::vector<Rule>& rules, std::string_view failures,
                      Severity severity) {
    std::string sql;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (rules[i].severity == severity) {
            sql += (sql.empty() ? "" : " OR ") + std::string(failures) + "[" +
                   std::to_string(i + 1) + "] IS TRUE";
        }
    }
    return sql.empty() ? "false" : "(" + sql + ")";
}

}  // namespace

std::string FailureSql(const Rule& rule, std::string_view row) {
    const std::string failure = Failure(rule, std::string(row) + "." + QuoteName(rule.column));
    return rule.filter.empty() ? failure : "CASE WHEN " + rule.filter + " THEN " + failure + " END";
}

std::string FailuresSql(const std::vector<Rule>& rules, std::string_view row) {
    std::string sql;
    for (const Rule& rule : rules) {
        sql += (sql.empty() ? "" : ", ") + FailureSql(rule, row);
    }
    return "ARRAY[" + sql + "]::boolean[]";
}

VerdictSql VerdictOf(const std::vector<Rule>& rules, std::string_view failures) {
    VerdictSql sql;
    if (rules.empty()) {
        return {"'pass'::text", "1::numeric", "'{}'::text[]", "'{}'::text[]", "false"};
    }
    sql.rejected = AnyFailed(rules, failures, Severity::kError);
    sql.verdict = "CASE WHEN " + sql.rejected + " THEN 'fail' WHEN " +
                  AnyFailed(rules, failures, Severity::kWarning) + " THEN 'warn' ELSE 'pass' END";
    sql.passed = NameArray(rules, failures, "IS FALSE");
    sql.issues = NameArray(rules, failures, "IS TRUE");
    sql.score = "coalesce(trunc(1 - " + WeightSum(rules, failures, "IS TRUE") +
                "::numeric / nullif(" + WeightSum(rules, failures, "IS NOT NULL") + ", 0), 4), 1)";
    return sql;
}

int Weight(Severity severity) {
    switch (severity) {
        case Severity::kError:
            return 10;
        case Severity::kWarning:
            return 3;
        case Severity::kInfo:
            return 1;
    }
    return 0;
}

}  // namespace bitvelocity::quality
