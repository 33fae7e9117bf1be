// Services: what the scheduler keeps running. One object a scheduler, its main thread.
//
//   stopped --listed--> running --a process gone--> ending (3 s grace, then SIGTERM) --all gone-->
//   stopped running --no longer listed, other version--> ending (SIGTERM at once)
//
// A failed end is followed by back-off (1 s to 60 s, forgotten after a minute of health); a clean
// one is not, unless clean ends follow each other quickly.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "core/backoff.hpp"
#include "worker/process.hpp"
#include "worker/worker.hpp"

namespace bitvelocity::worker {

class Services {
  public:
    explicit Services(core::Oid database) : database_(database) {}

    void Replace(int capability, std::vector<Service> listed);
    // One step: reaps, ends, starts. Never waits.
    void Step(std::int64_t now);
    // SIGTERM to every process; Step() goes on reaping.
    void TerminateAll();
    [[nodiscard]] bool AllGone() const;
    // Once after a service that was dropped or replaced has ended: what it held can be tidied up.
    [[nodiscard]] bool TakeLeftovers() { return std::exchange(leftovers_, false); }
    // When the next step is needed though nothing happens; -1: never.
    [[nodiscard]] std::int64_t NextTime(std::int64_t now) const;

  private:
    struct Running {
        Service service;
        bool listed = true;
        bool stopping = false;  // TerminateAll: not started again
        std::uint64_t started_version = 0;
        Child children[kMaxServiceProcesses];
        int child_count = 0;  // 0: stopped
        bool ending = false;
        bool failed = false;
        bool no_slot = false;
        std::int64_t terminate_at = 0;  // 0: not ending, or told already
        std::int64_t started_at = 0;
        std::int64_t not_before = 0;
        int quick_ends = 0;
        core::Backoff backoff{1'000'000, 60'000'000, 60'000'000};
    };
    using Key = std::pair<int, std::int64_t>;  // capability, service

    void Reap(const Key& key, Running& running, std::int64_t now);
    void Ended(const Key& key, Running& running, std::int64_t now);
    void Start(const Key& key, Running& running, std::int64_t now);
    void NoteNoSlot(const Key& key, const Running& running, std::int64_t now);
    void Note(const Key& key, const Running& running, const char* state, const ErrorText* error,
              std::int64_t pause_us);

    core::Oid database_;
    std::map<Key, Running> running_;
    bool leftovers_ = false;
};

}  // namespace bitvelocity::worker
