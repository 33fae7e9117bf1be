#include "pipeline/letter.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "format/json_writer.hpp"
#include "format/utf8.hpp"
#include "wal/byte_reader.hpp"
#include "wal/frame.hpp"

namespace bitvelocity::pipeline {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kKeyFlag = 1;
constexpr std::uint8_t kNotNullFlag = 2;
constexpr std::uint8_t kPrimaryKeyFlag = 4;

void PutU8(std::string& out, std::uint8_t value) {
    out.push_back(static_cast<char>(value));
}

template <typename T>
void Put(std::string& out, T value) {
    for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift));
    }
}

void PutText(std::string& out, std::string_view text) {
    Put(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
}

std::string_view TakeText(wal::ByteReader& in) {
    const std::uint32_t length = in.U32();
    return in.Bytes(length);
}

void PutType(std::string& out, const core::TypeDescription& type) {
    Put(out, type.oid);
    PutText(out, type.schema);
    PutText(out, type.name);
    PutU8(out, static_cast<std::uint8_t>(type.kind));
    PutU8(out, static_cast<std::uint8_t>(type.category));
    PutU8(out, static_cast<std::uint8_t>(type.delimiter));
    Put(out, static_cast<std::uint32_t>(type.base_typmod));
    PutU8(out, type.element != nullptr ? 1 : 0);
    if (type.element != nullptr) {
        PutType(out, *type.element);
    }
    Put(out, static_cast<std::uint32_t>(type.labels.size()));
    for (const std::string& label : type.labels) {
        PutText(out, label);
    }
    Put(out, static_cast<std::uint32_t>(type.attributes.size()));
    for (const core::TypeAttribute& attribute : type.attributes) {
        PutText(out, attribute.name);
        Put(out, static_cast<std::uint32_t>(attribute.typmod));
        PutType(out, *attribute.type);
    }
}

core::TypePtr TakeType(wal::ByteReader& in, int depth) {
    if (depth > wal::kMaxTypeDepth) {
        return nullptr;
    }
    auto type = std::make_shared<core::TypeDescription>();
    type->oid = in.U32();
    type->schema = TakeText(in);
    type->name = TakeText(in);
    type->kind = static_cast<core::TypeKind>(in.U8());
    type->category = static_cast<char>(in.U8());
    type->delimiter = static_cast<char>(in.U8());
    type->base_typmod = static_cast<std::int32_t>(in.U32());
    if (in.U8() != 0) {
        type->element = TakeType(in, depth + 1);
        if (type->element == nullptr) {
            return nullptr;
        }
    }
    const std::uint32_t labels = in.U32();
    for (std::uint32_t i = 0; i < labels && !in.failed(); ++i) {
        type->labels.emplace_back(TakeText(in));
    }
    const std::uint32_t attributes = in.U32();
    for (std::uint32_t i = 0; i < attributes && !in.failed(); ++i) {
        core::TypeAttribute attribute;
        attribute.name = TakeText(in);
        attribute.typmod = static_cast<std::int32_t>(in.U32());
        attribute.type = TakeType(in, depth + 1);
        if (attribute.type == nullptr) {
            return nullptr;
        }
        type->attributes.push_back(std::move(attribute));
    }
    return in.failed() ? nullptr : type;
}

void PutRelation(std::string& out, const core::RelationSchema& relation) {
    Put(out, relation.oid);
    PutText(out, relation.schema);
    PutText(out, relation.name);
    PutU8(out, static_cast<std::uint8_t>(relation.replica_identity));
    Put(out, static_cast<std::uint16_t>(relation.columns.size()));
    for (const core::Column& column : relation.columns) {
        PutText(out, column.name);
        Put(out, static_cast<std::uint32_t>(column.typmod));
        PutU8(out, static_cast<std::uint8_t>((column.key ? kKeyFlag : 0) |
                                             (column.not_null ? kNotNullFlag : 0) |
                                             (column.primary_key ? kPrimaryKeyFlag : 0)));
        Put(out, static_cast<std::uint16_t>(column.number));
        PutU8(out, column.key_place);
        PutText(out, column.default_expression);
        PutType(out, *column.type);
    }
    Put(out, static_cast<std::uint16_t>(relation.chosen_key.size()));
    for (const std::size_t column : relation.chosen_key) {
        Put(out, static_cast<std::uint16_t>(column));
    }
}

std::shared_ptr<const core::RelationSchema> TakeRelation(wal::ByteReader& in,
                                                         std::uint32_t version) {
    auto relation = std::make_shared<core::RelationSchema>();
    relation->version = version;
    relation->oid = in.U32();
    relation->schema = TakeText(in);
    relation->name = TakeText(in);
    relation->replica_identity = static_cast<core::ReplicaIdentity>(in.U8());
    const std::uint16_t columns = in.U16();
    for (std::uint16_t i = 0; i < columns && !in.failed(); ++i) {
        core::Column column;
        column.name = TakeText(in);
        column.typmod = static_cast<std::int32_t>(in.U32());
        const std::uint8_t flags = in.U8();
        column.key = (flags & kKeyFlag) != 0;
        column.not_null = (flags & kNotNullFlag) != 0;
        column.primary_key = (flags & kPrimaryKeyFlag) != 0;
        column.number = static_cast<std::int16_t>(in.U16());
        column.key_place = in.U8();
        column.default_expression = TakeText(in);
        column.type = TakeType(in, 0);
        if (column.type == nullptr) {
            return nullptr;
        }
        relation->columns.push_back(std::move(column));
    }
    const std::uint16_t keys = in.U16();
    for (std::uint16_t i = 0; i < keys && !in.failed(); ++i) {
        relation->chosen_key.push_back(in.U16());
        if (relation->chosen_key.back() >= relation->columns.size()) {
            return nullptr;
        }
    }
    return in.failed() ? nullptr : relation;
}

void PutTuple(std::string& out, core::Tuple tuple) {
    Put(out, static_cast<std::uint16_t>(tuple.size()));
    for (const core::Value& value : tuple) {
        PutU8(out, static_cast<std::uint8_t>(value.kind));
        if (value.kind == core::ValueKind::kText) {
            PutText(out, value.text);
        }
    }
}

bool TakeTuple(wal::ByteReader& in, std::size_t width, std::vector<core::Value>& tuple) {
    const std::uint16_t count = in.U16();
    for (std::uint16_t i = 0; i < count && !in.failed(); ++i) {
        core::Value value;
        value.kind = static_cast<core::ValueKind>(in.U8());
        if (value.kind > core::ValueKind::kText) {
            return false;
        }
        if (value.kind == core::ValueKind::kText) {
            value.text = TakeText(in);
        }
        tuple.push_back(value);
    }
    return !in.failed() && (count == 0 || count == width);
}

core::Status Unreadable() {
    return core::Status::Fail(core::kObjectNotInPrerequisiteState,
                              "the dead letter is not of a form that this release reads");
}

bool IsPlainText(std::string_view text) {
    return format::IsUtf8(text) && text.find('\0') == std::string_view::npos;
}

// An object of the columns that the tuple tells.
void WriteTuple(format::JsonWriter& out, const core::Change& change, core::Tuple tuple,
                bool keys_only) {
    if (tuple.empty()) {
        out.Null();
        return;
    }
    const std::size_t start = out.size();
    for (std::size_t i = 0; i < tuple.size() && i < change.relation->columns.size(); ++i) {
        const core::Column& column = change.relation->columns[i];
        if (tuple[i].kind == core::ValueKind::kUnchanged || (keys_only && !column.key)) {
            continue;
        }
        out.Raw(',');
        out.String(column.name);
        out.Raw(':');
        if (tuple[i].kind == core::ValueKind::kText) {
            out.String(tuple[i].text);
        } else {
            out.Null();
        }
    }
    out.CloseObject(start);
}

}  // namespace

