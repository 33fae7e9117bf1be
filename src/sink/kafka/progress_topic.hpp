// ProgressTopic: the compacted topic in which every transactional stream keeps how far it got.
//
// One partition, one key a stream; a record is written in the same Kafka transaction as what it
// speaks of. Reading goes to the end of the log as it was after the earlier producer of the stream
// was shut out: an undecided transaction of another stream may hold the stable end back, and
// stopping there would take an old record for the last. Deliverer, main thread; every call waits a
// tenth of a second at most.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/status.hpp"
#include "sink/kafka/configuration.hpp"
#include "sink/kafka/client.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::sink::kafka {

class ProgressTopic {
  public:
    ProgressTopic(const TransportOptions& options, rd_kafka_t* producer, const Redactor& redactor);
    ~ProgressTopic();
    ProgressTopic(const ProgressTopic&) = delete;
    ProgressTopic& operator=(const ProgressTopic&) = delete;

    // Makes the topic where it is missing and reads the last record of the stream.
    core::Result<Step> Read(std::string* progress);

  private:
    core::Result<Step> Create();
    core::Result<Step> FindEnd();
    core::Result<Step> OpenConsumer();
    core::Result<Step> Consume(std::string* progress);
    [[nodiscard]] core::Status Failed(rd_kafka_resp_err_t code, const std::string& detail) const;

    enum class Phase : std::uint8_t { kCreate, kFindEnd, kConsume, kDone };

    TransportOptions options_;
    rd_kafka_t* producer_;
    const Redactor& redactor_;
    Phase phase_ = Phase::kCreate;
    rd_kafka_queue_t* replies_ = nullptr;
    std::unique_ptr<Client> consumer_;
    rd_kafka_topic_t* topic_ = nullptr;
    std::int64_t end_ = 0;
};

}  // namespace bitvelocity::sink::kafka
