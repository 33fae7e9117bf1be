// The `flat` format: the row as one JSON object, as to_jsonb prints it, keyed by the key columns.
//
// Meant for compacted topics and upserts: the last message per key is the row, a delete is a
// tombstone (null value), a key change is a tombstone under the old key, then the row under the new
// one. With flat.tombstones = false deletes and old keys send nothing. Columns whose unchanged
// TOAST value is not in the WAL are left out. A truncate and logical messages have no row and send
// nothing. A delete in a table without a key cannot be told and is an error (0A000).
#pragma once

#include <memory>

#include "format/encoder.hpp"
#include "format/options.hpp"

namespace bitvelocity::format {

[[nodiscard]] std::unique_ptr<Encoder> MakeFlatEncoder(const FlatOptions& options);

}  // namespace bitvelocity::format
