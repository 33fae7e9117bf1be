#include "stream/row_messages.hpp"

#include "pg/settings.hpp"

#include "stream/column_text.hpp"

namespace bitvelocity::stream {

namespace {

using pg::settings::RowWriter;

// One huge row must not keep its buffer for ever.
constexpr int kKeptBytes = 1024 * 1024;
constexpr std::size_t kRelationAt = 1;

struct Table {
    Oid relid;     // hash key
    bool is_root;  // rows of partitions are published as its own
    bool stale;
    std::uint8_t learned;  // bits of Action: ours equals pgoutput's
    std::uint8_t differs;  // it did not
    bool full_identity;    // of the table it is published as
    Oid published_as;
    std::uint64_t generation;
    MemoryContext memory;
    int count;
    ColumnText* columns;  // by attribute, `count` of them
};

// One decoder a process.
struct RowMessages {
    MemoryContext memory;
    MemoryContext scratch;  // of one row
    HTAB* tables;
    List* publications;  // names
    std::uint64_t generation;
    bool begun_by_us;
    bool begun_by_pgoutput;
    StringInfoData message;
    StringInfoData boundary;  // Begin or Commit
    Table* last;
    // While pgoutput writes a change:
    Table* table;
    Relation relation;
    ReorderBufferChange* change;
    bool verifying;  // `message` is what it should write
    Datum values[MaxTupleAttributeNumber];
    bool nulls[MaxTupleAttributeNumber];
};

RowMessages g_rows;

std::uint8_t Bit(const ReorderBufferChange* change) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(change->action));
}

void OnRelation(Datum /*argument*/, Oid relid) {
    if (relid == InvalidOid) {
        ++g_rows.generation;
        return;
    }
    auto* table = static_cast<Table*>(hash_search(g_rows.tables, &relid, HASH_FIND, nullptr));
    if (table != nullptr) {
        table->stale = true;
        g_rows.generation += table->is_root ? 1 : 0;
    }
}

void OnPublication(Datum /*argument*/, int /*cache*/, uint32 /*hash*/) {
    ++g_rows.generation;
}

bool Filters(Oid publication, Oid relid) {
    const HeapTuple entry =
        SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(relid), ObjectIdGetDatum(publication));
    if (!HeapTupleIsValid(entry)) {
        return false;
    }
    bool all_rows = true;
    bool all_columns = true;
    (void)SysCacheGetAttr(PUBLICATIONRELMAP, entry, Anum_pg_publication_rel_prqual, &all_rows);
    (void)SysCacheGetAttr(PUBLICATIONRELMAP, entry, Anum_pg_publication_rel_prattrs, &all_columns);
    ReleaseSysCache(entry);
    return !all_rows || !all_columns;
}

bool IsFiltered(Relation relation) {
    List* relids = list_make1_oid(RelationGetRelid(relation));
    if (relation->rd_rel->relispartition) {
        relids = list_concat(relids, get_partition_ancestors(RelationGetRelid(relation)));
    }
    ListCell* name = nullptr;
    foreach (name, g_rows.publications) {
        const Oid publication = get_publication_oid(static_cast<char*>(lfirst(name)), true);
        ListCell* relid = nullptr;
        foreach (relid, relids) {
            if (OidIsValid(publication) && Filters(publication, lfirst_oid(relid))) {
                return true;
            }
        }
    }
    return false;
}

bool HasGeneratedColumn(TupleDesc description) {
    for (int i = 0; i < description->natts; ++i) {
        if (TupleDescAttr(description, i)->attgenerated != '\0') {
            return true;
        }
    }
    return false;
}

void Forget(Table* table, TupleDesc description) {
    table->generation = g_rows.generation;
    table->stale = false;
    table->learned = 0;
    table->differs = 0;
    table->count = description->natts;
    table->columns = nullptr;
    MemoryContextReset(table->memory);
}

