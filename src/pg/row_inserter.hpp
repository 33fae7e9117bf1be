// RowInserter: one row now and then into one table, where opening the table for each row would cost
// far more than the row: what it found out about the leaf (columns, bounds, indexes) is kept across
// rows, statements and transactions until something about the table changes.
//
// Serves plain cases only: a heap table, or a leaf of a table partitioned by RANGE over one date,
// time or number, without defaults, generated columns or CHECKs on other columns than those given,
// with btree indexes over columns of built-in types and enums, whose predicates only ask IS [NOT]
// NULL. So no code of a user runs, and the caller need not have pinned its search_path. Everything
// else is left to TableWriter, by the answer false. Leaves out what TableWriter leaves out:
// triggers, row security, privileges. Between two rows nothing is open, so DDL in the same
// transaction is not in the way; locks (RowExclusiveLock) stay to the end. Main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "pg/table_writer.hpp"

namespace bitvelocity::pg {

class RowInserter {
  public:
    // `columns` must outlive the inserter.
    RowInserter(std::uint32_t relation, std::span<const WriterColumn> columns);
    ~RowInserter() noexcept;
    RowInserter(const RowInserter&) = delete;
    RowInserter& operator=(const RowInserter&) = delete;

    // One Datum and one flag per column. Seen by the next command of the transaction, and by
    // queries of triggers. False: nothing was written, the table or the row is not a plain case.
    [[nodiscard]] bool Insert(const std::uintptr_t* values, const bool* nulls);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bitvelocity::pg
