// RecordedType: how a value becomes JSON by its type as the stream recorded it with the change.
//
// A composite's text has no names: taken apart by the type's attributes of today it would show
// values under names they never had, or fail, once the type has been altered. So composites, and
// arrays of them, are taken apart by the record; whatever is in them, and every other type, is
// JsonType's, the same as to_jsonb makes it. Main thread, in a transaction; results are made in the
// current memory context and may point into the text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/schema.hpp"
#include "trail/json_value.hpp"

namespace bitvelocity::trail {

struct RecordedType {
    struct Field {
        std::string name;
        std::unique_ptr<RecordedType> type;
        std::size_t place = 0;  // among the keys of the jsonb object
    };

    JsonTypePtr plain;                      // null: one of the two below
    std::unique_ptr<RecordedType> element;  // an array of composites
    char delimiter = ',';
    std::vector<Field> fields;  // a composite, in the order of its text
};

[[nodiscard]] RecordedType RecordedTypeOf(const core::TypeDescription& type);

// The value has to go through Convert; every other one is ToJson's, by `plain`.
[[nodiscard]] inline bool NeedsConvert(const RecordedType& type, std::string_view text) {
    return type.plain == nullptr || NeedsConvert(*type.plain, text);
}

// Code of the value's types runs as `owner`. A text that does not have its type's form is kept as
// text.
void Convert(const RecordedType& type, std::string_view text, core::Oid owner, JsonbValue* value);

}  // namespace bitvelocity::trail
