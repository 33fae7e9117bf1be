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

// slot.h: an invalidated slot was told by data.invalidated_at until 15, by data.invalidated from 16
// (commit be87200e).
inline bool SlotInvalidated(const ReplicationSlot* slot) {
#if PG_VERSION_NUM >= 160000
    return slot->data.invalidated != RS_INVAL_NONE;
#else
    return slot->data.invalidated_at != InvalidXLogRecPtr &&
           slot->data.restart_lsn == InvalidXLogRecPtr;
#endif
}

// origin.h: replorigin_session_setup got the pid of a leader in 16 (commit 216a7848).
inline void SetUpOrigin(RepOriginId origin) {
#if PG_VERSION_NUM >= 160000
    replorigin_session_setup(origin, 0);
#else
    replorigin_session_setup(origin);
#endif
}

// message.h: LogLogicalMessage got `flush` in 17 (commit 173b56f1). Not flushed.
inline XLogRecPtr EmitMessage(const char* prefix, const char* message, size_t size,
                              bool transactional) {
#if PG_VERSION_NUM >= 170000
    return LogLogicalMessage(prefix, message, size, transactional, false);
#else
    return LogLogicalMessage(prefix, message, size, transactional);
#endif
}

// reorderbuffer.h: a change holds its tuples without a buffer around them since 17 (commit
// 08e6344fd642).
#if PG_VERSION_NUM >= 170000
inline HeapTuple OldTuple(const ReorderBufferChange* change) {
    return change->data.tp.oldtuple;
}
inline HeapTuple NewTuple(const ReorderBufferChange* change) {
    return change->data.tp.newtuple;
}
#else
inline HeapTuple OldTuple(const ReorderBufferChange* change) {
    return change->data.tp.oldtuple != nullptr ? &change->data.tp.oldtuple->tuple : nullptr;
}
inline HeapTuple NewTuple(const ReorderBufferChange* change) {
    return change->data.tp.newtuple != nullptr ? &change->data.tp.newtuple->tuple : nullptr;
}
#endif

// relfilelocator.h: relation files were called nodes until 15 (commit b0a55e43299c).
#if PG_VERSION_NUM >= 160000
using FileLocator = RelFileLocator;
inline const FileLocator& Locator(const ReorderBufferChange* change) {
    return change->data.tp.rlocator;
}
inline bool SameFile(const FileLocator& a, const FileLocator& b) {
    return RelFileLocatorEquals(a, b);
}
#else
using FileLocator = RelFileNode;
inline const FileLocator& Locator(const ReorderBufferChange* change) {
    return change->data.tp.relnode;
}
inline bool SameFile(const FileLocator& a, const FileLocator& b) {
    return RelFileNodeEquals(a, b);
}
#endif

// reorderbuffer.h: the flags of a transaction of rows alone; from 16 on one tells that there are
// any.
#ifdef RBTXN_HAS_STREAMABLE_CHANGE
constexpr bits32 kFlagsOfRows = RBTXN_HAS_STREAMABLE_CHANGE;
#else
constexpr bits32 kFlagsOfRows = 0;
#endif

// inval.h: what a publication sends of a table has an invalidation of its own since 18 (commit
// 3abe9dc18892).
inline void OnPublishedRelation(void (*callback)(Datum, Oid)) {
#if PG_VERSION_NUM >= 180000
    CacheRegisterRelSyncCallback(callback, 0);
#else
    (void)callback;
#endif
}

// dependency.h: getIdentitySequence takes the relation itself from 17 on (commit 50919958).
inline Oid IdentitySequence(Oid table, AttrNumber column) {
#if PG_VERSION_NUM >= 170000
    const Relation relation = relation_open(table, AccessShareLock);
    const Oid sequence = getIdentitySequence(relation, column, false);
    relation_close(relation, AccessShareLock);
    return sequence;
#else
    return getIdentitySequence(table, column, false);
#endif
}

// xlog.h: GetFlushRecPtr got the insertion timeline in 15; unchanged up to 18.
inline XLogRecPtr FlushPosition() {
    return GetFlushRecPtr(nullptr);
}

// acl.h: object_ownercheck replaced the per-class functions in 16 (commit afbfc029).
inline bool OwnsRelation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relation, role);
#else
    return pg_class_ownercheck(relation, role);
#endif
}

