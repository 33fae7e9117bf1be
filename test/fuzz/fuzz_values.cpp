// The first byte chooses a type, the rest is a value's text: both value encodings make JSON of it.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/builtin_types.hpp"
#include "core/oids.hpp"
#include "format/debezium/value.hpp"
#include "format/json_value.hpp"
#include "json_check.hpp"

namespace {

using namespace bitvelocity;

void Require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

std::vector<core::TypePtr> Types() {
    core::BuiltinTypes builtin;
    std::vector<core::TypePtr> types;
    for (const core::Oid oid :
         {core::kBoolOid,      core::kInt8Oid,   core::kNumericOid,     core::kFloat8Oid,
          core::kMoneyOid,     core::kByteaOid,  core::kDateOid,        core::kTimeOid,
          core::kTimestampOid, core::kTimetzOid, core::kTimestamptzOid, core::kIntervalOid,
          core::kBitOid,       core::kVarbitOid, core::kTextOid,        core::kOidVectorOid,
          core::Oid{1007},     core::Oid{1009},  core::Oid{1185},       core::Oid{1020},
          core::Oid{1231},     core::Oid{1187},  core::Oid{1001}}) {
        types.push_back(builtin.Get(oid));
    }
    auto pair = std::make_shared<core::TypeDescription>();
    pair->oid = 70'000;
    pair->kind = core::TypeKind::kComposite;
    pair->attributes = {{"x", builtin.Get(core::kInt4Oid), -1},
                        {"y", builtin.Get(1009), -1},
                        {"z", builtin.Get(core::kTimestamptzOid), -1}};
    types.push_back(pair);
    auto pairs = std::make_shared<core::TypeDescription>();
    pairs->oid = 70'001;
    pairs->kind = core::TypeKind::kArray;
    pairs->element = pair;
    types.push_back(pairs);
    auto hstore = std::make_shared<core::TypeDescription>();
    hstore->oid = 70'002;
    hstore->name = "hstore";
    types.push_back(hstore);
    return types;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<core::TypePtr> types = Types();
    if (size == 0) {
        return 0;
    }
    const core::TypeDescription& type = *types[data[0] % types.size()];
    const std::int32_t typmod = data[0] % 3 == 0 ? -1 : data[0] % 8;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    format::JsonWriter out;
    format::WriteValue(out, format::MakeValuePlan(type), text);
    Require(out.invalid_utf8() || test::IsJson(out.view()));
    format::DebeziumOptions options;
    for (int i = 0; i < 4; ++i) {
        out.Clear();
        const auto plan = format::debezium::MakeValuePlan(type, typmod, options);
        format::debezium::WriteValue(out, plan, text);
        Require(out.invalid_utf8() || test::IsJson(out.view()));
        options.decimals = i == 0 ? format::DecimalMode::kString : format::DecimalMode::kPrecise;
        options.times = i == 0   ? format::TimeMode::kIsoString
                        : i == 1 ? format::TimeMode::kNanoseconds
                                 : format::TimeMode::kConnect;
        options.intervals = format::IntervalMode::kString;
        options.hstore = format::HstoreMode::kMap;
        options.binary = i == 0 ? format::BinaryMode::kHex : format::BinaryMode::kBase64UrlSafe;
        options.unknown_types = true;
    }
    return 0;
}
