// The Kafka transport: messages to librdkafka, its events to acknowledgements.
//
// The only entry of bitvelocity_kafka.so is bitvelocity_kafka_transport (sink/transport.hpp).
// Idempotent and acknowledged by all in-sync replicas: in order per partition, nothing lost while
// the process lives. Deliverer, main thread; librdkafka's own threads never call into this file.

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/status.hpp"
#include "sink/kafka/batch.hpp"
#include "sink/kafka/client.hpp"
#include "sink/kafka/configuration.hpp"
#include "sink/kafka/errors.hpp"
#include "sink/kafka/transactions.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::sink::kafka {

namespace {

struct TopicDeleter {
    void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using TopicPtr = std::unique_ptr<rd_kafka_topic_t, TopicDeleter>;

struct TopicConfDeleter {
    void operator()(rd_kafka_topic_conf_t* conf) const { rd_kafka_topic_conf_destroy(conf); }
};

struct Topic {
    TopicPtr handle;
    std::shared_ptr<Partitions> partitions;  // kept by the client as well
};

struct EventDeleter {
    void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using EventPtr = std::unique_ptr<rd_kafka_event_t, EventDeleter>;

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>()(text);
    }
};

class KafkaTransport final : public Transport {
  public:
    KafkaTransport(const TransportOptions& options, Redactor redactor,
                   std::unique_ptr<Client> producer)
        : redactor_(std::move(redactor)),
          producer_(std::move(producer)),
          batch_(KeptPayloads(), MessageMax()) {
        if (!options.transactional_id.empty()) {
            transactions_ = std::make_unique<Transactions>(options, producer_->handle(), redactor_);
        }
    }

    core::Result<SendResult> Send(const OutgoingMessage& message) override;
    core::Status Poll(AckHandler& handler) override;
    void Flush() override;
    [[nodiscard]] int wake_fd() const override { return producer_->wake_fd(); }
    [[nodiscard]] Health health() const override { return health_; }
    core::Result<Step> OpenTransactions(std::string* progress) override;
    core::Result<Step> CommitTransaction(const std::string& progress) override;

  private:
    std::shared_ptr<Payloads> KeptPayloads();
    [[nodiscard]] std::size_t MessageMax() const;
    core::Result<const Topic*> Find(std::string_view name);
    core::Result<SendResult> SendAlone(const OutgoingMessage& message);
    // kQueued: nothing waits in the batch.
    core::Result<SendResult> HandOver();
    core::Result<SendResult> MeetFatal();
    rd_kafka_resp_err_t Produce(rd_kafka_topic_t* topic, const OutgoingMessage& message);
    void OnReports(rd_kafka_event_t* event, AckHandler& handler);
    core::Status OnError(rd_kafka_event_t* event);
    core::Status FatalError();
    [[nodiscard]] bool StoppedBehindAFailure() const;
    void ClearHealth();

