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

// SQLSTATE object_in_use: another process publishes as this stream.
inline constexpr std::string_view kTakenOver = "55006";

// kPending: not yet; serve Poll() and wake_fd(), then call again.
enum class Step : std::uint8_t { kDone, kPending };

class Transport {
  public:
    virtual ~Transport() = default;
    // Copies what it keeps. kFull: nothing was taken, wait on wake_fd() and Poll(), then send
    // again.
    virtual core::Result<SendResult> Send(const OutgoingMessage& message) = 0;
    // Delivers acknowledgements to the handler; never blocks.
    virtual core::Status Poll(AckHandler& handler) = 0;
    // Sends what is batched now; never blocks. Messages may have to wait for the answer to earlier
    // ones: asked again after every Poll, nothing is left behind.
    virtual void Flush() = 0;
    [[nodiscard]] virtual int wake_fd() const = 0;
    [[nodiscard]] virtual Health health() const = 0;

    // The rest is for a transport made with a transactional id. Each call waits a tenth of a second
    // at most. After an error the transport is of no further use: what it left undecided is decided
    // by the next one of the same id.

    // Before anything is sent: ends what an earlier transport of this id left undecided, shuts it
    // out for good, and reads the last committed progress (empty: none).
    virtual core::Result<Step> OpenTransactions(std::string* /*progress*/) {
        return NoTransactions();
    }
    // Makes everything sent since the last call visible at once, together with the new progress.
    // The next message begins a new transaction. kTakenOver: another transport has taken the id.
    virtual core::Result<Step> CommitTransaction(const std::string& /*progress*/) {
        return NoTransactions();
    }

  protected:
    static core::Status NoTransactions() {
        return core::Status::Fail(core::kFeatureNotSupported, "this broker has no transactions");
    }
};

struct TransportOptions {
    // name = value lines of the connection file and of the stream's options, secrets included;
    // never logged, never shown.
    std::vector<std::pair<std::string, std::string>> properties;
    std::string client_id;
    // Not empty: everything is sent in transactions under this id, which no two live transports
    // share; progress is kept under it as key in `progress_topic`.
    std::string transactional_id;
    std::string progress_topic;
    // Messages that are refused are the caller's to see to, and what is queued behind them is sent;
    // else nothing is sent behind them, and the transport is of no further use.
    bool outlives_failures = false;
};

// The one entry of a transport's shared object. On failure returns null and fills `error`.
using TransportFactory = Transport* (*)(const TransportOptions* options, core::Error* error);
inline constexpr char kKafkaFactory[] = "bitvelocity_kafka_transport";

}  // namespace bitvelocity::sink
