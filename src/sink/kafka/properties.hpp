// Properties: which librdkafka properties a stream may be given, and where.
//
// Knows names only and includes nothing of librdkafka, so that create_stream can check its options
// in a backend that never loads the library. Any thread.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "core/secrets.hpp"
#include "core/status.hpp"

namespace bitvelocity::sink::kafka {

struct FixedProperty {
    const char* name;
    const char* value;
};

inline constexpr char kMessageTimeout[] = "message.timeout.ms";
inline constexpr char kGapless[] = "enable.gapless.guarantee";

// What the promise of a stream rests on: nothing lost, nothing reordered, one thread.
inline constexpr FixedProperty kFixedProperties[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    // An outage never fails a message: the stream waits and the WAL keeps what follows.
    {kMessageTimeout, "0"},
    // What is queued behind messages that a broker refuses is taken back: the next producer sends
    // all of it again, and nothing may stand before them in the topic.
    {kGapless, "true"},
    {"log.queue", "true"},
};

// Other names of fixed ones, and what would load code, start a transaction's or a consumer's
// protocol, reorder or hide delivery reports.
inline constexpr std::string_view kRefusedProperties[] = {
    "request.required.acks",      "delivery.timeout.ms",         "transactional.id",
    "plugin.library.paths",       "internal.termination.signal", "queuing.strategy",
    "delivery.report.only.error", "produce.offset.report",       "sasl.kerberos.kinit.cmd",
    "enable.metrics.push",
};

// 22023 for a property that no stream may be given, wherever it comes from.
[[nodiscard]] inline core::Status CheckProperty(std::string_view name) {
    const bool fixed =
        std::any_of(std::begin(kFixedProperties), std::end(kFixedProperties),
                    [&](const FixedProperty& property) { return name == property.name; });
    if (!fixed && std::find(std::begin(kRefusedProperties), std::end(kRefusedProperties), name) ==
                      std::end(kRefusedProperties)) {
        return core::Status::Ok();
    }
    return core::Status::Fail(
        core::kInvalidParameter,
        "Kafka property \"" + std::string(name) + "\" cannot be set for a stream",
        "Streams are idempotent, wait for all in-sync replicas and never time out.",
        "Remove the property.");
}

// Where messages go and with whose rights: only the connection file may say, which belongs to the
// server's administrator. `test.` replaces the broker by a mock that keeps nothing.
[[nodiscard]] inline bool BelongsToConnectionFile(std::string_view name) {
    static constexpr std::string_view kPrefixes[] = {
        "bootstrap.",       "metadata.broker.list", "security.",       "sasl.",  "ssl.",
        "enable.ssl.",      "enable.sasl.",         "broker.address.", "https.", "test.",
        "schema.registry.",
    };
    for (const std::string_view prefix : kPrefixes) {
        if (name.starts_with(prefix)) {
            return true;
        }
    }
    return core::IsSecretName(name);
}

}  // namespace bitvelocity::sink::kafka
