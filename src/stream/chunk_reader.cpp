#include "stream/chunk_reader.hpp"

#include <charconv>

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "wal/frame.hpp"
#include "pg/postgres.hpp"

#include "stream/column_text.hpp"
#include "stream/model/visibility.hpp"
#include "stream/type_record.hpp"

namespace bitvelocity::stream {

namespace {

constexpr long kFetchRows = 1000;
constexpr std::uint64_t kRowsPerPage = 60;  // where nobody has counted

// One snapshot, no writes, and no snapshot at all before the locks: under one that is older than a
// rewrite or a TRUNCATE the table would look empty.
class ReadTransaction {
  public:
    ReadTransaction() {
        pg::Call([]() {
            SetCurrentStatementStartTimestamp();
            StartTransactionCommand();
            XactIsoLevel = XACT_REPEATABLE_READ;
            XactReadOnly = true;
            // Along the key, whatever the planner thinks of it: a sort would read the whole table
            // for every chunk.
            for (const char* setting : {"enable_seqscan", "enable_sort", "enable_bitmapscan", "jit",
                                        "max_parallel_workers_per_gather"}) {
                set_config_option(
                    setting,
                    std::strcmp(setting, "max_parallel_workers_per_gather") == 0 ? "0" : "off",
                    PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
            }
        });
    }
    ~ReadTransaction() noexcept {
        if (open_) {
            AbortCurrentTransaction();
        }
    }
    ReadTransaction(const ReadTransaction&) = delete;
    ReadTransaction& operator=(const ReadTransaction&) = delete;

    void TakeSnapshot() {
        pg::Call([]() { PushActiveSnapshot(GetTransactionSnapshot()); });
    }
    void Commit() {
        pg::Call([]() {
            if (ActiveSnapshotSet()) {
                PopActiveSnapshot();
            }
            CommitTransactionCommand();
        });
        open_ = false;
    }

  private:
    bool open_ = true;
};

// Whoever waits for a lock here would hold up the stream.
bool LockTable(core::Oid relation) {
    return pg::Call([relation]() {
        if (!ConditionalLockRelationOid(relation, AccessShareLock)) {
            return false;
        }
        ListCell* cell = nullptr;
        foreach (cell, find_all_inheritors(relation, NoLock, nullptr)) {
            if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock)) {
                return false;
            }
        }
        return true;
    });
}

struct PublishedTable {
    std::string columns;  // quoted list, in the table's order
    std::vector<model::KeyColumn> all;
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
        "SELECT p.attnames::text, p.rowfilter FROM pg_publication_tables p JOIN pg_class c ON "
        "c.relname = p.tablename JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = "
        "p.schemaname WHERE p.pubname IN (" +
            names + ") AND c.oid = $1 ORDER BY p.rowfilter NULLS FIRST",
        {pg::Param::OidValue(relation)});
    if (rows.empty()) {
        return std::nullopt;
    }
    PublishedTable table;
    table.filter = rows.Text(0, 2).value_or("");
    for (std::size_t i = 1; i < rows.size() && !table.filter.empty(); ++i) {
        table.filter = "(" + table.filter + ") OR (" + rows.Text(i, 2).value_or("true") + ")";
    }
    const pg::Rows columns = spi.Execute(
        "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT "
        "attisdropped AND attgenerated = '' AND attname = ANY ($2::name[]) ORDER BY attnum",
        {pg::Param::OidValue(relation), pg::Param::Text(rows.Text(0, 1).value_or("{}"))});
    for (std::size_t i = 0; i < columns.size(); ++i) {
        table.all.push_back({columns.Text(i, 1).value_or(""), columns.OidValue(i, 2)});
        table.columns += (i == 0 ? "" : ", ") + pg::QuoteIdentifier(table.all.back().name);
    }
    return table;
}

