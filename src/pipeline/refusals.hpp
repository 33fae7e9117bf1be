// Refusals: what becomes of events that a broker's stream can never deliver, as its option on_error
// says.
//
// Every event that is given up holds one place in its transaction (AckWindow) until its letter is
// durable: stored in the table, or acknowledged in the topic of letters. A letter that its topic
// refuses goes into the table. One thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/ack_window.hpp"
#include "core/owned_change.hpp"
#include "pipeline/letter.hpp"
#include "pipeline/under_way.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

class Refusals {
  public:
    // How a letter gets under way; waits for room.
    class Sender {
      public:
        virtual ~Sender() = default;
        virtual core::Status SendLetter(sink::OutgoingMessage& message, SentMessage sent) = 0;
    };

    // `letters` may be null where the policy is to stop.
    Refusals(PoisonOptions options, const core::Source& source, LetterBox* letters,
             core::AckWindow& window, Sender& sender);

    // The stream goes on after this error.
    [[nodiscard]] bool Survives(const core::Error& error) const {
        return options_.on_error != OnError::kStop && error.poison;
    }
    // Events have to be kept until the broker has taken their messages.
    [[nodiscard]] bool keeps() const { return options_.on_error != OnError::kStop; }

    // The next event begins.
    void Start() { event_ = nullptr; }
    [[nodiscard]] std::unique_ptr<KeptMessage> Keep(const core::Change& event,
                                                    const sink::OutgoingMessage& message);

    // The broker has refused a message that was kept; Settle sees to it.
    void Add(SentMessage sent, core::Error error);
    // An event of which there is no message; `transaction` counts it.
    core::Status GiveUp(const core::Change& event, std::uint64_t transaction,
                        const std::string& topic, const core::Error& error);
    // Sees to what was refused, and makes letters for the table durable.
    core::Status Settle();

  private:
    struct Refused {
        SentMessage sent;
        core::Error error;
    };

    core::Status GiveUp(const SentMessage& sent, const core::Error& error);
    core::Status Post(const SentMessage& sent, const core::Error& error);
    core::Status Store(const SentMessage& sent, const core::Error& error);

    PoisonOptions options_;
    core::Source source_;
    LetterBox* letters_;
    core::AckWindow& window_;
    Sender& sender_;

    core::OwnedRelations relations_;
    std::shared_ptr<const core::OwnedChange> event_;  // of the messages being sent
    std::deque<Refused> refused_;
    bool settling_ = false;
    std::vector<std::uint64_t> stored_;  // transactions, one entry a letter that is not durable yet
};

}  // namespace bitvelocity::pipeline
