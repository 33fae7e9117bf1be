// ChunkReader: the next rows of a table as pgoutput's bytes, read in a transaction of their own
// that is over when Read returns.
//
// A table with a key is read along it (the columns of its replica identity index, else of its
// primary key), one without by ranges of ctid, leaf by leaf. A chunk has at most `limit` rows that
// were looked at, or kChunkBytes. Rows are what the publications send: their columns, their row
// filters; the condition of a request is evaluated as the table's owner. Deliverer, main thread,
// outside a transaction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/schema.hpp"
#include "stream/definition.hpp"
#include "stream/model/chunk_window.hpp"
#include "stream/model/row_key.hpp"
#include "stream/snapshot_request.hpp"

namespace bitvelocity::stream {

inline constexpr std::size_t kChunkBytes = 8UL * 1024 * 1024;

struct Chunk {
    std::string snapshot;  // pg_snapshot's text form
    // Frames as the parser takes them, of position 0: what describes the table, the rows.
    std::string description;
    std::string rows;
    std::uint64_t sent = 0;  // rows in `rows`
    std::uint64_t read = 0;  // rows that were looked at
    Place place;             // behind the last of them
    bool last = false;       // there is nothing behind it
    model::RowKeys keys;
};

enum class ReadOutcome : std::uint8_t {
    kChunk,
    kNothing,  // the table is gone, or not published
    kLater,    // somebody has it locked, or its window is not settled
};

class ChunkReader {
  public:
    ChunkReader(const Definition& definition, std::uint64_t limit)
        : definition_(definition), limit_(limit) {}

    // Inside a transaction: by what rows of the table are told apart.
    [[nodiscard]] model::RowKeys KeysOf(core::Oid relation) const;
    // The rows behind the request's place. Throws what reading raises.
    ReadOutcome Next(const SnapshotRequest& request, const model::ChunkWindow& window,
                     Chunk* chunk);
    // The rows that have these keys now; the chunk's place means nothing.
    ReadOutcome Again(const SnapshotRequest& request, const std::vector<std::string>& keys,
                      const model::ChunkWindow& window, Chunk* chunk);

  private:
    ReadOutcome Read(const SnapshotRequest& request, const std::vector<std::string>* keys,
                     const model::ChunkWindow& window, Chunk* chunk);

    const Definition& definition_;
    std::uint64_t limit_;
};

}  // namespace bitvelocity::stream
