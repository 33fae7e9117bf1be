// SchemaEvent: what a stream says of a table whose definition changed (option schema_changes), as
// the event trigger wrote it into the WAL, with where it stands in front. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/change.hpp"

namespace bitvelocity::pipeline {

struct SchemaEvent {
    std::string_view key;  // of the change's content
    std::string value;     // JSON
};

// `change`: a message whose prefix is wal::kSchemaPrefix: the key, a zero byte, a JSON object.
[[nodiscard]] SchemaEvent MakeSchemaEvent(const core::Source& source, const core::Change& change);

}  // namespace bitvelocity::pipeline