// pgoutput's Relation message for the first columns of a query (PostgreSQL documentation,
// "Logical Replication Message Formats").
void AppendRelationMessage(StringInfo out, Relation relation, TupleDesc columns, int count) {
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
    pq_sendint16(out, static_cast<uint16>(count));
    for (int i = 0; i < count; ++i) {
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

struct KeyPart {
    std::string name;
    core::Oid type = 0;
    std::string type_name;  // quoted
};

// By what the table is read: an index that tells its rows apart, if there is one.
std::vector<KeyPart> LookUpKey(core::Oid relation) {
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT a.attname, a.atttypid, format('%I.%I', n.nspname, t.typname) FROM (SELECT i.* FROM "
        "pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indrelid = $1 AND i.indisvalid "
        "AND (i.indisprimary OR i.indisreplident AND c.relreplident = 'i') ORDER BY "
        "(i.indisreplident AND c.relreplident = 'i') DESC LIMIT 1) i CROSS JOIN "
        "generate_series(0, i.indnkeyatts - 1) k JOIN pg_attribute a ON a.attrelid = i.indrelid "
        "AND a.attnum = i.indkey[k] JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON "
        "n.oid = t.typnamespace ORDER BY k",
        {pg::Param::OidValue(relation)});
    std::vector<KeyPart> key;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        key.push_back(
            {rows.Text(i, 1).value_or(""), rows.OidValue(i, 2), rows.Text(i, 3).value_or("")});
    }
    return key;
}

model::RowKeys MakeKeys(const std::vector<KeyPart>& key, const PublishedTable& published) {
    if (key.empty()) {
        return {published.all, true};
    }
    std::vector<model::KeyColumn> columns;
    for (const KeyPart& part : key) {
        columns.push_back({part.name, part.type});
    }
    return {std::move(columns), false};
}

// The next leaf of a table without key, from `from` on; 0: there is none.
core::Oid NextLeaf(core::Oid relation, core::Oid from) {
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.oid >= $2 AND (c.oid = $1 OR "
        "c.oid IN (SELECT relid FROM pg_partition_tree($1))) ORDER BY c.oid LIMIT 1",
        {pg::Param::OidValue(relation), pg::Param::OidValue(from)});
    return rows.empty() ? 0 : rows.OidValue(0, 1);
}

struct Heap {
    std::uint64_t pages = 0;
    double per_page = 0;
};

Heap Measure(core::Oid leaf) {
    return pg::Call([leaf]() -> Heap {
        const Relation relation = table_open(leaf, NoLock);
        Heap heap;
        heap.pages = RelationGetNumberOfBlocks(relation);
        if (relation->rd_rel->reltuples > 0 && relation->rd_rel->relpages > 0) {
            heap.per_page = relation->rd_rel->reltuples / relation->rd_rel->relpages;
        }
        table_close(relation, NoLock);
        return heap;
    });
}

struct Query {
    std::string text;
    int columns = 0;  // of the row; behind them the key's, and whether the row is wanted
    int keys = 0;
};

struct Reader {
    Portal portal;
    ColumnText* columns;  // of the query, one as all
    Datum* values;
    bool* nulls;
    StringInfoData buffer;
    char** place;  // texts of the key of the last row
};

void OpenReader(Reader* reader, const char* query, int keys) {
    SPI_connect();
    SPIPlanPtr plan = SPI_prepare_cursor(query, 0, nullptr, CURSOR_OPT_NO_SCROLL);
    if (plan == nullptr) {
        elog(ERROR, "could not plan the reading of existing rows: %s",
             SPI_result_code_string(SPI_result));
    }
    reader->portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
    const TupleDesc columns = reader->portal->tupDesc;
    const auto count = static_cast<std::size_t>(columns->natts);
    reader->columns = static_cast<ColumnText*>(palloc(sizeof(ColumnText) * count));
    reader->values = static_cast<Datum*>(palloc(sizeof(Datum) * count));
    reader->nulls = static_cast<bool*>(palloc(sizeof(bool) * count));
    for (int i = 0; i < columns->natts; ++i) {
        PrepareColumn(&reader->columns[i], TupleDescAttr(columns, i)->atttypid,
                      CurrentMemoryContext);
    }
    reader->place = static_cast<char**>(palloc0(sizeof(char*) * (keys + 1)));
    initStringInfo(&reader->buffer);
}

// Appends one Insert message of the row that the reader has taken apart; its frame header is the
// caller's.
void AppendRow(StringInfo out, Reader* reader, core::Oid relation, int count) {
    appendStringInfoCharMacro(out, LOGICAL_REP_MSG_INSERT);
    pq_sendint32(out, relation);
    appendStringInfoCharMacro(out, 'N');
    pq_sendint16(out, static_cast<uint16>(count));
    for (int i = 0; i < count; ++i) {
        if (reader->nulls[i]) {
            appendStringInfoCharMacro(out, LOGICALREP_COLUMN_NULL);
        } else {
            AppendColumn(out, &reader->columns[i], reader->values[i]);
        }
    }
}

void AppendFrame(StringInfo out, const char* bytes, int size) {
    const auto length = static_cast<std::uint32_t>(size);
    const std::uint64_t lsn = 0;
    appendBinaryStringInfo(out, reinterpret_cast<const char*>(&length), sizeof(length));
    appendBinaryStringInfo(out, reinterpret_cast<const char*>(&lsn), sizeof(lsn));
    appendBinaryStringInfo(out, bytes, size);
}

struct Fetched {
    std::uint64_t came;  // rows the query returned
    std::uint64_t read;  // rows that were looked at: less when there was no room
};

// Frames of the next rows, as many as there is room for.
Fetched Fetch(Reader* reader, core::Oid relation, int count, int keys, std::size_t room) {
    SPI_cursor_fetch(reader->portal, true, kFetchRows);
    Fetched fetched{SPI_processed, 0};
    SPITupleTable* table = SPI_tuptable;
    resetStringInfo(&reader->buffer);
    StringInfoData row;
    initStringInfo(&row);
    const MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "bitvelocity row", ALLOCSET_DEFAULT_SIZES);
    while (fetched.read < fetched.came && static_cast<std::size_t>(reader->buffer.len) < room) {
        const TupleDesc columns = table->tupdesc;
        heap_deform_tuple(table->vals[fetched.read++], columns, reader->values, reader->nulls);
        const int wanted = columns->natts - 1;
        if (reader->nulls[wanted] || !DatumGetBool(reader->values[wanted])) {
            continue;
        }
        resetStringInfo(&row);
        const MemoryContext old = MemoryContextSwitchTo(scratch);
        AppendRow(&row, reader, relation, count);
        MemoryContextSwitchTo(old);
        MemoryContextReset(scratch);
        AppendFrame(&reader->buffer, row.data, row.len);
    }
    // Of the row taken apart last, in the database's encoding.
    for (int i = count; i < count + keys && fetched.read > 0; ++i) {
        reader->place[i - count] =
            reader->nulls[i] ? pstrdup("")
                             : OutputFunctionCall(&reader->columns[i].output, reader->values[i]);
    }
    MemoryContextDelete(scratch);
    pfree(row.data);
    SPI_freetuptable(table);
    return fetched;
}

