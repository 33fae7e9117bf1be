// The message sink with a transport that acknowledges as the test says: what may be confirmed, what
// happens when it is full, refuses a message or goes away.

#include "pipeline/message_sink.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/lsn.hpp"
#include "core/schema.hpp"

namespace bitvelocity::pipeline {
namespace {

using core::Lsn;

struct Sent {
    std::string topic;
    std::string key;
    std::string value;
    std::string headers;
    std::uint64_t tag = 0;
};

// What the test sees of the transport, which the sink owns.
struct Broker {
    std::vector<Sent> messages;
    std::size_t room = 1000000;
    std::deque<std::size_t> acknowledge;  // indexes of messages, served by the next Poll
    std::size_t fail = SIZE_MAX;
    bool poison = true;
    core::Status poll_status() const { return fatal ? Fatal() : core::Status::Ok(); }
    bool fatal = false;
    int flushes = 0;
    bool reachable = true;

    static core::Status Fatal() {
        return core::Status::Fail(core::kConnectionFailure, "the producer cannot go on");
    }
    [[nodiscard]] std::string Topics() const {
        std::string text;
        for (const Sent& sent : messages) {
            text += sent.topic + " ";
        }
        return text;
    }
};

class FakeTransport final : public sink::Transport {
  public:
    explicit FakeTransport(Broker& broker) : broker_(broker) {}
    core::Result<sink::SendResult> Send(const sink::OutgoingMessage& message) override {
        if (broker_.room == 0) {
            return sink::SendResult::kFull;
        }
        --broker_.room;
        Sent sent{std::string(message.destination),
                  std::string(message.key),
                  std::string(message.value),
                  {},
                  message.tag};
        for (const sink::Header& header : message.headers) {
            sent.headers += std::string(header.name) + "=" + std::string(header.value) + ";";
        }
        broker_.messages.push_back(std::move(sent));
        return sink::SendResult::kQueued;
    }
    core::Status Poll(sink::AckHandler& handler) override {
        for (; !broker_.acknowledge.empty(); broker_.acknowledge.pop_front()) {
            handler.OnAck(broker_.messages[broker_.acknowledge.front()].tag);
            ++broker_.room;
        }
        if (broker_.fail != SIZE_MAX) {
            core::Error error;
            error.sqlstate = core::kProgramLimitExceeded;
            error.message = "too large";
            error.detail = "5000000 bytes.";
            error.poison = broker_.poison;
            handler.OnFailure(broker_.messages[std::exchange(broker_.fail, SIZE_MAX)].tag, error);
        }
        return broker_.poll_status();
    }
    void Flush() override { ++broker_.flushes; }
    [[nodiscard]] int wake_fd() const override { return -1; }
    [[nodiscard]] sink::Health health() const override {
        sink::Health health;
        health.reachable = broker_.reachable;
        return health;
    }

  private:
    Broker& broker_;
};

// What a stream has given up, as a table and a log would have it.
class FakeLetters final : public LetterBox {
  public:
    void Note(const Letter& letter) override {
        ++noted;
        errors.push_back(letter.error.message);
    }
    core::Status Store(const Letter& letter) override {
        waiting.push_back(IdentityText(letter.change.identity) + " " + std::string(letter.topic) +
                          " " + (letter.has_key ? std::string(letter.key) : "-") + " " +
                          ChangeJson(letter.change));
        return core::Status::Ok();
    }
    core::Status Flush() override {
        if (fail) {
            return core::Status::Fail(core::kConnectionFailure, "no room for letters");
        }
        stored.insert(stored.end(), waiting.begin(), waiting.end());
        waiting.clear();
        return core::Status::Ok();
    }
    int noted = 0;
    bool fail = false;
    std::vector<std::string> errors;
    std::vector<std::string> waiting;
    std::vector<std::string> stored;
};

// Acknowledges the oldest message at each wait, and refuses once told to stop.
class FakeWaiter final : public sink::Waiter {
  public:
    explicit FakeWaiter(Broker& broker) : broker_(broker) {}
    core::Status Wait(int, std::int64_t) override {
        ++waits;
        if (stopping) {
            return core::Status::Fail(core::kQueryCanceled, "stopping");
        }
        if (next < broker_.messages.size() && (!needs_flush || broker_.flushes > 0)) {
            broker_.acknowledge.push_back(next++);
        }
        return core::Status::Ok();
    }
    int waits = 0;
    std::size_t next = 0;
    bool stopping = false;
    bool needs_flush = false;  // batches that are not full stay where they are

