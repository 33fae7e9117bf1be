#include "pipeline/message_sink.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "core/ack_window.hpp"
#include "core/failpoint.hpp"
#include "format/options.hpp"
#include "pipeline/destinations.hpp"
#include "pipeline/heartbeat.hpp"
#include "pipeline/message_headers.hpp"
#include "pipeline/refusals.hpp"
#include "pipeline/registered_schemas.hpp"
#include "pipeline/schema_event.hpp"
#include "pipeline/stream_options.hpp"
#include "pipeline/topic.hpp"
#include "pipeline/transaction_events.hpp"
#include "pipeline/transaction_group.hpp"
#include "pipeline/under_way.hpp"
#include "wal/parser.hpp"

namespace bitvelocity::pipeline {

namespace {

// Acknowledgements hold memory until they are served, so a long transaction stops for them.
constexpr int kMessagesPerPoll = 1024;
using Clock = std::chrono::steady_clock;
constexpr std::int64_t kWaitMs = 1000;
// A transport that is full and sends full batches acknowledges one sooner than this.
constexpr std::chrono::milliseconds kFullTime{20};
constexpr std::int64_t kDrainSliceMs = 100;
constexpr std::int64_t kCommitSliceMs = 20;

// Events kept in case the broker refuses them, beside what the transport holds.
constexpr std::size_t kKeptBytes = std::size_t{32} << 20;

class MessageSink final : public sink::Sink,
                          format::MessageHandler,
                          sink::AckHandler,
                          format::avro::SchemaIds,
                          Refusals::Sender {
  public:
    MessageSink(const MessageSinkOptions& options, BrokerOptions shaping,
                std::unique_ptr<sink::Transport> transport, sink::Waiter& waiter)
        : source_(options.source),
          headers_(std::move(shaping.headers), options.source),
          schema_topic_(MakeStreamTopic(options.source, "schema")),
          heartbeat_(shaping.heartbeat_ms, options.source),
          messages_(std::move(shaping.messages)),
          events_(shaping.transaction_metadata ? MakeTransactionEvents(options) : std::nullopt),
          events_topic_(MakeStreamTopic(options.source, "transaction")),
          transport_(std::move(transport)),
          waiter_(waiter),
          window_(options.start),
          durable_(options.start),
          refusals_(std::move(shaping.poison), source_, options.letters, window_, *this),
          destinations_(std::move(shaping.topic), options.shapes, options.source) {
        if (shaping.transactions.enabled) {
            group_.emplace(shaping.transactions, options.source.epoch, options.timeline,
                           options.start);
        }
        if (shaping.outbox) {
            outbox_.emplace(std::move(*shaping.outbox), options.source);
        }
    }

    core::Result<core::Lsn> ResumePosition() override;
    core::Status Begin(const core::Transaction& transaction) override;
    core::Status Write(const core::Change& change) override;
    core::Status Commit(const core::Transaction& transaction) override;
    core::Status Progress(core::Lsn lsn) override;
    core::Status Boundary(bool idle) override;
    core::Status Poll() override;
    [[nodiscard]] core::Lsn DurablePosition() const override { return durable_; }
    [[nodiscard]] int wake_fd() const override { return transport_->wake_fd(); }
    core::Status Drain(std::int64_t deadline_ms) override;
    core::Status Redeliver(std::span<const core::Change* const> events,
                           std::vector<std::optional<core::Error>>& outcomes) override;
    [[nodiscard]] bool settled() const override {
        return window_.outstanding() == 0 && (!group_ || group_->empty());
    }
    [[nodiscard]] sink::Health health() const override {
        return schemas_ && !schemas_->health().reachable ? schemas_->health()
                                                         : transport_->health();
    }

    core::Status OpenEncoder(const MessageSinkOptions& options,
                             std::unique_ptr<sink::registry::HttpClient> registry);

  private:
    core::Result<std::uint32_t> Find(const format::avro::SchemaRequest& request) override;
    core::Status OnMessage(const format::Message& message) override;
    core::Status Deliver(const format::Message& message);
    void OnAck(std::uint64_t tag) override;
    void OnFailure(std::uint64_t tag, const core::Error& error) override;
    core::Status SendLetter(sink::OutgoingMessage& message, SentMessage sent) override;

    static std::optional<TransactionEvents> MakeTransactionEvents(
        const MessageSinkOptions& options);
    core::Status Encode(const core::Change& change);
    core::Status EncodeOne(const core::Change& change);
    core::Status RedeliverOne(const core::Change& event, std::optional<core::Error>& outcome);
    core::Status Beat();
    core::Status DeliverSchemaChange(const core::Change& change);
    core::Status DeliverOutbox(const core::Change& change);
    core::Status TellBegin();
    core::Status SendAboutTransaction(std::string_view value);
    // `identity`: of the event that the message tells, but for its part; null: of none.
    core::Status Send(sink::OutgoingMessage& message, std::uint32_t table,
                      const core::Identity* identity, std::uint32_t part);
    // A message that has its place in under_way_, and loses it with an error.
    core::Status SendWhenRoom(const sink::OutgoingMessage& message);
    // `full_since`: zero before the first time.
    core::Status WaitForRoom(Clock::time_point& full_since);
    core::Status NameTheEvent(core::Error error, std::uint32_t table,
                              const core::Identity& identity) const;
    void Advance();
    core::Status CommitGroup();

    core::Source source_;
    MessageHeaders headers_;
    std::string schema_topic_;
    Heartbeat heartbeat_;
    core::Lsn read_;  // end of the last transaction, or progress behind it
    std::vector<std::string> messages_;
    std::optional<Outbox> outbox_;
    std::vector<format::MessageHeader> outbox_headers_;
    std::optional<TransactionEvents> events_;
    std::string events_topic_;
    bool counting_ = false;  // the transaction is one that is told about
    bool told_begin_ = false;
    std::unique_ptr<format::Encoder> encoder_;
    std::unique_ptr<sink::Transport> transport_;
    sink::Waiter& waiter_;
    std::optional<RegisteredSchemas> schemas_;  // where the format has any

    core::AckWindow window_;
    core::Lsn durable_;
    core::Lsn progress_;  // behind the last transaction; counts once nothing is outstanding
    std::uint64_t transaction_ = 0;
    int messages_since_poll_ = 0;
    std::optional<core::Error> failure_;
    UnderWay under_way_;
    sink::OutgoingMessage outgoing_;  // of a change; kept, for a new one would be cleared first
    Refusals refusals_;
    // Letters that are sent again: which one, messages so far, messages under way.
    std::int32_t redelivering_ = -1;
    std::uint64_t redelivered_ = 0;
    std::size_t redelivered_under_way_ = 0;
    std::vector<std::optional<core::Error>>* outcomes_ = nullptr;
    std::optional<TransactionGroup> group_;  // delivery in Kafka transactions

    Destinations destinations_;
    // The change being written, and the one being encoded, which may know its position.
    const core::Change* event_ = nullptr;
    const core::Change* change_ = nullptr;
    bool delivery_failed_ = false;  // an error came from sending, not from the encoder
    const Destination* destination_ = nullptr;
    core::Oid destination_relation_ = 0;
};

core::Status MessageSink::OpenEncoder(const MessageSinkOptions& options,
                                      std::unique_ptr<sink::registry::HttpClient> registry) {
    auto read = format::ReadOptions(options.format, options.options_json, options.source);
    if (!read.ok()) {
        return read.TakeStatus();
    }
    if (registry != nullptr) {
        schemas_.emplace(read->avro, std::move(registry), waiter_, [this]() { return Poll(); });
    }
    auto encoder = format::MakeEncoder({options.format, options.options_json, options.source,
                                        schemas_ ? this : nullptr, options.start});
    if (!encoder.ok()) {
        return encoder.TakeStatus();
    }
    encoder_ = std::move(*encoder);
    return core::Status::Ok();
}

// A broker alone does not know how far it got.
core::Result<core::Lsn> MessageSink::ResumePosition() {
    if (!group_) {
        return core::Lsn{};
    }
    std::string record;
    for (;;) {
        auto opened = transport_->OpenTransactions(&record);
        if (!opened.ok()) {
            return opened.TakeStatus();
        }
        if (*opened == sink::Step::kDone) {
            break;
        }
        BV_RETURN_IF_ERROR(transport_->Poll(*this));
        BV_RETURN_IF_ERROR(waiter_.Wait(transport_->wake_fd(), kCommitSliceMs));
    }
    BV_RETURN_IF_ERROR(group_->Restore(record));
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::transaction_opened));
    Advance();
    return group_->resume();
}

