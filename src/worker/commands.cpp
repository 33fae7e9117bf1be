#include "worker/commands.hpp"

#include "worker/loop.hpp"
#include "worker/notify.hpp"
#include "worker/registry.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

constexpr std::int64_t kStepAsideLimit = 10'000'000;

ProcessUtility_hook_type previous_utility = nullptr;

// The database this backend holds, and whether the command is over (ALTER DATABASE SET TABLESPACE
// commits in its middle, where nobody may come back yet).
Oid held = InvalidOid;
bool command_over = false;
bool exit_registered = false;

void LetBack() {
    if (held == InvalidOid) {
        return;
    }
    const Oid database = held;
    held = InvalidOid;
    const RegistryLock lock;
    Database* entry = FindDatabase(database);
    if (entry != nullptr && entry->holds > 0) {
        --entry->holds;
        if (entry->holds == 0 && !entry->installed && !entry->stopped && !HasProcesses(database)) {
            entry->database = InvalidOid;
        }
    }
    registry->rescan = true;
    WakeLauncherLocked();
}

// A backend that is terminated in the middle.
void LetBackAtExit(int /*code*/, Datum /*argument*/) {
    LetBack();
}

void Hold(Oid database) {
    if (!exit_registered) {
        before_shmem_exit(LetBackAtExit, 0);
        exit_registered = true;
    }
    // Also where nothing of ours is known to run: the launcher may be about to look into it.
    const RegistryLock lock;
    Database* entry = FindOrAddDatabase(database);
    if (entry == nullptr) {
        return;
    }
    ++entry->holds;
    held = database;
    command_over = false;
    if (entry->scheduler_latch != nullptr) {
        SetLatch(entry->scheduler_latch);
    }
}

bool MayCreateDatabase() {
    const HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
    if (!HeapTupleIsValid(tuple)) {
        return false;
    }
    const auto* form = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple));
    const bool may = form->rolcreatedb || form->rolsuper;
    ReleaseSysCache(tuple);
    return may;
}

const char* TemplateOf(const CreatedbStmt* statement) {
    ListCell* cell = nullptr;
    foreach (cell, statement->options) {
        auto* option = static_cast<DefElem*>(lfirst(cell));
        if (std::strcmp(option->defname, "template") == 0 && option->arg != nullptr) {
            return defGetString(option);
        }
    }
    return nullptr;
}

bool SetsTablespace(const AlterDatabaseStmt* statement) {
    ListCell* cell = nullptr;
    foreach (cell, statement->options) {
        if (std::strcmp(static_cast<DefElem*>(lfirst(cell))->defname, "tablespace") == 0) {
            return true;
        }
    }
    return false;
}

// The database whose workers are in the way of the command; only for who may run it, so that nobody
// else can stop them.
Oid InTheWay(const Node* node) {
    const char* name = nullptr;
    bool as_template = false;
    switch (nodeTag(node)) {
        case T_DropdbStmt:
            name = reinterpret_cast<const DropdbStmt*>(node)->dbname;
            break;
        case T_RenameStmt: {
            const auto* rename = reinterpret_cast<const RenameStmt*>(node);
            name = rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
            break;
        }
        case T_AlterDatabaseStmt: {
            const auto* alter = reinterpret_cast<const AlterDatabaseStmt*>(node);
            name = SetsTablespace(alter) ? alter->dbname : nullptr;
            break;
        }
        case T_CreatedbStmt:
            name = TemplateOf(reinterpret_cast<const CreatedbStmt*>(node));
            as_template = true;
            break;
        default:
            break;
    }
    if (name == nullptr) {
        return InvalidOid;
    }
    const Oid database = get_database_oid(name, true);
    // The command refuses the database one is connected to, and one that does not exist.
    if (database == InvalidOid || (database == MyDatabaseId && !as_template)) {
        return InvalidOid;
    }
    const bool may = superuser() || pg::compat::OwnsDatabase(database, GetUserId()) ||
                     (as_template && MayCreateDatabase());
    return may ? database : InvalidOid;
}

bool ChangesDatabases(const Node* node) {
    switch (nodeTag(node)) {
        case T_DropdbStmt:
        case T_CreatedbStmt:
        case T_AlterDatabaseStmt:
            return true;
        case T_RenameStmt:
            return reinterpret_cast<const RenameStmt*>(node)->renameType == OBJECT_DATABASE;
        default:
            return false;
    }
}

