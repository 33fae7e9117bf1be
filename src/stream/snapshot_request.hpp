// SnapshotRequest: a row of bitvelocity.stream_snapshot that is not finished: whose rows are to be
// read, and how far that is. Deliverer, inside a transaction. Throws.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/schema.hpp"
#include "stream/model/chunk.hpp"

namespace bitvelocity::stream {

struct SnapshotRequest {
    std::int64_t id = 0;
    core::Oid relation = 0;
    std::string filter;  // empty: every row
    model::Place place;
    std::uint64_t rows_read = 0;
    std::uint64_t rows_sent = 0;
    std::uint64_t estimate = 0;  // of the rows to read, 0: unknown
};

// What is open, the oldest first. Makes a request of every table whose existing rows are pending.
std::vector<SnapshotRequest> LoadSnapshotRequests(std::int32_t stream_id);
// What is done of it; `finished`: all.
void SaveSnapshotRequest(std::int32_t stream_id, const SnapshotRequest& request, bool finished);
// It ends with an error, which is not the stream's.
void FailSnapshotRequest(std::int64_t id, const std::string& error);

}  // namespace bitvelocity::stream