  private:
    Broker& broker_;
};

class MessageSinkTest : public testing::Test {
  protected:
    void Make(const std::string& format = "flat", const std::string& options = "{}") {
        MessageSinkOptions settings;
        settings.source.system_identifier = 7;
        settings.source.database_oid = 5;
        settings.source.database = "shop";
        settings.source.stream = "s:1";
        settings.source.epoch = 3;
        settings.format = format;
        settings.options_json = options;
        settings.start = Lsn{0x50};
        settings.letters = &letters_;
        auto made = MakeMessageSink(settings, std::make_unique<FakeTransport>(broker_), waiter_);
        ASSERT_TRUE(made.ok()) << made.error().message;
        sink_ = std::move(*made);
        source_ = settings.source;
        auto text = std::make_shared<core::TypeDescription>();
        text->oid = 25;
        text->schema = "pg_catalog";
        text->name = "text";
        text->category = 'S';
        text_ = std::move(text);
        orders_ = Table(16, "orders");
        items_ = Table(17, "items");
    }

    core::RelationSchema Table(core::Oid oid, std::string name) {
        core::RelationSchema relation;
        relation.oid = oid;
        relation.schema = "public";
        relation.name = std::move(name);
        relation.version = 1;
        relation.columns.resize(2);
        relation.columns[0].name = "id";
        relation.columns[0].type = text_;
        relation.columns[0].key = true;
        relation.columns[1].name = "note";
        relation.columns[1].type = text_;
        return relation;
    }

    core::Status Insert(const core::RelationSchema& relation, std::string_view id,
                        std::string_view note = "n", const core::Context* context = nullptr) {
        const core::Value values[] = {{core::ValueKind::kText, id}, {core::ValueKind::kText, note}};
        core::Change change;
        change.relation = &relation;
        change.after = values;
        change.identity.source = &source_;
        change.identity.commit_lsn = transaction_.commit_lsn;
        change.identity.xid = transaction_.xid;
        change.identity.ordinal = ++ordinal_;
        change.context = context;
        return sink_->Write(change);
    }

    void Begin(std::uint64_t commit_lsn) {
        transaction_ = {};
        transaction_.commit_lsn = Lsn{commit_lsn};
        transaction_.xid = 42;
        ordinal_ = 0;
        ASSERT_TRUE(sink_->Begin(transaction_).ok());
    }
    void Commit(std::uint64_t end_lsn) {
        transaction_.end_lsn = Lsn{end_lsn};
        ASSERT_TRUE(sink_->Commit(transaction_).ok());
    }
    void OneRow(std::uint64_t commit_lsn, std::uint64_t end_lsn) {
        Begin(commit_lsn);
        ASSERT_TRUE(Insert(orders_, "1").ok());
        Commit(end_lsn);
    }
    void Acknowledge(std::vector<std::size_t> messages) {
        broker_.acknowledge.assign(messages.begin(), messages.end());
        ASSERT_TRUE(sink_->Poll().ok());
    }

    Broker broker_;
    FakeLetters letters_;
    FakeWaiter waiter_{broker_};
    std::unique_ptr<sink::Sink> sink_;
    core::Source source_;
    core::TypePtr text_;
    core::RelationSchema orders_;
    core::RelationSchema items_;
    core::Transaction transaction_;
    std::uint64_t ordinal_ = 0;
};

TEST_F(MessageSinkTest, ConfirmsOnlyTheLongestAcknowledgedPrefix) {
    Make();
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    OneRow(0x100, 0x110);
    OneRow(0x200, 0x210);
    OneRow(0x300, 0x310);
    Acknowledge({2});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    Acknowledge({0});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    Acknowledge({1});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x310});
}

TEST_F(MessageSinkTest, AnOpenTransactionIsNotConfirmedThoughAllIsAcknowledged) {
    Make();
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    Acknowledge({0});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    Commit(0x110);
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
}

TEST_F(MessageSinkTest, ProgressCountsOnceNothingIsInFlight) {
    Make();
    ASSERT_TRUE(sink_->Progress(Lsn{0x80}).ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x80});
    OneRow(0x100, 0x110);
    ASSERT_TRUE(sink_->Progress(Lsn{0x180}).ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x80});
    Acknowledge({0});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x180});
    Begin(0x200);
    Commit(0x210);  // nothing of it reached the sink
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x210});
}

