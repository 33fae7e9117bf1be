#include "pg/scopes.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"
#include "pg/spi.hpp"

namespace bitvelocity::pg {

namespace {

// Enters a GUC nest level with the safe search path; plain C, may raise.
int PinSearchPath() {
    const int level = NewGUCNestLevel();
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                      GUC_ACTION_SAVE, true, 0, false);
    return level;
}

Oid ExtensionOwner() {
    const Oid extension = get_extension_oid("bitvelocity", true);
    if (!OidIsValid(extension)) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("extension \"bitvelocity\" is not installed in this database"),
                        errhint("Run CREATE EXTENSION bitvelocity.")));
    }
    const Relation catalog = table_open(ExtensionRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(extension));
    const SysScanDesc scan =
        systable_beginscan(catalog, ExtensionOidIndexId, true, nullptr, 1, &key);
    const HeapTuple tuple = systable_getnext(scan);
    Oid owner = InvalidOid;
    if (HeapTupleIsValid(tuple)) {
        owner = reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->extowner;
    }
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
    return owner;
}

}  // namespace

MemoryScope::MemoryScope(const char* name) : context_(nullptr), previous_(CurrentMemoryContext) {
    context_ = Call([name]() {
        return AllocSetContextCreateInternal(CurrentMemoryContext, name, ALLOCSET_DEFAULT_SIZES);
    });
    MemoryContextSwitchTo(context_);
}

MemoryScope::~MemoryScope() noexcept {
    MemoryContextSwitchTo(previous_);
    MemoryContextDelete(context_);
}

void MemoryScope::Reset() {
    MemoryContextReset(context_);
}

TransactionScope::TransactionScope() : TransactionScope(XACT_READ_COMMITTED) {}

TransactionScope::TransactionScope(int isolation) {
    Call([isolation]() {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        XactIsoLevel = isolation;
        PushActiveSnapshot(GetTransactionSnapshot());
    });
}

TransactionScope::~TransactionScope() noexcept {
    if (open_) {
        AbortCurrentTransaction();
    }
}

void TransactionScope::Commit() {
    Call([]() {
        if (ActiveSnapshotSet()) {
            PopActiveSnapshot();
        }
        CommitTransactionCommand();
    });
    open_ = false;
}

SubtransactionScope::SubtransactionScope()
    : memory_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
    Call([memory = memory_]() {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(memory);
    });
}

SubtransactionScope::~SubtransactionScope() noexcept {
    if (open_) {
        RollbackAndReleaseCurrentSubTransaction();
        MemoryContextSwitchTo(memory_);
        CurrentResourceOwner = static_cast<ResourceOwner>(owner_);
    }
}

void SubtransactionScope::Commit() {
    Call([]() { ReleaseCurrentSubTransaction(); });
    open_ = false;
    MemoryContextSwitchTo(memory_);
    CurrentResourceOwner = static_cast<ResourceOwner>(owner_);
}

OwnerScope::OwnerScope(std::uint32_t role) : saved_role_(0), saved_context_(0), nest_level_(0) {
    GetUserIdAndSecContext(&saved_role_, &saved_context_);
    nest_level_ = Call([]() { return PinSearchPath(); });
    SetUserIdAndSecContext(
        role, saved_context_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

OwnerScope::~OwnerScope() noexcept {
    if (std::uncaught_exceptions() == 0) {
        AtEOXact_GUC(false, nest_level_);
    }
    SetUserIdAndSecContext(saved_role_, saved_context_);
}

CatalogScope::CatalogScope() : saved_role_(0), saved_context_(0), nest_level_(0) {
    GetUserIdAndSecContext(&saved_role_, &saved_context_);
    const Oid owner = Call([]() { return ExtensionOwner(); });
    nest_level_ = Call([]() { return PinSearchPath(); });
    SetUserIdAndSecContext(
        owner, saved_context_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

CatalogScope::~CatalogScope() noexcept {
    if (std::uncaught_exceptions() == 0) {
        AtEOXact_GUC(false, nest_level_);
    }
    SetUserIdAndSecContext(saved_role_, saved_context_);
}

RelationRef::RelationRef(std::uint32_t relation, int lock_mode)
    : relation_(Call([relation, lock_mode]() { return relation_open(relation, lock_mode); })) {}

RelationRef::~RelationRef() noexcept {
    // After an ERROR the resource owner of the aborted transaction closes it.
    if (std::uncaught_exceptions() == 0) {
        relation_close(relation_, NoLock);
    }
}

void RequireOwner(std::uint32_t relation) {
    const bool owns = Call([relation]() { return compat::OwnsRelation(relation, GetUserId()); });
    if (!owns) {
        const std::string name = QualifiedName(relation);
        Throw(core::kInsufficientPrivilege, "must be owner of table " + name, {},
              "Ask the table's owner, or SET ROLE to it.");
    }
}

std::uint32_t OwnerOf(std::uint32_t relation) {
    return Call([relation]() -> std::uint32_t {
        const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
        if (!HeapTupleIsValid(tuple)) {
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                            errmsg("relation with OID %u does not exist", relation)));
        }
        const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
        ReleaseSysCache(tuple);
        return owner;
    });
}

std::uint32_t ExtensionOid() {
    return Call([]() -> std::uint32_t { return get_extension_oid("bitvelocity", true); });
}

}  // namespace bitvelocity::pg
