// TaskBoard: which task is due, and when the next one will be. Pure; the time is the caller's.
//
// A task is due when it is new, when its period has passed, when one of its signals came, or when a
// task of its `after` list finished well. While it runs it can become due again (then it runs once
// more afterwards); after a failure it waits out its back-off, whatever signals arrive. Times are
// microseconds of a monotonic clock. The scheduler owns one board.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/backoff.hpp"
#include "core/task.hpp"

namespace bitvelocity::worker {

class TaskBoard {
  public:
    struct Entry {
        core::Task task;
        int source = 0;  // the capability that listed it
        bool listed = true;
        bool due = false;
        bool running = false;
        std::int64_t due_since = 0;
        std::int64_t next_period = 0;  // 0: none
        std::int64_t not_before = 0;   // end of the back-off
        core::Backoff backoff{kFirstPause, kLongestPause, INT64_MAX};
        int failures = 0;  // in a row
        std::int64_t runs = 0;
    };

    static constexpr std::int64_t kFirstPause = 1'000'000;
    static constexpr std::int64_t kLongestPause = 300'000'000;

    // What `source` lists now. A task that is no longer listed is forgotten, once it does not run.
    void Replace(int source, std::vector<core::Task> tasks, std::int64_t now);
    void Signal(core::Oid signal, std::int64_t now);
    // Signals were lost: everything that listens to one is due.
    void SignalAll(std::int64_t now);
    // The catalogue changed: what failed may work now.
    void ForgetPauses();
    // Moves periods on; call before NextDue.
    void Advance(std::int64_t now);

    // The task that waits longest among those that may start now and that `accept` takes; nullptr:
    // none.
    [[nodiscard]] const Entry* NextDue(std::int64_t now,
                                       const std::function<bool(const Entry&)>& accept) const;
    void Started(const core::TaskKey& key);
    void Finished(const core::TaskKey& key, bool success, std::int64_t now);

    // When something becomes due by itself; -1: never. Tasks already due do not count.
    [[nodiscard]] std::int64_t NextTime(std::int64_t now) const;
    [[nodiscard]] const Entry* Find(const core::TaskKey& key) const;
    [[nodiscard]] const std::map<core::TaskKey, Entry>& entries() const { return entries_; }

  private:
    static void MakeDue(Entry& entry, std::int64_t now);

    std::map<core::TaskKey, Entry> entries_;
};

}  // namespace bitvelocity::worker
