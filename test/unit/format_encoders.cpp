#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "format/encoder.hpp"
#include "pgoutput.hpp"

namespace bitvelocity::test {
namespace {

using nlohmann::json;

constexpr std::int64_t kTime = 1'705'314'900'123'456;
constexpr char kSecret[] = "secret";
constexpr char kUuid[] = "550e8400-e29b-41d4-a716-446655440000";

// Parses messages and encodes every change.
class Session final : public wal::Handler {
  public:
    explicit Session(const std::string& format, const std::string& options = "{}") {
        auto made = format::MakeEncoder({format, options, source_, nullptr, core::Lsn{0x80}});
        EXPECT_TRUE(made.ok());
        encoder_ = std::move(made.value());
        Must(Begin(0x200, kTime, 7));
    }
    core::Status OnBegin(const core::Transaction&) override { return {}; }
    core::Status OnCommit(const core::Transaction& transaction) override {
        encoder_->Commit(transaction.end_lsn);
        return {};
    }
    core::Status OnProgress(core::Lsn) override { return {}; }
    core::Status OnChange(const core::Change& change) override {
        return encoder_->Encode(change, out);
    }
    core::Status Feed(const std::string& bytes, std::uint64_t lsn = 0x100) {
        core::Status status = parser_.ParseFrame({core::Lsn{lsn}, bytes});
        error = status.ok() ? "" : status.error().sqlstate;
        return status;
    }
    void Must(const std::string& bytes, std::uint64_t lsn = 0x100) {
        const core::Status status = Feed(bytes, lsn);
        ASSERT_TRUE(status.ok()) << status.error().message;
    }
    void Committed(core::Lsn end) { encoder_->Commit(end); }
    // The only message since the last call.
    Collector::Kept One() {
        EXPECT_EQ(out.kept.size(), 1U);
        Collector::Kept kept = out.kept.empty() ? Collector::Kept{} : out.kept.front();
        out.kept.clear();
        return kept;
    }

    Collector out;
    std::string error;

  private:
    core::Source source_ = TestSource();
    std::unique_ptr<format::Encoder> encoder_;
    wal::Parser parser_{{.source = source_, .context_secret = kSecret, .messages = true}, *this};
};

std::string Orders(char identity = 'd') {
    return Relation(1, "public", "orders", identity,
                    {{"id", core::kInt8Oid, true},
                     {"amount", core::kNumericOid, identity == 'f', (12 << 16 | 2) + 4},
                     {"at", core::kTimestamptzOid, identity == 'f'},
                     {"note", core::kTextOid, identity == 'f'}});
}

const std::vector<Cell> kRow = {"5", "99.90", "2024-01-15 10:30:00+00", "a \"b\""};

TEST(Event, HasSchemaPayloadAndMetadata) {
    Session session("event");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    const auto kept = session.One();
    EXPECT_EQ(kept.key, R"({"id":5})");
    EXPECT_EQ(
        kept.value,
        R"({"schema":{"type":"struct","fields":[{"field":"id","type":"int64"},)"
        R"({"field":"amount","type":"decimal"},{"field":"at","type":"string"},)"
        R"({"field":"note","type":"string"}]},)"
        R"("payload":{"id":5,"amount":99.90,"at":"2024-01-15T10:30:00+00:00",)"
        R"("note":"a \"b\""},"metadata":{"operation":"INSERT","source":"orders",)"
        R"("timestamp":"2024-01-15T10:35:00.123456Z","transaction_id":"7","lsn":"0/100",)"
        R"("event_id":")" +
            json::parse(kept.value)["metadata"]["event_id"].get<std::string>() +
            R"(","schema":"public","database":"shop","epoch":1,"commit_lsn":"0/200",)"
            R"("ordinal":1,"part":0,"actor":null,"correlation_id":null,"traceparent":null}})");
}

