#include "format/debezium/decimal.hpp"

#include <algorithm>
#include <vector>

namespace bitvelocity::format::debezium {

namespace {

struct Digits {
    bool valid = false;
    bool negative = false;
    std::string all;         // without the point
    std::int32_t scale = 0;  // how many of them are behind it
};

Digits Split(std::string_view text) {
    Digits digits;
    if (!text.empty() && text.front() == '-') {
        digits.negative = true;
        text.remove_prefix(1);
    }
    const std::size_t point = std::min(text.find('.'), text.size());
    digits.all = text.substr(0, point);
    if (point < text.size()) {
        digits.all += text.substr(point + 1);
        digits.scale = static_cast<std::int32_t>(text.size() - point - 1);
    }
    digits.valid = !digits.all.empty() && std::all_of(digits.all.begin(), digits.all.end(),
                                                      [](char c) { return c >= '0' && c <= '9'; });
    return digits;
}

// Base 10^9 into base 2^32, least significant limb first.
std::vector<std::uint32_t> Magnitude(std::string_view digits) {
    std::vector<std::uint32_t> limbs;
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
    return limbs;
}

std::string TwosComplement(const std::vector<std::uint32_t>& limbs, bool negative) {
    std::string bytes(1, '\0');  // room for the sign
    for (auto limb = limbs.rbegin(); limb != limbs.rend(); ++limb) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes.push_back(static_cast<char>(*limb >> shift));
        }
    }
    if (negative) {
        bool carry = true;
        for (std::size_t i = bytes.size(); i-- > 0;) {
            const auto inverted = static_cast<unsigned char>(~bytes[i]);
            bytes[i] = static_cast<char>(inverted + (carry ? 1 : 0));
            carry = carry && inverted == 0xff;
        }
    }
    // A leading byte that only repeats the sign of the next one says nothing.
    std::size_t skip = 0;
    while (skip + 1 < bytes.size()) {
        const auto first = static_cast<unsigned char>(bytes[skip]);
        const bool next_negative = (static_cast<unsigned char>(bytes[skip + 1]) & 0x80) != 0;
        if (!(first == 0x00 && !next_negative) && !(first == 0xff && next_negative)) {
            break;
        }
        ++skip;
    }
    return bytes.substr(skip);
}

UnscaledDecimal Finish(const Digits& digits) {
    return {true, digits.scale, TwosComplement(Magnitude(digits.all), digits.negative)};
}

}  // namespace

UnscaledDecimal ToDecimal(std::string_view text, std::int32_t scale) {
    Digits digits = Split(text);
    if (!digits.valid) {
        return {};
    }
    // The column's scale bounds what the server stores, so nothing but zeros is ever cut off.
    while (digits.scale > scale && digits.all.size() > 1 && digits.all.back() == '0') {
        digits.all.pop_back();
        --digits.scale;
    }
    if (digits.scale < scale) {
        digits.all.append(static_cast<std::size_t>(scale - digits.scale), '0');
        digits.scale = scale;
    }
    if (digits.all.find_first_not_of('0') == std::string::npos) {
        digits.all = "0";
        digits.scale = scale;
    }
    if (digits.scale != scale) {
        return {};
    }
    return Finish(digits);
}

UnscaledDecimal ToVariableDecimal(std::string_view text) {
    Digits digits = Split(text);
    if (!digits.valid) {
        return {};
    }
    while (digits.scale > 0 && digits.all.back() == '0') {
        digits.all.pop_back();
        --digits.scale;
    }
    return Finish(digits);
}

}  // namespace bitvelocity::format::debezium
