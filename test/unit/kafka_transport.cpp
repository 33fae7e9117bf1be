// The Kafka transport against librdkafka's mock cluster: outages, errors, limits, signals, endings.
//
// The mock does not recognise a repeated idempotent batch, so the log may hold a message twice
// after an outage; first appearances must still be complete and in order.

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sink/transport.hpp"

extern "C" bitvelocity::sink::Transport* bitvelocity_kafka_transport(
    const bitvelocity::sink::TransportOptions* options, bitvelocity::core::Error* error);

namespace bitvelocity::sink {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int16_t kProduceRequest = 0;
constexpr std::int16_t kInitProducerIdRequest = 22;
constexpr seconds kHang{60};

// A broker in this process, and a client that reads what it holds.
class MockCluster {
  public:
    MockCluster() {
        char text[256];
        client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
        cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    }
    ~MockCluster() {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(client_);
    }
    [[nodiscard]] std::string bootstraps() const {
        return rd_kafka_mock_cluster_bootstraps(cluster_);
    }
    void Topic(const char* name, int partitions) {
        rd_kafka_mock_topic_create(cluster_, name, partitions, 1);
    }
    void Down() { rd_kafka_mock_broker_set_down(cluster_, 1); }
    void Up() { rd_kafka_mock_broker_set_up(cluster_, 1); }
    void Slow(int rtt_ms) { rd_kafka_mock_broker_set_rtt(cluster_, 1, rtt_ms); }
    void FailNext(std::int16_t request, std::vector<rd_kafka_resp_err_t> errors) {
        rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
    }

    struct Record {
        std::optional<std::string> key;
        std::optional<std::string> value;
        std::string headers;  // "name=value;"
        std::int32_t partition = 0;
    };
    // Everything in the topic, in the order of each partition.
    std::vector<Record> Read(const char* topic, int partitions);

  private:
    rd_kafka_t* client_ = nullptr;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

std::vector<MockCluster::Record> MockCluster::Read(const char* topic, int partitions) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstraps().c_str(), text, sizeof(text));
    rd_kafka_conf_set(conf, "group.id", "test", text, sizeof(text));
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof(text));
    rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; ++i) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    std::vector<Record> records;
    const auto limit = Clock::now() + kHang;
    for (int ended = 0; ended < partitions && Clock::now() < limit;) {
        rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 1000);
        if (message == nullptr) {
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ++ended;
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            Record record;
            record.partition = message->partition;
            if (message->key != nullptr) {
                record.key.emplace(static_cast<const char*>(message->key), message->key_len);
            }
            if (message->payload != nullptr) {
                record.value.emplace(static_cast<const char*>(message->payload), message->len);
            }
            rd_kafka_headers_t* headers = nullptr;
            if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
                const char* name = nullptr;
                const void* value = nullptr;
                size_t size = 0;
                for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                                   RD_KAFKA_RESP_ERR_NO_ERROR;
                     ++i) {
                    record.headers += std::string(name) + "=" +
                                      std::string(static_cast<const char*>(value), size) + ";";
                }
            }
            records.push_back(std::move(record));
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return records;
}

class Acks final : public AckHandler {
  public:
    void OnAck(std::uint64_t tag) override { acked.push_back(tag); }
    void OnFailure(std::uint64_t tag, const core::Error& error) override {
        first = failed.empty() ? error : first;
        failed.push_back(tag);
        last = error;
    }
    std::vector<std::uint64_t> acked;
    std::vector<std::uint64_t> failed;
    core::Error first;
    core::Error last;
};

using Properties = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<Transport> Make(Properties properties, core::Error* error = nullptr) {
    TransportOptions options;
    options.client_id = "bitvelocity-test";
    options.properties = std::move(properties);
    core::Error ignored;
    return std::unique_ptr<Transport>(
        bitvelocity_kafka_transport(&options, error != nullptr ? error : &ignored));
}