std::optional<TransactionEvents> MessageSink::MakeTransactionEvents(
    const MessageSinkOptions& options) {
    const auto read = format::ReadOptions(options.format, options.options_json, options.source);
    return TransactionEvents(options.format == "debezium" && read.ok() && read->debezium.schemas);
}

core::Status MessageSink::Begin(const core::Transaction& transaction) {
    transaction_ = window_.Open();
    progress_ = {};
    // Neither existing rows nor a message outside a transaction are one of the source's.
    counting_ = events_.has_value() && transaction.xid != 0;
    told_begin_ = false;
    if (counting_) {
        events_->Begin(transaction);
    }
    return core::Status::Ok();
}

core::Status MessageSink::Write(const core::Change& change) {
    const core::RelationSchema* relation = change.relation;
    const bool about_schema = relation == nullptr && change.prefix == wal::kSchemaPrefix;
    const bool in_outbox = relation == nullptr && outbox_ && outbox_->IsMessage(change.prefix);
    if (relation == nullptr && !about_schema && !in_outbox &&
        !MatchesMessage(messages_, change.prefix)) {
        return core::Status::Ok();
    }
    const core::Oid oid = relation != nullptr ? relation->oid : 0;
    if (destination_ == nullptr || destination_relation_ != oid ||
        (relation != nullptr && destination_->version != relation->version)) {
        auto destination = destinations_.Find(relation, outbox_ ? &*outbox_ : nullptr,
                                              events_ ? &*events_ : nullptr);
        if (!destination.ok()) {
            return destination.TakeStatus();
        }
        destination_ = *destination;
        destination_relation_ = oid;
    }
    if (group_ && group_->Has(change)) {
        return core::Status::Ok();
    }
    event_ = &change;
    refusals_.Start();
    core::Status status = about_schema                        ? DeliverSchemaChange(change)
                          : in_outbox || destination_->outbox ? DeliverOutbox(change)
                                                              : Encode(change);
    event_ = nullptr;
    if (!status.ok() && redelivering_ < 0 && refusals_.Survives(status.error())) {
        // It counts in its transaction until the letter is durable.
        window_.Sent();
        status = refusals_.GiveUp(change, transaction_, destination_->topic, status.error());
    }
    if (group_ && status.ok()) {
        group_->Wrote(change);
        if (group_->Overdue()) {
            return CommitGroup();
        }
    }
    return status;
}

