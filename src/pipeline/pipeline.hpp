// Pipeline: batches of frames -> parse -> Sink -> the position that may be confirmed.
//
// Runs without a server: the deliverer feeds it from its queue, tests and benchmarks from
// recordings. One thread. Transactions that end at or before the sink's resume position are skipped
// whole. After an error the pipeline is of no further use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/change.hpp"
#include "core/status.hpp"
#include "pipeline/shaper.hpp"
#include "sink/sink.hpp"
#include "wal/parser.hpp"

namespace bitvelocity::pipeline {

struct Statistics {
    std::uint64_t rows = 0;          // changes handed to the sink
    std::uint64_t transactions = 0;  // committed transactions with at least one change
    std::uint64_t skipped = 0;       // transactions that were in the sink already
    core::Lsn last_commit;           // end LSN of the last transaction read
    std::int64_t last_commit_time_us = 0;
};

// Looks at what goes by while existing rows are read. Called before a change is shaped, and not for
// transactions that were in the sink already.
class Watcher {
  public:
    virtual ~Watcher() = default;
    virtual void OnChange(const core::Change& change) = 0;
    // Between transactions; snapshot rows may be written now.
    // `lsn`: the end of its record.
    virtual core::Status OnWatermark(core::Lsn lsn, std::string_view content) = 0;
};

class Pipeline {
  public:
    // `resume`: the position up to which everything is in the sink already (or invalid). `shaper`:
    // what every change goes through, or null.
    Pipeline(wal::ParserOptions options, core::Lsn resume, sink::Sink& sink,
             Shaper* shaper = nullptr);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    // Null: nobody watches, which costs a change one branch.
    void Watch(Watcher* watcher);
    core::Status Feed(std::span<const std::byte> batch);
    // Between batches: `idle` when no more input waits. Inside a transaction it only serves
    // acknowledgements.
    core::Status Boundary(bool idle);
    // An existing row, of the given identity (Operation::kRead); between transactions. All rows up
    // to EndSnapshot are one transaction of the sink.
    core::Status WriteSnapshotRow(const core::Change& change);
    // The rows end at `position`, from which the stream goes on; also without rows.
    core::Status EndSnapshot(core::Lsn position);
    // Inside a source transaction or a snapshot.
    [[nodiscard]] bool in_transaction() const;
    [[nodiscard]] const Statistics& statistics() const;
    // Of the source transaction under way, handed to the sink so far; 0 between two.
    [[nodiscard]] std::uint64_t transaction_rows() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bitvelocity::pipeline
