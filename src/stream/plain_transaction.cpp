#include "stream/plain_transaction.hpp"

#include "pg/settings.hpp"

#include "stream/row_tables.hpp"

namespace bitvelocity::stream {

namespace {

using pg::settings::RowWriter;

// What a commit may say: its database (always, with wal_level = logical) and how to wait for it.
constexpr uint32 kPlainCommit =
    XACT_XINFO_HAS_DBINFO | XACT_COMPLETION_APPLY_FEEDBACK | XACT_COMPLETION_FORCE_SYNC_COMMIT;

// Longer transactions are not compared.
constexpr int kMostForeseen = 64 * 1024 * 1024;

struct Header {
    XLogRecPtr lsn;
    std::size_t length;
};

// What would have been sent of the transaction that is being replayed. One decoder a process.
struct Foreseen {
    MemoryContext memory;
    StringInfoData messages;  // each behind its Header
    int at;
    std::uint64_t invalidations;
    bool valid;
};

Foreseen g_foreseen;

// The macros of ilist.h are for C.
const ReorderBufferChange* At(const ReorderBufferTXN* transaction, const dlist_node* node) {
    return node == &transaction->changes.head
               ? nullptr
               : reinterpret_cast<const ReorderBufferChange*>(reinterpret_cast<const char*>(node) -
                                                              offsetof(ReorderBufferChange, node));
}

const ReorderBufferChange* First(const ReorderBufferTXN* transaction) {
    return At(transaction, transaction->changes.head.next);
}

const ReorderBufferChange* Next(const ReorderBufferTXN* transaction,
                                const ReorderBufferChange* change) {
    return At(transaction, change->node.next);
}

// The buffer's transaction of the commit record that was read; null: not a plain one.
ReorderBufferTXN* PlainTransaction(LogicalDecodingContext* context) {
    XLogReaderState* reader = context->reader;
    if (XLogRecGetRmid(reader) != RM_XACT_ID ||
        (XLogRecGetInfo(reader) & XLOG_XACT_OPMASK) != XLOG_XACT_COMMIT ||
        XLogRecGetOrigin(reader) != InvalidRepOriginId) {
        return nullptr;
    }
    ReorderBuffer* buffer = context->reorder;
    const TransactionId xid = XLogRecGetXid(reader);
    // Leaves the transaction it has looked up where the buffer looks first.
    if (SnapBuildCurrentState(context->snapshot_builder) != SNAPBUILD_CONSISTENT ||
        SnapBuildXactNeedsSkip(context->snapshot_builder, reader->ReadRecPtr) ||
        !TransactionIdIsValid(xid) || !ReorderBufferXidHasBaseSnapshot(buffer, xid) ||
        buffer->by_txn_last_xid != xid) {
        return nullptr;
    }
    ReorderBufferTXN* transaction = buffer->by_txn_last_txn;
    if ((transaction->txn_flags & ~pg::compat::kFlagsOfRows) != 0 || transaction->nsubtxns != 0 ||
        transaction->ninvalidations != 0 || transaction->nentries != transaction->nentries_mem) {
        return nullptr;
    }
    xl_xact_parsed_commit commit;
    ParseCommitRecord(XLogRecGetInfo(reader),
                      reinterpret_cast<xl_xact_commit*>(XLogRecGetData(reader)), &commit);
    if ((commit.xinfo & ~kPlainCommit) != 0 || commit.dbId != MyDatabaseId) {
        return nullptr;
    }
    for (const ReorderBufferChange* change = First(transaction); change != nullptr;
         change = Next(transaction, change)) {
        if (!KnowsRow(change)) {
            return nullptr;
        }
    }
    // As ReorderBufferReplay.
    transaction->final_lsn = reader->ReadRecPtr;
    transaction->end_lsn = reader->EndRecPtr;
    transaction->xact_time.commit_time = commit.xact_time;
    transaction->origin_id = InvalidRepOriginId;
    return transaction;
}

void SendMessages(ReorderBufferTXN* transaction, SendMessage send) {
    for (const ReorderBufferChange* change = First(transaction); change != nullptr;
         change = Next(transaction, change)) {
        CHECK_FOR_INTERRUPTS();
        SendRow(transaction, change->lsn, KnownRow(change), send);
    }
    SendCommit(transaction, transaction->final_lsn, send);
}

void Foresee(XLogRecPtr lsn, const char* message, std::size_t length) {
    g_foreseen.valid = g_foreseen.valid && g_foreseen.messages.len + length < kMostForeseen;
    if (g_foreseen.valid) {
        const Header header{lsn, length};
        appendBinaryStringInfo(&g_foreseen.messages, reinterpret_cast<const char*>(&header),
                               sizeof(header));
        appendBinaryStringInfo(&g_foreseen.messages, message, static_cast<int>(length));
    }
}

void ForeseeMessages(ReorderBufferTXN* transaction) {
    if (g_foreseen.memory == nullptr) {
        g_foreseen.memory =
            AllocSetContextCreate(TopMemoryContext, "bitvelocity foreseen", ALLOCSET_DEFAULT_SIZES);
    }
    const MemoryContext old = MemoryContextSwitchTo(g_foreseen.memory);
    initStringInfo(&g_foreseen.messages);
    MemoryContextSwitchTo(old);
    g_foreseen.valid = true;
    g_foreseen.at = 0;
    SendMessages(transaction, Foresee);
    g_foreseen.invalidations = InvalidationsSoFar();
}

RowWriter Mode() {
    return static_cast<RowWriter>(pg::settings::row_writer);
}

// Once anything is invalidated, or pgoutput no longer writes every row, nothing is foreseen any
// more.
bool StillForeseen() {
    g_foreseen.valid = g_foreseen.valid && Mode() == RowWriter::kVerified &&
                       g_foreseen.invalidations == InvalidationsSoFar();
    return g_foreseen.valid;
}

[[noreturn]] void Differ(const char* what) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("the decoder's messages of a transaction differ from pgoutput's"),
                    errdetail("%s", what),
                    errhint("Set bitvelocity.row_writer to \"pgoutput\" and report this.")));
}

}  // namespace

