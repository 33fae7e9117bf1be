// RowMessages: the I, U and D messages of most rows, and the B and C around them, written by the
// decoder itself.
//
// pgoutput decides and is the measure; it is also more than half of what decoding costs. So it
// writes the first row of each kind (insert, update, delete) of a table. Where our own message for
// that row is the same to the byte, and no publication filters the table's rows or columns, the
// rows that follow are written here, until anything is invalidated that pgoutput looks at: then it
// writes the next one again, behind a new description of the table if there is one. Where it sends
// nothing of that row, nothing is sent of those that follow. Where a row of ours comes first in its
// transaction, so does our own Begin, made by the server's function; a Begin of pgoutput's behind
// it is dropped, and Commit is written by whoever has begun last. Transactions with an origin are
// pgoutput's to begin. bitvelocity.row_writer: `verified` lets it write every row and raises where
// ours differs, `pgoutput` leaves every row to it.
//
// Decoder, from its change and write callbacks. Plain data; may raise. Of pgoutput.c (15 to 18) are
// taken: what invalidates its descriptions, what is sent of a row, that a filter may drop or turn a
// row.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

using SendMessage = void (*)(XLogRecPtr lsn, const char* message, std::size_t length);

// Once, before decoding; `publications` as pgoutput gets them.
void OpenRowMessages(const char* publications);

// The message of a change, valid until the next call; empty: nothing is to be sent of it; null:
// pgoutput must be called for it, which SeeMessage and then EndChange follow.
StringInfo OwnRow(ReorderBufferTXN* transaction, Relation relation, ReorderBufferChange* change);
// The same outside a transaction, without the relation, as far as it is known: whether it is, and
// only then the message.
bool KnowsRow(const ReorderBufferChange* change);
StringInfo KnownRow(const ReorderBufferChange* change);
// Sends such a message, behind a Begin where nobody has begun; of an empty one nothing.
void SendRow(ReorderBufferTXN* transaction, XLogRecPtr lsn, StringInfo row, SendMessage send);
// Behind pgoutput's own end of the transaction, if it has one: sends its Commit where ours is the
// Begin that counts.
void SendCommit(ReorderBufferTXN* transaction, XLogRecPtr commit_lsn, SendMessage send);
// Everything that pgoutput writes. False: not to be sent.
bool SeeMessage(const char* message, std::size_t length);
void EndChange();

}  // namespace bitvelocity::stream
