// The trail table: one row per change of an audited table, beside it.
//
// Columns: kTrailColumns in this order, with the audited table's key columns, in their own types,
// behind audit_id. A key column whose name is taken is called key_<name>. Partitioned
// by month of operation_timestamp where pg_partman is installed. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitvelocity::trail {

enum TrailColumn : int {
    kAuditId,
    kTrailOperation,
    kOperationTimestamp,
    kOperationUser,
    kOldValues,
    kNewValues,
    kTrailCorrelationId,
    kTrailTransactionId,
    kTrailActor,
    kSessionUserName,
    kApplicationName,
    kTrailTraceparent,
    kChangedColumns,
    kPreviousKey,
    kTrailColumns,
};

// Names of the trail's columns for the key columns of the audited table.
[[nodiscard]] std::vector<std::string> TrailKeyNames(const std::vector<std::string>& keys);

// Makes <table>_audit as the owner of `source`, or takes up the one that an earlier audit of the
// table left behind (same owner, same columns). `keys`: column numbers of the source. Checks no
// right of the caller. Returns its OID.
std::uint32_t CreateTrailTable(std::uint32_t source, const std::vector<int>& keys, bool key_index);

}  // namespace bitvelocity::trail