TEST(Event, TellsTheOldRowTheContextAndWhatIsUnchanged) {
    Session session("event", R"({"event.schema": "none", "topic": "not ours"})");
    session.Must(Orders());
    session.Must(ContextMessage(1, kSecret, "ann \"x\"", kUuid, "00-ab-cd-01"));
    session.Must(Update(1, 'K', {"4", std::nullopt, std::nullopt, std::nullopt},
                        {"5", std::nullopt, "infinity", kUnchanged}));
    const auto kept = session.One();
    EXPECT_EQ(kept.key, R"({"id":5})");
    const json value = json::parse(kept.value);
    EXPECT_FALSE(value.contains("schema"));
    EXPECT_EQ(value["payload"], json::parse(R"({"id": 5, "amount": null, "at": "infinity"})"));
    const json& metadata = value["metadata"];
    EXPECT_EQ(metadata["operation"], "UPDATE");
    EXPECT_EQ(metadata["before"], json::parse(R"({"id": 4})"));
    EXPECT_EQ(metadata["unchanged"], json::parse(R"(["note"])"));
    EXPECT_EQ(metadata["actor"], "ann \"x\"");
    EXPECT_EQ(metadata["correlation_id"], kUuid);
    EXPECT_EQ(metadata["traceparent"], "00-ab-cd-01");
    EXPECT_EQ(metadata["ordinal"], 2);

    session.Must(Delete(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt}));
    const auto deleted = session.One();
    EXPECT_EQ(deleted.key, R"({"id":5})");
    EXPECT_TRUE(json::parse(deleted.value)["payload"].is_null());
    EXPECT_EQ(json::parse(deleted.value)["metadata"]["before"], json::parse(R"({"id": 5})"));

    session.Must(Truncate({1}));
    const auto truncated = session.One();
    EXPECT_FALSE(truncated.has_key);
    EXPECT_EQ(json::parse(truncated.value)["metadata"]["operation"], "TRUNCATE");

    session.Must(LogicalMessage(true, 9, "p", "text"));
    EXPECT_EQ(json::parse(session.One().value)["payload"],
              json::parse(R"({"prefix": "p", "content": "text"})"));
    session.Must(LogicalMessage(true, 9, "p", "\xff"));
    EXPECT_EQ(json::parse(session.One().value)["payload"],
              json::parse(R"({"prefix": "p", "content_base64": "/w=="})"));
}

TEST(Event, FollowsANewVersionOfTheRelation) {
    Session session("event");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    session.Must(Relation(1, "public", "orders", 'd', {{"id", core::kTextOid, true}}));
    session.Must(Insert(1, {"x"}));
    EXPECT_EQ(json::parse(session.out.kept[1].value)["payload"], json::parse(R"({"id": "x"})"));
}

TEST(Event, WithoutAKeyThereIsNone) {
    Session session("event");
    session.Must(Relation(1, "public", "log", 'f', {{"a", core::kTextOid, true}}));
    session.Must(Delete(1, 'O', {"x"}));
    const auto kept = session.One();
    EXPECT_FALSE(kept.has_key);
    EXPECT_EQ(json::parse(kept.value)["metadata"]["before"], json::parse(R"({"a": "x"})"));
}

TEST(Flat, IsTheRowWithTombstones) {
    Session session("flat");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    EXPECT_EQ(session.One().value,
              R"({"id":5,"amount":99.90,"at":"2024-01-15T10:30:00+00:00","note":"a \"b\""})");
    session.Must(Update(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt},
                        {"6", "1", std::nullopt, "x"}));
    ASSERT_EQ(session.out.kept.size(), 2U);
    EXPECT_EQ(session.out.kept[0].key, R"({"id":5})");
    EXPECT_FALSE(session.out.kept[0].has_value);
    EXPECT_EQ(session.out.kept[0].part, 0U);
    EXPECT_EQ(session.out.kept[1].key, R"({"id":6})");
    EXPECT_EQ(session.out.kept[1].part, 1U);
    session.out.kept.clear();
    session.Must(Delete(1, 'K', {"6", std::nullopt, std::nullopt, std::nullopt}));
    const auto deleted = session.One();
    EXPECT_EQ(deleted.key, R"({"id":6})");
    EXPECT_FALSE(deleted.has_value);
    session.Must(Truncate({1}));
    session.Must(LogicalMessage(true, 9, "p", "text"));
    EXPECT_TRUE(session.out.kept.empty());
}

TEST(Flat, AFullOldRowIsAKeyChangeOnlyIfTheKeyChanged) {
    Session session("flat");
    session.Must(Orders('f'));
    session.Must(TypeRecord(1, {{3, Builtin(core::kInt8Oid)},
                                {0, Builtin(core::kNumericOid)},
                                {0, Builtin(core::kTimestamptzOid)},
                                {0, Builtin(core::kTextOid)}}));
    session.Must(Update(1, 'O', kRow, {"5", "1", std::nullopt, "x"}));
    EXPECT_EQ(session.One().key, R"({"id":5})");
    session.Must(Update(1, 'O', kRow, {"6", "1", std::nullopt, "x"}));
    EXPECT_EQ(session.out.kept.size(), 2U);
}

