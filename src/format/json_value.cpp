#include "format/json_value.hpp"

#include <algorithm>

#include "core/oids.hpp"
#include "core/text_forms.hpp"
#include "format/containers_json.hpp"

namespace bitvelocity::format {

namespace {

Shape BaseShape(const core::TypeDescription& type) {
    switch (type.oid) {
        case core::kBoolOid:
            return Shape::kBool;
        case core::kInt2Oid:
        case core::kInt4Oid:
        case core::kInt8Oid:
        case core::kFloat4Oid:
        case core::kFloat8Oid:
        case core::kNumericOid:
            return Shape::kNumber;
        case core::kTimestampOid:
            return Shape::kTimestamp;
        case core::kTimestamptzOid:
            return Shape::kTimestamptz;
        case core::kJsonOid:
        case core::kJsonbOid:
            return Shape::kJson;
        default:
            // hstore is an extension's type: its oid differs, its cast to json is always there.
            return type.oid >= core::kFirstUserOid && type.name == "hstore" ? Shape::kHstore
                                                                            : Shape::kText;
    }
}

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}

// "2024-01-15 10:30:00.5+00 BC" -> "2024-01-15T10:30:00.5+00:00 BC"; the specials stay as they are.
void WriteTime(JsonWriter& out, std::string_view text, bool zoned) {
    // Of almost every value the places are known: a year of four digits, UTC.
    static constexpr std::size_t kDate = 10;
    static constexpr std::size_t kSeconds = 19;
    if (text.size() >= kSeconds && text[kDate] == ' ' &&
        (zoned ? text.ends_with("+00") : IsDigit(text.back())) && IsDigit(text.front())) {
        out.Raw('"');
        out.Escaped(text.substr(0, kDate));
        out.Raw('T');
        out.Escaped(text.substr(kDate + 1));
        out.Raw(zoned ? std::string_view(":00\"") : std::string_view("\""));
        return;
    }
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos || text.front() < '0' || text.front() > '9') {
        out.String(text);
        return;
    }
    out.Raw('"');
    out.Escaped(text.substr(0, blank));
    out.Raw('T');
    std::string_view rest = text.substr(blank + 1);
    if (const std::size_t sign = rest.find_first_of("+-");
        zoned && sign != std::string_view::npos) {
        // The ISO style leaves out minutes that are zero, XSD does not.
        const std::size_t end = std::min(rest.find(' '), rest.size());
        out.Escaped(rest.substr(0, end));
        if (end - sign == 3) {
            out.Raw(":00");
        }
        rest.remove_prefix(end);
    }
    out.Escaped(rest);
    out.Raw('"');
}

bool WriteComposite(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    core::CompositeReader in(text, plan.buffer);
    if (!in.Open()) {
        return false;
    }
    const std::size_t start = out.size();
    for (const ValuePlan::Field& field : plan.fields) {
        bool is_null = false;
        std::string_view value;
        if (!in.Next(is_null, value)) {
            return false;
        }
        out.Raw(field.prefix);
        if (is_null) {
            out.Null();
        } else {
            WriteValue(out, field.plan, value);
        }
    }
    out.CloseObject(start);
    return in.Close();
}

}  // namespace

ValuePlan MakeValuePlan(const core::TypeDescription& type) {
    ValuePlan plan;
    if (type.kind == core::TypeKind::kDomain && type.element != nullptr) {
        return MakeValuePlan(*type.element);
    }
    if (type.kind == core::TypeKind::kArray && type.element != nullptr) {
        const bool vector = type.oid == core::kInt2VectorOid || type.oid == core::kOidVectorOid;
        plan.shape = vector ? Shape::kVector : Shape::kArray;
        // array_out separates by the element type's delimiter.
        plan.delimiter = type.element->delimiter;
        plan.element = std::make_unique<ValuePlan>(MakeValuePlan(*type.element));
    } else if (type.kind == core::TypeKind::kComposite && !type.attributes.empty()) {
        plan.shape = Shape::kComposite;
        for (const core::TypeAttribute& attribute : type.attributes) {
            plan.fields.push_back({MemberPrefix(attribute.name), MakeValuePlan(*attribute.type)});
        }
    } else if (type.kind == core::TypeKind::kBase) {
        plan.shape = BaseShape(type);
    }
    return plan;
}

core::Oid BaseOid(const core::TypeDescription& type) {
    const core::TypeDescription* base = &type;
    while (base->kind == core::TypeKind::kDomain && base->element != nullptr) {
        base = base->element.get();
    }
    return base->oid;
}

std::string MemberPrefix(std::string_view name) {
    JsonWriter out;
    out.Raw(',');
    out.String(name);
    out.Raw(':');
    return std::string(out.view());
}

void WriteOtherValue(JsonWriter& out, const ValuePlan& plan, std::string_view text) {
    const auto element = [&](std::string_view one) { WriteValue(out, *plan.element, one); };
    const std::size_t start = out.size();
    bool written = false;
    switch (plan.shape) {
        case Shape::kBool:
            written = text == "t" || text == "f";
            if (written) {
                out.Bool(text == "t");
            }
            break;
        case Shape::kTimestamp:
            WriteTime(out, text, false);
            return;
        case Shape::kTimestamptz:
            WriteTime(out, text, true);
            return;
        case Shape::kJson:
            out.Embedded(text);
            return;
        case Shape::kArray:
            written = WriteArray(out, text, plan.delimiter, plan.buffer, element);
            break;
        case Shape::kVector:
            written = WriteVector(out, text, element);
            break;
        case Shape::kComposite:
            written = WriteComposite(out, plan, text);
            break;
        case Shape::kHstore:
            written = WriteHstore(out, text, plan.buffer, plan.value_buffer);
            break;
        case Shape::kText:
        case Shape::kNumber:  // NaN and the infinities
            break;
    }
    if (!written) {
        out.Truncate(start);
        out.String(text);
    }
}

bool IsJsonNumber(std::string_view text) {
    const char* next = text.data();
    const char* const end = next + text.size();
    const auto digits = [&] {
        const char* const start = next;
        while (next != end && *next >= '0' && *next <= '9') {
            ++next;
        }
        return next - start;
    };
    if (next != end && *next == '-') {
        ++next;
    }
    const char* const first = next;
    const auto whole = digits();
    if (whole == 0 || (whole > 1 && *first == '0')) {
        return false;
    }
    if (next != end && *next == '.') {
        ++next;
        if (digits() == 0) {
            return false;
        }
    }
    if (next != end && (*next == 'e' || *next == 'E')) {
        ++next;
        if (next != end && (*next == '+' || *next == '-')) {
            ++next;
        }
        if (digits() == 0) {
            return false;
        }
    }
    return next == end;
}

}  // namespace bitvelocity::format
