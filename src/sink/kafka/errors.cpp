#include "sink/kafka/errors.hpp"

#include <utility>

namespace bitvelocity::sink::kafka {

namespace {

constexpr std::size_t kShownKeyBytes = 200;

struct Meaning {
    std::string_view sqlstate;
    std::string hint;
    bool poison = false;
};

Meaning Classify(rd_kafka_resp_err_t code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return {core::kProgramLimitExceeded,
                    "Raise max.message.bytes of the topic and the stream's option "
                    "kafka.message.max.bytes, or keep kafka.batch.size below the topic's limit.",
                    true};
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return {core::kInsufficientPrivilege,
                    "Allow the connection's principal to DESCRIBE and WRITE the topic, and to "
                    "CREATE it where the broker creates topics."};
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return {core::kObjectNotInPrerequisiteState,
                    "Create the topic, or allow the broker to create topics."};
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        case RD_KAFKA_RESP_ERR__INVALID_ARG:
            return {core::kInvalidParameter, "Check the stream's option topic."};
        case RD_KAFKA_RESP_ERR_INVALID_RECORD:
            return {core::kObjectNotInPrerequisiteState,
                    "The broker refuses such messages; compacted topics need a key.", true};
        case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        case RD_KAFKA_RESP_ERR_INVALID_MSG:
        case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
            return {core::kObjectNotInPrerequisiteState,
                    "The broker refuses such messages; compacted topics need a key."};
        default:
            return {core::kConnectionFailure, {}};
    }
}

}  // namespace

core::Error MessageError(rd_kafka_resp_err_t code, const FailedMessage& message) {
    Meaning meaning = Classify(code);
    core::Error error;
    error.sqlstate = meaning.sqlstate;
    error.message =
        "Kafka did not accept a message for topic \"" + std::string(message.topic) + "\"";
    error.detail = std::string(rd_kafka_err2str(code)) + " (" + rd_kafka_err2name(code) +
                   "): " + std::to_string(message.bytes) + " bytes";
    if (!message.key.empty()) {
        error.detail += ", key " + std::string(message.key.substr(0, kShownKeyBytes));
        error.detail += message.key.size() > kShownKeyBytes ? "..." : "";
    }
    error.detail += '.';
    error.hint = std::move(meaning.hint);
    error.poison = meaning.poison;
    return error;
}

bool IsConnectionError(rd_kafka_resp_err_t code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        case RD_KAFKA_RESP_ERR__SSL:
            return true;
        default:
            return false;
    }
}

std::string StableText(std::string text) {
    // "...: Connection refused (after 0ms in state CONNECT, 3 identical error(s) suppressed)"
    if (const std::size_t at = text.rfind(" (after "); at != std::string::npos) {
        text.resize(at);
    }
    return text;
}

std::string ConnectionHint(rd_kafka_resp_err_t code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__RESOLVE:
            return "Check that the broker runs and that bootstrap.servers in the connection file "
                   "names it; the stream goes on by itself.";
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            return "Check security.protocol and the sasl settings in the connection file.";
        case RD_KAFKA_RESP_ERR__SSL:
            return "Check the ssl settings in the connection file and the certificates' dates.";
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return "Allow the connection's principal IDEMPOTENT_WRITE on the cluster.";
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return "Allow the connection's principal to DESCRIBE and WRITE the topic.";
        default:
            return {};
    }
}

}  // namespace bitvelocity::sink::kafka
