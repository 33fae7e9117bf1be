// Plan: what one version of a relation contributes to its Avro messages: schemas, compiled once.
//
// Any thread; the ids are filled in by the encoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/change.hpp"
#include "format/avro/schema_ids.hpp"
#include "format/avro/type.hpp"
#include "format/options.hpp"
#include "format/row_plan.hpp"

namespace bitvelocity::format::avro {

struct Schema {
    std::string record;  // full name
    std::string text;    // JSON
    Type type;           // of the columns
    std::optional<std::uint32_t> id;
};

struct Plan {
    std::optional<core::Error> error;  // no message about this relation can be made
    Schema value;                      // in the envelope: the row's type
    Schema key;
    std::vector<std::size_t> key_columns;
    RowPlan json_key;  // avro.key = json
    bool extras = false;
    bool names_valid = true;
};

[[nodiscard]] Plan MakePlan(const AvroOptions& options, const core::Source& source,
                            const core::RelationSchema& relation);
// Of logical messages; only the value's record, text and id count.
[[nodiscard]] Plan MakeMessagePlan(const AvroOptions& options, const core::Source& source);

}  // namespace bitvelocity::format::avro
