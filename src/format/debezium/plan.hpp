// What one version of a relation contributes to its Debezium messages, as bytes made once.
#pragma once

#include <string>
#include <vector>

#include "core/change.hpp"
#include "format/debezium/value.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::debezium {

struct ColumnPlan {
    std::string prefix;  // `,"name":`
    ValuePlan value;
};

struct Plan {
    std::vector<ColumnPlan> columns;
    std::vector<std::size_t> key;
    bool names_valid = true;
    std::string key_head;    // empty, or `{"schema":{...},"payload":`
    std::string value_head;  // the same of the envelope
    std::string source_end;  // `,"schema":"public","table":"orders","txId":`
};

[[nodiscard]] Plan MakePlan(const core::RelationSchema& relation, const DebeziumOptions& options);

}  // namespace bitvelocity::format::debezium
