// NumericTypmod: precision and scale of a numeric's type modifier. Any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace bitvelocity::format {

struct NumericTypmod {
    std::int32_t precision = 0;
    std::int32_t scale = 0;  // negative: multiples of a power of ten
};

// Nothing: no modifier, so the scale varies from value to value.
[[nodiscard]] constexpr std::optional<NumericTypmod> ReadNumericTypmod(std::int32_t typmod) {
    constexpr std::int32_t kOffset = 4;  // VARHDRSZ
    if (typmod < kOffset) {
        return std::nullopt;
    }
    const std::int32_t packed = typmod - kOffset;
    // The scale has 11 bits, signed since PostgreSQL 15.
    return NumericTypmod{.precision = packed >> 16 & 0xffff,
                         .scale = ((packed & 0x7ff) ^ 1024) - 1024};
}

}  // namespace bitvelocity::format