// False: rows of this table are pgoutput's business alone.
bool Prepare(Table* table, Relation relation) {
    const TupleDesc description = RelationGetDescr(relation);
    if (table->columns != nullptr) {
        return true;
    }
    if (HasGeneratedColumn(description) || IsFiltered(relation)) {
        return false;
    }
    auto* columns = static_cast<ColumnText*>(MemoryContextAllocZero(
        table->memory, sizeof(ColumnText) * static_cast<std::size_t>(table->count)));
    for (int i = 0; i < table->count; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(description, i);
        if (!attribute->attisdropped) {
            PrepareColumn(&columns[i], attribute->atttypid, table->memory);
        }
    }
    table->columns = columns;
    return true;
}

Table* FindEntry(Oid relid) {
    bool found = false;
    auto* table = static_cast<Table*>(hash_search(g_rows.tables, &relid, HASH_ENTER, &found));
    if (!found) {
        *table = {};
        table->relid = relid;
        table->stale = true;
        table->memory =
            AllocSetContextCreate(g_rows.memory, "bitvelocity row message", ALLOCSET_SMALL_SIZES);
    }
    return table;
}

bool IsOutdated(const Table* table) {
    return table->stale || table->generation != g_rows.generation;
}

Table* Find(Relation relation) {
    const Oid relid = RelationGetRelid(relation);
    if (g_rows.last == nullptr || g_rows.last->relid != relid) {
        g_rows.last = FindEntry(relid);
    }
    Table* table = g_rows.last;
    if (IsOutdated(table) || table->count != RelationGetDescr(relation)->natts) {
        Forget(table, RelationGetDescr(relation));
    }
    return table;
}

// As logicalrep_write_tuple.
void AppendTuple(StringInfo out, const Table* table, TupleDesc description, HeapTuple tuple) {
    heap_deform_tuple(tuple, description, g_rows.values, g_rows.nulls);
    const int count_at = out->len;
    pq_sendint16(out, 0);
    uint16 count = 0;
    for (int i = 0; i < table->count; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(description, i);
        if (attribute->attisdropped) {
            continue;
        }
        ++count;
        if (g_rows.nulls[i]) {
            appendStringInfoCharMacro(out, LOGICALREP_COLUMN_NULL);
        } else if (attribute->attlen == -1 &&
                   VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(g_rows.values[i]))) {
            appendStringInfoCharMacro(out, LOGICALREP_COLUMN_UNCHANGED);
        } else {
            AppendColumn(out, &table->columns[i], g_rows.values[i]);
        }
    }
    const uint16 network = pg_hton16(count);
    std::memcpy(out->data + count_at, &network, sizeof(network));
}

// As logicalrep_write_insert, _update and _delete. False: nothing would be written.
bool MakeMessage(StringInfo out, const Table* table, Relation relation,
                 const ReorderBufferChange* change) {
    const HeapTuple before = pg::compat::OldTuple(change);
    const HeapTuple after = pg::compat::NewTuple(change);
    char tag = 0;
    switch (change->action) {
        case REORDER_BUFFER_CHANGE_INSERT:
            tag = LOGICAL_REP_MSG_INSERT;
            break;
        case REORDER_BUFFER_CHANGE_UPDATE:
            tag = LOGICAL_REP_MSG_UPDATE;
            break;
        case REORDER_BUFFER_CHANGE_DELETE:
            tag = LOGICAL_REP_MSG_DELETE;
            break;
        default:
            return false;
    }
    if ((tag == LOGICAL_REP_MSG_DELETE ? before : after) == nullptr) {
        return false;
    }
    if (out->maxlen > kKeptBytes) {
        out->data = static_cast<char*>(repalloc(out->data, kKeptBytes));
        out->maxlen = kKeptBytes;
    }
    resetStringInfo(out);
    const MemoryContext old = MemoryContextSwitchTo(g_rows.scratch);
    appendStringInfoCharMacro(out, tag);
    pq_sendint32(out, table->published_as);
    if (before != nullptr && tag != LOGICAL_REP_MSG_INSERT) {
        appendStringInfoCharMacro(out, table->full_identity ? 'O' : 'K');
        AppendTuple(out, table, RelationGetDescr(relation), before);
    }
    if (tag != LOGICAL_REP_MSG_DELETE) {
        appendStringInfoCharMacro(out, 'N');
        AppendTuple(out, table, RelationGetDescr(relation), after);
    }
    MemoryContextSwitchTo(old);
    MemoryContextReset(g_rows.scratch);
    return true;
}

