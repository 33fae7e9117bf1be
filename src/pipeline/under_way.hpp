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
    // All that an acknowledgement needs, beside the messages, so that it does not fetch a whole one
    // from memory that was written tens of thousands of messages ago.
    struct Counted {
        std::uint64_t transaction = 0;
        std::int32_t redelivered = -1;
        bool keeps = false;
        bool weighs = false;  // it is in bytes()
    };

    // A place for a message, whose fields have old values, all of them to be replaced before
    // Opened is told. Written where they stay, for this is done for every row.
    [[nodiscard]] std::uint64_t Open() {
        std::uint64_t place = counted_.size();
        if (free_.empty()) {
            counted_.emplace_back();
            messages_.emplace_back();
        } else {
            place = free_.back();
            free_.pop_back();
            if (!free_.empty()) {  // the next one, which nobody has touched for long
                __builtin_prefetch(&messages_[free_.back()], 1);
            }
        }
        return place;
    }
    // Valid until the next Open.
    [[nodiscard]] SentMessage& at(std::uint64_t tag) { return messages_[tag]; }
    void Opened(std::uint64_t tag) {
        const SentMessage& message = messages_[tag];
        counted_[tag] = {message.transaction, message.redelivered, message.kept != nullptr, false};
    }
    // The transport has it. One that waits for room does not count, or it would wait for itself.
    void HandedOver(std::uint64_t tag) {
        if (counted_[tag].keeps) {
            counted_[tag].weighs = true;
            bytes_ += Weight(messages_[tag].kept.get());
        }
    }
    [[nodiscard]] std::uint64_t Add(SentMessage message) {
        const std::uint64_t tag = Open();
        messages_[tag] = std::move(message);
        Opened(tag);
        return tag;
    }
    // It arrived.
    [[nodiscard]] Counted Acked(std::uint64_t tag) {
        const Counted counted = counted_[tag];
        if (counted.keeps) {
            (void)Take(tag);
        } else {
            free_.push_back(static_cast<std::uint32_t>(tag));
        }
        return counted;
    }
    [[nodiscard]] SentMessage Take(std::uint64_t tag) {
        SentMessage message = std::move(messages_[tag]);
        if (counted_[tag].weighs) {
            bytes_ -= Weight(message.kept.get());
        }
        free_.push_back(static_cast<std::uint32_t>(tag));
        return message;
    }
    // Of what is kept and handed over.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    static std::size_t Weight(const KeptMessage* kept) {
        return kept == nullptr ? 0
                               : kept->event->bytes() + kept->topic.size() + kept->key.size() +
                                     sizeof(KeptMessage);
    }

    std::vector<Counted> counted_;  // as `messages_`
    std::vector<SentMessage> messages_;
    std::vector<std::uint32_t> free_;
    std::size_t bytes_ = 0;
};

}  // namespace bitvelocity::pipeline
