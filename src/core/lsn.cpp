#include "core/lsn.hpp"

#include <charconv>

namespace bitvelocity::core {

namespace {

void AppendHex(std::string& out, std::uint32_t value) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    int shift = value == 0 ? 0 : (31 - __builtin_clz(value)) / 4 * 4;
    for (; shift >= 0; shift -= 4) {
        out.push_back(kHex[(value >> shift) & 0xf]);
    }
}

std::optional<std::uint32_t> ParseHex(std::string_view text) {
    std::uint32_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.empty() || text.size() > 8 || result.ec != std::errc{} ||
        result.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

void AppendLsn(std::string& out, Lsn lsn) {
    AppendHex(out, static_cast<std::uint32_t>(lsn.value >> 32));
    out.push_back('/');
    AppendHex(out, static_cast<std::uint32_t>(lsn.value));
}

std::string ToString(Lsn lsn) {
    std::string out;
    AppendLsn(out, lsn);
    return out;
}

std::optional<Lsn> ParseLsn(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto high = ParseHex(text.substr(0, slash));
    const auto low = ParseHex(text.substr(slash + 1));
    if (!high || !low) {
        return std::nullopt;
    }
    return Lsn{(static_cast<std::uint64_t>(*high) << 32) | *low};
}

}  // namespace bitvelocity::core
