#include <algorithm>

#include "format/array_json.hpp"
#include "format/debezium/writers.hpp"
#include "core/text_forms.hpp"

namespace bitvelocity::format::debezium {

bool WriteList(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    return WriteArray(out, text, plan.delimiter, plan.scratch->text,
                      [&](std::string_view element) { WriteValue(out, *plan.element, element); });
}

bool WriteVector(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    out.Raw('[');
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        WriteValue(out, *plan.element, text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!text.empty()) {
            out.Raw(',');
        }
    }
    out.Raw(']');
    return true;
}

bool WriteHstoreMap(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    core::HstoreReader in(text, plan.scratch->text, plan.scratch->more_text);
    const std::size_t start = out.size();
    while (!in.done()) {
        std::string_view key;
        std::string_view value;
        bool is_null = false;
        if (!in.Next(key, is_null, value)) {
            return false;
        }
        out.Raw(',');
        out.String(key);
        out.Raw(':');
        if (is_null) {
            out.Null();
        } else {
            out.String(value);
        }
    }
    out.CloseObject(start);
    return true;
}

// The same object, as text within a string.
bool WriteHstoreJson(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    JsonWriter& object = plan.scratch->object;
    object.Clear();
    if (!WriteHstoreMap(object, plan, text) || object.invalid_utf8()) {
        return false;
    }
    out.String(object.view());
    return true;
}

}  // namespace bitvelocity::format::debezium