OutgoingMessage Numbered(std::uint64_t number, std::string_view value) {
    OutgoingMessage message;
    message.destination = "t";
    message.has_key = true;
    message.key = "k";
    message.value = value;
    message.tag = number;
    return message;
}

// Waits as a deliverer does; false after a minute.
bool PollUntil(Transport& transport, Acks& acks, const std::function<bool()>& done) {
    const auto limit = Clock::now() + kHang;
    while (!done()) {
        if (Clock::now() > limit) {
            return false;
        }
        transport.Flush();
        pollfd descriptor{transport.wake_fd(), POLLIN, 0};
        poll(&descriptor, 1, 100);
        const core::Status status = transport.Poll(acks);
        if (!status.ok()) {
            ADD_FAILURE() << status.error().message << ": " << status.error().detail;
            return false;
        }
    }
    return true;
}

void SendAll(Transport& transport, Acks& acks, const OutgoingMessage& message) {
    for (;;) {
        auto sent = transport.Send(message);
        ASSERT_TRUE(sent.ok()) << sent.error().message;
        if (*sent == SendResult::kQueued) {
            return;
        }
        const std::size_t before = acks.acked.size();
        ASSERT_TRUE(PollUntil(transport, acks, [&] { return acks.acked.size() > before; }));
    }
}

TEST(KafkaTransport, DeliversKeysValuesHeadersAndTombstones) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    const Header headers[] = {{"event_id", "x"}, {"empty", ""}};
    OutgoingMessage message = Numbered(1, "value");
    message.headers = headers;
    SendAll(*transport, acks, message);
    message = Numbered(2, "");
    message.has_value = false;
    SendAll(*transport, acks, message);
    message = Numbered(3, "");
    message.has_key = false;
    SendAll(*transport, acks, message);
    message = Numbered(4, "with empty key");
    message.key = {};
    message.headers = std::span(headers).first(1);
    SendAll(*transport, acks, message);
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == 4; }));
    EXPECT_EQ(acks.acked, (std::vector<std::uint64_t>{1, 2, 3, 4}));
    const auto records = cluster.Read("t", 1);
    ASSERT_EQ(records.size(), 4u);
    EXPECT_EQ(records[0].key, "k");
    EXPECT_EQ(records[0].value, "value");
    EXPECT_EQ(records[0].headers, "event_id=x;empty=;");
    EXPECT_EQ(records[1].key, "k");
    EXPECT_EQ(records[1].value, std::nullopt);
    EXPECT_EQ(records[2].key, std::nullopt);
    EXPECT_EQ(records[2].value, "");
    EXPECT_EQ(records[3].key, "");
    EXPECT_EQ(records[3].headers, "event_id=x;");
}

// Small messages travel in batches, others alone; a topic's order is the order of sending.
TEST(KafkaTransport, KeepsTheOrderOfBatchesAndOfWhatGoesAlone) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    cluster.Topic("u", 1);
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    const Header headers[] = {{"name", "value"}};
    const std::string large(20'000, 'x');
    std::vector<std::string> sent;
    constexpr std::uint64_t kCount = 1000;
    for (std::uint64_t i = 0; i < kCount; ++i) {
        std::string value = std::to_string(i) + (i % 50 == 7 ? large : std::string(i % 300, 'v'));
        OutgoingMessage message = Numbered(i, value);
        const std::string key = "key" + std::to_string(i);
        message.key = key;
        message.destination = i % 100 < 90 ? "t" : "u";
        if (i % 41 == 3) {
            message.headers = headers;
        }
        if (i % 17 == 5) {
            message.has_value = false;
            value.clear();
        }
        SendAll(*transport, acks, message);
        if (message.destination == "t") {
            sent.push_back(key + "=" + value);
        }
    }
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == kCount; }));
    EXPECT_TRUE(acks.failed.empty());
    std::sort(acks.acked.begin(), acks.acked.end());
    for (std::uint64_t i = 0; i < kCount; ++i) {
        ASSERT_EQ(acks.acked[i], i);
    }
    std::vector<std::string> arrived;
    for (const auto& record : cluster.Read("t", 1)) {
        arrived.push_back(record.key.value_or("?") + "=" + record.value.value_or(""));
    }
    EXPECT_EQ(arrived, sent);
    EXPECT_EQ(cluster.Read("u", 1).size(), kCount - sent.size());
}

