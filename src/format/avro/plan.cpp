#include "format/avro/plan.hpp"

#include "format/avro/derive.hpp"
#include "format/avro/encoder.hpp"
#include "format/avro/row.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::avro {

namespace {

Json Metadata(const std::string& space) {
    Json fields = Json::parse(R"([
        {"name": "database", "type": "string"},
        {"name": "schema", "type": ["null", "string"], "default": null},
        {"name": "table", "type": ["null", "string"], "default": null},
        {"name": "timestamp",
         "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": null},
        {"name": "transaction_id", "type": ["null", "long"], "default": null},
        {"name": "lsn", "type": "string"},
        {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "epoch", "type": "int"},
        {"name": "commit_lsn", "type": "string"},
        {"name": "ordinal", "type": "long"},
        {"name": "part", "type": "int"},
        {"name": "actor", "type": ["null", "string"], "default": null},
        {"name": "correlation_id", "type": ["null", "string"], "default": null},
        {"name": "traceparent", "type": ["null", "string"], "default": null}])");
    return {{"type", "record"}, {"name", "Metadata"}, {"namespace", space}, {"fields", fields}};
}

Json Envelope(const Names& names, const std::string& inner, const Json& row) {
    Json fields = Json::array();
    fields.push_back({{"name", "operation"}, {"type", "string"}});
    fields.push_back(Optional("before", row));
    fields.push_back(Optional("after", inner + ".Row"));
    fields.push_back({{"name", "metadata"}, {"type", Metadata(inner)}});
    return {
        {"type", "record"}, {"name", names.record}, {"namespace", names.space}, {"fields", fields}};
}

// Avro does not allow an enum without a name, though documents show some: it gets its field's, with
// a capital.
void NameEnums(Json& schema) {
    if (schema.is_array()) {
        for (Json& each : schema) {
            NameEnums(each);
        }
    }
    if (!schema.is_object()) {
        return;
    }
    if (schema.contains("name") && schema["name"].is_string() && schema.contains("type")) {
        std::string name = schema["name"];
        Json* type = &schema["type"];
        if (type->is_array() && type->size() == 2) {
            type = &(*type)[(*type)[0] == "null" ? 1 : 0];
        }
        if (!name.empty() && type->is_object() && type->value("type", Json()) == "enum" &&
            !type->contains("name")) {
            name[0] =
                name[0] >= 'a' && name[0] <= 'z' ? static_cast<char>(name[0] - 'a' + 'A') : name[0];
            (*type)["name"] = name;
        }
    }
    for (auto& [key, value] : schema.items()) {
        if (key == "fields" || key == "type" || key == "items") {
            NameEnums(value);
        }
    }
}

Json Given(const std::string& text) {
    Json schema = Json::parse(text, nullptr, false);
    NameEnums(schema);
    return schema;
}

std::string FullName(const std::string& space, const std::string& name) {
    return space.empty() ? name : space + "." + name;
}

}  // namespace

Plan MakePlan(const AvroOptions& options, const core::Source& source,
              const core::RelationSchema& relation) {
    Plan plan;
    plan.names_valid = NamesAreUtf8(relation);
    if (!plan.names_valid) {
        return plan;
    }
    Names names = MakeNames(options, source, &relation);
    const auto given = options.schemas.find(relation.schema + "." + relation.name);
    Json row;
    if (given != options.schemas.end()) {
        row = Given(given->second);
        names.record = row.value("name", names.record);
        names.space = row.value("namespace", std::string());
    }
    const std::string inner = FullName(names.space, names.record);
    const bool derived = given == options.schemas.end();
    if (derived) {
        const bool flat = options.flat;
        row = DeriveRecord(relation, options, flat ? names.space : inner,
                           flat ? names.record : "Row");
    }
    auto type = CompileRecord(row, &relation);
    if (!type.ok()) {
        plan.error = type.TakeStatus().TakeError();
        return plan;
    }
    plan.value.type = std::move(*type);
    plan.extras = derived && options.extra_fields;
    if (plan.extras) {
        for (const Json& field : ExtraFields()) {
            row["fields"].push_back(field);
        }
    }
    plan.value.record = inner;
    plan.value.text = (options.flat ? row : Envelope(names, inner, row)).dump();

    plan.key_columns = relation.KeyColumns();
    if (plan.key_columns.empty()) {
        return plan;
    }
    if (options.json_key) {
        plan.json_key = MakeRowPlan(relation);
        return plan;
    }
    const Json key = DeriveRecord(relation, options, inner, "Key", &plan.key_columns);
    auto key_type = CompileRecord(key, &relation);
    if (!key_type.ok()) {
        plan.error = key_type.TakeStatus().TakeError();
        return plan;
    }
    plan.key.type = std::move(*key_type);
    plan.key.record = inner + ".Key";
    plan.key.text = key.dump();
    return plan;
}

Plan MakeMessagePlan(const AvroOptions& options, const core::Source& source) {
    Plan plan;
    const Names names = MakeNames(options, source, nullptr);
    const std::string inner = FullName(names.space, names.record);
    Json fields = Json::array();
    fields.push_back({{"name", "prefix"}, {"type", "string"}});
    fields.push_back({{"name", "content"}, {"type", "bytes"}});
    fields.push_back({{"name", "metadata"}, {"type", Metadata(inner)}});
    const Json schema = {
        {"type", "record"}, {"name", names.record}, {"namespace", names.space}, {"fields", fields}};
    plan.value.record = inner;
    plan.value.text = schema.dump();
    return plan;
}

core::Status CheckGivenSchema(const std::string& table, const std::string& schema) {
    auto compiled = CompileRecord(Given(schema), nullptr);
    if (compiled.ok()) {
        return core::Status::Ok();
    }
    core::Error error = compiled.TakeStatus().TakeError();
    error.detail = "It is given for table \"" + table + "\" in the option \"avro.schemas\".";
    return core::Status(std::move(error));
}

}  // namespace bitvelocity::format::avro