TEST(Flat, ADeleteWithoutAKeyIsAnError) {
    Session session("flat");
    session.Must(Relation(1, "public", "log", 'f', {{"a", core::kTextOid, true}}));
    session.Must(Insert(1, {"x"}));
    EXPECT_FALSE(session.One().has_key);
    EXPECT_FALSE(session.Feed(Delete(1, 'O', {"x"})).ok());
    EXPECT_EQ(session.error, core::kFeatureNotSupported);
}

TEST(Debezium, HasTheEnvelope) {
    Session session("debezium", R"({"debezium.topic.prefix": "shop"})");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    const auto kept = session.One();
    EXPECT_EQ(kept.key, R"({"id":5})");
    json value = json::parse(kept.value);
    for (const char* name : {"ts_ms", "ts_us", "ts_ns"}) {
        EXPECT_TRUE(value[name].is_number_integer());
        value.erase(name);
    }
    EXPECT_EQ(value, json::parse(R"({"before": null,
        "after": {"id": 5, "amount": "JwY=", "at": "2024-01-15T10:30:00.000000Z", "note": "a \"b\""},
        "source": {"version": "3.4.0.Final", "connector": "postgresql", "name": "shop",
            "ts_ms": 1705314900123, "snapshot": "false", "db": "shop",
            "sequence": "[\"128\",\"256\"]", "ts_us": 1705314900123456,
            "ts_ns": 1705314900123456000, "schema": "public", "table": "orders", "txId": 7,
            "lsn": 256, "xmin": null},
        "transaction": null, "op": "c"})"));
}

// Events of a transaction share what stands behind the source block: never another one's operation,
// and times that agree and do not run backwards.
TEST(Debezium, EventsThatShareAnEndKeepTheirOperation) {
    Session session("debezium");
    session.Must(Orders());
    std::int64_t before = 0;
    for (int i = 0; i < 100; ++i) {
        const bool insert = i % 7 != 3;
        session.Must(insert ? Insert(1, kRow) : Update(1, kRow));
        const json value = json::parse(session.One().value);
        EXPECT_EQ(value["op"], insert ? "c" : "u") << i;
        EXPECT_TRUE(value["transaction"].is_null());
        const auto now = value["ts_us"].get<std::int64_t>();
        EXPECT_EQ(value["ts_ms"], now / 1000);
        EXPECT_EQ(value["ts_ns"], now * 1000);
        EXPECT_GE(now, before);
        before = now;
    }
}

// Positions mostly share their first digits with the one before.
TEST(Debezium, EveryPositionIsItsOwn) {
    Session session("debezium");
    session.Must(Orders());
    std::vector<std::uint64_t> positions = {
        1,      9,           9'999,           10'000,          10'001,
        19'999, 20'000,      99'990'007,      99'999'999,      100'000'000,
        7,      100'000'000, 123'456'789'012, UINT64_MAX >> 1U};
    for (std::uint64_t near = 123'456'780'000; near < 123'456'850'000; near += 173) {
        positions.push_back(near);
    }
    for (const std::uint64_t lsn : positions) {
        session.Must(Insert(1, kRow), lsn);
        const json source = json::parse(session.One().value)["source"];
        EXPECT_EQ(source["lsn"], lsn);
        EXPECT_EQ(json::parse(source["sequence"].get<std::string>())[1], std::to_string(lsn));
    }
}

TEST(Debezium, SplitsAKeyChange) {
    Session session("debezium");
    session.Must(Orders());
    session.Must(Update(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt},
                        {"6", "1", std::nullopt, kUnchanged}));
    const auto& kept = session.out.kept;
    ASSERT_EQ(kept.size(), 3U);
    EXPECT_EQ(json::parse(kept[0].value)["op"], "d");
    EXPECT_EQ(json::parse(kept[0].value)["before"]["id"], 5);
    EXPECT_TRUE(json::parse(kept[0].value)["before"]["note"].is_null());
    EXPECT_EQ(kept[0].headers, R"(__debezium.newkey={"id":6})");
    EXPECT_FALSE(kept[1].has_value);
    EXPECT_EQ(kept[1].key, R"({"id":5})");
    EXPECT_EQ(json::parse(kept[2].value)["op"], "c");
    EXPECT_EQ(json::parse(kept[2].value)["after"]["note"], "__debezium_unavailable_value");
    EXPECT_EQ(kept[2].headers, R"(__debezium.oldkey={"id":5})");
    EXPECT_EQ(kept[2].part, 2U);
}

