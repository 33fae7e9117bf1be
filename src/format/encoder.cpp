#include "format/encoder.hpp"

#include "format/avro/encoder.hpp"
#include "format/cloudevents/encoder.hpp"
#include "format/debezium/encoder.hpp"
#include "format/event.hpp"
#include "format/flat.hpp"
#include "format/options.hpp"

namespace bitvelocity::format {

core::Result<std::unique_ptr<Encoder>> MakeEncoder(const EncoderOptions& options) {
    auto read = ReadOptions(options.format, options.options_json, options.source);
    if (!read.ok()) {
        return read.TakeStatus();
    }
    if (options.format == "event") {
        return MakeEventEncoder(read->event, options.source);
    }
    if (options.format == "flat") {
        return MakeFlatEncoder(read->flat);
    }
    if (options.format == "avro") {
        if (options.schema_ids == nullptr) {
            return core::Status::Fail(core::kInvalidParameter,
                                      "format \"avro\" needs a schema registry");
        }
        return avro::MakeAvroEncoder(read->avro, options.source, *options.schema_ids);
    }
    if (options.format == "cloudevents") {
        return cloudevents::MakeCloudEventsEncoder(read->cloudevents, options.source);
    }
    return debezium::MakeDebeziumEncoder(read->debezium, options.source, options.start);
}

}  // namespace bitvelocity::format
