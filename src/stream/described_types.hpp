// DescribedTypes: keeps what was said about a table's types true while they change under it.
//
// pgoutput describes a table again when the table changes. A composite that gets another attribute,
// an enum another label or a domain another name changes no table, yet the values that follow are
// of the new type. So for tables with types of users the description is kept; after an invalidation
// of one of these types it is read again, under the historic snapshot of the next row, and sent
// when it differs. Tables of built-in types alone cost nothing; nor do the others but after such
// DDL.
//
// Decoder, from its write callback. Plain data; may raise.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

// Once, before decoding.
void WatchTypes();

// Of an R message: appends its type record to `record` (emptied before), and remembers both.
void DescribeTypes(const char* relation_message, std::size_t length, StringInfo record);

// Whether a type of the row's table (an I, U or D message) is no longer what was said of it; then
// the R message and the type record to send before the row. Valid until the next call of either.
struct Redescription {
    const char* relation;
    std::size_t relation_length;
    const char* types;
    std::size_t types_length;
};
bool TypesChanged(const char* message, std::size_t length, Redescription* again);

}  // namespace bitvelocity::stream
