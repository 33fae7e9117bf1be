// TransactionGroup: which source transactions share a Kafka transaction, and how far the stream
// got.
//
// Hides the progress record: written in the same Kafka transaction as the messages, read back at
// start, so that what is there is never sent again. A source transaction is one piece of a Kafka
// transaction unless it would outlast transaction.timeout.ms: then what was sent is committed
// inside it, and the record says after which change. A record of another epoch or timeline speaks
// of another history: it is ignored and the slot's position counts. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/change.hpp"
#include "core/lsn.hpp"
#include "core/status.hpp"
#include "pipeline/stream_options.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

class TransactionGroup {
  public:
    TransactionGroup(const TransactionOptions& options, std::int32_t epoch, std::uint32_t timeline,
                     core::Lsn start);

    // What the stream's last record says. 55000: it is of a later epoch than the stream.
    core::Status Restore(const std::string& record);
    // Everything before is committed in the broker; invalid: unknown.
    [[nodiscard]] core::Lsn resume() const { return resume_; }
    // The change was committed already, inside a source transaction that was split.
    [[nodiscard]] bool Has(const core::Change& change) const;

    void Wrote(const core::Change& change);
    // The source transaction is complete, or nothing before `lsn` is missing.
    void Reached(core::Lsn lsn);
    [[nodiscard]] bool empty() const { return messages_ == 0; }
    // At the end of a source transaction: enough for a Kafka transaction.
    [[nodiscard]] bool Due(bool idle) const;
    // Inside a source transaction: it takes too long for one.
    [[nodiscard]] bool Overdue() const;

    // The record to commit with; the same until Committed.
    [[nodiscard]] std::string Record() const;
    void Committed();
    [[nodiscard]] core::Lsn committed() const { return committed_; }

  private:
    using Clock = std::chrono::steady_clock;
    struct Place {
        core::Lsn commit_lsn;
        std::uint64_t ordinal = 0;
        std::uint32_t part = 0;
    };

    TransactionOptions options_;
    std::int32_t epoch_;
    std::uint32_t timeline_;
    core::Lsn resume_;
    Place sent_;  // of the record read at start: the split transaction's last change that is there
    core::Lsn reached_;
    core::Lsn committed_;
    Place last_;           // change since the last end of a source transaction
    bool inside_ = false;  // of a source transaction that wrote
    std::uint64_t messages_ = 0;
    Clock::time_point began_;
};

}  // namespace bitvelocity::pipeline
