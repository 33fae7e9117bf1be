#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "format/debezium/writers.hpp"
#include "format/json_value.hpp"
#include "format/short_text.hpp"

namespace bitvelocity::format::debezium {

namespace {

int HexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Base64 of bytes that come one by one. A piece is a multiple of three, so only the last is padded.
class Base64Stream {
  public:
    Base64Stream(JsonWriter& out, bool url_safe) : out_(out), url_safe_(url_safe) { out_.Raw('"'); }

    void Add(unsigned char byte) {
        piece_[size_++] = static_cast<char>(byte);
        if (size_ == piece_.size()) {
            Flush();
        }
    }
    void Finish() {
        Flush();
        out_.Raw('"');
    }

  private:
    void Flush() {
        out_.Base64({piece_.data(), size_}, url_safe_);
        size_ = 0;
    }

    JsonWriter& out_;
    bool url_safe_;
    std::array<char, 768> piece_;
    std::size_t size_ = 0;
};

void WriteQuotedBase64(JsonWriter& out, std::string_view bytes, bool url_safe = false) {
    out.Raw('"');
    out.Base64(bytes, url_safe);
    out.Raw('"');
}

// Eight bytes, least significant first.
bool PutDouble(char* at, std::string_view text) {
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i) {
        at[i] = static_cast<char>(bits >> (8 * i));
    }
    return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

}  // namespace

bool WriteNumber(JsonWriter& out, const ValuePlan&, std::string_view text) {
    if (!IsPlainNumber(text) && !IsJsonNumber(text)) {
        return false;  // NaN and the infinities are strings there, too
    }
    out.Raw(text);
    return true;
}

bool WriteDouble(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    constexpr std::size_t kExact = 15;  // digits that every double has
    if (text.size() <= kExact || !IsJsonNumber(text)) [[likely]] {
        return WriteNumber(out, plan, text);
    }
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc::result_out_of_range) {
        // A numeric has no exponent: too small begins with a zero.
        const bool negative = text.front() == '-';
        const bool small = text[negative ? 1 : 0] == '0';
        out.Raw(small ? "0.0" : (negative ? "\"-Infinity\"" : "\"Infinity\""));
        return true;
    }
    std::array<char, 32> digits;
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    out.Raw({digits.data(), static_cast<std::size_t>(written.ptr - digits.data())});
    return true;
}

bool WriteBool(JsonWriter& out, const ValuePlan&, std::string_view text) {
    if (text != "t" && text != "f" && text != "1" && text != "0") {
        return false;
    }
    out.Bool(text == "t" || text == "1");
    return true;
}

bool WriteDecimal(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    DecimalEncoder& decimal = plan.scratch->decimal;
    if (!decimal.Fixed(text, plan.digits)) {
        return false;
    }
    WriteQuotedBase64(out, decimal.bytes());
    return true;
}

bool WriteVariableDecimal(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    DecimalEncoder& decimal = plan.scratch->decimal;
    if (!decimal.Variable(text)) {
        return false;
    }
    out.Raw("{\"scale\":");
    out.Number(decimal.scale());
    out.Raw(",\"value\":");
    WriteQuotedBase64(out, decimal.bytes());
    out.Raw('}');
    return true;
}

bool WriteDecimalText(JsonWriter& out, const ValuePlan&, std::string_view text) {
    if (text == "NaN") {
        text = "NAN";
    } else if (text == "Infinity") {
        text = "POSITIVE_INFINITY";
    } else if (text == "-Infinity") {
        text = "NEGATIVE_INFINITY";
    }
    out.String(text);
    return true;
}

// "-$1,234.56" -> "-1234.56".
bool WriteMoney(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    std::string& number = plan.scratch->text;
    number.clear();
    for (const char c : text) {
        if (c == '-' || c == '.' || (c >= '0' && c <= '9')) {
            number.push_back(c);
        }
    }
    return plan.element->write(out, *plan.element, number);
}

bool WriteBase64(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) {
        return false;
    }
    Base64Stream stream(out, plan.url_safe);
    for (std::size_t i = 2; i < text.size(); i += 2) {
        const int high = HexDigit(text[i]);
        const int low = HexDigit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        stream.Add(static_cast<unsigned char>(high * 16 + low));
    }
    stream.Finish();
    return true;
}

bool WriteHex(JsonWriter& out, const ValuePlan&, std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) {
        return false;
    }
    text.remove_prefix(2);
    if (!std::all_of(text.begin(), text.end(), [](char c) { return HexDigit(c) >= 0; })) {
        return false;
    }
    out.Raw('"');
    out.Raw(text);
    out.Raw('"');
    return true;
}

bool WriteTextBase64(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    WriteQuotedBase64(out, text, plan.url_safe);
    return true;
}

bool WriteTextHex(JsonWriter& out, const ValuePlan&, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out.Raw('"');
    for (const char c : text) {
        out.Raw(kHex[static_cast<unsigned char>(c) >> 4]);
        out.Raw(kHex[static_cast<unsigned char>(c) & 0xf]);
    }
    out.Raw('"');
    return true;
}

// Least significant byte first, up to the highest bit that is set.
bool WriteBits(JsonWriter& out, const ValuePlan&, std::string_view text) {
    if (text.find_first_not_of("01") != std::string_view::npos) {
        return false;
    }
    text.remove_prefix(std::min(text.find('1'), text.size()));
    Base64Stream stream(out, false);
    while (!text.empty()) {
        unsigned byte = 0;
        const std::size_t take = std::min<std::size_t>(text.size(), 8);
        for (std::size_t i = 0; i < take; ++i) {
            byte |= static_cast<unsigned>(text[text.size() - 1 - i] == '1') << i;
        }
        stream.Add(static_cast<unsigned char>(byte));
        text.remove_suffix(take);
    }
    stream.Finish();
    return true;
}

// "(1.5,-2)": the coordinates, and both again as well-known binary, little-endian.
bool WritePoint(JsonWriter& out, const ValuePlan&, std::string_view text) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos || !text.starts_with('(') || !text.ends_with(')')) {
        return false;
    }
    const std::string_view x = text.substr(1, comma - 1);
    const std::string_view y = text.substr(comma + 1, text.size() - comma - 2);
    std::array<char, 21> wkb{1, 1};
    if (!IsJsonNumber(x) || !IsJsonNumber(y) || !PutDouble(wkb.data() + 5, x) ||
        !PutDouble(wkb.data() + 13, y)) {
        return false;
    }
    out.Raw("{\"x\":");
    out.Raw(x);
    out.Raw(",\"y\":");
    out.Raw(y);
    out.Raw(",\"wkb\":");
    WriteQuotedBase64(out, {wkb.data(), wkb.size()});
    out.Raw(",\"srid\":null}");
    return true;
}

}  // namespace bitvelocity::format::debezium
