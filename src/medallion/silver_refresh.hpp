// Refresh of a silver dataset: the bronze rows behind its position, in batches.
//
// A batch is one statement where all its rows are fine. Where PostgreSQL refuses a row (a cast, a
// constraint), the batch is halved inside subtransactions until the row stands alone; it then goes
// to quarantine with the reason, and the others flow on. Target, quarantine, deleted keys and
// position change in the caller's transaction. Main thread; the dataset's row is locked by the
// caller.
#pragma once

#include <cstdint>

#include "core/lsn.hpp"
#include "medallion/dataset.hpp"

namespace bitvelocity::medallion {

struct Progress {
    std::int64_t read = 0;  // bronze rows
    std::int64_t put = 0;   // rows inserted or updated in the target
    std::int64_t removed = 0;
    std::int64_t quarantined = 0;
};

// One batch; returns whether bronze may have more. Updates `dataset` and adds to `progress`.
bool RefreshSilverBatch(pg::SpiScope& spi, Dataset& dataset, core::Lsn until, Progress& progress);

// Applies quarantined events again, oldest first: those whose ids are in the array '{...}', or all
// that are open. What is still refused stays, with its new reason. Returns how many were accepted.
std::int64_t ReplayQuarantine(pg::SpiScope& spi, Dataset& dataset,
                              const std::optional<std::string>& ids);

}  // namespace bitvelocity::medallion
