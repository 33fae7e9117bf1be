#include "worker/process.hpp"

#include "worker/loop.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"
#include "pg/settings.hpp"

namespace bitvelocity::worker {

namespace {

// The exit callback: the last thing others learn of this process. Slots of replication are released
// and the transaction is aborted before (before_shmem_exit).
void DetachProcess(int /*code*/, Datum argument) {
    const int slot = DatumGetInt32(argument);
    Process& process = registry->processes[slot];
    LWLockAcquire(registry->lock, LW_EXCLUSIVE);
    const Database* entry = FindDatabase(process.database);
    Latch* scheduler =
        entry != nullptr && entry->scheduler_pid != 0 ? entry->scheduler_latch : nullptr;
    process.pid = 0;
    process.latch = nullptr;
    // The scheduler reads how it ended and frees the slot; without one nobody would.
    if (scheduler == nullptr) {
        process.used = false;
    } else {
        SetLatch(scheduler);
    }
    LWLockRelease(registry->lock);
    ConditionVariableBroadcast(&registry->changed);
}

}  // namespace

BackgroundWorker PrepareWorker(const char* function) {
    BackgroundWorker worker;
    std::memset(&worker, 0, sizeof(worker));
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    strlcpy(worker.bgw_library_name, "bitvelocity", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
    return worker;
}

bool RegisterWorker(BackgroundWorker& worker, BackgroundWorkerHandle** handle) {
    worker.bgw_notify_pid = MyProcPid;
    BackgroundWorker* registered = &worker;
    return pg::Call([registered, handle]() {
        const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
        const bool ok = RegisterDynamicBackgroundWorker(registered, handle);
        MemoryContextSwitchTo(old);
        return ok;
    });
}

bool StartWorker(BackgroundWorker& worker, BackgroundWorkerHandle** handle) {
    const bool started = RegisterWorker(worker, handle);
    if (!started) {
        ReportNoSlot();
    }
    return started;
}

void ReportNoSlot() {
    const TimestampTz now = GetCurrentTimestamp();
    {
        const RegistryLock lock;
        const TimestampTz last = registry->no_slot_at;
        if (last != 0 && now - last < INT64CONST(1000000) * pg::settings::log_interval_s) {
            return;
        }
        registry->no_slot_at = now;
    }
    pg::Call([]() {
        ereport(WARNING,
                (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                 errmsg("bitvelocity has no free background worker slot"),
                 errdetail("max_worker_processes = %d are all in use.", max_worker_processes),
                 errhint("Set max_worker_processes = %d in postgresql.conf and restart the server.",
                         max_worker_processes + 8)));
    });
}

bool Child::Gone() const {
    pid_t pid = 0;
    return GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

void Child::Terminate() {
    if (!told) {
        TerminateBackgroundWorker(handle);
        told = true;
    }
}

void Child::Release() {
    FreeSlot(slot, generation);
    pfree(handle);
    handle = nullptr;
    slot = -1;
}

int ClaimSlot(Oid database) {
    for (int i = 0; i < registry->process_count; ++i) {
        Process& process = registry->processes[i];
        if (!process.used) {
            std::memset(static_cast<void*>(&process), 0, sizeof(process));
            process.used = true;
            process.generation = ++registry->generation;
            process.database = database;
            process.since = GetCurrentTimestamp();
            return i;
        }
    }
    return -1;
}

void FreeSlot(int slot, std::uint64_t generation) {
    {
        const RegistryLock lock;
        Process& process = registry->processes[slot];
        if (process.used && process.generation == generation && process.pid == 0) {
            process.used = false;
        }
    }
    ConditionVariableBroadcast(&registry->changed);
}

bool StartChild(int slot, const char* function, const char* type, const char* name, Child* child) {
    const std::uint64_t generation = registry->processes[slot].generation;
    BackgroundWorker worker = PrepareWorker(function);
    strlcpy(worker.bgw_type, type, sizeof(worker.bgw_type));
    pg_snprintf(worker.bgw_name, sizeof(worker.bgw_name), "%s: %s", type, name);
    worker.bgw_main_arg = Int32GetDatum(slot);
    std::memcpy(worker.bgw_extra, &generation, sizeof(generation));
    BackgroundWorkerHandle* handle = nullptr;
    if (!StartWorker(worker, &handle)) {
        FreeSlot(slot, generation);
        return false;
    }
    *child = Child{slot, generation, handle, false};
    return true;
}

bool AttachProcess(Datum argument, int* slot) {
    *slot = DatumGetInt32(argument);
    std::uint64_t generation = 0;
    std::memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
    Process& process = registry->processes[*slot];
    {
        const RegistryLock lock;
        const Database* entry = FindDatabase(process.database);
        if (!process.used || process.generation != generation || process.pid != 0 ||
            entry == nullptr || entry->scheduler_pid == 0) {
            return false;
        }
        process.pid = MyProcPid;
        process.latch = MyLatch;
        process.since = GetCurrentTimestamp();
    }
    on_shmem_exit(DetachProcess, argument);
    return true;
}

}  // namespace bitvelocity::worker
