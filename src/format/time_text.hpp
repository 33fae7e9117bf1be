// TimeText: PostgreSQL's text forms of date and time types (DateStyle ISO, IntervalStyle postgres)
// -> numbers. Hides the grammar, BC years and zone offsets. Anything else is answered with nothing;
// infinities are the caller's. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bitvelocity::format {

// "2024-01-15", "0044-03-15 BC": days since 1970-01-01.
[[nodiscard]] std::optional<std::int64_t> ParseDate(std::string_view text);
// "04:05:06.789", "24:00:00": microseconds since midnight.
[[nodiscard]] std::optional<std::int64_t> ParseTime(std::string_view text);
// "04:05:06.789+02:30": microseconds since midnight UTC, in [0, 24 h).
[[nodiscard]] std::optional<std::int64_t> ParseZonedTime(std::string_view text);
// With or without an offset (none: UTC): microseconds since 1970-01-01 00:00 UTC. Nothing from
// 294247-01-10 04:00:54.775808 on, which 64 bits do not hold.
[[nodiscard]] std::optional<std::int64_t> ParseTimestamp(std::string_view text);

// The same for every timestamp: days since 1970-01-01 and microseconds since midnight, both UTC.
struct TimestampParts {
    std::int64_t days = 0;
    std::int64_t micros = 0;
};
[[nodiscard]] std::optional<TimestampParts> ParseTimestampParts(std::string_view text);

struct IntervalParts {
    std::int64_t years = 0;
    std::int64_t months = 0;
    std::int64_t days = 0;
    std::int64_t micros = 0;  // hours and below
};
// "1 year 2 mons -3 days -04:05:06.78".
[[nodiscard]] std::optional<IntervalParts> ParseInterval(std::string_view text);

}  // namespace bitvelocity::format
