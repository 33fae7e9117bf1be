#include "worker/helper.hpp"

#include "worker/loop.hpp"
#include "worker/process.hpp"
#include "worker/signals.hpp"

#include "pg/boundary.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

constexpr int kMaxHelpers = 32;
constexpr std::int64_t kEndLimit = 5'000'000;

struct Started {
    BackgroundWorkerHandle* handle;
    bool ended;
};
// Of this process; plain data, for the exit callback.
Started started[kMaxHelpers];
bool exit_registered = false;

bool Gone(BackgroundWorkerHandle* handle) {
    pid_t pid = 0;
    return GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

void ForgetGone() {
    for (Started& helper : started) {
        if (helper.handle != nullptr && helper.ended && Gone(helper.handle)) {
            pfree(helper.handle);
            helper.handle = nullptr;
        }
    }
}

// Before the process leaves the registry and the array of processes.
void EndAll(int /*code*/, Datum /*argument*/) {
    for (Started& helper : started) {
        if (helper.handle != nullptr) {
            EndHelper(helper.handle);
        }
    }
    const std::int64_t limit = Now() + kEndLimit;
    for (const Started& helper : started) {
        while (helper.handle != nullptr && !Gone(helper.handle) && Now() < limit) {
            if ((WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_POSTMASTER_DEATH, 20,
                           PG_WAIT_EXTENSION) &
                 WL_POSTMASTER_DEATH) != 0) {
                return;
            }
            ResetLatch(MyLatch);
        }
    }
}

}  // namespace

BackgroundWorkerHandle* StartHelper(const HelperStart& start) {
    ForgetGone();
    Started* const free =
        std::find_if(std::begin(started), std::end(started),
                     [](const Started& helper) { return helper.handle == nullptr; });
    if (free == std::end(started)) {
        return nullptr;
    }
    if (!exit_registered) {
        pg::Call([]() { before_shmem_exit(EndAll, 0); });
        exit_registered = true;
    }
    BackgroundWorker worker = PrepareWorker(start.function);
    strlcpy(worker.bgw_type, start.type, sizeof(worker.bgw_type));
    pg_snprintf(worker.bgw_name, sizeof(worker.bgw_name), "%s: %s", start.type, start.name);
    worker.bgw_main_arg = UInt32GetDatum(start.argument);
    std::memcpy(worker.bgw_extra, start.extra,
                std::min(start.extra_size, sizeof(worker.bgw_extra)));
    BackgroundWorkerHandle* handle = nullptr;
    if (!RegisterWorker(worker, &handle)) {
        return nullptr;
    }
    *free = {handle, false};
    return handle;
}

void EndHelper(BackgroundWorkerHandle* handle) noexcept {
    for (Started& helper : started) {
        if (helper.handle == handle && !helper.ended) {
            TerminateBackgroundWorker(handle);
            helper.ended = true;
        }
    }
}

void BecomeHelper() {
    PrepareSignals();
    SetCancelOnStop(true);
}

}  // namespace bitvelocity::worker