// Progress behind a later transaction must not come back when an earlier one is acknowledged.
TEST_F(MessageSinkTest, ThePositionNeverGoesBack) {
    Make();
    OneRow(0x100, 0x110);
    ASSERT_TRUE(sink_->Progress(Lsn{0x180}).ok());
    OneRow(0x200, 0x210);
    Acknowledge({0});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    Acknowledge({1});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x210});
    ASSERT_TRUE(sink_->Progress(Lsn{0x180}).ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x210});
}

TEST_F(MessageSinkTest, WaitsWhileTheTransportIsFullAndLosesNothing) {
    Make();
    broker_.room = 2;
    Begin(0x100);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(Insert(orders_, std::to_string(i)).ok());
    }
    Commit(0x110);
    ASSERT_EQ(broker_.messages.size(), 10u);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(broker_.messages[i].key.find(std::to_string(i)) != std::string::npos, true);
    }
    EXPECT_EQ(waiter_.waits, 8);
}

TEST_F(MessageSinkTest, StopsWaitingWhenTheWaiterRefuses) {
    Make();
    broker_.room = 0;
    waiter_.stopping = true;
    Begin(0x100);
    const core::Status status = Insert(orders_, "1");
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kQueryCanceled);
}

TEST_F(MessageSinkTest, AMessageThatIsRefusedStopsTheStreamAndNamesItsTable) {
    Make();
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    ASSERT_TRUE(Insert(items_, "2").ok());
    Commit(0x110);
    broker_.acknowledge = {0};
    broker_.fail = 1;
    const core::Status status = sink_->Boundary(true);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kProgramLimitExceeded);
    EXPECT_NE(status.error().detail.find("5000000 bytes"), std::string::npos);
    EXPECT_NE(status.error().detail.find("\"public.items\""), std::string::npos);
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    EXPECT_FALSE(sink_->Poll().ok());
}

TEST_F(MessageSinkTest, ACharacterThatNoEncoderTakesNamesItsTable) {
    Make("event");
    Begin(0x100);
    const core::Status status = Insert(orders_, "1", "\xff\xfe");
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().detail.find("\"public.orders\""), std::string::npos);
}

TEST_F(MessageSinkTest, AnErrorTellsTheEventsIdentity) {
    Make();
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    broker_.fail = 0;
    const core::Status status = sink_->Poll();
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().detail.find("Its identity is 3:0/100:42:1:0."), std::string::npos)
        << status.error().detail;
}

constexpr char kLetters[] = R"({"on_error": "dead_letter"})";
constexpr char kTopicOfLetters[] = R"({"on_error": "dead_letter", "dead_letter.topic": "dead"})";

