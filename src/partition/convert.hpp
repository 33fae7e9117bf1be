// Convert: an empty plain table becomes a partitioned one of the same name.
//
// A table cannot be turned into a partitioned one, so it is made anew beside the old one, which is
// dropped: columns, defaults, identity, generated columns, checks, keys, indexes, foreign keys to
// other tables, triggers, statistics, comments, grants and owned sequences are carried over; what
// hangs on the table itself (views, foreign keys to it, publications, policies, rules, inheritance)
// is refused by name. As the current user, who should be the owner. Main thread, in a transaction.
#pragma once

#include <cstdint>
#include <string>

namespace bitvelocity::partition {

// Returns the new table's OID. Throws 55000 where the table has rows or something hangs on it.
std::uint32_t ConvertEmptyTable(std::uint32_t relation, const std::string& control,
                                const std::string& every);

}  // namespace bitvelocity::partition
