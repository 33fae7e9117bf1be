// Memory of messages under way: what is stored stays as it is until it is released, and is used
// again.

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "sink/kafka/payloads.hpp"

namespace bitvelocity::sink::kafka {
namespace {

TEST(KafkaPayloads, KeepsWhatIsNotReleased) {
    Payloads payloads;
    std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
    std::deque<std::pair<char*, std::string>> stored;
    for (int i = 0; i < 20'000; ++i) {
        const std::string value(random() % 3000, static_cast<char>('a' + i % 26));
        const std::string key = std::to_string(i);
        stored.emplace_back(payloads.Store(value, key), value + key);
        while (stored.size() > 500 || (!stored.empty() && random() % 3 == 0)) {
            // Reports of several partitions come out of order.
            const std::size_t at = random() % std::min<std::size_t>(stored.size(), 5);
            const auto [pointer, text] = stored[at];
            ASSERT_EQ(std::string(pointer, text.size()), text);
            payloads.Release(pointer);
            stored.erase(stored.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
    for (const auto& [pointer, text] : stored) {
        EXPECT_EQ(std::string(pointer, text.size()), text);
    }
}

TEST(KafkaPayloads, UsesItsBlocksAgain) {
    Payloads payloads;
    std::set<std::uintptr_t> blocks;
    const std::string value(1000, 'v');
    std::deque<char*> stored;
    for (int i = 0; i < 10'000; ++i) {
        stored.push_back(payloads.Store(value, "key"));
        blocks.insert(reinterpret_cast<std::uintptr_t>(stored.back()) / Payloads::kBlockBytes);
        if (stored.size() > 100) {
            payloads.Release(stored.front());
            stored.pop_front();
        }
    }
    // A hundred messages are in three blocks at most, and one is being filled.
    EXPECT_LE(blocks.size(), 5U);
}

TEST(KafkaPayloads, NothingHasAPlaceToo) {
    Payloads payloads;
    char* empty = payloads.Store({}, {});
    ASSERT_NE(empty, nullptr);
    for (int i = 0; i < 200'000; ++i) {
        payloads.Release(payloads.Store({}, {}));
    }
    char* largest = payloads.Store(std::string(Payloads::kLargest, 'x'), {});
    EXPECT_EQ(largest[Payloads::kLargest - 1], 'x');
    payloads.Release(largest);
    payloads.Release(empty);
}

}  // namespace
}  // namespace bitvelocity::sink::kafka
