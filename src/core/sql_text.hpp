// Names and values as SQL text, for pure code that writes statements. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bitvelocity::core {

// A double-quoted identifier.
[[nodiscard]] std::string QuoteName(std::string_view name);
// A literal that means the same whatever standard_conforming_strings is.
[[nodiscard]] std::string QuoteText(std::string_view text);
// The parts with `separator` between them.
[[nodiscard]] std::string Join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace bitvelocity::core
