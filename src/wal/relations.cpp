#include "wal/relations.hpp"

#include <utility>

#include "wal/frame.hpp"

namespace bitvelocity::wal {

namespace {

constexpr std::uint8_t kKeyFlag = 1;         // pgoutput: LOGICALREP_IS_REPLICA_IDENTITY
constexpr std::uint8_t kNotNullFlag = 1;     // type record
constexpr std::uint8_t kPrimaryKeyFlag = 2;  // type record
constexpr std::uint8_t kNumberFlag = 4;      // type record
constexpr std::uint8_t kPlaceFlag = 8;       // type record
constexpr std::uint8_t kDefaultFlag = 16;    // type record

bool KnownIdentity(std::uint8_t value) {
    return value == 'd' || value == 'n' || value == 'f' || value == 'i';
}

bool KnownKind(std::uint8_t value) {
    return std::string_view("bcdermap").find(static_cast<char>(value)) != std::string_view::npos;
}

}  // namespace

bool Relations::ReadRelation(ByteReader& in) {
    newest_ = nullptr;
    auto relation = std::make_unique<Relation>();
    core::RelationSchema& schema = relation->schema;
    schema.oid = in.U32();
    schema.schema = in.Text();
    if (schema.schema.empty()) {
        schema.schema = "pg_catalog";  // pgoutput abbreviates it
    }
    schema.name = in.Text();
    const std::uint8_t identity = in.U8();
    const std::uint16_t count = in.U16();
    for (std::uint16_t i = 0; i < count && !in.failed(); ++i) {
        core::Column column;
        column.key = (in.U8() & kKeyFlag) != 0;
        column.name = in.Text();
        column.type = builtin_.Get(in.U32());
        column.typmod = static_cast<std::int32_t>(in.U32());
        schema.columns.push_back(std::move(column));
    }
    if (!in.complete() || !KnownIdentity(identity)) {
        return false;
    }
    schema.replica_identity = static_cast<core::ReplicaIdentity>(identity);
    relation->hidden = schema.schema == own_schema_;

    std::unique_ptr<Relation>& slot = relations_[schema.oid];
    schema.version = slot == nullptr ? first_version_ : slot->schema.version + 1;
    slot = std::move(relation);
    newest_ = slot.get();
    last_ = nullptr;
    return true;
}

bool Relations::ReadTypes(ByteReader& in) {
    Relation* relation = std::exchange(newest_, nullptr);
    if (relation == nullptr || in.U32() != relation->schema.oid ||
        in.U16() != relation->schema.columns.size()) {
        return false;
    }
    for (core::Column& column : relation->schema.columns) {
        const std::uint8_t flags = in.U8();
        if ((flags & kNumberFlag) != 0) {
            column.number = static_cast<std::int16_t>(in.U16());
        }
        if ((flags & kPlaceFlag) != 0) {
            column.key_place = in.U8();
        }
        if ((flags & kDefaultFlag) != 0) {
            column.default_expression = in.Text();
        }
        core::TypePtr type = ReadType(in, 0);
        if (type == nullptr) {
            return false;
        }
        column.not_null = (flags & kNotNullFlag) != 0;
        column.primary_key = (flags & kPrimaryKeyFlag) != 0;
        column.type = std::move(type);
    }
    return in.complete();
}

const Relation* Relations::FindSlow(core::Oid oid) {
    const auto found = relations_.find(oid);
    if (found == relations_.end()) {
        return nullptr;
    }
    last_ = found->second.get();
    return last_;
}

core::TypePtr Relations::ReadType(ByteReader& in, int depth) {
    if (depth > kMaxTypeDepth) {
        return nullptr;
    }
    auto type = std::make_shared<core::TypeDescription>();
    type->oid = in.U32();
    type->schema = in.Text();
    type->name = in.Text();
    const std::uint8_t kind = in.U8();
    type->category = static_cast<char>(in.U8());
    type->delimiter = static_cast<char>(in.U8());
    type->base_typmod = static_cast<std::int32_t>(in.U32());
    const bool has_element = in.U8() != 0;
    if (in.failed() || !KnownKind(kind)) {
        return nullptr;
    }
    type->kind = static_cast<core::TypeKind>(kind);
    if (has_element) {
        type->element = ReadType(in, depth + 1);
        if (type->element == nullptr) {
            return nullptr;
        }
    }
    const std::uint16_t labels = in.U16();
    for (std::uint16_t i = 0; i < labels && !in.failed(); ++i) {
        type->labels.emplace_back(in.Text());
    }
    const std::uint16_t attributes = in.U16();
    for (std::uint16_t i = 0; i < attributes && !in.failed(); ++i) {
        core::TypeAttribute attribute;
        attribute.name = in.Text();
        attribute.typmod = static_cast<std::int32_t>(in.U32());
        attribute.type = ReadType(in, depth + 1);
        if (attribute.type == nullptr) {
            return nullptr;
        }
        type->attributes.push_back(std::move(attribute));
    }
    return in.failed() ? nullptr : type;
}

}  // namespace bitvelocity::wal