// A batch names partitions itself: they are those that the client would have chosen, for every key,
// from the first message on, at which nothing is known of the topic, and each keeps its order.
void SendToPartitions(MockCluster& cluster, const char* topic, Properties properties,
                      std::int32_t (*expected)(const rd_kafka_topic_t*, const void*, size_t,
                                               std::int32_t, void*, void*)) {
    constexpr int kPartitions = 5;
    constexpr int kCount = 1500;
    cluster.Topic(topic, kPartitions);
    properties.emplace_back("bootstrap.servers", cluster.bootstraps());
    auto transport = Make(std::move(properties));
    ASSERT_NE(transport, nullptr);
    Acks acks;
    const auto key_of = [](int i) { return i % 37 == 0 ? "" : "key" + std::to_string(i % 100); };
    for (int i = 0; i < kCount; ++i) {
        const std::string value = std::to_string(i);
        OutgoingMessage message = Numbered(static_cast<std::uint64_t>(i), value);
        const std::string key = key_of(i);
        message.key = key;
        message.has_key = i % 41 != 0;
        message.destination = topic;
        SendAll(*transport, acks, message);
        if (i == 200) {  // from here on the client knows the topic
            ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == 201; }));
        }
    }
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == kCount; }));
    int last[kPartitions] = {-1, -1, -1, -1, -1};
    const auto records = cluster.Read(topic, kPartitions);
    ASSERT_EQ(records.size(), static_cast<std::size_t>(kCount));
    for (const auto& record : records) {
        const int number = std::stoi(record.value.value_or("-1"));
        EXPECT_LT(last[record.partition], number);
        last[record.partition] = number;
        EXPECT_EQ(record.key.has_value(), number % 41 != 0);
        if (record.key) {
            EXPECT_EQ(*record.key, key_of(number));
            EXPECT_EQ(record.partition, expected(nullptr, record.key->data(), record.key->size(),
                                                 kPartitions, nullptr, nullptr));
        }
    }
}

TEST(KafkaTransport, ABatchGoesToThePartitionsOfItsKeys) {
    MockCluster cluster;
    SendToPartitions(cluster, "java", {}, rd_kafka_msg_partitioner_murmur2);
    SendToPartitions(cluster, "other", {{"partitioner", "consistent"}},
                     rd_kafka_msg_partitioner_consistent);
    SendToPartitions(cluster, "more", {{"partitioner", "fnv1a"}}, rd_kafka_msg_partitioner_fnv1a);
}

// What does not fit waits, with everything behind it.
TEST(KafkaTransport, AFullQueueReordersNothing) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    cluster.Slow(5);
    // No room for a batch as a whole.
    auto transport =
        Make({{"bootstrap.servers", cluster.bootstraps()}, {"queue.buffering.max.messages", "10"}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    std::vector<std::string> sent;
    for (std::uint64_t i = 0; i < 500; ++i) {
        sent.push_back(std::string(i % 3 == 0 ? 2000 : 1, 'v') + std::to_string(i));
        SendAll(*transport, acks, Numbered(i, sent.back()));
    }
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == sent.size(); }));
    std::vector<std::string> arrived;
    for (const auto& record : cluster.Read("t", 1)) {
        arrived.push_back(record.value.value_or("?"));
    }
    EXPECT_EQ(arrived, sent);
}

