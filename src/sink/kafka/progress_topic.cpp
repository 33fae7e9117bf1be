#include "sink/kafka/progress_topic.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "sink/kafka/errors.hpp"

namespace bitvelocity::sink::kafka {

namespace {

constexpr int kSliceMs = 100;
constexpr int kAdminMs = 10'000;

constexpr std::array<std::pair<const char*, const char*>, 4> kTopicSettings{{
    {"cleanup.policy", "compact"},
    // A record is read at every start, so what is superseded goes soon.
    {"segment.bytes", "8388608"},
    {"min.cleanable.dirty.ratio", "0.1"},
    {"max.compaction.lag.ms", "3600000"},
}};

// What passes by itself: the client asks again.
bool Passes(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__WAIT_CACHE ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
}

}  // namespace

ProgressTopic::ProgressTopic(const TransportOptions& options, rd_kafka_t* producer,
                             const Redactor& redactor)
    : options_(options), producer_(producer), redactor_(redactor) {}

ProgressTopic::~ProgressTopic() {
    if (topic_ != nullptr) {
        (void)rd_kafka_consume_stop(topic_, 0);
        rd_kafka_topic_destroy(topic_);
    }
    if (replies_ != nullptr) {
        rd_kafka_queue_destroy(replies_);
    }
}

core::Result<Step> ProgressTopic::Read(std::string* progress) {
    switch (phase_) {
        case Phase::kCreate:
            return Create();
        case Phase::kFindEnd:
            return FindEnd();
        case Phase::kConsume:
            return Consume(progress);
        case Phase::kDone:
            break;
    }
    return Step::kDone;
}

// It may be there already, or be made by the broker when it is asked about; whether it is there is
// seen by the next step.
core::Result<Step> ProgressTopic::Create() {
    if (replies_ == nullptr) {
        char text[256];
        rd_kafka_NewTopic_t* topic =
            rd_kafka_NewTopic_new(options_.progress_topic.c_str(), 1, -1, text, sizeof(text));
        if (topic == nullptr) {
            return core::Status::Fail(core::kInvalidParameter, "invalid topic for progress",
                                      std::string(text) + ".");
        }
        for (const auto& [name, value] : kTopicSettings) {
            (void)rd_kafka_NewTopic_set_config(topic, name, value);
        }
        rd_kafka_AdminOptions_t* options =
            rd_kafka_AdminOptions_new(producer_, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        (void)rd_kafka_AdminOptions_set_request_timeout(options, kAdminMs, text, sizeof(text));
        replies_ = rd_kafka_queue_new(producer_);
        rd_kafka_CreateTopics(producer_, &topic, 1, options, replies_);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_NewTopic_destroy(topic);
    }
    rd_kafka_event_t* reply = rd_kafka_queue_poll(replies_, kSliceMs);
    if (reply != nullptr) {
        rd_kafka_event_destroy(reply);
        phase_ = Phase::kFindEnd;
    }
    return Step::kPending;
}

core::Result<Step> ProgressTopic::FindEnd() {
    std::int64_t first = 0;
    const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        producer_, options_.progress_topic.c_str(), 0, &first, &end_, kSliceMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (first >= end_) {
            phase_ = Phase::kDone;
            return Step::kDone;
        }
        return OpenConsumer();
    }
    return Passes(code) ? core::Result<Step>(Step::kPending) : Failed(code, {});
}

core::Result<Step> ProgressTopic::OpenConsumer() {
    TransportOptions options = options_;
    options.transactional_id.clear();
    auto conf = MakeConfiguration(options, redactor_);
    if (!conf.ok()) {
        return conf.TakeStatus();
    }
    char text[512];
    for (const auto& [name, value] :
         {std::pair{"isolation.level", "read_committed"}, std::pair{"enable.partition.eof", "true"},
          std::pair{"auto.offset.reset", "earliest"}}) {
        (void)rd_kafka_conf_set(conf->get(), name, value, text, sizeof(text));
    }
    auto consumer = Client::Create(RD_KAFKA_CONSUMER, std::move(*conf), redactor_);
    if (!consumer.ok()) {
        return consumer.TakeStatus();
    }
    consumer_ = std::move(*consumer);
    topic_ = rd_kafka_topic_new(consumer_->handle(), options_.progress_topic.c_str(), nullptr);
    if (topic_ == nullptr || rd_kafka_consume_start(topic_, 0, RD_KAFKA_OFFSET_BEGINNING) != 0) {
        return Failed(rd_kafka_last_error(), {});
    }
    phase_ = Phase::kConsume;
    return Step::kPending;
}

core::Result<Step> ProgressTopic::Consume(std::string* progress) {
    for (;;) {
        rd_kafka_message_t* message = rd_kafka_consume(topic_, 0, kSliceMs);
        if (message == nullptr) {
            return Step::kPending;
        }
        const rd_kafka_resp_err_t code = message->err;
        const std::int64_t offset = message->offset;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && message->key != nullptr &&
            std::string_view(static_cast<const char*>(message->key), message->key_len) ==
                options_.transactional_id) {
            progress->assign(static_cast<const char*>(message->payload), message->len);
        }
        const std::string detail = code != RD_KAFKA_RESP_ERR_NO_ERROR &&
                                           code != RD_KAFKA_RESP_ERR__PARTITION_EOF &&
                                           message->payload != nullptr
                                       ? rd_kafka_message_errstr(message)
                                       : "";
        rd_kafka_message_destroy(message);
        if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            if (offset >= end_) {
                phase_ = Phase::kDone;
                return Step::kDone;
            }
        } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !Passes(code)) {
            return Failed(code, detail);
        }
    }
}

core::Status ProgressTopic::Failed(rd_kafka_resp_err_t code, const std::string& detail) const {
    core::Error error = MessageError(code, {options_.progress_topic, {}, 0});
    error.message =
        "cannot read the progress of the stream from topic \"" + options_.progress_topic + "\"";
    error.detail = redactor_.Clean(detail.empty() ? std::string(rd_kafka_err2str(code)) : detail) +
                   " (" + rd_kafka_err2name(code) + ").";
    if (error.hint.empty()) {
        error.hint = "Allow the connection's principal to DESCRIBE, READ and WRITE the topic.";
    }
    return core::Status(std::move(error));
}

}  // namespace bitvelocity::sink::kafka
