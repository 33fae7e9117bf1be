// Helper: a process that a process of a service starts for a part of its work.
//
// It never outlives its starter: the starter's exit, however it comes, ends its helpers and waits
// until they are gone (at most five seconds), before it leaves itself. So helpers are in nobody's
// registry: whoever waits for the starter (the scheduler, DROP DATABASE, a shutdown) has waited for
// them. A helper ends at SIGTERM, also in the middle of a statement. Main thread.
#pragma once

#include <cstddef>
#include <cstdint>

struct BackgroundWorkerHandle;

namespace bitvelocity::worker {

struct HelperStart {
    const char* function = nullptr;  // exported, bitvelocity_*; calls BecomeHelper() first
    const char* type = nullptr;      // for pg_stat_activity
    const char* name = nullptr;
    std::uint32_t argument = 0;   // of its main
    const void* extra = nullptr;  // bytes of MyBgworkerEntry->bgw_extra
    std::size_t extra_size = 0;
};

// Null: no background worker slot is free, or too many helpers are ending. The handle is valid
// until EndHelper.
[[nodiscard]] BackgroundWorkerHandle* StartHelper(const HelperStart& start);
// Tells it to go; does not wait.
void EndHelper(BackgroundWorkerHandle* handle) noexcept;

// In the helper: signals; a stop also cancels the statement that runs.
void BecomeHelper();

}  // namespace bitvelocity::worker