core::Status MessageSink::Encode(const core::Change& change) {
    if (!counting_) {
        return EncodeOne(change);
    }
    core::Change positioned = change;
    positioned.position = &events_->Position(destination_->counted_as);
    return EncodeOne(positioned);
}

core::Status MessageSink::EncodeOne(const core::Change& change) {
    change_ = &change;
    delivery_failed_ = false;
    core::Status status = encoder_->Encode(*change_, *this);
    change_ = nullptr;
    if (!status.ok() && !delivery_failed_) {
        return core::Status::Poison(
            NameTheEvent(status.TakeError(), destination_->table, change.identity));
    }
    return status;
}

core::Status MessageSink::Commit(const core::Transaction& transaction) {
    encoder_->Commit(transaction.end_lsn);
    if (told_begin_) {
        BV_RETURN_IF_ERROR(SendAboutTransaction(events_->EndValue()));
    }
    read_ = std::max(read_, transaction.end_lsn);
    window_.Close(transaction.end_lsn);
    if (group_) {
        group_->Reached(transaction.end_lsn);
    }
    Advance();
    return core::Status::Ok();
}

core::Status MessageSink::Progress(core::Lsn lsn) {
    progress_ = std::max(progress_, lsn);
    if (group_) {
        group_->Reached(lsn);
    }
    read_ = std::max(read_, lsn);
    Advance();
    return core::Status::Ok();
}

// Moves no position, and gives way to events where there is no room.
core::Status MessageSink::Beat() {
    if (!heartbeat_.Due()) {
        return core::Status::Ok();
    }
    sink::OutgoingMessage outgoing = heartbeat_.Message(std::max(read_, durable_));
    transaction_ = window_.Open();
    SentMessage beat;
    beat.transaction = transaction_;
    outgoing.tag = under_way_.Add(std::move(beat));
    auto sent = transport_->Send(outgoing);
    if (sent.ok() && *sent == sink::SendResult::kQueued) {
        window_.Sent();
        heartbeat_.Sent();
    } else {
        (void)under_way_.Take(outgoing.tag);
    }
    window_.Discard();
    return sent.ok() ? core::Status::Ok() : sent.TakeStatus();
}

core::Status MessageSink::Boundary(bool idle) {
    BV_RETURN_IF_ERROR(Beat());
    if (group_ && group_->Due(idle)) {
        return CommitGroup();
    }
    BV_RETURN_IF_ERROR(Poll());
    if (idle && window_.outstanding() != 0) {
        transport_->Flush();
    }
    return core::Status::Ok();
}

