#include "pipeline/heartbeat.hpp"

#include "pipeline/topic.hpp"

namespace bitvelocity::pipeline {

Heartbeat::Heartbeat(std::int64_t milliseconds, const core::Source& source)
    : interval_(milliseconds), topic_(MakeStreamTopic(source, "heartbeat")) {
    value_.Raw("{\"stream\":");
    value_.String(source.stream);
    head_ = value_.size();
    key_ = std::string(value_.view()) + "}";
}

bool Heartbeat::Due() const {
    return interval_.count() != 0 && (!last_ || Clock::now() - *last_ >= interval_);
}

sink::OutgoingMessage Heartbeat::Message(core::Lsn lsn) {
    value_.Truncate(head_);
    value_.Raw(",\"ts_ms\":");
    value_.Number(std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count());
    value_.Raw(",\"lsn\":\"");
    value_.LsnText(lsn);
    value_.Raw("\"}");
    sink::OutgoingMessage message;
    message.destination = topic_;
    message.has_key = true;
    message.key = key_;
    message.value = value_.view();
    return message;
}

}  // namespace bitvelocity::pipeline
