#include "format/avro/type.hpp"

#include <algorithm>
#include <map>

#include "core/oids.hpp"
#include "format/json_value.hpp"

namespace bitvelocity::format::avro {

namespace {

constexpr int kMaxDepth = 16;

bool IsAlpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string SnakeCase(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c >= 'A' && c <= 'Z') {
            out += out.empty() ? "" : "_";
            out.push_back(static_cast<char>(c - 'A' + 'a'));
        } else {
            out.push_back(c);
        }
    }
    return out;
}

const core::TypeDescription& Undressed(const core::TypeDescription& type) {
    const core::TypeDescription* at = &type;
    while (at->kind == core::TypeKind::kDomain && at->element != nullptr) {
        at = at->element.get();
    }
    return *at;
}

Form FormOf(const core::TypeDescription& type) {
    switch (Undressed(type).oid) {
        case core::kBoolOid:
            return Form::kBool;
        case core::kInt2Oid:
        case core::kInt4Oid:
        case core::kInt8Oid:
        case core::kOidOid:
        case core::kFloat4Oid:
        case core::kFloat8Oid:
        case core::kNumericOid:
            return Form::kNumber;
        case core::kDateOid:
            return Form::kDate;
        case core::kTimeOid:
            return Form::kTime;
        case core::kTimestampOid:
        case core::kTimestamptzOid:
            return Form::kTimestamp;
        case core::kMoneyOid:
            return Form::kMoney;
        case core::kByteaOid:
            return Form::kBytea;
        default:
            return Form::kText;
    }
}

class Compiler {
  public:
    explicit Compiler(const core::RelationSchema* relation) : relation_(relation) {}

    core::Result<Type> Record(const Json& schema, const std::string& path, int depth);

  private:
    core::Result<Field> MakeField(const Json& schema, const std::string& path, int depth);
    core::Result<Type> Any(const Json& schema, const std::string& path, int depth);
    core::Result<Type> Union(const Json& schema, const std::string& path, int depth);
    core::Result<Type> Named(const std::string& name, const std::string& path, int depth);
    core::Result<Type> Enum(const Json& schema, const std::string& path);
    core::Status SetUnit(const Json& schema, const std::string& path, Type& type) const;
    core::Status FindColumn(const Json& schema, const std::string& path, Field& field) const;
    core::Status Describe(const core::TypeDescription& column, const std::string& path,
                          Type& type) const;

    static core::Status Refuse(const std::string& path, std::string reason, std::string hint = {}) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "Avro schema cannot be used: " + path + " " + std::move(reason),
                                  {}, std::move(hint));
    }

    const core::RelationSchema* relation_;
    std::map<std::string, Json> named_;  // by the name that a later reference may use
};

core::Result<Type> Compiler::Record(const Json& schema, const std::string& path, int depth) {
    if (depth > kMaxDepth) {
        return Refuse(path, "is nested too deeply");
    }
    const auto fields = schema.find("fields");
    if (fields == schema.end() || !fields->is_array()) {
        return Refuse(path, "has no list \"fields\"");
    }
    Type type;
    type.kind = Kind::kRecord;
    for (const Json& each : *fields) {
        auto field = MakeField(each, path, depth);
        if (!field.ok()) {
            return field.TakeStatus();
        }
        for (const Field& other : type.fields) {
            if (other.name == field->name) {
                return Refuse(path, "has two fields \"" + other.name + "\"");
            }
        }
        type.fields.push_back(std::move(*field));
    }
    return type;
}

core::Result<Field> Compiler::MakeField(const Json& schema, const std::string& path, int depth) {
    if (!schema.is_object() || !schema.contains("name") || !schema["name"].is_string() ||
        !IsName(schema["name"].get_ref<const std::string&>()) || !schema.contains("type")) {
        return Refuse(path, "has a field without a valid name and a type");
    }
    Field field;
    field.name = schema["name"];
    const std::string here = path + "." + field.name;
    auto type = Any(schema["type"], here, depth + 1);
    if (!type.ok()) {
        return type.TakeStatus();
    }
    field.type = std::move(*type);
    if (field.type.kind != Kind::kRecord) {
        BV_RETURN_IF_ERROR(FindColumn(schema, here, field));
    }
    return field;
}

