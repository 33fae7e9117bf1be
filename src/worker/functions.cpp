// SQL functions of the workers: stop and start, what they do, and the trigger by which catalogue
// tables tell the scheduler. Documented in sql/api/worker.sql.

#include "worker/commands.hpp"
#include "worker/loop.hpp"
#include "worker/registry.hpp"

#include "pg/boundary.hpp"
#include "pg/set_result.hpp"
#include "pg/settings.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

constexpr std::int64_t kStopLimit = 30'000'000;
constexpr std::int64_t kStartLimit = 10'000'000;
constexpr int kColumns = 14;

struct Row {
    const char* process;
    pid_t pid;
    const char* kind;
    std::int64_t id;
    const char* name;
    Oid role;
    const char* state;
    TimestampTz since;
    const Record* record;
};

void SetText(Datum* values, bool* nulls, int column, const char* text) {
    nulls[column] = text == nullptr || *text == '\0';
    if (!nulls[column]) {
        values[column] = CStringGetTextDatum(text);
    }
}

void SetTime(Datum* values, bool* nulls, int column, TimestampTz time) {
    nulls[column] = time == 0;
    values[column] = TimestampTzGetDatum(time);
}

// Plain C; `row` points into a copy of the registry.
void PutRow(ReturnSetInfo* result, const Row& row) {
    Datum values[kColumns] = {};
    bool nulls[kColumns];
    std::fill_n(nulls, kColumns, true);
    SetText(values, nulls, 0, row.process);
    nulls[1] = row.pid == 0;
    values[1] = Int32GetDatum(row.pid);
    SetText(values, nulls, 2, row.kind);
    nulls[3] = row.kind == nullptr;
    values[3] = Int64GetDatum(row.id);
    SetText(values, nulls, 4, row.name);
    nulls[5] = row.role == InvalidOid;
    values[5] = ObjectIdGetDatum(row.role);
    SetText(values, nulls, 6, row.state);
    SetTime(values, nulls, 7, row.since);
    if (row.record != nullptr) {
        nulls[8] = false;
        values[8] = Int64GetDatum(row.record->runs);
        nulls[9] = false;
        values[9] = Int64GetDatum(row.record->failures);
        SetTime(values, nulls, 10, row.record->next_attempt);
        SetText(values, nulls, 11, row.record->error.message);
        SetText(values, nulls, 12, row.record->error.hint);
        SetTime(values, nulls, 13, row.record->error.empty() ? 0 : row.record->error_at);
    }
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

const char* ProcessName(const Process& process) {
    if (process.is_task_worker) {
        return "task worker";
    }
    return GetCapability(process.capability).process_names[process.process_index];
}

const char* ProcessState(const Process& process) {
    if (process.pid == 0) {
        return "starting";
    }
    if (!process.is_task_worker) {
        return "running";
    }
    return process.phase == TaskPhase::kIdle ? "idle" : "running";
}

void PutProcess(ReturnSetInfo* result, const Process& process) {
    const bool busy = !process.is_task_worker || process.phase != TaskPhase::kIdle;
    PutRow(result, Row{ProcessName(process), process.pid, busy ? process.kind : nullptr, process.id,
                       busy ? process.name : nullptr, process.owner, ProcessState(process),
                       process.since, nullptr});
}

Registry* CopyRegistry() {
    const Size size = offsetof(Registry, processes) +
                      sizeof(Process) * static_cast<Size>(registry->process_count);
    auto* copy = static_cast<Registry*>(palloc(size));
    LWLockAcquire(registry->lock, LW_SHARED);
    std::memcpy(static_cast<void*>(copy), registry, size);
    LWLockRelease(registry->lock);
    return copy;
}

void PutStatus(ReturnSetInfo* result) {
    const Registry* all = CopyRegistry();
    PutRow(result,
           Row{"launcher", all->launcher_pid, nullptr, 0, nullptr, InvalidOid,
               all->launcher_pid != 0 ? "running" : "not running", all->launcher_since, nullptr});
    for (const Database& entry : all->databases) {
        if (entry.database == MyDatabaseId) {
            const char* state = entry.scheduler_pid != 0 ? "running"
                                : entry.stopped          ? "stopped"
                                : entry.starting         ? "starting"
                                                         : "not running";
            PutRow(result, Row{"scheduler", entry.scheduler_pid, nullptr, 0, nullptr, InvalidOid,
                               state, entry.scheduler_since, nullptr});
        }
    }
    for (int i = 0; i < all->process_count; ++i) {
        const Process& process = all->processes[i];
        if (process.used && process.database == MyDatabaseId) {
            PutProcess(result, process);
        }
    }
    for (const Record& record : all->records) {
        if (record.used && record.database == MyDatabaseId) {
            PutRow(result, Row{record.is_task ? "task" : "service", 0, record.kind, record.id,
                               record.name, InvalidOid, record.state, record.since, &record});
        }
    }
}

bool WaitForScheduler(Oid database, std::int64_t timeout_us) {
    const std::int64_t limit = Now() + timeout_us;
    while (Now() < limit) {
        {
            const RegistryLock lock;
            const Database* entry = FindDatabase(database);
            if (entry != nullptr && entry->installed && entry->scheduler_pid != 0) {
                return true;
            }
        }
        pg::Call([]() {
            WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 20,
                      PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
    return false;
}

}  // namespace

}  // namespace bitvelocity::worker

BV_FUNCTION(bitvelocity_stop_workers) {
    using namespace bitvelocity;
    worker::RequireAvailable();
    {
        const worker::RegistryLock lock;
        worker::Database* entry = worker::FindOrAddDatabase(MyDatabaseId);
        if (entry != nullptr) {
            entry->stopped = true;
            if (entry->scheduler_latch != nullptr) {
                SetLatch(entry->scheduler_latch);
            }
        }
    }
    PG_RETURN_BOOL(worker::WaitUntilGone(MyDatabaseId, worker::kStopLimit));
}

BV_FUNCTION(bitvelocity_start_workers) {
    using namespace bitvelocity;
    worker::RequireAvailable();
    {
        const worker::RegistryLock lock;
        worker::Database* entry = worker::FindDatabase(MyDatabaseId);
        if (entry != nullptr) {
            entry->stopped = false;
        }
    }
    worker::RequestProbe(MyDatabaseId);
    if (!pg::settings::enabled) {
        pg::Call([]() {
            ereport(NOTICE,
                    (errmsg("bitvelocity.enabled is off: the workers start once it is on")));
        });
        PG_RETURN_BOOL(false);
    }
    PG_RETURN_BOOL(worker::WaitForScheduler(MyDatabaseId, worker::kStartLimit));
}

BV_FUNCTION(bitvelocity_worker_status) {
    using namespace bitvelocity;
    pg::BeginSet(fcinfo);
    if (worker::Available()) {
        auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
        pg::Call([result]() { worker::PutStatus(result); });
    }
    PG_RETURN_NULL();
}

BV_FUNCTION(bitvelocity_catalog_changed) {
    bitvelocity::worker::CatalogChanged();
    // An AFTER trigger's result is ignored.
    PG_RETURN_POINTER(nullptr);
}

BV_FUNCTION(bitvelocity_signal_tasks) {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        bitvelocity::pg::Throw("39P01", "signal_tasks() is a trigger function");
    }
    const auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    bitvelocity::worker::SignalAtCommit(RelationGetRelid(trigger->tg_relation));
    PG_RETURN_POINTER(nullptr);
}