// Column by column: then pgoutput converts no row of a partition to its root's.
bool SameColumns(TupleDesc a, TupleDesc b) {
    if (a->natts != b->natts || HasGeneratedColumn(b)) {
        return false;
    }
    for (int i = 0; i < a->natts; ++i) {
        const Form_pg_attribute x = TupleDescAttr(a, i);
        const Form_pg_attribute y = TupleDescAttr(b, i);
        if (x->attisdropped != y->attisdropped ||
            (!x->attisdropped && (x->atttypid != y->atttypid || x->atttypmod != y->atttypmod ||
                                  namestrcmp(&x->attname, NameStr(y->attname)) != 0))) {
            return false;
        }
    }
    return true;
}

// As which table pgoutput publishes the one that is being written. False: its rows are converted.
bool LearnTarget(Table* table, Relation relation, const char* message) {
    uint32 network = 0;
    std::memcpy(&network, message + kRelationAt, sizeof(network));
    table->published_as = pg_ntoh32(network);
    if (table->published_as == table->relid) {
        table->full_identity = relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
        return true;
    }
    FindEntry(table->published_as)->is_root = true;
    const Relation root = RelationIdGetRelation(table->published_as);
    if (!RelationIsValid(root)) {
        return false;
    }
    table->full_identity = root->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
    const bool same = SameColumns(RelationGetDescr(relation), RelationGetDescr(root));
    RelationClose(root);
    return same;
}

bool Equals(const char* message, std::size_t length) {
    return static_cast<std::size_t>(g_rows.message.len) == length &&
           std::memcmp(g_rows.message.data, message, length) == 0;
}

void Learn(const char* message, std::size_t length) {
    Table* table = g_rows.table;
    const std::uint8_t bit = Bit(g_rows.change);
    const bool same = Prepare(table, g_rows.relation) &&
                      LearnTarget(table, g_rows.relation, message) &&
                      MakeMessage(&g_rows.message, table, g_rows.relation, g_rows.change) &&
                      Equals(message, length);
    if (IsOutdated(table)) {
        return;  // reading the catalogue has shown that it has changed
    }
    if (same) {
        ereport(DEBUG1, (errmsg("bitvelocity: writes rows of table %u itself, kind %u",
                                table->relid, static_cast<unsigned>(bit))));
        table->learned |= bit;
    } else {
        table->differs |= bit;
    }
}

[[noreturn]] void Differ(const char* what) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("the decoder's message of a row of table \"%s\" differs from pgoutput's",
                           RelationGetRelationName(g_rows.relation)),
                    errdetail("%s", what),
                    errhint("Set bitvelocity.row_writer to \"pgoutput\" and report this.")));
}

bool IsRow(const char* message, std::size_t length) {
    return length > kRelationAt + sizeof(uint32) &&
           (message[0] == LOGICAL_REP_MSG_INSERT || message[0] == LOGICAL_REP_MSG_UPDATE ||
            message[0] == LOGICAL_REP_MSG_DELETE);
}

}  // namespace

