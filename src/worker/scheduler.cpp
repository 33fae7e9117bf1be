// The database scheduler: keeps the services of one database running and hands out its tasks.
//
//   claim --> connect --> extension there? --no--> uninstall, forget the database, exit
//     yes --> list (at start, at CatalogChanged, every minute) --> step services and tasks --> wait
//     stop (SIGTERM, disabled, stopped, held, extension gone) --> end all processes --> exit
//
// Connects as the bootstrap superuser and runs no user SQL: reads this extension's tables with a
// short lock_timeout, nothing else.

#include "worker/loop.hpp"
#include "worker/process.hpp"
#include "worker/registry.hpp"
#include "worker/services.hpp"
#include "worker/task_pool.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"

#include "pg/postgres.hpp"

extern "C" {
BV_EXPORT void bitvelocity_scheduler_main(Datum argument);
}

namespace bitvelocity::worker {

namespace {

constexpr std::int64_t kListEvery = 60'000'000;
constexpr std::int64_t kRetryList = 1'000'000;
constexpr std::int64_t kWatchEvery = 5'000'000;
// Longer than the stopping deadline of a stream; afterwards its processes end without us.
constexpr std::int64_t kStopLimit = 10'000'000;

class Scheduler {
  public:
    explicit Scheduler(Oid database) : services_(database), tasks_(database), database_(database) {}
    void Run();

  private:
    [[nodiscard]] bool Wanted() const;
    [[nodiscard]] Oid LookUpExtension();
    bool CheckExtension();
    void TakeRequests(std::int64_t now);
    void List(std::int64_t now);
    bool ListOne(int index, std::int64_t now);
    void Watch(std::int64_t now);
    void ReportListFailure(const char* kind, const core::Error& error, std::int64_t now);
    void StopAll();
    void WaitForPredecessors();
    [[nodiscard]] pid_t Predecessor() const;
    void Uninstall();
    bool Forget();
    [[nodiscard]] std::int64_t Timeout(std::int64_t now) const;

