#include "format/debezium/value.hpp"

#include <algorithm>
#include <optional>

#include "core/oids.hpp"
#include "format/calendar.hpp"
#include "format/debezium/decimal.hpp"
#include "format/json_value.hpp"
#include "format/text_forms.hpp"
#include "format/time_text.hpp"

namespace bitvelocity::format::debezium {

namespace {

constexpr char kUnavailable[] = "__debezium_unavailable_value";
// The name-based UUID that stands for it in arrays of uuid.
constexpr char kUnavailableUuid[] = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";

// What the JDBC driver makes of infinity and -infinity.
constexpr std::int64_t kInfiniteTimestamp = 9'223'372'036'825'200'000;
constexpr std::int64_t kMinusInfiniteTimestamp = -9'223'372'036'832'400'000;
constexpr std::int64_t kInfiniteDate = -2'147'472'692;
constexpr std::int64_t kMinusInfiniteDate = -2'147'472'691;

constexpr std::int32_t kTypmodOffset = 4;  // VARHDRSZ, added to numeric's typmod
constexpr std::int32_t kMoneyScale = 2;    // lc_monetary C

std::string Schema(std::string_view type, std::string_view name = {}, std::string_view rest = {}) {
    std::string members = "\"type\":\"" + std::string(type) + "\"";
    if (!name.empty()) {
        members += ",\"name\":\"" + std::string(name) + "\",\"version\":1";
    }
    return members += rest;
}

std::string Parameters(std::string_view members) {
    return ",\"parameters\":{" + std::string(members) + "}";
}

void PlanDecimal(ValuePlan& plan, std::optional<std::int32_t> precision, std::int32_t scale,
                 DecimalMode mode) {
    if (mode == DecimalMode::kString) {
        plan.kind = Kind::kDecimalString;
        plan.schema = Schema("string");
    } else if (mode == DecimalMode::kDouble) {
        plan.kind = Kind::kDecimalDouble;
        plan.schema = Schema("double");
    } else if (scale >= 0 && precision.has_value()) {
        plan.kind = Kind::kDecimal;
        plan.digits = scale;
        std::string parameters = "\"scale\":\"" + std::to_string(scale) + "\"";
        if (*precision > 0) {
            parameters += ",\"connect.decimal.precision\":\"" + std::to_string(*precision) + "\"";
        }
        plan.schema =
            Schema("bytes", "org.apache.kafka.connect.data.Decimal", Parameters(parameters));
    } else {
        plan.kind = Kind::kVariableDecimal;
        plan.schema = Schema("struct", "io.debezium.data.VariableScaleDecimal",
                             ",\"fields\":[{\"type\":\"int32\",\"optional\":false,\"field\":"
                             "\"scale\"},{\"type\":\"bytes\",\"optional\":false,\"field\":"
                             "\"value\"}]");
    }
}

void PlanNumeric(ValuePlan& plan, std::int32_t typmod, DecimalMode mode) {
    if (typmod < kTypmodOffset) {
        PlanDecimal(plan, std::nullopt, 0, mode);
        return;
    }
    const std::int32_t packed = typmod - kTypmodOffset;
    const std::int32_t scale = ((packed & 0x7ff) ^ 1024) - 1024;  // 11 bits, signed since 15
    PlanDecimal(plan, packed >> 16 & 0xffff, scale, mode);
}

void PlanScalar(ValuePlan& plan, const core::TypeDescription& type, std::int32_t typmod,
                DecimalMode decimals) {
    const bool millis = typmod >= 0 && typmod <= 3;
    const auto set = [&plan](Kind kind, std::string schema) {
        plan.kind = kind;
        plan.schema = std::move(schema);
    };
    switch (type.oid) {
        case core::kBoolOid:
            return set(Kind::kBool, Schema("boolean"));
        case core::kInt2Oid:
            return set(Kind::kNumber, Schema("int16"));
        case core::kInt4Oid:
            return set(Kind::kNumber, Schema("int32"));
        case core::kInt8Oid:
        case core::kOidOid:
            return set(Kind::kNumber, Schema("int64"));
        case core::kFloat4Oid:
            return set(Kind::kNumber, Schema("float"));
        case core::kFloat8Oid:
            return set(Kind::kNumber, Schema("double"));
        case core::kNumericOid:
            return PlanNumeric(plan, typmod, decimals);
        case core::kMoneyOid:
            plan.money = true;
            return PlanDecimal(plan, 0, kMoneyScale, decimals);
        case core::kByteaOid:
            return set(Kind::kBytes, Schema("bytes"));
        case core::kDateOid:
            return set(Kind::kDate, Schema("int32", "io.debezium.time.Date"));
        case core::kTimeOid:
            return millis ? set(Kind::kTimeMillis, Schema("int32", "io.debezium.time.Time"))
                          : set(Kind::kTimeMicros, Schema("int64", "io.debezium.time.MicroTime"));
        case core::kTimestampOid:
            return millis
                       ? set(Kind::kTimestampMillis, Schema("int64", "io.debezium.time.Timestamp"))
                       : set(Kind::kTimestampMicros,
                             Schema("int64", "io.debezium.time.MicroTimestamp"));
        case core::kTimestamptzOid:
            plan.digits = typmod >= 0 && typmod <= 6 ? typmod : 6;
            return set(Kind::kZonedTimestamp, Schema("string", "io.debezium.time.ZonedTimestamp"));
        case core::kTimetzOid:
            return set(Kind::kZonedTime, Schema("string", "io.debezium.time.ZonedTime"));
        case core::kIntervalOid:
            return set(Kind::kInterval, Schema("int64", "io.debezium.time.MicroDuration"));
        case core::kBitOid:
        case core::kVarbitOid:
            if (typmod == 1) {
                return set(Kind::kBit, Schema("boolean"));
            }
            return set(
                Kind::kBits,
                Schema("bytes", "io.debezium.data.Bits",
                       Parameters("\"length\":\"" +
                                  std::to_string(typmod > 0 ? typmod : 2'147'483'647) + "\"")));
        case core::kJsonOid:
        case core::kJsonbOid:
            return set(Kind::kString, Schema("string", "io.debezium.data.Json"));
        case core::kXmlOid:
            return set(Kind::kString, Schema("string", "io.debezium.data.Xml"));
        case core::kUuidOid:
            return set(Kind::kString, Schema("string", "io.debezium.data.Uuid"));
        case core::kTsvectorOid:
            return set(Kind::kString, Schema("string", "io.debezium.data.Tsvector"));
        default:
            return set(Kind::kString, Schema("string"));
    }
}

std::string EnumSchema(const core::TypeDescription& type) {
    std::string allowed;
    for (const std::string& label : type.labels) {
        allowed += allowed.empty() ? label : "," + label;
    }
    JsonWriter out;
    out.Raw("\"allowed\":");
    out.String(allowed);
    return Schema("string", "io.debezium.data.Enum", Parameters(out.view()));
}

// Stands for a value that the WAL does not hold, in a form the column's schema allows.
std::string Unavailable(const ValuePlan& plan, core::Oid element_oid) {
    JsonWriter out;
    if (plan.kind == Kind::kBytes) {
        out.Raw('"');
        out.Base64(kUnavailable);
        out.Raw('"');
    } else if (plan.kind != Kind::kArray) {
        out.String(kUnavailable);
    } else if (plan.element->kind == Kind::kNumber) {  // one element per byte
        out.Raw('[');
        for (const char* c = kUnavailable; *c != '\0'; ++c) {
            if (c != kUnavailable) {
                out.Raw(',');
            }
            out.Number(static_cast<int>(*c));
        }
        out.Raw(']');
    } else {
        out.Raw('[');
        if (element_oid == core::kUuidOid) {
            out.String(kUnavailableUuid);
        } else {
            out.Raw(plan.element->unavailable);
        }
        out.Raw(']');
    }
    return std::string(out.view());
}

class ArrayToJson final : public ArrayVisitor {
  public:
    ArrayToJson(JsonWriter& out, const ValuePlan& element) : out_(out), element_(element) {}

    void OnOpen() override {
        Separate();
        out_.Raw('[');
        first_ = true;
    }
    void OnClose() override {
        out_.Raw(']');
        first_ = false;
    }
    void OnElement(bool is_null, std::string_view text) override {
        Separate();
        if (is_null) {
            out_.Null();
        } else {
            good_ = WriteValue(out_, element_, text) && good_;
        }
    }
    [[nodiscard]] bool good() const { return good_; }

  private:
    void Separate() {
        if (!first_) {
            out_.Raw(',');
        }
        first_ = false;
    }

    JsonWriter& out_;
    const ValuePlan& element_;
    bool first_ = true;
    bool good_ = true;
};

// "-$1,234.56" -> "-1234.56".
std::string Undecorated(std::string_view text) {
    std::string number;
    std::copy_if(text.begin(), text.end(), std::back_inserter(number),
                 [](char c) { return c == '-' || c == '.' || (c >= '0' && c <= '9'); });
    return number;
}

bool IsSpecialNumber(std::string_view text) {
    return text == "NaN" || text == "Infinity" || text == "-Infinity";
}

bool WriteDecimal(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    const bool variable = plan.kind == Kind::kVariableDecimal;
    const UnscaledDecimal decimal =
        variable ? ToVariableDecimal(text) : ToDecimal(text, plan.digits);
    if (!decimal.valid) {
        return false;
    }
    if (variable) {
        out.Raw("{\"scale\":");
        out.Number(decimal.scale);
        out.Raw(",\"value\":");
    }
    out.Raw('"');
    out.Base64(decimal.bytes);
    out.Raw('"');
    if (variable) {
        out.Raw('}');
    }
    return true;
}

int HexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool WriteBytea(JsonWriter& out, std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) {
        return false;
    }
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 2; i < text.size(); i += 2) {
        const int high = HexDigit(text[i]);
        const int low = HexDigit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes.push_back(static_cast<char>(high * 16 + low));
    }
    out.Raw('"');
    out.Base64(bytes);
    out.Raw('"');
    return true;
}

// Least significant byte first, up to the highest bit that is set.
bool WriteBits(JsonWriter& out, std::string_view text) {
    if (text.find_first_not_of("01") != std::string_view::npos) {
        return false;
    }
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i % 8 == 0) {
            bytes.push_back('\0');
        }
        if (text[text.size() - 1 - i] == '1') {
            bytes.back() = static_cast<char>(bytes.back() | 1 << i % 8);
        }
    }
    bytes.resize(bytes.find_last_not_of('\0') + 1);
    out.Raw('"');
    out.Base64(bytes);
    out.Raw('"');
    return true;
}

bool WriteInteger(JsonWriter& out, std::optional<std::int64_t> value, std::int64_t divisor = 1) {
    if (!value) {
        return false;
    }
    // Towards the past, so that -1 µs is in the millisecond before the epoch.
    const std::int64_t quotient = *value / divisor - (*value % divisor < 0 ? 1 : 0);
    out.Number(quotient);
    return true;
}

bool WriteTimestamp(JsonWriter& out, std::string_view text, std::int64_t divisor) {
    if (text == "infinity" || text == "-infinity") {
        out.Number(text.front() == '-' ? kMinusInfiniteTimestamp : kInfiniteTimestamp);
        return true;
    }
    return WriteInteger(out, ParseTimestamp(text), divisor);
}

bool WriteZonedTimestamp(JsonWriter& out, std::string_view text, std::int32_t digits) {
    const std::optional<std::int64_t> micros = ParseTimestamp(text);
    if (!micros) {
        return false;  // the infinities stay words
    }
    out.Raw('"');
    const std::size_t start = out.size();
    out.UtcTime(*micros);
    if (digits < 6) {
        const std::size_t cut = static_cast<std::size_t>(6 - digits) + (digits == 0 ? 1 : 0);
        out.Truncate(std::max(start, out.size() - 1 - cut));
        out.Raw('Z');
    }
    out.Raw('"');
    return true;
}

bool WriteZonedTime(JsonWriter& out, std::string_view text) {
    const std::optional<std::int64_t> micros = ParseZonedTime(text);
    if (!micros) {
        return false;
    }
    // The time of day within 1970-01-01, its date cut off; zeros at the end of a fraction go.
    JsonWriter whole;
    whole.UtcTime(*micros);
    std::string_view time = whole.view();
    time.remove_prefix(time.find('T') + 1);
    time.remove_suffix(1);
    time = time.substr(0, time.find_last_not_of('0') + 1);
    if (time.ends_with('.')) {
        time.remove_suffix(1);
    }
    if (time.size() < 8) {  // zeros of the seconds went along
        time = whole.view().substr(whole.view().find('T') + 1, 8);
    }
    out.Raw('"');
    out.Raw(time);
    out.Raw("Z\"");
    return true;
}

bool WriteInterval(JsonWriter& out, std::string_view text) {
    const std::optional<IntervalParts> parts = ParseInterval(text);
    if (!parts) {
        return false;
    }
    constexpr double kDaysPerMonth = 365.25 / 12.0;
    const double months =
        static_cast<double>(parts->years) * 12 + static_cast<double>(parts->months);
    const double days = months * kDaysPerMonth + static_cast<double>(parts->days);
    const double micros = days * 86'400e6 + static_cast<double>(parts->micros);
    constexpr double kLimit = 9.2e18;
    if (micros >= kLimit || micros <= -kLimit) {
        return false;
    }
    out.Number(static_cast<std::int64_t>(micros));
    return true;
}

}  // namespace

ValuePlan MakeValuePlan(const core::TypeDescription& type, std::int32_t typmod,
                        DecimalMode decimals) {
    if (type.kind == core::TypeKind::kDomain && type.element != nullptr) {
        return MakeValuePlan(*type.element, type.base_typmod, decimals);
    }
    ValuePlan plan;
    const bool vector = type.oid == core::kInt2VectorOid || type.oid == core::kOidVectorOid;
    if (type.kind == core::TypeKind::kArray && type.element != nullptr && !vector) {
        plan.kind = Kind::kArray;
        plan.delimiter = type.element->delimiter;
        plan.element = std::make_unique<ValuePlan>(MakeValuePlan(*type.element, typmod, decimals));
        plan.schema =
            "\"type\":\"array\",\"items\":{" + plan.element->schema + ",\"optional\":true}";
    } else if (type.kind == core::TypeKind::kEnum) {
        plan.schema = EnumSchema(type);
    } else if (type.kind == core::TypeKind::kBase) {
        PlanScalar(plan, type, typmod, decimals);
    } else {
        plan.schema = Schema("string");
    }
    plan.unavailable = Unavailable(plan, type.element == nullptr ? 0 : type.element->oid);
    return plan;
}

bool WriteValue(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    std::string undecorated;
    if (plan.money) {
        undecorated = Undecorated(text);
        text = undecorated;
    }
    const std::size_t start = out.size();
    bool written = false;
    switch (plan.kind) {
        case Kind::kString:
            break;
        case Kind::kNumber:
        case Kind::kDecimalDouble:
            written = IsJsonNumber(text);
            if (written) {
                out.Raw(text);
            }
            break;
        case Kind::kBool:
        case Kind::kBit:
            written = text == "t" || text == "f" || text == "1" || text == "0";
            if (written) {
                out.Bool(text == "t" || text == "1");
            }
            break;
        case Kind::kDecimal:
        case Kind::kVariableDecimal:
            if (IsSpecialNumber(text)) {
                return false;
            }
            written = WriteDecimal(out, plan, text);
            break;
        case Kind::kDecimalString:
            written = IsSpecialNumber(text);
            if (written) {
                out.String(text == "NaN"         ? "NAN"
                           : text.front() == '-' ? "NEGATIVE_INFINITY"
                                                 : "POSITIVE_INFINITY");
            }
            break;
        case Kind::kBytes:
            written = WriteBytea(out, text);
            break;
        case Kind::kDate:
            written = text == "infinity" || text == "-infinity";
            if (written) {
                out.Number(text.front() == '-' ? kMinusInfiniteDate : kInfiniteDate);
            } else {
                written = WriteInteger(out, ParseDate(text));
            }
            break;
        case Kind::kTimeMillis:
            written = WriteInteger(out, ParseTime(text), 1000);
            break;
        case Kind::kTimeMicros:
            written = WriteInteger(out, ParseTime(text));
            break;
        case Kind::kTimestampMillis:
            written = WriteTimestamp(out, text, 1000);
            break;
        case Kind::kTimestampMicros:
            written = WriteTimestamp(out, text, 1);
            break;
        case Kind::kZonedTimestamp:
            written = WriteZonedTimestamp(out, text, plan.digits);
            break;
        case Kind::kZonedTime:
            written = WriteZonedTime(out, text);
            break;
        case Kind::kInterval:
            written = WriteInterval(out, text);
            break;
        case Kind::kBits:
            written = WriteBits(out, text);
            break;
        case Kind::kArray: {
            ArrayToJson visitor(out, *plan.element);
            written = VisitArray(text, plan.delimiter, visitor);
            if (written && !visitor.good()) {
                return false;
            }
            break;
        }
    }
    if (!written) {
        out.Truncate(start);
        out.String(text);
    }
    return true;
}

}  // namespace bitvelocity::format::debezium