std::string IdentityText(const core::Identity& identity) {
    std::string text = std::to_string(identity.source != nullptr ? identity.source->epoch : 0);
    text += ':';
    core::AppendLsn(text, identity.commit_lsn);
    text += ':' + std::to_string(identity.xid) + ':' + std::to_string(identity.ordinal) + ':' +
            std::to_string(identity.part);
    return text;
}

std::string ChangeJson(const core::Change& change) {
    format::JsonWriter out;
    if (change.relation == nullptr) {
        // jsonb has no zero byte.
        const bool text = IsPlainText(change.content);
        out.Raw("{\"prefix\":");
        out.String(change.prefix);
        out.Raw(text ? ",\"content\":\"" : ",\"content_base64\":\"");
        text ? out.Escaped(change.content) : out.Base64(change.content);
        out.Raw("\"}");
        return out.invalid_utf8() ? "null" : std::string(out.view());
    }
    out.Raw("{\"before\":");
    WriteTuple(out, change, change.before, change.before_is_key);
    out.Raw(",\"before_is_key\":");
    out.Bool(change.before_is_key);
    out.Raw(",\"after\":");
    WriteTuple(out, change, change.after, false);
    out.Raw(",\"unchanged\":[");
    bool first = true;
    for (std::size_t i = 0; i < change.after.size(); ++i) {
        if (change.after[i].kind == core::ValueKind::kUnchanged) {
            out.Raw(first ? "" : ",");
            first = false;
            out.String(change.relation->columns[i].name);
        }
    }
    out.Raw("]}");
    return out.invalid_utf8() ? "null" : std::string(out.view());
}

