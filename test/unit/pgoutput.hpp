// Hand-built pgoutput messages, and handlers that keep deep copies of what they were given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/builtin_types.hpp"
#include "core/change.hpp"
#include "core/oids.hpp"
#include "format/encoder.hpp"
#include "wal/frame.hpp"
#include "wal/parser.hpp"

namespace bitvelocity::test {

inline constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;

inline std::string Int(std::uint64_t value, int bytes) {
    std::string out;
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(value >> shift));
    }
    return out;
}

inline std::string Text(std::string_view text) {
    return std::string(text) + '\0';
}

// A value of a tuple: text, NULL (nullopt) or unchanged.
struct Cell {
    enum Kind { kText, kNull, kUnchanged } kind;
    std::string text;

    Cell(const char* value) : kind(kText), text(value) {}             // NOLINT: implicit on purpose
    Cell(std::string value) : kind(kText), text(std::move(value)) {}  // NOLINT
    Cell(std::nullopt_t) : kind(kNull) {}                             // NOLINT
    Cell(Kind which) : kind(which) {}                                 // NOLINT
};
inline constexpr Cell::Kind kUnchanged = Cell::kUnchanged;

inline std::string TupleData(const std::vector<Cell>& cells) {
    std::string out = Int(cells.size(), 2);
    for (const Cell& cell : cells) {
        if (cell.kind == Cell::kText) {
            out += 't' + Int(cell.text.size(), 4) + cell.text;
        } else {
            out += cell.kind == Cell::kNull ? 'n' : 'u';
        }
    }
    return out;
}

inline std::string Begin(std::uint64_t final_lsn, std::int64_t unix_us, std::uint32_t xid) {
    return 'B' + Int(final_lsn, 8) +
           Int(static_cast<std::uint64_t>(unix_us - kPostgresEpochUs), 8) + Int(xid, 4);
}

inline std::string Commit(std::uint64_t commit_lsn, std::uint64_t end_lsn, std::int64_t unix_us) {
    return 'C' + Int(0, 1) + Int(commit_lsn, 8) + Int(end_lsn, 8) +
           Int(static_cast<std::uint64_t>(unix_us - kPostgresEpochUs), 8);
}

struct ColumnSpec {
    std::string name;
    core::Oid type = core::kTextOid;
    bool key = false;
    std::int32_t typmod = -1;
};

inline std::string Relation(core::Oid oid, std::string_view schema, std::string_view name,
                            char identity, const std::vector<ColumnSpec>& columns) {
    std::string out = 'R' + Int(oid, 4) + Text(schema) + Text(name) + identity;
    out += Int(columns.size(), 2);
    for (const ColumnSpec& column : columns) {
        out += Int(column.key ? 1 : 0, 1) + Text(column.name) + Int(column.type, 4) +
               Int(static_cast<std::uint32_t>(column.typmod), 4);
    }
    return out;
}

inline std::string Insert(core::Oid oid, const std::vector<Cell>& row) {
    return 'I' + Int(oid, 4) + 'N' + TupleData(row);
}

inline std::string Update(core::Oid oid, const std::vector<Cell>& row) {
    return 'U' + Int(oid, 4) + 'N' + TupleData(row);
}

// `kind`: K (key columns only) or O (the whole old row).
inline std::string Update(core::Oid oid, char kind, const std::vector<Cell>& old_row,
                          const std::vector<Cell>& row) {
    return 'U' + Int(oid, 4) + kind + TupleData(old_row) + 'N' + TupleData(row);
}

inline std::string Delete(core::Oid oid, char kind, const std::vector<Cell>& old_row) {
    return 'D' + Int(oid, 4) + kind + TupleData(old_row);
}

inline std::string Truncate(const std::vector<core::Oid>& oids) {
    std::string out = 'T' + Int(oids.size(), 4) + Int(0, 1);
    for (const core::Oid oid : oids) {
        out += Int(oid, 4);
    }
    return out;
}

inline std::string LogicalMessage(bool transactional, std::uint64_t lsn, std::string_view prefix,
                                  std::string_view content) {
    return 'M' + Int(transactional ? 1 : 0, 1) + Int(lsn, 8) + Text(prefix) +
           Int(content.size(), 4) + std::string(content);
}

inline std::string ContextMessage(std::uint64_t lsn, std::string_view secret,
                                  std::string_view actor, std::string_view correlation_id,
                                  std::string_view traceparent) {
    return LogicalMessage(true, lsn, wal::kContextPrefix,
                          Text(secret) + Text(actor) + Text(correlation_id) + Text(traceparent));
}

