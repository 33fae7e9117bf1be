// Transactions: the Kafka transactions of one producer, each ended together with a progress record.
//
// Follows the client library's rule for errors: what may be retried is asked again, anything else
// ends the transport. A transaction whose end is unknown is never touched again by this producer:
// its successor's OpenTransactions decides it under a new epoch (the library speaks the protocol
// before KIP-890, where a late commit or abort could hit the next transaction). Deliverer, main
// thread; every call waits a tenth of a second at most.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/status.hpp"
#include "sink/kafka/client.hpp"
#include "sink/kafka/configuration.hpp"
#include "sink/kafka/progress_topic.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::sink::kafka {

class Transactions {
  public:
    Transactions(const TransportOptions& options, rd_kafka_t* producer, const Redactor& redactor);

    core::Result<Step> Open(std::string* progress);
    // Before a message is produced.
    core::Status BeginIfNeeded();
    // Every message produced before has its report. First call: produces the record.
    core::Result<Step> Commit(const std::string& progress);
    // Whether a report is the progress record's, and what it says.
    static bool IsProgress(const rd_kafka_message_t* message) {
        return message->_private == ProgressOpaque();
    }
    void OnProgressReport(rd_kafka_resp_err_t code);

    // A fatal error of the producer is another producer with the same id, and not a transaction
    // that the coordinator has given up after its time.
    [[nodiscard]] bool Fenced(rd_kafka_resp_err_t fatal_code) const;
    [[nodiscard]] core::Status FencedError(const std::string& detail) const;

  private:
    enum class State : std::uint8_t { kNew, kReading, kReady, kOpen, kEnding };

    // No message has this tag.
    static void* ProgressOpaque() {
        return reinterpret_cast<void*>(~std::uintptr_t{0});  // NOLINT(performance-no-int-to-ptr)
    }
    core::Status ProduceProgress(const std::string& progress);
    core::Result<Step> Judge(rd_kafka_error_t* error, const char* what);

    TransportOptions options_;
    rd_kafka_t* producer_;
    const Redactor& redactor_;
    std::unique_ptr<ProgressTopic> topic_;
    std::chrono::milliseconds timeout_{60'000};  // transaction.timeout.ms
    std::chrono::steady_clock::time_point began_;
    State state_ = State::kNew;
    bool progress_reported_ = false;
    rd_kafka_resp_err_t progress_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
};

}  // namespace bitvelocity::sink::kafka
