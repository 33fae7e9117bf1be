// BlockedSignals: while it lives, threads that are started take no signal meant for the process.
//
// For libraries that start threads of their own. Any thread.
#pragma once

#include <csignal>

#include <pthread.h>

namespace bitvelocity::sink {

class BlockedSignals {
  public:
    BlockedSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &saved_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

  private:
    sigset_t saved_;
};

}  // namespace bitvelocity::sink
