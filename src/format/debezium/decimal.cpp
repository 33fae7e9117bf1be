#include "format/debezium/decimal.hpp"

#include <algorithm>
#include <bit>

namespace bitvelocity::format::debezium {

namespace {

constexpr std::size_t kSmallDigits = 18;  // fit into 63 bits

// Base 10^9 into base 2^32, least significant limb first.
void ToLimbs(std::string_view digits, std::vector<std::uint32_t>& limbs) {
    limbs.clear();
    while (!digits.empty()) {
        const std::size_t take = digits.size() % 9 == 0 ? 9 : digits.size() % 9;
        std::uint64_t carry = 0;
        std::uint64_t factor = 1;
        for (const char c : digits.substr(0, take)) {
            carry = carry * 10 + static_cast<std::uint64_t>(c - '0');
            factor *= 10;
        }
        digits.remove_prefix(take);
        for (std::uint32_t& limb : limbs) {
            carry += limb * factor;
            limb = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry != 0) {
            limbs.push_back(static_cast<std::uint32_t>(carry));
        }
    }
}

void Negate(std::string& bytes) {
    bool carry = true;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        const auto inverted = static_cast<unsigned char>(~bytes[i]);
        bytes[i] = static_cast<char>(inverted + (carry ? 1 : 0));
        carry = carry && inverted == 0xff;
    }
}

// A leading byte that only repeats the sign of the next one says nothing.
void DropRepeatedSigns(std::string& bytes) {
    std::size_t skip = 0;
    while (skip + 1 < bytes.size()) {
        const auto first = static_cast<unsigned char>(bytes[skip]);
        const bool next_negative = (static_cast<unsigned char>(bytes[skip + 1]) & 0x80) != 0;
        if (!(first == 0x00 && !next_negative) && !(first == 0xff && next_negative)) {
            break;
        }
        ++skip;
    }
    bytes.erase(0, skip);
}

}  // namespace

bool WithScale(std::string& number, std::int32_t scale) {
    const std::size_t point = std::min(number.find('.'), number.size());
    const auto wanted = static_cast<std::size_t>(std::max(scale, 0));
    std::size_t digits = number.size() - std::min(point + 1, number.size());
    for (; digits > wanted && number.back() == '0'; --digits) {
        number.pop_back();
    }
    if (digits > wanted) {
        return false;
    }
    if (number.ends_with('.')) {
        number.pop_back();
    } else if (point == number.size() && wanted > 0) {
        number += '.';
    }
    number.append(wanted - digits, '0');
    return true;
}

bool DecimalEncoder::Split(std::string_view text) {
    negative_ = !text.empty() && text.front() == '-';
    if (negative_) {
        text.remove_prefix(1);
    }
    const std::size_t point = std::min(text.find('.'), text.size());
    digits_.assign(text.substr(0, point));
    scale_ = 0;
    if (point < text.size()) {
        digits_.append(text.substr(point + 1));
        scale_ = static_cast<std::int32_t>(text.size() - point - 1);
    }
    return !digits_.empty() &&
           std::all_of(digits_.begin(), digits_.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Bits of the magnitude and one for the sign: so many bytes, most significant first.
void DecimalEncoder::PutSmall(std::int64_t value) {
    const auto magnitude = static_cast<std::uint64_t>(value < 0 ? ~value : value);
    const int size = std::bit_width(magnitude) / 8 + 1;
    char bytes[sizeof(value)];
    for (int i = 0; i < size; ++i) {
        bytes[i] = static_cast<char>(value >> (8 * (size - 1 - i)));
    }
    bytes_.assign(bytes, static_cast<std::size_t>(size));
}

void DecimalEncoder::Convert() {
    if (digits_.size() <= kSmallDigits) [[likely]] {
        std::int64_t value = 0;
        for (const char c : digits_) {
            value = value * 10 + (c - '0');
        }
        return PutSmall(negative_ ? -value : value);
    }
    ToLimbs(digits_, limbs_);
    bytes_.assign(1, '\0');  // room for the sign
    for (auto limb = limbs_.rbegin(); limb != limbs_.rend(); ++limb) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes_.push_back(static_cast<char>(*limb >> shift));
        }
    }
    if (negative_) {
        Negate(bytes_);
    }
    DropRepeatedSigns(bytes_);
}

bool DecimalEncoder::FixedSmall(std::string_view text, std::int32_t scale) {
    const bool negative = !text.empty() && text.front() == '-';
    text.remove_prefix(negative ? 1 : 0);
    if (text.empty() || text.size() > kSmallDigits) {
        return false;
    }
    std::int64_t value = 0;
    const char* point = nullptr;
    const char* const end = text.data() + text.size();
    for (const char* next = text.data(); next != end; ++next) {
        const auto digit = static_cast<unsigned char>(*next - '0');
        if (digit <= 9) {
            value = value * 10 + digit;
        } else if (*next == '.' && point == nullptr && next != text.data()) {
            point = next;
        } else {
            return false;
        }
    }
    if ((point == nullptr ? 0 : end - point - 1) != scale) {
        return false;
    }
    PutSmall(negative ? -value : value);
    scale_ = scale;
    return true;
}

bool DecimalEncoder::Fixed(std::string_view text, std::int32_t scale) {
    if (FixedSmall(text, scale)) [[likely]] {
        return true;
    }
    if (!Split(text)) {
        return false;
    }
    // The column's scale bounds what the server stores, so nothing but zeros is ever cut off.
    while (scale_ > scale && digits_.size() > 1 && digits_.back() == '0') {
        digits_.pop_back();
        --scale_;
    }
    if (scale_ < scale) {
        digits_.append(static_cast<std::size_t>(scale - scale_), '0');
        scale_ = scale;
    }
    if (digits_.find_first_not_of('0') == std::string::npos) {
        digits_ = "0";
        scale_ = scale;
    }
    if (scale_ != scale) {
        return false;
    }
    Convert();
    return true;
}

bool DecimalEncoder::Variable(std::string_view text) {
    if (!Split(text)) {
        return false;
    }
    while (scale_ > 0 && digits_.back() == '0') {
        digits_.pop_back();
        --scale_;
    }
    if (digits_.empty()) {
        digits_ = "0";
    }
    Convert();
    return true;
}

}  // namespace bitvelocity::format::debezium
