#include "stream/shared.hpp"

#include "pg/boundary.hpp"
#include "pg/settings.hpp"

namespace bitvelocity::stream {

namespace {

Shared* g_shared = nullptr;
shmem_request_hook_type g_previous_request = nullptr;
shmem_startup_hook_type g_previous_startup = nullptr;

constexpr const char* kTranche = "bitvelocity_stream";

std::size_t SharedSize() {
    return offsetof(Shared, entries) +
           sizeof(Entry) * static_cast<std::size_t>(pg::settings::max_streams);
}

void RequestShared() {
    if (g_previous_request != nullptr) {
        g_previous_request();
    }
    RequestAddinShmemSpace(SharedSize());
    RequestNamedLWLockTranche(kTranche, 1);
}

// The secret survives restarts (a file beside postgresql.conf's data, mode 0600): context messages
// that were written before a restart and are decoded after it are still known to be ours.
void LoadSecret(char (&secret)[33]) {
    char path[MAXPGPATH];
    snprintf(path, sizeof(path), "%s/bitvelocity.secret", DataDir);
    FILE* file = AllocateFile(path, "r");
    if (file != nullptr) {
        const std::size_t length = fread(secret, 1, 32, file);
        FreeFile(file);
        if (length == 32) {
            return;
        }
    }
    unsigned char random[16];
    if (!pg_strong_random(random, sizeof(random))) {
        ereport(ERROR, (errmsg("could not generate random values for bitvelocity")));
    }
    for (int i = 0; i < 16; ++i) {
        snprintf(secret + 2 * i, 3, "%02x", random[i]);
    }
    const int fd = OpenTransientFilePerm(path, O_CREAT | O_TRUNC | O_WRONLY | PG_BINARY, 0600);
    if (fd < 0 || write(fd, secret, 32) != 32 || pg_fsync(fd) != 0) {
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
    }
    CloseTransientFile(fd);
}

void StartupShared() {
    if (g_previous_startup != nullptr) {
        g_previous_startup();
    }
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    g_shared = static_cast<Shared*>(ShmemInitStruct("bitvelocity streams", SharedSize(), &found));
    if (!found) {
        std::memset(static_cast<void*>(g_shared), 0, SharedSize());
        g_shared->lock = &GetNamedLWLockTranche(kTranche)->lock;
        g_shared->entry_count = pg::settings::max_streams;
        for (int i = 0; i < g_shared->entry_count; ++i) {
            ConditionVariableInit(&g_shared->entries[i].progress);
        }
        LoadSecret(g_shared->context_secret);
    }
    LWLockRelease(AddinShmemInitLock);
}

// Runs in every backend at the end of every transaction, after the commit record is flushed (or,
// with synchronous_commit = off, only inserted). XactLastCommitEnd is also set for COMMIT PREPARED,
// whose transaction has no xid.
void AtTransactionEnd(XactEvent event, void* /*argument*/) {
    static XLogRecPtr seen = InvalidXLogRecPtr;
    if (event != XACT_EVENT_COMMIT || XactLastCommitEnd == seen || g_shared == nullptr) {
        return;
    }
    seen = XactLastCommitEnd;
    std::uint64_t newest = g_shared->last_commit_end.load(std::memory_order_relaxed);
    while (newest < seen && !g_shared->last_commit_end.compare_exchange_weak(newest, seen)) {
    }
    // Pairs with the decoder's: sleeping = true, barrier, look at the position again, wait.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (g_shared->sleeping.load() == 0) {
        return;
    }
    for (int i = 0; i < g_shared->entry_count; ++i) {
        Entry& entry = g_shared->entries[i];
        if (entry.decoder_sleeping.load() && entry.database == MyDatabaseId) {
            Latch* latch = entry.decoder_latch;
            if (latch != nullptr) {
                SetLatch(latch);
            }
        }
    }
}

}  // namespace

const char* StateName(State state) {
    switch (state) {
        case State::kStopped:
            return "stopped";
        case State::kStarting:
            return "starting";
        case State::kSnapshot:
            return "snapshot";
        case State::kStreaming:
            return "streaming";
        case State::kStopping:
            return "stopping";
        case State::kFailed:
            return "failed";
    }
    return "unknown";
}