// The position waits for the letter as it would for an acknowledgement.
TEST_F(MessageSinkTest, AMessageThatIsRefusedBecomesALetterBeforeThePositionPassesIt) {
    Make("flat", kLetters);
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    ASSERT_TRUE(Insert(items_, "2", "é").ok());
    ASSERT_TRUE(Insert(orders_, "3").ok());
    Commit(0x110);
    broker_.acknowledge = {0, 2};
    broker_.fail = 1;
    letters_.fail = true;
    EXPECT_FALSE(sink_->Poll().ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    letters_.fail = false;
    ASSERT_TRUE(sink_->Poll().ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    ASSERT_EQ(letters_.stored.size(), 1u);
    EXPECT_EQ(
        letters_.stored[0],
        "3:0/100:42:2:0 s_1.public.items {\"id\":\"2\"} "
        R"({"before":null,"before_is_key":false,"after":{"id":"2","note":"é"},"unchanged":[]})");
    EXPECT_EQ(letters_.noted, 1);
    EXPECT_TRUE(sink_->settled());
}

TEST_F(MessageSinkTest, WhatNoEncoderTakesBecomesALetterAndTheRestGoesOn) {
    Make("event", kLetters);
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1", "\xff\xfe").ok());
    ASSERT_TRUE(Insert(orders_, "2").ok());
    Commit(0x110);
    EXPECT_EQ(broker_.messages.size(), 1u);
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    Acknowledge({0});
    EXPECT_EQ(letters_.stored.size(), 1u);
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
}

TEST_F(MessageSinkTest, WhatIsNotOfTheEventStopsTheStreamUnderEveryPolicy) {
    Make("flat", kLetters);
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    broker_.fail = 0;
    broker_.poison = false;
    EXPECT_FALSE(sink_->Poll().ok());
    EXPECT_EQ(letters_.noted, 0);
}

TEST_F(MessageSinkTest, SkippedEventsAreCountedAndLeaveNothing) {
    Make("flat", R"({"on_error": "skip"})");
    OneRow(0x100, 0x110);
    broker_.fail = 0;
    ASSERT_TRUE(sink_->Poll().ok());
    EXPECT_EQ(letters_.noted, 1);
    EXPECT_TRUE(letters_.stored.empty());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
}

TEST_F(MessageSinkTest, ATopicOfLettersIsAcknowledgedLikeAnyOther) {
    Make("flat", kTopicOfLetters);
    OneRow(0x100, 0x110);
    broker_.fail = 0;
    ASSERT_TRUE(sink_->Poll().ok());
    ASSERT_EQ(broker_.messages.size(), 2u);
    EXPECT_EQ(broker_.messages[1].topic, "dead");
    EXPECT_EQ(broker_.messages[1].key, broker_.messages[0].key);
    EXPECT_EQ(broker_.messages[1].headers,
              "stream=s:1;table=public.orders;topic=s_1.public.orders;operation=INSERT;"
              "identity=3:0/100:42:1:0;sqlstate=54000;error=too large;detail=5000000 bytes. It is "
              "a change of table \"public.orders\". Its identity is 3:0/100:42:1:0.;");
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    Acknowledge({1});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    EXPECT_TRUE(letters_.stored.empty());
}

// What is kept is bounded, but neither a letter about more than that waits for itself, nor does a
// message for the letter of another one that waits behind it.
TEST_F(MessageSinkTest, LettersOfLargeEventsFindRoom) {
    Make("flat", kTopicOfLetters);
    const std::string large(33'000'000, 'x');
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1", large).ok());
    Commit(0x110);
    broker_.fail = 0;
    ASSERT_TRUE(sink_->Poll().ok());
    ASSERT_EQ(broker_.Topics(), "s_1.public.orders dead ");
    Acknowledge({1});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});

    const std::string half(17'000'000, 'x');
    waiter_.next = 3;
    Begin(0x200);
    ASSERT_TRUE(Insert(orders_, "2", half).ok());
    ASSERT_TRUE(Insert(orders_, "3", half).ok());
    broker_.fail = 2;
    ASSERT_TRUE(Insert(orders_, "4", half).ok());
    Commit(0x210);
    ASSERT_EQ(broker_.Topics(),
              "s_1.public.orders dead s_1.public.orders s_1.public.orders dead s_1.public.orders ");
}

TEST_F(MessageSinkTest, ALetterThatItsTopicRefusesGoesIntoTheTable) {
    Make("flat", kTopicOfLetters);
    OneRow(0x100, 0x110);
    broker_.fail = 0;
    ASSERT_TRUE(sink_->Poll().ok());
    broker_.fail = 1;
    ASSERT_TRUE(sink_->Poll().ok());
    EXPECT_EQ(letters_.stored.size(), 1u);
    EXPECT_EQ(letters_.noted, 1);
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
}

TEST_F(MessageSinkTest, ALetterIsSentAgainWithItsIdentityAndMovesNoPosition) {
    Make("flat", kLetters);
    OneRow(0x100, 0x110);
    Acknowledge({0});
    const core::Value values[] = {{core::ValueKind::kText, "7"}, {core::ValueKind::kText, "n"}};
    core::Change change;
    change.relation = &orders_;
    change.after = values;
    change.identity = {&source_, Lsn{0x80}, 41, 5, 0};
    auto read = ReadLetter(WriteLetter(change, nullptr), 99, &source_);
    ASSERT_TRUE(read.ok());
    waiter_.next = 1;
    std::vector<std::optional<core::Error>> outcomes;
    const core::Change* events[] = {&read->event->change()};
    ASSERT_TRUE(sink_->Redeliver(events, outcomes).ok());
    ASSERT_EQ(broker_.messages.size(), 2u);
    EXPECT_NE(broker_.messages[1].headers.find("3:0/80:41:5:0"), std::string::npos);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_FALSE(outcomes[0].has_value());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    OneRow(0x200, 0x210);
    Acknowledge({2});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x210});
}

