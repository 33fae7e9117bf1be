// RowTables: what the decoder has learned of the tables whose rows it decodes, by OID and by file,
// until anything is invalidated that pgoutput looks at.
//
// Decoder. Plain data; may raise; reads the catalogue where it says so, which needs a transaction
// and the historic snapshot of a replay.
#pragma once

#include "pg/postgres.hpp"

#include "stream/column_text.hpp"

namespace bitvelocity::stream {

struct RowTable {
    Oid relid;     // hash key
    bool is_root;  // rows of partitions are published as its own
    bool stale;
    // Bits of ReorderBufferChangeType:
    std::uint8_t learned;  // our message equals pgoutput's
    std::uint8_t differs;  // it did not, or rows are filtered: pgoutput's business
    std::uint8_t silent;   // pgoutput sends nothing
    bool full_identity;    // of the table it is published as
    bool alone;            // no column needs the catalogue
    Oid published_as;
    std::uint64_t generation;
    pg::compat::FileLocator file;  // of the row that came last
    MemoryContext memory;
    int count;
    TupleDesc description;
    ColumnText* columns;  // by attribute, `count` of them; null: not prepared
};

// Once, before decoding; `publications` as pgoutput gets them.
void OpenRowTables(MemoryContext memory, const char* publications);
// Of a row that is replayed: what is known is true, and nothing where it might not be.
RowTable* FindTable(Relation relation, const pg::compat::FileLocator& file);
// Of a row outside a replay. Null: unknown, or what was known may not be true any more.
RowTable* FindTable(const pg::compat::FileLocator& file);
bool IsOutdated(const RowTable* table);
// Counts what may have made a table outdated.
std::uint64_t InvalidationsSoFar();
// Whether a publication filters rows or columns. Reads the catalogue.
bool IsFiltered(Relation relation);
// How its columns are written. False: its rows are pgoutput's business alone. Reads the catalogue.
bool PrepareTable(RowTable* table, Relation relation);
// As which table pgoutput publishes rows of this one. False: it converts them. Reads the catalogue.
bool LearnTarget(RowTable* table, Relation relation, Oid published_as);

}  // namespace bitvelocity::stream
