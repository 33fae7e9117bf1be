#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <random>

#include "format/calendar.hpp"
#include "format/debezium/decimal.hpp"
#include "format/debezium/defaults.hpp"
#include "format/debezium/value.hpp"
#include "format/json_value.hpp"
#include "format/json_writer.hpp"
#include "format/short_text.hpp"
#include "format/time_text.hpp"
#include "format/utf8.hpp"
#include "pgoutput.hpp"

namespace bitvelocity::format {
namespace {

using core::TypeKind;
using test::Builtin;
using test::MakeType;

std::string Escaped(std::string_view text) {
    JsonWriter out;
    out.String(text);
    return std::string(out.view());
}

TEST(JsonWriter, EscapesWhatJsonWants) {
    EXPECT_EQ(Escaped(""), "\"\"");
    EXPECT_EQ(Escaped("plain text, longer than a word"), "\"plain text, longer than a word\"");
    EXPECT_EQ(Escaped("a\"b\\c\n\r\t\x01\x1f\x7f/"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\x7f/\"");
    EXPECT_EQ(Escaped("grüße 日本 😀!"), "\"grüße 日本 😀!\"");
}

// Short ones are looked at a word at a time, whose ends overlap.
TEST(JsonWriter, EveryPlaceOfAShortStringIsLookedAt) {
    JsonWriter out;
    for (std::size_t size = 0; size <= 80; ++size) {
        std::string text;
        for (std::size_t i = 0; i < size; ++i) {
            text += static_cast<char>(' ' + 3 + i % 50);
        }
        out.Clear();
        out.String(text);
        ASSERT_EQ(out.view(), '"' + text + '"');
        for (std::size_t place = 0; place < size; ++place) {
            for (const char special : {'"', '\\', '\n', '\x01', '\x1f', '\0'}) {
                std::string other = text;
                other[place] = special;
                out.Clear();
                out.String(other);
                ASSERT_EQ(nlohmann::json::parse(out.view()).get<std::string>(), other);
            }
            std::string broken = text;
            broken[place] = '\x80';
            out.Clear();
            out.String(broken);
            ASSERT_TRUE(out.invalid_utf8()) << size << " " << place;
        }
    }
}

TEST(ShortText, PlainNumbersAreDigitsAlone) {
    for (const char* text : {"0", "1", "12", "123", "1234", "12345", "1234567", "12345678",
                             "123456789", "123456789012345", "1234567890123456"}) {
        EXPECT_TRUE(IsPlainNumber(text)) << text;
        const std::string_view whole(text);
        for (std::size_t place = 0; place < whole.size(); ++place) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string other(whole);
                other[place] = static_cast<char>(byte);
                const bool digit = byte >= '0' && byte <= '9';
                const bool superfluous = other.size() > 1 && other[0] == '0';
                ASSERT_EQ(IsPlainNumber(other), digit && !superfluous) << other;
            }
        }
    }
    EXPECT_FALSE(IsPlainNumber(""));
    EXPECT_FALSE(IsPlainNumber("12345678901234567"));  // not looked at
}

TEST(JsonWriter, RandomStringsComeBack) {
    std::mt19937 random(3);
    const std::vector<std::string> pieces = {
        "a", "\"", "\\", "\n", "\x01", "ü", "日", "😀", "\x7f", " ", "0123456789abcdef"};
    JsonWriter out;
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (unsigned n = random() % 20; n > 0; --n) {
            text += pieces[random() % pieces.size()];
        }
        out.Clear();
        out.String(text);
        ASSERT_FALSE(out.invalid_utf8());
        ASSERT_EQ(nlohmann::json::parse(out.view()).get<std::string>(), text);
    }
}

TEST(JsonWriter, GrowsAndGivesBack) {
    JsonWriter out;
    const std::string large(5'000'000, '"');
    out.String(large);
    EXPECT_EQ(nlohmann::json::parse(out.view()).get<std::string>(), large);
    out.Clear();
    out.String("small");
    out.Clear();
    out.String("small");
    EXPECT_EQ(out.view(), "\"small\"");
}

TEST(JsonWriter, NoticesWhatIsNoUtf8) {
    for (const char* text : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xff",
                             "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "abcdefgh\xc3", "\xe2\x82",
                             "\xf0\x9f\x98", "ü\x80"}) {
        JsonWriter out;
        out.String(text);
        EXPECT_TRUE(out.invalid_utf8()) << text;
        EXPECT_FALSE(IsUtf8(text));
        out.Clear();
        EXPECT_FALSE(out.invalid_utf8());
        out.Embedded(text);
        EXPECT_TRUE(out.invalid_utf8());
    }
}

