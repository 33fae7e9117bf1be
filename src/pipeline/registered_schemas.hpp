// RegisteredSchemas: schema ids out of a registry, for the topic that is being written.
//
// Hides subjects (TopicName: <topic>-key and -value; RecordName: the record; TopicRecordName:
// both), the cache and the waiting. A schema that was found once costs nothing more, so what is
// known flows on while the registry is away; a new one waits with growing pauses, health() tells
// why, and `serve` is called meanwhile. Deliverer, main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "format/avro/schema_ids.hpp"
#include "format/options.hpp"
#include "sink/registry/confluent.hpp"
#include "sink/sink.hpp"

namespace bitvelocity::pipeline {

class RegisteredSchemas final : public format::avro::SchemaIds {
  public:
    RegisteredSchemas(const format::AvroOptions& options,
                      std::unique_ptr<sink::registry::HttpClient> client, sink::Waiter& waiter,
                      std::function<core::Status()> serve)
        : subject_(options.subject),
          register_(options.auto_register),
          client_(std::move(client)),
          waiter_(waiter),
          serve_(std::move(serve)) {}

    void set_topic(std::string_view topic) { topic_ = topic; }
    // Errors of the waiter (57014: told to stop) come through; a refusal of the registry is
    // permanent and names the subject.
    core::Result<std::uint32_t> Find(const format::avro::SchemaRequest& request) override;
    [[nodiscard]] const sink::Health& health() const { return health_; }

  private:
    [[nodiscard]] std::string Subject(const format::avro::SchemaRequest& request) const;
    // One request to its end; kAway also where the registry could not be reached.
    core::Result<sink::registry::Answer> Ask(const sink::registry::Request& request,
                                             const std::string& subject);
    core::Status Pause(std::int64_t until_us);

    format::AvroSubject subject_;
    bool register_;
    std::unique_ptr<sink::registry::HttpClient> client_;
    sink::Waiter& waiter_;
    std::function<core::Status()> serve_;
    std::string topic_;
    std::map<std::pair<std::string, std::string>, std::uint32_t> ids_;  // by subject and schema
    sink::Health health_;
};

}  // namespace bitvelocity::pipeline
