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
    std::vector<std::string> moved;  // as loaded: keys that NoteMovedRow told
    std::uint64_t rows_read = 0;
    std::uint64_t rows_sent = 0;
    std::uint64_t estimate = 0;  // of the rows to read, 0: unknown
};

// What is open, the oldest first. Makes a request of every table whose existing rows are pending.
std::vector<SnapshotRequest> LoadSnapshotRequests(std::int32_t stream_id);
// A row has this key now and its event is not whole: whoever goes on behind a chunk that was saved
// before that has to read it.
void NoteMovedRow(std::int64_t id, const std::string& key);
// What is done of it, the first `moved` of those keys included; `finished`: all.
void SaveSnapshotRequest(std::int32_t stream_id, const SnapshotRequest& request, std::size_t moved,
                         bool finished);
// It ends with an error, which is not the stream's.
void FailSnapshotRequest(std::int64_t id, const std::string& error);

}  // namespace bitvelocity::stream
