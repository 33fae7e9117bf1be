// AckWindow: which position may be confirmed when messages are acknowledged out of order.
//
// Transactions are opened in commit order. Each counts its unacknowledged messages; a transaction
// is durable when it is closed (its Commit was read) and nothing of it is outstanding. The
// confirmable position is the end LSN of the longest durable prefix, so nothing before it can be
// lost. Sent, Close and Discard need an open transaction. One thread. Memory: one entry per
// transaction in flight.
#pragma once

#include <cstdint>
#include <deque>

#include "core/lsn.hpp"

namespace bitvelocity::core {

class AckWindow {
  public:
    explicit AckWindow(Lsn start = {}) : confirmed_(start) {}

    // Returns the number under which messages of the new transaction are acknowledged.
    std::uint64_t Open();
    // One more message of the newest transaction is under way.
    void Sent() {
        ++entries_.back().outstanding;
        ++outstanding_;
    }
    void Acked(std::uint64_t number);
    // The newest transaction is complete; its position may be confirmed once everything is acked.
    void Close(Lsn end_lsn);
    // The newest transaction sent nothing at all or is given up: it moves no position. What it has
    // under way is still acknowledged under its number.
    void Discard();

    [[nodiscard]] Lsn confirmed() const { return confirmed_; }
    [[nodiscard]] bool idle() const { return entries_.empty(); }
    [[nodiscard]] std::uint64_t outstanding() const { return outstanding_; }

  private:
    struct Entry {
        std::uint64_t outstanding = 0;
        Lsn end_lsn;  // invalid while open
        bool discarded = false;
    };

    void Advance();

    std::deque<Entry> entries_;
    std::uint64_t first_number_ = 0;  // of entries_.front()
    std::uint64_t outstanding_ = 0;
    Lsn confirmed_;
};

}  // namespace bitvelocity::core
