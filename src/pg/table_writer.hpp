// TableWriter: many rows into one table, faster than a statement: multi-insert into the leaf they
// belong to, with defaults, generated columns, NOT NULL, CHECK and every index.
//
// What it leaves out, on purpose: triggers (the tables it serves are written by the server alone;
// foreign keys are triggers, too), row security and privileges. The rows are given as a list of
// named columns; what else the table has gets its default. AddRow only collects and runs no code of
// a user; Flush does everything else and belongs inside an OwnerScope. A writer lives within one
// transaction and one (sub)transaction level; its lock (RowExclusiveLock) stays to the end. After
// an exception it is only good for destruction. Main thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

struct MemoryContextData;

namespace bitvelocity::pg {

struct WriterColumn {
    const char* name;    // a literal, or as long-lived as the writer
    std::uint32_t type;  // what the values are; another type of the column is refused (42804)
};

class TableWriter {
  public:
    // Makes the partition for a row that none accepts: gets the value of the partition key (one
    // column, RANGE), runs inside the caller's OwnerScope while the writer holds no reference to
    // the table. Where none came of it, Flush raises PostgreSQL's own error (23514).
    using MakeLeaf = std::function<void(std::uint32_t relation, std::uintptr_t key)>;

    // `columns` must outlive the writer.
    TableWriter(std::uint32_t relation, std::span<const WriterColumn> columns,
                MakeLeaf make_leaf = {});
    ~TableWriter() noexcept;
    TableWriter(const TableWriter&) = delete;
    TableWriter& operator=(const TableWriter&) = delete;

    // Where the values of the rows are made; emptied by Flush.
    [[nodiscard]] MemoryContextData* memory() const;

    // One Datum and one flag per column of the constructor's list; what they point to must live in
    // memory() (or longer than the next Flush). Returns true when the batch is full: Flush then.
    bool AddRow(const std::uintptr_t* values, const bool* nulls);
    // Writes what was collected; visible to the next command of the transaction.
    void Flush();

    [[nodiscard]] std::size_t pending() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bitvelocity::pg
