#include "pipeline/refusals.hpp"

#include <utility>

#include "core/failpoint.hpp"
#include "pipeline/topic.hpp"

namespace bitvelocity::pipeline {

Refusals::Refusals(PoisonOptions options, const core::Source& source, LetterBox* letters,
                   core::AckWindow& window, Sender& sender)
    : options_(std::move(options)),
      source_(source),
      letters_(letters),
      window_(window),
      sender_(sender) {
    if (letters_ == nullptr) {
        options_.on_error = OnError::kStop;
    }
}

std::unique_ptr<KeptMessage> Refusals::Keep(const core::Change& event,
                                            const sink::OutgoingMessage& message) {
    if (event_ == nullptr) {
        event_ =
            std::make_shared<core::OwnedChange>(event, relations_.Get(event.relation), &source_);
    }
    auto kept = std::make_unique<KeptMessage>();
    kept->event = event_;
    kept->topic = message.destination;
    kept->has_key = message.has_key;
    kept->key = message.key;
    return kept;
}

void Refusals::Add(SentMessage sent, core::Error error) {
    refused_.push_back({std::move(sent), std::move(error)});
}

core::Status Refusals::GiveUp(const core::Change& event, std::uint64_t transaction,
                              const std::string& topic, const core::Error& error) {
    SentMessage sent;
    sent.transaction = transaction;
    sent.identity = event.identity;
    sent.kept = std::make_unique<KeptMessage>();
    sent.kept->event = event_ != nullptr ? event_
                                         : std::make_shared<const core::OwnedChange>(
                                               event, relations_.Get(event.relation), &source_);
    sent.kept->topic = topic;
    return GiveUp(sent, error);
}

core::Status Refusals::Settle() {
    // A letter that waits for room asks for this again.
    if (std::exchange(settling_, true)) {
        return core::Status::Ok();
    }
    core::Status status;
    while (status.ok() && !refused_.empty()) {
        const Refused next = std::move(refused_.front());
        refused_.pop_front();
        if (next.sent.kept->letter != nullptr) {
            status = Store(next.sent, *next.sent.kept->letter);
        } else {
            status = GiveUp(next.sent, next.error);
        }
    }
    if (status.ok() && !stored_.empty()) {
        status = letters_->Flush();
    }
    if (status.ok() && !stored_.empty()) {
        status = core::PassFailpoint(core::Failpoint::letters_stored);
    }
    if (status.ok()) {
        for (const std::uint64_t transaction : std::exchange(stored_, {})) {
            window_.Acked(transaction);
        }
    }
    settling_ = false;
    return status;
}

core::Status Refusals::GiveUp(const SentMessage& sent, const core::Error& error) {
    const KeptMessage& kept = *sent.kept;
    letters_->Note({kept.event->change(), kept.topic, kept.has_key, kept.key, error});
    if (options_.on_error == OnError::kSkip) {
        window_.Acked(sent.transaction);
        return core::Status::Ok();
    }
    return options_.topic.empty() ? Store(sent, error) : Post(sent, error);
}

core::Status Refusals::Store(const SentMessage& sent, const core::Error& error) {
    const KeptMessage& kept = *sent.kept;
    BV_RETURN_IF_ERROR(
        letters_->Store({kept.event->change(), kept.topic, kept.has_key, kept.key, error}));
    stored_.push_back(sent.transaction);
    return core::Status::Ok();
}

core::Status Refusals::Post(const SentMessage& sent, const core::Error& error) {
    auto topic = MakeLetterTopic(options_.topic, source_);
    if (!topic.ok()) {
        return topic.TakeStatus();
    }
    const KeptMessage& kept = *sent.kept;
    const core::Change& change = kept.event->change();
    const std::string value = ChangeJson(change);
    const std::string identity = IdentityText(change.identity);
    const std::string table = change.relation != nullptr
                                  ? change.relation->schema + "." + change.relation->name
                                  : std::string(change.prefix);
    const sink::Header headers[] = {
        {"stream", source_.stream}, {"table", table},
        {"topic", kept.topic},      {"operation", core::OperationName(change.operation)},
        {"identity", identity},     {"sqlstate", error.sqlstate},
        {"error", error.message},   {"detail", error.detail}};
    sink::OutgoingMessage message;
    message.destination = *topic;
    message.has_key = kept.has_key;
    message.key = kept.key;
    message.value = value;
    message.headers = headers;
    SentMessage letter;
    letter.transaction = sent.transaction;
    letter.table = sent.table;
    letter.identity = sent.identity;
    letter.kept = std::make_unique<KeptMessage>();
    letter.kept->event = kept.event;
    letter.kept->topic = kept.topic;
    letter.kept->has_key = kept.has_key;
    letter.kept->key = kept.key;
    letter.kept->letter = std::make_unique<core::Error>(error);
    core::Status status = sender_.SendLetter(message, std::move(letter));
    if (!status.ok() && status.error().poison) {
        return Store(sent, error);
    }
    return status;
}

}  // namespace bitvelocity::pipeline