std::string ReadableText(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = format::Utf8SequenceLength(text);
        if (length == 0 || text.front() == '\0') {
            out.push_back('?');
        } else {
            out.append(text.substr(0, length));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string KeyText(std::string_view key) {
    constexpr char kHex[] = "0123456789abcdef";
    if (IsPlainText(key)) {
        return std::string(key);
    }
    std::string out = "\\x";
    for (const char c : key) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(kHex[byte >> 4]);
        out.push_back(kHex[byte & 15]);
    }
    return out;
}

std::string WriteLetter(const core::Change& change, const TableShape* shape) {
    std::string out;
    PutU8(out, kVersion);
    PutText(out, shape != nullptr ? std::string_view(shape->text) : std::string_view());
    PutU8(out, change.relation != nullptr ? 1 : 0);
    if (change.relation != nullptr) {
        PutRelation(out, *change.relation);
    }
    PutU8(out, static_cast<std::uint8_t>(change.operation));
    Put(out, change.identity.commit_lsn.value);
    Put(out, change.identity.xid);
    Put(out, change.identity.ordinal);
    Put(out, change.identity.part);
    Put(out, change.lsn.value);
    Put(out, static_cast<std::uint64_t>(change.commit_time_us));
    PutU8(out, change.before_is_key ? 1 : 0);
    PutTuple(out, change.before);
    PutTuple(out, change.after);
    const core::Context context = change.context != nullptr ? *change.context : core::Context{};
    PutText(out, context.actor);
    PutText(out, context.correlation_id);
    PutText(out, context.traceparent);
    PutText(out, change.prefix);
    PutText(out, change.content);
    PutU8(out, change.transactional ? 1 : 0);
    return out;
}

core::Result<ReadLetterResult> ReadLetter(std::string_view bytes, std::uint32_t version,
                                          const core::Source* source) {
    wal::ByteReader in(bytes);
    if (in.U8() != kVersion) {
        return Unreadable();
    }
    ReadLetterResult result;
    result.shape = TakeText(in);
    std::shared_ptr<const core::RelationSchema> relation;
    if (in.U8() != 0) {
        relation = TakeRelation(in, version);
        if (relation == nullptr) {
            return Unreadable();
        }
    }
    core::Change change;
    change.relation = relation.get();
    change.operation = static_cast<core::Operation>(in.U8());
    change.identity.source = source;
    change.identity.commit_lsn.value = in.U64();
    change.identity.xid = in.U32();
    change.identity.ordinal = in.U64();
    change.identity.part = in.U32();
    change.lsn.value = in.U64();
    change.commit_time_us = static_cast<std::int64_t>(in.U64());
    change.before_is_key = in.U8() != 0;
    std::vector<core::Value> before;
    std::vector<core::Value> after;
    const std::size_t width = relation != nullptr ? relation->columns.size() : 0;
    if (!TakeTuple(in, width, before) || !TakeTuple(in, width, after)) {
        return Unreadable();
    }
    change.before = before;
    change.after = after;
    core::Context context;
    context.actor = TakeText(in);
    context.correlation_id = TakeText(in);
    context.traceparent = TakeText(in);
    change.context = &context;
    change.prefix = TakeText(in);
    change.content = TakeText(in);
    change.transactional = in.U8() != 0;
    if (!in.complete()) {
        return Unreadable();
    }
    result.event = std::make_unique<core::OwnedChange>(change, std::move(relation), source);
    return result;
}

}  // namespace bitvelocity::pipeline
