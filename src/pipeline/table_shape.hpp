// TableShape: what a stream's options say of one table, and what follows for one version of it.
//
//   "tables": {"public.customers": {"topic": "crm.{table}", "key_columns": ["tenant", "id"],
//              "exclude": ["notes"] or "include": [...], "filter": "tenant > 0",
//              "mask": {"email": "sha256", "phone": {"truncate": 4}, "iban": {"constant": "***"}}}}
//
// A column is meant by its name and by the attribute number it had when the options were given, a
// table likewise by name and OID: what is renamed later stays hidden. Errors: 22023 for options
// that are wrong, 55000 when a later version of the table no longer fits them. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/schema.hpp"
#include "core/status.hpp"

namespace bitvelocity::pipeline {

enum class MaskKind : std::uint8_t {
    kNone,
    kConstant,  // also in place of NULL
    kNull,
    kTruncate,  // to a number of characters
    kSha256,    // hexadecimal digest of salt and value
};

struct Mask {
    MaskKind kind = MaskKind::kNone;
    std::string constant;
    char category = 'S';  // of the constant, as pg_type.typcategory: S, N or B
    std::size_t length = 0;
};

struct TableShape {
    std::string table;  // "schema.table", as the options write it
    std::string topic;  // empty: the stream's
    std::vector<std::string> key_columns;
    std::vector<std::string> include;  // empty: all
    std::vector<std::string> exclude;
    std::map<std::string, Mask> masks;
    std::string filter;  // an SQL expression for the stream's own publication
    std::string text;    // the JSON it was read from

    // As of the time when the options were given; see ResolveShape.
    core::Oid relation = 0;
    std::map<std::string, std::int16_t> numbers;

    [[nodiscard]] std::vector<std::string> ColumnNames() const;
};

// The option `tables`; what does not apply to the sink is refused.
[[nodiscard]] core::Result<std::vector<TableShape>> ParseTableShapes(
    std::string_view sink, const std::string& options_json);

// Whether any value is hashed, so that a salt is needed.
[[nodiscard]] bool NeedsSalt(std::span<const TableShape> shapes);

// The shape of a table: by OID, else by name; null: it goes as it is.
[[nodiscard]] const TableShape* FindShape(std::span<const TableShape> shapes,
                                          const core::RelationSchema& relation);

struct ShapedColumn {
    std::size_t source = 0;  // index into the columns of the table
    Mask mask;
};

struct ShapePlan {
    core::RelationSchema relation;  // as the stream tells it
    std::vector<ShapedColumn> columns;
    // Every key column is in the old row that deletes carry; otherwise these cannot be sent.
    bool key_in_old_row = true;
    std::string missing_key;  // the first one that is not
};

// `naming`: the options are being given, so every column they name must exist; later a column may
// be gone, but not one that might have been renamed unseen.
[[nodiscard]] core::Result<ShapePlan> CompileShape(const TableShape& shape,
                                                   const core::RelationSchema& relation,
                                                   bool naming);

}  // namespace bitvelocity::pipeline
