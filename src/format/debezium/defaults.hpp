// Defaults: a column's default expression -> the value that the schema part names as its default.
//
// As the connector has it: a literal, behind any casts, is the default; a function call or
// CURRENT_DATE and its kin stand for a value that only the server makes, and the default is their
// type's zero (0, '', 1970-01-01, ...); anything else, and any type but those the connector knows
// defaults of, has none. Where the connector takes a part of an expression for its value (the text
// up to a doubled quote, CURRENT_USER as a text), the literal is told whole or no default at all.
// Any thread.
#pragma once

#include <optional>
#include <string>

#include "core/schema.hpp"

namespace bitvelocity::format::debezium {

// In the text form that the server prints values of the column's type in, a numeric at its scale.
[[nodiscard]] std::optional<std::string> DefaultText(const core::Column& column);

}  // namespace bitvelocity::format::debezium
