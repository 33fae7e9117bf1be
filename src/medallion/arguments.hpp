// Arguments of the medallion's SQL functions as values. Main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pg/spi.hpp"

struct FunctionCallInfoBaseData;

namespace bitvelocity::medallion {

[[nodiscard]] std::optional<std::string> TextArgument(FunctionCallInfoBaseData* fcinfo, int index);
// Throws 22023 for NULL.
[[nodiscard]] std::string RequiredText(FunctionCallInfoBaseData* fcinfo, int index,
                                       const char* name);
[[nodiscard]] std::uint32_t RequiredRelation(FunctionCallInfoBaseData* fcinfo, int index,
                                             const char* name);
// Text form of a jsonb argument; `otherwise` for NULL.
[[nodiscard]] std::string JsonArgument(FunctionCallInfoBaseData* fcinfo, int index,
                                       const std::string& otherwise);
[[nodiscard]] std::vector<std::string> TextArray(FunctionCallInfoBaseData* fcinfo, int index);
[[nodiscard]] bool BoolArgument(FunctionCallInfoBaseData* fcinfo, int index);

// Members of a JSON object as text (nothing: JSON null). Throws 22023 where it is no object.
[[nodiscard]] std::vector<std::pair<std::string, std::optional<std::string>>> Members(
    pg::SpiScope& spi, const std::string& json, const std::string& what);
// The same for options: an unknown key is 22023 with the nearest one in the HINT.
[[nodiscard]] std::vector<std::pair<std::string, std::optional<std::string>>> Options(
    pg::SpiScope& spi, const std::string& json, const std::set<std::string>& known);

// A text[] parameter.
[[nodiscard]] pg::Param TextArrayParam(const std::vector<std::string>& values);
// An array parameter in its text form ('{...}'); NULL where empty.
[[nodiscard]] pg::Param ArrayText(const std::string& text);

}  // namespace bitvelocity::medallion
