#include "stream/row_messages.hpp"

#include "pg/settings.hpp"

#include "stream/row_tables.hpp"

namespace bitvelocity::stream {

namespace {

using pg::settings::RowWriter;

// One huge row must not keep its buffer for ever.
constexpr int kKeptBytes = 1024 * 1024;
constexpr std::size_t kRelationAt = 1;

// What pgoutput should send of a change.
enum class Expected : std::uint8_t { kUnknown, kMessage, kNothing };

// One decoder a process.
struct RowMessages {
    MemoryContext memory;
    MemoryContext scratch;  // of one row
    bool begun_by_us;
    bool begun_by_pgoutput;
    StringInfoData message;
    StringInfoData boundary;  // Begin or Commit
    StringInfoData nothing;
    // While pgoutput writes a change:
    RowTable* table;
    Relation relation;
    ReorderBufferChange* change;
    Expected expected;
    bool seen;  // it has sent a row
    Datum values[MaxTupleAttributeNumber];
    bool nulls[MaxTupleAttributeNumber];
};

RowMessages g_rows;

std::uint8_t Bit(const ReorderBufferChange* change) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(change->action));
}

// Of its message; '\0': it is no row.
char TagOf(const ReorderBufferChange* change) {
    switch (change->action) {
        case REORDER_BUFFER_CHANGE_INSERT:
            return LOGICAL_REP_MSG_INSERT;
        case REORDER_BUFFER_CHANGE_UPDATE:
            return LOGICAL_REP_MSG_UPDATE;
        case REORDER_BUFFER_CHANGE_DELETE:
            return LOGICAL_REP_MSG_DELETE;
        default:
            return '\0';
    }
}

// The tuple that a change is about.
HeapTuple RowOf(const ReorderBufferChange* change) {
    return change->action == REORDER_BUFFER_CHANGE_DELETE ? pg::compat::OldTuple(change)
                                                          : pg::compat::NewTuple(change);
}

