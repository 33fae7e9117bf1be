#include "stream/decoder.hpp"

#include "stream/definition.hpp"
#include "pg/boundary.hpp"
#include "pg/failpoint.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"
#include "pg/slot_compat.hpp"
#include "pg/spi.hpp"
#include "pipeline/stream_options.hpp"
#include "wal/frame.hpp"
#include "worker/loop.hpp"
#include "pg/postgres.hpp"

#include "stream/plain_transaction.hpp"
#include "stream/process.hpp"
#include "stream/queue.hpp"
#include "stream/row_messages.hpp"
#include "stream/shared.hpp"
#include "stream/model/slot_verdict.hpp"
#include "stream/slot.hpp"
#include "stream/slot_record.hpp"
#include "stream/described_types.hpp"

namespace bitvelocity::stream {

namespace {

// How long the decoder sleeps without being woken: only synchronous replication needs it, where the
// commit's callback runs after the standby's answer.
constexpr std::int64_t kIdleMs = 100;
// A position of our own at most this often while WAL of others goes by.
constexpr std::int64_t kProgressUs = 10'000;
constexpr std::int64_t kConfirmUs = 1'000'000;
constexpr std::uint32_t kLookEvery = 64;
// So many commits are told to the server's statistics at once, sooner in a pause.
constexpr std::uint32_t kToldTogether = 64;
// So many transactions are sent without a replay before invalidations are taken up.
constexpr std::uint32_t kTakeEvery = 1024;
// While it lingers the decoder looks this often whether it should stop.
constexpr std::int64_t kLingerSliceMs = 20;
// pgoutput keeps about 3.5 KB for every published table it ever saw; past this the process starts
// anew.
constexpr std::size_t kRecycleBytes = 64UL * 1024 * 1024;

// One decoder a process: what the callbacks need. Plain data.
struct Decoding {
    Entry* entry;
    Sender sender;
    LogicalDecodingContext* context;
    LogicalDecodeChangeCB change_by_pgoutput;
    LogicalDecodeCommitCB commit_by_pgoutput;
    ReadLocalXLogPageNoWaitPrivate page_private;
    StringInfoData types;
    SlotRecord record;
    XLogRecPtr processed;  // end of the last record that was decoded
    XLogRecPtr standbys;   // what standbys that must not be overtaken have
    XLogRecPtr announced;  // of the last progress frame
    std::int64_t announced_us;
    std::int64_t confirmed_us;
    std::int64_t recycled_us;
    std::int64_t linger_ms;
    std::uint32_t plain;  // transactions that were not replayed
    // Decoded, and not told to the server's statistics yet.
    std::uint32_t untold;  // commits
    int64 untold_transactions;
    int64 untold_bytes;
};

Decoding g_decoding;

void PrepareWrite(LogicalDecodingContext* context, XLogRecPtr /*lsn*/, TransactionId /*xid*/,
                  bool /*last_write*/) {
    resetStringInfo(context->out);
}

// Under a historic snapshot, in a transaction that always aborts: copies bytes, nothing else.
void Send(XLogRecPtr lsn, const char* message, std::size_t length) {
    Redescription again{};
    if (TypesChanged(message, length, &again)) {
        AppendFrame(&g_decoding.sender, lsn, again.relation, again.relation_length);
        AppendFrame(&g_decoding.sender, lsn, again.types, again.types_length);
    }
    AppendFrame(&g_decoding.sender, lsn, message, length);
    if (length > 0 && message[0] == LOGICAL_REP_MSG_RELATION) {
        DescribeTypes(message, length, &g_decoding.types);
        AppendFrame(&g_decoding.sender, lsn, g_decoding.types.data,
                    static_cast<std::size_t>(g_decoding.types.len));
    }
    pg::PassFailpoint(core::Failpoint::decoder_framed);
}

void Write(LogicalDecodingContext* context, XLogRecPtr lsn, TransactionId /*xid*/,
           bool /*last_write*/) {
    const StringInfo out = context->out;
    const auto length = static_cast<std::size_t>(out->len);
    CompareWithPlain(lsn, out->data, length);
    if (SeeMessage(out->data, length)) {
        Send(lsn, out->data, length);
    }
}

void OnChange(LogicalDecodingContext* context, ReorderBufferTXN* transaction, Relation relation,
              ReorderBufferChange* change) {
    if (const StringInfo row = OwnRow(transaction, relation, change)) {
        SendRow(transaction, change->lsn, row, Send);
        return;
    }
    g_decoding.change_by_pgoutput(context, transaction, relation, change);
    EndChange();
}

void AddUntold(ReorderBuffer* buffer) {
    buffer->totalTxns += std::exchange(g_decoding.untold_transactions, 0);
    buffer->totalBytes += std::exchange(g_decoding.untold_bytes, 0);
    g_decoding.untold = 0;
}

// The server tells its statistics behind every commit, which takes a look-up in shared memory and a
// lock, unless there is nothing to tell.
void KeepFromTelling(ReorderBuffer* buffer) {
    if (buffer->spillBytes > 0 || ++g_decoding.untold >= kToldTogether) {
        AddUntold(buffer);
        return;
    }
    g_decoding.untold_transactions += std::exchange(buffer->totalTxns, 0);
    g_decoding.untold_bytes += std::exchange(buffer->totalBytes, 0);
}

void TellStatistics() {
    AddUntold(g_decoding.context->reorder);
    UpdateDecodingStats(g_decoding.context);
}

void OnCommit(LogicalDecodingContext* context, ReorderBufferTXN* transaction,
              XLogRecPtr commit_lsn) {
    g_decoding.commit_by_pgoutput(context, transaction, commit_lsn);
    EndComparison();
    SendCommit(transaction, commit_lsn, Send);
    KeepFromTelling(context->reorder);
}

// Every replay takes up, with the transaction it begins, what other sessions have invalidated. Who
// does not for long is told to forget all that it knows.
void TakeInvalidations() {
    if (++g_decoding.plain % kTakeEvery == 0) {
        StartTransactionCommand();
        CommitTransactionCommand();
        CurrentResourceOwner = AuxProcessResourceOwner;
    }
}

bool FilterByOrigin(LogicalDecodingContext* /*context*/, RepOriginId origin) {
    return origin != InvalidRepOriginId && IsOwnOrigin(origin);
}

// Creates the context inside a transaction: outside one the server marks this process as decoding,
// and other snapshots would ignore its transactions for ever.
void OpenContext(const char* publications, XLogRecPtr start) {
    const MemoryContext memory =
        AllocSetContextCreate(TopMemoryContext, "bitvelocity decoding", ALLOCSET_DEFAULT_SIZES);
    StartTransactionCommand();
    const MemoryContext old = MemoryContextSwitchTo(memory);
    auto text = [](const char* value) {
        return reinterpret_cast<Node*>(makeString(pstrdup(value)));
    };
    List* options = list_make3(makeDefElem(pstrdup("proto_version"), text("1"), -1),
                               makeDefElem(pstrdup("publication_names"), text(publications), -1),
                               makeDefElem(pstrdup("messages"), text("true"), -1));
    XLogReaderRoutine routine{};
    routine.page_read = read_local_xlog_page_no_wait;
    routine.segment_open = wal_segment_open;
    routine.segment_close = wal_segment_close;
    LogicalDecodingContext* context =
        CreateDecodingContext(start, options, false, &routine, PrepareWrite, Write, nullptr);
    MemoryContextSwitchTo(old);
    CommitTransactionCommand();
    CurrentResourceOwner = AuxProcessResourceOwner;
    Assert((MyProc->statusFlags & PROC_IN_LOGICAL_DECODING) == 0);

    context->callbacks.filter_by_origin_cb = FilterByOrigin;
    g_decoding.change_by_pgoutput = std::exchange(context->callbacks.change_cb, OnChange);
    g_decoding.commit_by_pgoutput = std::exchange(context->callbacks.commit_cb, OnCommit);
    // The no-wait page reader reports the end of WAL through this pointer, which was the context.
    context->reader->private_data = &g_decoding.page_private;
    g_decoding.context = context;
    g_decoding.announced = std::max(start, MyReplicationSlot->data.confirmed_flush);
    XLogBeginRead(context->reader, MyReplicationSlot->data.restart_lsn);
}

void Announce(XLogRecPtr lsn) {
    if (lsn <= g_decoding.announced) {
        return;
    }
    const char tag = wal::kProgressTag;
    AppendFrame(&g_decoding.sender, lsn, &tag, 1);
    g_decoding.announced = lsn;
    g_decoding.announced_us = worker::Now();
}

void Confirm(bool now) {
    Entry* entry = g_decoding.entry;
    const XLogRecPtr durable = entry->durable_lsn.load();
    if (durable == InvalidXLogRecPtr || durable <= MyReplicationSlot->data.confirmed_flush) {
        return;
    }
    const std::int64_t time = worker::Now();
    if (!now && entry->drain_until_us.load() == 0 && time - g_decoding.confirmed_us < kConfirmUs) {
        return;
    }
    // The record first: it never stands behind the slot.
    g_decoding.record.confirmed = durable;
    WriteSlotRecord(NameStr(MyReplicationSlot->data.name), &g_decoding.record, false);
    ConfirmSlot(durable);
    entry->confirmed_lsn.store(durable);
    g_decoding.confirmed_us = time;
}

// Sleeps until something was committed. The order matters: say "sleeping", barrier, look again,
// wait; a committing backend stores its position, barrier, looks whether somebody sleeps.
void Sleep(XLogRecPtr flushed_before, std::int64_t timeout_ms) {
    Entry* entry = g_decoding.entry;
    Shared* shared = GetShared();
    entry->decoder_sleeping.store(true);
    shared->sleeping.fetch_add(1);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool more = shared->last_commit_end.load() > flushed_before ||
                      pg::compat::FlushPosition() > flushed_before;
    if (!more && !entry->stop.load() && !worker::StopRequested()) {
        worker::Wait(timeout_ms);
    } else {
        worker::Wait(0);
    }
    shared->sleeping.fetch_sub(1);
    entry->decoder_sleeping.store(false);
}

// What is committed meanwhile comes in one batch: one wake-up of every process and thread on the
// way, and one request a partition, instead of one a transaction. A lone transaction never waits.
void Linger() {
    const Entry* entry = g_decoding.entry;
    for (std::int64_t left = g_decoding.linger_ms; left > 0; left -= kLingerSliceMs) {
        if (entry->stop.load() || entry->drain_until_us.load() != 0 || worker::StopRequested()) {
            return;
        }
        worker::Pause(std::min(left, kLingerSliceMs));
    }
}

// With synchronous_commit = off the record is only inserted; without this flush it would wait for
// the WAL writer (about 200 ms).
void FlushAsynchronousCommits() {
    const XLogRecPtr newest = GetShared()->last_commit_end.load();
    if (pg::settings::flush_async_commits && newest > pg::compat::FlushPosition() &&
        newest <= GetXLogInsertRecPtr()) {
        XLogFlush(newest);
    }
}

void NoteStop() {
    Entry* entry = g_decoding.entry;
    if (worker::StopRequested() && !entry->stop.exchange(true)) {
        entry->stop_deadline_us.store(worker::Now() + kStopUs);
    }
}

bool WantsRecycling() {
    const std::int64_t time = worker::Now();
    if (time - g_decoding.recycled_us < 60'000'000) {
        return false;
    }
    g_decoding.recycled_us = time;
    return MemoryContextMemAllocated(TopMemoryContext, true) >
           kRecycleBytes + static_cast<std::size_t>(logical_decoding_work_mem) * 1024;
}

// On 17 and later a standby named in synchronized_standby_slots must have what is shipped, else a
// promotion could take back what consumers have seen. False: told to stop meanwhile.
bool WaitForStandbys(XLogRecPtr end) {
    while (end > g_decoding.standbys) {
        const XLogRecPtr flushed = pg::compat::FlushPosition();
        if (pg::compat::StandbysHave(flushed)) {
            g_decoding.standbys = flushed;
        } else if (pg::compat::StandbysHave(end)) {
            g_decoding.standbys = end;
        } else {
            NoteStop();
            if (g_decoding.entry->stop.load()) {
                return false;
            }
            SendBatch(&g_decoding.sender);
            Confirm(false);
            worker::Wait(10);
        }
    }
    return true;
}

// Returns at a transaction boundary, when a stop was asked for or the process should start anew.
void DecodeUntilStopped() {
    LogicalDecodingContext* context = g_decoding.context;
    Entry* entry = g_decoding.entry;
    XLogRecPtr flushed = InvalidXLogRecPtr;
    bool caught_up = true;  // nothing was read that somebody waits for
    for (std::uint32_t records = 0;; ++records) {
        // Clocks and shared positions are looked at now and then, not for every record.
        if (records % kLookEvery == 0) {
            NoteStop();
            if (entry->stop.load()) {
                return;
            }
            FlushAsynchronousCommits();
            flushed = pg::compat::FlushPosition();
            Confirm(false);
        }
        g_decoding.page_private.end_of_wal = false;
        char* message = nullptr;
        const XLogRecord* record = nullptr;
        // The reader closes its file when there is nothing to read: it is not even asked.
        if (context->reader->EndRecPtr >= flushed) {
            flushed = pg::compat::FlushPosition();
        }
        if (context->reader->EndRecPtr < flushed) {
            record = XLogReadRecord(context->reader, &message);
        }
        if (message != nullptr) {
            ereport(ERROR,
                    (errcode(ERRCODE_DATA_CORRUPTED),
                     errmsg("could not read WAL for stream \"%s\": %s", entry->name, message)));
        }
        if (record != nullptr) {
            if (!WaitForStandbys(context->reader->EndRecPtr)) {
                return;
            }
            if (caught_up) {
                caught_up = false;
                entry->caught_up.store(false);
            }
            if (SendPlainTransaction(context, Send)) {
                KeepFromTelling(context->reorder);
                TakeInvalidations();
            }
            LogicalDecodingProcessRecord(context, context->reader);
            g_decoding.processed = context->reader->EndRecPtr;
            pg::PassFailpoint(core::Failpoint::decoder_decoded);
            entry->read_lsn.store(context->reader->EndRecPtr, std::memory_order_relaxed);
            // Much WAL of others may go by without a change for us.
            if (context->reader->EndRecPtr - g_decoding.announced > 16UL * 1024 * 1024) {
                Announce(context->reader->EndRecPtr);
            }
            CHECK_FOR_INTERRUPTS();
            continue;
        }
        // Everything flushed is read.
        if (worker::Now() - g_decoding.announced_us > kProgressUs) {
            Announce(context->reader->EndRecPtr);
        }
        const bool read_some = !caught_up;
        // Said before it is sent: who takes the batch need not wait for more.
        caught_up = true;
        entry->caught_up.store(true);
        SendBatch(&g_decoding.sender);
        Confirm(false);
        if (WantsRecycling()) {
            return;
        }
        if (read_some) {
            TellStatistics();
            Linger();
        }
        // A position that is not yet announced is soon.
        const bool unsaid = context->reader->EndRecPtr > g_decoding.announced;
        Sleep(flushed, unsaid ? kProgressUs / 1000 : kIdleMs);
        records = kLookEvery - 1;
    }
}

// The other half of the stopping protocol: the deliverer reads to the end, makes it durable and
// says so; then the position is confirmed and saved.
void Finish() {
    Entry* entry = g_decoding.entry;
    entry->stop.store(true);
    if (entry->stop_deadline_us.load() == 0) {
        entry->stop_deadline_us.store(worker::Now() + kStopUs);
    }
    pg::PassFailpoint(core::Failpoint::decoder_stopping);
    Announce(g_decoding.processed);
    entry->caught_up.store(true);
    SendBatch(&g_decoding.sender);
    CloseSender(&g_decoding.sender);
    pg::PassFailpoint(core::Failpoint::decoder_closed);
    while (!entry->delivered.load() && entry->deliverer_pid.load() != 0 &&
           worker::Now() < entry->stop_deadline_us.load() + 500'000) {
        worker::Wait(20);
    }
    Confirm(true);
    TellStatistics();
    ReplicationSlotRelease();
}

// Loads which origins are ours; those made later are marked by their maker.
void MarkOrigins() {
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT roident FROM pg_catalog.pg_replication_origin WHERE roname LIKE 'bitvelocity\\_%'");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        MarkOwnOrigin(static_cast<RepOriginId>(rows.OidValue(i, 1)), true);
    }
}

std::string PublicationList(const Definition& definition) {
    std::string list;
    for (const std::string& name : definition.publications) {
        list += (list.empty() ? "" : ",") + pg::QuoteIdentifier(name);
    }
    return list;
}

std::optional<std::string> WhyLost(const std::string& name, const SlotFacts& facts,
                                   const SlotRecord& record, TimeLineID timeline) {
    model::SlotView slot;
    slot.name = name;
    slot.exists = facts.exists;
    slot.logical = facts.database != InvalidOid;
    slot.own_database = facts.database == MyDatabaseId;
    slot.plugin = NameStr(facts.plugin);
    slot.invalidation = facts.invalidation != nullptr ? facts.invalidation : "";
    slot.confirmed.value = facts.confirmed_flush;
    slot.synchronized = facts.synchronized;
    return model::JudgeSlot(
        slot, {record.sequence != 0, core::Lsn{record.confirmed}, record.timeline}, timeline);
}

// False when the slot cannot be used: lost, invalidated, or not the one the stream left.
bool PrepareSlot(const Definition& definition, Entry* entry) {
    const std::string& name = definition.slot_name;
    SlotFacts facts = pg::Call([n = name.c_str()]() { return LookUpSlot(n); });
    SlotRecord& record = g_decoding.record;
    const TimeLineID timeline = pg::Call([]() { return GetWALInsertionTimeLine(); });
    if (definition.phase == "starting") {
        if (facts.exists) {
            // Left by a crash before the stream got going: its position means nothing yet.
            pg::Call([n = name.c_str()]() { DropSlot(n); });
        }
        entry->state.store(static_cast<std::uint32_t>(State::kStarting));
        pg::Call([n = name.c_str()]() {
            CurrentResourceOwner = AuxProcessResourceOwner;
            CreateSlot(n);
        });
        facts = pg::Call([n = name.c_str()]() { return LookUpSlot(n); });
        record = {};
    } else {
        record = pg::Call([n = name.c_str()]() { return ReadSlotRecord(n); });
        if (const auto reason = WhyLost(name, facts, record, timeline)) {
            strlcpy(entry->lost_reason, reason->c_str(), sizeof(entry->lost_reason));
            entry->slot_lost.store(true);
            return false;
        }
    }
    if (record.sequence == 0 || record.timeline != timeline) {
        record.confirmed = std::max<std::uint64_t>(record.confirmed, facts.confirmed_flush);
        record.timeline = timeline;
        pg::Call([n = name.c_str(), &record]() { WriteSlotRecord(n, &record, true); });
    }
    entry->slot_start_lsn.store(facts.confirmed_flush);
    entry->confirmed_lsn.store(facts.confirmed_flush);
    entry->slot_ready.store(true);
    return true;
}

}  // namespace

