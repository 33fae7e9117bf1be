// Quality rules as values and as SQL: what is refused when a rule is made, and the verdict table.

#include "quality/model/expression.hpp"
#include "quality/model/rule.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::quality {
namespace {

Rule OfKind(Kind kind) {
    Rule rule;
    rule.kind = kind;
    rule.column = "amount";
    rule.column_type = "numeric";
    rule.name = "r";
    return rule;
}

TEST(QualityRule, KindsAndSeveritiesIgnoreCaseAndHintTheNearest) {
    EXPECT_EQ(*ParseKind("not_null"), Kind::kNotNull);
    EXPECT_EQ(*ParseSeverity("Warning"), Severity::kWarning);
    const auto kind = ParseKind("REFERENCES");
    ASSERT_FALSE(kind.ok());
    EXPECT_EQ(kind.error().sqlstate, "22023");
    EXPECT_EQ(kind.error().hint, "Perhaps you meant \"REFERENCE\".");
}

TEST(QualityRule, ConfigIsChecked) {
    Rule range = OfKind(Kind::kRange);
    EXPECT_FALSE(ParseConfig({}, range).ok());
    EXPECT_FALSE(ParseConfig({{"min", "boolean", "true"}}, range).ok());
    EXPECT_FALSE(ParseConfig({{"mim", "number", "1"}}, range).ok());
    EXPECT_TRUE(ParseConfig({{"min", "number", "0.10"}, {"max", "null", ""}}, range).ok());
    EXPECT_EQ(range.min, "0.10");
    EXPECT_FALSE(range.max.has_value());
    Rule none = OfKind(Kind::kNotNull);
    EXPECT_FALSE(ParseConfig({{"min", "number", "1"}}, none).ok());
    Rule pattern = OfKind(Kind::kPattern);
    EXPECT_FALSE(ParseConfig({{"regex", "string", ""}}, pattern).ok());
    Rule reference = OfKind(Kind::kReference);
    EXPECT_FALSE(ParseConfig({{"table", "string", "t"}}, reference).ok());
}

TEST(QualityRule, BoundsAndQuotesAreLiterals) {
    Rule rule = OfKind(Kind::kRange);
    rule.min = "0'; DROP TABLE t; --\\";
    rule.min_inclusive = false;
    EXPECT_EQ(FailureSql(rule, "r"),
              "coalesce(r.\"amount\" <= CAST(E'0''; DROP TABLE t; --\\\\' AS numeric), false)");
    rule.column = "a\"b";
    rule.filter = "x > 1";
    EXPECT_EQ(FailureSql(rule, "r").find("CASE WHEN x > 1 THEN coalesce(r.\"a\"\"b\""), 0U);
}

TEST(QualityRule, NoRulesAcceptEverything) {
    const VerdictSql verdict = VerdictOf({}, "f");
    EXPECT_EQ(verdict.rejected, "false");
    EXPECT_EQ(verdict.score, "1::numeric");
}

TEST(QualityRule, OnlyErrorsReject) {
    Rule warning = OfKind(Kind::kNotNull);
    warning.severity = Severity::kWarning;
    EXPECT_EQ(VerdictOf({warning}, "f").rejected, "false");
    EXPECT_EQ(VerdictOf({warning, OfKind(Kind::kNotNull)}, "f").rejected, "(f[2] IS TRUE)");
}

TEST(QualityRule, HeavierSeveritiesWeighMore) {
    EXPECT_GT(Weight(Severity::kError), Weight(Severity::kWarning));
    EXPECT_GT(Weight(Severity::kWarning), Weight(Severity::kInfo));
    EXPECT_GT(Weight(Severity::kInfo), 0);
}

}  // namespace
}  // namespace bitvelocity::quality
