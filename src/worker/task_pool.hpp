// TaskPool: the task workers of one database, and the board of their tasks. One object a scheduler,
// its main thread.
//
// A worker serves one role. A due task goes to an idle worker of its owner; else a new one is
// started, up to bitvelocity.max_task_workers; else an idle worker of another role is asked to
// leave. A task that waits, fails or hangs holds its own worker only.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/model/task_board.hpp"
#include "worker/process.hpp"

namespace bitvelocity::worker {

class TaskPool {
  public:
    explicit TaskPool(core::Oid database) : database_(database) {}

    void Replace(int capability, std::vector<core::Task> tasks, std::int64_t now);
    [[nodiscard]] TaskBoard& board() { return board_; }
    // One step: takes results, hands out what is due. Never waits.
    void Step(std::int64_t now);
    void TerminateAll();
    [[nodiscard]] bool AllGone() const { return workers_.empty(); }
    [[nodiscard]] std::int64_t NextTime(std::int64_t now) const;

  private:
    struct Worker {
        Child child;
        core::Oid owner = 0;
        std::optional<core::TaskKey> task;  // handed out, result not taken
        bool leaving = false;
    };
    enum class Handed { kYes, kLater, kNotNow };

    void Collect(std::int64_t now);
    void Finish(Worker& worker, const ErrorText* error, std::int64_t now);
    Handed HandOut(const TaskBoard::Entry& entry, std::int64_t now);
    bool AssignIdle(const TaskBoard::Entry& entry);
    Handed StartFor(const TaskBoard::Entry& entry, std::int64_t now);
    bool RetireIdle();
    void Fail(const core::TaskKey& key, const core::Error& error, std::int64_t now);
    void Note(const TaskBoard::Entry& entry, const char* state, const ErrorText* error,
              std::int64_t now);

    core::Oid database_;
    TaskBoard board_;
    std::vector<Worker> workers_;
    std::int64_t no_slot_until_ = 0;
    bool stopping_ = false;
};

}  // namespace bitvelocity::worker
