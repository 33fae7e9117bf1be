// Kafka transactions against librdkafka's mock cluster: progress, coordinator errors, fencing. The
// mock keeps what an undecided transaction wrote visible, so what a consumer may see is tested with
// a real broker (test/broker/transactions.sh).

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "sink/transport.hpp"

extern "C" bitvelocity::sink::Transport* bitvelocity_kafka_transport(
    const bitvelocity::sink::TransportOptions* options, bitvelocity::core::Error* error);

namespace bitvelocity::sink {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int16_t kInitProducerIdRequest = 22;
constexpr std::int16_t kEndTxnRequest = 26;

class Cluster {
  public:
    Cluster() {
        char text[256];
        client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
        cluster_ = rd_kafka_mock_cluster_new(client_, 1);
        rd_kafka_mock_topic_create(cluster_, "t", 1, 1);
        rd_kafka_mock_topic_create(cluster_, "progress", 1, 1);
    }
    ~Cluster() {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(client_);
    }
    void FailNext(std::int16_t request, std::vector<rd_kafka_resp_err_t> errors) {
        rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
    }
    std::unique_ptr<Transport> Connect(const std::string& id = "id") {
        TransportOptions options;
        options.properties = {{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_)},
                              {"reconnect.backoff.max.ms", "200"}};
        options.transactional_id = id;
        options.progress_topic = "progress";
        core::Error error;
        Transport* transport = bitvelocity_kafka_transport(&options, &error);
        EXPECT_NE(transport, nullptr) << error.message << " " << error.detail;
        return std::unique_ptr<Transport>(transport);
    }

  private:
    rd_kafka_t* client_ = nullptr;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

class Acks final : public AckHandler {
  public:
    void OnAck(std::uint64_t) override { ++acked; }
    void OnFailure(std::uint64_t, const core::Error& error) override { last = error; }
    int acked = 0;
    core::Error last;
};

// Repeats `step` until it is done or fails.
template <typename Call>
core::Status Finish(Transport& transport, Acks& acks, Call step) {
    const auto limit = Clock::now() + std::chrono::seconds(60);
    while (Clock::now() < limit) {
        auto result = step();
        if (!result.ok()) {
            return result.TakeStatus();
        }
        if (*result == Step::kDone) {
            return core::Status::Ok();
        }
        BV_RETURN_IF_ERROR(transport.Poll(acks));
        pollfd descriptor{transport.wake_fd(), POLLIN, 0};
        (void)poll(&descriptor, 1, 20);
    }
    return core::Status::Fail(core::kInternalError, "hangs");
}

core::Status Open(Transport& transport, Acks& acks, std::string& progress) {
    return Finish(transport, acks, [&] { return transport.OpenTransactions(&progress); });
}

core::Status Commit(Transport& transport, Acks& acks, const std::string& progress) {
    return Finish(transport, acks, [&] { return transport.CommitTransaction(progress); });
}

void Send(Transport& transport, int count) {
    for (int i = 0; i < count; ++i) {
        OutgoingMessage message;
        message.destination = "t";
        message.value = "v";
        auto sent = transport.Send(message);
        ASSERT_TRUE(sent.ok()) << sent.error().message << " " << sent.error().detail;
    }
}

std::string Text(const core::Status& status) {
    return status.ok() ? "ok" : status.error().message + " " + status.error().detail;
}

TEST(KafkaTransactions, ProgressIsReadBackByTheNext) {
    Cluster cluster;
    Acks acks;
    std::string progress;
    {
        auto transport = cluster.Connect();
        core::Status opened = Open(*transport, acks, progress);
        ASSERT_TRUE(opened.ok()) << Text(opened);
        EXPECT_EQ(progress, "");
        for (const char* record : {"one", "two"}) {
            Send(*transport, 3);
            core::Status committed = Commit(*transport, acks, record);
            ASSERT_TRUE(committed.ok()) << Text(committed);
        }
        EXPECT_EQ(acks.acked, 6);
    }
    auto other = cluster.Connect("other");
    ASSERT_TRUE(Open(*other, acks, progress).ok());
    EXPECT_EQ(progress, "");
    auto next = cluster.Connect();
    core::Status opened = Open(*next, acks, progress);
    ASSERT_TRUE(opened.ok()) << Text(opened);
    EXPECT_EQ(progress, "two");
}

TEST(KafkaTransactions, ACommitWithoutMessagesKeepsTheRecord) {
    Cluster cluster;
    Acks acks;
    std::string progress;
    auto transport = cluster.Connect();
    ASSERT_TRUE(Open(*transport, acks, progress).ok());
    ASSERT_TRUE(Commit(*transport, acks, "alone").ok());
    transport = cluster.Connect();
    ASSERT_TRUE(Open(*transport, acks, progress).ok());
    EXPECT_EQ(progress, "alone");
}

TEST(KafkaTransactions, NothingIsSentBeforeTheyAreOpen) {
    Cluster cluster;
    auto transport = cluster.Connect();
    OutgoingMessage message;
    message.destination = "t";
    EXPECT_FALSE(transport->Send(message).ok());
}

TEST(KafkaTransactions, ACoordinatorThatMovesOrLoadsIsAskedAgain) {
    Cluster cluster;
    Acks acks;
    std::string progress;
    cluster.FailNext(kInitProducerIdRequest, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                              RD_KAFKA_RESP_ERR_NOT_COORDINATOR});
    auto transport = cluster.Connect();
    core::Status opened = Open(*transport, acks, progress);
    ASSERT_TRUE(opened.ok()) << Text(opened);
    Send(*transport, 1);
    cluster.FailNext(kEndTxnRequest, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                      RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS});
    core::Status committed = Commit(*transport, acks, "one");
    ASSERT_TRUE(committed.ok()) << Text(committed);
}

