// Client: owns one librdkafka producer or consumer, its event queue and its wake descriptor.
//
// Created after fork with every signal blocked, so that no thread of librdkafka, OpenSSL or SASL
// takes a signal meant for the process. Destruction never hangs: what is queued is purged, and a
// client that does not end within a second is abandoned. While a client lives (or is abandoned),
// exit() ends the process without running library destructors, because they would pull OpenSSL from
// under its threads. Deliverer, main thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/status.hpp"
#include "sink/kafka/configuration.hpp"
#include "sink/kafka/pusher.hpp"

namespace bitvelocity::sink::kafka {

class Client {
  public:
    static core::Result<std::unique_ptr<Client>> Create(rd_kafka_type_t type, ConfigurationPtr conf,
                                                        const Redactor& redactor);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    [[nodiscard]] rd_kafka_t* handle() const { return handle_; }
    [[nodiscard]] int wake_fd() const { return wake_fd_; }
    // Forgets earlier wake-ups; call before taking events, so that none is missed.
    void ClearWake();
    // The next event or null; the caller destroys it.
    [[nodiscard]] rd_kafka_event_t* NextEvent() { return rd_kafka_queue_poll(queue_, 0); }
    // Sends what was produced without waiting for full batches, unless the user asked for a linger.
    void Push() {
        if (pusher_ != nullptr) {
            pusher_->Push();
        }
    }

    // Memory that its threads may read until they have ended.
    void Keep(std::shared_ptr<void> memory) { kept_.push_back(std::move(memory)); }

  private:
    Client() = default;

    rd_kafka_t* handle_ = nullptr;
    rd_kafka_queue_t* queue_ = nullptr;
    std::unique_ptr<Pusher> pusher_;
    std::vector<std::shared_ptr<void>> kept_;
    int wake_fd_ = -1;
};

}  // namespace bitvelocity::sink::kafka