// Where a refused message ends the transport, a letter that is refused again would end the stream.
TEST_F(MessageSinkTest, AStreamThatStopsSendsNoLetterAgain) {
    Make("flat");
    core::Change change;
    change.relation = &orders_;
    std::vector<std::optional<core::Error>> outcomes;
    const core::Change* events[] = {&change};
    ASSERT_TRUE(sink_->Redeliver(events, outcomes).ok());
    EXPECT_TRUE(outcomes[0].has_value());
    EXPECT_TRUE(broker_.messages.empty());
}

TEST_F(MessageSinkTest, ALetterThatIsRefusedAgainSaysWhy) {
    Make("event", kLetters);
    const core::Value values[] = {{core::ValueKind::kText, "\xff"}, {core::ValueKind::kNull, {}}};
    core::Change change;
    change.relation = &orders_;
    change.after = values;
    change.identity = {&source_, Lsn{0x80}, 41, 5, 0};
    std::vector<std::optional<core::Error>> outcomes;
    const core::Change* events[] = {&change};
    ASSERT_TRUE(sink_->Redeliver(events, outcomes).ok());
    ASSERT_TRUE(outcomes[0].has_value());
    EXPECT_TRUE(letters_.stored.empty());
    EXPECT_EQ(letters_.noted, 0);
}

TEST_F(MessageSinkTest, AFatalErrorOfTheTransportEndsTheSink) {
    Make();
    broker_.fatal = true;
    EXPECT_FALSE(sink_->Boundary(false).ok());
}

TEST_F(MessageSinkTest, ServesAcknowledgementsInsideALongTransaction) {
    Make();
    broker_.room = 100000;
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    broker_.acknowledge = {0};
    for (int i = 0; i < 2000; ++i) {
        ASSERT_TRUE(Insert(orders_, "1").ok());
    }
    EXPECT_TRUE(broker_.acknowledge.empty());
    EXPECT_EQ(waiter_.waits, 0);
}

TEST_F(MessageSinkTest, FlushesOnlyWhenIdle) {
    Make();
    ASSERT_TRUE(sink_->Boundary(true).ok());
    EXPECT_EQ(broker_.flushes, 0);  // nothing to send
    OneRow(0x100, 0x110);
    ASSERT_TRUE(sink_->Boundary(false).ok());
    EXPECT_EQ(broker_.flushes, 0);
    ASSERT_TRUE(sink_->Boundary(true).ok());
    EXPECT_EQ(broker_.flushes, 1);
    broker_.acknowledge = {0};
    ASSERT_TRUE(sink_->Boundary(true).ok());
    EXPECT_EQ(broker_.flushes, 1);
}

TEST_F(MessageSinkTest, AFullTransportIsFlushedWhenNothingComesBack) {
    Make();
    broker_.room = 1;
    waiter_.needs_flush = true;
    ASSERT_TRUE(sink_->Begin({}).ok());
    ASSERT_TRUE(Insert(orders_, "1").ok());
    EXPECT_EQ(broker_.flushes, 0);
    ASSERT_TRUE(Insert(orders_, "2").ok());
    EXPECT_GT(broker_.flushes, 0);
    EXPECT_EQ(broker_.messages.size(), 2U);
}

TEST_F(MessageSinkTest, DrainsToTheLastAcknowledgement) {
    Make();
    OneRow(0x100, 0x110);
    OneRow(0x200, 0x210);
    ASSERT_TRUE(sink_->Drain(60000).ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x210});
}

TEST_F(MessageSinkTest, ADrainGivesUpAtItsDeadlineAlsoWhenTheWaiterRefuses) {
    Make();
    OneRow(0x100, 0x110);
    waiter_.stopping = true;
    ASSERT_TRUE(sink_->Drain(50).ok());
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    EXPECT_LE(waiter_.waits, 1);
}

TEST_F(MessageSinkTest, NamesTopicsByTable) {
    Make("flat", R"({"topic": "{database}.{table}"})");
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    ASSERT_TRUE(Insert(items_, "1").ok());
    orders_.name = "orders2";
    ++orders_.version;
    ASSERT_TRUE(Insert(orders_, "1").ok());
    Commit(0x110);
    EXPECT_EQ(broker_.Topics(), "shop.orders shop.items shop.orders2 ");
}

