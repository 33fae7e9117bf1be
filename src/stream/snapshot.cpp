#include "stream/snapshot.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "wal/frame.hpp"
#include "wal/parser.hpp"
#include "worker/loop.hpp"
#include "pg/postgres.hpp"

#include "stream/type_record.hpp"

namespace bitvelocity::stream {

namespace {

constexpr long kFetchRows = 1000;

// Turns the parsed rows into `r` events and passes them on.
class ReadHandler final : public wal::Handler {
  public:
    ReadHandler(pipeline::Pipeline& pipeline, core::Identity first, std::int64_t now_us)
        : pipeline_(pipeline), identity_(first), now_us_(now_us) {}

    core::Status OnBegin(const core::Transaction&) override { return core::Status::Ok(); }
    core::Status OnCommit(const core::Transaction&) override { return core::Status::Ok(); }
    core::Status OnProgress(core::Lsn) override { return core::Status::Ok(); }
    core::Status OnChange(const core::Change& row) override {
        core::Change change = row;
        change.operation = core::Operation::kRead;
        ++identity_.ordinal;
        change.identity = identity_;
        change.lsn = identity_.commit_lsn;
        change.commit_time_us = now_us_;
        return pipeline_.WriteSnapshotRow(change);
    }

  private:
    pipeline::Pipeline& pipeline_;
    core::Identity identity_;
    std::int64_t now_us_;
};

// Waits until none of the transactions that run now does. Names the one waited for.
bool WaitForRunning(Entry* entry) {
    return pg::Call([entry]() {
        StartTransactionCommand();
        const Snapshot snapshot = GetLatestSnapshot();
        const int count = static_cast<int>(snapshot->xcnt);
        auto* xids = static_cast<TransactionId*>(
            MemoryContextAlloc(TopMemoryContext, sizeof(TransactionId) * (count + 1)));
        std::memcpy(xids, snapshot->xip, sizeof(TransactionId) * count);
        CommitTransactionCommand();
        bool done = true;
        for (int i = 0; i < count && done; ++i) {
            while (TransactionIdIsInProgress(xids[i])) {
                if (worker::StopRequested() || entry->stop.load()) {
                    done = false;
                    break;
                }
                worker::Wait(20);
            }
        }
        pfree(xids);
        return done;
    });
}

struct PublishedTable {
    std::string columns;  // quoted list, in the table's order
    std::string filter;
};

// What the stream's publications send of the table: column list and row filter. Several
// publications: the one without a filter wins, as for changes.
std::optional<PublishedTable> LookUpPublished(const Definition& definition, core::Oid relation) {
    pg::SpiScope spi;
    std::string names;
    for (const std::string& name : definition.publications) {
        names += (names.empty() ? "" : ",") + pg::QuoteLiteral(name);
    }
    const pg::Rows rows = spi.Execute(
        "SELECT (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) "
        "FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped "
        "AND a.attgenerated = '' AND a.attname = ANY (p.attnames)), p.rowfilter "
        "FROM pg_publication_tables p JOIN pg_class c ON c.relname = p.tablename "
        "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname "
        "WHERE p.pubname IN (" +
            names + ") AND c.oid = $1 ORDER BY p.rowfilter NULLS FIRST",
        {pg::Param::OidValue(relation)});
    if (rows.empty()) {
        return std::nullopt;
    }
    PublishedTable table;
    table.columns = rows.Text(0, 1).value_or("");
    table.filter = rows.Text(0, 2).value_or("");
    for (std::size_t i = 1; i < rows.size() && !table.filter.empty(); ++i) {
        table.filter = "(" + table.filter + ") OR (" + rows.Text(i, 2).value_or("true") + ")";
    }
    return table;
}

// pgoutput's Relation message for the columns of a query over the table (PostgreSQL documentation,
// "Logical Replication Message Formats").
void AppendRelationMessage(StringInfo out, Relation relation, TupleDesc columns) {
    Bitmapset* identity =
        relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL
            ? nullptr
            : RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_IDENTITY_KEY);
    char* schema = get_namespace_name(RelationGetNamespace(relation));
    appendStringInfoCharMacro(out, 'R');
    pq_sendint32(out, RelationGetRelid(relation));
    appendBinaryStringInfo(out, schema, static_cast<int>(std::strlen(schema)) + 1);
    const char* name = RelationGetRelationName(relation);
    appendBinaryStringInfo(out, name, static_cast<int>(std::strlen(name)) + 1);
    pq_sendint8(out, static_cast<uint8>(relation->rd_rel->relreplident));
    pq_sendint16(out, static_cast<uint16>(columns->natts));
    for (int i = 0; i < columns->natts; ++i) {
        const Form_pg_attribute column = TupleDescAttr(columns, i);
        const AttrNumber number = get_attnum(RelationGetRelid(relation), NameStr(column->attname));
        const bool key = relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL ||
                         bms_is_member(number - FirstLowInvalidHeapAttributeNumber, identity);
        pq_sendint8(out, key ? 1 : 0);
        appendBinaryStringInfo(out, NameStr(column->attname),
                               static_cast<int>(std::strlen(NameStr(column->attname))) + 1);
        pq_sendint32(out, column->atttypid);
        pq_sendint32(out, static_cast<uint32>(column->atttypmod));
    }
}

struct Reader {
    Portal portal;
    Oid relation;
    FmgrInfo* output;
    StringInfoData buffer;
};

void OpenReader(Reader* reader, Oid relation, const char* query) {
    SPI_connect();
    SPIPlanPtr plan = SPI_prepare_cursor(query, 0, nullptr, CURSOR_OPT_NO_SCROLL);
    if (plan == nullptr) {
        elog(ERROR, "could not plan the copy: %s", SPI_result_code_string(SPI_result));
    }
    reader->portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
    reader->relation = relation;
    const TupleDesc columns = reader->portal->tupDesc;
    reader->output = static_cast<FmgrInfo*>(palloc(sizeof(FmgrInfo) * columns->natts));
    for (int i = 0; i < columns->natts; ++i) {
        Oid function = InvalidOid;
        bool varlena = false;
        getTypeOutputInfo(TupleDescAttr(columns, i)->atttypid, &function, &varlena);
        fmgr_info(function, &reader->output[i]);
    }
    initStringInfo(&reader->buffer);
}

// Appends one Insert message of the row; its frame header is the caller's.
void AppendRow(StringInfo out, Reader* reader, HeapTuple tuple, TupleDesc columns) {
    appendStringInfoCharMacro(out, 'I');
    pq_sendint32(out, reader->relation);
    appendStringInfoCharMacro(out, 'N');
    pq_sendint16(out, static_cast<uint16>(columns->natts));
    for (int i = 0; i < columns->natts; ++i) {
        bool is_null = false;
        const Datum value = SPI_getbinval(tuple, columns, i + 1, &is_null);
        if (is_null) {
            appendStringInfoCharMacro(out, 'n');
            continue;
        }
        const char* text = OutputFunctionCall(&reader->output[i], value);
        const char* utf8 = pg_server_to_any(text, static_cast<int>(std::strlen(text)), PG_UTF8);
        const auto length = static_cast<int>(std::strlen(utf8));
        appendStringInfoCharMacro(out, 't');
        pq_sendint32(out, static_cast<uint32>(length));
        appendBinaryStringInfo(out, utf8, length);
    }
}

// Fills the buffer with frames of the next rows; 0 at the end.
std::uint64_t ReadFrames(Reader* reader, XLogRecPtr lsn) {
    SPI_cursor_fetch(reader->portal, true, kFetchRows);
    const auto rows = SPI_processed;
    SPITupleTable* table = SPI_tuptable;
    resetStringInfo(&reader->buffer);
    StringInfoData row;
    initStringInfo(&row);
    const MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "bitvelocity row", ALLOCSET_DEFAULT_SIZES);
    for (std::uint64_t i = 0; i < rows; ++i) {
        resetStringInfo(&row);
        const MemoryContext old = MemoryContextSwitchTo(scratch);
        AppendRow(&row, reader, table->vals[i], table->tupdesc);
        MemoryContextSwitchTo(old);
        MemoryContextReset(scratch);
        const auto length = static_cast<std::uint32_t>(row.len);
        appendBinaryStringInfo(&reader->buffer, reinterpret_cast<const char*>(&length),
                               sizeof(length));
        appendBinaryStringInfo(&reader->buffer, reinterpret_cast<const char*>(&lsn), sizeof(lsn));
        appendBinaryStringInfo(&reader->buffer, row.data, row.len);
    }
    MemoryContextDelete(scratch);
    pfree(row.data);
    SPI_freetuptable(table);
    return rows;
}

