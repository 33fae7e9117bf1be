#include "pipeline/stream_options.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>

#include <nlohmann/json.hpp>

#include "core/nearest.hpp"
#include "format/encoder.hpp"
#include "pipeline/guard_options.hpp"
#include "pipeline/message_sink.hpp"
#include "pipeline/snapshot_options.hpp"
#include "pipeline/table_shape.hpp"
#include "pipeline/topic.hpp"
#include "sink/kafka/properties.hpp"

namespace bitvelocity::pipeline {

namespace {

using nlohmann::json;

constexpr std::string_view kPropertyPrefix = "kafka.";
// Properties of a connection that are no business of the broker's client.
constexpr std::string_view kMaskPrefix = "mask.";
constexpr std::string_view kHeaderNames[kHeaderKinds] = {
    "event_id", "identity", "source",    "epoch",          "commit_lsn",  "xid",
    "ordinal",  "part",     "operation", "correlation_id", "traceparent",
};
constexpr const char* kOnError = "on_error";
constexpr const char* kLinger = "linger_ms";
constexpr std::int64_t kLongestLingerMs = 1000;
constexpr const char* kLetterTopic = "dead_letter.topic";
// Nobody looks at the clock more often while nothing happens.
constexpr std::int64_t kShortestHeartbeatMs = 1000;
// Every event can be told from all others: `event` says it in its metadata, where it costs a
// fraction of what a header does, CloudEvents in attributes of their own; the other formats have no
// place for it.
std::vector<HeaderKind> DefaultHeaders(std::string_view format) {
    if (format == "event" || format == "cloudevents") {
        return {};
    }
    return {HeaderKind::kIdentity, HeaderKind::kCorrelationId, HeaderKind::kTraceparent};
}

const std::set<std::string>& ShapingNames() {
    static const std::set<std::string> names{
        "connection",       "schema_changes", "heartbeat_interval",
        "messages",         "outbox",         "delivery",
        "headers",          "topic",          "progress_topic",
        "transaction_rows", "transaction_ms", "transaction_metadata"};
    return names;
}

bool IsForRegistry(std::string_view property) {
    return property.starts_with(sink::registry::kPropertyPrefix);
}

core::Status Invalid(std::string message, std::string hint = {}) {
    return core::Status::Fail(core::kInvalidParameter, std::move(message), {}, std::move(hint));
}

core::Result<json> ParseObject(const std::string& options_json) {
    json options = json::parse(options_json, nullptr, false);
    if (!options.is_object()) {
        return Invalid("options of a stream must be a JSON object");
    }
    return options;
}

core::Status ReadText(const std::string& name, const json& value, std::string& target) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
        return Invalid("option \"" + name + "\" must be a text that is not empty");
    }
    target = value.get<std::string>();
    return core::Status::Ok();
}

core::Status ReadSwitch(const std::string& name, const json& value, bool& target) {
    if (!value.is_boolean()) {
        return Invalid("option \"" + name + "\" must be true or false");
    }
    target = value.get<bool>();
    return core::Status::Ok();
}

core::Status ReadHeartbeat(const json& value, std::int64_t& milliseconds) {
    if (!value.is_number_integer() || (value != 0 && value < kShortestHeartbeatMs)) {
        return Invalid(
            "option \"heartbeat_interval\" must be a number of milliseconds, 0 or at least " +
            std::to_string(kShortestHeartbeatMs));
    }
    milliseconds = value.get<std::int64_t>();
    return core::Status::Ok();
}

core::Status ReadMessages(const json& value, std::vector<std::string>& messages) {
    if (value.is_boolean()) {
        messages = value.get<bool>() ? std::vector<std::string>{"*"} : std::vector<std::string>{};
        return core::Status::Ok();
    }
    if (!value.is_array()) {
        return Invalid("option \"messages\" must be true, false or a list of prefixes");
    }
    for (const json& item : value) {
        if (!item.is_string() || item.get_ref<const std::string&>().empty()) {
            return Invalid("option \"messages\" must be true, false or a list of prefixes");
        }
        messages.push_back(item.get<std::string>());
        if (messages.back().find('*') < messages.back().size() - 1) {
            return Invalid("prefix \"" + messages.back() + "\" in option \"messages\" has a \"*\"",
                           "Only at its end, where it stands for any characters.");
        }
        if (messages.back().starts_with("bitvelocity.")) {
            return Invalid("prefix \"" + messages.back() + "\" belongs to the extension");
        }
    }
    return core::Status::Ok();
}

