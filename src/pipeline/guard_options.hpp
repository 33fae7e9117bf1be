// GuardOptions: how much WAL a stream may retain, and what happens beyond it.
//
// Keys: wal_limit (text with unit, "10GB", or a number of bytes), wal_policy (warn, throttle,
// drop_slot), catalog_xmin_limit (transactions). Errors are 22023 with a HINT. Pure; any thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "core/status.hpp"

namespace bitvelocity::pipeline {

enum class WalPolicy : std::uint8_t {
    kWarn,
    kThrottle,  // existing rows wait until less is retained
    kDropSlot,  // the slot is given up: the stream needs a resync
};

// Where no limit is given: so much, or a quarter of the free space if that is less.
inline constexpr std::uint64_t kDefaultWalLimit = 10ULL << 30;

struct GuardOptions {
    std::uint64_t wal_limit = 0;  // bytes; 0: the default
    WalPolicy policy = WalPolicy::kWarn;
    std::uint64_t catalog_xmin_limit = 200'000'000;
};

[[nodiscard]] const std::set<std::string>& GuardOptionNames();
// Leaves keys of others alone.
[[nodiscard]] core::Result<GuardOptions> ParseGuardOptions(const std::string& options_json);

// The limit that holds, in bytes.
[[nodiscard]] std::uint64_t EffectiveWalLimit(const GuardOptions& options,
                                              std::uint64_t free_bytes);

}  // namespace bitvelocity::pipeline
