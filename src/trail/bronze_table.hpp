// The bronze table: its columns, its making, its sequence and the lock that makes sequence order
// commit order.
//
// `sequence` is the position that consumers keep. Whoever inserts takes the table's sequence lock
// BEFORE drawing a number and keeps it to the end of the transaction: BronzeWriter for the server's
// own rows, an ENABLE ALWAYS row trigger for anybody else's. So numbers become visible in their
// order, and a reader that remembers the last one misses nothing. Main thread, inside a
// transaction.
#pragma once

#include <cstdint>
#include <string>

namespace bitvelocity::trail {

// Columns of a bronze row, in the table's order.
enum BronzeColumn : int {
    kEventId,         // uuid
    kEventTimestamp,  // timestamptz, commit time of the source transaction
    kSourceSystem,    // text, the database's name
    kOperationType,   // text: INSERT UPDATE DELETE TRUNCATE READ
    kTableName,       // text, schema.table as it was called then
    kRawPayload,      // jsonb, the row after the change; NULL: DELETE, TRUNCATE
    kIngestionDate,   // date of arrival (UTC), partition key
    kBeforePayload,   // jsonb, what is known of the row before the change
    kSourceEpoch,     // integer
    kCommitLsn,       // pg_lsn
    kOrdinal,         // bigint
    kPart,            // integer
    kTransactionId,   // xid8: the xid of the WAL, with its epoch; NULL: none
    kActor,           // text
    kCorrelationId,   // uuid
    kTraceparent,     // text
    kSequence,        // bigint
    kBronzeColumns,
};

// Makes the bronze table of `source` (bronze_<table> beside it where `target` is empty; else a
// name, schema-qualified or in the source's schema), as the owner of `source`. Partitioned by month
// where pg_partman is installed. A bronze table of that name and owner that no stream writes is
// taken up with its rows. Checks no right of the caller. Returns the table's OID.
std::uint32_t CreateBronzeTable(std::uint32_t source, const std::string& target = {});

// The table has the columns of a bronze row and a sequence of its own.
[[nodiscard]] bool IsBronzeTable(std::uint32_t relation);

// The sequence that the column `sequence` owns; 0: none.
[[nodiscard]] std::uint32_t SequenceOf(std::uint32_t bronze);

// Waits (lock_timeout applies) for the right to draw sequence numbers of this table; held to the
// end of the transaction. Take several tables in the order of their OIDs.
void LockSequence(std::uint32_t bronze);
// The same without waiting; false: somebody else has it.
[[nodiscard]] bool TryLockSequence(std::uint32_t bronze);
// The process that holds that lock; 0: none, or a prepared transaction.
[[nodiscard]] int SequenceLockHolder(std::uint32_t bronze);

}  // namespace bitvelocity::trail