bool SendPlainTransaction(LogicalDecodingContext* context, SendMessage send) {
    const RowWriter mode = Mode();
    if (mode == RowWriter::kPgoutput) {
        return false;
    }
    ReorderBufferTXN* transaction = PlainTransaction(context);
    if (transaction == nullptr) {
        return false;
    }
    ereport(DEBUG2, (errmsg("bitvelocity: transaction %u is plain", transaction->xid)));
    if (mode == RowWriter::kVerified) {
        ForeseeMessages(transaction);
        return false;
    }
    SendMessages(transaction, send);
    context->reorder->totalTxns++;
    context->reorder->totalBytes += static_cast<int64>(transaction->total_size);
    ReorderBufferForget(context->reorder, transaction->xid, transaction->final_lsn);
    return true;
}

void CompareWithPlain(XLogRecPtr lsn, const char* message, std::size_t length) {
    if (!StillForeseen()) {
        return;
    }
    const StringInfoData& foreseen = g_foreseen.messages;
    if (g_foreseen.at == foreseen.len) {
        Differ("It should have been longer.");
    }
    Header header{};
    std::memcpy(&header, foreseen.data + g_foreseen.at, sizeof(header));
    g_foreseen.at += static_cast<int>(sizeof(header));
    if (header.lsn != lsn) {
        Differ("The positions are not the same.");
    }
    if (header.length != length ||
        std::memcmp(foreseen.data + g_foreseen.at, message, length) != 0) {
        Differ("The bytes are not the same.");
    }
    g_foreseen.at += static_cast<int>(length);
}

void EndComparison() {
    if (StillForeseen() && g_foreseen.at != g_foreseen.messages.len) {
        Differ("It should have been shorter.");
    }
    g_foreseen.valid = false;
    if (g_foreseen.memory != nullptr) {
        MemoryContextReset(g_foreseen.memory);
    }
}

}  // namespace bitvelocity::stream
