// Relations: the tables a stream has seen, built from Relation messages and type records.
//
// Every Relation message makes a new immutable RelationSchema with the next version of its oid; a
// type record directly behind it completes the newest one before any change refers to it. An old
// schema lives until its oid is described again. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/builtin_types.hpp"
#include "core/schema.hpp"
#include "core/status.hpp"
#include "wal/byte_reader.hpp"

namespace bitvelocity::wal {

struct Relation {
    core::RelationSchema schema;
    bool hidden = false;  // one of our own tables: counted, never handed out
};

class Relations {
  public:
    explicit Relations(std::string own_schema, std::uint32_t first_version = 1)
        : own_schema_(std::move(own_schema)), first_version_(first_version) {}

    // Both read the message after its tag; false: it is malformed.
    [[nodiscard]] bool ReadRelation(ByteReader& in);
    [[nodiscard]] bool ReadTypes(ByteReader& in);
    // Any other message ends the time in which a type record may follow.
    void Settle() { newest_ = nullptr; }

    // Null for an oid that was never described. Valid until the oid is described again.
    [[nodiscard]] const Relation* Find(core::Oid oid) {
        if (last_ != nullptr && last_->schema.oid == oid) [[likely]] {
            return last_;
        }
        return FindSlow(oid);
    }

  private:
    [[nodiscard]] const Relation* FindSlow(core::Oid oid);
    [[nodiscard]] core::TypePtr ReadType(ByteReader& in, int depth);

    std::string own_schema_;
    std::uint32_t first_version_;
    core::BuiltinTypes builtin_;
    std::unordered_map<core::Oid, std::unique_ptr<Relation>> relations_;
    const Relation* last_ = nullptr;  // most rows follow one of the same table
    Relation* newest_ = nullptr;
};

}  // namespace bitvelocity::wal