Shared* GetShared() {
    return g_shared;
}

void InstallShared() {
    g_previous_request = shmem_request_hook;
    shmem_request_hook = RequestShared;
    g_previous_startup = shmem_startup_hook;
    shmem_startup_hook = StartupShared;
    RegisterXactCallback(AtTransactionEnd, nullptr);
}

Entry* FindEntry(Oid database, std::int32_t stream_id, const char* name, bool create) {
    if (g_shared == nullptr) {
        return nullptr;
    }
    Entry* found = nullptr;
    Entry* free = nullptr;
    LWLockAcquire(g_shared->lock, create ? LW_EXCLUSIVE : LW_SHARED);
    for (int i = 0; i < g_shared->entry_count && found == nullptr; ++i) {
        Entry& entry = g_shared->entries[i];
        if (!entry.used) {
            free = free == nullptr ? &entry : free;
        } else if (entry.database == database && entry.stream_id == stream_id) {
            found = &entry;
        }
    }
    if (found == nullptr && create && free != nullptr) {
        found = free;
        const std::size_t plain = offsetof(Entry, progress);
        std::memset(static_cast<void*>(found), 0, plain);
        found->used = true;
        found->database = database;
        found->stream_id = stream_id;
        strlcpy(found->name, name, sizeof(found->name));
    }
    LWLockRelease(g_shared->lock);
    return found;
}

void ForgetEntry(Oid database, std::int32_t stream_id) {
    if (g_shared == nullptr) {
        return;
    }
    LWLockAcquire(g_shared->lock, LW_EXCLUSIVE);
    for (int i = 0; i < g_shared->entry_count; ++i) {
        Entry& entry = g_shared->entries[i];
        if (entry.used && entry.database == database && entry.stream_id == stream_id &&
            entry.decoder_pid.load() == 0 && entry.deliverer_pid.load() == 0) {
            entry.used = false;
        }
    }
    LWLockRelease(g_shared->lock);
}

void SetError(Entry* entry, const char* message, const char* hint) {
    LWLockAcquire(g_shared->lock, LW_EXCLUSIVE);
    strlcpy(entry->last_error, message, sizeof(entry->last_error));
    strlcpy(entry->last_hint, hint != nullptr ? hint : "", sizeof(entry->last_hint));
    entry->error_at = GetCurrentTimestamp();
    LWLockRelease(g_shared->lock);
}

void ClearError(Entry* entry) {
    LWLockAcquire(g_shared->lock, LW_EXCLUSIVE);
    entry->last_error[0] = '\0';
    entry->last_hint[0] = '\0';
    LWLockRelease(g_shared->lock);
}

bool HasError(Entry* entry) {
    LWLockAcquire(g_shared->lock, LW_SHARED);
    const bool has = entry->last_error[0] != '\0';
    LWLockRelease(g_shared->lock);
    return has;
}

void WakeDecoder(Entry* entry) {
    if (entry->decoder_pid.load() != 0 && entry->decoder_latch != nullptr) {
        SetLatch(entry->decoder_latch);
    }
}

void WakeDeliverer(Entry* entry) {
    if (entry->deliverer_pid.load() != 0 && entry->deliverer_latch != nullptr) {
        SetLatch(entry->deliverer_latch);
    }
}

void MarkOwnOrigin(RepOriginId origin, bool own) {
    std::atomic<std::uint8_t>& bits = g_shared->own_origins[origin / 8];
    const auto mask = static_cast<std::uint8_t>(1U << (origin % 8));
    if (own) {
        bits.fetch_or(mask);
    } else {
        bits.fetch_and(static_cast<std::uint8_t>(~mask));
    }
}

bool IsOwnOrigin(RepOriginId origin) {
    return (g_shared->own_origins[origin / 8].load(std::memory_order_relaxed) &
            (1U << (origin % 8))) != 0;
}

}  // namespace bitvelocity::stream
