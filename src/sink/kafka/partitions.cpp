#include "sink/kafka/partitions.hpp"

#include <array>

namespace bitvelocity::sink::kafka {

void Partitions::Watch(rd_kafka_topic_conf_t* conf) {
    std::array<char, 32> name{};
    std::size_t size = name.size();
    if (rd_kafka_topic_conf_get(conf, "partitioner", name.data(), &size) != RD_KAFKA_CONF_OK ||
        std::string_view(name.data()) != "murmur2_random") {
        return;
    }
    rd_kafka_topic_conf_set_opaque(conf, this);
    rd_kafka_topic_conf_set_partitioner_cb(conf, Choose);
}

std::int32_t Partitions::Of(std::string_view key) const {
    const std::int32_t count = count_.load(std::memory_order_relaxed);
    return count == 1 ? 0
                      : rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), count,
                                                         nullptr, nullptr);
}

std::int32_t Partitions::Choose(const rd_kafka_topic_t* topic, const void* key, size_t size,
                                std::int32_t count, void* self, void* message) {
    static_cast<Partitions*>(self)->count_.store(count, std::memory_order_relaxed);
    return rd_kafka_msg_partitioner_murmur2_random(topic, key, size, count, nullptr, message);
}

}  // namespace bitvelocity::sink::kafka