core::Status FeedFrames(wal::Parser& parser, const StringInfoData& frames) {
    wal::FrameReader reader(
        {reinterpret_cast<const std::byte*>(frames.data), static_cast<std::size_t>(frames.len)});
    wal::Frame frame;
    while (reader.Next(frame)) {
        BV_RETURN_IF_ERROR(parser.ParseFrame(frame));
    }
    return core::Status::Ok();
}

// A Begin, so that the rows that follow are inside a transaction.
std::string BeginMessage(core::Lsn lsn, std::uint32_t xid) {
    std::string message = "B";
    for (int shift = 56; shift >= 0; shift -= 8) {
        message.push_back(static_cast<char>(lsn.value >> shift));
    }
    message.append(8, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
        message.push_back(static_cast<char>(xid >> shift));
    }
    return message;
}

class TableCopy {
  public:
    TableCopy(Entry* entry, const Definition& definition, core::Oid relation)
        : entry_(entry), definition_(definition), relation_(relation) {}

    // Returns the rows copied; nothing when told to stop.
    std::optional<std::uint64_t> Run(wal::Parser& parser, core::Lsn position) {
        const auto published = LookUpPublished(definition_, relation_);
        if (!published || published->columns.empty()) {
            return 0;
        }
        const core::Oid owner = pg::OwnerOf(relation_);
        const bool only =
            pg::Call([r = relation_]() { return get_rel_relkind(r); }) == RELKIND_RELATION;
        std::string query = "SELECT " + published->columns + " FROM " +
                            std::string(only ? "ONLY " : "") + pg::QualifiedName(relation_);
        if (!published->filter.empty()) {
            query += " WHERE " + published->filter;
        }
        Reader reader{};
        Reader* r = &reader;
        {
            pg::OwnerScope as_owner(owner);
            pg::Call([r, relation = relation_, text = query.c_str()]() {
                OpenReader(r, relation, text);
            });
        }
        SendSchema(parser, r, position);
        std::uint64_t total = 0;
        for (;;) {
            std::uint64_t rows = 0;
            {
                pg::OwnerScope as_owner(owner);
                rows = pg::Call([r, position]() { return ReadFrames(r, position.value); });
            }
            if (rows == 0) {
                break;
            }
            pg::ThrowIfError(FeedFrames(parser, reader.buffer));
            total += rows;
            entry_->snapshot_rows.fetch_add(rows);
            pg::Call([]() { worker::Wait(0); });
            if (worker::StopRequested() || entry_->stop.load()) {
                return std::nullopt;
            }
        }
        pg::Call([r]() {
            SPI_cursor_close(r->portal);
            SPI_finish();
        });
        return total;
    }