TEST_F(MessageSinkTest, HeadersCarryIdentityAndContext) {
    Make("flat");
    const core::Context context{"ann", "0192c4f2-7a10-8b3c-9d4e-000000000001", "00-ab-cd-01"};
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1", "n", &context).ok());
    ASSERT_TRUE(Insert(orders_, "2").ok());
    Commit(0x110);
    EXPECT_EQ(broker_.messages[0].headers,
              "identity=3:0/100:42:1:0:7.5:s:1;"
              "correlation_id=0192c4f2-7a10-8b3c-9d4e-000000000001;traceparent=00-ab-cd-01;");
    EXPECT_EQ(broker_.messages[1].headers, "identity=3:0/100:42:2:0:7.5:s:1;");
}

TEST_F(MessageSinkTest, AllHeaders) {
    Make("event", R"({"headers": true})");
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    core::Identity identity{&source_, Lsn{0x100}, 42, 1, 0};
    std::string id;
    core::AppendUuid(id, core::MakeEventId(identity));
    EXPECT_EQ(broker_.messages[0].headers,
              "event_id=" + id +
                  ";identity=3:0/100:42:1:0:7.5:s:1;source=7.5;epoch=3;commit_lsn=0/100;xid=42;"
                  "ordinal=1;part=0;operation=INSERT;");
}

TEST_F(MessageSinkTest, SendsOnlyTheLogicalMessagesThatWereAskedFor) {
    const auto say = [this](std::string_view prefix) {
        core::Change change;
        change.operation = core::Operation::kMessage;
        change.prefix = prefix;
        change.content = "hello";
        change.identity = {&source_, Lsn{0x100}, 42, 1, 0};
        return sink_->Write(change);
    };
    const auto sent = [&](const std::string& option) {
        Make("event", option);
        broker_.messages.clear();
        Begin(0x100);
        for (const char* prefix : {"audit", "audit.login", "billing"}) {
            EXPECT_TRUE(say(prefix).ok());
        }
        Commit(0x110);
        return broker_.messages.size();
    };
    EXPECT_EQ(sent("{}"), 0U);
    EXPECT_EQ(sent(R"({"messages": false})"), 0U);
    EXPECT_EQ(sent(R"({"messages": true})"), 3U);
    EXPECT_EQ(broker_.Topics(), "s_1.message s_1.message s_1.message ");
    EXPECT_EQ(sent(R"({"messages": ["audit"]})"), 1U);
    EXPECT_EQ(sent(R"({"messages": ["audit*", "nothing"]})"), 2U);
}

TEST_F(MessageSinkTest, AnOutboxRowIsTheMessageItself) {
    Make("debezium", R"({"outbox": {"table": "public.outbox", "topic": "{stream}-{route}",
                                    "headers": {"x-tenant": "tenant"}}})");
    core::RelationSchema outbox = Table(20, "outbox");
    const auto column = [this](const char* name) {
        core::Column made;
        made.name = name;
        made.type = text_;
        return made;
    };
    outbox.columns = {column("id"),      column("aggregatetype"), column("aggregateid"),
                      column("payload"), column("tenant"),        column("type")};
    outbox.columns[0].key = true;
    const core::Value row[] = {
        {core::ValueKind::kText, "e-1"}, {core::ValueKind::kText, "order/x"},
        {core::ValueKind::kText, "17"},  {core::ValueKind::kText, R"({"a": 1.10,  "b":[]})"},
        {core::ValueKind::kNull, {}},    {core::ValueKind::kText, "OrderPaid"}};
    core::Change change;
    change.relation = &outbox;
    change.after = row;
    change.identity = {&source_, Lsn{0x100}, 42, 1, 0};
    Begin(0x100);
    ASSERT_TRUE(sink_->Write(change).ok());
    ASSERT_TRUE(Insert(orders_, "1").ok());
    change.operation = core::Operation::kDelete;
    change.before = row;
    change.after = {};
    ASSERT_TRUE(sink_->Write(change).ok());
    change.operation = core::Operation::kUpdate;
    change.after = row;
    ASSERT_TRUE(sink_->Write(change).ok());
    Commit(0x110);
    ASSERT_EQ(broker_.Topics(), "s_1-order_x s_1.public.orders ");
    EXPECT_EQ(broker_.messages[0].key, "17");
    EXPECT_EQ(broker_.messages[0].value, R"({"a": 1.10,  "b":[]})");
    EXPECT_EQ(broker_.messages[0].headers,
              "identity=3:0/100:42:1:0:7.5:s:1;id=e-1;type=OrderPaid;");
}