TEST(Debezium, DeletesTruncatesAndMessages) {
    Session session("debezium", R"({"debezium.tombstones": false})");
    session.Must(Orders());
    session.Must(Delete(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt}));
    EXPECT_EQ(json::parse(session.One().value)["op"], "d");
    session.Must(Truncate({1}));
    const auto truncated = session.One();
    EXPECT_FALSE(truncated.has_key);
    EXPECT_EQ(json::parse(truncated.value)["op"], "t");
    session.Must(LogicalMessage(true, 9, "p", "text"));
    const auto message = session.One();
    EXPECT_EQ(message.key, R"({"prefix":"p"})");
    EXPECT_EQ(json::parse(message.value)["message"],
              json::parse(R"({"prefix": "p", "content": "dGV4dA=="})"));
}

TEST(Debezium, SchemasDescribeWhatIsSent) {
    Session session("debezium", R"({"debezium.schemas": true, "debezium.decimals": "string"})");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    const auto kept = session.One();
    const json key = json::parse(kept.key);
    EXPECT_EQ(key["schema"]["name"], "orders_stream.public.orders.Key");
    EXPECT_EQ(key["payload"], json::parse(R"({"id": 5})"));
    const json value = json::parse(kept.value);
    EXPECT_EQ(value["payload"]["after"]["amount"], "99.90");
    EXPECT_EQ(value["schema"]["name"], "orders_stream.public.orders.Envelope");
    for (const auto& [name, member] : value["payload"].items()) {
        const bool described =
            std::any_of(value["schema"]["fields"].begin(), value["schema"]["fields"].end(),
                        [&name = name](const json& field) { return field["field"] == name; });
        EXPECT_TRUE(described) << name;
    }
}

