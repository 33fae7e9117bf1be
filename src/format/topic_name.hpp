// TopicName: which characters a Kafka topic can have. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitvelocity::format {

// org.apache.kafka.common.internals.Topic.MAX_NAME_LENGTH, in bytes.
inline constexpr std::size_t kTopicLimit = 249;

[[nodiscard]] constexpr bool InTopic(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

// Any other byte becomes "_".
inline void AppendTopicName(std::string& out, std::string_view text) {
    for (const char c : text) {
        out.push_back(InTopic(c) ? c : '_');
    }
}

}  // namespace bitvelocity::format
