// ColumnText: a column's value as pgoutput sends it, 't' Int32 length and the text of the type's
// output function in UTF-8, without the price of going through that function where its text is
// simple: no look-up for every value, no copy to a C string and back.
//
// What is written here for the commonest types equals what the output functions print with the
// settings that a stream's processes pin (ISO dates, time zone UTC); all others are asked for
// theirs. Decoder and deliverer. Plain data; may raise; allocates in the current memory context.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

struct ColumnText {
    enum class Kind : std::uint8_t {
        kBool,
        kInt2,
        kInt4,
        kInt8,
        kText,  // text, varchar, char(n), json: the bytes themselves
        kDate,
        kTimestamp,
        kTimestampTz,
        kUuid,
        kNumeric,
        kFunction,   // of the server: found once
        kUnprepared  // of others: what it caches may change with its types, so found every time
    };
    Kind kind;
    bool alone;  // written without the catalogue, so without a transaction
    Oid function;
    FmgrInfo output;
};

// Reads the catalogue; what is kept lives in `memory`.
void PrepareColumn(ColumnText* column, Oid type, MemoryContext memory);
// `value` is not NULL, and its bytes are at hand: not on disk in a TOAST table.
void AppendColumn(StringInfo out, ColumnText* column, Datum value);

}  // namespace bitvelocity::stream
