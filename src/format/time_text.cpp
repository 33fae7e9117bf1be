#include "format/time_text.hpp"

#include <algorithm>
#include <charconv>

#include "format/calendar.hpp"

namespace bitvelocity::format {

namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kDayUs = 86'400 * kSecondUs;
// Beyond what any date type holds; keeps the arithmetic far from overflow.
constexpr std::int64_t kLargestYear = 6'000'000;

// Unsigned digits only.
bool TakeNumber(std::string_view& rest, std::int64_t& value) {
    if (rest.empty() || rest.front() < '0' || rest.front() > '9') {
        return false;
    }
    const auto result = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (result.ec != std::errc{}) {
        return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(result.ptr - rest.data()));
    return true;
}

bool Take(std::string_view& rest, char c) {
    if (rest.empty() || rest.front() != c) {
        return false;
    }
    rest.remove_prefix(1);
    return true;
}

// YYYY-MM-DD, without an era.
bool TakeDate(std::string_view& rest, CivilDate& date) {
    std::int64_t month = 0;
    std::int64_t day = 0;
    if (!TakeNumber(rest, date.year) || !Take(rest, '-') || !TakeNumber(rest, month) ||
        !Take(rest, '-') || !TakeNumber(rest, day) || date.year > kLargestYear || month < 1 ||
        month > 12 || day < 1 || day > 31) {
        return false;
    }
    date.month = static_cast<unsigned>(month);
    date.day = static_cast<unsigned>(day);
    return true;
}

// HH:MM:SS[.ffffff]; hours may exceed a day in intervals.
bool TakeTime(std::string_view& rest, std::int64_t& micros) {
    std::int64_t hours = 0;
    std::int64_t minutes = 0;
    std::int64_t seconds = 0;
    if (!TakeNumber(rest, hours) || !Take(rest, ':') || !TakeNumber(rest, minutes) ||
        !Take(rest, ':') || !TakeNumber(rest, seconds) || hours > 2'562'047'787 || minutes > 59 ||
        seconds > 60) {
        return false;
    }
    micros = ((hours * 60 + minutes) * 60 + seconds) * kSecondUs;
    if (Take(rest, '.')) {
        std::int64_t unit = kSecondUs / 10;
        while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
            micros += (rest.front() - '0') * unit;
            unit /= 10;
            rest.remove_prefix(1);
        }
    }
    return true;
}

// [+-]HH[:MM[:SS]], absent: 0.
bool TakeOffset(std::string_view& rest, std::int64_t& seconds) {
    seconds = 0;
    if (rest.empty() || (rest.front() != '+' && rest.front() != '-')) {
        return true;
    }
    const bool negative = rest.front() == '-';
    rest.remove_prefix(1);
    std::int64_t hours = 0;
    std::int64_t minutes = 0;
    std::int64_t rest_seconds = 0;
    if (!TakeNumber(rest, hours) || (Take(rest, ':') && !TakeNumber(rest, minutes)) ||
        (Take(rest, ':') && !TakeNumber(rest, rest_seconds)) || hours > 24 || minutes > 59 ||
        rest_seconds > 59) {
        return false;
    }
    seconds = (hours * 60 + minutes) * 60 + rest_seconds;
    seconds = negative ? -seconds : seconds;
    return true;
}

// " BC" at the end turns the year around.
bool TakeEra(std::string_view rest, CivilDate& date) {
    if (rest == " BC") {
        date.year = 1 - date.year;
        return true;
    }
    return rest.empty();
}

}  // namespace

std::optional<std::int64_t> ParseDate(std::string_view text) {
    CivilDate date{};
    if (!TakeDate(text, date) || !TakeEra(text, date)) {
        return std::nullopt;
    }
    return DaysFromCivil(date);
}

std::optional<std::int64_t> ParseTime(std::string_view text) {
    std::int64_t micros = 0;
    if (!TakeTime(text, micros) || !text.empty() || micros > kDayUs) {
        return std::nullopt;
    }
    return micros;
}

std::optional<std::int64_t> ParseZonedTime(std::string_view text) {
    std::int64_t micros = 0;
    std::int64_t offset = 0;
    if (!TakeTime(text, micros) || !TakeOffset(text, offset) || !text.empty() || micros > kDayUs) {
        return std::nullopt;
    }
    const std::int64_t utc = (micros - offset * kSecondUs) % kDayUs;
    return utc < 0 ? utc + kDayUs : utc;
}

std::optional<TimestampParts> ParseTimestampParts(std::string_view text) {
    CivilDate date{};
    std::int64_t micros = 0;
    std::int64_t offset = 0;
    if (!TakeDate(text, date) || !Take(text, ' ') || !TakeTime(text, micros) ||
        !TakeOffset(text, offset) || !TakeEra(text, date) || micros > kDayUs) {
        return std::nullopt;
    }
    TimestampParts parts{.days = DaysFromCivil(date), .micros = micros - offset * kSecondUs};
    while (parts.micros < 0) {
        parts.micros += kDayUs;
        --parts.days;
    }
    while (parts.micros >= kDayUs) {
        parts.micros -= kDayUs;
        ++parts.days;
    }
    return parts;
}

std::optional<std::int64_t> ParseTimestamp(std::string_view text) {
    const std::optional<TimestampParts> parts = ParseTimestampParts(text);
    std::int64_t result = 0;
    if (!parts || __builtin_mul_overflow(parts->days, kDayUs, &result) ||
        __builtin_add_overflow(result, parts->micros, &result)) {
        return std::nullopt;
    }
    return result;
}

std::optional<IntervalParts> ParseInterval(std::string_view text) {
    IntervalParts parts;
    if (text.empty()) {
        return std::nullopt;
    }
    while (!text.empty()) {
        const bool negative = text.front() == '-';
        if (negative || text.front() == '+') {
            text.remove_prefix(1);
        }
        std::string_view ahead = text;
        std::int64_t number = 0;
        if (!TakeNumber(ahead, number)) {
            return std::nullopt;
        }
        if (Take(ahead, ' ')) {
            const std::size_t end = std::min(ahead.find(' '), ahead.size());
            std::string_view unit = ahead.substr(0, end);
            if (unit.ends_with('s')) {
                unit.remove_suffix(1);
            }
            number = negative ? -number : number;
            if (unit == "year") {
                parts.years = number;
            } else if (unit == "mon") {
                parts.months = number;
            } else if (unit == "day") {
                parts.days = number;
            } else {
                return std::nullopt;
            }
            ahead.remove_prefix(end);
        } else {
            ahead = text;
            if (!TakeTime(ahead, parts.micros)) {
                return std::nullopt;
            }
            parts.micros = negative ? -parts.micros : parts.micros;
        }
        if (!ahead.empty() && !Take(ahead, ' ')) {
            return std::nullopt;
        }
        text = ahead;
    }
    return parts;
}

}  // namespace bitvelocity::format
