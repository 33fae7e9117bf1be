#include "format/avro/derive.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/oids.hpp"
#include "format/avro/row.hpp"
#include "format/name_template.hpp"
#include "format/numeric_typmod.hpp"

namespace bitvelocity::format::avro {

namespace {

constexpr int kMoneyPrecision = 19;
constexpr int kMoneyScale = 2;  // lc_monetary C

std::string Cleaned(std::string_view text, bool dots) {
    std::string out;
    bool start = true;
    for (const char c : text) {
        const bool digit = c >= '0' && c <= '9';
        if (start && digit) {
            out.push_back('_');
        }
        const std::string one(1, c);
        out.push_back(IsName(one) || digit || (dots && c == '.' && !start) ? c : '_');
        start = dots && c == '.';
    }
    return out.empty() ? "_" : out;
}

std::string Unique(std::string name, std::set<std::string>& taken) {
    const std::string wanted = name;
    for (int i = 2; !taken.insert(name).second; ++i) {
        name = wanted + "_" + std::to_string(i);
    }
    return name;
}

Json Logical(const char* type, const char* logical) {
    return {{"type", type}, {"logicalType", logical}};
}

Json Decimal(int precision, int scale) {
    return {
        {"type", "bytes"}, {"logicalType", "decimal"}, {"precision", precision}, {"scale", scale}};
}

class Deriver {
  public:
    Deriver(const AvroOptions& options, std::string space)
        : options_(options), space_(std::move(space)) {}

    Json TypeOf(const core::TypeDescription& type, std::int32_t typmod);

  private:
    [[nodiscard]] Json Numeric(std::int32_t typmod) const;
    [[nodiscard]] Json Enum(const core::TypeDescription& type);

    const AvroOptions& options_;
    std::string space_;
    std::map<core::Oid, std::string> enums_;  // defined so far, by full name
    std::set<std::string> taken_;
};

Json Deriver::Numeric(std::int32_t typmod) const {
    if (options_.decimals == AvroDecimals::kDouble) {
        return "double";
    }
    const std::optional<NumericTypmod> numeric = ReadNumericTypmod(typmod);
    if (!numeric || options_.decimals == AvroDecimals::kString) {
        return "string";
    }
    const auto [precision, scale] = *numeric;
    // Avro's scale lies between 0 and the precision; the server's may be on either side.
    return scale < 0 ? Decimal(precision - scale, 0) : Decimal(std::max(precision, scale), scale);
}

Json Deriver::Enum(const core::TypeDescription& type) {
    const std::set<std::string> labels(type.labels.begin(), type.labels.end());
    if (options_.enums_as_text || labels.empty() ||
        !std::all_of(labels.begin(), labels.end(), IsName)) {
        return "string";
    }
    if (const auto found = enums_.find(type.oid); found != enums_.end()) {
        return found->second;
    }
    const std::string name = Unique(Cleaned(type.name, false), taken_);
    enums_[type.oid] = space_ + "." + name;
    return {{"type", "enum"}, {"name", name}, {"namespace", space_}, {"symbols", type.labels}};
}

Json Deriver::TypeOf(const core::TypeDescription& type, std::int32_t typmod) {
    if (type.kind == core::TypeKind::kDomain && type.element != nullptr) {
        return TypeOf(*type.element, type.base_typmod);
    }
    const bool vector = type.oid == core::kInt2VectorOid || type.oid == core::kOidVectorOid;
    if (type.kind == core::TypeKind::kArray && type.element != nullptr && !vector) {
        // An array of a domain over an array would be an array of arrays, which is text here.
        const Json items = TypeOf(*type.element, typmod);
        if (items.is_object() && items["type"] == "array") {
            return "string";
        }
        return {{"type", "array"}, {"items", Json::array({"null", items})}};
    }
    if (type.kind == core::TypeKind::kEnum) {
        return Enum(type);
    }
    switch (type.oid) {
        case core::kBoolOid:
            return "boolean";
        case core::kInt2Oid:
        case core::kInt4Oid:
            return "int";
        case core::kInt8Oid:
        case core::kOidOid:
            return "long";
        case core::kFloat4Oid:
            return "float";
        case core::kFloat8Oid:
            return "double";
        case core::kNumericOid:
            return Numeric(typmod);
        case core::kMoneyOid:
            return options_.decimals == AvroDecimals::kLogical
                       ? Decimal(kMoneyPrecision, kMoneyScale)
                   : options_.decimals == AvroDecimals::kDouble ? Json("double")
                                                                : Json("string");
        case core::kByteaOid:
            return "bytes";
        case core::kDateOid:
            return Logical("int", "date");
        case core::kTimeOid:
            return Logical("long", "time-micros");
        case core::kTimestampOid:
            return Logical("long", "local-timestamp-micros");
        case core::kTimestamptzOid:
            return Logical("long", "timestamp-micros");
        case core::kUuidOid:
            return Logical("string", "uuid");
        default:
            return "string";
    }
}

}  // namespace

Names MakeNames(const AvroOptions& options, const core::Source& source,
                const core::RelationSchema* relation) {
    std::string_view schema = "message";
    std::string_view table = "message";
    if (relation != nullptr) {
        schema = relation->schema;
        table = relation->name;
    }
    // A dot inside a name from outside would make a level of the namespace.
    const std::string cleaned[] = {Cleaned(source.database, false), Cleaned(source.stream, false),
                                   Cleaned(schema, false), Cleaned(table, false)};
    const Placeholder values[] = {{"{database}", cleaned[0]},
                                  {"{stream}", cleaned[1]},
                                  {"{schema}", cleaned[2]},
                                  {"{table}", cleaned[3]}};
    return {Cleaned(ExpandTemplate(options.space, values), true),
            Cleaned(ExpandTemplate(options.name, values), false)};
}

Json DeriveRecord(const core::RelationSchema& relation, const AvroOptions& options,
                  const std::string& space, const std::string& name,
                  const std::vector<std::size_t>* columns) {
    Deriver deriver(options, space);
    const std::vector<std::size_t> key = relation.KeyColumns();
    Json fields = Json::array();
    std::set<std::string> taken{std::string(kUnchangedField), std::string(kTextField)};
    for (std::size_t i = 0; i < relation.columns.size(); ++i) {
        const core::Column& column = relation.columns[i];
        if (columns != nullptr &&
            std::find(columns->begin(), columns->end(), i) == columns->end()) {
            continue;
        }
        const std::string field = Unique(Cleaned(column.name, false), taken);
        Json type = deriver.TypeOf(*column.type, column.typmod);
        const bool required = column.not_null && std::find(key.begin(), key.end(), i) != key.end();
        Json made = required ? Json{{"name", field}, {"type", std::move(type)}}
                             : Optional(field, std::move(type));
        if (field != column.name) {
            made["column"] = column.name;
        }
        fields.push_back(std::move(made));
    }
    return {{"type", "record"}, {"name", name}, {"namespace", space}, {"fields", fields}};
}

Json Optional(std::string name, Json type) {
    return {{"name", std::move(name)},
            {"type", Json::array({"null", std::move(type)})},
            {"default", nullptr}};
}

}  // namespace bitvelocity::format::avro
