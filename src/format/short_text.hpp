// Short texts, which most values of a row are, looked at a word at a time instead of byte by byte.
// Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace bitvelocity::format {

inline std::uint64_t LoadWord(const char* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
}

// Every byte of a text of 1 to 8, some of them more than once; what a text of less than 4 leaves
// open is `filler`.
inline std::uint64_t ShortWord(std::string_view text, char filler) {
    if (text.size() >= 4) {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
        std::memcpy(&first, text.data(), sizeof(first));
        std::memcpy(&last, text.data() + text.size() - sizeof(last), sizeof(last));
        return first | static_cast<std::uint64_t>(last) << 32U;
    }
    const auto byte = [&](std::size_t place) {
        return static_cast<std::uint64_t>(static_cast<unsigned char>(text[place]));
    };
    const std::uint64_t fill = 0x0101010101010101ULL * static_cast<unsigned char>(filler);
    return byte(0) | byte(text.size() / 2) << 8U | byte(text.size() - 1) << 16U |
           (fill & ~std::uint64_t{0xFFFFFF});
}

constexpr bool AllDigits(std::uint64_t word) {
    constexpr std::uint64_t kHighNibbles = 0xF0F0F0F0F0F0F0F0ULL;
    constexpr std::uint64_t kZeros = 0x3030303030303030ULL;
    constexpr std::uint64_t kSixes = 0x0606060606060606ULL;  // of ':' and above they make a 4
    return ((word & kHighNibbles) ^ kZeros) == 0 && ((word + kSixes) & kHighNibbles) == kZeros;
}

// A number of 1 to 16 digits without sign or superfluous zeros. False of others, too, that are
// numbers.
inline bool IsPlainNumber(std::string_view text) {
    const std::size_t size = text.size();
    if (size == 0 || size > 16 || (size > 1 && text.front() == '0')) {
        return false;
    }
    return size <= 8
               ? AllDigits(ShortWord(text, '0'))
               : AllDigits(LoadWord(text.data())) && AllDigits(LoadWord(text.data() + size - 8));
}

}  // namespace bitvelocity::format
