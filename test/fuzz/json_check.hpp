// IsJson: nlohmann/json's verdict on the grammar, whatever the size of the numbers.
//
// Its parser refuses a number too large for a double, but PostgreSQL's numeric has up to 131,072
// digits. So runs of digits outside strings are cut to two first: that keeps every number finite
// and changes neither what is a number nor where the first error is.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace bitvelocity::test {

inline bool IsJson(std::string_view text) {
    std::string shortened;
    shortened.reserve(text.size());
    bool in_string = false;
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        digits = !in_string && c >= '0' && c <= '9' ? digits + 1 : 0;
        if (digits > 2) {
            continue;
        }
        shortened.push_back(c);
        if (in_string && c == '\\' && i + 1 < text.size()) {
            shortened.push_back(text[++i]);
        } else if (c == '"') {
            in_string = !in_string;
        }
    }
    return nlohmann::json::accept(shortened);
}

}  // namespace bitvelocity::test
