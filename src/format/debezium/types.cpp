// Which type becomes what: one row per type that has a form of its own, everything else is text.

#include <array>
#include <optional>

#include "core/oids.hpp"
#include "format/debezium/unavailable.hpp"
#include "format/debezium/writers.hpp"
#include "format/numeric_typmod.hpp"

namespace bitvelocity::format::debezium {

namespace {

constexpr std::int32_t kUnlimitedBits = 2'147'483'647;
constexpr std::int64_t kMillisecond = 1000;  // in microseconds

// A column's type, its modifier, what the stream wants, and where.
struct Column {
    const core::TypeDescription& type;
    std::int32_t typmod;
    const DebeziumOptions& options;
    Place place = Place::kJson;

    // Digits of a fraction of a second.
    [[nodiscard]] std::int32_t precision() const { return typmod >= 0 && typmod <= 6 ? typmod : 6; }
};

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

void Set(ValuePlan& plan, Writer write, std::string schema) {
    plan.write = write;
    plan.schema = std::move(schema);
}

std::unique_ptr<Scratch> NewScratch() {
    return std::make_unique<Scratch>();
}

// Without a precision the scale varies from row to row.
void PlanDecimal(ValuePlan& plan, const Column& column, std::optional<std::int32_t> precision,
                 std::int32_t scale) {
    plan.scratch = NewScratch();
    if (column.options.decimals == DecimalMode::kString) {
        Set(plan, WriteDecimalText, Schema("string"));
    } else if (column.options.decimals == DecimalMode::kDouble) {
        Set(plan, WriteDouble, Schema("double"));
    } else if (precision) {
        plan.digits = scale;
        std::string parameters = "\"scale\":\"" + std::to_string(scale) + "\"";
        if (*precision > 0) {
            parameters += ",\"connect.decimal.precision\":\"" + std::to_string(*precision) + "\"";
        }
        Set(plan, column.place == Place::kHeader ? WriteNumber : WriteDecimal,
            Schema("bytes", "org.apache.kafka.connect.data.Decimal", Parameters(parameters)));
    } else {
        Set(plan, WriteVariableDecimal,
            Schema("struct", "io.debezium.data.VariableScaleDecimal",
                   ",\"doc\":\"Variable scaled decimal\",\"fields\":[{\"type\":\"int32\","
                   "\"optional\":false,\"field\":\"scale\"},{\"type\":\"bytes\",\"optional\":false,"
                   "\"field\":\"value\"}]"));
    }
}

void PlanNumeric(ValuePlan& plan, const Column& column) {
    if (const auto typmod = ReadNumericTypmod(column.typmod)) {
        PlanDecimal(plan, column, typmod->precision, typmod->scale);
    } else {
        PlanDecimal(plan, column, std::nullopt, 0);
    }
}

void PlanMoney(ValuePlan& plan, const Column& column) {
    plan.element = std::make_unique<ValuePlan>();
    PlanDecimal(*plan.element, column, 0, column.options.money_digits);
    plan.scratch = NewScratch();
    Set(plan, WriteMoney, plan.element->schema);
}

// Bytes in the chosen form; `hex` and `base64` are those of what the value is.
void PlanBinary(ValuePlan& plan, const Column& column, Writer base64, Writer hex) {
    const BinaryMode mode = column.options.binary;
    plan.url_safe = mode == BinaryMode::kBase64UrlSafe;
    Set(plan, mode == BinaryMode::kHex ? hex : base64,
        Schema(mode == BinaryMode::kBytes ? "bytes" : "string"));
}

void PlanBytea(ValuePlan& plan, const Column& column) {
    PlanBinary(plan, column, WriteBase64, WriteHex);
}

void PlanDate(ValuePlan& plan, const Column& column) {
    switch (column.options.times) {
        case TimeMode::kIsoString:
            return Set(plan, WriteIsoDate, Schema("string", "io.debezium.time.IsoDate"));
        case TimeMode::kConnect:
            return Set(plan, WriteDays, Schema("int32", "org.apache.kafka.connect.data.Date"));
        case TimeMode::kAdaptive:
        case TimeMode::kAdaptiveTimeMicroseconds:
        case TimeMode::kMicroseconds:
        case TimeMode::kNanoseconds:
            return Set(plan, WriteDays, Schema("int32", "io.debezium.time.Date"));
    }
}

void PlanTime(ValuePlan& plan, const Column& column) {
    switch (column.options.times) {
        case TimeMode::kIsoString:
            return Set(plan, WriteIsoTime, Schema("string", "io.debezium.time.IsoTime"));
        case TimeMode::kConnect:
            plan.divide = kMillisecond;
            return Set(plan, WriteTimeOfDay, Schema("int32", "org.apache.kafka.connect.data.Time"));
        case TimeMode::kNanoseconds:
            plan.multiply = 1000;
            return Set(plan, WriteTimeOfDay, Schema("int64", "io.debezium.time.NanoTime"));
        case TimeMode::kAdaptive:
            if (column.precision() <= 3) {
                plan.divide = kMillisecond;
                return Set(plan, WriteTimeOfDay, Schema("int32", "io.debezium.time.Time"));
            }
            [[fallthrough]];
        case TimeMode::kAdaptiveTimeMicroseconds:
        case TimeMode::kMicroseconds:
            return Set(plan, WriteTimeOfDay, Schema("int64", "io.debezium.time.MicroTime"));
    }
}

void PlanTimestamp(ValuePlan& plan, const Column& column) {
    switch (column.options.times) {
        case TimeMode::kIsoString:
            return Set(plan, WriteIsoTimestamp, Schema("string", "io.debezium.time.IsoTimestamp"));
        case TimeMode::kConnect:
            plan.divide = kMillisecond;
            return Set(plan, WriteTimestamp,
                       Schema("int64", "org.apache.kafka.connect.data.Timestamp"));
        case TimeMode::kNanoseconds:
            plan.multiply = 1000;
            return Set(plan, WriteTimestamp, Schema("int64", "io.debezium.time.NanoTimestamp"));
        case TimeMode::kAdaptive:
        case TimeMode::kAdaptiveTimeMicroseconds:
            if (column.precision() <= 3) {
                plan.divide = kMillisecond;
                return Set(plan, WriteTimestamp, Schema("int64", "io.debezium.time.Timestamp"));
            }
            [[fallthrough]];
        case TimeMode::kMicroseconds:
            return Set(plan, WriteTimestamp, Schema("int64", "io.debezium.time.MicroTimestamp"));
    }
}

void PlanZonedTimestamp(ValuePlan& plan, const Column& column) {
    plan.digits = column.precision();
    Set(plan, WriteZonedTimestamp, Schema("string", "io.debezium.time.ZonedTimestamp"));
}

void PlanInterval(ValuePlan& plan, const Column& column) {
    if (column.options.intervals == IntervalMode::kString) {
        Set(plan, WriteIntervalIso, Schema("string", "io.debezium.time.Interval"));
    } else {
        Set(plan, WriteIntervalMicros, Schema("int64", "io.debezium.time.MicroDuration"));
    }
}

void PlanBits(ValuePlan& plan, const Column& column) {
    if (column.typmod == 1) {
        return Set(plan, WriteBool, Schema("boolean"));
    }
    const std::int32_t length = column.typmod > 0 ? column.typmod : kUnlimitedBits;
    Set(plan, WriteBits,
        Schema("bytes", "io.debezium.data.Bits",
               Parameters("\"length\":\"" + std::to_string(length) + "\"")));
}

void PlanPoint(ValuePlan& plan, const Column&) {
    Set(plan, WritePoint,
        Schema("struct", "io.debezium.data.geometry.Point",
               ",\"doc\":\"Geometry (POINT)\",\"fields\":[{\"type\":\"double\",\"optional\":false,"
               "\"field\":\"x\"},{\"type\":\"double\",\"optional\":false,\"field\":\"y\"},"
               "{\"type\":\"bytes\",\"optional\":true,\"field\":\"wkb\"},{\"type\":\"int32\","
               "\"optional\":true,\"field\":\"srid\"}]"));
}

void PlanHstore(ValuePlan& plan, const Column& column) {
    plan.scratch = NewScratch();
    if (column.options.hstore == HstoreMode::kMap) {
        Set(plan, WriteHstoreMap,
            "\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":false},\"values\":{"
            "\"type\":\"string\",\"optional\":true}");
    } else {
        Set(plan, WriteHstoreJson, Schema("string", "io.debezium.data.Json"));
    }
}

void PlanEnum(ValuePlan& plan, const Column& column) {
    std::string allowed;
    for (const std::string& label : column.type.labels) {
        allowed += allowed.empty() ? label : "," + label;
    }
    JsonWriter out;
    out.Raw("\"allowed\":");
    out.String(allowed);
    plan.schema = Schema("string", "io.debezium.data.Enum", Parameters(out.view()));
}

struct Row {
    core::Oid oid;            // 0: an extension's type, known by its name
    std::string_view name;    // for those
    std::string_view zero;    // as the server prints it
    std::string_view type;    // of the Connect schema, and its name ...
    std::string_view schema;  // ... both unless `plan` makes them
    Writer write = nullptr;
    void (*plan)(ValuePlan&, const Column&) = nullptr;
};

constexpr Row kRows[] = {
    {core::kBoolOid, {}, "f", "boolean", {}, WriteBool},
    {core::kInt2Oid, {}, "0", "int16", {}, WriteNumber},
    {core::kInt4Oid, {}, "0", "int32", {}, WriteNumber},
    {core::kInt8Oid, {}, "0", "int64", {}, WriteNumber},
    {core::kOidOid, {}, "0", "int64", {}, WriteNumber},
    {core::kFloat4Oid, {}, "0", "float", {}, WriteNumber},
    {core::kFloat8Oid, {}, "0", "double", {}, WriteNumber},
    {core::kNumericOid, {}, "0", {}, {}, nullptr, PlanNumeric},
    {core::kMoneyOid, {}, "$0.00", {}, {}, nullptr, PlanMoney},
    {core::kTextOid, {}, {}, "string", {}},
    {core::kVarcharOid, {}, {}, "string", {}},
    {core::kBpcharOid, {}, {}, "string", {}},
    {core::kCharOid, {}, {}, "string", {}},
    {core::kNameOid, {}, {}, "string", {}},
    {core::kInetOid, {}, {}, "string", {}},
    {core::kCidrOid, {}, {}, "string", {}},
    {core::kMacaddrOid, {}, {}, "string", {}},
    {core::kMacaddr8Oid, {}, {}, "string", {}},
    {core::kInt4RangeOid, {}, {}, "string", {}},
    {core::kInt8RangeOid, {}, {}, "string", {}},
    {core::kNumRangeOid, {}, {}, "string", {}},
    {core::kTsRangeOid, {}, {}, "string", {}},
    {core::kTstzRangeOid, {}, {}, "string", {}},
    {core::kDateRangeOid, {}, {}, "string", {}},
    {core::kJsonOid, {}, {}, "string", "io.debezium.data.Json"},
    {core::kJsonbOid, {}, {}, "string", "io.debezium.data.Json"},
    {core::kXmlOid, {}, {}, "string", "io.debezium.data.Xml"},
    {core::kUuidOid, {}, {}, "string", "io.debezium.data.Uuid"},
    {core::kTsvectorOid, {}, {}, "string", "io.debezium.data.Tsvector"},
    {core::kByteaOid, {}, "\\x", {}, {}, nullptr, PlanBytea},
    {core::kDateOid, {}, "1970-01-01", {}, {}, nullptr, PlanDate},
    {core::kTimeOid, {}, "00:00:00", {}, {}, nullptr, PlanTime},
    {core::kTimestampOid, {}, "1970-01-01 00:00:00", {}, {}, nullptr, PlanTimestamp},
    {core::kTimestamptzOid, {}, "1970-01-01 00:00:00+00", {}, {}, nullptr, PlanZonedTimestamp},
    {core::kTimetzOid, {}, "00:00:00+00", "string", "io.debezium.time.ZonedTime", WriteZonedTime},
    {core::kIntervalOid, {}, "00:00:00", {}, {}, nullptr, PlanInterval},
    {core::kBitOid, {}, {}, {}, {}, nullptr, PlanBits},
    {core::kVarbitOid, {}, {}, {}, {}, nullptr, PlanBits},
    {core::kPointOid, {}, "(0,0)", {}, {}, nullptr, PlanPoint},
    {0, "hstore", {}, {}, {}, nullptr, PlanHstore},
    {0, "citext", {}, "string", {}},
    {0, "isbn", {}, "string", {}},
    {0, "ltree", {}, "string", "io.debezium.data.Ltree"},
};

const Row* FindRow(const core::TypeDescription& type) {
    for (const Row& row : kRows) {
        if (row.oid != 0 ? row.oid == type.oid
                         : type.oid >= core::kFirstUserOid && row.name == type.name) {
            return &row;
        }
    }
    return nullptr;
}

// Types that the connector leaves out, or gives as the bytes of their text when it is told to.
void PlanUnknown(ValuePlan& plan, const Column& column) {
    if (column.options.unknown_types) {
        PlanBinary(plan, column, WriteTextBase64, WriteTextHex);
    } else {
        plan.schema = Schema("string");
    }
}

void PlanScalar(ValuePlan& plan, const Column& column) {
    const Row* row = FindRow(column.type);
    if (column.type.kind == core::TypeKind::kEnum) {
        PlanEnum(plan, column);
    } else if (row == nullptr) {
        PlanUnknown(plan, column);
    } else if (row->plan != nullptr) {
        row->plan(plan, column);
    } else {
        Set(plan, row->write, Schema(row->type, row->schema));
    }
}

// The connector's stand-in for a required column that the WAL does not tell: its type's zero.
std::string Zero(const ValuePlan& plan, const core::TypeDescription& type, std::int32_t typmod) {
    const Row* row = FindRow(type);
    std::string text(plan.write == WriteList ? "{}" : row != nullptr ? row->zero : "");
    const auto numeric = ReadNumericTypmod(typmod);
    if (type.oid == core::kNumericOid && numeric) {
        (void)WithScale(text, numeric->scale);  // no digit of a zero is lost
    }
    JsonWriter out;
    WriteValue(out, plan, text);
    return std::string(out.view());
}

}  // namespace

