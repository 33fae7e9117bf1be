// The `event` format: {schema, payload, metadata}, one message per change.
//
// payload is the row as to_jsonb prints it (null for DELETE and TRUNCATE), metadata says what
// happened to it: operation, source (table), timestamp (commit, UTC), transaction_id, lsn,
// event_id, schema (of the table), database, epoch, commit_lsn, ordinal, part, actor,
// correlation_id, traceparent; where known `before` (the old row, or its key columns), and
// `unchanged`: the columns that payload leaves out because the update did not touch them and the
// WAL does not hold them. A key change is one message under the new key; its `before` holds the old
// one. Numbers stay exact. Without event.schema = inline the member `schema` is missing.
#pragma once

#include <memory>

#include "format/encoder.hpp"
#include "format/options.hpp"

namespace bitvelocity::format {

[[nodiscard]] std::unique_ptr<Encoder> MakeEventEncoder(const EventOptions& options,
                                                        const core::Source& source);

}  // namespace bitvelocity::format