core::Status MessageSink::Poll() {
    messages_since_poll_ = 0;
    BV_RETURN_IF_ERROR(transport_->Poll(*this));
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::deliverer_acknowledged));
    BV_RETURN_IF_ERROR(refusals_.Settle());
    Advance();
    // Where the policy is to stop, nothing behind a lost message may be confirmed or sent.
    return failure_ ? core::Status(*failure_) : core::Status::Ok();
}

// Everything since the last one becomes visible at once. An error leaves it undecided: the next
// process of the stream finds out.
core::Status MessageSink::CommitGroup() {
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::transaction_ending));
    const std::string record = group_->Record();
    while (window_.outstanding() > 0) {
        const std::uint64_t before = window_.outstanding();
        transport_->Flush();
        BV_RETURN_IF_ERROR(Poll());
        if (window_.outstanding() == before) {
            BV_RETURN_IF_ERROR(waiter_.Wait(transport_->wake_fd(), kCommitSliceMs));
        }
    }
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::transaction_progress));
    for (;;) {
        auto committed = transport_->CommitTransaction(record);
        if (!committed.ok()) {
            return committed.TakeStatus();
        }
        if (*committed == sink::Step::kDone) {
            break;
        }
        BV_RETURN_IF_ERROR(waiter_.Wait(transport_->wake_fd(), kCommitSliceMs));
        BV_RETURN_IF_ERROR(Poll());
    }
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::transaction_committed));
    group_->Committed();
    Advance();
    return core::Status::Ok();
}

core::Status MessageSink::Drain(std::int64_t deadline_ms) {
    if (group_) {
        return !group_->empty() && deadline_ms > 0 ? CommitGroup() : core::Status::Ok();
    }
    const auto end = Clock::now() + std::chrono::milliseconds(deadline_ms);
    bool stopping = false;
    for (;;) {
        transport_->Flush();
        BV_RETURN_IF_ERROR(Poll());
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (window_.outstanding() == 0 || left <= 0) {
            return core::Status::Ok();
        }
        const std::int64_t slice = std::min<std::int64_t>(left, kDrainSliceMs);
        if (!stopping) {
            core::Status status = waiter_.Wait(transport_->wake_fd(), slice);
            // A drain is often part of stopping, where the waiter refuses to wait.
            stopping = !status.ok() && status.error().sqlstate == core::kQueryCanceled;
            if (!status.ok() && !stopping) {
                return status;
            }
        } else {
            pollfd descriptor{transport_->wake_fd(), POLLIN, 0};
            (void)poll(&descriptor, 1, static_cast<int>(slice));
        }
    }
}

core::Status MessageSink::OnMessage(const format::Message& message) {
    core::Status status = Deliver(message);
    delivery_failed_ = !status.ok();
    return status;
}

core::Status MessageSink::SendAboutTransaction(std::string_view value) {
    sink::OutgoingMessage outgoing;
    outgoing.destination = events_topic_;
    outgoing.has_key = true;
    outgoing.key = events_->Key();
    outgoing.value = value;
    return Send(outgoing, 0, nullptr, 0);
}

core::Status MessageSink::TellBegin() {
    if (!counting_ || std::exchange(told_begin_, true)) {
        return core::Status::Ok();
    }
    return SendAboutTransaction(events_->BeginValue());
}

core::Status MessageSink::DeliverSchemaChange(const core::Change& change) {
    const SchemaEvent event = MakeSchemaEvent(source_, change);
    sink::OutgoingMessage outgoing;
    outgoing.destination = schema_topic_;
    outgoing.has_key = true;
    outgoing.key = event.key;
    outgoing.value = event.value;
    outgoing.headers = headers_.Make(change, change.identity.part, {});
    return Send(outgoing, 0, &change.identity, change.identity.part);
}

core::Status MessageSink::DeliverOutbox(const core::Change& change) {
    auto made = outbox_->Read(change);
    if (!made.ok()) {
        return made.TakeStatus();
    }
    if (!*made) {
        return core::Status::Ok();
    }
    BV_RETURN_IF_ERROR(TellBegin());
    if (counting_) {
        events_->Count(destination_->counted_as);
    }
    const Outbox::Message& message = outbox_->message();
    outbox_headers_.clear();
    for (const auto& [name, value] : message.headers) {
        outbox_headers_.push_back({name, value});
    }
    sink::OutgoingMessage outgoing;
    outgoing.destination = message.topic;
    outgoing.has_key = message.has_key;
    outgoing.key = message.key;
    outgoing.has_value = message.has_value;
    outgoing.value = message.value;
    outgoing.headers = headers_.Make(change, change.identity.part, outbox_headers_);
    return Send(outgoing, destination_->table, &change.identity, change.identity.part);
}