std::string DescribeTable(core::Oid relation, Reader* reader, int count) {
    const StringInfoData frames = pg::Call([reader, relation, count]() {
        StringInfoData description;
        StringInfoData types;
        StringInfoData both;
        initStringInfo(&description);
        initStringInfo(&types);
        initStringInfo(&both);
        const Relation table = table_open(relation, NoLock);
        AppendRelationMessage(&description, table, reader->portal->tupDesc, count);
        AppendTypeRecord(&types, description.data, static_cast<std::size_t>(description.len));
        table_close(table, NoLock);
        AppendFrame(&both, description.data, description.len);
        AppendFrame(&both, types.data, types.len);
        return both;
    });
    return {frames.data, static_cast<std::size_t>(frames.len)};
}

std::string Literal(const std::string& utf8, const KeyPart& part) {
    const char* text = pg::Call([bytes = utf8.c_str(), length = utf8.size()]() {
        return pg_any_to_server(bytes, static_cast<int>(length), PG_UTF8);
    });
    return pg::QuoteLiteral(text) + "::" + part.type_name;
}

std::string Join(const std::vector<std::string>& parts) {
    std::string list;
    for (const std::string& part : parts) {
        list += (list.empty() ? "" : ", ") + part;
    }
    return list;
}

std::string Wanted(const PublishedTable& published, const std::string& filter) {
    std::string wanted = "true";
    if (!published.filter.empty()) {
        wanted += " AND (" + published.filter + "\n)";
    }
    if (!filter.empty()) {
        wanted += " AND (" + filter + "\n)";
    }
    return "(" + wanted + ") IS TRUE";
}

