// Rules as SQL text: one boolean per rule and row, and what follows from those booleans.
//
// A failure is true (the row breaks the rule), false (it does not) or NULL (the rule's filter does
// not hold, so the rule says nothing about the row). A NULL value passes every kind but NOT_NULL,
// as in a CHECK. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quality/model/rule.hpp"

namespace bitvelocity::quality {

// Failure of one rule for the row called `row`; unqualified names in a filter must resolve to it.
[[nodiscard]] std::string FailureSql(const Rule& rule, std::string_view row);

// boolean[] with one element per rule, in order; for the row called `row`.
[[nodiscard]] std::string FailuresSql(const std::vector<Rule>& rules, std::string_view row);

// What is derived from such an array, called `failures` (an expression that is cheap to repeat).
struct VerdictSql {
    std::string verdict;   // text: pass, warn (a WARNING failed), fail (an ERROR failed)
    std::string score;     // numeric, 0 to 1
    std::string passed;    // text[], names of rules
    std::string issues;    // text[], names of rules
    std::string rejected;  // boolean: a rule of severity ERROR failed
};
[[nodiscard]] VerdictSql VerdictOf(const std::vector<Rule>& rules, std::string_view failures);

// The score is 1 - (weights of failed rules) / (weights of rules that apply), cut (not rounded)
// after four digits, so it is 1 only where nothing failed.
[[nodiscard]] int Weight(Severity severity);

}  // namespace bitvelocity::quality
