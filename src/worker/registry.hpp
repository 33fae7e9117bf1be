// Registry: the shared memory of the worker processes, and who runs where.
//
// One segment, one LWLock (tranche "bitvelocity"): every field below is protected by it unless it
// says otherwise. Read and written by backends (hooks, views), launcher, schedulers and their
// processes. Straight-line code only while the lock is held. A latch pointer is valid for ever (it
// lies in PGPROC); setting the latch of a process that is gone wakes somebody for nothing.
#pragma once

#include "worker/worker.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

inline constexpr int kMaxDatabases = 256;
inline constexpr int kMaxSignals = 64;
inline constexpr int kMaxProbes = 64;
inline constexpr int kMaxRecords = 512;
inline constexpr int kKindLength = 32;
inline constexpr int kTextLength = 512;

struct ErrorText {
    char sqlstate[6];
    char message[kTextLength];
    char detail[kTextLength];
    char hint[kTextLength];

    void Set(const core::Error& error);
    void Clear();
    [[nodiscard]] bool empty() const { return message[0] == '\0'; }
    [[nodiscard]] core::Error Get() const;
};

// A database that has the extension, or is being looked at.
struct Database {
    Oid database;    // InvalidOid: free
    bool starting;   // launcher: a scheduler is registered that has not attached yet
    bool installed;  // scheduler: the extension is there
    bool stopped;    // stop_workers()
    bool barred;     // launcher: became a template or refuses connections
    bool recheck;    // the extension came or went: look, even when stopped
    bool failed;     // the last scheduler ended by an error
    int holds;       // commands that the workers stepped aside for
    pid_t scheduler_pid;
    Latch* scheduler_latch;
    TimestampTz scheduler_since;
    std::uint64_t catalog_version;  // counts CatalogChanged commits
    bool wake;
    int signal_count;
    bool signals_lost;  // more than fit
    Oid signals[kMaxSignals];
};

enum class TaskPhase : std::uint8_t { kIdle, kAssigned, kRunning, kDone };

// A process that a scheduler started. Lives from before its registration to its exit callback.
struct Process {
    bool used;
    std::uint64_t generation;  // tells this use of the slot from earlier ones
    Oid database;
    bool is_task_worker;
    int capability;     // index in the table of capabilities; service: always, task worker: of the
                        // task
    int process_index;  // service: which of its processes
    std::int64_t id;    // service or task
    char name[NAMEDATALEN];
    Oid owner;        // task worker: the role it connects as
    bool may_log_in;  // task worker: that role has LOGIN
    pid_t pid;        // 0: not attached yet
    Latch* latch;
    TimestampTz since;

    // Service: how it ended. Task worker: how the task ended.
    bool failed;
    ErrorText error;

    // Task worker: the scheduler assigns while kIdle, the worker sets kRunning and kDone.
    TaskPhase phase;
    bool retire;  // leave as soon as the task is done
    char kind[kKindLength];
    std::int64_t timeout_us;
    std::int64_t lock_timeout_us;
    bool top_level;
};

// What is known of a service or task, for views; kept while the scheduler runs and after.
struct Record {
    bool used;
    Oid database;
    bool is_task;
    char kind[kKindLength];
    std::int64_t id;
    char name[NAMEDATALEN];
    char state[16];
    TimestampTz since;
    std::int64_t runs;
    std::int64_t failures;     // in a row
    TimestampTz next_attempt;  // 0: none
    ErrorText error;           // kept until a run succeeds
    TimestampTz error_at;
    TimestampTz logged_at;
    std::uint64_t touched;  // for giving up the oldest when full
};

struct Registry {
    LWLock* lock;
    ConditionVariable changed;  // broadcast when a process came or went
    pid_t launcher_pid;
    Latch* launcher_latch;
    TimestampTz launcher_since;
    bool rescan;  // databases came, went or changed
    int probe_count;
    bool probes_lost;
    Oid probes[kMaxProbes];   // databases whose extension came or went
    bool extension_prepared;  // a prepared transaction touched an extension
    TimestampTz no_slot_at;   // last time no background worker slot was free
    std::uint64_t generation;
    std::uint64_t clock;
    int process_count;
    Database databases[kMaxDatabases];
    Record records[kMaxRecords];
    Process processes[FLEXIBLE_ARRAY_MEMBER];
};

// nullptr where the library was not preloaded.
extern Registry* registry;

// Hooks of _PG_init.
void InstallRegistry();

class RegistryLock {
  public:
    RegistryLock() { LWLockAcquire(registry->lock, LW_EXCLUSIVE); }
    ~RegistryLock() noexcept { LWLockRelease(registry->lock); }
    RegistryLock(const RegistryLock&) = delete;
    RegistryLock& operator=(const RegistryLock&) = delete;
};

// With the lock held.
[[nodiscard]] Database* FindDatabase(Oid database);
[[nodiscard]] Database* FindOrAddDatabase(Oid database);  // nullptr: full
[[nodiscard]] bool MayRun(const Database& database);      // apart from bitvelocity.enabled
[[nodiscard]] bool HasProcesses(Oid database);  // scheduler, its processes, one on its way
[[nodiscard]] Record* FindRecord(Oid database, bool is_task, const char* kind, std::int64_t id);
[[nodiscard]] Record* FindOrAddRecord(Oid database, bool is_task, const char* kind,
                                      std::int64_t id);
void ForgetRecords(Oid database);
void WakeLauncherLocked();
void CopyName(char* target, std::size_t size, const char* source);

// The lock is taken inside.
void WakeLauncher();
void RequestProbe(Oid database);  // its extension came or went

// The table of capabilities, the same in every process.
[[nodiscard]] int CapabilityCount();
[[nodiscard]] const Capability& GetCapability(int index);

}  // namespace bitvelocity::worker
