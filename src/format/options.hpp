// The options of the encoders, read out of a stream's options object.
//
// One table says which key exists for which format, of what type and with which choices; what is
// listed, validated and parsed comes from it alone.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/status.hpp"
#include "format/encoder.hpp"

namespace bitvelocity::format {

struct EventOptions {
    bool inline_schema = true;  // event.schema: inline | none
};

struct FlatOptions {
    bool tombstones = true;  // flat.tombstones
};

enum class DecimalMode { kPrecise, kDouble, kString };
enum class TimeMode {
    kAdaptive,
    kAdaptiveTimeMicroseconds,
    kConnect,
    kIsoString,
    kMicroseconds,
    kNanoseconds,
};
enum class IntervalMode { kNumeric, kString };
enum class BinaryMode { kBytes, kBase64, kBase64UrlSafe, kHex };
enum class HstoreMode { kJson, kMap };

// `debezium.` and the connector's own name of the option.
struct DebeziumOptions {
    std::string name;                                 // topic.prefix, by default the stream's name
    bool schemas = false;                             // schemas: key and value as {schema, payload}
    bool tombstones = true;                           // tombstones.on.delete
    DecimalMode decimals = DecimalMode::kPrecise;     // decimal.handling.mode
    TimeMode times = TimeMode::kAdaptive;             // time.precision.mode
    IntervalMode intervals = IntervalMode::kNumeric;  // interval.handling.mode
    BinaryMode binary = BinaryMode::kBytes;           // binary.handling.mode
    HstoreMode hstore = HstoreMode::kJson;            // hstore.handling.mode
    bool unknown_types = false;                       // include.unknown.datatypes
    int money_digits = 2;                             // money.fraction.digits
    std::string placeholder = "__debezium_unavailable_value";  // unavailable.value.placeholder
};

enum class CloudEventsData { kChange, kRow };

struct CloudEventsOptions {
    bool binary = false;                              // cloudevents.mode: structured | binary
    CloudEventsData data = CloudEventsData::kChange;  // cloudevents.data: change | row
    std::string source = "/bitvelocity/{system}/{database}/{stream}";  // cloudevents.source
    std::string type = "bitvelocity.{operation}";                      // cloudevents.type
};

enum class AvroDecimals { kLogical, kString, kDouble };
enum class AvroSubject { kTopic, kRecord, kTopicRecord };

struct AvroOptions {
    bool flat = false;                               // avro.shape: event | flat
    std::string space = "{stream}.{schema}";         // avro.namespace
    std::string name = "{table}";                    // avro.name
    bool json_key = false;                           // avro.key: record | json
    AvroDecimals decimals = AvroDecimals::kLogical;  // avro.decimals: logical | string | double
    bool enums_as_text = false;                      // avro.enums: enum | string
    bool extra_fields = true;                        // avro.extra_fields
    bool tombstones = true;                          // avro.tombstones, of shape flat
    // avro.schemas, of shape flat: "schema.table" -> the value's schema, JSON
    std::map<std::string, std::string> schemas;
    AvroSubject subject = AvroSubject::kTopic;  // avro.subject: topic | record | topic_record
    bool auto_register = true;                  // avro.auto_register
};

struct FormatOptions {
    EventOptions event;
    FlatOptions flat;
    DebeziumOptions debezium;
    CloudEventsOptions cloudevents;
    AvroOptions avro;
};

// Validates (see ValidateEncoderOptions) and reads.
[[nodiscard]] core::Result<FormatOptions> ReadOptions(std::string_view format,
                                                      const std::string& options_json,
                                                      const core::Source& source);

}  // namespace bitvelocity::format