struct ReadAlong {
    Query query;
    core::Oid leaf = 0;       // of a table without key
    std::uint64_t until = 0;  // page behind its range
    bool leaf_ends = false;
};

Query QueryByKey(const PublishedTable& published, const model::ChunkOrder& order,
                 const model::Place& place, const std::vector<KeyPart>& key, std::uint64_t limit) {
    std::vector<std::string> names;
    for (const KeyPart& part : key) {
        names.push_back(pg::QuoteIdentifier(part.name));
    }
    const std::string row = "ROW(" + Join(names) + ")";
    const bool only =
        pg::Call([r = order.relation]() { return get_rel_relkind(r); }) == RELKIND_RELATION;
    std::string text = "SELECT " + published.columns + ", " + Join(names) + ", " +
                       Wanted(published, order.filter) + " FROM " +
                       std::string(only ? "ONLY " : "") + pg::QualifiedName(order.relation);
    if (order.again) {
        std::vector<std::string> rows;
        for (const std::string& one : order.keys) {
            const auto values = model::SplitRowKey(one);
            std::vector<std::string> literals;
            for (std::size_t i = 0; i < key.size() && i < values.size(); ++i) {
                literals.push_back(Literal(values[i].value_or(""), key[i]));
            }
            rows.push_back("ROW(" + Join(literals) + ")");
        }
        text += " WHERE " + row + " IN (" + Join(rows) + ")";
    } else {
        if (!place.values.empty()) {
            std::vector<std::string> literals;
            for (std::size_t i = 0; i < key.size(); ++i) {
                literals.push_back(pg::QuoteLiteral(place.values[i]) + "::" + key[i].type_name);
            }
            text += " WHERE " + row + " > ROW(" + Join(literals) + ")";
        }
        text += " ORDER BY " + Join(names) + " LIMIT " + std::to_string(limit);
    }
    return {text, static_cast<int>(published.all.size()), static_cast<int>(key.size())};
}

// "(page,row)"
std::uint64_t PageOf(const std::string& ctid) {
    std::uint64_t page = 0;
    if (ctid.size() > 1) {
        std::from_chars(ctid.data() + 1, ctid.data() + ctid.size(), page);
    }
    return page;
}

// Nothing where no leaf is left.
std::optional<ReadAlong> QueryByCtid(const PublishedTable& published,
                                     const model::ChunkOrder& order, const model::Place& place,
                                     std::uint64_t limit) {
    core::Oid from = 0;
    std::string ctid = "(0,0)";
    if (!place.values.empty()) {
        from = static_cast<core::Oid>(std::strtoul(place.values[0].c_str(), nullptr, 10));
        ctid = place.values.at(1);
    }
    ReadAlong along;
    along.leaf = NextLeaf(order.relation, from);
    if (along.leaf == 0) {
        return std::nullopt;
    }
    if (along.leaf != from) {
        ctid = "(0,0)";
    }
    const Heap heap = Measure(along.leaf);
    const double per_page = heap.per_page > 1 ? heap.per_page : kRowsPerPage;
    along.until =
        PageOf(ctid) + std::max<std::uint64_t>(
                           static_cast<std::uint64_t>(static_cast<double>(limit) / per_page), 1);
    along.leaf_ends = along.until >= heap.pages;
    along.query = {"SELECT " + published.columns + ", ctid, " + Wanted(published, order.filter) +
                       " FROM ONLY " + pg::QualifiedName(along.leaf) + " WHERE ctid > " +
                       pg::QuoteLiteral(ctid) + "::tid AND ctid < '(" +
                       std::to_string(along.until) + ",0)'::tid LIMIT " + std::to_string(limit),
                   static_cast<int>(published.all.size()), 1};
    return along;
}

}  // namespace

