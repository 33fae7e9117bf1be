// ChunkReader: rows of a table as pgoutput's bytes, read in a transaction of their own that is over
// when Read returns.
//
// A table with a key is read along it (the columns of its replica identity index, else of its
// primary key), one without by ranges of ctid, leaf by leaf. A chunk has at most `limit` rows that
// were looked at, or kChunkBytes. Rows are what the publications send: their columns, their row
// filters; the condition of a request is evaluated as the table's owner. Deliverer or reader, main
// thread, outside a transaction.
#pragma once

#include <cstdint>

#include "stream/definition.hpp"
#include "stream/model/chunk.hpp"
#include "stream/model/row_key.hpp"

namespace bitvelocity::stream {

inline constexpr std::size_t kChunkBytes = 8UL * 1024 * 1024;

class ChunkReader {
  public:
    ChunkReader(const Definition& definition, std::uint64_t limit)
        : definition_(definition), limit_(limit) {}

    // Inside a transaction: by what rows of the table are told apart.
    [[nodiscard]] model::RowKeys KeysOf(core::Oid relation) const;
    // kChunk, kNothing or kLater. Throws what reading raises.
    model::ReadOutcome Read(const model::ChunkOrder& order, model::Chunk* chunk);

  private:
    const Definition& definition_;
    std::uint64_t limit_;
};

}  // namespace bitvelocity::stream
