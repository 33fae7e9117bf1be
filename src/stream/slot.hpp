// Slot: making, confirming, releasing and dropping the logical slot of a stream, in-process.
//
// The slot's plugin is the built-in pgoutput; since August 2026 output_plugin_libraries refuses
// others. Every function runs in the decoder (or, for dropping, in the scheduler) and may raise.
// Plain data.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

struct SlotFacts {
    bool exists;
    const char* invalidation;  // why it was invalidated; null: it was not
    bool active;
    bool synchronized;  // by a standby, from the primary it has replaced
    Oid database;       // InvalidOid: a physical slot
    NameData plugin;
    XLogRecPtr confirmed_flush;
    XLogRecPtr restart;
};

SlotFacts LookUpSlot(const char* name);

// Outside a transaction, no slot held: makes the slot persistent at a consistent point, which waits
// for every older transaction of the cluster, and lets it go again. SIGTERM ends the process
// meanwhile.
void CreateSlot(const char* name);

// The slot acquired by this process: everything before `lsn` is durable in the sink. Never goes
// back.
void ConfirmSlot(XLogRecPtr lsn);

// Drops the slot and says so in one line with its position; false when it is gone or still in use.
bool DropSlot(const char* name);

// Drops every inactive slot of ours in `database` that is not in `keep` (an array of names).
void DropSlotsExcept(Oid database, const char* const* keep, int keep_count);

}  // namespace bitvelocity::stream