    Redactor redactor_;
    std::unique_ptr<Client> producer_;
    Batch batch_;  // of last_topic_
    using Failures = std::vector<std::pair<std::uint64_t, core::Error>>;
    static void Tell(Failures& failures, AckHandler& handler);
    Failures refused_;     // not taken from the batch
    Failures taken_back_;  // queued behind a failure that is not reported yet
    bool cause_told_ = false;
    // Destroyed before the producer, as librdkafka demands.
    std::unordered_map<std::string, Topic, TextHash, std::equal_to<>> topics_;
    std::unique_ptr<Transactions> transactions_;  // null: every message for itself
    std::uint64_t unreported_ = 0;                // messages without their delivery report
    const Topic* last_topic_ = nullptr;
    std::string last_topic_name_;
    Health health_;
    rd_kafka_resp_err_t repeated_code_ = RD_KAFKA_RESP_ERR_NO_ERROR;  // of last_error, once settled
    bool connection_error_ = false;  // health_ is about reaching a broker, not about rights
};

// The client reads them until it has ended, which may be after this object has.
std::shared_ptr<Payloads> KafkaTransport::KeptPayloads() {
    auto payloads = std::make_shared<Payloads>();
    producer_->Keep(payloads);
    return payloads;
}

std::size_t KafkaTransport::MessageMax() const {
    return std::strtoul(Get(rd_kafka_conf(producer_->handle()), "message.max.bytes").c_str(),
                        nullptr, 10);
}

core::Result<SendResult> KafkaTransport::Send(const OutgoingMessage& message) {
    const bool other_topic = last_topic_ == nullptr || message.destination != last_topic_name_;
    const bool alone = !batch_.Takes(message);
    if (other_topic || alone || batch_.full()) {
        auto handed = HandOver();
        if (!handed.ok() || *handed == SendResult::kFull) {
            return handed;
        }
    }
    if (other_topic) {
        auto topic = Find(message.destination);
        if (!topic.ok()) {
            return topic.TakeStatus();
        }
        last_topic_ = *topic;
        last_topic_name_ = message.destination;
    }
    if (transactions_ != nullptr) {
        BV_RETURN_IF_ERROR(transactions_->BeginIfNeeded());
    }
    if (alone) {
        return SendAlone(message);
    }
    batch_.Add(message);
    ++unreported_;
    return SendResult::kQueued;
}

core::Result<SendResult> KafkaTransport::HandOver() {
    if (batch_.empty()) {
        return SendResult::kQueued;
    }
    std::vector<Batch::Refused> refused;
    const rd_kafka_resp_err_t code =
        batch_.HandOver(last_topic_->handle.get(), *last_topic_->partitions, &refused);
    for (const Batch::Refused& message : refused) {
        refused_.emplace_back(message.tag, MessageError(message.code, {last_topic_name_, {}, 0}));
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        return MeetFatal();
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? SendResult::kQueued : SendResult::kFull;
}

// Behind a failure Poll() will say which message failed and why.
core::Result<SendResult> KafkaTransport::MeetFatal() {
    return StoppedBehindAFailure() ? core::Result<SendResult>(SendResult::kFull) : FatalError();
}

core::Result<SendResult> KafkaTransport::SendAlone(const OutgoingMessage& message) {
    switch (const rd_kafka_resp_err_t code = Produce(last_topic_->handle.get(), message)) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            ++unreported_;
            return SendResult::kQueued;
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return SendResult::kFull;
        case RD_KAFKA_RESP_ERR__FATAL:
            return MeetFatal();
        default:
            return core::Status(
                MessageError(code, {message.destination, message.key, message.value.size()}));
    }
}

rd_kafka_resp_err_t KafkaTransport::Produce(rd_kafka_topic_t* topic,
                                            const OutgoingMessage& message) {
    // librdkafka tells an empty key or value from an absent one by the pointer alone.
    static constexpr char kEmpty[] = "";
    const auto pointer = [](bool present, std::string_view text) -> void* {
        if (!present) {
            return nullptr;
        }
        return const_cast<char*>(text.empty() ? kEmpty : text.data());
    };
    void* key = pointer(message.has_key, message.key);
    void* value = pointer(message.has_value, message.value);
    const std::size_t key_size = message.has_key ? message.key.size() : 0;
    const std::size_t value_size = message.has_value ? message.value.size() : 0;
    void* opaque = Batch::Opaque(message.tag);

    if (message.headers.empty()) {
        if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, value_size,
                             key, key_size, opaque) == 0) {
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
        return rd_kafka_last_error();
    }