void OpenRowMessages(const char* publications) {
    g_rows.memory =
        AllocSetContextCreate(TopMemoryContext, "bitvelocity rows", ALLOCSET_DEFAULT_SIZES);
    g_rows.scratch =
        AllocSetContextCreate(g_rows.memory, "bitvelocity row", ALLOCSET_DEFAULT_SIZES);
    HASHCTL control{};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(Table);
    control.hcxt = g_rows.memory;
    g_rows.tables =
        hash_create("bitvelocity rows", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    const MemoryContext old = MemoryContextSwitchTo(g_rows.memory);
    initStringInfo(&g_rows.message);
    initStringInfo(&g_rows.boundary);
    if (!SplitIdentifierString(pstrdup(publications), ',', &g_rows.publications)) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                        errmsg("invalid list of publications \"%s\"", publications)));
    }
    MemoryContextSwitchTo(old);
    CacheRegisterRelcacheCallback(OnRelation, 0);
    for (const int cache :
         {PUBLICATIONOID, PUBLICATIONRELMAP, PUBLICATIONNAMESPACEMAP, NAMESPACEOID}) {
        CacheRegisterSyscacheCallback(cache, OnPublication, 0);
    }
    pg::compat::OnPublishedRelation(OnRelation);
}

StringInfo OwnRow(ReorderBufferTXN* transaction, Relation relation, ReorderBufferChange* change) {
    const auto mode = static_cast<RowWriter>(pg::settings::row_writer);
    if (mode == RowWriter::kPgoutput) {
        return nullptr;
    }
    Table* table = Find(relation);
    if ((table->differs & Bit(change)) != 0) {
        return nullptr;
    }
    const bool learned = (table->learned & Bit(change)) != 0;
    const bool begun = g_rows.begun_by_us || g_rows.begun_by_pgoutput ||
                       transaction->origin_id == InvalidRepOriginId;
    const bool own = learned && (begun || mode == RowWriter::kVerified) &&
                     MakeMessage(&g_rows.message, table, relation, change);
    if (own && mode == RowWriter::kOwn) {
        return &g_rows.message;
    }
    g_rows.table = learned && !own ? nullptr : table;
    g_rows.relation = relation;
    g_rows.change = change;
    g_rows.verifying = own;
    return nullptr;
}

StringInfo OwnBegin(ReorderBufferTXN* transaction) {
    if (g_rows.begun_by_us || g_rows.begun_by_pgoutput) {
        return nullptr;
    }
    g_rows.begun_by_us = true;
    resetStringInfo(&g_rows.boundary);
    logicalrep_write_begin(&g_rows.boundary, transaction);
    return &g_rows.boundary;
}

StringInfo OwnCommit(ReorderBufferTXN* transaction, XLogRecPtr commit_lsn) {
    const bool own = g_rows.begun_by_us && !g_rows.begun_by_pgoutput;
    g_rows.begun_by_us = g_rows.begun_by_pgoutput = false;
    if (!own) {
        return nullptr;
    }
    resetStringInfo(&g_rows.boundary);
    logicalrep_write_commit(&g_rows.boundary, transaction, commit_lsn);
    return &g_rows.boundary;
}

bool SeeMessage(const char* message, std::size_t length) {
    if (length == 0) {
        return true;
    }
    if (message[0] == LOGICAL_REP_MSG_BEGIN) {
        g_rows.begun_by_pgoutput = true;
        return !g_rows.begun_by_us;
    }
    if (g_rows.table == nullptr) {
        return true;
    }
    // What was invalidated meanwhile, our message could not know.
    g_rows.verifying = g_rows.verifying && !IsOutdated(g_rows.table);
    if (g_rows.verifying) {
        if (message[0] == LOGICAL_REP_MSG_RELATION) {
            Differ("The table should have been described again before.");
        }
        if (IsRow(message, length)) {
            if (!Equals(message, length)) {
                Differ("The bytes are not the same.");
            }
            g_rows.verifying = false;
        }
    } else if (IsRow(message, length)) {
        Learn(message, length);
    }
    return true;
}

void EndChange() {
    if (g_rows.verifying && !IsOutdated(g_rows.table)) {
        Differ("It should not have been sent at all.");
    }
    g_rows.verifying = false;
    g_rows.table = nullptr;
}

}  // namespace bitvelocity::stream
