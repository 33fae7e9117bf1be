// BronzeWriter: core::Change -> rows of one bronze table.
//
// Every JSON value equals to_jsonb of the row under the settings that the process pins (DateStyle
// ISO, IntervalStyle postgres, TimeZone UTC, extra_float_digits 3, bytea_output hex, lc_monetary C,
// search_path pg_catalog, UTF8). A key that is missing in raw_payload of an UPDATE is a TOASTed
// value that the update left alone (it is filled in where the row before it is known). Acts as the
// owner of the bronze table by itself, whatever the caller is. One writer per table and
// transaction; after an exception the transaction must be aborted. Main thread, with an active
// snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/change.hpp"

namespace bitvelocity::trail {

class BronzeWriter {
  public:
    // Opens the table (RowExclusiveLock); throws 55000 where it is no bronze table.
    explicit BronzeWriter(std::uint32_t bronze);
    ~BronzeWriter() noexcept;
    BronzeWriter(const BronzeWriter&) = delete;
    BronzeWriter& operator=(const BronzeWriter&) = delete;

    // LockSequence of this table; must precede the first Write.
    void Lock();
    // One row; flushes by itself when a batch is full. kMessage changes are refused.
    void Write(const core::Change& change);
    void Flush();
    // Rows written since construction, and the last sequence number drawn (0: none).
    [[nodiscard]] std::uint64_t rows() const;
    [[nodiscard]] std::int64_t last_sequence() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bitvelocity::trail
