// Values as Debezium's PostgreSQL connector writes them with Kafka Connect's JsonConverter.
//
// Built-in scalar types and arrays of them, with adaptive time precision, intervals as
// microseconds, binary as base64, hstore as text; everything else is PostgreSQL's text. A text its
// type cannot have printed is written as a string, too. Infinite dates and timestamps are the
// numbers of PostgreSQL's JDBC driver. NaN under decimals = precise has no form: WriteValue returns
// false. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/schema.hpp"
#include "format/json_writer.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::debezium {

enum class Kind : std::uint8_t {
    kString,
    kNumber,  // integers and floating point; NaN and infinities as strings
    kBool,
    kDecimal,          // fixed scale
    kVariableDecimal,  // {scale, value}
    kDecimalString,
    kDecimalDouble,
    kBytes,
    kDate,
    kTimeMillis,
    kTimeMicros,
    kTimestampMillis,
    kTimestampMicros,
    kZonedTimestamp,
    kZonedTime,
    kInterval,
    kBit,  // bit(1)
    kBits,
    kArray,
};

struct ValuePlan {
    Kind kind = Kind::kString;
    bool money = false;       // strip the currency's decoration first
    std::int32_t digits = 6;  // kDecimal: scale; kZonedTimestamp: fraction digits
    char delimiter = ',';
    std::unique_ptr<ValuePlan> element;
    std::string schema;       // members of the Connect schema but `optional` and `field`
    std::string unavailable;  // what stands for a value that is not in the WAL
};

[[nodiscard]] ValuePlan MakeValuePlan(const core::TypeDescription& type, std::int32_t typmod,
                                      DecimalMode decimals);

[[nodiscard]] bool WriteValue(JsonWriter& out, const ValuePlan& plan, std::string_view text);

}  // namespace bitvelocity::format::debezium
