#include "worker/launcher.hpp"

#include "worker/loop.hpp"
#include "worker/process.hpp"
#include "worker/registry.hpp"

#include "core/backoff.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"

#include "pg/postgres.hpp"

extern "C" {
BV_EXPORT void bitvelocity_launcher_main(Datum argument);
}

namespace bitvelocity::worker {

namespace {

// So many databases are looked at side by side: probing must not use up the worker slots.
constexpr int kParallelProbes = 2;

struct Known {
    bool probe = true;
    bool again = false;  // asked for while a probe may be running
    BackgroundWorkerHandle* starting = nullptr;
    bool running = false;  // as seen last
    std::int64_t not_before = 0;
    core::Backoff backoff{1'000'000, 60'000'000, 60'000'000};
};

class Launcher {
  public:
    void Run();

  private:
    void TakeRequests();
    void Rescan();
    void Look(Oid database, Known& known, std::int64_t now, bool probes_allowed);
    void Start(Oid database, Known& known, std::int64_t now);
    [[nodiscard]] int Probing() const;
    [[nodiscard]] std::int64_t Timeout(std::int64_t now) const;

    std::map<Oid, Known> databases_;
    bool rescan_ = true;
};

void Detach(int /*code*/, Datum /*argument*/) {
    LWLockAcquire(registry->lock, LW_EXCLUSIVE);
    registry->launcher_pid = 0;
    registry->launcher_latch = nullptr;
    LWLockRelease(registry->lock);
}

void Attach() {
    const RegistryLock lock;
    registry->launcher_pid = MyProcPid;
    registry->launcher_latch = MyLatch;
    registry->launcher_since = GetCurrentTimestamp();
    registry->rescan = true;
    // Registered by an earlier launcher: whether they still come is not known, and a second
    // scheduler of a database exits at once.
    for (Database& entry : registry->databases) {
        entry.starting = false;
    }
}

// Oids of the databases that may have workers; plain C, inside a transaction.
List* ConnectableDatabases() {
    List* result = NIL;
    const Relation relation = table_open(DatabaseRelationId, AccessShareLock);
    const TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
    HeapTuple tuple = nullptr;
    while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
        const auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        // -2 marks what an interrupted DROP DATABASE left behind.
        if (form->datallowconn && !form->datistemplate && form->datconnlimit != -2) {
            result = lappend_oid(result, form->oid);
        }
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    return result;
}

void Launcher::Run() {
    while (!StopRequested()) {
        TakeRequests();
        if (rescan_) {
            Rescan();
        }
        const std::int64_t now = Now();
        for (auto& [database, known] : databases_) {
            Look(database, known, now, Probing() < kParallelProbes);
        }
        const std::int64_t timeout = Timeout(Now());
        pg::Call([timeout]() { Wait(timeout); });
    }
}

void Launcher::TakeRequests() {
    Oid probes[kMaxProbes];
    int count = 0;
    bool all = false;
    {
        const RegistryLock lock;
        count = registry->probe_count;
        std::copy_n(registry->probes, count, probes);
        all = registry->probes_lost;
        registry->probe_count = 0;
        registry->probes_lost = false;
        rescan_ = rescan_ || registry->rescan || count > 0;
        registry->rescan = false;
    }
    for (int i = 0; i < count; ++i) {
        Known& known = databases_[probes[i]];
        known.probe = true;
        known.again = true;
        known.not_before = 0;
        known.backoff.Reset();
    }
    if (all) {
        for (auto& [database, known] : databases_) {
            known.probe = true;
        }
    }
}

void Launcher::Rescan() {
    std::vector<Oid> current;
    {
        pg::TransactionScope transaction;
        List* list = pg::Call([]() { return ConnectableDatabases(); });
        ListCell* cell = nullptr;
        foreach (cell, list) {
            current.push_back(lfirst_oid(cell));
        }
        transaction.Commit();
    }
    rescan_ = false;
    for (const Oid database : current) {
        databases_.try_emplace(database);
    }
    const RegistryLock lock;
    for (auto item = databases_.begin(); item != databases_.end();) {
        const bool there = std::find(current.begin(), current.end(), item->first) != current.end();
        Database* entry = FindDatabase(item->first);
        if (entry != nullptr) {
            entry->barred = !there;
        }
        if (there || HasProcesses(item->first)) {
            if (!there && entry != nullptr && entry->scheduler_pid != 0) {
                SetLatch(entry->scheduler_latch);
            }
            rescan_ = rescan_ || !there;
            ++item;
            continue;
        }
        if (entry != nullptr && entry->holds == 0) {
            ForgetRecords(item->first);
            entry->database = InvalidOid;
        }
        item = databases_.erase(item);
    }
}

void Launcher::Look(Oid database, Known& known, std::int64_t now, bool probes_allowed) {
    bool attached = false;
    bool installed = false;
    bool may_run = true;
    bool recheck = false;
    bool failed = false;
    {
        const RegistryLock lock;
        Database* entry = FindDatabase(database);
        if (entry != nullptr) {
            attached = entry->scheduler_pid != 0;
            installed = entry->installed;
            may_run = MayRun(*entry);
            recheck = entry->recheck && entry->holds == 0;
            failed = entry->failed;
        }
    }
    if (known.starting != nullptr) {
        pid_t pid = 0;
        const BackgroundWorkerHandle* handle = known.starting;
        const bool stopped = GetBackgroundWorkerPid(const_cast<BackgroundWorkerHandle*>(handle),
                                                    &pid) == BGWH_STOPPED;
        if (!attached && !stopped) {
            return;
        }
        pfree(known.starting);
        known.starting = nullptr;
        if (!attached) {
            // It came and went since the last look, or it never reached its main.
            known.running = true;
            const RegistryLock lock;
            Database* entry = FindDatabase(database);
            if (entry != nullptr && entry->starting) {
                entry->starting = false;
                entry->failed = true;
                failed = true;
            }
        }
    }
    if (attached) {
        known.running = true;
        if (installed) {
            known.probe = false;
            known.again = false;
        }
        return;
    }
    if (known.running) {
        known.running = false;
        const RegistryLock lock;
        const Database* entry = FindDatabase(database);
        installed = entry != nullptr && entry->installed;
        if (failed) {
            known.not_before = known.backoff.Failed(now);
        } else if (!installed) {
            known.probe = known.again;
            known.again = false;
        }
    }
    const bool wanted = (pg::settings::enabled && may_run && (known.probe || installed)) || recheck;
    if (wanted && now >= known.not_before && (installed || recheck || probes_allowed)) {
        Start(database, known, now);
    }
}

void Launcher::Start(Oid database, Known& known, std::int64_t now) {
    {
        const RegistryLock lock;
        Database* entry = FindOrAddDatabase(database);
        if (entry == nullptr || entry->holds > 0) {
            known.not_before = now + (entry == nullptr ? 60'000'000 : 100'000);
            return;
        }
        entry->starting = true;
        entry->failed = false;
    }
    BackgroundWorker worker = PrepareWorker("bitvelocity_scheduler_main");
    strlcpy(worker.bgw_name, "bitvelocity scheduler", sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, "bitvelocity scheduler", sizeof(worker.bgw_type));
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    known.backoff.Started(now);
    if (!StartWorker(worker, &known.starting)) {
        known.starting = nullptr;
        known.not_before = known.backoff.Failed(now);
        const RegistryLock lock;
        Database* entry = FindDatabase(database);
        if (entry != nullptr) {
            entry->starting = false;
        }
    }
}

int Launcher::Probing() const {
    int count = 0;
    for (const auto& [database, known] : databases_) {
        count += known.probe && (known.starting != nullptr || known.running) ? 1 : 0;
    }
    return count;
}

// Everything else sets our latch.
std::int64_t Launcher::Timeout(std::int64_t now) const {
    std::int64_t timeout = rescan_ ? 1000 : -1;
    for (const auto& [database, known] : databases_) {
        if (known.not_before > now) {
            const std::int64_t wait = (known.not_before - now) / 1000 + 1;
            timeout = timeout < 0 ? wait : std::min(timeout, wait);
        }
    }
    return timeout;
}

}  // namespace

void InstallLauncher() {
    BackgroundWorker worker = PrepareWorker("bitvelocity_launcher_main");
    strlcpy(worker.bgw_name, "bitvelocity launcher", sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, "bitvelocity launcher", sizeof(worker.bgw_type));
    worker.bgw_restart_time = 5;
    RegisterBackgroundWorker(&worker);
}

}  // namespace bitvelocity::worker

void bitvelocity_launcher_main(Datum /*argument*/) {
    using namespace bitvelocity::worker;
    PrepareSignals();
    on_shmem_exit(Detach, 0);
    Attach();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    bitvelocity::pg::Enter([]() {
        Launcher launcher;
        launcher.Run();
    });
    // 0 would end it for good: after pg_terminate_backend() it comes back, in a shutdown nothing
    // does.
    proc_exit(1);
}