TEST(JsonWriter, WritesTimesIdsAndBytes) {
    const auto time = [](std::int64_t us) {
        JsonWriter out;
        out.UtcTime(us);
        return std::string(out.view());
    };
    EXPECT_EQ(time(1'705'314'900'123'456), "2024-01-15T10:35:00.123456Z");
    EXPECT_EQ(time(0), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(time(-1), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(time(-62'135'596'800'000'000), "0001-01-01T00:00:00.000000Z");
    EXPECT_EQ(time(253'402'300'800'000'000), "+10000-01-01T00:00:00.000000Z");
    EXPECT_EQ(time(-210'866'803'200'000'000), "-4713-11-24T00:00:00.000000Z");
    const auto base64 = [](std::string_view bytes) {
        JsonWriter out;
        out.Base64(bytes);
        return std::string(out.view());
    };
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("\xff\xfe"), "//4=");
    JsonWriter out;
    out.LsnText(core::Lsn{0x16'B374'D848});
    EXPECT_EQ(out.view(), "16/B374D848");
}

TEST(Calendar, RoundTrips) {
    for (std::int64_t days = -3'000'000; days < 3'000'000; days += 17) {
        ASSERT_EQ(DaysFromCivil(CivilFromDays(days)), days);
    }
    EXPECT_EQ(DaysFromCivil({2000, 2, 29}), 11'016);
}

TEST(JsonNumber, FollowsTheGrammar) {
    for (const char* text : {"0", "-0", "12", "-1.5", "0.001", "1e5", "1E-05", "1.5e+300"}) {
        EXPECT_TRUE(IsJsonNumber(text)) << text;
    }
    for (const char* text :
         {"", "-", "01", "1.", ".5", "1e", "1e+", "NaN", "Infinity", "+1", "1x"}) {
        EXPECT_FALSE(IsJsonNumber(text)) << text;
    }
}

std::string Json(const core::TypePtr& type, std::string_view text) {
    const ValuePlan plan = MakeValuePlan(*type);
    JsonWriter out;
    WriteValue(out, plan, text);
    EXPECT_TRUE(nlohmann::json::accept(out.view())) << out.view();
    return std::string(out.view());
}

TEST(JsonValue, ScalarsAreWhatToJsonbMakes) {
    using namespace core;
    EXPECT_EQ(Json(Builtin(kBoolOid), "t"), "true");
    EXPECT_EQ(Json(Builtin(kBoolOid), "f"), "false");
    EXPECT_EQ(Json(Builtin(kInt8Oid), "-9223372036854775808"), "-9223372036854775808");
    EXPECT_EQ(Json(Builtin(kNumericOid), "12345678901234567890.123450"),
              "12345678901234567890.123450");
    EXPECT_EQ(Json(Builtin(kNumericOid), "NaN"), "\"NaN\"");
    EXPECT_EQ(Json(Builtin(kFloat8Oid), "-Infinity"), "\"-Infinity\"");
    EXPECT_EQ(Json(Builtin(kFloat8Oid), "1e-05"), "1e-05");
    EXPECT_EQ(Json(Builtin(kOidOid), "7"), "\"7\"");
    EXPECT_EQ(Json(Builtin(kMoneyOid), "$1.00"), "\"$1.00\"");
    EXPECT_EQ(Json(Builtin(kDateOid), "0044-03-15 BC"), "\"0044-03-15 BC\"");
    EXPECT_EQ(Json(Builtin(kTimestampOid), "2024-01-15 10:30:00.5"), "\"2024-01-15T10:30:00.5\"");
    EXPECT_EQ(Json(Builtin(kTimestampOid), "0044-03-15 10:30:00 BC"), "\"0044-03-15T10:30:00 BC\"");
    EXPECT_EQ(Json(Builtin(kTimestampOid), "-infinity"), "\"-infinity\"");
    EXPECT_EQ(Json(Builtin(kTimestamptzOid), "2024-01-15 10:30:00+00"),
              "\"2024-01-15T10:30:00+00:00\"");
    EXPECT_EQ(Json(Builtin(kTimestamptzOid), "0044-03-15 10:30:00.1+00 BC"),
              "\"0044-03-15T10:30:00.1+00:00 BC\"");
    EXPECT_EQ(Json(Builtin(kTimestamptzOid), "2024-01-15 10:30:00+05:30"),
              "\"2024-01-15T10:30:00+05:30\"");
    EXPECT_EQ(Json(Builtin(kTimestamptzOid), "infinity"), "\"infinity\"");
    EXPECT_EQ(Json(Builtin(kJsonbOid), R"({"a": [1, null]})"), R"({"a": [1, null]})");
    EXPECT_EQ(Json(Builtin(kByteaOid), "\\x00ff"), R"("\\x00ff")");
    EXPECT_EQ(Json(Builtin(3904), "[1,5)"), "\"[1,5)\"");
}

TEST(JsonValue, ArraysNest) {
    const core::TypePtr ints = Builtin(1007);
    EXPECT_EQ(Json(ints, "{}"), "[]");
    EXPECT_EQ(Json(ints, "{1,NULL,3}"), "[1,null,3]");
    EXPECT_EQ(Json(ints, "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
    EXPECT_EQ(Json(ints, "[0:1]={5,6}"), "[5,6]");
    const core::TypePtr texts = Builtin(1009);
    EXPECT_EQ(Json(texts, R"({a,"b c","d\"e\\f","NULL",""})"),
              R"(["a","b c","d\"e\\f","NULL",""])");
    EXPECT_EQ(Json(Builtin(1185), R"({"2024-01-15 10:30:00+00"})"),
              R"(["2024-01-15T10:30:00+00:00"])");
    EXPECT_EQ(Json(Builtin(1020), "{(1,1),(0,0);(2,2),(1,1)}"),
              R"x(["(1,1),(0,0)","(2,2),(1,1)"])x");
    EXPECT_EQ(Json(Builtin(3807), R"({"{\"a\": 1}"})"), R"([{"a": 1}])");
    EXPECT_EQ(Json(Builtin(core::kInt2VectorOid), "1 2"), "[1,2]");
    EXPECT_EQ(Json(Builtin(core::kOidVectorOid), "1 2"), R"(["1","2"])");
    EXPECT_EQ(Json(Builtin(core::kOidVectorOid), ""), "[]");
    for (const char* text : {"", "{", "{1", "{1,}", "{1}x", "[0:1]", "{\"", "{\"a", "x"}) {
        EXPECT_EQ(Json(ints, text).front(), '"') << text;
    }
    EXPECT_EQ(Json(ints, std::string(100, '{') + std::string(100, '}')).front(), '"');
}

TEST(JsonValue, CompositesDomainsAndHstore) {
    auto pair =
        std::make_shared<core::TypeDescription>(*MakeType(70'001, "pair", TypeKind::kComposite));
    pair->attributes = {{"x", Builtin(core::kInt4Oid), -1},
                        {"say \"y\"", Builtin(core::kTextOid), -1},
                        {"at", Builtin(core::kTimestampOid), -1}};
    EXPECT_EQ(Json(pair, R"((1,"a ""b"" \\c","2024-01-15 10:30:00"))"),
              R"({"x":1,"say \"y\"":"a \"b\" \\c","at":"2024-01-15T10:30:00"})");
    EXPECT_EQ(Json(pair, "(,,)"), R"({"x":null,"say \"y\"":null,"at":null})");
    EXPECT_EQ(Json(pair, "(,\"\",)"), R"({"x":null,"say \"y\"":"","at":null})");
    for (const char* text :
         {"", "(", "(1)", "(1,2)", "(1,2,3", "(1,2,3,4)", "(1,\"2,3)", "1,2,3"}) {
        EXPECT_EQ(Json(pair, text).front(), '"') << text;
    }
    const core::TypePtr pairs = MakeType(70'002, "_pair", TypeKind::kArray, pair);
    EXPECT_EQ(Json(pairs, R"x({"(1,a,)","(2,\"b,\"\"c\",)"})x"),
              R"x([{"x":1,"say \"y\"":"a","at":null},{"x":2,"say \"y\"":"b,\"c","at":null}])x");

    const core::TypePtr positive =
        MakeType(70'003, "positive", TypeKind::kDomain, Builtin(core::kNumericOid));
    EXPECT_EQ(Json(positive, "1.50"), "1.50");
    EXPECT_EQ(BaseOid(*MakeType(70'004, "d", TypeKind::kDomain, positive)), core::kNumericOid);

    const core::TypePtr hstore = MakeType(70'005, "hstore", TypeKind::kBase);
    EXPECT_EQ(Json(hstore, ""), "{}");
    EXPECT_EQ(Json(hstore, R"("a"=>"1", "b\"c"=>NULL)"), R"({"a":"1","b\"c":null})");
    EXPECT_EQ(Json(hstore, R"("a"=>)").front(), '"');
    EXPECT_EQ(Json(MakeType(70'006, "mood", TypeKind::kEnum), "sad"), "\"sad\"");
}

TEST(TimeText, ReadsWhatPostgresPrints) {
    EXPECT_EQ(ParseDate("1970-01-02"), 1);
    EXPECT_EQ(ParseDate("0001-01-01 BC"), DaysFromCivil({0, 1, 1}));
    EXPECT_EQ(ParseTime("24:00:00"), 86'400'000'000);
    EXPECT_EQ(ParseTime("04:05:06.789"), 14'706'789'000);
    EXPECT_EQ(ParseZonedTime("14:05:06+02:30"), ParseTime("11:35:06"));
    EXPECT_EQ(ParseZonedTime("01:00:00+02"), ParseTime("23:00:00"));
    EXPECT_EQ(ParseTimestamp("1970-01-01 00:00:01.000001"), 1'000'001);
    EXPECT_EQ(ParseTimestamp("4713-12-31 23:59:59.999999 BC"), -210'831'897'600'000'001);
    EXPECT_EQ(ParseTimestamp("294246-12-31 23:59:59"), 9'223'371'244'799'000'000);
    EXPECT_EQ(ParseTimestamp("294276-12-31 23:59:59"), std::nullopt);  // beyond 64 bits
    EXPECT_EQ(ParseTimestamp("2024-01-15 10:30:00+05:30"), ParseTimestamp("2024-01-15 05:00:00"));
    for (const char* text : {"", "infinity", "2024-13-01", "2024-01-32", "2024-01-01x", "2024-1",
                             "99999999999999999999-01-01", "2024-01-01 BCE"}) {
        EXPECT_EQ(ParseDate(text), std::nullopt) << text;
    }
    const auto parts = ParseInterval("1 year 2 mons -3 days -04:05:06.78");
    ASSERT_TRUE(parts.has_value());
    EXPECT_EQ(parts->years, 1);
    EXPECT_EQ(parts->months, 2);
    EXPECT_EQ(parts->days, -3);
    EXPECT_EQ(parts->micros, -14'706'780'000);
    EXPECT_TRUE(ParseInterval("00:00:00").has_value());
    EXPECT_TRUE(ParseInterval("-1 mons").has_value());
    for (const char* text : {"", "1", "1 week", "x", "1 year x", "04:05"}) {
        EXPECT_FALSE(ParseInterval(text).has_value()) << text;
    }
}

std::string Hex(bool valid, const debezium::DecimalEncoder& decimal) {
    if (!valid) {
        return "none";
    }
    std::string out = std::to_string(decimal.scale()) + ":";
    for (const char c : decimal.bytes()) {
        static constexpr char kHex[] = "0123456789abcdef";
        out += kHex[static_cast<unsigned char>(c) >> 4];
        out += kHex[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

TEST(Decimal, IsAMinimalTwosComplementNumber) {
    debezium::DecimalEncoder encoder;
    const auto fixed = [&](std::string_view text, std::int32_t scale) {
        return Hex(encoder.Fixed(text, scale), encoder);
    };
    const auto variable = [&](std::string_view text) {
        return Hex(encoder.Variable(text), encoder);
    };
    EXPECT_EQ(fixed("0", 0), "0:00");
    EXPECT_EQ(fixed("0.00", 2), "2:00");
    EXPECT_EQ(fixed("1.27", 2), "2:7f");
    EXPECT_EQ(fixed("1.28", 2), "2:0080");
    EXPECT_EQ(fixed("-1.28", 2), "2:80");
    EXPECT_EQ(fixed("-1.29", 2), "2:ff7f");
    EXPECT_EQ(fixed("-2.56", 2), "2:ff00");
    EXPECT_EQ(fixed("1.1", 4), "4:2af8");
    EXPECT_EQ(fixed("1200", -2), "-2:0c");
    EXPECT_EQ(fixed("999999999999999999", 0), "0:0de0b6b3a763ffff");
    EXPECT_EQ(fixed("-9999999999999999.99", 2), "2:f21f494c589c0001");
    EXPECT_EQ(fixed("18446744073709551616", 0), "0:010000000000000000");
    EXPECT_EQ(fixed("-18446744073709551616", 0), "0:ff0000000000000000");
    EXPECT_EQ(variable("10.1111"), "4:018af7");
    EXPECT_EQ(variable("10.10"), "1:65");
    EXPECT_EQ(variable("10"), "0:0a");
    EXPECT_EQ(variable("0.000"), "0:00");
    EXPECT_EQ(fixed("NaN", 2), "none");
    EXPECT_EQ(fixed("", 2), "none");
    EXPECT_EQ(fixed("1.234", 2), "none");
}

std::string DebeziumOf(const core::TypeDescription& type, std::string_view text,
                       std::int32_t typmod, const DebeziumOptions& options) {
    const auto plan = debezium::MakeValuePlan(type, typmod, options);
    EXPECT_TRUE(nlohmann::json::accept("{" + plan.schema + "}")) << plan.schema;
    EXPECT_TRUE(nlohmann::json::accept(plan.unavailable)) << plan.unavailable;
    JsonWriter out;
    debezium::WriteValue(out, plan, text);
    EXPECT_TRUE(nlohmann::json::accept(out.view())) << out.view();
    return std::string(out.view());
}

std::string Debezium(core::Oid oid, std::string_view text, std::int32_t typmod = -1,
                     DecimalMode mode = DecimalMode::kPrecise) {
    DebeziumOptions options;
    options.decimals = mode;
    return DebeziumOf(*Builtin(oid), text, typmod, options);
}

// Each character of a time stamp replaced by each other one: what is not of the usual form does not
// pass for it.
TEST(DebeziumValue, OnlyPlainTimestampsAreTakenByTheirPlaces) {
    const std::string plain = "2024-01-15 08:30:09.5+00";
    for (std::size_t i = 0; i < 19; ++i) {
        for (char c = ' '; c < 0x7f; ++c) {
            std::string text = plain;
            text[i] = c;
            const bool digit = plain[i] >= '0' && plain[i] <= '9';
            const bool same_form = digit ? c >= '0' && c <= '9' : c == plain[i];
            std::string expected =
                '"' + text.substr(0, 10) + 'T' + text.substr(11, 10) + "00000Z\"";
            EXPECT_EQ(Debezium(core::kTimestamptzOid, text) == expected, same_form) << text;
        }
    }
}

TEST(DebeziumValue, FollowsTheConnectorsTypeMap) {
    using namespace core;
    const std::int32_t numeric_5_2 = (5 << 16 | 2) + 4;
    EXPECT_EQ(Debezium(kBoolOid, "t"), "true");
    EXPECT_EQ(Debezium(kInt4Oid, "42"), "42");
    EXPECT_EQ(Debezium(kOidOid, "42"), "42");
    EXPECT_EQ(Debezium(kFloat8Oid, "NaN"), "\"NaN\"");
    EXPECT_EQ(Debezium(kNumericOid, "1.27", numeric_5_2), "\"fw==\"");
    EXPECT_EQ(Debezium(kNumericOid, "10.10"), R"({"scale":1,"value":"ZQ=="})");
    EXPECT_EQ(Debezium(kNumericOid, "NaN", numeric_5_2), "\"NaN\"");
    EXPECT_EQ(Debezium(kNumericOid, "NaN", -1, DecimalMode::kString), "\"NAN\"");
    EXPECT_EQ(Debezium(kNumericOid, "-Infinity", -1, DecimalMode::kString),
              "\"NEGATIVE_INFINITY\"");
    EXPECT_EQ(Debezium(kNumericOid, "1.50", -1, DecimalMode::kString), "\"1.50\"");
    EXPECT_EQ(Debezium(kNumericOid, "1.50", -1, DecimalMode::kDouble), "1.50");
    EXPECT_EQ(Debezium(kNumericOid, "9007199254740993", -1, DecimalMode::kDouble),
              "9007199254740992");
    EXPECT_EQ(Debezium(kNumericOid, std::string(400, '7'), -1, DecimalMode::kDouble),
              "\"Infinity\"");
    EXPECT_EQ(Debezium(kNumericOid, "-" + std::string(400, '7'), -1, DecimalMode::kDouble),
              "\"-Infinity\"");
    EXPECT_EQ(Debezium(kNumericOid, "0." + std::string(400, '0') + "1", -1, DecimalMode::kDouble),
              "0.0");
    EXPECT_EQ(Debezium(kMoneyOid, "-$1,234.56"), "\"/h3A\"");
    EXPECT_EQ(Debezium(kMoneyOid, "$1,234.56", -1, DecimalMode::kString), "\"1234.56\"");
    EXPECT_EQ(Debezium(kDateOid, "2024-01-15"), "19737");
    EXPECT_EQ(Debezium(kDateOid, "infinity"), "-2147472692");
    EXPECT_EQ(Debezium(kTimeOid, "04:05:06.789"), "14706789000");
    EXPECT_EQ(Debezium(kTimeOid, "04:05:06.789", 3), "14706789");
    EXPECT_EQ(Debezium(kTimestampOid, "1970-01-01 00:00:01"), "1000000");
    EXPECT_EQ(Debezium(kTimestampOid, "1969-12-31 23:59:59.999", 3), "-1");
    EXPECT_EQ(Debezium(kTimestampOid, "infinity"), "9223372036825200000");
    EXPECT_EQ(Debezium(kTimestampOid, "-infinity"), "-9223372036832400000");
    EXPECT_EQ(Debezium(kTimestamptzOid, "2016-11-04 11:51:30+00"),
              "\"2016-11-04T11:51:30.000000Z\"");
    EXPECT_EQ(Debezium(kTimestamptzOid, "2016-11-04 11:51:30.12+00", 3),
              "\"2016-11-04T11:51:30.120Z\"");
    EXPECT_EQ(Debezium(kTimestamptzOid, "2016-11-04 11:51:30+00", 0), "\"2016-11-04T11:51:30Z\"");
    EXPECT_EQ(Debezium(kTimestamptzOid, "21016-11-04 11:51:30+00"),
              "\"+21016-11-04T11:51:30.000000Z\"");
    EXPECT_EQ(Debezium(kTimestamptzOid, "infinity"), "\"infinity\"");
    EXPECT_EQ(Debezium(kTimestamptzOid, "294276-12-31 23:59:59.999999+00"),
              "\"+294276-12-31T23:59:59.999999Z\"");
    EXPECT_EQ(Debezium(kTimestampOid, "294276-12-31 23:59:59.999", 3), "9224318015999999");
    EXPECT_EQ(Debezium(kTimestampOid, "294276-12-31 23:59:59.999999"),
              "\"294276-12-31 23:59:59.999999\"");  // beyond 64 bits
    EXPECT_EQ(Debezium(kTimetzOid, "13:51:30.12+02"), "\"11:51:30.12Z\"");
    EXPECT_EQ(Debezium(kTimetzOid, "10:00:00+00"), "\"10:00:00Z\"");
    EXPECT_EQ(Debezium(kIntervalOid, "1 year 2 mons 3 days 04:05:06.78"), "37091106780000");
    EXPECT_EQ(Debezium(kIntervalOid, "-00:00:01"), "-1000000");
    EXPECT_EQ(Debezium(kByteaOid, "\\x010203"), "\"AQID\"");
    EXPECT_EQ(Debezium(kBitOid, "1", 1), "true");
    EXPECT_EQ(Debezium(kBitOid, "11", 2), "\"Aw==\"");
    EXPECT_EQ(Debezium(kBitOid, "00", 2), "\"\"");
    EXPECT_EQ(Debezium(kBitOid, "1000000", 7), "\"QA==\"");
    EXPECT_EQ(Debezium(kVarbitOid, "100000001"), "\"AQE=\"");
    EXPECT_EQ(Debezium(kJsonbOid, R"({"bar": "baz"})"), R"("{\"bar\": \"baz\"}")");
    EXPECT_EQ(Debezium(kUuidOid, "550e8400-e29b-41d4-a716-446655440000"),
              "\"550e8400-e29b-41d4-a716-446655440000\"");
    EXPECT_EQ(Debezium(1007, "{1,NULL}"), "[1,null]");
    EXPECT_EQ(Debezium(1231, "{1.27}", numeric_5_2), "[\"fw==\"]");
    EXPECT_EQ(Debezium(1231, "{NaN}", numeric_5_2), "[\"NaN\"]");
    for (const core::Oid oid : {kBoolOid, kDateOid, kTimeOid, kTimestampOid, kTimestamptzOid,
                                kTimetzOid, kIntervalOid, kByteaOid, kBitOid, kNumericOid}) {
        EXPECT_EQ(Debezium(oid, "garbage"), "\"garbage\"");
    }
}

std::string DebeziumAs(core::Oid oid, std::string_view text, const DebeziumOptions& options,
                       std::int32_t typmod = -1) {
    return DebeziumOf(*Builtin(oid), text, typmod, options);
}

TEST(DebeziumValue, TimesFollowThePrecisionMode) {
    using namespace core;
    DebeziumOptions options;
    options.times = TimeMode::kConnect;
    EXPECT_EQ(DebeziumAs(kTimeOid, "04:05:06.789012", options), "14706789");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "1970-01-01 00:00:01.5", options), "1500");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "infinity", options), "9223372036825200");
    options.times = TimeMode::kMicroseconds;
    EXPECT_EQ(DebeziumAs(kTimeOid, "04:05:06.789", options, 3), "14706789000");
    options.times = TimeMode::kAdaptiveTimeMicroseconds;
    EXPECT_EQ(DebeziumAs(kTimeOid, "04:05:06.789", options, 3), "14706789000");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "1970-01-01 00:00:01", options, 3), "1000");
    options.times = TimeMode::kNanoseconds;
    EXPECT_EQ(DebeziumAs(kTimeOid, "24:00:00", options), "86400000000000");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "1969-12-31 23:59:59.999999", options), "-1000");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "9999-12-31 00:00:00", options),
              "\"9999-12-31 00:00:00\"");  // beyond 64 bits
    options.times = TimeMode::kIsoString;
    EXPECT_EQ(DebeziumAs(kDateOid, "2024-01-15", options), "\"2024-01-15Z\"");
    EXPECT_EQ(DebeziumAs(kDateOid, "0044-03-15 BC", options), "\"-0043-03-15Z\"");
    EXPECT_EQ(DebeziumAs(kDateOid, "infinity", options), "\"infinity\"");
    EXPECT_EQ(DebeziumAs(kTimeOid, "04:05:06.7", options), "\"04:05:06.7Z\"");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "12024-01-15 10:30:00", options),
              "\"+12024-01-15T10:30:00Z\"");
    EXPECT_EQ(DebeziumAs(kTimestampOid, "1969-12-31 23:59:59.000001", options),
              "\"1969-12-31T23:59:59.000001Z\"");
}

std::string DebeziumDefault(core::TypePtr type, std::string expression, std::int32_t typmod = -1) {
    core::Column column;
    column.type = std::move(type);
    column.typmod = typmod;
    column.default_expression = std::move(expression);
    return debezium::DefaultText(column).value_or("(none)");
}

std::string DebeziumDefault(core::Oid oid, std::string expression, std::int32_t typmod = -1) {
    return DebeziumDefault(Builtin(oid), std::move(expression), typmod);
}

TEST(DebeziumDefault, IsALiteralWhateverItsCasts) {
    using namespace core;
    EXPECT_EQ(DebeziumDefault(kInt4Oid, "5"), "5");
    EXPECT_EQ(DebeziumDefault(kInt4Oid, "'-5'::integer"), "-5");
    EXPECT_EQ(DebeziumDefault(kInt4Oid, "('5'::text)::integer"), "5");
    EXPECT_EQ(DebeziumDefault(kBoolOid, "true"), "t");
    EXPECT_EQ(DebeziumDefault(kTextOid, "'it''s'::text"), "it's");
    EXPECT_EQ(DebeziumDefault(kTextOid, "''::text"), "");
    EXPECT_EQ(DebeziumDefault(kVarcharOid, "'a'::character varying(5)"), "a");
    EXPECT_EQ(DebeziumDefault(kVarbitOid, "B'101'::\"bit\""), "101");
    EXPECT_EQ(DebeziumDefault(kTimestampOid, "'2024-01-15 10:30:00'::timestamp without time zone"),
              "2024-01-15 10:30:00");
    EXPECT_EQ(DebeziumDefault(MakeType(70'000, "mood", TypeKind::kEnum), "'sad'::public.mood"),
              "sad");
}

TEST(DebeziumDefault, StandsForWhatTheServerMakes) {
    using namespace core;
    EXPECT_EQ(DebeziumDefault(kInt4Oid, "nextval('public.s'::regclass)"), "0");
    EXPECT_EQ(DebeziumDefault(kTextOid, "upper('x'::text)"), "");
    EXPECT_EQ(DebeziumDefault(kTimestamptzOid, "now()"), "1970-01-01 00:00:00+00");
    EXPECT_EQ(DebeziumDefault(kTimestampOid, "(now() + '1 day'::interval)"), "1970-01-01 00:00:00");
    EXPECT_EQ(DebeziumDefault(kDateOid, "CURRENT_DATE"), "1970-01-01");
    EXPECT_EQ(DebeziumDefault(kUuidOid, "gen_random_uuid()"),
              "00000000-0000-0000-0000-000000000000");
}

TEST(DebeziumDefault, IsNothingElse) {
    using namespace core;
    const std::int32_t numeric_5_2 = (5 << 16 | 2) + 4;
    for (const char* expression : {"", "(1 + 1)", "NULL::integer", "70000", "'x'::text", "1.5"}) {
        EXPECT_EQ(DebeziumDefault(kInt2Oid, expression), "(none)") << expression;
    }
    for (const char* expression : {"CURRENT_USER", "('a'::text || 'b'::text)", "NULL::text",
                                   "'never closed", "ARRAY['a'::text]"}) {
        EXPECT_EQ(DebeziumDefault(kTextOid, expression), "(none)") << expression;
    }
    EXPECT_EQ(DebeziumDefault(kByteaOid, "'\\x00'::bytea"), "(none)");
    EXPECT_EQ(DebeziumDefault(1007, "'{1,2}'::integer[]"), "(none)");
    EXPECT_EQ(DebeziumDefault(kNumericOid, "1.555", numeric_5_2), "(none)");
    EXPECT_EQ(DebeziumDefault(kNumericOid, "1.5", numeric_5_2), "1.50");
    EXPECT_EQ(DebeziumDefault(kNumericOid, "1.5000", numeric_5_2), "1.50");
    EXPECT_EQ(DebeziumDefault(kNumericOid, "7", numeric_5_2), "7.00");
    EXPECT_EQ(DebeziumDefault(kNumericOid, "1.500"), "1.500");
    EXPECT_EQ(DebeziumDefault(kNumericOid, "'NaN'::numeric", numeric_5_2), "(none)");
}

TEST(DebeziumValue, TheOtherModes) {
    using namespace core;
    DebeziumOptions options;
    options.intervals = IntervalMode::kString;
    EXPECT_EQ(DebeziumAs(kIntervalOid, "1 year 2 mons -3 days -00:00:00.5", options),
              "\"P1Y2M-3DT0H0M-0.5S\"");
    options.binary = BinaryMode::kHex;
    EXPECT_EQ(DebeziumAs(kByteaOid, "\\x00ff", options), "\"00ff\"");
    EXPECT_EQ(debezium::MakeValuePlan(*Builtin(kByteaOid), -1, options).unavailable,
              "\"__debezium_unavailable_value\"");
    options.binary = BinaryMode::kBase64UrlSafe;
    EXPECT_EQ(DebeziumAs(kByteaOid, "\\xfbefbeff", options), "\"----_w==\"");
    options.unknown_types = true;
    EXPECT_EQ(DebeziumAs(kPgLsnOid, "16/B374D848", options), "\"MTYvQjM3NEQ4NDg=\"");
    options.unknown_types = false;
    EXPECT_EQ(DebeziumAs(kPgLsnOid, "16/B374D848", options), "\"16/B374D848\"");
    TypeDescription hstore;
    hstore.oid = kFirstUserOid;
    hstore.name = "hstore";
    EXPECT_EQ(DebeziumOf(hstore, R"("a"=>"1", "b"=>NULL)", -1, options),
              R"("{\"a\":\"1\",\"b\":null}")");
    options.hstore = HstoreMode::kMap;
    EXPECT_EQ(DebeziumOf(hstore, R"("a"=>"1", "b"=>NULL)", -1, options), R"({"a":"1","b":null})");
    EXPECT_EQ(DebeziumAs(kPointOid, "(1.5,-2)", options),
              R"({"x":1.5,"y":-2,"wkb":"AQEAAAAAAAAAAAD4PwAAAAAAAADA","srid":null})");
    EXPECT_EQ(DebeziumAs(kInt2VectorOid, "1 2", options), "[1,2]");
    EXPECT_EQ(DebeziumAs(1007, "{{1,2},{3,NULL}}", options), "[[1,2],[3,null]]");
}

}  // namespace
}  // namespace bitvelocity::format
