#include "sink/kafka/configuration.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/secrets.hpp"
#include "sink/kafka/properties.hpp"

namespace bitvelocity::sink::kafka {

namespace {

struct Default {
    const char* name;
    const char* value;
};

// What a user may replace. Measured with messages of 400 bytes on one broker; see docs/kafka.md.
constexpr Default kDefaults[] = {
    {"compression.codec", "lz4"},
    // Full batches go by themselves, the rest when the stream pushes: see pusher.hpp.
    {"linger.ms", kPushedLingerMs},
    {"batch.num.messages", "10000"},
    // Keys go to the partitions that Java producers choose.
    {"partitioner", "murmur2_random"},
    // The client counts payloads only: both limits together bound its memory.
    {"queue.buffering.max.kbytes", "16384"},
    {"queue.buffering.max.messages", "50000"},
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "5000"},
    {"statistics.interval.ms", "5000"},
    {"log.connection.close", "false"},
};

// Only in newer versions of the library.
constexpr Default kOptional[] = {
    {"enable.metrics.push", "false"},
};

core::Status SetOne(rd_kafka_conf_t* conf, const std::string& name, const std::string& value,
                    const Redactor& redactor) {
    char text[512];
    switch (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof(text))) {
        case RD_KAFKA_CONF_OK:
            return core::Status::Ok();
        case RD_KAFKA_CONF_UNKNOWN:
            return core::Status::Fail(core::kInvalidParameter,
                                      "unknown Kafka property \"" + name + "\"", {},
                                      "The names are those of librdkafka's configuration.");
        default:
            break;
    }
    // The library's text repeats the value; in the connection file that may be a misplaced secret.
    return core::Status::Fail(
        core::kInvalidParameter, "invalid value for Kafka property \"" + name + "\"",
        BelongsToConnectionFile(name) ? std::string() : redactor.Clean(text) + ".");
}

}  // namespace

core::Result<ConfigurationPtr> MakeConfiguration(const TransportOptions& options,
                                                 const Redactor& redactor) {
    ConfigurationPtr conf(rd_kafka_conf_new());
    for (const Default& item : kDefaults) {
        BV_RETURN_IF_ERROR(SetOne(conf.get(), item.name, item.value, redactor));
    }
    for (const auto& [name, value] : options.properties) {
        BV_RETURN_IF_ERROR(CheckProperty(name));
        BV_RETURN_IF_ERROR(SetOne(conf.get(), name, value, redactor));
    }
    for (const FixedProperty& item : kFixedProperties) {
        // In transactions the client fails messages when the transaction's time is over, and every
        // failure fails the transaction.
        const std::string_view name = item.name;
        const bool transactional = !options.transactional_id.empty();
        if ((transactional && name == kMessageTimeout) ||
            (name == kGapless && (transactional || options.outlives_failures))) {
            continue;
        }
        BV_RETURN_IF_ERROR(SetOne(conf.get(), item.name, item.value, redactor));
    }
    if (!options.transactional_id.empty()) {
        BV_RETURN_IF_ERROR(
            SetOne(conf.get(), "transactional.id", options.transactional_id, redactor));
    }
    for (const Default& item : kOptional) {
        char text[64];
        (void)rd_kafka_conf_set(conf.get(), item.name, item.value, text, sizeof(text));
    }
    if (!options.client_id.empty() && Get(conf.get(), "client.id") == "rdkafka") {
        BV_RETURN_IF_ERROR(SetOne(conf.get(), "client.id", options.client_id, redactor));
    }
    if (Get(conf.get(), "bootstrap.servers").empty() &&
        Get(conf.get(), "test.mock.num.brokers") == "0") {
        return core::Status::Fail(core::kConfigFileError, "the connection names no Kafka broker",
                                  {}, "Add bootstrap.servers = host:port to the connection file.");
    }
    return conf;
}

std::string Get(const rd_kafka_conf_t* conf, const char* name) {
    size_t size = 0;
    if (rd_kafka_conf_get(conf, name, nullptr, &size) != RD_KAFKA_CONF_OK || size <= 1) {
        return {};
    }
    std::string value(size, '\0');
    if (rd_kafka_conf_get(conf, name, value.data(), &size) != RD_KAFKA_CONF_OK) {
        return {};
    }
    value.resize(size - 1);
    return value;
}

Redactor::Redactor(const TransportOptions& options) {
    for (const auto& [name, value] : options.properties) {
        if (core::IsSecretName(name) && !value.empty()) {
            secrets_.push_back(value);
        }
    }
    // The longest first: one secret may contain another.
    std::sort(secrets_.begin(), secrets_.end(),
              [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

std::string Redactor::Clean(std::string text) const {
    static constexpr std::string_view kMask = "********";
    for (const std::string& secret : secrets_) {
        for (std::size_t at = text.find(secret); at != std::string::npos;
             at = text.find(secret, at + kMask.size())) {
            text.replace(at, secret.size(), kMask);
        }
    }
    return text;
}

}  // namespace bitvelocity::sink::kafka
