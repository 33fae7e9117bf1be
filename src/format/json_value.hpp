// JsonValue: a value's text form -> the JSON that to_jsonb makes of it.
//
// A ValuePlan is compiled once per column from its TypeDescription; writing then only looks at a
// byte. Equal to to_jsonb under the pinned settings: bool, the six number types (NaN and infinities
// as strings), date and time as ISO 8601 with T and +00:00, json and jsonb embedded, arrays (nested
// for several dimensions), composites, domains as their base type, hstore as an object of strings,
// everything else as a string. Not known here, so a string: other types with a cast to json, and
// composites whose attributes no type record told. A text its type cannot have printed is a string.
// One thread per plan at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/schema.hpp"
#include "format/json_writer.hpp"

namespace bitvelocity::format {

enum class Shape : std::uint8_t {
    kText,
    kNumber,
    kBool,
    kTimestamp,
    kTimestamptz,
    kJson,
    kArray,
    kVector,  // int2vector, oidvector: numbers separated by blanks
    kComposite,
    kHstore,
};

struct ValuePlan {
    struct Field;

    Shape shape = Shape::kText;
    char delimiter = ',';
    std::unique_ptr<ValuePlan> element;  // arrays and vectors
    std::vector<Field> fields;           // composites
    // What escaped parts are unescaped into; kept, so that no value allocates.
    mutable std::string buffer;
    mutable std::string value_buffer;
};

struct ValuePlan::Field {
    std::string prefix;  // `,"name":`
    ValuePlan plan;
};

[[nodiscard]] ValuePlan MakeValuePlan(const core::TypeDescription& type);

// The type's oid, looked at through domains.
[[nodiscard]] core::Oid BaseOid(const core::TypeDescription& type);

// `,"name":`, escaped.
[[nodiscard]] std::string MemberPrefix(std::string_view name);

// Everything but the commonest two shapes.
void WriteOtherValue(JsonWriter& out, const ValuePlan& plan, std::string_view text);

// Whether `text` is a number as JSON writes it.
[[nodiscard]] bool IsJsonNumber(std::string_view text);

inline void WriteValue(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    if (plan.shape == Shape::kText) {
        out.String(text);
    } else if (plan.shape == Shape::kNumber && IsJsonNumber(text)) {
        out.Raw(text);
    } else {
        WriteOtherValue(out, plan, text);
    }
}

}  // namespace bitvelocity::format
