#include "sink/kafka/payloads.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace bitvelocity::sink::kafka {

Payloads::~Payloads() {
    for (Block* block : blocks_) {
        std::free(block);
    }
}

Payloads::Block* Payloads::BlockOf(const void* stored) {
    const auto address = reinterpret_cast<std::uintptr_t>(stored);
    return reinterpret_cast<Block*>(  // NOLINT(performance-no-int-to-ptr)
        address & ~static_cast<std::uintptr_t>(kBlockBytes - 1));
}

char* Payloads::Store(std::string_view first, std::string_view second) {
    // One byte more, so that even nothing has a place inside its block.
    const std::size_t needed = first.size() + second.size() + 1;
    if (open_ == nullptr || open_->used + needed > kBlockBytes) {
        if (open_ != nullptr && open_->messages == 0) {
            free_.push_back(open_);
        }
        if (free_.empty()) {
            blocks_.reserve(blocks_.size() + 1);
            void* memory = std::aligned_alloc(kBlockBytes, kBlockBytes);
            if (memory == nullptr) {
                open_ = nullptr;
                throw std::bad_alloc();
            }
            blocks_.push_back(static_cast<Block*>(memory));
            free_.reserve(blocks_.size());
            free_.push_back(blocks_.back());
        }
        open_ = free_.back();
        free_.pop_back();
        *open_ = {sizeof(Block), 0};
    }
    char* at = reinterpret_cast<char*>(open_) + open_->used;
    open_->used += needed;
    ++open_->messages;
    first.copy(at, first.size());
    second.copy(at + first.size(), second.size());
    // Where the next one will be was last read by another processor: what takes long is to get it
    // back, so that begins now.
    const std::size_t ahead = std::min(needed, kBlockBytes - open_->used);
    for (std::size_t line = 0; line < ahead; line += kLineBytes) {
        __builtin_prefetch(at + needed + line, 1);
    }
    return at;
}

void Payloads::Release(const void* stored) {
    Block* block = BlockOf(stored);
    if (--block->messages == 0 && block != open_) {
        free_.push_back(block);
    }
}

}  // namespace bitvelocity::sink::kafka