core::Status MessageSink::Deliver(const format::Message& message) {
    BV_RETURN_IF_ERROR(TellBegin());
    if (counting_ && message.has_value) {
        events_->Count(destination_->counted_as);
    }
    sink::OutgoingMessage& outgoing = outgoing_;
    outgoing.destination = destination_->topic;
    outgoing.has_key = message.has_key;
    outgoing.key = message.key;
    outgoing.has_value = message.has_value;
    outgoing.value = message.value;
    outgoing.headers = headers_.Make(*change_, message.part, message.headers);
    return Send(outgoing, destination_->table, &change_->identity, message.part);
}

core::Status MessageSink::Send(sink::OutgoingMessage& message, std::uint32_t table,
                               const core::Identity* identity, std::uint32_t part) {
    message.tag = under_way_.Open();
    SentMessage& sent = under_way_.at(message.tag);
    sent.transaction = transaction_;
    sent.table = table;
    sent.redelivered = identity != nullptr ? redelivering_ : -1;
    sent.identity.source = nullptr;
    sent.kept = nullptr;
    if (identity != nullptr) {
        sent.identity.source = &source_;  // the event's own may be gone when it is asked for
        sent.identity.commit_lsn = identity->commit_lsn;
        sent.identity.xid = identity->xid;
        sent.identity.ordinal = identity->ordinal;
        sent.identity.part = part;
        if (redelivering_ < 0 && refusals_.keeps()) {
            sent.kept = refusals_.Keep(*event_, message);
        }
    }
    under_way_.Opened(message.tag);
    BV_RETURN_IF_ERROR(SendWhenRoom(message));
    window_.Sent();
    if (redelivering_ >= 0) {
        ++redelivered_;
        ++redelivered_under_way_;
    }
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::deliverer_sent));
    return ++messages_since_poll_ >= kMessagesPerPoll ? Poll() : core::Status::Ok();
}

// Of an event that is given up: the window goes on counting it, now as the letter's.
core::Status MessageSink::SendLetter(sink::OutgoingMessage& message, SentMessage sent) {
    message.tag = under_way_.Add(std::move(sent));
    return SendWhenRoom(message);
}

core::Result<std::uint32_t> MessageSink::Find(const format::avro::SchemaRequest& request) {
    schemas_->set_topic(destination_->topic);
    auto id = schemas_->Find(request);
    // Neither a registry that is away nor one that refuses makes the change itself a bad one.
    delivery_failed_ = !id.ok();
    return id.ok() ? std::move(id)
                   : core::Result<std::uint32_t>(
                         NameTheEvent(id.TakeStatus().TakeError(), destination_->table,
                                      event_ != nullptr ? event_->identity : core::Identity{}));
}

core::Status MessageSink::SendWhenRoom(const sink::OutgoingMessage& message) {
    Clock::time_point full_since{};
    for (;;) {
        if (under_way_.bytes() <= kKeptBytes || window_.outstanding() == 0) {
            auto result = transport_->Send(message);
            if (!result.ok()) {
                const SentMessage sent = under_way_.Take(message.tag);
                return NameTheEvent(result.error(), sent.table, sent.identity);
            }
            if (*result == sink::SendResult::kQueued) {
                under_way_.HandedOver(message.tag);
                return core::Status::Ok();
            }
        }
        if (core::Status status = WaitForRoom(full_since); !status.ok()) {
            (void)under_way_.Take(message.tag);
            return status;
        }
    }
}

core::Status MessageSink::WaitForRoom(Clock::time_point& full_since) {
    const std::uint64_t before = window_.outstanding();
    BV_RETURN_IF_ERROR(Poll());
    if (window_.outstanding() != before) {
        full_since = {};
        return core::Status::Ok();
    }
    const auto now = Clock::now();
    full_since = full_since == Clock::time_point{} ? now : full_since;
    // Many partitions may fill the transport before any of them has a full batch: then no
    // acknowledgement is on its way.
    const bool stuck = now - full_since >= kFullTime;
    if (stuck) {
        transport_->Flush();
    }
    return waiter_.Wait(transport_->wake_fd(), stuck ? kWaitMs : kFullTime.count());
}

