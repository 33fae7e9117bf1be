// Type: the record of an Avro schema, compiled for the columns of one relation.
//
// Whether a schema was derived from a table or given by the user, it is compiled here, so what can
// be written is decided in one place. A field takes its value from the column that its attribute
// "column" names, else from the one called like it, else from the one called like it in snake_case
// (orderId: order_id); a record inside the record has no column of its own, its fields do. A field
// without a column must allow null. Refused: maps, fixed, unions but of null and one other type,
// and logical types whose Avro type is another. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/schema.hpp"
#include "core/status.hpp"

namespace bitvelocity::format::avro {

enum class Kind : std::uint8_t {
    kBoolean,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kEnum,
    kArray,
    kRecord,
};

// What the number in an int, long or bytes counts.
enum class Unit : std::uint8_t { kNone, kDays, kMillis, kMicros, kDecimal };

// How the server prints the column.
enum class Form : std::uint8_t { kText, kNumber, kBool, kDate, kTime, kTimestamp, kMoney, kBytea };

struct Field;

struct Type {
    Kind kind = Kind::kString;
    Unit unit = Unit::kNone;
    Form form = Form::kText;
    std::int32_t scale = 0;  // kDecimal
    bool nullable = false;
    bool null_second = false;  // [T, "null"]
    char delimiter = ',';      // arrays
    std::vector<std::string> symbols;
    std::unique_ptr<Type> items;
    std::vector<Field> fields;
};

struct Field {
    std::string name;
    Type type;
    std::optional<std::size_t> column;  // nothing: a record, or always null
};

using Json = nlohmann::ordered_json;

// 22023 naming the field. Without a relation only the schema is judged, as an option is.
[[nodiscard]] core::Result<Type> CompileRecord(const Json& schema,
                                               const core::RelationSchema* relation);

// [A-Za-z_][A-Za-z0-9_]*, what Avro calls a name.
[[nodiscard]] bool IsName(std::string_view text);

}  // namespace bitvelocity::format::avro
