#include "worker/loop.hpp"

#include "worker/signals.hpp"

#include "pg/failpoint.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

volatile bool stop_requested = false;
// Set by the task runner: a stop also cancels the statement that runs.
volatile bool cancel_on_stop = false;

// One with a descriptor and one without: callers change between the two at every turn.
WaitEventSet* plain_wait_set = nullptr;
WaitEventSet* wait_set = nullptr;
int wait_set_fd = -1;

void OnTerminate(SIGNAL_ARGS) {
    const int saved = errno;
    (void)postgres_signal_arg;
    stop_requested = true;
    if (cancel_on_stop) {
        QueryCancelPending = true;
        InterruptPending = true;
    }
    SetLatch(MyLatch);
    errno = saved;
}

WaitEventSet* MakeWaitSet() {
    WaitEventSet* set = pg::compat::CreateSessionWaitSet(3);
    AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    return set;
}

WaitEventSet* WaitSetFor(int fd) {
    if (fd < 0) {
        if (plain_wait_set == nullptr) {
            plain_wait_set = MakeWaitSet();
        }
        return plain_wait_set;
    }
    if (wait_set_fd != fd) {
        ForgetDescriptor();
    }
    if (wait_set == nullptr) {
        wait_set = MakeWaitSet();
        AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, fd, nullptr, nullptr);
        wait_set_fd = fd;
    }
    return wait_set;
}

// What every wait ends with. Returns whether the configuration was reloaded.
bool ServeInterrupts() {
    if (QueryCancelPending && !IsTransactionState()) {
        QueryCancelPending = false;
    }
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
        pg::ReadFailpoint();
        return true;
    }
    return false;
}

}  // namespace

void PrepareSignals() {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, OnTerminate);
    pqsignal(SIGPIPE, SIG_IGN);
    BackgroundWorkerUnblockSignals();
}

bool StopRequested() {
    return stop_requested;
}

void SetCancelOnStop(bool cancel) {
    cancel_on_stop = cancel;
    if (cancel && stop_requested) {
        QueryCancelPending = true;
        InterruptPending = true;
    }
}

bool Wait(std::int64_t timeout_ms, int fd) {
    WaitEventSet* set = WaitSetFor(fd);
    WaitEvent event;
    const long timeout =
        timeout_ms < 0 ? -1 : static_cast<long>(std::min<std::int64_t>(timeout_ms, INT_MAX));
    WaitEventSetWait(set, timeout, &event, 1, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    return ServeInterrupts();
}

void Pause(std::int64_t milliseconds) {
    (void)WaitLatch(nullptr, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(milliseconds),
                    PG_WAIT_EXTENSION);
    (void)ServeInterrupts();
}

void ForgetDescriptor() {
    if (wait_set != nullptr) {
        FreeWaitEventSet(wait_set);
        wait_set = nullptr;
        wait_set_fd = -1;
    }
}

std::int64_t Now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace bitvelocity::worker