    rd_kafka_headers_t* headers = rd_kafka_headers_new(message.headers.size());
    for (const Header& header : message.headers) {
        rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                            header.value.data(), static_cast<ssize_t>(header.value.size()));
    }
    rd_kafka_vu_t arguments[6];
    arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
    arguments[0].u.rkt = topic;
    arguments[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    arguments[1].u.i = RD_KAFKA_MSG_F_COPY;
    arguments[2].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[2].u.mem.ptr = value;
    arguments[2].u.mem.size = value_size;
    arguments[3].vtype = RD_KAFKA_VTYPE_KEY;
    arguments[3].u.mem.ptr = key;
    arguments[3].u.mem.size = key_size;
    arguments[4].vtype = RD_KAFKA_VTYPE_OPAQUE;
    arguments[4].u.ptr = opaque;
    arguments[5].vtype = RD_KAFKA_VTYPE_HEADERS;
    arguments[5].u.headers = headers;
    rd_kafka_error_t* error =
        rd_kafka_produceva(producer_->handle(), arguments, std::size(arguments));
    if (error == nullptr) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers);
    return code;
}

core::Status KafkaTransport::Poll(AckHandler& handler) {
    producer_->ClearWake();
    (void)HandOver();  // why it failed, if it did, is among the events
    while (EventPtr event{producer_->NextEvent()}) {
        switch (rd_kafka_event_type(event.get())) {
            case RD_KAFKA_EVENT_DR:
                OnReports(event.get(), handler);
                break;
            case RD_KAFKA_EVENT_ERROR:
                BV_RETURN_IF_ERROR(OnError(event.get()));
                break;
            case RD_KAFKA_EVENT_STATS:
                // An idle stream learns here, and only here, that a broker is back.
                if (std::string_view(rd_kafka_event_stats(event.get())).find(R"("state":"UP")") !=
                    std::string_view::npos) {
                    health_ = {};
                }
                break;
            default:
                break;
        }
    }
    // Reports make room.
    if (auto handed = HandOver(); !handed.ok()) {
        return handed.TakeStatus();
    }
    unreported_ -= refused_.size();
    Tell(refused_, handler);
    return core::Status::Ok();
}

void KafkaTransport::OnReports(rd_kafka_event_t* event, AckHandler& handler) {
    bool delivered = false;
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
        if (transactions_ != nullptr && Transactions::IsProgress(message)) {
            transactions_->OnProgressReport(message->err);
            continue;
        }
        --unreported_;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            handler.OnAck(batch_.Reported(message));
            delivered = true;
            continue;
        }
        const std::string_view key(static_cast<const char*>(message->key), message->key_len);
        core::Error error =
            MessageError(message->err, {rd_kafka_topic_name(message->rkt), key, message->len});
        const std::uint64_t tag = batch_.Reported(message);
        // The report of what failed comes from another thread than those of what was queued behind
        // it, and it is the one that says why.
        if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE && !cause_told_ &&
            StoppedBehindAFailure()) {
            taken_back_.emplace_back(tag, std::move(error));
            continue;
        }
        cause_told_ = true;
        handler.OnFailure(tag, error);
    }
    if (cause_told_) {
        Tell(taken_back_, handler);
    }
    if (delivered && !health_.last_error.empty()) {
        ClearHealth();
    }
}

void KafkaTransport::Tell(Failures& failures, AckHandler& handler) {
    for (const auto& [tag, error] : std::exchange(failures, {})) {
        handler.OnFailure(tag, error);
    }
}

void KafkaTransport::ClearHealth() {
    health_ = {};
    connection_error_ = false;
    repeated_code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
}

