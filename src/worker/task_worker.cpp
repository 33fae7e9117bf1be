// The task worker: connects as the owner of what it works on, runs the tasks handed to it, lingers,
// leaves. And the frame around a service's main. Both are background workers of their own.

#include "worker/loop.hpp"
#include "worker/process.hpp"
#include "worker/registry.hpp"
#include "worker/session.hpp"
#include "worker/signals.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

extern "C" {
BV_EXPORT void bitvelocity_task_main(Datum argument);
BV_EXPORT void bitvelocity_service_main(Datum argument);
}

namespace bitvelocity::worker {

namespace {

constexpr std::int64_t kLinger = 10'000'000;
constexpr int kTickMs = 250;
// After a SIGTERM the statement is cancelled; user code that swallows that is ended by force.
constexpr std::int64_t kForce = 3'000'000;

struct Watch {
    TimeoutId timer;
    volatile std::int64_t deadline;  // 0: none
    volatile std::int64_t force_at;  // 0: no stop seen
    volatile bool timed_out;
};
Watch watch;

// Signal handler, every kTickMs while a task runs.
void OnTick() {
    const std::int64_t now = Now();
    if (watch.deadline != 0 && now >= watch.deadline) {
        watch.timed_out = true;
        QueryCancelPending = true;
        InterruptPending = true;
        SetLatch(MyLatch);
    }
    if (!StopRequested()) {
        return;
    }
    if (watch.force_at == 0) {
        watch.force_at = now + kForce;
    } else if (now >= watch.force_at) {
        ProcDiePending = true;
        InterruptPending = true;
        SetLatch(MyLatch);
    }
}

void StartWatch(const core::Task& task) {
    watch.deadline = task.timeout_us > 0 ? Now() + task.timeout_us : 0;
    watch.force_at = 0;
    watch.timed_out = false;
    enable_timeout_every(watch.timer, GetCurrentTimestamp() + kTickMs * INT64CONST(1000), kTickMs);
    SetCancelOnStop(true);
}

void EndWatch() {
    SetCancelOnStop(false);
    disable_timeout(watch.timer, false);
    QueryCancelPending = false;
}

core::Status RunTask(const Capability& capability, const core::Task& task) {
    StartWatch(task);
    core::Status status = pg::Catch([&capability, &task]() { capability.run_task(task); });
    EndWatch();
    const bool left_open = IsTransactionState();
    if (!status.ok() || left_open) {
        pg::Call([]() { AbortOutOfAnyTransaction(); });
    }
    MemoryContextSwitchTo(TopMemoryContext);
    if (!status.ok() && watch.timed_out) {
        return core::Status::Fail(
            core::kQueryCanceled,
            "it ran longer than its timeout of " + std::to_string(task.timeout_us / 1000) + " ms");
    }
    if (status.ok() && left_open) {
        return core::Status::Fail(core::kInternalError, "it left a transaction open");
    }
    return status;
}

// Takes an assigned task out of the slot; false: none.
bool TakeTask(Process& process, core::Task* task, int* capability) {
    char kind[kKindLength];
    char name[NAMEDATALEN];
    {
        const RegistryLock lock;
        if (process.phase != TaskPhase::kAssigned) {
            return false;
        }
        process.phase = TaskPhase::kRunning;
        std::memcpy(kind, process.kind, sizeof(kind));
        std::memcpy(name, process.name, sizeof(name));
        task->key.id = process.id;
        task->owner = process.owner;
        task->timeout_us = process.timeout_us;
        task->lock_timeout_us = process.lock_timeout_us;
        task->top_level = process.top_level;
        *capability = process.capability;
    }
    task->key.kind = kind;
    task->name = name;
    return true;
}

void Deliver(Process& process, const core::Status& status) {
    const RegistryLock lock;
    process.failed = !status.ok();
    if (process.failed) {
        process.error.Set(status.error());
    }
    process.phase = TaskPhase::kDone;
    const Database* entry = FindDatabase(process.database);
    if (entry != nullptr && entry->scheduler_latch != nullptr) {
        SetLatch(entry->scheduler_latch);
    }
}

void PrepareSession(const core::Task& task) {
    const std::string lock_timeout = std::to_string(task.lock_timeout_us / 1000);
    const std::string activity = task.key.kind + " " + task.name;
    pg::Call([value = lock_timeout.c_str(), text = activity.c_str()]() {
        // What user code of an earlier task set for its session.
        ResetAllOptions();
        PinSession();
        SetConfigOption("lock_timeout", value, PGC_USERSET, PGC_S_SESSION);
        SetCurrentStatementStartTimestamp();
        pgstat_report_activity(STATE_RUNNING, text);
    });
}

bool MayLeave(Process& process, bool lingered) {
    const RegistryLock lock;
    if (process.phase == TaskPhase::kAssigned || !(process.retire || lingered)) {
        return false;
    }
    process.retire = true;  // nothing is handed to it any more
    return true;
}

void TaskLoop(int slot) {
    Process& process = registry->processes[slot];
    ConnectAsOwner(process.database, process.owner, process.may_log_in);
    watch.timer = RegisterTimeout(USER_TIMEOUT, OnTick);
    std::int64_t idle_since = Now();
    while (!StopRequested()) {
        core::Task task;
        int capability = 0;
        if (TakeTask(process, &task, &capability)) {
            PrepareSession(task);
            const core::Status status = RunTask(GetCapability(capability), task);
            Deliver(process, status);
            pg::Call([]() {
                pgstat_report_activity(STATE_IDLE, nullptr);
                pgstat_report_stat(true);
            });
            idle_since = Now();
            continue;
        }
        const std::int64_t left = idle_since + kLinger - Now();
        if (MayLeave(process, left <= 0)) {
            return;
        }
        pg::Call([left]() { Wait(left / 1000 + 1); });
    }
}

void ServiceLoop(int slot) {
    Process& process = registry->processes[slot];
    ServiceStart start;
    start.database = process.database;
    start.id = process.id;
    std::memcpy(start.name, process.name, std::min(sizeof(start.name), sizeof(process.name)));
    const Capability& capability = GetCapability(process.capability);
    const auto main = capability.process_mains[process.process_index];
    const core::Status status = pg::Catch([main, &start]() { main(start); });
    const RegistryLock lock;
    process.failed = !status.ok();
    if (process.failed) {
        process.error.Set(status.error());
    }
}

}  // namespace

}  // namespace bitvelocity::worker

void bitvelocity_task_main(Datum argument) {
    using namespace bitvelocity::worker;
    PrepareSignals();
    int slot = 0;
    if (AttachProcess(argument, &slot)) {
        bitvelocity::pg::Enter([slot]() { TaskLoop(slot); });
    }
    proc_exit(0);
}

void bitvelocity_service_main(Datum argument) {
    using namespace bitvelocity::worker;
    PrepareSignals();
    int slot = 0;
    if (AttachProcess(argument, &slot)) {
        bitvelocity::pg::Enter([slot]() { ServiceLoop(slot); });
    }
    // Also after a failure: it was recorded, and the scheduler says so, once.
    proc_exit(0);
}
