// Months: partitions of our own tables (RANGE over one date or time column, never a DEFAULT one).
//
// Hides their naming, which is pg_partman's (<table>_pYYYY_MM for 4.x, <table>_pYYYYMMDD from 5 on
// and without it), their bounds (months of UTC, cut to the gap between existing neighbours) and the
// lock: a month is made as a table of its own and attached, which takes SHARE UPDATE EXCLUSIVE on
// the parent, so writers and readers of other months go on, and two writers that miss the same
// month wait for each other instead of deadlocking. Runs with the rights of the current user, which
// should be the table's owner. Main thread, inside a transaction.
#pragma once

#include <cstdint>

namespace bitvelocity::pg {

// Major version of pg_partman in this database; 0: not installed.
[[nodiscard]] int PartmanMajor();

// Makes the month that `key` (a value of the partition key's type) falls into, where it is missing.
// An infinite key, or a table partitioned otherwise, is left alone.
void MakeMonth(std::uint32_t relation, std::uintptr_t key);

// Makes the running month and `ahead` months after it. Returns how many were missing.
int PremakeMonths(std::uint32_t relation, int ahead);

}  // namespace bitvelocity::pg
