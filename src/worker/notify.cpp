#include "worker/notify.hpp"

#include "worker/commands.hpp"
#include "worker/registry.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

// What the current transaction has to say. A rolled back savepoint leaves it said: a needless look.
struct Pending {
    bool extension;
    bool databases;
    bool catalog;
    bool signals_lost;
    int signal_count;
    Oid signals[kMaxSignals];
};
Pending pending;

object_access_hook_type previous_object_access = nullptr;

void AddSignal(Database& entry, Oid signal) {
    for (int i = 0; i < entry.signal_count; ++i) {
        if (entry.signals[i] == signal) {
            return;
        }
    }
    if (entry.signal_count < kMaxSignals) {
        entry.signals[entry.signal_count++] = signal;
    } else {
        entry.signals_lost = true;
    }
}

void WakeLocked(const Database& entry) {
    if (entry.scheduler_latch != nullptr) {
        SetLatch(entry.scheduler_latch);
    }
}

void TellScheduler() {
    const RegistryLock lock;
    Database* entry = FindDatabase(MyDatabaseId);
    if (entry == nullptr) {
        return;
    }
    entry->catalog_version += pending.catalog ? 1 : 0;
    entry->signals_lost = entry->signals_lost || pending.signals_lost;
    for (int i = 0; i < pending.signal_count; ++i) {
        AddSignal(*entry, pending.signals[i]);
    }
    WakeLocked(*entry);
}

void Committed() {
    if (pending.extension) {
        RequestProbe(MyDatabaseId);
    }
    if (pending.databases) {
        const RegistryLock lock;
        registry->rescan = true;
        WakeLauncherLocked();
    }
    if (pending.catalog || pending.signal_count > 0 || pending.signals_lost) {
        TellScheduler();
    }
}

void Forget() {
    pending.extension = false;
    pending.databases = false;
    pending.catalog = false;
    pending.signals_lost = false;
    pending.signal_count = 0;
}

void OnTransaction(XactEvent event, void* /*argument*/) {
    switch (event) {
        case XACT_EVENT_COMMIT:
            Committed();
            Forget();
            TransactionEnded();
            break;
        case XACT_EVENT_PREPARE:
            if (pending.extension || pending.catalog || pending.signal_count > 0) {
                const RegistryLock lock;
                registry->extension_prepared = true;
            }
            Forget();
            break;
        case XACT_EVENT_ABORT:
            Forget();
            TransactionEnded();
            break;
        default:
            break;
    }
}

void OnObjectAccess(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
                    void* argument) {
    if (previous_object_access != nullptr) {
        previous_object_access(access, class_id, object_id, sub_id, argument);
    }
    // Any extension: a name is not visible yet in OAT_POST_CREATE, and a needless look costs
    // little.
    if (class_id == ExtensionRelationId && (access == OAT_POST_CREATE || access == OAT_DROP)) {
        pending.extension = true;
    }
}

}  // namespace

void InstallNotify() {
    previous_object_access = object_access_hook;
    object_access_hook = OnObjectAccess;
    RegisterXactCallback(OnTransaction, nullptr);
}

void DatabasesChanged() {
    pending.databases = true;
}

void PreparedFinished() {
    bool touched = false;
    {
        const RegistryLock lock;
        touched = registry->extension_prepared;
    }
    pending.extension = pending.extension || touched;
    pending.catalog = pending.catalog || touched;
    pending.signals_lost = pending.signals_lost || touched;
}

void CatalogChanged() {
    pending.catalog = true;
}

void SignalAtCommit(core::Oid signal) {
    for (int i = 0; i < pending.signal_count; ++i) {
        if (pending.signals[i] == signal) {
            return;
        }
    }
    if (pending.signal_count < kMaxSignals) {
        pending.signals[pending.signal_count++] = signal;
    } else {
        pending.signals_lost = true;
    }
}

void Signal(core::Oid database, core::Oid signal) {
    if (!Available()) {
        return;
    }
    const RegistryLock lock;
    Database* entry = FindDatabase(database);
    if (entry != nullptr) {
        AddSignal(*entry, signal);
        WakeLocked(*entry);
    }
}

void WakeScheduler(core::Oid database) {
    if (!Available()) {
        return;
    }
    const RegistryLock lock;
    Database* entry = FindDatabase(database);
    if (entry != nullptr) {
        entry->wake = true;
        WakeLocked(*entry);
    }
}

}  // namespace bitvelocity::worker
