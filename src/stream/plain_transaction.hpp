// PlainTransaction: a committed transaction of rows that are all known (row_messages.hpp), sent
// without the server's replay.
//
// For a replay the server sets up a snapshot, begins a transaction, opens every row's relation and
// aborts: for a transaction of one row several times the price of the row. Nothing of that is
// needed where no row needs the catalogue. Such a transaction is sent from the reorder buffer as it
// is and forgotten there; the server then decodes the commit of a transaction without changes.
//
// Plain is one that is wholly in memory, without subtransactions, origin, catalogue changes and
// everything that is not a row; invalidations and snapshots that others sent it are no rows either,
// so what is known of its tables at the commit was true for all of its rows (snapbuild.c,
// SnapBuildDistributeNewCatalogSnapshot and its successors). bitvelocity.row_writer: `verified`
// lets the server replay it, and raises where pgoutput sends another message than would have been
// sent.
//
// Decoder. Plain data; may raise. Of decode.c (15 to 18) is taken which commits are passed over.
#pragma once

#include "pg/postgres.hpp"

#include "stream/row_messages.hpp"

namespace bitvelocity::stream {

// Of the record that was just read and is about to be decoded. True: it ended a plain transaction,
// which is sent.
bool SendPlainTransaction(LogicalDecodingContext* context, SendMessage send);
// Everything that pgoutput sends, and the end of every replayed transaction.
void CompareWithPlain(XLogRecPtr lsn, const char* message, std::size_t length);
void EndComparison();

}  // namespace bitvelocity::stream
