// Partitions: which partition of a topic a key goes to, said before the message is handed over.
//
// A message that names its partition costs librdkafka less: no clock, look-up and reference of its
// own. The choice is the client's: the partitioner "murmur2_random", as Java producers have it. How
// many partitions there are is what the client last told that partitioner. Asked on the deliverer's
// main thread; told on it, or on a thread of librdkafka.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace bitvelocity::sink::kafka {

class Partitions {
  public:
    // From now on topics of this configuration tell how many they have; this object outlives them
    // and the client. Where another partitioner is configured nothing is changed, and none is
    // known.
    void Watch(rd_kafka_topic_conf_t* conf);

    // Until the client says it again: it may not know the topic any more.
    void Forget() { count_.store(0, std::memory_order_relaxed); }
    [[nodiscard]] bool known() const { return count_.load(std::memory_order_relaxed) > 0; }
    // Of a key that is not null. Only when known.
    [[nodiscard]] std::int32_t Of(std::string_view key) const;

  private:
    static std::int32_t Choose(const rd_kafka_topic_t* topic, const void* key, size_t size,
                               std::int32_t count, void* self, void* message);

    std::atomic<std::int32_t> count_{0};  // 0: nobody said
};

}  // namespace bitvelocity::sink::kafka
