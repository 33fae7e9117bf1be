// Loop: signals, latch and reload for every worker process of ours.
//
// SIGTERM sets a flag (never `die`: stopping is a protocol), SIGHUP re-reads the configuration at
// the next Wait, SIGUSR1 stays PostgreSQL's (barriers, latches), SIGPIPE is ignored. Main thread.
#pragma once

#include <cstdint>

namespace bitvelocity::worker {

// Installs the handlers, then unblocks signals. First thing in a worker's main.
void PrepareSignals();

[[nodiscard]] bool StopRequested();

// Waits for the latch, postmaster death (exits), a readable `fd` (-1: none) or the timeout (ms; -1:
// none); serves interrupts and barriers; reloads the configuration after SIGHUP. Returns whether
// the configuration was reloaded. May ereport (longjmp): inside pg::Call where destructors are
// alive. A query cancel outside a transaction has nothing to cancel and is ignored.
bool Wait(std::int64_t timeout_ms, int fd = -1);
// As Wait, but the latch wakes nobody, and who sets it pays for no signal: for work that is better
// done later in one go. A stop is seen afterwards, so keep it short.
void Pause(std::int64_t milliseconds);
// The wait set keeps `fd` between calls: call this before closing a descriptor given to Wait.
void ForgetDescriptor();

// Microseconds of a monotonic clock.
[[nodiscard]] std::int64_t Now();

}  // namespace bitvelocity::worker
