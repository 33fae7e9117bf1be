// Transport: (destination, key, value, headers) -> acknowledgement. One per broker product.
//
// Lives in a shared object of its own, reached through one C function, so that no ordinary backend
// maps a broker's client library. Owner: the deliverer, main thread; a transport may have threads
// inside, but calls back only from Poll(). Never calls PostgreSQL.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.hpp"
#include "sink/sink.hpp"

namespace bitvelocity::sink {

struct Header {
    std::string_view name;
    std::string_view value;
};

struct OutgoingMessage {
    std::string_view destination;  // topic
    bool has_key = false;
    std::string_view key;
    bool has_value = true;
    std::string_view value;
    std::span<const Header> headers;
    std::uint64_t tag = 0;  // handed back with the acknowledgement
};

class AckHandler {
  public:
    virtual ~AckHandler() = default;
    virtual void OnAck(std::uint64_t tag) = 0;
    // Permanent for this message (too large, ...): the transport will not retry it.
    virtual void OnFailure(std::uint64_t tag, const core::Error& error) = 0;
};

enum class SendResult : std::uint8_t { kQueued, kFull };

class Transport {
  public:
    virtual ~Transport() = default;
    // Copies what it keeps. kFull: nothing was taken, wait on wake_fd() and Poll(), then send
    // again.
    virtual core::Result<SendResult> Send(const OutgoingMessage& message) = 0;
    // Delivers acknowledgements to the handler; never blocks.
    virtual core::Status Poll(AckHandler& handler) = 0;
    // Sends what is batched now (linger 0); never blocks.
    virtual void Flush() = 0;
    [[nodiscard]] virtual int wake_fd() const = 0;
    [[nodiscard]] virtual Health health() const = 0;
};

struct TransportOptions {
    // name = value lines of the connection file and of the stream's options, secrets included;
    // never logged, never shown.
    std::vector<std::pair<std::string, std::string>> properties;
    std::string client_id;
};

// The one entry of a transport's shared object. On failure returns null and fills `error`.
using TransportFactory = Transport* (*)(const TransportOptions* options, core::Error* error);
inline constexpr char kKafkaFactory[] = "bitvelocity_kafka_transport";

}  // namespace bitvelocity::sink
