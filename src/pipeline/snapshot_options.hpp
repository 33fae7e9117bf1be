// SnapshotOptions: how a stream reads the rows that exist.
//
// Keys: snapshot.chunk_rows (1 to 1000000), snapshot.readers (1 to 8). Errors are 22023 with a
// HINT. Pure; any thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "core/status.hpp"

namespace bitvelocity::pipeline {

struct SnapshotOptions {
    std::uint64_t chunk_rows = 10'000;  // at most so many are read in one transaction
    std::uint64_t readers = 1;          // processes that read; 1: the deliverer itself
};

[[nodiscard]] const std::set<std::string>& SnapshotOptionNames();
// Leaves keys of others alone.
[[nodiscard]] core::Result<SnapshotOptions> ParseSnapshotOptions(const std::string& options_json);

}  // namespace bitvelocity::pipeline
