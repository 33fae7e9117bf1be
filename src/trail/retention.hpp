// Retention: how long the months of a trail or bronze table are kept. Told here, at creation;
// months are dropped by the maintenance of partitions. Main thread, inside a transaction.
#pragma once

#include <cstdint>

namespace bitvelocity::trail {

// `interval`: a Datum of type interval. Throws 0A000 where the table is not partitioned, 22023
// where the interval is not positive. Checks no right of the caller.
void SetRetention(std::uint32_t relation, std::uintptr_t interval);

}  // namespace bitvelocity::trail
