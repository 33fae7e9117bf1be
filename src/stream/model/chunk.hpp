// Chunk: what is asked of whoever reads a table's existing rows, and what comes back; both also as
// bytes, for a reader in another process. Rows are not among an answer's bytes: they may be many,
// and travel behind it. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.hpp"
#include "stream/model/row_key.hpp"

namespace bitvelocity::stream::model {

// How far a table is read: the key of the last row that is done, in the text form of the database's
// encoding; without a key the leaf's oid and the ctid. Empty: not begun.
struct Place {
    std::vector<std::string> columns;
    std::vector<std::string> values;
};

struct ChunkOrder {
    std::uint64_t number = 0;
    core::Oid relation = 0;
    std::string filter;  // empty: every row
    Place place;         // the rows behind it
    // Not the next rows, but those that have these keys now; the chunk's place means nothing, and
    // `last` that there was room for all.
    bool again = false;
    std::vector<std::string> keys;
    // Transactions that the snapshot must see for the chunk to be of use.
    std::vector<std::uint32_t> must_see;
};

struct Chunk {
    std::string snapshot;  // pg_snapshot's text form
    // Frames as the parser takes them, of position 0: what describes the table, the rows.
    std::string description;
    std::string rows;
    std::uint64_t read = 0;  // rows that were looked at
    Place place;             // behind the last of them
    bool last = false;       // there is nothing behind it
    RowKeys keys;
};

enum class ReadOutcome : std::uint8_t {
    kChunk,
    kNothing,  // the table is gone, or not published
    kLater,    // somebody has it locked, or what must be seen is not
    kFailed,   // with an error
    kLost,     // whoever read it is gone
};

struct ChunkAnswer {
    std::uint64_t number = 0;  // of the order
    ReadOutcome outcome = ReadOutcome::kLater;
    core::Error error;
    bool again = false;
    Chunk chunk;
};

[[nodiscard]] std::string Encode(const ChunkOrder& order);
[[nodiscard]] std::optional<ChunkOrder> DecodeOrder(std::string_view bytes);
// Of the rows only how many bytes they are.
[[nodiscard]] std::string Encode(const ChunkAnswer& answer);
[[nodiscard]] std::optional<ChunkAnswer> DecodeAnswer(std::string_view bytes,
                                                      std::uint64_t* rows_size);

}  // namespace bitvelocity::stream::model
