// The `debezium` format: the envelope of Debezium's PostgreSQL connector 3.4.0, field for field.
//
// {before, after, source, transaction, op, ts_ms, ts_us, ts_ns}, keyed by an object of the key
// columns; a tombstone after each delete; a key change is a delete and a tombstone under the old
// key and a create under the new one, with the headers __debezium.newkey and __debezium.oldkey; the
// unavailable-value placeholder for TOAST that is not in the WAL; op t, m, r. With debezium.schemas
// key and value become {schema, payload}. What differs, and why: test/debezium/differences.
#pragma once

#include <memory>

#include "format/encoder.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::debezium {

[[nodiscard]] std::unique_ptr<Encoder> MakeDebeziumEncoder(const DebeziumOptions& options,
                                                           const core::Source& source,
                                                           core::Lsn start);

}  // namespace bitvelocity::format::debezium
