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
    std::string default_value;  // in the schema part; empty: none
    bool identity = false;      // a before image of the key alone tells it
    std::string untold;         // what stands there otherwise
};

struct Plan {
    std::vector<ColumnPlan> columns;
    std::vector<std::size_t> key;  // in the order of the key's index
    // How the key's columns are written as a header; empty: as in the key's payload.
    std::vector<ValuePlan> header;
    bool names_valid = true;
    std::string key_head;    // empty, or `{"schema":{...},"payload":`
    std::string value_head;  // the same of the envelope
    std::string source_end;  // `,"schema":"public","table":"orders","txId":`
};

// The same for logical messages.
struct MessagePlan {
    std::string key_head;
    std::string value_head;
    std::string end;    // closes the payload, and with schemas what is around it
    ValuePlan content;  // of the bytes as they are
};

[[nodiscard]] MessagePlan MakeMessagePlan(const DebeziumOptions& options);

[[nodiscard]] Plan MakePlan(const core::RelationSchema& relation, const DebeziumOptions& options);

}  // namespace bitvelocity::format::debezium