void WriteTextInstead(JsonWriter& out, std::size_t start, std::string_view text) {
    out.Truncate(start);
    out.String(text);
}

bool WriteAlike(const ValuePlan& one, const ValuePlan& other) {
    return one.write == other.write &&
           (one.element == nullptr || WriteAlike(*one.element, *other.element));
}

ValuePlan MakeContentPlan(const DebeziumOptions& options) {
    ValuePlan plan;
    const core::TypeDescription none;
    PlanBinary(plan, {none, -1, options, Place::kJson}, WriteTextBase64, WriteTextHex);
    return plan;
}

ValuePlan MakeValuePlan(const core::TypeDescription& type, std::int32_t typmod,
                        const DebeziumOptions& options, Place place) {
    if (type.kind == core::TypeKind::kDomain && type.element != nullptr) {
        return MakeValuePlan(*type.element, type.base_typmod, options, place);
    }
    ValuePlan plan;
    if (type.kind == core::TypeKind::kArray && type.element != nullptr) {
        const bool vector = type.oid == core::kInt2VectorOid || type.oid == core::kOidVectorOid;
        plan.write = vector ? WriteNumberVector : WriteList;
        plan.delimiter = type.element->delimiter;
        plan.element =
            std::make_unique<ValuePlan>(MakeValuePlan(*type.element, typmod, options, place));
        plan.scratch = NewScratch();
        plan.schema =
            "\"type\":\"array\",\"items\":{" + plan.element->schema + ",\"optional\":true}";
    } else {
        PlanScalar(plan, {type, typmod, options, place});
    }
    plan.unavailable = Unavailable(plan, type, options);
    plan.zero = Zero(plan, type, typmod);
    return plan;
}

}  // namespace bitvelocity::format::debezium