  private:
    void SendSchema(wal::Parser& parser, Reader* reader, core::Lsn position) {
        struct Messages {
            StringInfoData relation;
            StringInfoData types;
        };
        const Messages messages = pg::Call([reader]() {
            Messages m;
            initStringInfo(&m.relation);
            initStringInfo(&m.types);
            const Relation relation = table_open(reader->relation, AccessShareLock);
            AppendRelationMessage(&m.relation, relation, reader->portal->tupDesc);
            AppendTypeRecord(&m.types, m.relation.data, static_cast<std::size_t>(m.relation.len));
            table_close(relation, NoLock);
            return m;
        });
        for (const StringInfoData* message : {&messages.relation, &messages.types}) {
            pg::ThrowIfError(parser.ParseFrame(
                {position, {message->data, static_cast<std::size_t>(message->len)}}));
        }
    }

    Entry* entry_;
    const Definition& definition_;
    core::Oid relation_;
};

void EstimateTotal(Entry* entry, const Definition& definition) {
    pg::SpiScope spi;
    std::uint64_t total = 0;
    for (const StreamTable& table : definition.tables) {
        if (table.pending) {
            const pg::Rows rows = spi.Execute(
                "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c WHERE "
                "c.oid = $1 OR c.oid IN (SELECT relid FROM pg_partition_tree($1))",
                {pg::Param::OidValue(table.relation)});
            total += static_cast<std::uint64_t>(rows.Int(0, 1));
        }
    }
    entry->snapshot_total.store(total);
}

