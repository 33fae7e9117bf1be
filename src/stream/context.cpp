#include "stream/context.hpp"

#include <algorithm>

#include "pg/settings.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

constexpr const char* kPrefix = "bitvelocity.context";

ExecutorStart_hook_type g_previous_executor_start = nullptr;
ProcessUtility_hook_type g_previous_utility = nullptr;

// What this transaction has said last, and in which subtransaction. Empty: nothing.
char* g_said = nullptr;
int g_said_length = 0;
SubTransactionId g_said_in = InvalidSubTransactionId;
// The last message was rolled back with its savepoint: what holds now may be an earlier one, so
// even "nobody" has to be said.
bool g_said_unknown = false;

// Utility statements that are being run, the outermost first. Those that an ERROR ends go with the
// subtransaction in which it is caught.
struct Running {
    int nest_level;
    const char* text;
    int location;
    int length;
};
constexpr int kRunning = 32;
Running g_running[kRunning];
int g_running_count = 0;

void Forget() {
    if (g_said != nullptr) {
        pfree(g_said);
        g_said = nullptr;
    }
    g_said_length = 0;
    g_said_in = InvalidSubTransactionId;
    g_said_unknown = false;
}

bool HasText(const char* text) {
    return text != nullptr && text[0] != '\0';
}

bool HasContext() {
    return HasText(pg::settings::actor) || HasText(pg::settings::correlation_id) ||
           HasText(pg::settings::traceparent);
}

// Cheap enough for every statement: most have nothing to say, or have said it.
bool MustLook() {
    return GetShared() != nullptr && XLogLogicalInfoActive() && !RecoveryInProgress() &&
           (HasContext() || g_said != nullptr || g_said_unknown);
}

bool IsCovered(Oid relid, LOCKMODE lock) {
    const Relation relation = try_relation_open(relid, lock);
    if (relation == nullptr) {
        return false;
    }
    bool covered = false;
    if (RelationIsLogicallyLogged(relation) && is_publishable_relation(relation)) {
        PublicationDesc description;
        RelationBuildPublicationDesc(relation, &description);
        covered = description.pubactions.pubinsert || description.pubactions.pubupdate ||
                  description.pubactions.pubdelete || description.pubactions.pubtruncate;
    }
    relation_close(relation, lock);
    return covered;
}

void AppendField(StringInfo out, const char* text) {
    if (text == nullptr) {
        text = "";
    }
    char* utf8 = pg_server_to_any(text, static_cast<int>(std::strlen(text)), PG_UTF8);
    appendBinaryStringInfo(out, utf8, static_cast<int>(std::strlen(utf8)) + 1);
}

void Say() {
    StringInfoData content;
    initStringInfo(&content);
    appendBinaryStringInfo(&content, GetShared()->context_secret,
                           static_cast<int>(std::strlen(GetShared()->context_secret)) + 1);
    AppendField(&content, pg::settings::actor);
    AppendField(&content, pg::settings::correlation_id);
    AppendField(&content, pg::settings::traceparent);
    if (content.len == g_said_length && std::memcmp(content.data, g_said, content.len) == 0) {
        pfree(content.data);
        return;
    }
    pg::compat::EmitMessage(kPrefix, content.data, static_cast<std::size_t>(content.len), true);
    Forget();
    g_said = static_cast<char*>(MemoryContextAlloc(TopMemoryContext, content.len));
    std::memcpy(g_said, content.data, content.len);
    g_said_length = content.len;
    g_said_in = GetCurrentSubTransactionId();
    pfree(content.data);
}

void OnExecutorStart(QueryDesc* query, int flags) {
    // Only a statement that changes rows has result relations (also one with a modifying WITH).
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0 && query->plannedstmt->resultRelations != NIL &&
        MustLook()) {
        ListCell* cell = nullptr;
        foreach (cell, query->plannedstmt->resultRelations) {
            const RangeTblEntry* entry = rt_fetch(lfirst_int(cell), query->plannedstmt->rtable);
            if (IsCovered(entry->relid, NoLock)) {
                Say();
                break;
            }
        }
    }
    if (g_previous_executor_start != nullptr) {
        g_previous_executor_start(query, flags);
    } else {
        standard_ExecutorStart(query, flags);
    }
}

bool AnyCovered(List* relations) {
    ListCell* cell = nullptr;
    foreach (cell, relations) {
        // The statement takes its own lock and reports what does not exist.
        const Oid relid = RangeVarGetRelid(static_cast<RangeVar*>(lfirst(cell)), NoLock, true);
        if (OidIsValid(relid) && IsCovered(relid, AccessShareLock)) {
            return true;
        }
    }
    return false;
}

void OnUtility(PlannedStmt* statement, const char* text, bool read_only_tree,
               ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
               DestReceiver* destination, QueryCompletion* completion) {
    if (IsTransactionState() && MustLook()) {
        Node* node = statement->utilityStmt;
        List* relations = NIL;
        if (IsA(node, CopyStmt) && reinterpret_cast<CopyStmt*>(node)->is_from &&
            reinterpret_cast<CopyStmt*>(node)->relation != nullptr) {
            relations = list_make1(reinterpret_cast<CopyStmt*>(node)->relation);
        } else if (IsA(node, TruncateStmt)) {
            relations = reinterpret_cast<TruncateStmt*>(node)->relations;
        }
        if (relations != NIL && AnyCovered(relations)) {
            Say();
        }
    }
    if (context == PROCESS_UTILITY_TOPLEVEL) {
        g_running_count = 0;
    }
    const int before = g_running_count;
    // Deeper ones are counted, so that nobody takes the wrong text.
    if (g_running_count < kRunning) {
        g_running[g_running_count] = {GetCurrentTransactionNestLevel(), text,
                                      statement->stmt_location, statement->stmt_len};
    }
    ++g_running_count;
    if (g_previous_utility != nullptr) {
        g_previous_utility(statement, text, read_only_tree, context, params, environment,
                           destination, completion);
    } else {
        standard_ProcessUtility(statement, text, read_only_tree, context, params, environment,
                                destination, completion);
    }
    g_running_count = before;
}

void OnTransactionEnd(XactEvent event, void* /*argument*/) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
        Forget();
    }
}

void OnSubtransactionEnd(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
                         void* /*argument*/) {
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        g_running_count = std::min(g_running_count, kRunning);
        while (g_running_count > 0 &&
               g_running[g_running_count - 1].nest_level >= GetCurrentTransactionNestLevel()) {
            --g_running_count;
        }
    }
    if (g_said_in != mine) {
        return;
    }
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        Forget();
        g_said_unknown = true;
    } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
        g_said_in = parent;
    }
}

}  // namespace

std::string StatementText() {
    if (g_running_count == 0 || g_running_count > kRunning) {
        return {};
    }
    const Running& running = g_running[g_running_count - 1];
    if (running.text == nullptr) {
        return {};
    }
    const char* start = running.text + std::max(running.location, 0);
    std::string text = running.length > 0
                           ? std::string(start, static_cast<std::size_t>(running.length))
                           : std::string(start);
    text.erase(0, text.find_first_not_of(" \t\r\n"));
    return text;
}

void InstallContext() {
    g_previous_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = OnExecutorStart;
    g_previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = OnUtility;
    RegisterXactCallback(OnTransactionEnd, nullptr);
    RegisterSubXactCallback(OnSubtransactionEnd, nullptr);
}

}  // namespace bitvelocity::stream
