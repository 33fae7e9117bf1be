// Errors: what librdkafka's error codes mean for a stream.
//
// Deliverer, main thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "core/status.hpp"

namespace bitvelocity::sink::kafka {

// What an operator needs to find the message.
struct FailedMessage {
    std::string_view topic;
    std::string_view key;
    std::size_t bytes = 0;  // of the value
};

// Of one message that was not delivered and will not be retried by the library.
[[nodiscard]] core::Error MessageError(rd_kafka_resp_err_t code, const FailedMessage& message);

// The broker could not be reached or did not let the client in, rather than refused a request.
[[nodiscard]] bool IsConnectionError(rd_kafka_resp_err_t code);

// The library's text without what changes with every attempt (how long, how often), so that one
// trouble is one text.
[[nodiscard]] std::string StableText(std::string text);

// What an operator can do about an error of a connection; empty where there is nothing to say.
[[nodiscard]] std::string ConnectionHint(rd_kafka_resp_err_t code);

}  // namespace bitvelocity::sink::kafka
