// SlotCompat: what differs between PostgreSQL 15 and 18 about replication slots, beside compat.hpp,
// for those who work with slots. May raise; plain data.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::pg::compat {

// Why the server invalidated a slot: slot.h names causes since 16 (commit be87200e), a further one
// since 18 (commit ac0e33136). Null: it is valid.
inline const char* SlotInvalidation(const ReplicationSlot* slot) {
    constexpr const char* kWal = "it needed more WAL than max_slot_wal_keep_size";
    if (!SlotInvalidated(slot)) {
        return nullptr;
    }
#if PG_VERSION_NUM >= 160000
    switch (slot->data.invalidated) {
        case RS_INVAL_WAL_REMOVED:
            return kWal;
        case RS_INVAL_HORIZON:
            return "rows of the catalogues that it needed were removed";
        case RS_INVAL_WAL_LEVEL:
            return "wal_level was not logical";
#if PG_VERSION_NUM >= 180000
        case RS_INVAL_IDLE_TIMEOUT:
            return "nobody read it for idle_replication_slot_timeout";
#endif
        default:
            return "the server gives no reason";
    }
#else
    return kWal;
#endif
}

// Standbys keep failover slots from 17 on (commits c393308b, 93db6cbda0), so that the stream goes
// on after a promotion. Of the slot that this process is making.
inline void MakeFailoverSlot() {
#if PG_VERSION_NUM >= 170000
    SpinLockAcquire(&MyReplicationSlot->mutex);
    MyReplicationSlot->data.failover = true;
    SpinLockRelease(&MyReplicationSlot->mutex);
    ReplicationSlotMarkDirty();
#endif
}

// Whether the slot came from the primary that this server has replaced.
inline bool SlotSynchronized([[maybe_unused]] const ReplicationSlot* slot) {
#if PG_VERSION_NUM >= 170000
    return slot->data.synced;
#else
    return false;
#endif
}

// Whether the standbys that synchronized_standby_slots names have WAL up to `lsn`, since 17 (commit
// bf279ddd1c). What is shipped before them would be unknown to the one that is promoted.
inline bool StandbysHave([[maybe_unused]] XLogRecPtr lsn) {
#if PG_VERSION_NUM >= 170000
    return !MyReplicationSlot->data.failover || StandbySlotsHaveCaughtup(lsn, DEBUG1);
#else
    return true;
#endif
}

}  // namespace bitvelocity::pg::compat