TEST_F(MessageSinkTest, AnOutboxMessageIsTheMembersOfItsContent) {
    Make("event", R"({"outbox": {"prefix": "outbox", "route": "to", "key": "k", "payload": "p"}})");
    const auto say = [this](std::string_view content) {
        core::Change change;
        change.operation = core::Operation::kMessage;
        change.prefix = "outbox";
        change.content = content;
        change.identity = {&source_, Lsn{0x100}, 42, 1, 0};
        return sink_->Write(change);
    };
    Begin(0x100);
    ASSERT_TRUE(
        say(R"( { "p" : {"n": 1.100, "s": "a\"},:{" } , "k":"a\u00e9","to": "orders", "id": 7})")
            .ok());
    ASSERT_TRUE(say(R"({"p": "plain \"text\"", "k": null, "to": "orders"})").ok());
    ASSERT_TRUE(say(R"({"p": null, "k": 5, "to": "orders"})").ok());
    EXPECT_EQ(broker_.Topics(), "outbox.event.orders outbox.event.orders outbox.event.orders ");
    EXPECT_EQ(broker_.messages[0].value, R"({"n": 1.100, "s": "a\"},:{" })");
    EXPECT_EQ(broker_.messages[0].key, "aé");
    EXPECT_EQ(broker_.messages[0].headers, "id=7;");
    EXPECT_EQ(broker_.messages[1].value, R"(plain "text")");
    EXPECT_EQ(broker_.messages[2].key, "5");
    EXPECT_EQ(say(R"({"p": 1})").error().sqlstate, core::kInvalidText);
    EXPECT_EQ(say(R"({"p": 1, "k": 1, "to": null})").error().sqlstate, "22004");
    EXPECT_FALSE(say("[]").ok());
    EXPECT_FALSE(say("{\"p\": }").ok());
}

TEST_F(MessageSinkTest, AnOutboxPayloadOfBytesGoesAsBytes) {
    Make("event", R"({"outbox": {"table": "public.outbox", "route": "id", "key": "id"}})");
    core::RelationSchema outbox = Table(20, "outbox");
    outbox.columns[1].name = "payload";
    auto bytea = std::make_shared<core::TypeDescription>();
    bytea->oid = 17;
    outbox.columns[1].type = bytea;
    Begin(0x100);
    ASSERT_TRUE(Insert(outbox, "1", "\\x00ff41").ok());
    EXPECT_EQ(broker_.messages[0].value, std::string("\0\xff"
                                                     "A",
                                                     3));
    EXPECT_FALSE(Insert(outbox, "1", "abc").ok());
    // The column is gone: nothing can be sent.
    outbox.columns[1].name = "body";
    ++outbox.version;
    EXPECT_EQ(Insert(outbox, "1").error().sqlstate, core::kObjectNotInPrerequisiteState);
}

TEST_F(MessageSinkTest, AHeartbeatSaysThatTheStreamLivesAndMovesNoPosition) {
    Make("event", R"({"heartbeat_interval": 1000})");
    ASSERT_TRUE(sink_->Progress(Lsn{0x90}).ok());
    ASSERT_TRUE(sink_->Boundary(true).ok());
    ASSERT_TRUE(sink_->Boundary(true).ok());
    ASSERT_EQ(broker_.Topics(), "s_1.heartbeat ");
    EXPECT_EQ(broker_.messages[0].key, R"({"stream":"s:1"})");
    EXPECT_NE(broker_.messages[0].value.find(R"("lsn":"0/90"})"), std::string::npos);
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x90});
    OneRow(0x100, 0x110);
    Acknowledge({1});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x90});  // the heartbeat before it is still under way
    Acknowledge({0});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    EXPECT_TRUE(sink_->settled());
    // It waits its turn where there is no room, rather than stop the stream.
    Make("event", R"({"heartbeat_interval": 1000})");
    broker_.room = 0;
    ASSERT_TRUE(sink_->Boundary(true).ok());
    EXPECT_EQ(broker_.messages.size(), 2U);
    broker_.room = 1;
    ASSERT_TRUE(sink_->Boundary(false).ok());
    EXPECT_EQ(broker_.messages.size(), 3U);
    EXPECT_EQ(waiter_.waits, 0);
}