model::RowKeys ChunkReader::KeysOf(core::Oid relation) const {
    const auto published = LookUpPublished(definition_, relation);
    return published ? MakeKeys(LookUpKey(relation), *published) : model::RowKeys();
}

model::ReadOutcome ChunkReader::Read(const model::ChunkOrder& order, model::Chunk* chunk) {
    ReadTransaction transaction;
    if (pg::Call([r = order.relation]() { return get_rel_relkind(r); }) == '\0') {
        return model::ReadOutcome::kNothing;
    }
    if (!LockTable(order.relation)) {
        return model::ReadOutcome::kLater;
    }
    transaction.TakeSnapshot();
    {
        pg::SpiScope spi;
        chunk->snapshot = spi.Execute("SELECT pg_current_snapshot()::text").Text(0, 1).value_or("");
    }
    const auto visibility = model::Visibility::Parse(chunk->snapshot);
    if (!visibility ||
        !std::all_of(order.must_see.begin(), order.must_see.end(),
                     [&visibility](std::uint32_t xid) { return visibility->Sees(xid); })) {
        return model::ReadOutcome::kLater;
    }
    const auto published = LookUpPublished(definition_, order.relation);
    if (!published || published->columns.empty()) {
        return model::ReadOutcome::kNothing;
    }
    const std::vector<KeyPart> key = LookUpKey(order.relation);
    model::Place from = order.place;
    chunk->place.columns = {"ctid"};
    if (!key.empty()) {
        chunk->place.columns.clear();
        for (const KeyPart& part : key) {
            chunk->place.columns.push_back(part.name);
        }
    }
    if (from.columns != chunk->place.columns) {
        from = {};  // the table got another key: what is done means nothing by it
    }
    ReadAlong along;
    if (!key.empty()) {
        along.query = QueryByKey(*published, order, from, key, limit_);
    } else if (auto ctids = QueryByCtid(*published, order, from, limit_)) {
        along = std::move(*ctids);
    } else {
        return model::ReadOutcome::kNothing;
    }

    const core::Oid owner = pg::OwnerOf(order.relation);
    Reader reader{};
    Reader* r = &reader;
    {
        pg::OwnerScope as_owner(owner);
        pg::Call([r, text = along.query.text.c_str(), keys = along.query.keys]() {
            OpenReader(r, text, keys);
        });
    }
    chunk->description = DescribeTable(order.relation, r, along.query.columns);
    bool full = false;
    for (;;) {
        Fetched fetched{};
        {
            pg::OwnerScope as_owner(owner);
            fetched = pg::Call([r, relation = order.relation, query = &along.query,
                                room = kChunkBytes - std::min(kChunkBytes, chunk->rows.size())]() {
                return Fetch(r, relation, query->columns, query->keys, room);
            });
        }
        chunk->rows.append(reader.buffer.data, static_cast<std::size_t>(reader.buffer.len));
        chunk->read += fetched.read;
        full = fetched.read < fetched.came || chunk->rows.size() >= kChunkBytes;
        if (full || fetched.came < kFetchRows) {
            break;
        }
        pg::Call([]() { CHECK_FOR_INTERRUPTS(); });
    }
    const bool more = full || (!order.again && chunk->read >= limit_);
    chunk->place.values = from.values;
    if (!key.empty()) {
        chunk->last = !more;
        if (chunk->read > 0) {
            chunk->place.values.clear();
            for (std::size_t i = 0; i < key.size(); ++i) {
                chunk->place.values.emplace_back(reader.place[i]);
            }
        }
    } else if (more) {
        chunk->place.values = {std::to_string(along.leaf), reader.place[0]};
    } else if (!along.leaf_ends) {
        chunk->place.values = {std::to_string(along.leaf),
                               "(" + std::to_string(along.until) + ",0)"};
    } else {
        chunk->place.values = {std::to_string(along.leaf + 1), "(0,0)"};
        chunk->last = NextLeaf(order.relation, along.leaf + 1) == 0;
    }
    chunk->keys = MakeKeys(key, *published);
    pg::Call([r]() {
        SPI_cursor_close(r->portal);
        SPI_finish();
    });
    transaction.Commit();
    return model::ReadOutcome::kChunk;
}

}  // namespace bitvelocity::stream
