// Batch: messages of one topic that are handed to librdkafka at once, in order.
//
// A call for every message takes two clocks, a lock of the topic and a copy of the value each; one
// for many takes the clocks and the lock once and leaves the values where they are. The first one
// is placed by the client's partitioner, which tells how many partitions there are; the others then
// name theirs, so that an order of keys changes its partitions at once or not. Messages with
// headers, or large enough that the client might refuse one alone, are not for a batch. Deliverer,
// main thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sink/kafka/partitions.hpp"
#include "sink/kafka/payloads.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::sink::kafka {

class Batch {
  public:
    static constexpr std::size_t kMessages = 64;
    // What the client refuses for good, one message of many; it was not sent.
    struct Refused {
        std::uint64_t tag = 0;
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    };

    // `message_max`: the client's message.max.bytes. `payloads` outlive the client.
    Batch(std::shared_ptr<Payloads> payloads, std::size_t message_max);

    [[nodiscard]] bool Takes(const OutgoingMessage& message) const;
    [[nodiscard]] bool empty() const { return first_ == count_; }
    [[nodiscard]] bool full() const { return count_ == kMessages; }
    // Copies it. Not when full.
    void Add(const OutgoingMessage& message);
    // RD_KAFKA_RESP_ERR_NO_ERROR: it is empty. Else why the first that is still here was not taken:
    // the queue is full, or the producer cannot go on. `partitions`: of the topic.
    rd_kafka_resp_err_t HandOver(rd_kafka_topic_t* topic, Partitions& partitions,
                                 std::vector<Refused>* refused);

    // What a message that is produced alone carries, for Reported.
    static void* Opaque(std::uint64_t tag);
    // The tag of a reported message, whose value is given up if it came from here.
    std::uint64_t Reported(const rd_kafka_message_t* message);

  private:
    void Produce(rd_kafka_topic_t* topic, Partitions& partitions);

    std::shared_ptr<Payloads> payloads_;
    std::size_t largest_;
    std::array<rd_kafka_message_t, kMessages> messages_{};
    std::array<const void*, kMessages> stored_{};
    std::size_t first_ = 0;  // before it are messages that were taken
    std::size_t count_ = 0;
};

}  // namespace bitvelocity::sink::kafka