void DecoderMain(const worker::ServiceStart& start) {
    RunProcess(start, Role::kDecoder, [&start](Entry* entry) {
        Definition definition;
        {
            pg::TransactionScope transaction;
            if (!LoadDefinition(start.id, &definition)) {
                return;
            }
            MarkOrigins();
            transaction.Commit();
        }
        pg::Call([]() { CreateAuxProcessResourceOwner(); });
        const bool usable = PrepareSlot(definition, entry);
        pg::Call([entry]() { WakeDeliverer(entry); });
        if (!usable) {
            return;
        }
        // The deliverer knows up to where everything is in the sink.
        pg::Call([entry]() {
            while (!entry->may_decode.load() && !entry->stop.load() && !worker::StopRequested()) {
                worker::Wait(100);
            }
        });
        if (!entry->may_decode.load()) {
            return;
        }
        g_decoding.linger_ms = pg::ValueOrThrow(pipeline::ParseLinger(definition.options_json));
        const std::string publications = PublicationList(definition);
        const std::string slot = definition.slot_name;
        pg::Call([entry, names = publications.c_str(), slot_name = slot.c_str()]() {
            g_decoding.entry = entry;
            const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
            initStringInfo(&g_decoding.types);
            MemoryContextSwitchTo(old);
            WatchTypes();
            OpenRowMessages(names);
            CurrentResourceOwner = AuxProcessResourceOwner;
            pg::compat::AcquireSlot(slot_name);
            OpenContext(names, entry->resume_lsn.load());
            OpenSender(&g_decoding.sender, entry,
                       static_cast<std::size_t>(pg::settings::stream_memory_kb) * 1024 / 8);
            g_decoding.recycled_us = worker::Now();
            DecodeUntilStopped();
            Finish();
        });
    });
}

}  // namespace bitvelocity::stream