// acl.h: the same for databases.
inline bool OwnsDatabase(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(DatabaseRelationId, database, role);
#else
    return pg_database_ownercheck(database, role);
#endif
}
inline bool MayConnect(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(DatabaseRelationId, database, role, ACL_CONNECT) == ACLCHECK_OK;
#else
    return pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

// bgworker.h: a role without LOGIN may own what a worker works on since 17 (commit 492217301).
#if PG_VERSION_NUM >= 170000
inline constexpr bool kWorkersIgnoreLogin = true;
#else
inline constexpr bool kWorkersIgnoreLogin = false;
#endif
inline void ConnectWorker(Oid database, Oid role) {
#if PG_VERSION_NUM >= 170000
    BackgroundWorkerInitializeConnectionByOid(database, role, BGWORKER_BYPASS_ROLELOGINCHECK);
#else
    BackgroundWorkerInitializeConnectionByOid(database, role, 0);
#endif
}

// guc_tables.h: the settings became a hash table in 16 (commit 3057465acf).
inline config_generic* FindSetting(const char* name) {
#if PG_VERSION_NUM >= 160000
    return find_option(name, false, true, 0);
#else
    config_generic** settings = get_guc_variables();
    const int count = GetNumConfigOptions();
    for (int i = 0; i < count; ++i) {
        if (std::strcmp(settings[i]->name, name) == 0) {
            return settings[i];
        }
    }
    return nullptr;
#endif
}

// latch.h: CreateWaitEventSet takes a resource owner since 17 (commit 50c67c2019).
inline WaitEventSet* CreateSessionWaitSet(int events) {
#if PG_VERSION_NUM >= 170000
    return CreateWaitEventSet(nullptr, events);
#else
    return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

// origin.c: replication origins got a limit of their own in 18 (commit 04ff636cbce).
#if PG_VERSION_NUM >= 180000
inline constexpr const char* kOriginLimit = "max_active_replication_origins";
#else
inline constexpr const char* kOriginLimit = "max_replication_slots";
#endif

// miscadmin.h: BackendId became ProcNumber in 17 (commit 024c5211).
#if PG_VERSION_NUM >= 170000
using BackendNumber = ProcNumber;
#else
using BackendNumber = BackendId;
#endif

// The process of a virtual transaction; 0: gone, or a prepared transaction. BackendIdGetProc became
// ProcNumberGetProc in 17 (commit 024c5211).
inline int ProcessOf(const VirtualTransactionId& transaction) {
#if PG_VERSION_NUM >= 170000
    const PGPROC* process = transaction.procNumber == INVALID_PROC_NUMBER
                                ? nullptr
                                : ProcNumberGetProc(transaction.procNumber);
#else
    const PGPROC* process = transaction.backendId == InvalidBackendId
                                ? nullptr
                                : BackendIdGetProc(transaction.backendId);
#endif
    return process != nullptr ? process->pid : 0;
}

// executor.h: ExecInitRangeTable got permission infos in 16 (commit a61b1f74) and the set of
// relations that were not pruned in 18 (commit cbc12791).
inline void InitRangeTable(EState* estate, Relation relation) {
    RangeTblEntry* entry = makeNode(RangeTblEntry);
    entry->rtekind = RTE_RELATION;
    entry->relid = RelationGetRelid(relation);
    entry->relkind = relation->rd_rel->relkind;
    entry->rellockmode = AccessShareLock;
#if PG_VERSION_NUM >= 180000
    List* permissions = NIL;
    addRTEPermissionInfo(&permissions, entry);
    ExecInitRangeTable(estate, list_make1(entry), permissions, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
    List* permissions = NIL;
    addRTEPermissionInfo(&permissions, entry);
    ExecInitRangeTable(estate, list_make1(entry), permissions);
#else
    ExecInitRangeTable(estate, list_make1(entry));
#endif
}

// executor.h: ExecInsertIndexTuples got onlySummarizing in 16 (commit 19d8e230).
inline List* InsertIndexTuples(ResultRelInfo* info, TupleTableSlot* slot, EState* estate) {
#if PG_VERSION_NUM >= 160000
    return ExecInsertIndexTuples(info, slot, estate, false, false, nullptr, NIL, false);
#else
    return ExecInsertIndexTuples(info, slot, estate, false, false, nullptr, NIL);
#endif
}

// executor.h: ExecGetRootToChildMap replaced the field in 16 (commit fb958b5d).
inline TupleConversionMap* RootToChildMap(ResultRelInfo* info, [[maybe_unused]] EState* estate) {
#if PG_VERSION_NUM >= 160000
    return ExecGetRootToChildMap(info, estate);
#else
    return info->ri_RootToPartitionMap;
#endif
}

// nodeFuncs.h: the walker's type got its parameters in 16 (commit 1c27d16e), and C++ checks them.
inline bool WalkExpression(Node* node, bool (*walker)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
    return expression_tree_walker(node, walker, context);
#else
    auto* generic = reinterpret_cast<void (*)()>(walker);
    return expression_tree_walker(node, reinterpret_cast<bool (*)()>(generic), context);
#endif
}
inline bool WalkQuery(Query* query, bool (*walker)(Node*, void*), void* context, int flags) {
#if PG_VERSION_NUM >= 160000
    return query_tree_walker(query, walker, context, flags);
#else
    auto* generic = reinterpret_cast<void (*)()>(walker);
    return query_tree_walker(query, reinterpret_cast<bool (*)()>(generic), context, flags);
#endif
}

}  // namespace bitvelocity::pg::compat
