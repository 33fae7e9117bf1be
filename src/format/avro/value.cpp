#include "format/avro/value.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include "format/debezium/decimal.hpp"
#include "core/text_forms.hpp"
#include "format/time_text.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::avro {

namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

template <typename Number, typename Bits>
void AppendFloat(std::string& out, Number number) {
    Bits bits = 0;
    static_assert(sizeof(bits) == sizeof(number));
    std::memcpy(&bits, &number, sizeof(bits));
    for (std::size_t i = 0; i < sizeof(bits); ++i) {
        out.push_back(static_cast<char>(bits >> 8 * i));
    }
}

// "-$1,234.56" -> "-1234.56".
std::string Undecorated(std::string_view text) {
    std::string number;
    std::copy_if(text.begin(), text.end(), std::back_inserter(number),
                 [](char c) { return c == '-' || c == '.' || (c >= '0' && c <= '9'); });
    return number;
}

std::int64_t FloorDivide(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

// What an int or a long counts; without a unit a date is days, everything else with a time
// microseconds.
std::optional<std::int64_t> ToInteger(const Type& type, std::string_view text) {
    const std::int64_t divisor = type.unit == Unit::kMillis ? 1000 : 1;
    std::optional<std::int64_t> value;
    switch (type.form) {
        case Form::kDate:
            value = ParseDate(text);
            if (value && (type.unit == Unit::kMillis || type.unit == Unit::kMicros)) {
                if (__builtin_mul_overflow(*value, kDayUs, &*value)) {
                    return std::nullopt;
                }
                *value = FloorDivide(*value, divisor);
            }
            return value;
        case Form::kTime:
            value = ParseTime(text);
            if (value && *value >= kDayUs) {
                return std::nullopt;  // Avro's time of day ends before midnight
            }
            break;
        case Form::kTimestamp:
            value = ParseTimestamp(text);
            if (value && type.unit == Unit::kDays) {
                return FloorDivide(*value, kDayUs);
            }
            break;
        default:
            return ParseNumber<std::int64_t>(text);
    }
    if (value) {
        *value = FloorDivide(*value, divisor);
    }
    return value;
}

int HexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool AppendBytea(std::string& out, std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) {
        return false;
    }
    AppendLong(out, static_cast<std::int64_t>(text.size() / 2 - 1));
    for (std::size_t i = 2; i < text.size(); i += 2) {
        const int high = HexDigit(text[i]);
        const int low = HexDigit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return true;
}

class ArrayItems final : public core::ArrayVisitor {
  public:
    explicit ArrayItems(const Type& item) : item_(item) {}

    void OnOpen() override { flat_ = flat_ && ++opened_ == 1; }
    void OnClose() override {}
    void OnElement(bool is_null, std::string_view text) override {
        if (outcome != Outcome::kWritten) {
            return;
        }
        ++count;
        if (is_null) {
            outcome = item_.nullable ? Outcome::kWritten : Outcome::kNoForm;
            AppendLong(bytes, item_.null_second ? kValueBranch : kNullBranch);
            return;
        }
        if (item_.nullable) {
            AppendLong(bytes, item_.null_second ? kNullBranch : kValueBranch);
        }
        outcome = AppendValue(bytes, item_, text);
    }
    [[nodiscard]] bool flat() const { return flat_; }

    std::string bytes;
    std::int64_t count = 0;
    Outcome outcome = Outcome::kWritten;

  private:
    const Type& item_;
    int opened_ = 0;
    bool flat_ = true;
};

Outcome AppendArray(std::string& out, const Type& type, std::string_view text) {
    ArrayItems items(*type.items);
    std::string buffer;
    if (!core::VisitArray(text, type.delimiter, buffer, items) || !items.flat()) {
        return Outcome::kNoForm;
    }
    if (items.outcome == Outcome::kWritten) {
        if (items.count != 0) {
            AppendLong(out, items.count);
            out += items.bytes;
        }
        AppendLong(out, 0);
    }
    return items.outcome;
}

bool AppendScalar(std::string& out, const Type& type, std::string_view text) {
    switch (type.kind) {
        case Kind::kBoolean:
            out.push_back(text == "t" || text == "true" ? '\1' : '\0');
            return text == "t" || text == "f" || text == "true" || text == "false";
        case Kind::kInt:
        case Kind::kLong: {
            const std::optional<std::int64_t> value = ToInteger(type, text);
            if (!value ||
                (type.kind == Kind::kInt && (*value < std::numeric_limits<std::int32_t>::min() ||
                                             *value > std::numeric_limits<std::int32_t>::max()))) {
                return false;
            }
            AppendLong(out, *value);
            return true;
        }
        case Kind::kFloat: {
            const auto value = ParseNumber<float>(text);
            AppendFloat<float, std::uint32_t>(out, value.value_or(0));
            return value.has_value();
        }
        case Kind::kDouble: {
            const auto value = ParseNumber<double>(text);
            AppendFloat<double, std::uint64_t>(out, value.value_or(0));
            return value.has_value();
        }
        case Kind::kBytes:
            if (type.unit == Unit::kDecimal) {
                debezium::DecimalEncoder decimal;
                const bool valid = decimal.Fixed(text, type.scale);
                AppendBytes(out, decimal.bytes());
                return valid;
            }
            if (type.form == Form::kBytea) {
                return AppendBytea(out, text);
            }
            AppendBytes(out, text);
            return true;
        case Kind::kEnum: {
            const auto found = std::find(type.symbols.begin(), type.symbols.end(), text);
            AppendLong(out, found - type.symbols.begin());
            return found != type.symbols.end();
        }
        default:
            return false;
    }
}

}  // namespace

void AppendLong(std::string& out, std::int64_t value) {
    auto rest = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
    while (rest >= 0x80) {
        out.push_back(static_cast<char>(rest | 0x80));
        rest >>= 7;
    }
    out.push_back(static_cast<char>(rest));
}

void AppendBytes(std::string& out, std::string_view bytes) {
    AppendLong(out, static_cast<std::int64_t>(bytes.size()));
    out += bytes;
}

void AppendOptionalString(std::string& out, std::string_view text) {
    AppendLong(out, text.empty() ? kNullBranch : kValueBranch);
    if (!text.empty()) {
        AppendBytes(out, text);
    }
}

Outcome AppendValue(std::string& out, const Type& type, std::string_view text) {
    if (type.kind == Kind::kString) {
        AppendBytes(out, text);
        return IsUtf8(text) ? Outcome::kWritten : Outcome::kInvalidUtf8;
    }
    if (type.kind == Kind::kArray) {
        return AppendArray(out, type, text);
    }
    const bool written = type.form == Form::kMoney ? AppendScalar(out, type, Undecorated(text))
                                                   : AppendScalar(out, type, text);
    return written ? Outcome::kWritten : Outcome::kNoForm;
}

}  // namespace bitvelocity::format::avro
