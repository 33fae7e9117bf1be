// Values as Debezium's PostgreSQL connector 3.4.0 writes them with Kafka Connect's JsonConverter.
//
// types.cpp says which type becomes what: a Connect schema and a writer, chosen once per column
// from the type as of the change's position, its modifier and the options. Writers never allocate
// once their plan's buffers have grown. No value is dropped: what the format has no form for (types
// that the connector leaves out, infinities and NaN where it refuses or bends them, texts their
// type cannot have printed) goes as PostgreSQL's text form. One thread per plan at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/schema.hpp"
#include "format/debezium/decimal.hpp"
#include "format/json_writer.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::debezium {

struct ValuePlan;

// Writes one value that is not NULL. False: the text has no such form; what was written is taken
// back and the text goes instead.
using Writer = bool (*)(JsonWriter& out, const ValuePlan& plan, std::string_view text);

// Memory of writers that need more than the text.
struct Scratch {
    std::string text;
    std::string more_text;
    DecimalEncoder decimal;
    JsonWriter object;
};

struct ValuePlan {
    Writer write = nullptr;     // null: the text as a string
    std::int32_t digits = 0;    // behind the point, or of a fraction of a second
    std::int64_t multiply = 1;  // times: microseconds times this ...
    std::int64_t divide = 1;    // ... by this are the number's unit
    char delimiter = ',';       // arrays
    bool url_safe = false;      // base64
    std::unique_ptr<ValuePlan> element;
    std::unique_ptr<Scratch> scratch;
    std::string schema;       // members of the Connect schema but `optional`, `default` and `field`
    std::string unavailable;  // what stands for a value that is not in the WAL
    std::string zero;         // what stands for one that may be neither told nor null
};

// Kafka Connect has a converter of its own for headers, with another form of decimals: numbers.
enum class Place : std::uint8_t { kJson, kHeader };

[[nodiscard]] ValuePlan MakeValuePlan(const core::TypeDescription& type, std::int32_t typmod,
                                      const DebeziumOptions& options, Place place = Place::kJson);

// Whether both write the same of every value.
[[nodiscard]] bool WriteAlike(const ValuePlan& one, const ValuePlan& other);

// For bytes that are no bytea's text: the content of logical messages.
[[nodiscard]] ValuePlan MakeContentPlan(const DebeziumOptions& options);

void WriteTextInstead(JsonWriter& out, std::size_t start, std::string_view text);

// False: the text has no such form, and something was written that has to be taken back.
[[nodiscard]] inline bool TryWriteValue(JsonWriter& out, const ValuePlan& plan,
                                        std::string_view text) {
    if (plan.write == nullptr) [[likely]] {
        out.String(text);
        return true;
    }
    return plan.write(out, plan, text);
}

inline void WriteValue(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    const std::size_t start = out.size();
    if (!TryWriteValue(out, plan, text)) {
        WriteTextInstead(out, start, text);
    }
}

}  // namespace bitvelocity::format::debezium