TEST(KafkaTransport, AnOutageLosesAndReordersNothingAndBoundsMemory) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()},
                           {"queue.buffering.max.kbytes", "1024"},
                           {"queue.buffering.max.messages", "20000"},
                           {"reconnect.backoff.max.ms", "200"}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    std::uint64_t number = 0;
    const std::string filler(1000, 'x');
    for (; number < 500; ++number) {
        SendAll(*transport, acks, Numbered(number, std::to_string(number) + filler));
    }
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return !acks.acked.empty(); }));
    cluster.Down();
    bool full = false;
    std::string value;
    while (!full && number < 10000) {
        value = std::to_string(number) + filler;
        auto sent = transport->Send(Numbered(number, value));
        ASSERT_TRUE(sent.ok());
        full = *sent == SendResult::kFull;
        number += full ? 0 : 1;
    }
    // About a thousand messages of a thousand bytes fit into the limit of one MiB.
    EXPECT_TRUE(full);
    EXPECT_LT(number, 2200u);
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return !transport->health().reachable; }));
    EXPECT_NE(transport->health().last_error, "");
    EXPECT_NE(transport->health().hint, "");
    cluster.Up();
    for (; number < 3000; ++number) {
        SendAll(*transport, acks, Numbered(number, std::to_string(number) + filler));
    }
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == 3000; }));
    EXPECT_TRUE(acks.failed.empty());
    EXPECT_TRUE(transport->health().reachable);
    std::uint64_t expected = 0;
    for (const auto& record : cluster.Read("t", 1)) {
        const std::uint64_t found = std::stoull(*record.value);
        ASSERT_LE(found, expected);  // a smaller one is a repetition
        expected += found == expected ? 1 : 0;
    }
    EXPECT_EQ(expected, 3000u);
}

TEST(KafkaTransport, RetriesWhatTheBrokerMayAcceptLater) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    auto transport =
        Make({{"bootstrap.servers", cluster.bootstraps()}, {"retry.backoff.ms", "10"}});
    ASSERT_NE(transport, nullptr);
    cluster.FailNext(kProduceRequest,
                     {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
    Acks acks;
    for (std::uint64_t i = 0; i < 10; ++i) {
        SendAll(*transport, acks, Numbered(i, std::to_string(i)));
    }
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == 10; }));
    EXPECT_TRUE(acks.failed.empty());
}

TEST(KafkaTransport, APermanentErrorConcernsItsMessageAndSaysWhatToDo) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()}});
    ASSERT_NE(transport, nullptr);
    cluster.FailNext(kProduceRequest, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
    Acks acks;
    SendAll(*transport, acks, Numbered(7, "value"));
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return !acks.failed.empty(); }));
    EXPECT_EQ(acks.failed, std::vector<std::uint64_t>{7});
    EXPECT_EQ(acks.last.sqlstate, core::kInsufficientPrivilege);
    EXPECT_NE(acks.last.message.find("\"t\""), std::string::npos);
    EXPECT_NE(acks.last.detail.find("5 bytes, key k"), std::string::npos);
    EXPECT_NE(acks.last.hint, "");
}

// Else it would stand before them in the topic, once they are sent again.
TEST(KafkaTransport, NothingIsSentBehindMessagesThatFailed) {
    for (const rd_kafka_resp_err_t error :
         {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
          RD_KAFKA_RESP_ERR_INVALID_RECORD}) {
        MockCluster cluster;
        cluster.Topic("t", 1);
        cluster.Slow(20);
        auto transport =
            Make({{"bootstrap.servers", cluster.bootstraps()},
                  {"batch.num.messages", "2"},
                  // A broker refuses what is on its way behind a gap; the mock does not.
                  {"max.in.flight.requests.per.connection", "1"}});
        ASSERT_NE(transport, nullptr);
        Acks acks;
        SendAll(*transport, acks, Numbered(0, "0"));
        ASSERT_TRUE(PollUntil(*transport, acks, [&] { return acks.acked.size() == 1; }));
        cluster.FailNext(kProduceRequest, {error});
        for (std::uint64_t i = 1; i < 20; ++i) {
            SendAll(*transport, acks, Numbered(i, std::to_string(i)));
        }
        // Up to one request more was on its way.
        ASSERT_TRUE(PollUntil(*transport, acks,
                              [&] { return acks.acked.size() + acks.failed.size() == 20; }))
            << acks.acked.size() << " acknowledged, " << acks.failed.size() << " failed";
        EXPECT_GE(acks.failed.size(), 17U);
        // The first failure says why; the others were taken back.
        EXPECT_EQ(acks.failed.front(), 1U);
        EXPECT_NE(acks.first.detail.find(rd_kafka_err2name(error)), std::string::npos)
            << acks.first.detail;
    }
}

