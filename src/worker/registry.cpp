#include "worker/registry.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"
#include "pg/settings.hpp"

namespace bitvelocity::worker {

Registry* registry = nullptr;

namespace {

constexpr const char* kTranche = "bitvelocity";
constexpr int kMaxCapabilities = 16;

Capability capabilities[kMaxCapabilities];
int capability_count = 0;

shmem_request_hook_type previous_request = nullptr;
shmem_startup_hook_type previous_startup = nullptr;

// Every process of a scheduler is a background worker, so there are never more of them.
Size RegistrySize() {
    return add_size(offsetof(Registry, processes),
                    mul_size(sizeof(Process), static_cast<Size>(max_worker_processes)));
}

void RequestMemory() {
    if (previous_request != nullptr) {
        previous_request();
    }
    RequestAddinShmemSpace(RegistrySize());
    RequestNamedLWLockTranche(kTranche, 1);
}

void StartMemory() {
    if (previous_startup != nullptr) {
        previous_startup();
    }
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    registry =
        static_cast<Registry*>(ShmemInitStruct("bitvelocity workers", RegistrySize(), &found));
    if (!found) {
        std::memset(static_cast<void*>(registry), 0, RegistrySize());
        registry->lock = &GetNamedLWLockTranche(kTranche)->lock;
        registry->process_count = max_worker_processes;
        ConditionVariableInit(&registry->changed);
    }
    LWLockRelease(AddinShmemInitLock);
}

}  // namespace

void ErrorText::Set(const core::Error& error) {
    CopyName(sqlstate, sizeof(sqlstate), error.sqlstate.c_str());
    CopyName(message, sizeof(message), error.message.c_str());
    CopyName(detail, sizeof(detail), error.detail.c_str());
    CopyName(hint, sizeof(hint), error.hint.c_str());
}

void ErrorText::Clear() {
    sqlstate[0] = '\0';
    message[0] = '\0';
    detail[0] = '\0';
    hint[0] = '\0';
}

core::Error ErrorText::Get() const {
    return core::Error{sqlstate, message, detail, hint};
}

void InstallRegistry() {
    previous_request = shmem_request_hook;
    shmem_request_hook = RequestMemory;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = StartMemory;
}

bool Available() {
    return registry != nullptr;
}

void RequireAvailable() {
    if (Available()) {
        return;
    }
    std::string line = "bitvelocity";
    if (shared_preload_libraries_string != nullptr && *shared_preload_libraries_string != '\0') {
        line = std::string(shared_preload_libraries_string) + ", bitvelocity";
    }
    pg::Throw(
        core::kObjectNotInPrerequisiteState, "bitvelocity is not preloaded",
        "Its background workers need shared memory that is made when the server starts.",
        "Set shared_preload_libraries = '" + line + "' in postgresql.conf and restart the server.");
}

void Register(const Capability& capability) {
    if (capability_count == kMaxCapabilities) {
        elog(FATAL, "bitvelocity registers too many capabilities");
    }
    capabilities[capability_count++] = capability;
}

int CapabilityCount() {
    return capability_count;
}
const Capability& GetCapability(int index) {
    return capabilities[index];
}

Database* FindDatabase(Oid database) {
    for (Database& entry : registry->databases) {
        if (entry.database == database) {
            return &entry;
        }
    }
    return nullptr;
}

Database* FindOrAddDatabase(Oid database) {
    Database* entry = FindDatabase(database);
    if (entry != nullptr) {
        return entry;
    }
    entry = FindDatabase(InvalidOid);
    if (entry != nullptr) {
        std::memset(entry, 0, sizeof(*entry));
        entry->database = database;
    }
    return entry;
}

bool MayRun(const Database& database) {
    return !database.stopped && !database.barred && database.holds == 0;
}

bool HasProcesses(Oid database) {
    const Database* entry = FindDatabase(database);
    if (entry != nullptr && (entry->starting || entry->scheduler_pid != 0)) {
        return true;
    }
    for (int i = 0; i < registry->process_count; ++i) {
        if (registry->processes[i].used && registry->processes[i].database == database) {
            return true;
        }
    }
    return false;
}

Record* FindRecord(Oid database, bool is_task, const char* kind, std::int64_t id) {
    for (Record& record : registry->records) {
        if (record.used && record.database == database && record.is_task == is_task &&
            record.id == id && std::strcmp(record.kind, kind) == 0) {
            return &record;
        }
    }
    return nullptr;
}

Record* FindOrAddRecord(Oid database, bool is_task, const char* kind, std::int64_t id) {
    Record* record = FindRecord(database, is_task, kind, id);
    if (record != nullptr) {
        record->touched = ++registry->clock;
        return record;
    }
    // A free one, else the one touched longest ago: views show the last kMaxRecords then.
    Record* oldest = &registry->records[0];
    for (Record& candidate : registry->records) {
        if (!candidate.used) {
            oldest = &candidate;
            break;
        }
        if (candidate.touched < oldest->touched) {
            oldest = &candidate;
        }
    }
    std::memset(static_cast<void*>(oldest), 0, sizeof(*oldest));
    oldest->used = true;
    oldest->database = database;
    oldest->is_task = is_task;
    CopyName(oldest->kind, sizeof(oldest->kind), kind);
    oldest->id = id;
    oldest->touched = ++registry->clock;
    return oldest;
}

void ForgetRecords(Oid database) {
    for (Record& record : registry->records) {
        if (record.database == database) {
            record.used = false;
        }
    }
}

void WakeLauncherLocked() {
    if (registry->launcher_latch != nullptr) {
        SetLatch(registry->launcher_latch);
    }
}

void CopyName(char* target, std::size_t size, const char* source) {
    // Cut at a character, not inside one: views turn it into text.
    const int length = static_cast<int>(std::strlen(source));
    const int cut = length < static_cast<int>(size)
                        ? length
                        : pg_mbcliplen(source, length, static_cast<int>(size) - 1);
    std::memcpy(target, source, static_cast<std::size_t>(cut));
    target[cut] = '\0';
}

void WakeLauncher() {
    const RegistryLock lock;
    WakeLauncherLocked();
}

void RequestProbe(Oid database) {
    const RegistryLock lock;
    if (registry->probe_count < kMaxProbes) {
        registry->probes[registry->probe_count++] = database;
    } else {
        registry->probes_lost = true;
    }
    Database* entry = FindDatabase(database);
    if (entry != nullptr) {
        entry->recheck = true;
        if (entry->scheduler_pid != 0) {
            SetLatch(entry->scheduler_latch);
        }
    }
    WakeLauncherLocked();
}

}  // namespace bitvelocity::worker
