// Rule: what a quality rule says, parsed and validated.
//
// Pure: names of tables and columns are text here, whether they exist is checked by quality/rules.
// Errors are 22023 with the nearest known name in the HINT. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.hpp"

namespace bitvelocity::quality {

enum class Kind { kNotNull, kRange, kPattern, kReference };
enum class Severity { kError, kWarning, kInfo };

// One member of a rule's config, as jsonb_each tells it. `text` of a number is exact.
struct ConfigEntry {
    std::string key;
    std::string type;  // jsonb_typeof
    std::string text;
};

struct Rule {
    std::string id;    // uuid
    std::string name;  // unique within its table
    Kind kind = Kind::kNotNull;
    Severity severity = Severity::kError;
    std::string column;
    std::string column_type;   // as format_type writes it, without a modifier
    std::string filter;        // empty: all rows; otherwise a checked boolean expression
    std::string mostly = "1";  // share of rows, 0 to 1, that must pass

    // RANGE
    std::optional<std::string> min;
    std::optional<std::string> max;
    bool min_inclusive = true;
    bool max_inclusive = true;
    // PATTERN
    std::string regex;
    bool negate = false;
    // REFERENCE
    std::string reference_table;  // after resolution: "schema"."table"
    std::string reference_column;
};

[[nodiscard]] core::Result<Kind> ParseKind(std::string_view text);
[[nodiscard]] core::Result<Severity> ParseSeverity(std::string_view text);
[[nodiscard]] std::string_view KindName(Kind kind);
[[nodiscard]] std::string_view SeverityName(Severity severity);

// Fills the kind's members of `rule` from its config.
[[nodiscard]] core::Status ParseConfig(const std::vector<ConfigEntry>& config, Rule& rule);

// The name of a rule that was given none: kind and column, lower case.
[[nodiscard]] std::string DefaultName(const Rule& rule);

}  // namespace bitvelocity::quality