core::Status ReadHeaders(const json& value, std::vector<HeaderKind>& headers) {
    if (value.is_boolean()) {
        headers.clear();
        for (std::size_t i = 0; value.get<bool>() && i < kHeaderKinds; ++i) {
            headers.push_back(static_cast<HeaderKind>(i));
        }
        return core::Status::Ok();
    }
    if (!value.is_array()) {
        return Invalid("option \"headers\" must be true, false or a list of names");
    }
    std::set<HeaderKind> chosen;
    for (const json& item : value) {
        const std::string name = item.is_string() ? item.get<std::string>() : item.dump();
        const auto* found = std::find(std::begin(kHeaderNames), std::end(kHeaderNames), name);
        if (found == std::end(kHeaderNames)) {
            const std::set<std::string> known(std::begin(kHeaderNames), std::end(kHeaderNames));
            return Invalid("unknown header \"" + name + "\"",
                           core::NearestHint(name, known, "headers"));
        }
        chosen.insert(static_cast<HeaderKind>(found - std::begin(kHeaderNames)));
    }
    headers.assign(chosen.begin(), chosen.end());
    return core::Status::Ok();
}

constexpr std::string_view kTransactionTimeout = "transaction.timeout.ms";

core::Status ReadDelivery(const json& value, TransactionOptions& transactions) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text != "transactional" && text != "at_least_once") {
        return Invalid("option \"delivery\" must be at_least_once or transactional");
    }
    transactions.enabled = text == "transactional";
    return core::Status::Ok();
}

core::Status ReadCount(const std::string& name, const json& value, std::int64_t& target) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > 10'000'000) {
        return Invalid("option \"" + name + "\" must be a number from 1 to 10000000");
    }
    target = value.get<std::int64_t>();
    return core::Status::Ok();
}

// What belongs to transactions alone; the rest is refused where there are none.
core::Status ReadTransactions(const json& object, BrokerOptions& options) {
    TransactionOptions& transactions = options.transactions;
    if (object.contains("delivery")) {
        BV_RETURN_IF_ERROR(ReadDelivery(object["delivery"], transactions));
    }
    for (const char* name : {"progress_topic", "transaction_rows", "transaction_ms"}) {
        if (object.contains(name) && !transactions.enabled) {
            return Invalid("option \"" + std::string(name) + "\" needs \"delivery\"",
                           "Add \"delivery\": \"transactional\".");
        }
    }
    if (object.contains("progress_topic")) {
        BV_RETURN_IF_ERROR(
            ReadText("progress_topic", object["progress_topic"], transactions.progress_topic));
    }
    if (object.contains("transaction_rows")) {
        std::int64_t rows = 0;
        BV_RETURN_IF_ERROR(ReadCount("transaction_rows", object["transaction_rows"], rows));
        transactions.rows = static_cast<std::uint64_t>(rows);
    }
    if (object.contains("transaction_ms")) {
        BV_RETURN_IF_ERROR(
            ReadCount("transaction_ms", object["transaction_ms"], transactions.milliseconds));
    }
    for (const auto& [name, value] : options.properties) {
        if (name == kTransactionTimeout) {
            transactions.timeout_ms = std::strtoll(value.c_str(), nullptr, 10);
            if (transactions.timeout_ms < 1000) {
                return Invalid("option \"kafka.transaction.timeout.ms\" must be at least 1000");
            }
        }
    }
    if (transactions.milliseconds * 4 > transactions.timeout_ms) {
        return Invalid(
            "option \"transaction_ms\" must be at most a quarter of "
            "kafka.transaction.timeout.ms");
    }
    return core::Status::Ok();
}

core::Status ReadOnError(const json& value, PoisonOptions& poison) {
    static const std::set<std::string> kNames{"dead_letter", "skip", "stop"};
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (!kNames.contains(text)) {
        return Invalid("unknown policy \"" + text + "\" in option \"on_error\"",
                       core::NearestHint(text, kNames, "policies"));
    }
    poison.on_error = text == "skip"   ? OnError::kSkip
                      : text == "stop" ? OnError::kStop
                                       : OnError::kDeadLetter;
    return core::Status::Ok();
}

core::Result<std::int64_t> ReadLinger(const json& object) {
    const auto found = object.find(kLinger);
    if (found == object.end()) {
        return 0;
    }
    if (!found->is_number_integer() || *found < 0 || *found > kLongestLingerMs) {
        return Invalid(
            "invalid value for option \"" + std::string(kLinger) + "\": " + found->dump(),
            "Milliseconds, from 0 to " + std::to_string(kLongestLingerMs) + ".");
    }
    return found->get<std::int64_t>();
}