TEST(KafkaTransactions, AProducerThatIsShutOutSaysSo) {
    Cluster cluster;
    Acks acks;
    std::string progress;
    auto transport = cluster.Connect();
    ASSERT_TRUE(Open(*transport, acks, progress).ok());
    Send(*transport, 1);
    cluster.FailNext(kEndTxnRequest, {RD_KAFKA_RESP_ERR_PRODUCER_FENCED});
    const core::Status committed = Commit(*transport, acks, "one");
    ASSERT_FALSE(committed.ok());
    EXPECT_EQ(committed.error().sqlstate, kTakenOver) << Text(committed);
    EXPECT_NE(committed.error().detail.find("\"id\""), std::string::npos) << Text(committed);
}

TEST(KafkaTransactions, AnEndThatFailsIsLeftToTheNext) {
    Cluster cluster;
    Acks acks;
    std::string progress;
    auto transport = cluster.Connect();
    ASSERT_TRUE(Open(*transport, acks, progress).ok());
    Send(*transport, 1);
    cluster.FailNext(kEndTxnRequest, {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE});
    const core::Status committed = Commit(*transport, acks, "one");
    ASSERT_FALSE(committed.ok());
    EXPECT_EQ(committed.error().sqlstate, core::kConnectionFailure) << Text(committed);
    transport = cluster.Connect();
    core::Status opened = Open(*transport, acks, progress);
    ASSERT_TRUE(opened.ok()) << Text(opened);
    Send(*transport, 1);
    ASSERT_TRUE(Commit(*transport, acks, "again").ok());
}

TEST(KafkaTransactions, RightsThatAreMissingAreNamed) {
    Cluster cluster;
    Acks acks;
    std::string progress;
    cluster.FailNext(kInitProducerIdRequest,
                     {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
    auto transport = cluster.Connect();
    const core::Status opened = Open(*transport, acks, progress);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().sqlstate, core::kInsufficientPrivilege) << Text(opened);
}

}  // namespace
}  // namespace bitvelocity::sink
