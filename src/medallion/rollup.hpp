// Rollups: gold tables kept equal to their query. Main thread; the dataset's row is locked by the
// caller.
#pragma once

#include "medallion/dataset.hpp"
#include "medallion/silver_refresh.hpp"

namespace bitvelocity::medallion {

// Recomputes what was touched since the last refresh (or everything).
void RefreshRollup(pg::SpiScope& spi, Dataset& dataset, Progress& progress);

// Everything is to be recomputed at the next refresh.
void TouchAll(pg::SpiScope& spi, const Dataset& dataset);

// Triggers on a source table that log what is touched; the last one's removal.
void TrackChanges(pg::SpiScope& spi, std::uint32_t relation);
void UntrackChanges(pg::SpiScope& spi, std::uint32_t relation);

}  // namespace bitvelocity::medallion