TEST(KafkaTransport, TooLargeAMessageIsRefusedAtOnce) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    auto transport =
        Make({{"bootstrap.servers", cluster.bootstraps()}, {"message.max.bytes", "2000"}});
    ASSERT_NE(transport, nullptr);
    const std::string value(5000, 'x');
    auto sent = transport->Send(Numbered(1, value));
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.error().sqlstate, core::kProgramLimitExceeded);
    EXPECT_NE(sent.error().detail.find("5000 bytes"), std::string::npos);
    EXPECT_NE(sent.error().hint.find("max.message.bytes"), std::string::npos);
}

TEST(KafkaTransport, AFatalErrorEndsTheProducer) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    cluster.FailNext(kInitProducerIdRequest, {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED});
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    core::Status status;
    const auto limit = Clock::now() + kHang;
    while (status.ok() && Clock::now() < limit) {
        pollfd descriptor{transport->wake_fd(), POLLIN, 0};
        poll(&descriptor, 1, 100);
        status = transport->Poll(acks);
    }
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kConnectionFailure);
    EXPECT_FALSE(transport->Send(Numbered(1, "value")).ok() && transport->Poll(acks).ok());
}

TEST(KafkaTransport, EndsQuicklyWhateverIsUnderWay) {
    MockCluster cluster;
    cluster.Topic("t", 1);
    Acks acks;
    const auto timed = [](std::unique_ptr<Transport> transport) {
        const auto start = Clock::now();
        transport.reset();
        return Clock::now() - start;
    };
    auto nowhere = Make({{"bootstrap.servers", "127.0.0.1:1"}});
    SendAll(*nowhere, acks, Numbered(1, "value"));
    EXPECT_LT(timed(std::move(nowhere)), milliseconds(3000));

    cluster.Slow(20000);
    auto slow = Make({{"bootstrap.servers", cluster.bootstraps()}});
    SendAll(*slow, acks, Numbered(1, "value"));
    EXPECT_LT(timed(std::move(slow)), milliseconds(3000));
}

TEST(KafkaTransport, AnIdleStreamLearnsThatTheBrokerIsBack) {
    MockCluster cluster;
    cluster.Down();
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()},
                           {"reconnect.backoff.max.ms", "100"},
                           {"statistics.interval.ms", "100"}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return !transport->health().reachable; }));
    cluster.Up();
    ASSERT_TRUE(PollUntil(*transport, acks, [&] { return transport->health().reachable; }));
    EXPECT_EQ(transport->health().last_error, "");
}

// A deliverer logs an error when its text changes: an outage must not be a text a second.
TEST(KafkaTransport, AnOutageIsOneText) {
    auto transport = Make({{"bootstrap.servers", "127.0.0.1:1,127.0.0.1:2"},
                           {"reconnect.backoff.ms", "10"},
                           {"reconnect.backoff.max.ms", "20"},
                           {"statistics.interval.ms", "20"}});
    ASSERT_NE(transport, nullptr);
    Acks acks;
    std::vector<std::string> texts;
    const auto end = Clock::now() + seconds(2);
    ASSERT_TRUE(PollUntil(*transport, acks, [&] {
        const std::string text = transport->health().last_error;
        if (!text.empty() && (texts.empty() || texts.back() != text)) {
            texts.push_back(text);
        }
        return Clock::now() > end;
    }));
    EXPECT_FALSE(transport->health().reachable);
    EXPECT_GE(texts.size(), 1u);
    EXPECT_LE(texts.size(), 3u);
    EXPECT_EQ(texts.back().find("after"), std::string::npos);
}

