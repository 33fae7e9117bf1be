#include "sink/kafka/batch.hpp"

#include <algorithm>
#include <utility>

namespace bitvelocity::sink::kafka {

namespace {

// In a message's opaque pointer: its value is stored in Payloads.
constexpr std::uint64_t kStored = 1ULL << 63;

std::uint64_t TagOf(const rd_kafka_message_t& message) {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(message._private));
}

}  // namespace

void* Batch::Opaque(std::uint64_t tag) {
    // librdkafka hands the pointer back and never follows it.
    return reinterpret_cast<void*>(  // NOLINT(performance-no-int-to-ptr)
        static_cast<std::uintptr_t>(tag));
}

Batch::Batch(std::shared_ptr<Payloads> payloads, std::size_t message_max)
    : payloads_(std::move(payloads)), largest_(std::min(Payloads::kLargest, message_max / 2)) {}

bool Batch::Takes(const OutgoingMessage& message) const {
    return message.headers.empty() && message.key.size() + message.value.size() < largest_;
}

void Batch::Add(const OutgoingMessage& message) {
    const std::string_view value = message.has_value ? message.value : std::string_view();
    const std::string_view key = message.has_key ? message.key : std::string_view();
    char* stored = payloads_->Store(value, key);
    // The rest of it is zero, and librdkafka writes `err` alone.
    rd_kafka_message_t& added = messages_[count_];
    // An absent key or value differs from an empty one by the pointer alone.
    added.payload = message.has_value ? stored : nullptr;
    added.len = value.size();
    added.key = message.has_key ? stored + value.size() : nullptr;
    added.key_len = key.size();
    added._private = Opaque(message.has_value ? message.tag | kStored : message.tag);
    stored_[count_++] = stored;
}

void Batch::Produce(rd_kafka_topic_t* topic, Partitions& partitions) {
    rd_kafka_message_t* first = messages_.data() + first_;
    rd_kafka_message_t* const end = messages_.data() + count_;
    partitions.Forget();
    // What refuses the first may not concern the others, unless there is no room.
    if (rd_kafka_produce_batch(topic, RD_KAFKA_PARTITION_UA, 0, first, 1) != 1 &&
        (first->err == RD_KAFKA_RESP_ERR__QUEUE_FULL || first->err == RD_KAFKA_RESP_ERR__FATAL)) {
        return;
    }
    const bool known = partitions.known();
    for (rd_kafka_message_t* message = ++first; message != end; ++message) {
        message->partition =
            known && message->key != nullptr
                ? partitions.Of({static_cast<const char*>(message->key), message->key_len})
                : RD_KAFKA_PARTITION_UA;
    }
    (void)rd_kafka_produce_batch(topic, RD_KAFKA_PARTITION_UA, known ? RD_KAFKA_MSG_F_PARTITION : 0,
                                 first, static_cast<int>(end - first));
}

rd_kafka_resp_err_t Batch::HandOver(rd_kafka_topic_t* topic, Partitions& partitions,
                                    std::vector<Refused>* refused) {
    if (empty()) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    Produce(topic, partitions);
    for (; first_ < count_; ++first_) {
        const rd_kafka_message_t& message = messages_[first_];
        const rd_kafka_resp_err_t code = message.err;
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL) {
            return code;  // and so say all behind it
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            refused->push_back({TagOf(message) & ~kStored, code});
        }
        // The key is copied; the value is not, and belongs to the message until its report.
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR || message.payload == nullptr) {
            payloads_->Release(stored_[first_]);
        }
    }
    first_ = count_ = 0;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::uint64_t Batch::Reported(const rd_kafka_message_t* message) {
    const std::uint64_t tag = TagOf(*message);
    if ((tag & kStored) == 0) {
        return tag;
    }
    payloads_->Release(message->payload);
    return tag & ~kStored;
}

}  // namespace bitvelocity::sink::kafka