TEST(Debezium, SchemasTellDefaultsAndTheKeysOrder) {
    Session session("debezium", R"({"debezium.schemas": true})");
    session.Must(Relation(1, "public", "odd näme.1", 'd',
                          {{"a", core::kInt4Oid, true},
                           {"v", core::kTextOid},
                           {"b", core::kNumericOid, true, (5 << 16 | 2) + 4}}));
    session.Must(TypeRecord(1, {{3, Builtin(core::kInt4Oid), 2, "7"},
                                {1, Builtin(core::kTextOid), 0, "'it''s'::text"},
                                {3, Builtin(core::kNumericOid), 1}}));
    session.Must(Update(1, 'K', {"1", std::nullopt, "1.50"}, {"2", "x", "1.50"}));
    const auto kept = std::exchange(session.out.kept, {});
    ASSERT_EQ(kept.size(), 3U);
    EXPECT_EQ(json::parse(kept[0].key), json::parse(R"({"schema": {"type": "struct", "fields": [
        {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "version": 1,
         "parameters": {"scale": "2", "connect.decimal.precision": "5"}, "optional": false, "field": "b"},
        {"type": "int32", "optional": false, "default": 7, "field": "a"}],
        "optional": false, "name": "orders_stream.public.odd_n__me.1.Key"},
        "payload": {"b": "AJY=", "a": 1}})"));
    // Kafka Connect writes a header without its schema, and a decimal in it as a number.
    EXPECT_EQ(kept[0].headers, R"(__debezium.newkey={"b":1.50,"a":2})");
    EXPECT_EQ(kept[2].headers, R"(__debezium.oldkey={"b":1.50,"a":1})");
    const json value = json::parse(kept[0].value);
    const json& after = value["schema"]["fields"][1];
    EXPECT_EQ(after["name"], "orders_stream.public.odd_n__me.1.Value");
    EXPECT_EQ(
        after["fields"][1],
        json::parse(R"({"type": "string", "optional": false, "default": "it's", "field": "v"})"));
    // What the WAL does not tell of a required column is its default.
    EXPECT_EQ(value["payload"]["before"], json::parse(R"({"a": 1, "v": "it's", "b": "AJY="})"));
}

TEST(Debezium, AHeaderIsTheKeyWithoutItsSchema) {
    Session session("debezium", R"({"debezium.schemas": true})");
    session.Must(Orders());
    session.Must(Update(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt},
                        {"6", "1", std::nullopt, kUnchanged}));
    const auto& kept = session.out.kept;
    ASSERT_EQ(kept.size(), 3U);
    EXPECT_EQ(kept[0].headers, R"(__debezium.newkey={"id":6})");
    EXPECT_EQ(kept[2].headers, R"(__debezium.oldkey={"id":5})");
}

TEST(Debezium, SequenceNamesTheCommitBefore) {
    Session session("debezium");
    const auto sequence = [&session] {
        return json::parse(session.One().value)["source"]["sequence"].get<std::string>();
    };
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    EXPECT_EQ(sequence(), R"(["128","256"])");  // where the stream began
    session.Must(Commit(0x200, 0x240, kTime));
    session.Must(Begin(0x300, kTime, 8));
    session.Must(Insert(1, kRow));
    EXPECT_EQ(sequence(), R"(["576","256"])");
    session.Must(Commit(0x300, 0x340, kTime));
    session.Must(LogicalMessage(false, 0x100, "p", "text"));  // commits itself
    EXPECT_EQ(sequence(), R"(["256","256"])");
    session.Committed(core::Lsn{0x101});  // as the pipeline ends it
    session.Must(Begin(0x400, kTime, 9));
    session.Must(Insert(1, kRow));
    EXPECT_EQ(sequence(), R"(["256","256"])");
    session.Must(Commit(0x400, 0x440, kTime));
    session.Must(Begin(0x500, kTime, 10));
    session.Must(Insert(1, kRow));
    EXPECT_EQ(sequence(), R"(["1088","256"])");
}

TEST(Debezium, NanGoesAsTextUnderPreciseDecimals) {
    Session session("debezium");
    session.Must(Orders());
    session.Must(Insert(1, {"5", "NaN", std::nullopt, "x"}));
    EXPECT_EQ(json::parse(session.One().value)["after"]["amount"], "NaN");
}

TEST(CloudEvents, StructuredIsOneJsonEvent) {
    Session session("cloudevents");
    session.Must(Orders());
    session.Must(ContextMessage(1, kSecret, "ann", kUuid, "00-ab-cd-01"));
    session.Must(Update(1, 'K', {"4", std::nullopt, std::nullopt, std::nullopt},
                        {"5", "1.50", std::nullopt, kUnchanged}));
    const auto kept = session.One();
    EXPECT_EQ(kept.key, R"({"id":5})");
    EXPECT_EQ(kept.headers, "content-type=application/cloudevents+json");
    json value = json::parse(kept.value);
    EXPECT_EQ(value["id"].get<std::string>().substr(0, 15), "00000000-0000-8");
    value.erase("id");
    const std::string system = std::to_string(TestSource().system_identifier);
    EXPECT_EQ(value, json::parse(R"({"specversion": "1.0",
        "source": "/bitvelocity/)" +
                                 system + R"(/shop/orders_stream", "type": "bitvelocity.update",
        "subject": "public.orders", "time": "2024-01-15T10:35:00.123456Z",
        "datacontenttype": "application/json",
        "sequence": "00000001-0000000000000200-0000000000000002-00000000",
        "partitionkey": "{\"id\":5}", "traceparent": "00-ab-cd-01",
        "correlationid": "550e8400-e29b-41d4-a716-446655440000", "actor": "ann",
        "data": {"before": {"id": 4}, "after": {"id": 5, "amount": 1.50, "at": null},
                 "unchanged": ["note"]}})"));
    session.Must(Truncate({1}));
    EXPECT_EQ(json::parse(session.One().value)["data"],
              json::parse(R"({"before": null, "after": null})"));
    session.Must(LogicalMessage(true, 9, "p", "text"));
    const json message = json::parse(session.One().value);
    EXPECT_EQ(message["type"], "bitvelocity.message");
    EXPECT_EQ(message["subject"], "p");
    EXPECT_EQ(message["data"], json::parse(R"({"prefix": "p", "content": "text"})"));
}

TEST(CloudEvents, BinaryHasItsAttributesInHeaders) {
    Session session("cloudevents", R"({"cloudevents.mode": "binary", "cloudevents.data": "row",
        "cloudevents.source": "//shop.example/{database}",
        "cloudevents.type": "example.{table}.{operation}.v1"})");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    const auto kept = session.One();
    EXPECT_EQ(kept.value,
              R"({"id":5,"amount":99.90,"at":"2024-01-15T10:30:00+00:00","note":"a \"b\""})");
    const std::string id = kept.headers.substr(kept.headers.find("ce_id=") + 6, 36);
    EXPECT_EQ(kept.headers, "content-type=application/json;ce_specversion=1.0;ce_id=" + id +
                                ";ce_source=//shop.example/shop;ce_type=example.orders.insert.v1;"
                                "ce_subject=public.orders;ce_time=2024-01-15T10:35:00.123456Z;"
                                "ce_sequence=00000001-0000000000000200-0000000000000001-00000000;"
                                R"(ce_partitionkey={"id":5})");
    session.Must(Delete(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt}));
    EXPECT_EQ(session.One().value, R"({"id":5})");
    session.Must(Truncate({1}));
    EXPECT_EQ(session.One().value, "null");
}

