// Payloads: memory for the keys and values of messages that librdkafka is to send without copying
// them: blocks that are filled one message behind the other and used again once all of a block's
// messages are reported.
//
// A block finds itself by its alignment, so that a message's report, which brings the pointer back,
// is enough to give it up. Memory: what librdkafka may hold (queue.buffering.max.kbytes) and its
// blocks' ends; blocks are kept. Deliverer, main thread; librdkafka's threads only read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace bitvelocity::sink::kafka {

class Payloads {
  public:
    static constexpr std::size_t kBlockBytes = 64UL * 1024;
    // Larger ones would waste the ends of blocks.
    static constexpr std::size_t kLargest = 8UL * 1024;

    Payloads() = default;
    ~Payloads();
    Payloads(const Payloads&) = delete;
    Payloads& operator=(const Payloads&) = delete;

    // A copy of `first` with `second` behind it, kLargest together; counts as one until Release.
    // Never null, whatever is empty.
    char* Store(std::string_view first, std::string_view second);
    void Release(const void* stored);

  private:
    static constexpr std::size_t kLineBytes = 64;  // of the processor's cache, as a rule
    struct Block {
        std::size_t used;
        std::uint32_t messages;
    };
    static Block* BlockOf(const void* stored);

    std::vector<Block*> blocks_;  // all of them
    std::vector<Block*> free_;
    Block* open_ = nullptr;
};

}  // namespace bitvelocity::sink::kafka
