// Heartbeat: messages that a stream sends while nothing changes (option heartbeat_interval).
//
// Says when one is due and what it says; sending is the sink's. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/change.hpp"
#include "core/lsn.hpp"
#include "format/json_writer.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

class Heartbeat {
  public:
    // 0 milliseconds: none.
    Heartbeat(std::int64_t milliseconds, const core::Source& source);

    [[nodiscard]] bool Due() const;
    void Sent() { last_ = Clock::now(); }
    // Everything before `lsn` was sent. Borrows until the next call.
    [[nodiscard]] sink::OutgoingMessage Message(core::Lsn lsn);

  private:
    using Clock = std::chrono::steady_clock;

    std::chrono::milliseconds interval_;
    std::string topic_;
    std::string key_;
    format::JsonWriter value_;
    std::size_t head_ = 0;  // bytes of the value that never change
    std::optional<Clock::time_point> last_;
};

}  // namespace bitvelocity::pipeline