TEST(CloudEvents, AWordFromOutsideIsOneSegmentOfTheSource) {
    core::Source source = TestSource();
    source.database = "my shop/é";
    auto made = format::MakeEncoder(
        {"cloudevents", R"({"cloudevents.source": "/{database}/{stream}"})", source});
    ASSERT_TRUE(made.ok());
    core::RelationSchema relation;
    core::Change change;
    change.operation = core::Operation::kTruncate;
    change.relation = &relation;
    Collector out;
    ASSERT_TRUE(made.value()->Encode(change, out).ok());
    EXPECT_EQ(json::parse(out.kept.at(0).value)["source"], "/my%20shop%2F%C3%A9/orders_stream");
}

TEST(Encoders, RefuseWhatIsNoUtf8) {
    for (const std::string& format : format::EncoderFormats()) {
        if (format == "avro") {
            continue;  // format_avro.cpp
        }
        Session session(format);
        session.Must(Orders());
        EXPECT_FALSE(session.Feed(Insert(1, {"5", "1", "infinity", "\xff"})).ok());
        EXPECT_EQ(session.error, "22021") << format;
        EXPECT_TRUE(session.out.kept.empty());
        session.Must(Insert(1, kRow));
        EXPECT_EQ(session.out.kept.size(), 1U);
        session.Must(Relation(2, "public", "b\xff", 'd', {{"id", core::kInt8Oid, true}}));
        EXPECT_FALSE(session.Feed(Insert(2, {"5"})).ok());
        EXPECT_EQ(session.error, "22021") << format;
    }
}

TEST(Options, UnknownOnesAreRefusedWithTheNearest) {
    const auto hint = [](const std::string& format, const std::string& options) {
        const core::Status status = format::ValidateEncoderOptions(format, options);
        if (status.ok()) {
            return std::string("ok");
        }
        EXPECT_EQ(status.error().sqlstate, core::kInvalidParameter);
        return status.error().message + "|" + status.error().hint;
    };
    EXPECT_EQ(hint("event", "{}"), "ok");
    EXPECT_EQ(hint("evnt", "{}"), "unknown stream format \"evnt\"|Perhaps you meant \"event\".");
    EXPECT_EQ(hint("event", R"({"event.shema": "none"})"),
              "unknown option \"event.shema\" for format \"event\"|"
              "Perhaps you meant \"event.schema\".");
    EXPECT_EQ(hint("event", R"({"event.schema": "non"})"),
              "invalid value for option \"event.schema\": \"non\"|Perhaps you meant \"none\".");
    EXPECT_EQ(hint("event", R"({"event.schema": true})"),
              "option \"event.schema\" must be a string|");
    EXPECT_EQ(hint("flat", R"({"flat.tombstones": "yes"})"),
              "option \"flat.tombstones\" must be true or false|");
    EXPECT_EQ(hint("cloudevents", R"({"cloudevents.type": "x.{tabel}"})"),
              "unknown placeholder \"{tabel}\" in option \"cloudevents.type\"|"
              "Perhaps you meant \"{table}\".");
    EXPECT_NE(hint("cloudevents", R"({"cloudevents.source": ""})"), "ok");
    EXPECT_NE(hint("cloudevents", R"({"cloudevents.source": "a}"})"), "ok");
    EXPECT_NE(hint("flat", R"({"debezium.schemas": true})"), "ok");
    EXPECT_EQ(hint("flat", R"({"topic": "x", "kafka.linger.ms": 5})"), "ok");
    EXPECT_EQ(hint("event", "[]"), "stream options must be one JSON object|");
    EXPECT_EQ(hint("event", "{"), "stream options must be one JSON object|");
    EXPECT_EQ(format::EncoderOptionNames("event"), std::set<std::string>{"event.schema"});
    EXPECT_TRUE(format::EncoderOptionNames("nothing").empty());
    EXPECT_FALSE(format::MakeEncoder({"protobuf", "{}", {}}).ok());
}

}  // namespace
}  // namespace bitvelocity::test
