#include "format/debezium/unavailable.hpp"

#include "core/oids.hpp"
#include "format/debezium/writers.hpp"

namespace bitvelocity::format::debezium {

namespace {

// The name-based UUID (version 3) of the default placeholder, as arrays of uuid have it.
constexpr std::string_view kUnavailableUuid = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";

std::string Quoted(std::string_view text) {
    JsonWriter out;
    out.String(text);
    return std::string(out.view());
}

}  // namespace

std::string Unavailable(const ValuePlan& plan, const core::TypeDescription& type,
                        const DebeziumOptions& options) {
    JsonWriter out;
    const std::string& placeholder = options.placeholder;
    if (plan.write == WriteBase64 && options.binary == BinaryMode::kBytes) {
        out.Raw('"');
        out.Base64(placeholder);
        out.Raw('"');
    } else if (plan.write == WriteHstoreMap || plan.write == WriteHstoreJson) {
        const std::string quoted = Quoted(placeholder);
        const std::string object = "{" + quoted + ":" + quoted + "}";
        out.Raw(plan.write == WriteHstoreMap ? object : Quoted(object));
    } else if (plan.write != WriteList) {
        out.String(placeholder);
    } else if (plan.element->write == WriteNumber || plan.element->write == WriteDouble ||
               plan.element->write == WriteDays) {
        out.Raw('[');  // one element per byte
        for (std::size_t i = 0; i < placeholder.size(); ++i) {
            if (i > 0) {
                out.Raw(',');
            }
            out.Number(static_cast<int>(static_cast<signed char>(placeholder[i])));
        }
        out.Raw(']');
    } else {
        out.Raw('[');
        if (type.element->oid == core::kUuidOid) {
            out.String(kUnavailableUuid);
        } else {
            out.Raw(plan.element->unavailable);
        }
        out.Raw(']');
    }
    return std::string(out.view());
}

}  // namespace bitvelocity::format::debezium
