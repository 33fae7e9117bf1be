// Shared: what the two processes of a stream, every committing backend and the views see.
//
// One entry a stream in the main shared memory segment (bitvelocity.max_streams entries), found by
// (database, stream id). Fields under `lock` say so; the rest are atomics with one writer each,
// named behind the field. Plain data only: it is used from callbacks that an ERROR may jump out of.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

enum class State : std::uint32_t {
    kStopped = 0,
    kStarting,  // the slot is being made; waits for older transactions
    kSnapshot,  // existing rows are being read while changes flow
    kStreaming,
    kStopping,
    kFailed,  // stopped by an error; comes back after a pause
};

const char* StateName(State state);

inline constexpr std::size_t kErrorLength = 512;

struct Entry {
    // under lock: which stream this is
    bool used;
    Oid database;
    std::int32_t stream_id;
    char name[NAMEDATALEN];

    // under lock: last error of either process and when
    char last_error[kErrorLength];
    char last_hint[kErrorLength];
    TimestampTz error_at;

    std::atomic<pid_t> decoder_pid;    // decoder
    std::atomic<pid_t> deliverer_pid;  // deliverer
    Latch* decoder_latch;              // valid while decoder_pid != 0 (in PGPROC)
    Latch* deliverer_latch;            // valid while deliverer_pid != 0
    std::atomic<std::uint32_t> state;  // State, deliverer and decoder

    // hand-shake of one pair of processes; reset by whoever leaves last
    std::atomic<dsm_handle> queue;               // decoder: the queue may be attached
    std::atomic<bool> deliverer_ready;           // deliverer: resume_lsn is set
    std::atomic<bool> slot_ready;                // decoder: the slot exists and decoding begins
    std::atomic<bool> slot_lost;                 // decoder: the slot is gone or not to be trusted
    char lost_reason[kErrorLength];              // decoder, before slot_lost
    std::atomic<bool> may_decode;                // deliverer: resume_lsn is final
    std::atomic<bool> stop;                      // either: stop at the next transaction boundary
    std::atomic<std::int64_t> stop_deadline_us;  // of worker::Now(); 0: none
    std::atomic<bool> sink_down;  // deliverer: waiting for acknowledgements is useless
    std::atomic<bool> delivered;  // deliverer: durable_lsn is final
    // drain_stream: until when (worker::Now(); 0: nobody drains), and the end of the commit that
    // paused the stream, which the slot has to pass (deliverer; 0: not yet)
    std::atomic<std::int64_t> drain_until_us;
    std::atomic<std::uint64_t> drain_lsn;

    // the guard of retained WAL (scheduler); see wal_guard.hpp
    std::atomic<std::uint64_t> wal_limit;       // bytes; 0: not looked yet
    std::atomic<std::uint64_t> wal_free;        // of pg_wal's file system, bytes
    std::atomic<std::uint64_t> retained;        // at the last look, bytes
    std::atomic<std::int64_t> retained_at_us;   // of worker::Now()
    std::atomic<std::uint64_t> retained_rate;   // growth, bytes a second
    std::atomic<std::int64_t> guard_logged_us;  // of worker::Now(); 0: never
    std::atomic<bool> throttled;                // no new chunk of existing rows is begun

    std::atomic<std::uint64_t>
        resume_lsn;  // deliverer: start decoding here (0: the slot's position)
    std::atomic<std::uint64_t> slot_start_lsn;  // decoder: where decoding began
    std::atomic<std::uint64_t> durable_lsn;  // deliverer: everything before is durable in the sink
    std::atomic<std::uint64_t> read_lsn;     // decoder: end of the WAL read
    std::atomic<std::uint64_t> confirmed_lsn;  // decoder: told to the slot and saved

    std::atomic<bool> decoder_sleeping;  // decoder; read by committing backends
    std::atomic<bool> caught_up;         // decoder: what it sent last is everything flushed so far
    std::atomic<std::uint64_t> rows;     // deliverer, since its start
    std::atomic<std::uint64_t> transactions;  // deliverer, since its start
    std::atomic<std::uint64_t>
        transaction_rows;  // deliverer, of the source transaction under way; 0 between two
    std::atomic<std::int64_t> started_at;  // deliverer, TimestampTz
    std::atomic<std::int64_t>
        last_commit_at;                    // deliverer, TimestampTz of the newest commit delivered
    std::atomic<std::uint64_t> rate_x100;  // deliverer, rows per second * 100 over the last second
    // deliverer: events that could not be delivered (letters, skipped) since the server's start;
    // when the log was told last, of worker::Now()
    std::atomic<std::uint64_t> poison_events;
    std::atomic<std::int64_t> poison_logged_us;
    std::atomic<bool> redrive;  // committing backends: letters are to be sent again
    // existing rows, deliverer: rows read so far; what they will be, an estimate; rows per second *
    // 100; the table; whether older transactions are waited for
    std::atomic<std::uint64_t> snapshot_rows;
    std::atomic<std::uint64_t> snapshot_total;
    std::atomic<std::uint64_t> snapshot_rate_x100;
    std::atomic<Oid> snapshot_table;
    std::atomic<bool> snapshot_waiting;

    ConditionVariable progress;  // broadcast by the deliverer when durable_lsn moves
};

struct Shared {
    LWLock* lock;
    std::atomic<std::uint64_t>
        last_commit_end;                  // committing backends: end of the newest commit record
    std::atomic<std::uint32_t> sleeping;  // number of decoders asleep
    // Replication origins of ours, one bit each: their transactions are never delivered again.
    std::atomic<std::uint8_t> own_origins[65536 / 8];
    char context_secret[33];  // hexadecimal; see context.hpp
    int entry_count;
    Entry entries[FLEXIBLE_ARRAY_MEMBER];
};

// Null without preloading.
Shared* GetShared();

// _PG_init, while preloading: reserves memory, registers the commit callback.
void InstallShared();

// The entry of a stream; makes one when `create`. Null: none, or (create) no room. Takes the lock.
Entry* FindEntry(Oid database, std::int32_t stream_id, const char* name, bool create);
// Forgets a stream that was dropped. Takes the lock.
void ForgetEntry(Oid database, std::int32_t stream_id);

void SetError(Entry* entry, const char* message, const char* hint);
void ClearError(Entry* entry);
bool HasError(Entry* entry);

// Nothing happens where the process is not there.
void WakeDecoder(Entry* entry);
void WakeDeliverer(Entry* entry);

void MarkOwnOrigin(RepOriginId origin, bool own);
bool IsOwnOrigin(RepOriginId origin);

}  // namespace bitvelocity::stream
