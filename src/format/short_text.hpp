// Short texts, which most values of a row are, looked at a word at a time instead of byte by byte.
// Pure.
#pragma once

#include <array>
#include <bit>
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

// Eight characters, "d" for any digit, looked at in one step.
class WordPattern {
  public:
    constexpr explicit WordPattern(const char (&form)[9]) {
        std::array<unsigned char, 8> digits{};
        std::array<unsigned char, 8> room{};
        for (std::size_t i = 0; i < 8; ++i) {
            const bool digit = form[i] == 'd';
            digits[i] = static_cast<unsigned char>(digit ? '0' : form[i]);
            room[i] = digit ? 0x7f - 9 : 0x7f;
        }
        digits_ = std::bit_cast<std::uint64_t>(digits);
        room_ = std::bit_cast<std::uint64_t>(room);
    }
    [[nodiscard]] constexpr bool Matches(std::uint64_t word) const {
        // Of each byte what it is above its place's zero: a high bit says that it is too much.
        word ^= digits_;
        return ((word | (word + room_)) & 0x8080808080808080ULL) == 0;
    }

  private:
    std::uint64_t digits_ = 0;
    std::uint64_t room_ = 0;
};

// A number of 1 to 16 digits without sign or superfluous zeros. False of others, too, that are
// numbers.
inline bool IsPlainNumber(std::string_view text) {
    constexpr WordPattern kDigits("dddddddd");
    const std::size_t size = text.size();
    if (size == 0 || size > 16 || (size > 1 && text.front() == '0')) {
        return false;
    }
    return size <= 8 ? kDigits.Matches(ShortWord(text, '0'))
                     : kDigits.Matches(LoadWord(text.data())) &&
                           kDigits.Matches(LoadWord(text.data() + size - 8));
}

}  // namespace bitvelocity::format
