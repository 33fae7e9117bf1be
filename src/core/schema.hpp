// RelationSchema: what a change knows of its table, as of the change's position in the WAL.
//
// Built from pgoutput's Relation message and the type record that the decoder appends to it (see
// wal/frame.hpp), both read under the historic snapshot; never looked up later. Immutable once
// built.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bitvelocity::core {

using Oid = std::uint32_t;

// pg_type.typtype, reduced to what an encoder has to tell apart.
enum class TypeKind : std::uint8_t {
    kBase = 'b',
    kComposite = 'c',
    kDomain = 'd',
    kEnum = 'e',
    kRange = 'r',
    kMultirange = 'm',
    kArray = 'a',  // a true array (typsubscript = array_subscript_handler), not in pg_type.typtype
    kPseudo = 'p',
};

struct TypeDescription;
using TypePtr = std::shared_ptr<const TypeDescription>;

struct TypeAttribute {
    std::string name;
    TypePtr type;
    std::int32_t typmod = -1;
};

struct TypeDescription {
    Oid oid = 0;
    std::string schema;
    std::string name;  // pg_type.typname, unquoted
    TypeKind kind = TypeKind::kBase;
    char category = 'U';                    // pg_type.typcategory
    char delimiter = ',';                   // pg_type.typdelim
    std::int32_t base_typmod = -1;          // domains: pg_type.typtypmod
    TypePtr element;                        // arrays: element; domains: base type; ranges: subtype
    std::vector<std::string> labels;        // enums, in enumsortorder
    std::vector<TypeAttribute> attributes;  // composites, dropped ones left out
};

struct Column {
    std::string name;
    TypePtr type;  // never null
    std::int32_t typmod = -1;
    bool key = false;  // part of the replica identity
    bool not_null = false;
    bool primary_key = false;
    std::int16_t number = 0;  // pg_attribute.attnum, the same after a rename; 0: unknown
    // From 1, in the order of the primary key's index, without one of the replica identity's; 0:
    // not part of it, or unknown.
    std::uint8_t key_place = 0;
    // Of its default, as pg_get_expr prints it (names outside pg_catalog are qualified); empty:
    // none, unknown, or a generated column.
    std::string default_expression{};
};

// pg_class.relreplident
enum class ReplicaIdentity : std::uint8_t {
    kDefault = 'd',
    kNothing = 'n',
    kFull = 'f',
    kIndex = 'i',
};

struct RelationSchema {
    Oid oid = 0;
    std::string schema;
    std::string name;
    ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
    std::vector<Column> columns;
    // Raised with every new Relation message for the same oid: caches keyed by (oid, version) are
    // exact.
    std::uint32_t version = 0;
    // What the stream's options made the key, instead of what the table has; empty: nothing.
    std::vector<std::size_t> chosen_key;

    // Columns that identify a row: chosen_key, else the replica identity where it is a key, else
    // the primary key, else empty (a table without a key; with REPLICA IDENTITY FULL every column
    // is marked `key`).
    [[nodiscard]] std::vector<std::size_t> KeyColumns() const;
};

}  // namespace bitvelocity::core
