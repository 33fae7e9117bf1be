#include "pipeline/outbox.hpp"

#include <set>

#include <nlohmann/json.hpp>

#include "core/nearest.hpp"
#include "core/oids.hpp"
#include "pipeline/json_members.hpp"

namespace bitvelocity::pipeline {

namespace {

using nlohmann::json;

constexpr std::size_t kRoute = 0;
constexpr std::size_t kKey = 1;
constexpr std::size_t kPayload = 2;
constexpr std::size_t kId = 3;
constexpr std::size_t kType = 4;
constexpr std::size_t kHeaders = 5;

core::Status Invalid(std::string message, std::string hint = {}) {
    return core::Status::Fail(core::kInvalidParameter, std::move(message), {}, std::move(hint));
}

core::Status ReadHeaders(const json& value, OutboxOptions& options) {
    if (!value.is_array() && !value.is_object()) {
        return Invalid("option \"outbox.headers\" must be a list of columns, or an object of them");
    }
    for (const auto& [name, column] : value.items()) {
        if (!column.is_string()) {
            return Invalid("option \"outbox.headers\" must name columns");
        }
        const std::string text = column.get<std::string>();
        options.headers.emplace_back(value.is_array() ? text : name, text);
    }
    return core::Status::Ok();
}

int HexDigit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "\x0a1b" as bytea's output function prints it under the pinned settings.
bool AppendBytes(std::string& out, std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) {
        return false;
    }
    for (std::size_t i = 2; i < text.size(); i += 2) {
        const int high = HexDigit(text[i]);
        const int low = HexDigit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return true;
}

core::Status NoMessage(std::string_view sqlstate, const core::Change& change, std::string what) {
    std::string detail =
        change.relation != nullptr
            ? "Table \"" + change.relation->schema + "." + change.relation->name + "\""
            : "Logical message \"" + std::string(change.prefix) + "\"";
    detail += " at WAL position " + core::ToString(change.lsn) + ".";
    return core::Status::Poison(
        core::Status::Fail(sqlstate, std::move(what), std::move(detail),
                           "The option \"outbox\" says which columns make a message."));
}

}  // namespace

std::vector<std::string> OutboxOptions::RequiredColumns() const {
    std::vector<std::string> names{route, key, payload};
    if (id_named) {
        names.push_back(id);
    }
    if (type_named) {
        names.push_back(type);
    }
    for (const auto& [header, column] : headers) {
        names.push_back(column);
    }
    return names;
}

core::Result<OutboxOptions> ParseOutbox(const json& value) {
    static const std::set<std::string> kNames{"headers", "id",    "key",   "payload", "prefix",
                                              "route",   "table", "topic", "type"};
    OutboxOptions options;
    if (!value.is_object()) {
        return Invalid("option \"outbox\" must be an object");
    }
    for (const auto& [name, content] : value.items()) {
        if (!kNames.contains(name)) {
            return Invalid("unknown option \"outbox." + name + "\"",
                           core::NearestHint(name, kNames, "options"));
        }
        if (name == "headers") {
            core::Status status = ReadHeaders(content, options);
            if (!status.ok()) {
                return status;
            }
            continue;
        }
        if (!content.is_string() || content.get_ref<const std::string&>().empty()) {
            return Invalid("option \"outbox." + name + "\" must be a text that is not empty");
        }
        std::string& target = name == "table"     ? options.table
                              : name == "prefix"  ? options.prefix
                              : name == "topic"   ? options.topic
                              : name == "route"   ? options.route
                              : name == "key"     ? options.key
                              : name == "payload" ? options.payload
                              : name == "id"      ? options.id
                                                  : options.type;
        target = content.get<std::string>();
        options.id_named |= name == "id";
        options.type_named |= name == "type";
    }
    if (options.table.empty() == options.prefix.empty()) {
        return Invalid(
            "option \"outbox\" needs exactly one of \"table\" and \"prefix\"",
            "\"table\": \"schema.table\" for rows, \"prefix\": \"outbox\" for messages of "
            "pg_logical_emit_message.");
    }
    core::Status status = CheckOutboxTopic(options.topic);
    if (!status.ok()) {
        return status;
    }
    return options;
}

Outbox::Outbox(OutboxOptions options, const core::Source& source)
    : options_(std::move(options)), source_(source) {
    fields_.resize(kHeaders + options_.headers.size());
    fields_[kRoute].name = options_.route;
    fields_[kKey].name = options_.key;
    fields_[kPayload].name = options_.payload;
    fields_[kId].name = options_.id;
    fields_[kType].name = options_.type;
    fields_[kRoute].required = fields_[kKey].required = fields_[kPayload].required = true;
    fields_[kId].required = options_.id_named;
    fields_[kType].required = options_.type_named;
    for (std::size_t i = 0; i < options_.headers.size(); ++i) {
        fields_[kHeaders + i].name = options_.headers[i].second;
        fields_[kHeaders + i].required = true;
    }
}

core::Result<bool> Outbox::Read(const core::Change& change) {
    const bool message = change.relation == nullptr;
    if (!message && change.operation != core::Operation::kInsert &&
        change.operation != core::Operation::kRead) {
        return false;
    }
    core::Status status = message ? ReadContent(change) : ReadRow(change);
    if (status.ok()) {
        status = Fill(change);
    }
    if (!status.ok()) {
        return status;
    }
    return true;
}

core::Status Outbox::FindColumns(const core::RelationSchema& relation) {
    for (Field& field : fields_) {
        field.found = false;
        for (std::size_t i = 0; i < relation.columns.size(); ++i) {
            if (relation.columns[i].name == field.name) {
                field.found = true;
                field.column = i;
                field.bytes = relation.columns[i].type->oid == core::kByteaOid;
            }
        }
        if (!field.found && field.required) {
            return core::Status::Fail(
                core::kObjectNotInPrerequisiteState,
                "the outbox table has no column \"" + std::string(field.name) + "\"",
                "Table \"" + relation.schema + "." + relation.name + "\" was changed.",
                "Pass options that fit it to alter_stream.");
        }
    }
    relation_ = relation.oid;
    version_ = relation.version;
    return core::Status::Ok();
}

core::Status Outbox::ReadRow(const core::Change& change) {
    if (change.relation->oid != relation_ || change.relation->version != version_) {
        BV_RETURN_IF_ERROR(FindColumns(*change.relation));
    }
    for (Field& field : fields_) {
        if (field.found) {
            const core::Value& value = change.after[field.column];
            field.null = value.kind != core::ValueKind::kText;
            field.text = value.text;
        }
    }
    return core::Status::Ok();
}

core::Status Outbox::ReadContent(const core::Change& change) {
    for (Field& field : fields_) {
        JsonMember member;
        if (!FindJsonMember(change.content, field.name, member)) {
            return NoMessage(core::kInvalidText, change, "an outbox message is no JSON object");
        }
        if (!member.found && field.required) {
            return NoMessage(core::kInvalidText, change,
                             "an outbox message has no \"" + std::string(field.name) + "\"");
        }
        field.found = member.found;
        field.null = member.null;
        field.owned = std::move(member.text);
        field.text = field.owned;
    }
    return core::Status::Ok();
}

core::Status Outbox::Fill(const core::Change& change) {
    if (fields_[kRoute].null) {
        return NoMessage("22004", change, "the route of an outbox row is NULL");
    }
    auto topic = MakeOutboxTopic(options_.topic, source_, fields_[kRoute].text);
    if (!topic.ok()) {
        return core::Status::Poison(topic.TakeStatus());
    }
    message_.topic = std::move(*topic);
    message_.has_key = !fields_[kKey].null;
    message_.key.assign(fields_[kKey].text);
    message_.has_value = !fields_[kPayload].null;
    message_.value.clear();
    if (message_.has_value) {
        if (!fields_[kPayload].bytes) {
            message_.value.assign(fields_[kPayload].text);
        } else if (!AppendBytes(message_.value, fields_[kPayload].text)) {
            return NoMessage(core::kInvalidText, change, "an outbox payload has no hex form");
        }
    }
    message_.headers.clear();
    const auto add = [this](std::string_view name, const Field& field) {
        if (field.found && !field.null) {
            message_.headers.emplace_back(name, field.text);
        }
    };
    add("id", fields_[kId]);
    add("type", fields_[kType]);
    for (std::size_t i = 0; i < options_.headers.size(); ++i) {
        add(options_.headers[i].first, fields_[kHeaders + i]);
    }
    return core::Status::Ok();
}

}  // namespace bitvelocity::pipeline
