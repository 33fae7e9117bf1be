// Derive: the Avro schema of a table's rows and keys, made from its columns.
//
// Column types: boolean, int, long, float, double, bytes as they are; numeric(p,s) and money the
// logical type decimal; date, time-micros, timestamp-micros (timestamptz), local-timestamp-micros
// (timestamp), uuid; enums whose labels are names; arrays of all these; everything else string.
// Every field may be null, null by default, but the columns of the key: so a column added or
// dropped is a compatible change in both directions. A name that Avro does not allow is cleaned,
// the column's own stands in the attribute "column". Any thread.
#pragma once

#include <string>

#include "core/change.hpp"
#include "format/avro/type.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::avro {

struct Names {
    std::string space;   // namespace
    std::string record;  // the value's record
};
[[nodiscard]] Names MakeNames(const AvroOptions& options, const core::Source& source,
                              const core::RelationSchema* relation);

// A record `name` in `space` of the chosen columns, or of all.
[[nodiscard]] Json DeriveRecord(const core::RelationSchema& relation, const AvroOptions& options,
                                const std::string& space, const std::string& name,
                                const std::vector<std::size_t>* columns = nullptr);

// {"name": ..., "type": ["null", type], "default": null}
[[nodiscard]] Json Optional(std::string name, Json type);

}  // namespace bitvelocity::format::avro
