// UnderWay: the messages a transport has not answered for yet.
//
// A message's tag is its place here, so that an answer finds what the message was: the transaction
// it counts in, its table, the event it tells, and the event itself where its loss is survived.
// Memory: as much as was ever under way at once, besides the events. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/owned_change.hpp"

namespace bitvelocity::pipeline {

// What is kept of a message in case the broker refuses it.
struct KeptMessage {
    std::shared_ptr<const core::OwnedChange> event;
    std::string topic;
    bool has_key = false;
    std::string key;
    // The message is a letter about the event, which failed with this error.
    std::unique_ptr<core::Error> letter;
};

struct SentMessage {
    std::uint64_t transaction = 0;  // its number in the AckWindow
    std::uint32_t table = 0;        // index into names; 0: none
    std::int32_t redelivered = -1;  // index among letters that are sent again
    core::Identity identity;        // source null: it tells no event
    std::unique_ptr<KeptMessage> kept;
};

class UnderWay {
  public:
    [[nodiscard]] std::uint64_t Add(SentMessage message) {
        bytes_ += Weight(message);
        if (free_.empty()) {
            messages_.push_back(std::move(message));
            return messages_.size() - 1;
        }
        const std::uint32_t place = free_.back();
        free_.pop_back();
        messages_[place] = std::move(message);
        return place;
    }
    [[nodiscard]] SentMessage Take(std::uint64_t tag) {
        SentMessage message = std::move(messages_[tag]);
        bytes_ -= Weight(message);
        free_.push_back(static_cast<std::uint32_t>(tag));
        return message;
    }
    // Of what is kept.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    static std::size_t Weight(const SentMessage& message) {
        return message.kept == nullptr ? 0
                                       : message.kept->event->bytes() + message.kept->topic.size() +
                                             message.kept->key.size() + sizeof(KeptMessage);
    }

    std::vector<SentMessage> messages_;
    std::vector<std::uint32_t> free_;
    std::size_t bytes_ = 0;
};

}  // namespace bitvelocity::pipeline
