#include "stream/row_tables.hpp"

namespace bitvelocity::stream {

namespace {

struct File {
    pg::compat::FileLocator locator;  // hash key
    RowTable* table;
};

// One decoder a process.
struct RowTables {
    MemoryContext memory;
    HTAB* tables;
    HTAB* files;
    List* publications;  // names
    std::uint64_t generation;
    std::uint64_t invalidations;
    RowTable* last;
};

RowTables g_tables;

void OnRelation(Datum /*argument*/, Oid relid) {
    if (relid == InvalidOid) {
        ++g_tables.generation;
        ++g_tables.invalidations;
        return;
    }
    auto* table = static_cast<RowTable*>(hash_search(g_tables.tables, &relid, HASH_FIND, nullptr));
    if (table != nullptr) {
        table->stale = true;
        ++g_tables.invalidations;
        g_tables.generation += table->is_root ? 1 : 0;
    }
}

void OnPublication(Datum /*argument*/, int /*cache*/, uint32 /*hash*/) {
    ++g_tables.generation;
    ++g_tables.invalidations;
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

bool HasGeneratedColumn(TupleDesc description) {
    for (int i = 0; i < description->natts; ++i) {
        if (TupleDescAttr(description, i)->attgenerated != '\0') {
            return true;
        }
    }
    return false;
}

void Forget(RowTable* table, TupleDesc description) {
    table->generation = g_tables.generation;
    table->stale = false;
    table->learned = 0;
    table->differs = 0;
    table->silent = 0;
    table->count = description->natts;
    table->columns = nullptr;
    MemoryContextReset(table->memory);
}

RowTable* FindEntry(Oid relid) {
    bool found = false;
    auto* table = static_cast<RowTable*>(hash_search(g_tables.tables, &relid, HASH_ENTER, &found));
    if (!found) {
        *table = {};
        table->relid = relid;
        table->stale = true;
        table->memory =
            AllocSetContextCreate(g_tables.memory, "bitvelocity row message", ALLOCSET_SMALL_SIZES);
    }
    return table;
}

// Rows of a file are rows of this table, and of no other file.
void NoteFile(RowTable* table, const pg::compat::FileLocator& file) {
    auto* before =
        static_cast<File*>(hash_search(g_tables.files, &table->file, HASH_FIND, nullptr));
    if (before != nullptr && before->table == table) {
        (void)hash_search(g_tables.files, &table->file, HASH_REMOVE, nullptr);
    }
    table->file = file;
    static_cast<File*>(hash_search(g_tables.files, &file, HASH_ENTER, nullptr))->table = table;
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

HTAB* MakeHash(Size key_bytes, Size entry_bytes) {
    HASHCTL control{};
    control.keysize = key_bytes;
    control.entrysize = entry_bytes;
    control.hcxt = g_tables.memory;
    return hash_create("bitvelocity rows", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

}  // namespace

void OpenRowTables(MemoryContext memory, const char* publications) {
    g_tables.memory = memory;
    g_tables.tables = MakeHash(sizeof(Oid), sizeof(RowTable));
    g_tables.files = MakeHash(sizeof(pg::compat::FileLocator), sizeof(File));
    const MemoryContext old = MemoryContextSwitchTo(memory);
    if (!SplitIdentifierString(pstrdup(publications), ',', &g_tables.publications)) {
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

RowTable* FindTable(Relation relation, const pg::compat::FileLocator& file) {
    const Oid relid = RelationGetRelid(relation);
    if (g_tables.last == nullptr || g_tables.last->relid != relid) {
        g_tables.last = FindEntry(relid);
    }
    RowTable* table = g_tables.last;
    if (!pg::compat::SameFile(table->file, file)) {
        NoteFile(table, file);
    }
    if (IsOutdated(table) || table->count != RelationGetDescr(relation)->natts) {
        Forget(table, RelationGetDescr(relation));
    }
    return table;
}

RowTable* FindTable(const pg::compat::FileLocator& file) {
    RowTable* table = g_tables.last;
    if (table == nullptr || !pg::compat::SameFile(table->file, file)) {
        auto* found = static_cast<File*>(hash_search(g_tables.files, &file, HASH_FIND, nullptr));
        if (found == nullptr || !pg::compat::SameFile(found->table->file, file)) {
            return nullptr;
        }
        table = g_tables.last = found->table;
    }
    return IsOutdated(table) ? nullptr : table;
}

bool IsOutdated(const RowTable* table) {
    return table->stale || table->generation != g_tables.generation;
}

std::uint64_t InvalidationsSoFar() {
    return g_tables.invalidations;
}

bool IsFiltered(Relation relation) {
    List* relids = list_make1_oid(RelationGetRelid(relation));
    if (relation->rd_rel->relispartition) {
        relids = list_concat(relids, get_partition_ancestors(RelationGetRelid(relation)));
    }
    bool filtered = false;
    ListCell* name = nullptr;
    foreach (name, g_tables.publications) {
        const Oid publication = get_publication_oid(static_cast<char*>(lfirst(name)), true);
        ListCell* relid = nullptr;
        foreach (relid, relids) {
            filtered =
                filtered || (OidIsValid(publication) && Filters(publication, lfirst_oid(relid)));
        }
    }
    list_free(relids);
    return filtered;
}

bool PrepareTable(RowTable* table, Relation relation) {
    const TupleDesc description = RelationGetDescr(relation);
    if (table->columns != nullptr) {
        return true;
    }
    if (HasGeneratedColumn(description) || IsFiltered(relation)) {
        return false;
    }
    auto* columns = static_cast<ColumnText*>(MemoryContextAllocZero(
        table->memory, sizeof(ColumnText) * static_cast<std::size_t>(table->count)));
    bool alone = true;
    for (int i = 0; i < table->count; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(description, i);
        if (!attribute->attisdropped) {
            PrepareColumn(&columns[i], attribute->atttypid, table->memory);
            alone = alone && columns[i].alone;
        }
    }
    const MemoryContext old = MemoryContextSwitchTo(table->memory);
    table->description = CreateTupleDescCopyConstr(description);
    MemoryContextSwitchTo(old);
    table->alone = alone;
    table->columns = columns;
    return true;
}

bool LearnTarget(RowTable* table, Relation relation, Oid published_as) {
    table->published_as = published_as;
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

}  // namespace bitvelocity::stream