// One type of a type record.
inline std::string TypeBytes(const core::TypeDescription& type) {
    std::string out = Int(type.oid, 4) + Text(type.schema) + Text(type.name);
    out += static_cast<char>(type.kind);
    out += type.category;
    out += type.delimiter;
    out += Int(static_cast<std::uint32_t>(type.base_typmod), 4);
    out += Int(type.element == nullptr ? 0 : 1, 1);
    if (type.element != nullptr) {
        out += TypeBytes(*type.element);
    }
    out += Int(type.labels.size(), 2);
    for (const std::string& label : type.labels) {
        out += Text(label);
    }
    out += Int(type.attributes.size(), 2);
    for (const core::TypeAttribute& attribute : type.attributes) {
        out += Text(attribute.name) + Int(static_cast<std::uint32_t>(attribute.typmod), 4) +
               TypeBytes(*attribute.type);
    }
    return out;
}

struct TypedColumn {
    int flags = 0;  // 1 not null, 2 primary key; those of the other members are added
    core::TypePtr type;
    int key_place = 0;
    std::string default_expression = {};
};

inline std::string TypeRecord(core::Oid oid, const std::vector<TypedColumn>& columns) {
    std::string out = wal::kTypesTag + Int(oid, 4) + Int(columns.size(), 2);
    for (const TypedColumn& column : columns) {
        const int place = column.key_place > 0 ? 8 : 0;
        const int expression = column.default_expression.empty() ? 0 : 16;
        out += Int(static_cast<std::uint64_t>(column.flags | place | expression), 1);
        out += place == 0 ? "" : Int(static_cast<std::uint64_t>(column.key_place), 1);
        out += expression == 0 ? "" : Text(column.default_expression);
        out += TypeBytes(*column.type);
    }
    return out;
}

inline core::TypePtr MakeType(core::Oid oid, std::string name, core::TypeKind kind,
                              core::TypePtr element = nullptr) {
    auto type = std::make_shared<core::TypeDescription>();
    type->oid = oid;
    type->schema = "public";
    type->name = std::move(name);
    type->kind = kind;
    type->element = std::move(element);
    return type;
}

inline core::TypePtr Builtin(core::Oid oid) {
    core::BuiltinTypes types;
    return types.Get(oid);
}

// Parses a list of (lsn, message) and keeps what came out, in words.
class Recorder final : public wal::Handler {
  public:
    core::Status OnBegin(const core::Transaction& t) override {
        lines.push_back("begin " + std::to_string(t.xid) + " " + core::ToString(t.commit_lsn));
        begun = t;
        return Answer();
    }
    core::Status OnCommit(const core::Transaction& t) override {
        lines.push_back("commit " + core::ToString(t.end_lsn));
        return Answer();
    }
    core::Status OnProgress(core::Lsn lsn) override {
        lines.push_back("progress " + core::ToString(lsn));
        return Answer();
    }
    core::Status OnChange(const core::Change& c) override {
        std::string line(core::OperationName(c.operation));
        line += " " + std::to_string(c.identity.ordinal) + "." + std::to_string(c.identity.part) +
                "@" + core::ToString(c.lsn);
        if (c.relation != nullptr) {
            line += " " + c.relation->schema + "." + c.relation->name + "#" +
                    std::to_string(c.relation->version);
        } else {
            line += " " + std::string(c.prefix) + "=" + std::string(c.content);
        }
        if (!c.before.empty()) {
            line += (c.before_is_key ? " key" : " old") + Row(c.before);
        }
        if (!c.after.empty()) {
            line += " new" + Row(c.after);
        }
        if (c.context != nullptr && !c.context->empty()) {
            line += " by " + c.context->actor + "/" + c.context->correlation_id + "/" +
                    c.context->traceparent;
        }
        lines.push_back(std::move(line));
        return Answer();
    }

    std::vector<std::string> lines;
    core::Transaction begun;
    bool refuse = false;  // answer with an error

  private:
    static std::string Row(core::Tuple row) {
        std::string out = "(";
        for (const core::Value& value : row) {
            out += out.size() > 1 ? "," : "";
            out += value.kind == core::ValueKind::kText   ? std::string(value.text)
                   : value.kind == core::ValueKind::kNull ? "NULL"
                                                          : "?";
        }
        return out + ")";
    }
    core::Status Answer() const {
        return refuse ? core::Status::Fail(core::kQueryCanceled, "refused") : core::Status::Ok();
    }
};

inline core::Source TestSource() {
    return {.system_identifier = 7'312'345'678'901'234'567ULL,
            .database_oid = 16384,
            .database = "shop",
            .stream = "orders_stream",
            .epoch = 1};
}

// Keeps the messages of an encoder.
class Collector final : public format::MessageHandler {
  public:
    struct Kept {
        bool has_key;
        bool has_value;
        std::string key;
        std::string value;
        std::string headers;
        std::uint32_t part;
    };
    core::Status OnMessage(const format::Message& message) override {
        std::string headers;
        for (const format::MessageHeader& header : message.headers) {
            headers += headers.empty() ? "" : ";";
            headers += std::string(header.name) + "=" + std::string(header.value);
        }
        kept.push_back({message.has_key, message.has_value, std::string(message.key),
                        std::string(message.value), std::move(headers), message.part});
        return {};
    }
    std::vector<Kept> kept;
};

}  // namespace bitvelocity::test
