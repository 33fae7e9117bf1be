// Compat: what differs between PostgreSQL 15 and 18, in one place, with the newest shape.
//
// Included by pg/postgres.hpp only. Feature code has no version tests.
#pragma once

namespace bitvelocity::pg::compat {

// slot.h: ReplicationSlotCreate got `failover` and `synced` in 17 (commit ddd5f4f5, c393308b),
// ReplicationSlotAcquire got `error_if_invalid` in 18 (commit f41d8468).
inline void CreateLogicalSlot(const char* name, ReplicationSlotPersistency persistency) {
#if PG_VERSION_NUM >= 170000
    ReplicationSlotCreate(name, true, persistency, false, false, false);
#else
    ReplicationSlotCreate(name, true, persistency, false);
#endif
}

inline void AcquireSlot(const char* name) {
#if PG_VERSION_NUM >= 180000
    ReplicationSlotAcquire(name, true, true);
#else
    ReplicationSlotAcquire(name, true);
#endif
}

// xlog.h: GetFlushRecPtr got the insertion timeline in 15; unchanged up to 18.
inline XLogRecPtr FlushPosition() { return GetFlushRecPtr(nullptr); }

// acl.h: object_ownercheck replaced the per-class functions in 16 (commit afbfc029).
inline bool OwnsRelation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relation, role);
#else
    return pg_class_ownercheck(relation, role);
#endif
}

// miscadmin.h: BackendId became ProcNumber in 17 (commit 024c5211).
#if PG_VERSION_NUM >= 170000
using BackendNumber = ProcNumber;
#else
using BackendNumber = BackendId;
#endif

}  // namespace bitvelocity::pg::compat