core::Status KafkaTransport::OnError(rd_kafka_event_t* event) {
    const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (StoppedBehindAFailure()) {
        return core::Status::Ok();  // the report of what failed follows, and says more
    }
    // Not every event of a fatal error has the code RD_KAFKA_RESP_ERR__FATAL.
    if (rd_kafka_fatal_error(producer_->handle(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return FatalError();
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        health_.reachable = false;
        connection_error_ = true;
        // The error before this one says why; this one only counts brokers.
        if (!health_.last_error.empty()) {
            return core::Status::Ok();
        }
    } else if (repeated_code_ == code) {
        return core::Status::Ok();
    }
    // Several brokers fail in turns: while none is reachable, the first text of a kind stays.
    repeated_code_ = health_.reachable ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
    connection_error_ = IsConnectionError(code);
    health_.last_error = redactor_.Clean(StableText(rd_kafka_event_error_string(event)));
    health_.hint = ConnectionHint(code);
    return core::Status::Ok();
}

// A broker refused messages for good, and the producer took back what was queued behind them.
bool KafkaTransport::StoppedBehindAFailure() const {
    return rd_kafka_fatal_error(producer_->handle(), nullptr, 0) ==
           RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE;
}

core::Status KafkaTransport::FatalError() {
    char text[512] = "";
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer_->handle(), text, sizeof(text));
    if (transactions_ != nullptr && transactions_->Fenced(code)) {
        return transactions_->FencedError(redactor_.Clean(text) + " (" + rd_kafka_err2name(code) +
                                          ").");
    }
    return core::Status::Fail(core::kConnectionFailure, "the Kafka producer cannot go on",
                              redactor_.Clean(text) + " (" + rd_kafka_err2name(code) + ").",
                              "The stream starts again with a new producer; messages that were "
                              "not acknowledged are sent again.");
}

void KafkaTransport::Flush() {
    (void)HandOver();
    producer_->Push();
}

core::Result<Step> KafkaTransport::OpenTransactions(std::string* progress) {
    if (transactions_ == nullptr) {
        return NoTransactions();
    }
    return transactions_->Open(progress);
}

core::Result<Step> KafkaTransport::CommitTransaction(const std::string& progress) {
    if (transactions_ == nullptr) {
        return NoTransactions();
    }
    // The library would wait for reports that only Poll() takes; what waits here has none yet.
    return unreported_ > 0 ? core::Result<Step>(Step::kPending) : transactions_->Commit(progress);
}

core::Result<const Topic*> KafkaTransport::Find(std::string_view name) {
    if (const auto found = topics_.find(name); found != topics_.end()) {
        return &found->second;
    }
    std::string owned(name);
    Topic topic{nullptr, std::make_shared<Partitions>()};
    producer_->Keep(topic.partitions);
    std::unique_ptr<rd_kafka_topic_conf_t, TopicConfDeleter> conf(
        rd_kafka_default_topic_conf_dup(producer_->handle()));
    topic.partitions->Watch(conf.get());
    // Takes the configuration, also when it fails.
    topic.handle.reset(rd_kafka_topic_new(producer_->handle(), owned.c_str(), conf.release()));
    if (topic.handle == nullptr) {
        return core::Status(MessageError(rd_kafka_last_error(), {name, {}, 0}));
    }
    return &topics_.emplace(std::move(owned), std::move(topic)).first->second;
}

core::Result<std::unique_ptr<Transport>> MakeTransport(const TransportOptions& options) {
    Redactor redactor(options);
    auto conf = MakeConfiguration(options, redactor);
    if (!conf.ok()) {
        return conf.TakeStatus();
    }
    auto producer = Client::Create(RD_KAFKA_PRODUCER, std::move(*conf), redactor);
    if (!producer.ok()) {
        return producer.TakeStatus();
    }
    return std::unique_ptr<Transport>(
        std::make_unique<KafkaTransport>(options, std::move(redactor), std::move(*producer)));
}

}  // namespace

}  // namespace bitvelocity::sink::kafka

// No exception leaves this function: its caller is compiled elsewhere.
extern "C" __attribute__((visibility("default"))) bitvelocity::sink::Transport*
bitvelocity_kafka_transport(const bitvelocity::sink::TransportOptions* options,
                            bitvelocity::core::Error* error) {
    try {
        auto transport = bitvelocity::sink::kafka::MakeTransport(*options);
        if (transport.ok()) {
            return transport->release();
        }
        *error = transport.error();
    } catch (const std::exception& failure) {
        error->message = failure.what();
    }
    return nullptr;
}
