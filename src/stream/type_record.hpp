// TypeRecord: the types of a Relation message, the order of its key and the columns' defaults, read
// under the historic snapshot.
//
// Called from the decoder's write callback, so the schema is as of the change. Only system caches
// and the relation cache are looked at (the type cache would remember rows of the past); nothing is
// locked. Plain data; may raise. The layout is documented in wal/frame.hpp.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

// Told of every type in a record; `composite` is its pg_class row, where it has one.
using SeeType = void (*)(Oid type, Oid composite);

// `relation_message`: the bytes of pgoutput's R message, tag included. Appends the record to `out`.
void AppendTypeRecord(StringInfo out, const char* relation_message, std::size_t length,
                      SeeType see = nullptr);

}  // namespace bitvelocity::stream
