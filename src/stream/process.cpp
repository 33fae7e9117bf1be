#include "stream/process.hpp"

#include "pg/boundary.hpp"
#include "pg/failpoint.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"
#include "worker/loop.hpp"

namespace bitvelocity::stream {

namespace {

struct Setting {
    const char* name;
    const char* value;
};

constexpr Setting kPinned[] = {
    {"datestyle", "ISO"},
    {"intervalstyle", "postgres"},
    {"timezone", "UTC"},
    {"extra_float_digits", "3"},
    {"bytea_output", "hex"},
    {"lc_monetary", "C"},
    {"search_path", "pg_catalog"},
    {"client_encoding", "UTF8"},
    {"xmloption", "content"},
    {"quote_all_identifiers", "off"},
    {"row_security", "off"},
    {"default_transaction_read_only", "off"},
    {"synchronize_seqscans", "off"},
    {"statement_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"default_transaction_isolation", "read committed"},
    // The position and the rows are one commit; a standby that hangs must not stop the stream.
    {"synchronous_commit", "local"},
};

// Below 64 MB a transaction with 100,000 subtransactions takes minutes on 15 and 16.
void PinDecodingMemory() {
    const int kb = std::max(64 * 1024, pg::settings::stream_memory_kb / 2);
    char value[32];
    snprintf(value, sizeof(value), "%dkB", kb);
    StartTransactionCommand();
    SetConfigOption("logical_decoding_work_mem", value, PGC_SUSET, PGC_S_OVERRIDE);
    CommitTransactionCommand();
}

struct Exit {
    Entry* entry;
    Role role;
};
Exit g_exit;

// Whoever leaves last clears the hand-shake for the next pair.
void Leave(int /*code*/, Datum /*argument*/) {
    Entry* entry = g_exit.entry;
    if (entry == nullptr) {
        return;
    }
    LWLockAcquire(GetShared()->lock, LW_EXCLUSIVE);
    if (g_exit.role == Role::kDecoder) {
        entry->decoder_pid.store(0);
        if (entry->decoder_sleeping.exchange(false)) {
            GetShared()->sleeping.fetch_sub(1);
        }
    } else {
        entry->deliverer_pid.store(0);
        entry->transaction_rows.store(0);  // what was cut off comes again from its beginning
    }
    if (entry->decoder_pid.load() == 0 && entry->deliverer_pid.load() == 0) {
        entry->queue.store(DSM_HANDLE_INVALID);
        entry->deliverer_ready.store(false);
        entry->slot_ready.store(false);
        entry->slot_lost.store(false);
        entry->may_decode.store(false);
        entry->stop.store(false);
        entry->stop_deadline_us.store(0);
        entry->sink_down.store(false);
        entry->delivered.store(false);
        entry->state.store(static_cast<std::uint32_t>(
            entry->last_error[0] != '\0' ? State::kFailed : State::kStopped));
    } else {
        // One without the other is of no use.
        entry->stop.store(true);
        if (entry->stop_deadline_us.load() == 0) {
            entry->stop_deadline_us.store(worker::Now() + kStopUs);
        }
        Latch* other =
            g_exit.role == Role::kDecoder ? entry->deliverer_latch : entry->decoder_latch;
        if (other != nullptr) {
            SetLatch(other);
        }
    }
    LWLockRelease(GetShared()->lock);
    ConditionVariableBroadcast(&entry->progress);
    g_exit.entry = nullptr;
}

}  // namespace

void PinSettings() {
    StartTransactionCommand();
    for (const Setting& setting : kPinned) {
        SetConfigOption(setting.name, setting.value, PGC_SUSET, PGC_S_OVERRIDE);
    }
    CommitTransactionCommand();
}

void RunProcess(const worker::ServiceStart& start, Role role,
                const std::function<void(Entry*)>& body) {
    worker::Connect(start.database);
    Entry* entry = pg::Call([&start, role]() {
        PinSettings();
        if (role == Role::kDecoder) {
            PinDecodingMemory();
        }
        pg::ReadFailpoint();
        Entry* mine =
            FindEntry(start.database, static_cast<std::int32_t>(start.id), start.name, true);
        if (mine == nullptr) {
            ereport(ERROR,
                    (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many streams"),
                     errhint("Raise bitvelocity.max_streams and restart the server.")));
        }
        before_shmem_exit(Leave, 0);
        LWLockAcquire(GetShared()->lock, LW_EXCLUSIVE);
        std::atomic<pid_t>& pid = role == Role::kDecoder ? mine->decoder_pid : mine->deliverer_pid;
        if (pid.load() != 0) {
            LWLockRelease(GetShared()->lock);
            ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                            errmsg("stream \"%s\" is already running", start.name)));
        }
        (role == Role::kDecoder ? mine->decoder_latch : mine->deliverer_latch) = MyLatch;
        pid.store(MyProcPid);
        LWLockRelease(GetShared()->lock);
        g_exit = {mine, role};
        return mine;
    });
    try {
        body(entry);
    } catch (const pg::PgError& error) {
        // The deliverer that left has said why; that it is gone says less.
        const bool partner_left =
            role == Role::kDecoder && error.data()->sqlerrcode == ERRCODE_CONNECTION_FAILURE;
        if (!partner_left || !HasError(entry)) {
            SetError(entry, error.what(), error.data()->hint);
        }
        throw;
    } catch (const pg::StatusError& error) {
        SetError(entry, error.error().message.c_str(), error.error().hint.c_str());
        throw;
    }
}

}  // namespace bitvelocity::stream
