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

struct DebeziumOptions {
    std::string name;        // debezium.topic_prefix, by default the stream's name
    bool schemas = false;    // debezium.schemas
    bool tombstones = true;  // debezium.tombstones
    DecimalMode decimals = DecimalMode::kPrecise;  // debezium.decimals: precise | double | string
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