// As logicalrep_write_tuple.
void AppendTuple(StringInfo out, const RowTable* table, HeapTuple tuple) {
    const TupleDesc description = table->description;
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
bool MakeMessage(StringInfo out, const RowTable* table, const ReorderBufferChange* change) {
    const HeapTuple before = pg::compat::OldTuple(change);
    const HeapTuple after = pg::compat::NewTuple(change);
    const char tag = TagOf(change);
    if (tag == '\0' || RowOf(change) == nullptr) {
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
        AppendTuple(out, table, before);
    }
    if (tag != LOGICAL_REP_MSG_DELETE) {
        appendStringInfoCharMacro(out, 'N');
        AppendTuple(out, table, after);
    }
    MemoryContextSwitchTo(old);
    MemoryContextReset(g_rows.scratch);
    return true;
}

bool Equals(const char* message, std::size_t length) {
    return static_cast<std::size_t>(g_rows.message.len) == length &&
           std::memcmp(g_rows.message.data, message, length) == 0;
}

void Learn(const char* message, std::size_t length) {
    RowTable* table = g_rows.table;
    const std::uint8_t bit = Bit(g_rows.change);
    uint32 published_as = 0;
    std::memcpy(&published_as, message + kRelationAt, sizeof(published_as));
    const bool same = PrepareTable(table, g_rows.relation) &&
                      LearnTarget(table, g_rows.relation, pg_ntoh32(published_as)) &&
                      MakeMessage(&g_rows.message, table, g_rows.change) && Equals(message, length);
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

// What is silent about one row of a table is silent about all, unless they are filtered.
void LearnSilence() {
    if (RowOf(g_rows.change) == nullptr) {
        return;
    }
    const bool filtered = IsFiltered(g_rows.relation);
    if (!IsOutdated(g_rows.table)) {
        (filtered ? g_rows.table->differs : g_rows.table->silent) |= Bit(g_rows.change);
    }
}

bool IsRow(const char* message, std::size_t length) {
    return length > kRelationAt + sizeof(uint32) &&
           (message[0] == LOGICAL_REP_MSG_INSERT || message[0] == LOGICAL_REP_MSG_UPDATE ||
            message[0] == LOGICAL_REP_MSG_DELETE);
}

void Pass(SendMessage send, XLogRecPtr lsn, StringInfo message) {
    send(lsn, message->data, static_cast<std::size_t>(message->len));
}

}  // namespace

void OpenRowMessages(const char* publications) {
    g_rows.memory =
        AllocSetContextCreate(TopMemoryContext, "bitvelocity rows", ALLOCSET_DEFAULT_SIZES);
    g_rows.scratch =
        AllocSetContextCreate(g_rows.memory, "bitvelocity row", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(g_rows.memory);
    initStringInfo(&g_rows.message);
    initStringInfo(&g_rows.boundary);
    initStringInfo(&g_rows.nothing);
    MemoryContextSwitchTo(old);
    OpenRowTables(g_rows.memory, publications);
}

StringInfo OwnRow(ReorderBufferTXN* transaction, Relation relation, ReorderBufferChange* change) {
    const auto mode = static_cast<RowWriter>(pg::settings::row_writer);
    if (mode == RowWriter::kPgoutput) {
        return nullptr;
    }
    RowTable* table = FindTable(relation, pg::compat::Locator(change));
    if ((table->differs & Bit(change)) != 0) {
        return nullptr;
    }
    const bool silent = (table->silent & Bit(change)) != 0;
    if (silent && mode == RowWriter::kOwn) {
        return &g_rows.nothing;
    }
    const bool learned = (table->learned & Bit(change)) != 0;
    const bool begun = g_rows.begun_by_us || g_rows.begun_by_pgoutput ||
                       transaction->origin_id == InvalidRepOriginId;
    const bool own = learned && (begun || mode == RowWriter::kVerified) &&
                     MakeMessage(&g_rows.message, table, change);
    if (own && mode == RowWriter::kOwn) {
        return &g_rows.message;
    }
    g_rows.table = learned && !own ? nullptr : table;
    g_rows.relation = relation;
    g_rows.change = change;
    g_rows.seen = false;
    g_rows.expected = own ? Expected::kMessage : silent ? Expected::kNothing : Expected::kUnknown;
    return nullptr;
}

bool KnowsRow(const ReorderBufferChange* change) {
    if (TagOf(change) == '\0') {
        return false;
    }
    const RowTable* table = FindTable(pg::compat::Locator(change));
    if (table == nullptr) {
        return false;
    }
    return (table->silent & Bit(change)) != 0 ||
           ((table->learned & Bit(change)) != 0 && table->alone && RowOf(change) != nullptr);
}

StringInfo KnownRow(const ReorderBufferChange* change) {
    const RowTable* table = FindTable(pg::compat::Locator(change));
    if (table == nullptr) {
        elog(ERROR, "a row is not known any more");
    }
    if ((table->silent & Bit(change)) != 0) {
        return &g_rows.nothing;
    }
    (void)MakeMessage(&g_rows.message, table, change);
    return &g_rows.message;
}

void SendRow(ReorderBufferTXN* transaction, XLogRecPtr lsn, StringInfo row, SendMessage send) {
    if (row->len == 0) {
        return;
    }
    if (!g_rows.begun_by_us && !g_rows.begun_by_pgoutput) {
        g_rows.begun_by_us = true;
        resetStringInfo(&g_rows.boundary);
        logicalrep_write_begin(&g_rows.boundary, transaction);
        Pass(send, lsn, &g_rows.boundary);
    }
    Pass(send, lsn, row);
}

void SendCommit(ReorderBufferTXN* transaction, XLogRecPtr commit_lsn, SendMessage send) {
    const bool own = g_rows.begun_by_us && !g_rows.begun_by_pgoutput;
    g_rows.begun_by_us = g_rows.begun_by_pgoutput = false;
    if (own) {
        resetStringInfo(&g_rows.boundary);
        logicalrep_write_commit(&g_rows.boundary, transaction, commit_lsn);
        Pass(send, transaction->end_lsn, &g_rows.boundary);
    }
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
    // What was invalidated meanwhile, we could not know.
    if (IsOutdated(g_rows.table)) {
        g_rows.expected = Expected::kUnknown;
    }
    const bool row = IsRow(message, length);
    g_rows.seen = g_rows.seen || row;
    if (g_rows.expected == Expected::kMessage) {
        if (message[0] == LOGICAL_REP_MSG_RELATION) {
            Differ("The table should have been described again before.");
        }
        if (row && !Equals(message, length)) {
            Differ("The bytes are not the same.");
        }
    } else if (g_rows.expected == Expected::kNothing) {
        if (row || message[0] == LOGICAL_REP_MSG_RELATION) {
            Differ("It should have been sent.");
        }
    } else if (row) {
        Learn(message, length);
    }
    return true;
}

void EndChange() {
    if (g_rows.table != nullptr && !g_rows.seen) {
        if (g_rows.expected == Expected::kMessage && !IsOutdated(g_rows.table)) {
            Differ("It should not have been sent at all.");
        }
        if (g_rows.expected == Expected::kUnknown) {
            LearnSilence();
        }
    }
    g_rows.table = nullptr;
}

}  // namespace bitvelocity::stream
