// Lsn: a position in the write-ahead log, in bytes since the beginning of the WAL.
//
// The text form is PostgreSQL's pg_lsn: two hexadecimal numbers of 32 bits with a slash. Zero is
// invalid (InvalidXLogRecPtr). Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bitvelocity::core {

struct Lsn {
    std::uint64_t value = 0;

    constexpr auto operator<=>(const Lsn&) const = default;
    [[nodiscard]] constexpr bool valid() const { return value != 0; }
};

[[nodiscard]] std::string ToString(Lsn lsn);
// Appends the text form without allocating beyond the buffer's growth.
void AppendLsn(std::string& out, Lsn lsn);
[[nodiscard]] std::optional<Lsn> ParseLsn(std::string_view text);

}  // namespace bitvelocity::core