void MessageSink::OnAck(std::uint64_t tag) {
    const UnderWay::Counted sent = under_way_.Acked(tag);
    window_.Acked(sent.transaction);
    redelivered_under_way_ -= sent.redelivered >= 0 ? 1 : 0;
}

void MessageSink::OnFailure(std::uint64_t tag, const core::Error& error) {
    SentMessage sent = under_way_.Take(tag);
    if (sent.redelivered >= 0) {
        window_.Acked(sent.transaction);
        --redelivered_under_way_;
        if (outcomes_ != nullptr) {
            (*outcomes_)[static_cast<std::size_t>(sent.redelivered)] =
                NameTheEvent(error, sent.table, sent.identity).TakeError();
        }
        return;
    }
    core::Error named = NameTheEvent(error, sent.table, sent.identity).TakeError();
    if (sent.kept != nullptr && refusals_.Survives(error)) {
        refusals_.Add(std::move(sent), std::move(named));
    } else if (!failure_) {
        failure_ = std::move(named);
    }
}

core::Status MessageSink::NameTheEvent(core::Error error, std::uint32_t table,
                                       const core::Identity& identity) const {
    const auto add = [&error](const std::string& sentence) {
        error.detail += (error.detail.empty() ? "" : " ") + sentence;
    };
    if (table != 0) {
        add("It is a change of table \"" + destinations_.TableName(table) + "\".");
    }
    if (identity.source != nullptr) {
        add("Its identity is " + IdentityText(identity) + ".");
    }
    return core::Status(std::move(error));
}

core::Status MessageSink::RedeliverOne(const core::Change& event,
                                       std::optional<core::Error>& outcome) {
    const std::uint64_t before = redelivered_;
    core::Status status = Write(event);
    if (status.ok() && redelivered_ == before) {
        status = core::Status::Fail(core::kObjectNotInPrerequisiteState,
                                    "the stream's options do not send such an event any more");
    }
    if (status.ok()) {
        return status;
    }
    // What concerns the broker or this process ends it; what else is wrong keeps the letter.
    const std::string_view kind = std::string_view(status.error().sqlstate).substr(0, 2);
    if (!status.error().poison && (kind == "08" || kind == "57" || kind == "XX")) {
        return status;
    }
    outcome = status.TakeError();
    return core::Status::Ok();
}

core::Status MessageSink::Redeliver(std::span<const core::Change* const> events,
                                    std::vector<std::optional<core::Error>>& outcomes) {
    outcomes.assign(events.size(), std::nullopt);
    if (!refusals_.keeps()) {
        core::Error error;
        error.sqlstate = core::kObjectNotInPrerequisiteState;
        error.message = "the stream stops at what the broker refuses, so it sends no letter again";
        outcomes.assign(events.size(), error);
        return core::Status::Ok();
    }
    transaction_ = window_.Open();
    counting_ = false;
    outcomes_ = &outcomes;
    core::Status status;
    for (std::size_t i = 0; i < events.size() && status.ok(); ++i) {
        redelivering_ = static_cast<std::int32_t>(i);
        status = RedeliverOne(*events[i], outcomes[i]);
    }
    redelivering_ = -1;
    while (status.ok() && redelivered_under_way_ > 0) {
        transport_->Flush();
        status = Poll();
        if (status.ok() && redelivered_under_way_ > 0) {
            status = waiter_.Wait(transport_->wake_fd(), kDrainSliceMs);
        }
    }
    outcomes_ = nullptr;
    window_.Discard();
    return status;
}

void MessageSink::Advance() {
    if (group_) {
        durable_ = std::max(durable_, group_->committed());
        return;
    }
    durable_ = std::max(durable_, window_.confirmed());
    if (window_.idle()) {
        durable_ = std::max(durable_, progress_);
    }
}

}  // namespace

core::Result<std::unique_ptr<sink::Sink>> MakeMessageSink(
    const MessageSinkOptions& options, std::unique_ptr<sink::Transport> transport,
    sink::Waiter& waiter, std::unique_ptr<sink::registry::HttpClient> registry) {
    auto shaping = ParseBrokerOptions(options.format, options.options_json);
    if (!shaping.ok()) {
        return shaping.TakeStatus();
    }
    auto made =
        std::make_unique<MessageSink>(options, std::move(*shaping), std::move(transport), waiter);
    BV_RETURN_IF_ERROR(made->OpenEncoder(options, std::move(registry)));
    return std::unique_ptr<sink::Sink>(std::move(made));
}

}  // namespace bitvelocity::pipeline
