// Decimal: numeric's text form -> the bytes that Kafka Connect's Decimal carries: the unscaled
// value as a big-endian two's complement number of as few bytes as possible. Exact for any number
// of digits. Keeps its memory, so that numbers of the usual sizes allocate nothing. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitvelocity::format::debezium {

// Gives a number's text exactly `scale` digits behind the point; none below zero. False: it has
// more, and they are not zeros.
[[nodiscard]] bool WithScale(std::string& number, std::int32_t scale);

class DecimalEncoder {
  public:
    // With exactly `scale` digits behind the point (negative: multiples of a power of ten). False:
    // NaN, an infinity, no number, or one that does not fit the scale.
    [[nodiscard]] bool Fixed(std::string_view text, std::int32_t scale);
    // With as many digits behind the point as it needs, trailing zeros stripped.
    [[nodiscard]] bool Variable(std::string_view text);

    // Of the last number; valid until the next.
    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    [[nodiscard]] std::int32_t scale() const { return scale_; }

  private:
    // Of a number of few digits, with none to cut off. False: not such a one.
    bool FixedSmall(std::string_view text, std::int32_t scale);
    bool Split(std::string_view text);
    void Convert();
    void PutSmall(std::int64_t value);

    bool negative_ = false;
    std::int32_t scale_ = 0;  // how many of digits_ are behind the point
    std::string digits_;      // without the point
    std::vector<std::uint32_t> limbs_;
    std::string bytes_;
};

}  // namespace bitvelocity::format::debezium