core::Result<PoisonOptions> ReadPoison(std::string_view sink, const json& object) {
    PoisonOptions poison;
    if (object.contains(kOnError)) {
        BV_RETURN_IF_ERROR(ReadOnError(object[kOnError], poison));
    }
    if (object.contains(kLetterTopic)) {
        if (sink != "kafka") {
            return Invalid("option \"" + std::string(kLetterTopic) +
                               "\" does not apply to the sink \"" + std::string(sink) + "\"",
                           "Its letters are in the table bitvelocity.dead_letter.");
        }
        if (poison.on_error != OnError::kDeadLetter) {
            return Invalid("option \"" + std::string(kLetterTopic) + "\" needs \"on_error\"",
                           "Add \"on_error\": \"dead_letter\".");
        }
        BV_RETURN_IF_ERROR(ReadText(std::string(kLetterTopic), object[kLetterTopic], poison.topic));
        BV_RETURN_IF_ERROR(CheckLetterTopic(poison.topic));
    }
    if (poison.on_error != OnError::kStop && object.contains("delivery") &&
        object["delivery"] == "transactional") {
        return core::Status::Fail(
            core::kInvalidParameter,
            "option \"on_error\" does not go with the delivery \"transactional\"",
            "A message that the broker refuses undoes its whole Kafka transaction, and a letter or "
            "a skipped event cannot be part of one.",
            "Use \"on_error\": \"stop\", or \"delivery\": \"at_least_once\".");
    }
    return poison;
}

core::Status ReadProperty(const std::string& name, const json& value, BrokerOptions& options) {
    const std::string property = name.substr(kPropertyPrefix.size());
    if (sink::kafka::BelongsToConnectionFile(property)) {
        return Invalid(
            "option \"" + name + "\" cannot be given in SQL",
            "Write " + property + " = ... into the file that bitvelocity.connection_file names.");
    }
    BV_RETURN_IF_ERROR(sink::kafka::CheckProperty(property));
    if (property.empty() || value.is_structured() || value.is_null()) {
        return Invalid("option \"" + name + "\" must be a text, a number or a boolean");
    }
    options.properties.emplace_back(property,
                                    value.is_string() ? value.get<std::string>() : value.dump());
    return core::Status::Ok();
}

core::Result<BrokerOptions> Read(std::string_view format, const json& object) {
    BrokerOptions options;
    options.headers = DefaultHeaders(format);
    for (const auto& [name, value] : object.items()) {
        if (name == "connection") {
            BV_RETURN_IF_ERROR(ReadText(name, value, options.connection));
        } else if (name == "topic") {
            BV_RETURN_IF_ERROR(ReadText(name, value, options.topic));
            BV_RETURN_IF_ERROR(CheckTopicTemplate(options.topic));
        } else if (name == "headers") {
            BV_RETURN_IF_ERROR(ReadHeaders(value, options.headers));
        } else if (name == "transaction_metadata") {
            BV_RETURN_IF_ERROR(ReadSwitch(name, value, options.transaction_metadata));
        } else if (name == "heartbeat_interval") {
            BV_RETURN_IF_ERROR(ReadHeartbeat(value, options.heartbeat_ms));
        } else if (name == "schema_changes") {
            BV_RETURN_IF_ERROR(ReadSwitch(name, value, options.schema_changes));
        } else if (name == "messages") {
            BV_RETURN_IF_ERROR(ReadMessages(value, options.messages));
            if (format == "flat" && !options.messages.empty()) {
                return Invalid("option \"messages\" does not apply to the format \"flat\"",
                               "A logical message is no row; use another format, or an outbox.");
            }
        } else if (name == "outbox") {
            auto outbox = ParseOutbox(value);
            if (!outbox.ok()) {
                return outbox.TakeStatus();
            }
            options.outbox = std::move(*outbox);
        } else if (name.starts_with(kPropertyPrefix)) {
            BV_RETURN_IF_ERROR(ReadProperty(name, value, options));
        }
    }
    BV_RETURN_IF_ERROR(ReadTransactions(object, options));
    auto poison = ReadPoison("kafka", object);
    if (!poison.ok()) {
        return poison.TakeStatus();
    }
    options.poison = std::move(*poison);
    // What was sent before a restart in the middle of a transaction is not seen, so not counted.
    if (options.transactions.enabled && options.transaction_metadata) {
        return Invalid(
            "option \"transaction_metadata\" does not go with the delivery \"transactional\"");
    }
    // A heartbeat would open a transaction of the broker while nothing changes.
    if (options.transactions.enabled && options.heartbeat_ms != 0) {
        return Invalid(
            "option \"heartbeat_interval\" does not go with the delivery \"transactional\"");
    }
    return options;
}

}  // namespace

std::string_view HeaderName(HeaderKind kind) {
    return kHeaderNames[static_cast<std::size_t>(kind)];
}

core::Result<BrokerOptions> ParseBrokerOptions(std::string_view format,
                                               const std::string& options_json) {
    auto object = ParseObject(options_json);
    if (!object.ok()) {
        return object.TakeStatus();
    }
    return Read(format, *object);
}

