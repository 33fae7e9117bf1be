// StreamOptions: the options of a stream (one JSON object), taken apart for those who need them.
//
// Hides which key belongs to whom: shaping (topic, headers, connection), the encoder
// (`<format>.<name>`) or the broker's client (`kafka.<property>`). Errors are 22023 with the
// nearest known name in the HINT. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/change.hpp"
#include "core/status.hpp"
#include "pipeline/letter.hpp"
#include "pipeline/outbox.hpp"
#include "sink/connection_file.hpp"
#include "sink/registry/http.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

// In the order in which a message carries them.
enum class HeaderKind : std::uint8_t {
    kEventId,
    kIdentity,  // epoch:commit_lsn:xid:ordinal:part:source:stream, all of the identity in one
                // header
    kSource,
    kEpoch,
    kCommitLsn,
    kXid,
    kOrdinal,
    kPart,
    kOperation,
    kCorrelationId,
    kTraceparent,
};
inline constexpr std::size_t kHeaderKinds = 11;
[[nodiscard]] std::string_view HeaderName(HeaderKind kind);

// delivery = 'transactional': how Kafka transactions are cut.
struct TransactionOptions {
    bool enabled = false;
    std::uint64_t rows = 10'000;  // messages after which one ends, at a source transaction's end
    std::int64_t milliseconds = 100;   // or after this time; at once when nothing is waiting
    std::int64_t timeout_ms = 60'000;  // kafka.transaction.timeout.ms
    std::string progress_topic = "__bitvelocity_progress";
};

struct BrokerOptions {
    std::string connection{sink::kDefaultConnection};
    std::string topic = "{stream}.{schema}.{table}";
    std::vector<HeaderKind> headers;  // sorted
    TransactionOptions transactions;
    PoisonOptions poison;
    bool transaction_metadata = false;
    std::int64_t heartbeat_ms = 0;  // 0: none
    bool schema_changes = false;
    // Logical messages that are sent: names, or beginnings of names with "*" at the end.
    std::vector<std::string> messages;
    std::optional<OutboxOptions> outbox;
    // librdkafka's names, without the prefix.
    std::vector<std::pair<std::string, std::string>> properties;
};

// Options of a stream whose sink is a broker; what belongs to the encoder is left to it. The format
// decides which headers are there by default: those whose content its messages do not have.
[[nodiscard]] core::Result<BrokerOptions> ParseBrokerOptions(std::string_view format,
                                                             const std::string& options_json);

// The options on_error and dead_letter.topic, of any sink.
[[nodiscard]] core::Result<PoisonOptions> ParsePoisonOptions(std::string_view sink,
                                                             const std::string& options_json);

// linger_ms, of any sink: after a batch the stream takes up new changes at the earliest so many
// milliseconds later; 0 to 1000.
[[nodiscard]] core::Result<std::int64_t> ParseLinger(const std::string& options_json);

[[nodiscard]] bool MatchesMessage(std::span<const std::string> patterns, std::string_view prefix);
// Whether the parser has to hand out logical messages at all.
[[nodiscard]] bool WantsMessages(const BrokerOptions& options);

// A stream's own properties replace those of its connection.
[[nodiscard]] sink::TransportOptions MakeTransportOptions(
    const BrokerOptions& options, const core::Source& source,
    const sink::ConnectionProperties& connection);
// What of a connection is for the schema registry; the broker's client is not told.
[[nodiscard]] sink::registry::HttpOptions MakeRegistryOptions(
    const sink::ConnectionProperties& connection);

}  // namespace bitvelocity::pipeline
