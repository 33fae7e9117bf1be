#include "format/debezium/defaults.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>

#include "core/oids.hpp"
#include "format/debezium/decimal.hpp"
#include "format/json_value.hpp"
#include "format/numeric_typmod.hpp"

namespace bitvelocity::format::debezium {

namespace {

struct Row {
    core::Oid type;
    std::string_view zero;  // what a call stands for
};
constexpr Row kRows[] = {
    {core::kBoolOid, "f"},
    {core::kInt2Oid, "0"},
    {core::kInt4Oid, "0"},
    {core::kInt8Oid, "0"},
    {core::kFloat4Oid, "0"},
    {core::kFloat8Oid, "0"},
    {core::kNumericOid, "0.0"},
    {core::kTextOid, ""},
    {core::kVarcharOid, ""},
    {core::kBpcharOid, ""},
    {core::kJsonOid, "{}"},
    {core::kJsonbOid, "{}"},
    {core::kXmlOid, ""},
    {core::kUuidOid, "00000000-0000-0000-0000-000000000000"},
    {core::kBitOid, "0"},
    {core::kVarbitOid, "0"},
    {core::kDateOid, "1970-01-01"},
    {core::kTimeOid, "00:00:00"},
    {core::kTimestampOid, "1970-01-01 00:00:00"},
    {core::kTimestamptzOid, "1970-01-01 00:00:00+00"},
    {core::kIntervalOid, "00:00:00"},
};

bool IsLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}

// "now()", "nextval('s'::regclass)", "(now() + '1 day'::interval)", "CURRENT_DATE": what begins
// with a call, whatever is made of its result.
bool IsCall(std::string_view text) {
    static constexpr std::array<std::string_view, 5> kWords{
        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"};
    if (std::find(kWords.begin(), kWords.end(), text) != kWords.end()) {
        return true;
    }
    text.remove_prefix(text.starts_with('(') ? 1 : 0);
    const std::size_t open = text.find('(');
    return open != std::string_view::npos && open > 0 &&
           text.find(')', open) != std::string_view::npos &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(open),
                       [](char c) { return IsLetter(c) || IsDigit(c) || c == '_' || c == '.'; });
}

// What may follow a literal without changing its value: the ends of its brackets, and casts.
bool IsCasts(std::string_view text) {
    return text.find('\'') == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return IsLetter(c) || IsDigit(c) || static_cast<unsigned char>(c) >= 0x80 ||
                      std::string_view(" _$\"().,:[]").find(c) != std::string_view::npos;
           });
}

// "'it''s'::text", "('5'::text)::integer", "B'101'::\"bit\"": the text between the quotes.
std::optional<std::string> QuotedLiteral(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of('('), text.size()));
    text.remove_prefix(text.starts_with("B'") ? 1 : 0);
    if (!text.starts_with('\'')) {
        return std::nullopt;
    }
    std::string value;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] != '\'') {
            value.push_back(text[i]);
        } else if (i + 1 < text.size() && text[i + 1] == '\'') {
            value.push_back(text[i++]);
        } else {
            return IsCasts(text.substr(i + 1)) ? std::optional(value) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<std::string> Literal(std::string_view text) {
    if (text == "true" || text == "false") {
        return std::string(text.substr(0, 1));
    }
    return IsJsonNumber(text) ? std::string(text) : QuotedLiteral(text);
}

template <typename Integer>
bool Fits(std::string_view text) {
    Integer value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

bool Valid(std::string& text, const core::Column& column) {
    switch (column.type->oid) {
        case core::kInt2Oid:
            return Fits<std::int16_t>(text);
        case core::kInt4Oid:
            return Fits<std::int32_t>(text);
        case core::kInt8Oid:
            return Fits<std::int64_t>(text);
        case core::kNumericOid: {
            const std::optional<NumericTypmod> typmod = ReadNumericTypmod(column.typmod);
            return IsJsonNumber(text) && (!typmod || WithScale(text, typmod->scale));
        }
        default:
            return true;
    }
}

}  // namespace

std::optional<std::string> DefaultText(const core::Column& column) {
    const std::string_view expression = column.default_expression;
    if (expression.empty()) {
        return std::nullopt;
    }
    if (column.type->kind == core::TypeKind::kEnum) {
        return QuotedLiteral(expression);
    }
    const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                   [&](const Row& r) { return r.type == column.type->oid; });
    if (row == std::end(kRows)) {
        return std::nullopt;
    }
    std::optional<std::string> text =
        IsCall(expression) ? std::string(row->zero) : Literal(expression);
    if (text && !Valid(*text, column)) {
        return std::nullopt;
    }
    return text;
}

}  // namespace bitvelocity::format::debezium
