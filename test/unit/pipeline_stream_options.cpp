// Options of a stream: who owns which key, what is refused, and how topics are named.

#include "pipeline/stream_options.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/secrets.hpp"
#include "pipeline/message_sink.hpp"
#include "pipeline/topic.hpp"

namespace bitvelocity::pipeline {
namespace {

core::Error Refusal(const std::string& sink, const std::string& format,
                    const std::string& options) {
    const core::Status status = ValidateStreamOptions(sink, format, options);
    EXPECT_FALSE(status.ok()) << options;
    if (status.ok()) {
        return {};
    }
    EXPECT_EQ(status.error().sqlstate, core::kInvalidParameter);
    return status.error();
}

bool Accepts(const std::string& sink, const std::string& format, const std::string& options) {
    return ValidateStreamOptions(sink, format, options).ok();
}

TEST(StreamOptions, AcceptsShapingAndClientProperties) {
    EXPECT_TRUE(Accepts("kafka", "event", "{}"));
    EXPECT_TRUE(Accepts("kafka", "flat",
                        R"({"topic": "shop.{table}", "connection": "billing", "headers": false,
                            "kafka.compression.codec": "zstd", "kafka.linger.ms": 5,
                            "kafka.socket.keepalive.enable": true})"));
    EXPECT_TRUE(Accepts("bronze", "event", "{}"));
    EXPECT_TRUE(Accepts("memory", "event", "{}"));
}

TEST(StreamOptions, RefusesMessagesAndOutboxesThatCannotBe) {
    EXPECT_TRUE(Accepts("kafka", "event", R"({"messages": ["a", "b*"]})"));
    EXPECT_TRUE(Accepts("kafka", "flat", R"({"outbox": {"prefix": "outbox"}})"));
    Refusal("kafka", "flat", R"({"messages": true})");
    Refusal("kafka", "event", R"({"messages": "a"})");
    Refusal("kafka", "event", R"({"messages": [""]})");
    Refusal("kafka", "event", R"({"messages": ["a*b"]})");
    Refusal("kafka", "event", R"({"messages": ["bitvelocity.context"]})");
    Refusal("bronze", "event", R"({"messages": true})");
    Refusal("kafka", "event", R"({"outbox": {}})");
    Refusal("kafka", "event", R"({"outbox": {"table": "a.b", "prefix": "c"}})");
    Refusal("kafka", "event", R"({"outbox": {"table": "a.b", "topic": "{table}"}})");
    Refusal("kafka", "event", R"({"outbox": {"table": "a.b", "headers": "x"}})");
    Refusal("kafka", "event", R"({"outbox": {"table": ""}})");
    EXPECT_NE(Refusal("kafka", "event", R"({"outbox": {"tabel": "a.b"}})").hint.find("\"table\""),
              std::string::npos);
}

TEST(StreamOptions, RefusesHeartbeatsThatAreNone) {
    EXPECT_TRUE(Accepts("kafka", "event", R"({"heartbeat_interval": 0})"));
    EXPECT_TRUE(Accepts("kafka", "event", R"({"heartbeat_interval": 60000})"));
    Refusal("kafka", "event", R"({"heartbeat_interval": 999})");
    Refusal("kafka", "event", R"({"heartbeat_interval": -1})");
    Refusal("kafka", "event", R"({"heartbeat_interval": 1000.5})");
    Refusal("kafka", "event", R"({"heartbeat_interval": "10s"})");
    Refusal("bronze", "event", R"({"heartbeat_interval": 1000})");
}

TEST(StreamOptions, EverySinkMayLinger) {
    for (const char* sink : {"kafka", "bronze", "memory"}) {
        EXPECT_TRUE(Accepts(sink, "event", R"({"linger_ms": 0})"));
        EXPECT_TRUE(Accepts(sink, "event", R"({"linger_ms": 1000})"));
        Refusal(sink, "event", R"({"linger_ms": 1001})");
        Refusal(sink, "event", R"({"linger_ms": -1})");
        Refusal(sink, "event", R"({"linger_ms": 0.5})");
        EXPECT_NE(Refusal(sink, "event", R"({"linger_ms": "10"})").hint.find("0 to 1000"),
                  std::string::npos);
    }
    EXPECT_EQ(*ParseLinger("{}"), 0);
    EXPECT_EQ(*ParseLinger(R"({"linger_ms": 50, "topic": "x"})"), 50);
}

TEST(StreamOptions, RefusesUnknownNamesWithTheNearest) {
    EXPECT_NE(Refusal("kafka", "event", R"({"topik": "x"})").hint.find("\"topic\""),
              std::string::npos);
    EXPECT_NE(Refusal("kafkaa", "event", "{}").hint.find("\"kafka\""), std::string::npos);
    EXPECT_NE(Refusal("kafka", "evnt", "{}").hint.find("\"event\""), std::string::npos);
    EXPECT_NE(Refusal("kafka", "event", R"({"headers": ["event_ids"]})").hint.find("\"event_id\""),
              std::string::npos);
    EXPECT_NE(Refusal("kafka", "event", R"({"compression.codec.of": 1})").hint.find("kafka.<name>"),
              std::string::npos);
    Refusal("bronze", "event", R"({"topic": "x"})");
    Refusal("bronze", "event", R"({"kafka.linger.ms": 1})");
    Refusal("kafka", "event", "[]");
    Refusal("kafka", "event", "{");
    Refusal("kafka", "event", R"({"topic": ""})");
    Refusal("kafka", "event", R"({"topic": 5})");
    Refusal("kafka", "event", R"({"topic": "{stream}.{tabel}"})");
    Refusal("kafka", "event", R"({"topic": "a b"})");
    Refusal("kafka", "event", R"({"headers": "all"})");
    Refusal("kafka", "event", R"({"kafka.": 1})");
    Refusal("kafka", "event", R"({"kafka.linger.ms": [1]})");
    Refusal("kafka", "event", R"({"kafka.acks": "1"})");
}

// A refusal is logged and shown, so it repeats no value.
TEST(StreamOptions, SecretsAndBrokersComeFromTheConnectionFileOnly) {
    for (const char* name :
         {"sasl.password", "sasl.username", "ssl.key.password", "ssl.key.pem", "ssl.key.location",
          "ssl.keystore.password", "ssl.certificate.pem", "sasl.oauthbearer.client.secret",
          "sasl.oauthbearer.config", "sasl.kerberos.kinit.cmd", "bootstrap.servers",
          "metadata.broker.list", "security.protocol", "enable.ssl.certificate.verification",
          "some.future.token", "test.mock.num.brokers"}) {
        const core::Error error =
            Refusal("kafka", "event", R"({"kafka.)" + std::string(name) + R"(": "sentinel"})");
        EXPECT_NE(error.hint.find("bitvelocity.connection_file"), std::string::npos) << name;
        for (const std::string& text : {error.message, error.detail, error.hint}) {
            EXPECT_EQ(text.find("sentinel"), std::string::npos);
        }
    }
}

TEST(StreamOptions, SecretNamesAreRecognised) {
    for (const char* name : {"sasl.password", "SSL.Key.Password", "ssl_key_pem.pem", "ssl.ca.pem",
                             "basic.auth.user.info", "api.key", "aws.secret.access.key"}) {
        EXPECT_TRUE(core::IsSecretName(name)) << name;
    }
    for (const char* name : {"sasl.username", "compression.codec", "linger.ms", "ssl.ca.location",
                             "sasl.oauthbearer.token.endpoint.url"}) {
        EXPECT_FALSE(core::IsSecretName(name)) << name;
    }
}

TEST(StreamOptions, TheStreamsPropertiesFollowTheConnections) {
    auto options = ParseBrokerOptions("event", R"({"kafka.linger.ms": 5})");
    ASSERT_TRUE(options.ok());
    EXPECT_EQ(options->connection, "default");
    EXPECT_TRUE(options->headers.empty());
    const sink::TransportOptions transport = MakeTransportOptions(
        *options, core::Source{}, {{"bootstrap.servers", "a:1"}, {"linger.ms", "1"}});
    EXPECT_EQ(transport.client_id, "bitvelocity");
    ASSERT_EQ(transport.properties.size(), 3u);
    EXPECT_EQ(transport.properties.back(), (std::pair<std::string, std::string>{"linger.ms", "5"}));
}

TEST(StreamOptions, HeadersAreAllNoneOrSome) {
    EXPECT_EQ(ParseBrokerOptions("event", R"({"headers": true})")->headers.size(), kHeaderKinds);
    EXPECT_TRUE(ParseBrokerOptions("flat", R"({"headers": false})")->headers.empty());
    EXPECT_EQ(ParseBrokerOptions("event", R"({"headers": ["xid", "event_id", "xid"]})")->headers,
              (std::vector<HeaderKind>{HeaderKind::kEventId, HeaderKind::kXid}));
    EXPECT_EQ(ParseBrokerOptions("flat", "{}")->headers.front(), HeaderKind::kIdentity);
}

TEST(Topic, IsMadeFromTheTemplate) {
    core::Source source;
    source.stream = "shop";
    source.database = "my db";
    core::RelationSchema relation;
    relation.schema = "public";
    relation.name = "Größe?";
    EXPECT_EQ(*MakeTopic("{stream}.{schema}.{table}", source, &relation), "shop.public.Gr____e_");
    EXPECT_EQ(*MakeTopic("pre-{database}_x", source, &relation), "pre-my_db_x");
    EXPECT_EQ(*MakeTopic("fixed", source, &relation), "fixed");
    EXPECT_EQ(*MakeTopic("{stream}.{schema}.{table}", source, nullptr), "shop.message");
    relation.name = std::string(250, 'x');
    EXPECT_FALSE(MakeTopic("{table}", source, &relation).ok());
    EXPECT_FALSE(CheckTopicTemplate("..").ok());
    EXPECT_FALSE(CheckTopicTemplate("{table").ok());
    EXPECT_FALSE(CheckTopicTemplate("table}").ok());
}

}  // namespace
}  // namespace bitvelocity::pipeline
