// Decimal: numeric's text form -> the bytes that Kafka Connect's Decimal carries: the unscaled
// value as a big-endian two's complement number of as few bytes as possible. Exact for any number
// of digits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bitvelocity::format::debezium {

struct UnscaledDecimal {
    bool valid = false;  // false: NaN, an infinity or no number
    std::int32_t scale = 0;
    std::string bytes;
};

// With exactly `scale` digits behind the point (negative: multiples of a power of ten).
[[nodiscard]] UnscaledDecimal ToDecimal(std::string_view text, std::int32_t scale);
// With as many digits behind the point as it needs, trailing zeros stripped.
[[nodiscard]] UnscaledDecimal ToVariableDecimal(std::string_view text);

}  // namespace bitvelocity::format::debezium
