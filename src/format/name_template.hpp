// NameTemplate: names made of {placeholders}, for options that say what something is called.
//
// A template is checked when the option is given and expanded when what it speaks of is known;
// literal text stays as it is. Any thread.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "core/status.hpp"

namespace bitvelocity::format {

// Takes one literal or one placeholder, with its braces, off the front of a template that is not
// empty.
[[nodiscard]] std::string_view TakeSegment(std::string_view& text);

struct Placeholder {
    std::string_view name;  // with its braces
    std::string_view value;
};

// 22023: empty, a brace without its partner, a placeholder that is not one of `known`.
[[nodiscard]] core::Status CheckTemplate(std::string_view option, std::string_view text,
                                         const std::set<std::string>& known);

// For a checked template; a placeholder without a value stays as it is.
[[nodiscard]] std::string ExpandTemplate(std::string_view text,
                                         std::span<const Placeholder> values);

}  // namespace bitvelocity::format