TEST(KafkaTransport, NoThreadOfTheLibraryTakesASignal) {
    namespace fs = std::filesystem;
    MockCluster cluster;  // its thread is not the transport's
    std::vector<std::string> before;
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
        before.push_back(task.path());
    }
    auto transport = Make({{"bootstrap.servers", cluster.bootstraps()}});
    ASSERT_NE(transport, nullptr);
    sigset_t own;
    pthread_sigmask(SIG_SETMASK, nullptr, &own);
    EXPECT_EQ(sigismember(&own, SIGTERM), 0);
    int threads = 0;
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
        if (std::find(before.begin(), before.end(), task.path()) != before.end()) {
            continue;
        }
        std::ifstream status(task.path() / "status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("SigBlk:")) {
                const auto mask = std::stoull(line.substr(7), nullptr, 16);
                for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT, SIGALRM}) {
                    EXPECT_NE(mask & (1ULL << (signal - 1)), 0u) << signal;
                }
                ++threads;
            }
        }
    }
    EXPECT_GE(threads, 2);
}

TEST(KafkaTransport, ExitWithALiveProducerKeepsTheStatus) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            Acks acks;
            auto transport = Make({{"bootstrap.servers", "127.0.0.1:1"}});
            SendAll(*transport, acks, Numbered(1, "value"));
            setvbuf(stderr, nullptr, _IOFBF, 4096);
            fputs("last words", stderr);
            exit(7);
        },
        testing::ExitedWithCode(7), "last words");
}

TEST(KafkaTransport, RefusesPropertiesThatWouldBreakThePromise) {
    for (const char* name : {"acks", "enable.idempotence", "message.timeout.ms", "transactional.id",
                             "delivery.timeout.ms", "plugin.library.paths", "log.queue"}) {
        core::Error error;
        EXPECT_EQ(Make({{"bootstrap.servers", "127.0.0.1:1"}, {name, "1"}}, &error), nullptr);
        EXPECT_EQ(error.sqlstate, core::kInvalidParameter);
        EXPECT_NE(error.message.find(name), std::string::npos);
    }
    core::Error error;
    EXPECT_EQ(Make({}, &error), nullptr);
    EXPECT_EQ(error.sqlstate, core::kConfigFileError);
    EXPECT_EQ(Make({{"bootstrap.servers", "127.0.0.1:1"}, {"linger.mss", "1"}}, &error), nullptr);
    EXPECT_NE(error.message.find("linger.mss"), std::string::npos);
}

// Bad values of secrets are easily made: keys that are no keys, passwords without a mechanism.
TEST(KafkaTransport, NeverShowsASecret) {
    const std::string secret = "sentinel-5e7c3";
    const Properties variants[] = {
        {{"ssl.key.pem", secret}, {"security.protocol", "ssl"}},
        {{"ssl.certificate.pem", secret}, {"security.protocol", "ssl"}},
        {{"ssl.key.password", secret}, {"security.protocol", secret}},
        {{"sasl.password", secret}, {"sasl.mechanism", "SCRAM-" + secret}},
        {{"sasl.password", secret}, {"security.protocol", "sasl_ssl"}, {"ssl.ca.location", secret}},
        {{"sasl.oauthbearer.client.secret", secret}, {"sasl.mechanism", "OAUTHBEARER"}},
    };
    for (Properties properties : variants) {
        properties.emplace_back("bootstrap.servers", "127.0.0.1:1");
        core::Error error;
        auto transport = Make(properties, &error);
        if (transport != nullptr) {
            Acks acks;
            PollUntil(*transport, acks, [&] { return !transport->health().last_error.empty(); });
            error.message = transport->health().last_error;
        }
        for (const std::string& text : {error.message, error.detail, error.hint}) {
            EXPECT_EQ(text.find(secret), std::string::npos) << text;
        }
    }
}

}  // namespace
}  // namespace bitvelocity::sink
