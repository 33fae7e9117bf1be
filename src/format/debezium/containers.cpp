#include "format/containers_json.hpp"
#include "format/debezium/writers.hpp"

namespace bitvelocity::format::debezium {

bool WriteList(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    return WriteArray(out, text, plan.delimiter, plan.scratch->text,
                      [&](std::string_view element) { WriteValue(out, *plan.element, element); });
}

bool WriteNumberVector(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    return WriteVector(out, text,
                       [&](std::string_view element) { WriteValue(out, *plan.element, element); });
}

bool WriteHstoreMap(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    return WriteHstore(out, text, plan.scratch->text, plan.scratch->more_text);
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
