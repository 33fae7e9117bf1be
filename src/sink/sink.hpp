// Sink: where a stream's changes go. One stream has one sink.
//
// Called by the pipeline on the deliverer's main thread: Begin, Write*, Commit per source
// transaction, in commit order. DurablePosition is the end LSN of the last transaction that is
// wholly durable (for brokers: acknowledged; for tables: committed and flushed); only that may be
// confirmed to the slot. An error of any call ends the deliverer; what was not durable comes again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/change.hpp"
#include "core/status.hpp"

namespace bitvelocity::sink {

// How a sink waits without knowing PostgreSQL: the deliverer waits on its latch and on the sink's
// wake fd, serves interrupts, and refuses (57014) once it has to stop. Tests use a plain poll().
class Waiter {
  public:
    virtual ~Waiter() = default;
    virtual core::Status Wait(int wake_fd, std::int64_t timeout_ms) = 0;
};

struct Health {
    bool reachable = true;   // false: a stop need not wait for acknowledgements
    std::string last_error;  // never carries a secret
    std::string hint;
};

class Sink {
  public:
    virtual ~Sink() = default;
    // The end LSN up to which everything is already in the sink; invalid: unknown, the slot's
    // counts.
    virtual core::Result<core::Lsn> ResumePosition() = 0;
    virtual core::Status Begin(const core::Transaction& transaction) = 0;
    virtual core::Status Write(const core::Change& change) = 0;
    virtual core::Status Commit(const core::Transaction& transaction) = 0;
    // Nothing in flight before `lsn`: it may be confirmed once everything written is durable.
    virtual core::Status Progress(core::Lsn lsn) = 0;
    // Called between transactions; `idle`: no more input is waiting. Group commits end here.
    virtual core::Status Boundary(bool idle) = 0;
    // Serves acknowledgements without blocking.
    virtual core::Status Poll() = 0;
    [[nodiscard]] virtual core::Lsn DurablePosition() const = 0;
    // Nothing that was written waits for an acknowledgement.
    [[nodiscard]] virtual bool settled() const { return true; }
    [[nodiscard]] virtual int wake_fd() const { return -1; }
    // Makes everything written durable or gives up at the deadline; only between transactions.
    virtual core::Status Drain(std::int64_t deadline_ms) = 0;
    [[nodiscard]] virtual Health health() const { return {}; }
    // Sends letters again, with the identities they had, and waits for the end; between
    // transactions, moves no position. One outcome an event: nothing, or why it stays a letter. A
    // table's rows belong to the transaction that the caller has open.
    virtual core::Status Redeliver(std::span<const core::Change* const> events,
                                   std::vector<std::optional<core::Error>>& outcomes) {
        core::Error error;
        error.sqlstate = core::kFeatureNotSupported;
        error.message = "the sink has no letters";
        outcomes.assign(events.size(), error);
        return core::Status::Ok();
    }
};

}  // namespace bitvelocity::sink
