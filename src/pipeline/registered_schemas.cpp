#include "pipeline/registered_schemas.hpp"

#include <algorithm>
#include <chrono>

#include "core/backoff.hpp"

namespace bitvelocity::pipeline {

namespace {

using sink::registry::Answer;
using sink::registry::Verdict;

constexpr std::int64_t kFirstPauseUs = 200'000;
constexpr std::int64_t kLongestPauseUs = 10'000'000;
constexpr std::int64_t kSliceMs = 500;  // so that acknowledgements are served meanwhile

std::int64_t NowUs() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

std::string RegisteredSchemas::Subject(const format::avro::SchemaRequest& request) const {
    std::string record(request.record);
    switch (subject_) {
        case format::AvroSubject::kRecord:
            return record;
        case format::AvroSubject::kTopicRecord:
            return topic_ + "-" + record;
        case format::AvroSubject::kTopic:
            break;
    }
    return topic_ + (request.part == format::avro::SchemaPart::kKey ? "-key" : "-value");
}

core::Result<std::uint32_t> RegisteredSchemas::Find(const format::avro::SchemaRequest& request) {
    const std::string subject = Subject(request);
    const std::pair key(subject, std::string(request.schema));
    if (const auto found = ids_.find(key); found != ids_.end()) {
        return found->second;
    }
    const sink::registry::Request message =
        register_ ? sink::registry::RegisterSchema(subject, request.schema)
                  : sink::registry::LookUpSchema(subject, request.schema);
    // Never healthy: the pauses only grow until the answer is there.
    core::Backoff backoff(kFirstPauseUs, kLongestPauseUs, INT64_MAX);
    for (;;) {
        auto answer = Ask(message, subject);
        if (!answer.ok()) {
            return answer.TakeStatus();
        }
        if (answer->verdict == Verdict::kFound) {
            health_ = {};
            ids_[key] = answer->id;
            return answer->id;
        }
        if (answer->verdict == Verdict::kRefused) {
            health_ = {};
            return core::Status(answer->error);
        }
        health_.reachable = false;
        health_.last_error = answer->error.message;
        health_.hint =
            "A new schema waits for the registry; what is known flows on. " + answer->error.detail;
        BV_RETURN_IF_ERROR(Pause(backoff.Failed(NowUs())));
    }
}

core::Result<Answer> RegisteredSchemas::Ask(const sink::registry::Request& request,
                                            const std::string& subject) {
    const auto away = [](core::Error error) {
        Answer answer;
        answer.error = std::move(error);
        return answer;
    };
    if (core::Status started = client_->Start(request); !started.ok()) {
        return away(started.TakeError());
    }
    for (;;) {
        auto progress = client_->Poll();
        if (!progress.ok()) {
            return away(progress.error());
        }
        if (progress->done) {
            return sink::registry::ReadAnswer(progress->response, subject);
        }
        BV_RETURN_IF_ERROR(serve_());
        BV_RETURN_IF_ERROR(
            waiter_.Wait(client_->wake_fd(), std::min(client_->wait_ms(), kSliceMs)));
    }
}

core::Status RegisteredSchemas::Pause(std::int64_t until_us) {
    for (;;) {
        BV_RETURN_IF_ERROR(serve_());
        const std::int64_t left_ms = (until_us - NowUs()) / 1000;
        if (left_ms <= 0) {
            return core::Status::Ok();
        }
        BV_RETURN_IF_ERROR(waiter_.Wait(-1, std::min(left_ms, kSliceMs)));
    }
}

}  // namespace bitvelocity::pipeline