core::Result<Type> Compiler::Any(const Json& schema, const std::string& path, int depth) {
    if (schema.is_array()) {
        return Union(schema, path, depth);
    }
    if (schema.is_string()) {
        return Named(schema.get<std::string>(), path, depth);
    }
    if (!schema.is_object() || !schema.contains("type")) {
        return Refuse(path, "has no type");
    }
    const Json& inner = schema["type"];
    if (!inner.is_string()) {
        return Any(inner, path, depth + 1);
    }
    const std::string name = inner;
    if (schema.contains("name") && schema["name"].is_string()) {
        const std::string own = schema["name"];
        named_[own] = schema;
        if (schema.contains("namespace") && schema["namespace"].is_string()) {
            named_[schema["namespace"].get<std::string>() + "." + own] = schema;
        }
    }
    if (name == "record") {
        return Record(schema, path, depth + 1);
    }
    if (name == "enum") {
        return Enum(schema, path);
    }
    if (name == "array") {
        if (!schema.contains("items")) {
            return Refuse(path, "is an array without \"items\"");
        }
        auto items = Any(schema["items"], path + "[]", depth + 1);
        if (!items.ok()) {
            return items.TakeStatus();
        }
        if (items->kind == Kind::kRecord || items->kind == Kind::kArray) {
            return Refuse(path, "is an array of something that is no single value");
        }
        Type type;
        type.kind = Kind::kArray;
        type.items = std::make_unique<Type>(std::move(*items));
        return type;
    }
    auto type = Named(name, path, depth);
    if (!type.ok()) {
        return type;
    }
    BV_RETURN_IF_ERROR(SetUnit(schema, path, *type));
    return type;
}

core::Result<Type> Compiler::Union(const Json& schema, const std::string& path, int depth) {
    const bool two = schema.size() == 2;
    const bool first = two && schema[0] == "null";
    if (!two || first == (schema[1] == "null")) {
        return Refuse(path, "is a union of something else than null and one type");
    }
    auto type = Any(schema[first ? 1 : 0], path, depth + 1);
    if (type.ok()) {
        type->nullable = true;
        type->null_second = !first;
    }
    return type;
}

core::Result<Type> Compiler::Named(const std::string& name, const std::string& path, int depth) {
    static const std::map<std::string, Kind, std::less<>> kPrimitives = {
        {"boolean", Kind::kBoolean}, {"int", Kind::kInt},       {"long", Kind::kLong},
        {"float", Kind::kFloat},     {"double", Kind::kDouble}, {"bytes", Kind::kBytes},
        {"string", Kind::kString},
    };
    if (const auto found = kPrimitives.find(name); found != kPrimitives.end()) {
        Type type;
        type.kind = found->second;
        return type;
    }
    const auto found = named_.find(name);
    if (found == named_.end() || depth > kMaxDepth) {
        return Refuse(path, "has the type \"" + name + "\", which cannot be made from a column");
    }
    const Json schema = found->second;
    return schema["type"] == "enum" ? Enum(schema, path) : Record(schema, path, depth + 1);
}

core::Result<Type> Compiler::Enum(const Json& schema, const std::string& path) {
    Type type;
    type.kind = Kind::kEnum;
    if (!schema.contains("name") || !schema["name"].is_string() ||
        !IsName(schema["name"].get_ref<const std::string&>())) {
        return Refuse(path, "is an enum without a valid name");
    }
    if (!schema.contains("symbols") || !schema["symbols"].is_array()) {
        return Refuse(path, "is an enum without \"symbols\"");
    }
    for (const Json& symbol : schema["symbols"]) {
        if (!symbol.is_string() || !IsName(symbol.get_ref<const std::string&>())) {
            return Refuse(path, "has an enum symbol that is no name in Avro's sense");
        }
        type.symbols.push_back(symbol);
    }
    return type;
}