TEST_F(MessageSinkTest, NoHeartbeatByDefault) {
    Make();
    ASSERT_TRUE(sink_->Boundary(true).ok());
    EXPECT_TRUE(broker_.messages.empty());
}

TEST_F(MessageSinkTest, TellsWhereATransactionBeginsAndEnds) {
    Make("debezium", R"({"transaction_metadata": true, "headers": false})");
    Begin(0x100);
    ASSERT_TRUE(Insert(orders_, "1").ok());
    ASSERT_TRUE(Insert(items_, "2").ok());
    // A key change is two events and a tombstone.
    const core::Value old_row[] = {{core::ValueKind::kText, "1"}, {core::ValueKind::kText, "n"}};
    const core::Value new_row[] = {{core::ValueKind::kText, "3"}, {core::ValueKind::kText, "n"}};
    core::Change change;
    change.operation = core::Operation::kUpdate;
    change.relation = &orders_;
    change.identity = {&source_, Lsn{0x100}, 42, 3, 0};
    change.before = old_row;
    change.after = new_row;
    ASSERT_TRUE(sink_->Write(change).ok());
    Commit(0x110);
    EXPECT_EQ(broker_.Topics(),
              "s_1.transaction s_1.public.orders s_1.public.items s_1.public.orders "
              "s_1.public.orders s_1.public.orders s_1.transaction ");
    const auto has = [this](std::size_t message, const std::string& text) {
        return broker_.messages[message].value.find(text) != std::string::npos;
    };
    EXPECT_EQ(broker_.messages[0].key, R"({"id":"42:256"})");
    EXPECT_EQ(
        broker_.messages[0].value,
        R"({"status":"BEGIN","id":"42:256","event_count":null,"data_collections":null,"ts_ms":0})");
    EXPECT_TRUE(
        has(1, R"("transaction":{"id":"42:256","total_order":1,"data_collection_order":1})"));
    EXPECT_TRUE(
        has(2, R"("transaction":{"id":"42:256","total_order":2,"data_collection_order":1})"));
    EXPECT_TRUE(
        has(3, R"("transaction":{"id":"42:256","total_order":3,"data_collection_order":2})"));
    EXPECT_TRUE(
        has(5, R"("transaction":{"id":"42:256","total_order":4,"data_collection_order":3})"));
    EXPECT_EQ(broker_.messages[6].value,
              R"({"status":"END","id":"42:256","event_count":4,"data_collections":[)"
              R"({"data_collection":"public.orders","event_count":3},)"
              R"({"data_collection":"public.items","event_count":1}],"ts_ms":0})");
    // The END counts for the transaction: without it the position does not move.
    Acknowledge({0, 1, 2, 3, 4, 5});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x50});
    Acknowledge({6});
    EXPECT_EQ(sink_->DurablePosition(), Lsn{0x110});
    // Counts start anew, and a transaction without an event is not mentioned.
    Begin(0x200);
    Commit(0x210);
    EXPECT_EQ(broker_.messages.size(), 7U);
    OneRow(0x300, 0x310);
    EXPECT_TRUE(
        has(9, R"("event_count":1,"data_collections":[{"data_collection":"public.orders")"));
}

TEST_F(MessageSinkTest, TransactionEventsAreOffByDefaultAndLeaveExistingRowsAlone) {
    Make("debezium");
    OneRow(0x100, 0x110);
    EXPECT_EQ(broker_.Topics(), "s_1.public.orders ");
    EXPECT_NE(broker_.messages[0].value.find(R"("transaction":null)"), std::string::npos);
    Make("debezium", R"({"transaction_metadata": true, "debezium.schemas": true})");
    ASSERT_TRUE(sink_->Begin({}).ok());
    ASSERT_TRUE(Insert(orders_, "1").ok());
    Commit(0x310);
    EXPECT_EQ(broker_.Topics(), "s_1.public.orders s_1.public.orders ");
    OneRow(0x400, 0x410);
    EXPECT_EQ(broker_.messages[2].topic, "s_1.transaction");
    EXPECT_EQ(broker_.messages[2].key.find(R"({"schema":{)"), 0U);
    EXPECT_NE(broker_.messages[4].value.find("TransactionMetadataValue"), std::string::npos);
}

TEST_F(MessageSinkTest, HealthIsTheTransports) {
    Make();
    broker_.reachable = false;
    EXPECT_FALSE(sink_->health().reachable);
}

}  // namespace
}  // namespace bitvelocity::pipeline
