// Backoff: how long to wait before the next attempt.
//
// Doubles from `first` to `limit` with every failure; a run that lasted at least `healthy` resets
// it. Times are microseconds of any monotonic clock, given by the caller, so tests need no sleep.
#pragma once

#include <algorithm>
#include <cstdint>

namespace bitvelocity::core {

class Backoff {
  public:
    Backoff(std::int64_t first_us, std::int64_t limit_us, std::int64_t healthy_us)
        : first_us_(first_us), limit_us_(limit_us), healthy_us_(healthy_us) {}

    void Started(std::int64_t now_us) { started_us_ = now_us; }

    // Returns the time before which the next attempt must not start.
    std::int64_t Failed(std::int64_t now_us) {
        if (delay_us_ == 0 || now_us - started_us_ >= healthy_us_) {
            delay_us_ = first_us_;
        } else {
            delay_us_ = std::min(delay_us_ * 2, limit_us_);
        }
        return now_us + delay_us_;
    }

    void Reset() { delay_us_ = 0; }
    [[nodiscard]] std::int64_t delay_us() const { return delay_us_; }

  private:
    std::int64_t first_us_;
    std::int64_t limit_us_;
    std::int64_t healthy_us_;
    std::int64_t started_us_ = 0;
    std::int64_t delay_us_ = 0;
};

}  // namespace bitvelocity::core