bool FinishesPrepared(const Node* node) {
    return nodeTag(node) == T_TransactionStmt &&
           reinterpret_cast<const TransactionStmt*>(node)->kind == TRANS_STMT_COMMIT_PREPARED;
}

// Origins and the like of a dropped database, in its transaction.
void CleanUpDropped(Oid database) {
    for (int i = 0; i < CapabilityCount(); ++i) {
        const auto clean = GetCapability(i).database_dropped;
        if (clean == nullptr) {
            continue;
        }
        const core::Status status = pg::Catch([clean, database]() {
            pg::SubtransactionScope attempt;
            clean(database);
            attempt.Commit();
        });
        if (!status.ok()) {
            const char* message = status.error().message.c_str();
            pg::Call([message]() {
                ereport(WARNING,
                        (errmsg("bitvelocity could not clean up after the database: %s", message)));
            });
        }
    }
}

void StepAside(Oid database) {
    pg::Call([database]() { Hold(database); });
    if (held == InvalidOid) {
        return;
    }
    if (!WaitUntilGone(database, kStepAsideLimit)) {
        pg::Call([]() {
            ereport(WARNING,
                    (errmsg("workers of bitvelocity did not leave the database within 10 seconds"),
                     errhint("Run stop_workers() in that database, then try again.")));
        });
    }
}

void RunWithoutWorkers(PlannedStmt* statement, const char* text, bool read_only,
                       ProcessUtilityContext context, ParamListInfo params,
                       QueryEnvironment* environment, DestReceiver* receiver,
                       QueryCompletion* completion) {
    const Node* node = statement->utilityStmt;
    const bool drop = nodeTag(node) == T_DropdbStmt;
    // In a transaction block these commands are refused, except RENAME.
    const bool refused = nodeTag(node) != T_RenameStmt && IsInTransactionBlock(true);
    const Oid database = refused ? InvalidOid : pg::Call([node]() { return InTheWay(node); });
    if (database != InvalidOid) {
        StepAside(database);
    }
    DatabasesChanged();
    // Whatever happens now, the end of this transaction lets them back.
    struct Over {
        ~Over() { command_over = true; }
    } over;
    pg::Call([&]() {
        const auto next = previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
        next(statement, text, read_only, context, params, environment, receiver, completion);
    });
    DatabasesChanged();
    if (drop && database != InvalidOid) {
        CleanUpDropped(database);
    }
}

void OnUtility(PlannedStmt* statement, const char* text, bool read_only,
               ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
               DestReceiver* receiver, QueryCompletion* completion) {
    const Node* node = statement->utilityStmt;
    if (ChangesDatabases(node)) {
        pg::Enter([&]() {
            RunWithoutWorkers(statement, text, read_only, context, params, environment, receiver,
                              completion);
        });
        return;
    }
    if (FinishesPrepared(node)) {
        PreparedFinished();
    }
    const auto next = previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
    next(statement, text, read_only, context, params, environment, receiver, completion);
}

}  // namespace

void InstallCommands() {
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = OnUtility;
}

void TransactionEnded() {
    if (held != InvalidOid && command_over) {
        LetBack();
    }
}

bool WaitUntilGone(std::uint32_t database, std::int64_t timeout_us) {
    const std::int64_t limit = Now() + timeout_us;
    std::vector<pid_t> pids;
    const auto all_gone = [database, &pids]() {
        {
            const RegistryLock lock;
            const Database* entry = FindDatabase(database);
            if (entry != nullptr && entry->scheduler_pid != 0) {
                pids.push_back(entry->scheduler_pid);
            }
            if (HasProcesses(database)) {
                return false;
            }
        }
        // Out of the registry is not yet out of the server's process array.
        for (const pid_t pid : pids) {
            if (pg::Call([pid]() { return BackendPidGetProc(pid) != nullptr; })) {
                return false;
            }
        }
        return true;
    };
    pg::Call([]() { ConditionVariablePrepareToSleep(&registry->changed); });
    bool gone = all_gone();
    while (!gone && Now() < limit) {
        pg::Call([]() { ConditionVariableTimedSleep(&registry->changed, 20, PG_WAIT_EXTENSION); });
        gone = all_gone();
    }
    ConditionVariableCancelSleep();
    return gone;
}

}  // namespace bitvelocity::worker