void MarkCopied(std::int32_t stream_id, StreamTable* table, const std::string& snapshot,
                core::Lsn until, std::uint64_t rows) {
    pg::SpiScope spi;
    spi.Execute(
        "UPDATE bitvelocity.stream_table SET existing_rows = 'copied', copied_snapshot = "
        "$3::pg_snapshot, copied_until = $4, rows_copied = $5 "
        "WHERE stream_id = $1 AND relation = $2",
        {pg::Param::Int(stream_id), pg::Param::OidValue(table->relation), pg::Param::Text(snapshot),
         pg::Param::LsnValue(until), pg::Param::Bigint(static_cast<std::int64_t>(rows))});
    table->pending = false;
    table->copied_snapshot = snapshot;
    table->copied_until = until;
}

// False: told to stop before a broker had acknowledged everything.
bool WaitUntilSettled(Entry* entry, sink::Sink& sink, sink::Waiter& waiter) {
    pg::ThrowIfError(sink.Boundary(true));
    while (!sink.settled()) {
        core::Status waited = waiter.Wait(sink.wake_fd(), 100);
        if (worker::StopRequested() || entry->stop.load()) {
            return false;
        }
        pg::ThrowIfError(std::move(waited));
        pg::ThrowIfError(sink.Boundary(true));
    }
    return true;
}

}  // namespace

bool CopyExistingRows(Definition* definition, Entry* entry, pipeline::Pipeline& pipeline,
                      sink::Sink& sink, BronzeSink* bronze, const core::Source& source,
                      core::Lsn position, sink::Waiter& waiter) {
    const bool any = std::any_of(definition->tables.begin(), definition->tables.end(),
                                 [](const StreamTable& table) { return table.pending; });
    if (!any) {
        return true;
    }
    entry->state.store(static_cast<std::uint32_t>(State::kSnapshot));
    entry->snapshot_rows.store(0);
    if (!WaitForRunning(entry)) {
        return false;
    }
    pg::TransactionScope transaction(XACT_REPEATABLE_READ);
    std::string snapshot;
    {
        pg::SpiScope spi;
        snapshot = spi.Execute("SELECT pg_current_snapshot()::text").Text(0, 1).value_or("");
    }
    const core::Lsn until{GetXLogInsertRecPtr()};
    EstimateTotal(entry, *definition);
    if (bronze != nullptr) {
        bronze->Join();
    }

    core::Identity first;
    first.source = &source;
    first.commit_lsn = position;
    first.xid = static_cast<std::uint32_t>(
        std::strtoull(snapshot.c_str() + snapshot.find(':') + 1, nullptr, 10));
    const std::int64_t now_us =
        GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
    ReadHandler handler(pipeline, first, now_us);
    wal::ParserOptions options;
    options.source = source;
    wal::Parser parser(options, handler);
    pg::ThrowIfError(parser.ParseFrame({position, BeginMessage(position, first.xid)}));

    for (StreamTable& table : definition->tables) {
        if (!table.pending) {
            continue;
        }
        const auto rows = TableCopy(entry, *definition, table.relation).Run(parser, position);
        if (!rows) {
            return false;
        }
        MarkCopied(definition->stream_id, &table, snapshot, until, *rows);
    }
    pg::ThrowIfError(pipeline.EndSnapshot(position));
    if (bronze != nullptr) {
        bronze->FinishJoined(position);
    } else if (!WaitUntilSettled(entry, sink, waiter)) {
        return false;
    }
    transaction.Commit();
    return true;
}

}  // namespace bitvelocity::stream