core::Status Compiler::SetUnit(const Json& schema, const std::string& path, Type& type) const {
    if (!schema.contains("logicalType")) {
        return core::Status::Ok();
    }
    struct Logical {
        const char* name;
        Kind kind;
        Unit unit;
    };
    static constexpr Logical kKnown[] = {
        {"uuid", Kind::kString, Unit::kNone},
        {"date", Kind::kInt, Unit::kDays},
        {"time-millis", Kind::kInt, Unit::kMillis},
        {"time-micros", Kind::kLong, Unit::kMicros},
        {"timestamp-millis", Kind::kLong, Unit::kMillis},
        {"timestamp-micros", Kind::kLong, Unit::kMicros},
        {"local-timestamp-millis", Kind::kLong, Unit::kMillis},
        {"local-timestamp-micros", Kind::kLong, Unit::kMicros},
        {"decimal", Kind::kBytes, Unit::kDecimal},
    };
    const auto* const found =
        std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Logical& logical) {
            return schema["logicalType"] == logical.name && type.kind == logical.kind;
        });
    if (found == std::end(kKnown)) {
        return Refuse(path, "has the logical type " + schema["logicalType"].dump() +
                                ", which is unknown or belongs to another type");
    }
    type.unit = found->unit;
    if (type.unit == Unit::kDecimal) {
        const Json scale = schema.value("scale", Json(0));
        if (!scale.is_number_integer() || scale.get<std::int64_t>() < 0 ||
            scale.get<std::int64_t>() > 16383) {
            return Refuse(path, "has a scale that is none");
        }
        type.scale = scale;
    }
    return core::Status::Ok();
}

core::Status Compiler::FindColumn(const Json& schema, const std::string& path, Field& field) const {
    const bool named = schema.contains("column");
    if (named && !schema["column"].is_string()) {
        return Refuse(path, "has a \"column\" that is no text");
    }
    if (relation_ == nullptr) {
        return core::Status::Ok();
    }
    const auto find = [this, &field](const std::string& name) {
        for (std::size_t i = 0; i < relation_->columns.size() && !field.column; ++i) {
            if (relation_->columns[i].name == name) {
                field.column = i;
            }
        }
    };
    find(named ? schema["column"].get<std::string>() : field.name);
    if (!named) {
        find(SnakeCase(field.name));
    }
    if (field.column) {
        return Describe(*relation_->columns[*field.column].type, path, field.type);
    }
    if (!field.type.nullable) {
        return Refuse(path,
                      "has no column in table \"" + relation_->schema + "." + relation_->name +
                          "\" and does not allow null",
                      "Name the column in the field's attribute \"column\", or let the field be "
                      "[\"null\", ...].");
    }
    return core::Status::Ok();
}

core::Status Compiler::Describe(const core::TypeDescription& column, const std::string& path,
                                Type& type) const {
    if (type.kind == Kind::kArray) {
        const core::TypeDescription& array = Undressed(column);
        if (array.kind != core::TypeKind::kArray || array.element == nullptr) {
            return Refuse(path, "is an array, its column is none");
        }
        type.delimiter = array.element->delimiter;
        return Describe(*array.element, path, *type.items);
    }
    type.form = FormOf(column);
    return core::Status::Ok();
}

}  // namespace

core::Result<Type> CompileRecord(const Json& schema, const core::RelationSchema* relation) {
    const bool record = schema.is_object() && schema.contains("type") &&
                        schema["type"] == "record" && schema.contains("name") &&
                        schema["name"].is_string();
    if (!record) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "Avro schema cannot be used: it is not a record with a name");
    }
    return Compiler(relation).Record(schema, schema["name"].get<std::string>(), 0);
}

bool IsName(std::string_view text) {
    return !text.empty() && IsAlpha(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return IsAlpha(c) || (c >= '0' && c <= '9'); });
}

}  // namespace bitvelocity::format::avro
