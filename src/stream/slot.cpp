#include "stream/slot.hpp"

#include "pg/failpoint.hpp"
#include "pg/slot_compat.hpp"
#include "worker/loop.hpp"

#include "stream/slot_record.hpp"

namespace bitvelocity::stream {

SlotFacts LookUpSlot(const char* name) {
    SlotFacts facts{};
    LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
    for (int i = 0; i < max_replication_slots; ++i) {
        ReplicationSlot* slot = &ReplicationSlotCtl->replication_slots[i];
        if (!slot->in_use || std::strcmp(NameStr(slot->data.name), name) != 0) {
            continue;
        }
        SpinLockAcquire(&slot->mutex);
        facts.exists = true;
        facts.active = slot->active_pid != 0;
        facts.confirmed_flush = slot->data.confirmed_flush;
        facts.invalidation = pg::compat::SlotInvalidation(slot);
        facts.synchronized = pg::compat::SlotSynchronized(slot);
        facts.database = slot->data.database;
        facts.plugin = slot->data.plugin;
        facts.restart = slot->data.restart_lsn;
        SpinLockRelease(&slot->mutex);
        break;
    }
    LWLockRelease(ReplicationSlotControlLock);
    return facts;
}

void CreateSlot(const char* name) {
    CheckLogicalDecodingRequirements();
    // Ephemeral until it is consistent: a crash before leaves nothing behind.
    pg::compat::CreateLogicalSlot(name, RS_EPHEMERAL);
    pg::compat::MakeFailoverSlot();
    // Finding the start point waits inside the server, where only `die` can end it.
    pqsignal(SIGTERM, die);
    XLogReaderRoutine routine{};
    routine.page_read = read_local_xlog_page;
    routine.segment_open = wal_segment_open;
    routine.segment_close = wal_segment_close;
    LogicalDecodingContext* context = CreateInitDecodingContext(
        "pgoutput", NIL, false, InvalidXLogRecPtr, &routine, nullptr, nullptr, nullptr);
    DecodingContextFindStartpoint(context);
    ReplicationSlotPersist();
    FreeDecodingContext(context);
    ReplicationSlotRelease();
    pg::PassFailpoint(core::Failpoint::decoder_slot_made);
    worker::PrepareSignals();
    Assert((MyProc->statusFlags & PROC_IN_LOGICAL_DECODING) == 0);
}

void ConfirmSlot(XLogRecPtr lsn) {
    if (lsn <= MyReplicationSlot->data.confirmed_flush) {
        return;
    }
    pg::PassFailpoint(core::Failpoint::decoder_confirming);
    LogicalConfirmReceivedLocation(lsn);
    pg::PassFailpoint(core::Failpoint::decoder_saving);
    // Confirming alone dirties the slot only when its horizon moves; without the save a clean
    // restart would deliver again what was confirmed.
    ReplicationSlotMarkDirty();
    ReplicationSlotSave();
    pg::PassFailpoint(core::Failpoint::decoder_saved);
}

bool DropSlot(const char* name) {
    const SlotFacts facts = LookUpSlot(name);
    if (!facts.exists || facts.active) {
        return false;
    }
    ReplicationSlotDrop(name, true);
    RemoveSlotRecord(name);
    ereport(LOG, (errmsg("bitvelocity dropped replication slot \"%s\" at %X/%X", name,
                         LSN_FORMAT_ARGS(facts.confirmed_flush))));
    return true;
}

void DropSlotsExcept(Oid database, const char* const* keep, int keep_count) {
    char prefix[NAMEDATALEN];
    snprintf(prefix, sizeof(prefix), "bitvelocity_%u_", database);
    for (;;) {
        char name[NAMEDATALEN] = "";
        LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
        for (int i = 0; i < max_replication_slots && name[0] == '\0'; ++i) {
            const ReplicationSlot* slot = &ReplicationSlotCtl->replication_slots[i];
            if (!slot->in_use || slot->active_pid != 0 || slot->data.database != database ||
                std::strncmp(NameStr(slot->data.name), prefix, std::strlen(prefix)) != 0) {
                continue;
            }
            bool wanted = false;
            for (int k = 0; k < keep_count; ++k) {
                wanted |= std::strcmp(keep[k], NameStr(slot->data.name)) == 0;
            }
            if (!wanted) {
                strlcpy(name, NameStr(slot->data.name), sizeof(name));
            }
        }
        LWLockRelease(ReplicationSlotControlLock);
        if (name[0] == '\0' || !DropSlot(name)) {
            return;
        }
    }
}

}  // namespace bitvelocity::stream
