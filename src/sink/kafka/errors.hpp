// Errors: what librdkafka's error codes mean for a stream.
//
// Deliverer, main thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include "core/status.hpp"

namespace bitvelocity::sink::kafka {

// Of one message that was not delivered and will not be retried by the library.
[[nodiscard]] core::Error MessageError(rd_kafka_resp_err_t code, std::string_view topic);

// What an operator can do about an error of a connection; empty where there is nothing to say.
[[nodiscard]] std::string ConnectionHint(rd_kafka_resp_err_t code);

}  // namespace bitvelocity::sink::kafka