    Services services_;
    TaskPool tasks_;
    Oid database_;
    Oid extension_ = InvalidOid;
    std::uint64_t catalog_version_ = 0;
    std::int64_t list_at_ = 0;
    std::int64_t watch_at_ = 0;
    std::int64_t list_failing_since_ = 0;
    std::int64_t list_logged_at_ = 0;
};

Database* Entry(Oid database) {
    return FindDatabase(database);
}

// Exit callback: whatever ends the scheduler, its processes do not outlive it for long, and those
// that have not attached yet never will.
void Detach(int code, Datum argument) {
    const Oid database = DatumGetObjectId(argument);
    LWLockAcquire(registry->lock, LW_EXCLUSIVE);
    for (int i = 0; i < registry->process_count; ++i) {
        Process& process = registry->processes[i];
        if (!process.used || process.database != database) {
            continue;
        }
        if (process.pid != 0) {
            kill(process.pid, SIGTERM);
        } else {
            process.used = false;
        }
    }
    Database* entry = Entry(database);
    if (entry != nullptr && entry->scheduler_pid == MyProcPid) {
        entry->scheduler_pid = 0;
        entry->scheduler_latch = nullptr;
        entry->failed = entry->failed || code != 0;
    }
    WakeLauncherLocked();
    LWLockRelease(registry->lock);
    ConditionVariableBroadcast(&registry->changed);
}

// False: another scheduler serves the database, or nobody wants one any more.
bool Claim(Oid database) {
    {
        const RegistryLock lock;
        Database* entry = Entry(database);
        if (entry == nullptr || entry->scheduler_pid != 0) {
            return false;
        }
        entry->starting = false;
        entry->failed = true;  // until a clean exit
        entry->scheduler_pid = MyProcPid;
        entry->scheduler_latch = MyLatch;
        entry->scheduler_since = GetCurrentTimestamp();
        WakeLauncherLocked();
    }
    on_shmem_exit(Detach, ObjectIdGetDatum(database));
    return true;
}

void Scheduler::Run() {
    {
        const RegistryLock lock;
        if (Entry(database_)->holds > 0) {
            Entry(database_)->failed = false;
            return;
        }
    }
    Connect(database_);
    pg::Call([]() {
        SetConfigOption("lock_timeout", "1s", PGC_USERSET, PGC_S_SESSION);
        SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_SESSION);
    });
    WaitForPredecessors();
    if (!CheckExtension()) {
        return;
    }
    while (Wanted()) {
        const std::int64_t now = Now();
        TakeRequests(now);
        if (extension_ == InvalidOid) {
            break;
        }
        if (now >= list_at_) {
            List(now);
        }
        if (now >= watch_at_) {
            Watch(now);
        }
        services_.Step(now);
        if (services_.TakeLeftovers()) {
            // Listing drops what no service uses; while they ran their slots could not go.
            list_at_ = 0;
        }
        tasks_.Step(now);
        const std::int64_t timeout = Timeout(Now());
        pg::Call([timeout]() { Wait(timeout); });
    }
    StopAll();
    if (extension_ == InvalidOid) {
        CheckExtension();
    }
    const RegistryLock lock;
    if (Database* entry = Entry(database_)) {
        entry->failed = false;
    }
}

bool Scheduler::Wanted() const {
    if (StopRequested() || !pg::settings::enabled) {
        return false;
    }
    const RegistryLock lock;
    const Database* entry = Entry(database_);
    return entry != nullptr && MayRun(*entry);
}

Oid Scheduler::LookUpExtension() {
    pg::TransactionScope transaction;
    const Oid extension = pg::ExtensionOid();
    transaction.Commit();
    return extension;
}

// Whether the extension is there. Where it is not, what it left is removed and the database
// forgotten.
bool Scheduler::CheckExtension() {
    while (true) {
        {
            const RegistryLock lock;
            Entry(database_)->recheck = false;
        }
        extension_ = LookUpExtension();
        if (extension_ != InvalidOid) {
            const RegistryLock lock;
            Entry(database_)->installed = true;
            return true;
        }
        Uninstall();
        if (Forget()) {
            return false;
        }
    }
}

// False: the extension came or went meanwhile.
bool Scheduler::Forget() {
    const RegistryLock lock;
    Database* entry = Entry(database_);
    if (entry->recheck) {
        return false;
    }
    entry->installed = false;
    entry->failed = false;
    ForgetRecords(database_);
    // What still keeps the entry: a decision of a user, or a command that holds it.
    if (!entry->stopped && entry->holds == 0) {
        entry->database = InvalidOid;
        entry->scheduler_pid = 0;
        entry->scheduler_latch = nullptr;
    }
    return true;
}

void Scheduler::TakeRequests(std::int64_t now) {
    Oid signals[kMaxSignals];
    int count = 0;
    bool lost = false;
    bool recheck = false;
    bool listed_anew = false;
    {
        const RegistryLock lock;
        Database* entry = Entry(database_);
        count = entry->signal_count;
        std::copy_n(entry->signals, count, signals);
        lost = entry->signals_lost;
        recheck = entry->recheck;
        listed_anew = entry->catalog_version != catalog_version_;
        catalog_version_ = entry->catalog_version;
        entry->signal_count = 0;
        entry->signals_lost = false;
        entry->wake = false;
        entry->recheck = false;
    }
    if (recheck) {
        const Oid extension = LookUpExtension();
        if (extension != extension_) {
            // Dropped, perhaps created again: what the old one left must go first.
            extension_ = InvalidOid;
            return;
        }
        listed_anew = true;
    }
    if (listed_anew) {
        list_at_ = 0;
        tasks_.board().ForgetPauses();
    }
    for (int i = 0; i < count; ++i) {
        tasks_.board().Signal(signals[i], now);
    }
    if (lost) {
        tasks_.board().SignalAll(now);
    }
}

void Scheduler::List(std::int64_t now) {
    bool complete = true;
    for (int i = 0; i < CapabilityCount(); ++i) {
        complete = ListOne(i, now) && complete;
    }
    list_at_ = now + (complete ? kListEvery : kRetryList);
    if (complete) {
        list_failing_since_ = 0;
    }
}

bool Scheduler::ListOne(int index, std::int64_t now) {
    const Capability& capability = GetCapability(index);
    std::vector<Service> services;
    std::vector<core::Task> tasks;
    const core::Status status = pg::Catch([&]() {
        pg::TransactionScope transaction;
        if (capability.list_services != nullptr) {
            services = capability.list_services();
        }
        if (capability.list_tasks != nullptr) {
            tasks = capability.list_tasks();
        }
        transaction.Commit();
    });
    if (!status.ok()) {
        ReportListFailure(capability.kind, status.error(), now);
        return false;
    }
    if (capability.list_services != nullptr) {
        services_.Replace(index, std::move(services));
    }
    if (capability.list_tasks != nullptr) {
        tasks_.Replace(index, std::move(tasks), now);
    }
    return true;
}

void Scheduler::Watch(std::int64_t now) {
    watch_at_ = now + kWatchEvery;
    for (int i = 0; i < CapabilityCount(); ++i) {
        const Capability& capability = GetCapability(i);
        if (capability.watch == nullptr) {
            continue;
        }
        const core::Status status = pg::Catch([&capability]() {
            pg::TransactionScope transaction;
            capability.watch();
            transaction.Commit();
        });
        if (!status.ok()) {
            ReportListFailure(capability.kind, status.error(), now);
        }
    }
}

// What was listed before goes on. A lock that DDL holds is no news until it lasts.
void Scheduler::ReportListFailure(const char* kind, const core::Error& error, std::int64_t now) {
    const std::int64_t interval = std::int64_t{1'000'000} * pg::settings::log_interval_s;
    if (list_failing_since_ == 0) {
        list_failing_since_ = now;
    }
    const bool locked = error.sqlstate == "55P03";
    if ((locked && now - list_failing_since_ < interval) ||
        (list_logged_at_ != 0 && now - list_logged_at_ < interval)) {
        return;
    }
    list_logged_at_ = now;
    const char* message = error.message.c_str();
    const char* hint = error.hint.c_str();
    pg::Call([kind, message, hint]() {
        ereport(WARNING,
                (errmsg("bitvelocity could not read what \"%s\" should run: %s", kind, message),
                 hint[0] != '\0' ? errhint("%s", hint) : 0));
    });
}

void Scheduler::StopAll() {
    services_.TerminateAll();
    tasks_.TerminateAll();
    const std::int64_t limit = Now() + kStopLimit;
    while (Now() < limit) {
        services_.Step(Now());
        tasks_.Step(Now());
        if (services_.AllGone() && tasks_.AllGone()) {
            return;
        }
        pg::Call([]() { Wait(100); });
    }
}

// Processes of a scheduler that was ended are on their way out: two decoders of one slot must not
// meet.
void Scheduler::WaitForPredecessors() {
    const std::int64_t patience = Now() + 2 * kStopLimit;
    bool said = false;
    while (!StopRequested()) {
        const pid_t left = Predecessor();
        if (left == 0) {
            return;
        }
        if (!said && Now() > patience) {
            said = true;
            pg::Call([left]() {
                ereport(WARNING, (errmsg("bitvelocity waits for worker process %d to end", left),
                                  errhint("Nothing of this database runs until then.")));
            });
        }
        pg::Call([]() { Wait(20); });
    }
}

// The pid of a process that an earlier scheduler of this database started, 0: none is left.
pid_t Scheduler::Predecessor() const {
    const RegistryLock lock;
    for (int i = 0; i < registry->process_count; ++i) {
        Process& process = registry->processes[i];
        if (!process.used || process.database != database_) {
            continue;
        }
        if (process.pid != 0) {
            return process.pid;
        }
        process.used = false;
    }
    return 0;
}

void Scheduler::Uninstall() {
    for (int i = 0; i < CapabilityCount(); ++i) {
        const Capability& capability = GetCapability(i);
        if (capability.uninstall != nullptr) {
            capability.uninstall(database_);
        }
    }
}

std::int64_t Scheduler::Timeout(std::int64_t now) const {
    std::int64_t next = std::min(list_at_, watch_at_);
    for (const std::int64_t time : {services_.NextTime(now), tasks_.NextTime(now)}) {
        if (time >= 0) {
            next = std::min(next, time);
        }
    }
    return next <= now ? 0 : (next - now) / 1000 + 1;
}

}  // namespace

}  // namespace bitvelocity::worker

void bitvelocity_scheduler_main(Datum argument) {
    using namespace bitvelocity::worker;
    const Oid database = DatumGetObjectId(argument);
    PrepareSignals();
    if (Claim(database)) {
        bitvelocity::pg::Enter([database]() {
            Scheduler scheduler(database);
            scheduler.Run();
        });
    }
    proc_exit(0);
}
