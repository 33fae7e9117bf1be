#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "format/calendar.hpp"
#include "format/debezium/writers.hpp"
#include "format/short_text.hpp"
#include "format/time_text.hpp"

namespace bitvelocity::format::debezium {

namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kHourUs = 60 * kMinuteUs;
constexpr std::int64_t kDayUs = 24 * kHourUs;

// Towards the past, so that -1 µs is in the millisecond before the epoch.
constexpr std::int64_t FloorDivide(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

bool IsInfinity(std::string_view text) {
    return text == "infinity" || text == "-infinity";
}

// ISO 8601 text, made on the stack.
class IsoText {
  public:
    void Put(char c) { *at_++ = c; }
    void Digits(std::int64_t value, int width) {
        for (int i = width - 1; i >= 0; --i) {
            at_[i] = static_cast<char>('0' + value % 10);
            value /= 10;
        }
        at_ += width;
    }
    void Number(std::int64_t value) { at_ = std::to_chars(at_, at_ + 24, value).ptr; }
    // A year of more than four digits has a sign, as java.time writes it.
    void Date(std::int64_t days) {
        const CivilDate date = CivilFromDays(days);
        const std::int64_t year = date.year < 0 ? -date.year : date.year;
        if (date.year < 0) {
            Put('-');
        } else if (year > 9999) {
            Put('+');
        }
        if (year > 9999) {
            Number(year);
        } else {
            Digits(year, 4);
        }
        Put('-');
        Digits(date.month, 2);
        Put('-');
        Digits(date.day, 2);
    }
    // A negative number of fraction digits: as many as are needed.
    void Time(std::int64_t micros, int fraction) {
        Digits(micros / kHourUs, 2);
        Put(':');
        Digits(micros / kMinuteUs % 60, 2);
        Put(':');
        Digits(micros / kSecondUs % 60, 2);
        Fraction(micros % kSecondUs, fraction);
    }
    void Fraction(std::int64_t micros, int fraction) {
        if (fraction == 0 || (fraction < 0 && micros == 0)) {
            return;
        }
        Put('.');
        Digits(micros, 6);
        if (fraction > 0) {
            at_ -= 6 - fraction;
        } else {
            while (at_[-1] == '0') {
                --at_;
            }
        }
    }
    void Finish(JsonWriter& out) {
        out.Raw('"');
        out.Raw(std::string_view(text_.data(), static_cast<std::size_t>(at_ - text_.data())));
        out.Raw('"');
    }

  private:
    std::array<char, 128> text_;
    char* at_ = text_.data();
};

bool WriteIsoInstant(JsonWriter& out, const std::optional<TimestampParts>& instant, int fraction) {
    if (!instant) {
        return false;
    }
    IsoText text;
    text.Date(instant->days);
    text.Put('T');
    text.Time(instant->micros, fraction);
    text.Put('Z');
    text.Finish(out);
    return true;
}

bool WriteScaled(JsonWriter& out, const ValuePlan& plan, std::optional<std::int64_t> micros) {
    std::int64_t value = 0;
    if (!micros || __builtin_mul_overflow(*micros, plan.multiply, &value)) {
        return false;
    }
    out.Number(FloorDivide(value, plan.divide));
    return true;
}

bool WriteIsoTimeOfDay(JsonWriter& out, std::optional<std::int64_t> micros) {
    if (!micros) {
        return false;
    }
    IsoText text;
    text.Time(*micros, -1);
    text.Put('Z');
    text.Finish(out);
    return true;
}

// "2024-01-15 08:30:00.123+00": what the server prints in years of four digits. Its fraction has no
// zeros at the end.
constexpr std::size_t kPlainTimestamp = 19;
bool IsPlainUtc(std::string_view text) {
    static constexpr WordPattern kDate("dddd-dd-");
    static constexpr WordPattern kMiddle("dd dd:dd");
    static constexpr WordPattern kTime("dd:dd:dd");
    if (text.size() < kPlainTimestamp + 3 || !text.ends_with("+00") ||
        !kDate.Matches(LoadWord(text.data())) || !kMiddle.Matches(LoadWord(text.data() + 8)) ||
        !kTime.Matches(LoadWord(text.data() + 11))) {
        return false;
    }
    const std::string_view fraction =
        text.substr(kPlainTimestamp, text.size() - kPlainTimestamp - 3);
    return fraction.empty() || (fraction.front() == '.' && fraction.size() <= 7 &&
                                std::all_of(fraction.begin() + 1, fraction.end(),
                                            [](char c) { return c >= '0' && c <= '9'; }));
}

}  // namespace

bool WriteDays(JsonWriter& out, const ValuePlan&, std::string_view text) {
    if (IsInfinity(text)) {
        // The days of java.time's dates for them, cut to 32 bits as the connector does.
        out.Number(text.front() == '-' ? -2'147'472'691 : -2'147'472'692);
        return true;
    }
    const std::optional<std::int64_t> days = ParseDate(text);
    if (!days) {
        return false;
    }
    out.Number(*days);
    return true;
}

bool WriteIsoDate(JsonWriter& out, const ValuePlan&, std::string_view text) {
    const std::optional<std::int64_t> days = ParseDate(text);
    if (!days) {
        return false;
    }
    IsoText iso;
    iso.Date(*days);
    iso.Put('Z');
    iso.Finish(out);
    return true;
}

bool WriteTimeOfDay(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    return WriteScaled(out, plan, ParseTime(text));
}

bool WriteIsoTime(JsonWriter& out, const ValuePlan&, std::string_view text) {
    return WriteIsoTimeOfDay(out, ParseTime(text));
}

bool WriteTimestamp(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    if (IsInfinity(text)) {
        // The JDBC driver's numbers for them, taken for microseconds as the connector does.
        return WriteScaled(
            out, plan,
            text.front() == '-' ? -9'223'372'036'832'400'000 : 9'223'372'036'825'200'000);
    }
    if (plan.divide == 1) {
        return WriteScaled(out, plan, ParseTimestamp(text));
    }
    // Milliseconds hold years that microseconds do not.
    const std::optional<TimestampParts> parts = ParseTimestampParts(text);
    if (!parts) {
        return false;
    }
    out.Number(parts->days * (kDayUs / plan.divide) + parts->micros / plan.divide);
    return true;
}

bool WriteIsoTimestamp(JsonWriter& out, const ValuePlan&, std::string_view text) {
    return WriteIsoInstant(out, ParseTimestampParts(text), -1);
}

bool WriteZonedTimestamp(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    if (IsPlainUtc(text)) [[likely]] {
        static constexpr std::string_view kZeros = ".000000";
        const std::size_t fraction = text.size() - kPlainTimestamp - 3;
        const auto wanted = static_cast<std::size_t>(plan.digits == 0 ? 0 : plan.digits + 1);
        if (fraction <= wanted) {
            out.Raw('"');
            out.Raw(text.substr(0, 10));
            out.Raw('T');
            out.Raw(text.substr(11, 8 + fraction));
            out.Raw(kZeros.substr(fraction, wanted - fraction));
            out.Raw("Z\"");
            return true;
        }
    }
    // The infinities stay words.
    return WriteIsoInstant(out, ParseTimestampParts(text), plan.digits);
}

bool WriteZonedTime(JsonWriter& out, const ValuePlan&, std::string_view text) {
    return WriteIsoTimeOfDay(out, ParseZonedTime(text));
}

// In the connector's order of floating-point operations, so that both round alike.
bool WriteIntervalMicros(JsonWriter& out, const ValuePlan&, std::string_view text) {
    const std::optional<IntervalParts> parts = ParseInterval(text);
    if (!parts) {
        return false;
    }
    constexpr double kDaysPerMonth = 365.25 / 12.0;
    const auto months = static_cast<double>(parts->years * 12 + parts->months);
    const double days = months * kDaysPerMonth + static_cast<double>(parts->days);
    const std::int64_t hours = parts->micros / kHourUs;
    const std::int64_t minutes = parts->micros / kMinuteUs % 60;
    const std::int64_t whole_seconds = parts->micros / kSecondUs % 60;
    const double seconds = static_cast<double>(whole_seconds) +
                           static_cast<double>(parts->micros % kSecondUs) / 1'000'000.0;
    const double micros =
        (((days * 24 + static_cast<double>(hours)) * 60 + static_cast<double>(minutes)) * 60 +
         seconds) *
        1e6;
    constexpr double kLimit = 9.2e18;
    if (micros >= kLimit || micros <= -kLimit) {
        return false;
    }
    out.Number(static_cast<std::int64_t>(micros));
    return true;
}

bool WriteIntervalIso(JsonWriter& out, const ValuePlan&, std::string_view text) {
    const std::optional<IntervalParts> parts = ParseInterval(text);
    if (!parts) {
        return false;
    }
    IsoText iso;
    iso.Put('P');
    iso.Number(parts->years);
    iso.Put('Y');
    iso.Number(parts->months);
    iso.Put('M');
    iso.Number(parts->days);
    iso.Put('D');
    iso.Put('T');
    iso.Number(parts->micros / kHourUs);
    iso.Put('H');
    iso.Number(parts->micros / kMinuteUs % 60);
    iso.Put('M');
    const std::int64_t rest = parts->micros % kMinuteUs;
    if (rest < 0) {
        iso.Put('-');
    }
    iso.Number((rest < 0 ? -rest : rest) / kSecondUs);
    iso.Fraction((rest < 0 ? -rest : rest) % kSecondUs, -1);
    iso.Put('S');
    iso.Finish(out);
    return true;
}

}  // namespace bitvelocity::format::debezium
