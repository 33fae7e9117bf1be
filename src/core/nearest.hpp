// Nearest: the known name a misspelt one was probably meant to be, for the HINT of an error.
//
// Case-insensitive Levenshtein distance over bytes. A name too far away from all known ones (more
// than half of the longer one's length differs) is answered with nothing, rather than with a bad
// guess. Any thread; allocates.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace bitvelocity::core {

[[nodiscard]] std::size_t EditDistance(std::string_view a, std::string_view b);

// The nearest of `known`, or an empty view. The view belongs to `known`.
[[nodiscard]] std::string_view NearestName(std::string_view name,
                                           const std::set<std::string>& known);

// A complete HINT: `Perhaps you meant "x".`, or `Known <plural> are a, b and c.` where nothing is
// near.
[[nodiscard]] std::string NearestHint(std::string_view name, const std::set<std::string>& known,
                                      std::string_view plural);

}  // namespace bitvelocity::core