core::Result<PoisonOptions> ParsePoisonOptions(std::string_view sink,
                                               const std::string& options_json) {
    auto object = ParseObject(options_json);
    if (!object.ok()) {
        return object.TakeStatus();
    }
    return ReadPoison(sink, *object);
}

core::Result<std::int64_t> ParseLinger(const std::string& options_json) {
    auto object = ParseObject(options_json);
    if (!object.ok()) {
        return object.TakeStatus();
    }
    return ReadLinger(*object);
}

sink::registry::HttpOptions MakeRegistryOptions(const sink::ConnectionProperties& connection) {
    sink::registry::HttpOptions result;
    std::copy_if(connection.begin(), connection.end(), std::back_inserter(result.properties),
                 [](const auto& property) { return IsForRegistry(property.first); });
    return result;
}

bool MatchesMessage(std::span<const std::string> patterns, std::string_view prefix) {
    return std::any_of(patterns.begin(), patterns.end(), [prefix](const std::string& pattern) {
        return pattern.ends_with('*')
                   ? prefix.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1))
                   : prefix == pattern;
    });
}

bool WantsMessages(const BrokerOptions& options) {
    return !options.messages.empty() || (options.outbox && !options.outbox->prefix.empty());
}

sink::TransportOptions MakeTransportOptions(const BrokerOptions& options,
                                            const core::Source& source,
                                            const sink::ConnectionProperties& connection) {
    sink::TransportOptions result;
    result.client_id = "bitvelocity";
    std::copy_if(connection.begin(), connection.end(), std::back_inserter(result.properties),
                 [](const auto& property) {
                     return !IsForRegistry(property.first) &&
                            !property.first.starts_with(kMaskPrefix);
                 });
    result.properties.insert(result.properties.end(), options.properties.begin(),
                             options.properties.end());
    result.outlives_failures = options.poison.on_error != OnError::kStop;
    if (options.transactions.enabled) {
        // The promoted standby of a server has its id, a copy that was given another one does not.
        result.transactional_id = "bitvelocity-" + std::to_string(source.system_identifier) + "-" +
                                  std::to_string(source.database_oid) + "-" + source.stream;
        result.progress_topic = options.transactions.progress_topic;
        result.properties.emplace_back(kTransactionTimeout,
                                       std::to_string(options.transactions.timeout_ms));
    }
    return result;
}

core::Status ValidateStreamOptions(const std::string& sink, const std::string& format,
                                   const std::string& options_json) {
    static const std::set<std::string> kSinks{"bronze", "kafka", "memory"};
    if (!kSinks.contains(sink)) {
        return Invalid("unknown sink \"" + sink + "\"", core::NearestHint(sink, kSinks, "sinks"));
    }
    auto object = ParseObject(options_json);
    if (!object.ok()) {
        return object.TakeStatus();
    }
    BV_RETURN_IF_ERROR(format::ValidateEncoderOptions(format, options_json));
    const bool broker = sink == "kafka";
    std::set<std::string> known = format::EncoderOptionNames(format);
    known.insert(GuardOptionNames().begin(), GuardOptionNames().end());
    known.insert(SnapshotOptionNames().begin(), SnapshotOptionNames().end());
    known.insert({"tables", kOnError, kLetterTopic, kLinger});
    if (broker) {
        known.insert(ShapingNames().begin(), ShapingNames().end());
    }
    auto guard = ParseGuardOptions(options_json);
    if (!guard.ok()) {
        return guard.TakeStatus();
    }
    auto snapshot = ParseSnapshotOptions(options_json);
    if (!snapshot.ok()) {
        return snapshot.TakeStatus();
    }
    auto linger = ReadLinger(*object);
    if (!linger.ok()) {
        return linger.TakeStatus();
    }
    for (const auto& [name, value] : object->items()) {
        if (known.contains(name) || (broker && name.starts_with(kPropertyPrefix))) {
            continue;
        }
        if (!broker && (ShapingNames().contains(name) || name.starts_with(kPropertyPrefix))) {
            return Invalid("option \"" + name + "\" does not apply to the sink \"" + sink + "\"",
                           "It belongs to the sink \"kafka\".");
        }
        std::string hint = core::NearestHint(name, known, "options");
        if (broker && core::NearestName(name, known).empty()) {
            hint += " Properties of the client library are written kafka.<name>.";
        }
        return Invalid("unknown option \"" + name + "\"", std::move(hint));
    }
    auto poison = ReadPoison(sink, *object);
    if (!poison.ok()) {
        return poison.TakeStatus();
    }
    auto shapes = ParseTableShapes(sink, options_json);
    if (!shapes.ok()) {
        return shapes.TakeStatus();
    }
    if (broker) {
        auto options = Read(format, *object);
        if (!options.ok()) {
            return options.TakeStatus();
        }
    }
    return core::Status::Ok();
}

}  // namespace bitvelocity::pipeline
