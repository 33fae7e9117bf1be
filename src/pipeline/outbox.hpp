// Outbox: rows of an insert-only table, or logical messages, that are messages already (option
// outbox).
//
//   "outbox": {"table": "public.outbox", "topic": "shop.{route}", "route": "aggregatetype",
//              "key": "aggregateid", "payload": "payload", "id": "id", "type": "type",
//              "headers": ["tenant"] or {"x-tenant": "tenant"}}
//   "outbox": {"prefix": "outbox", ...}   the members of a JSON object instead of columns
//
// The payload goes as it is (bytea: its bytes; NULL: a null value), key and topic come from
// columns, `id` and `type` become headers where they exist. What Debezium's outbox event router
// means, with its column names by default. Only inserts (and existing rows) are messages; what else
// happens to the table is not. Errors: 22023 for options, 55000 or 22004 for a row that cannot be a
// message. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/change.hpp"
#include "core/status.hpp"
#include "pipeline/topic.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

struct OutboxOptions {
    std::string table;   // "schema.table"; or
    std::string prefix;  // of logical messages
    std::string topic = "outbox.event.{route}";
    std::string route = "aggregatetype";
    std::string key = "aggregateid";
    std::string payload = "payload";
    std::string id = "id";
    std::string type = "type";
    bool id_named = false;  // by the options, so it must exist
    bool type_named = false;
    std::vector<std::pair<std::string, std::string>> headers;  // header, column

    // Columns that the table must have.
    [[nodiscard]] std::vector<std::string> RequiredColumns() const;
};

[[nodiscard]] core::Result<OutboxOptions> ParseOutbox(const nlohmann::json& value);

class Outbox {
  public:
    Outbox(OutboxOptions options, const core::Source& source);

    [[nodiscard]] bool IsTable(const core::RelationSchema& relation) const {
        return !options_.table.empty() && options_.table == relation.schema + "." + relation.name;
    }
    [[nodiscard]] bool IsMessage(std::string_view prefix) const {
        return !options_.prefix.empty() && options_.prefix == prefix;
    }

    struct Message {
        std::string topic;
        bool has_key = false;
        std::string key;
        bool has_value = false;
        std::string value;
        std::vector<std::pair<std::string_view, std::string>> headers;
    };
    // False: this change makes no message. Valid until the next call.
    core::Result<bool> Read(const core::Change& change);
    [[nodiscard]] const Message& message() const { return message_; }

  private:
    struct Field {
        std::string_view name;  // of the column
        bool required = false;
        bool found = false;
        bool null = false;
        bool bytes = false;  // bytea's text form
        std::string_view text;
        std::size_t column = 0;  // of the version below
        std::string owned;
    };

    core::Status FindColumns(const core::RelationSchema& relation);
    core::Status ReadRow(const core::Change& change);
    core::Status ReadContent(const core::Change& change);
    core::Status Fill(const core::Change& change);

    OutboxOptions options_;
    core::Source source_;
    std::vector<Field> fields_;  // route, key, payload, id, type, then the headers
    core::Oid relation_ = 0;
    std::uint32_t version_ = 0;
    Message message_;
};

}  // namespace bitvelocity::pipeline
