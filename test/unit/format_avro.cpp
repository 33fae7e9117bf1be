// Schemas and bytes of the format avro. An independent decoder reads the golden files, which hold
// every type: test/golden/decode_avro.py.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "format/avro/schema_ids.hpp"
#include "format/avro/value.hpp"
#include "format/encoder.hpp"
#include "format/options.hpp"
#include "pgoutput.hpp"

namespace bitvelocity::test {
namespace {

using nlohmann::json;

constexpr std::int64_t kTime = 1'705'314'900'123'456;

class Ids final : public format::avro::SchemaIds {
  public:
    core::Result<std::uint32_t> Find(const format::avro::SchemaRequest& request) override {
        requests.push_back(
            {request.part, std::string(request.record), std::string(request.schema)});
        if (fail) {
            return core::Status::Fail(core::kFeatureNotSupported, "refused");
        }
        return static_cast<std::uint32_t>(requests.size());
    }
    struct Kept {
        format::avro::SchemaPart part;
        std::string record;
        std::string schema;
    };
    std::vector<Kept> requests;
    bool fail = false;
};

class Session final : public wal::Handler {
  public:
    explicit Session(const std::string& options = "{}") {
        auto made = format::MakeEncoder({"avro", options, source_, &ids});
        EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
        encoder_ = std::move(made.value());
        Must(Begin(0x200, kTime, 7));
    }
    core::Status OnBegin(const core::Transaction&) override { return {}; }
    core::Status OnCommit(const core::Transaction&) override { return {}; }
    core::Status OnProgress(core::Lsn) override { return {}; }
    core::Status OnChange(const core::Change& change) override {
        return encoder_->Encode(change, out);
    }
    core::Status Feed(const std::string& bytes) {
        return parser_.ParseFrame({core::Lsn{0x100}, bytes});
    }
    void Must(const std::string& bytes) {
        const core::Status status = Feed(bytes);
        ASSERT_TRUE(status.ok()) << status.error().message;
    }
    Collector::Kept One() {
        EXPECT_EQ(out.kept.size(), 1U);
        Collector::Kept kept = out.kept.empty() ? Collector::Kept{} : out.kept.front();
        out.kept.clear();
        return kept;
    }

    Ids ids;
    Collector out;

  private:
    core::Source source_ = TestSource();
    std::unique_ptr<format::Encoder> encoder_;
    wal::Parser parser_{{.source = source_, .context_secret = "s", .messages = true}, *this};
};

std::string Hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        char two[3];
        std::snprintf(two, sizeof(two), "%02x", static_cast<unsigned char>(c));
        out += two;
    }
    return out;
}

std::string Orders() {
    return Relation(1, "public", "orders", 'd',
                    {{"id", core::kInt8Oid, true},
                     {"amount", core::kNumericOid, false, (12 << 16 | 2) + 4},
                     {"at", core::kTimestamptzOid, false},
                     {"note", core::kTextOid, false}});
}

const std::vector<Cell> kRow = {"5", "-1.28", "1970-01-01 00:00:00.000001+00", "é"};

TEST(Avro, NumbersAreZigzag) {
    const auto hex = [](std::int64_t value) {
        std::string out;
        format::avro::AppendLong(out, value);
        return Hex(out);
    };
    EXPECT_EQ(hex(0), "00");
    EXPECT_EQ(hex(-1), "01");
    EXPECT_EQ(hex(1), "02");
    EXPECT_EQ(hex(-64), "7f");
    EXPECT_EQ(hex(64), "8001");
    EXPECT_EQ(hex(INT64_MAX), "feffffffffffffffff01");
    EXPECT_EQ(hex(INT64_MIN), "ffffffffffffffffff01");
}

TEST(Avro, FlatIsTheRowBehindConfluentsHeader) {
    Session session(R"({"avro.shape": "flat", "avro.extra_fields": false})");
    session.Must(Orders());
    session.Must(Insert(1, kRow));
    const auto kept = session.One();
    // Magic byte, id; union branch 1 (02) and the value, four times.
    EXPECT_EQ(Hex(kept.value),
              "0000000001"
              "020a"
              "020280"
              "0202"
              "0204c3a9");
    EXPECT_EQ(Hex(kept.key),
              "0000000002"
              "020a");
    ASSERT_EQ(session.ids.requests.size(), 2U);
    EXPECT_EQ(session.ids.requests[0].record, "orders_stream.public.orders");
    EXPECT_EQ(json::parse(session.ids.requests[0].schema), json::parse(R"(
        {"type": "record", "name": "orders", "namespace": "orders_stream.public", "fields": [
            {"name": "id", "type": ["null", "long"], "default": null},
            {"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal",
             "precision": 12, "scale": 2}], "default": null},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
             "default": null},
            {"name": "note", "type": ["null", "string"], "default": null}]})"));
    EXPECT_EQ(json::parse(session.ids.requests[1].schema), json::parse(R"(
        {"type": "record", "name": "Key", "namespace": "orders_stream.public.orders", "fields": [
            {"name": "id", "type": ["null", "long"], "default": null}]})"));

    session.Must(Update(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt},
                        {"6", std::nullopt, std::nullopt, std::nullopt}));
    ASSERT_EQ(session.out.kept.size(), 2U);
    EXPECT_FALSE(session.out.kept[0].has_value);
    EXPECT_EQ(Hex(session.out.kept[0].key),
              "0000000002"
              "020a");
    EXPECT_EQ(session.out.kept[1].part, 1U);
    EXPECT_EQ(Hex(session.out.kept[1].value),
              "0000000001"
              "020c"
              "00"
              "00"
              "00");
    session.out.kept.clear();
    session.Must(Truncate({1}));
    session.Must(LogicalMessage(true, 9, "p", "text"));
    EXPECT_TRUE(session.out.kept.empty());
}

TEST(Avro, WhatHasNoFormIsToldBesideIt) {
    Session session(R"({"avro.shape": "flat"})");
    session.Must(Orders());
    session.Must(Insert(1, {"5", "NaN", "infinity", std::nullopt}));
    // _unchanged null; _text with two pairs, then the end of the map.
    EXPECT_EQ(Hex(session.One().value),
              "0000000001"
              "020a"
              "00"
              "00"
              "00"
              "00"
              "02"
              "04"
              "0c616d6f756e74"
              "064e614e"
              "046174"
              "10696e66696e697479"
              "00");
    session.Must(Update(1, 'K', {"5", std::nullopt, std::nullopt, std::nullopt},
                        {"5", std::nullopt, std::nullopt, kUnchanged}));
    EXPECT_EQ(Hex(session.One().value),
              "0000000001"
              "020a"
              "00"
              "00"
              "00"
              "02"
              "02"
              "086e6f7465"
              "00"
              "00");

    Session strict(R"({"avro.shape": "flat", "avro.extra_fields": false})");
    strict.Must(Orders());
    core::Status refused = strict.Feed(Insert(1, {"5", "NaN", std::nullopt, std::nullopt}));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().sqlstate, "22003");
    EXPECT_EQ(refused.error().message,
              "format \"avro\" has no form for \"NaN\" in field \"amount\"");
    EXPECT_TRUE(strict.out.kept.empty());
}

TEST(Avro, TheEnvelopeTellsTheOldRowAndWhere) {
    Session session;
    session.Must(Orders());
    session.Must(Update(1, 'K', {"4", std::nullopt, std::nullopt, std::nullopt}, kRow));
    const auto kept = session.One();
    const std::string value = Hex(kept.value);
    // "UPDATE"; before {id 4} without extras; after; the database's name.
    EXPECT_TRUE(
        value.starts_with("0000000001"
                          "0c555044415445"
                          "02"
                          "0208"
                          "000000"
                          "0000"
                          "02"
                          "020a"
                          "020280"
                          "0202"
                          "0204c3a9"
                          "0000"
                          "0873686f70"))
        << value;
    const json schema = json::parse(session.ids.requests[0].schema);
    EXPECT_EQ(schema["name"], "orders");
    EXPECT_EQ(schema["fields"][1]["type"][1]["name"], "Row");
    EXPECT_EQ(schema["fields"][2]["type"][1], "orders_stream.public.orders.Row");
    EXPECT_EQ(schema["fields"][3]["type"]["name"], "Metadata");
    session.Must(Truncate({1}));
    EXPECT_FALSE(session.One().has_key);
    session.Must(LogicalMessage(true, 9, "p", std::string("\0x", 2)));
    EXPECT_TRUE(Hex(session.One().value)
                    .starts_with("0000000003"
                                 "0270"
                                 "040078"
                                 "0873686f70"));
    EXPECT_EQ(session.ids.requests[2].record, "orders_stream.message.message");
}

TEST(Avro, FollowsANewVersionOfTheRelationAndKeepsNoIdOfAFailure) {
    Session session(R"({"avro.shape": "flat"})");
    session.ids.fail = true;
    session.Must(Orders());
    EXPECT_FALSE(session.Feed(Insert(1, kRow)).ok());
    session.ids.fail = false;
    session.Must(Insert(1, kRow));
    session.Must(Insert(1, kRow));
    const std::size_t before = session.ids.requests.size();
    EXPECT_EQ(before, 3U);
    session.Must(Relation(1, "public", "orders", 'd',
                          {{"id", core::kInt8Oid, true}, {"new", core::kInt4Oid, false}}));
    session.Must(Insert(1, {"5", "1"}));
    ASSERT_EQ(session.ids.requests.size(), before + 2);
    const json fields = json::parse(session.ids.requests[before].schema)["fields"];
    EXPECT_EQ(fields[1],
              json::parse(R"({"name": "new", "type": ["null", "int"], "default": null})"));
}

TEST(Avro, NamesAreCleanedAndStayTellable) {
    Session session(R"({"avro.shape": "flat", "avro.namespace": "a.{schema}",
        "avro.name": "{table}Event", "avro.key": "json"})");
    session.Must(Relation(1, "my-shop", "2 orders", 'd',
                          {{"a b", core::kInt8Oid, true},
                           {"a_b", core::kInt8Oid, false},
                           {"_text", core::kInt8Oid, false}}));
    session.Must(Insert(1, {"1", "2", "3"}));
    EXPECT_EQ(session.One().key, R"({"a b":1})");
    ASSERT_EQ(session.ids.requests.size(), 1U);
    EXPECT_EQ(session.ids.requests[0].record, "a.my_shop._2_ordersEvent");
    const json fields = json::parse(session.ids.requests[0].schema)["fields"];
    EXPECT_EQ(fields[0]["name"], "a_b");
    EXPECT_EQ(fields[0]["column"], "a b");
    EXPECT_EQ(fields[1]["name"], "a_b_2");
    EXPECT_EQ(fields[1]["column"], "a_b");
    EXPECT_EQ(fields[2]["name"], "_text_2");
    EXPECT_EQ(fields[4]["name"], "_text");
}

TEST(Avro, RefusesWhatIsNoUtf8) {
    Session session;
    session.Must(Orders());
    EXPECT_EQ(session.Feed(Insert(1, {"5", "1", "infinity", "\xff"})).error().sqlstate, "22021");
    session.Must(Insert(1, kRow));
    session.Must(Relation(2, "public", "b\xff", 'd', {{"id", core::kInt8Oid, true}}));
    EXPECT_EQ(session.Feed(Insert(2, {"5"})).error().sqlstate, "22021");
}

// The record of the strategy document, as it stands there.
constexpr char kOrderEvent[] = R"({
  "type": "record", "name": "OrderEvent", "namespace": "com.bitvelocity.events", "version": "v2",
  "fields": [
    {"name": "orderId", "type": "string"},
    {"name": "customerId", "type": "string"},
    {"name": "status", "type": {"type": "enum",
     "symbols": ["PENDING", "CONFIRMED", "SHIPPED", "DELIVERED", "CANCELLED"]}},
    {"name": "totalAmount", "type": "double"},
    {"name": "currency", "type": "string", "default": "USD"},
    {"name": "auditInfo", "type": {"type": "record", "name": "AuditInfo", "fields": [
      {"name": "createdAt", "type": "long"},
      {"name": "createdBy", "type": "string"},
      {"name": "traceId", "type": ["null", "string"], "default": null}]}}]})";

std::string OrderTable() {
    return Relation(1, "public", "orders", 'd',
                    {{"order_id", core::kUuidOid, true},
                     {"customer_id", core::kUuidOid, false},
                     {"status", core::kVarcharOid, false},
                     {"total_amount", core::kNumericOid, false, (10 << 16 | 2) + 4},
                     {"currency", core::kVarcharOid, false},
                     {"created_at", core::kTimestamptzOid, false},
                     {"created_by", core::kVarcharOid, false}});
}

TEST(Avro, AGivenSchemaIsFilledFromTheColumns) {
    const json options{{"avro.shape", "flat"},
                       {"avro.schemas", {{"public.orders", json::parse(kOrderEvent)}}}};
    Session session(options.dump());
    session.Must(OrderTable());
    session.Must(
        Insert(1, {"a", "b", "SHIPPED", "99.5", "EUR", "1970-01-01 00:00:00.000064+00", "ann"}));
    EXPECT_EQ(Hex(session.One().value),
              "0000000001"
              "0261"
              "0262"
              "04"
              "0000000000e05840"
              "06455552"
              "8001"
              "06616e6e"
              "00");
    ASSERT_EQ(session.ids.requests.size(), 2U);
    EXPECT_EQ(session.ids.requests[0].record, "com.bitvelocity.events.OrderEvent");
    json expected = json::parse(kOrderEvent);
    expected["fields"][2]["type"]["name"] = "Status";
    EXPECT_EQ(json::parse(session.ids.requests[0].schema), expected);
    EXPECT_EQ(session.ids.requests[1].record, "com.bitvelocity.events.OrderEvent.Key");
    // Another table of the stream gets a derived schema.
    session.Must(Relation(2, "public", "other", 'd', {{"id", core::kInt8Oid, true}}));
    session.Must(Insert(2, {"1"}));
    EXPECT_EQ(session.ids.requests[2].record, "orders_stream.public.other");
    // What a field cannot take is never replaced.
    core::Status refused =
        session.Feed(Insert(1, {"a", "b", "LOST", "1", "EUR", "1970-01-01 00:00:00+00", "ann"}));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().detail, "Table \"public.orders\", column \"status\".");
    EXPECT_FALSE(session
                     .Feed(Insert(1, {"a", "b", "SHIPPED", "1", std::nullopt,
                                      "1970-01-01 00:00:00+00", "ann"}))
                     .ok());
}

TEST(Avro, AGivenSchemaThatTheTableCannotFillIsNamed) {
    const json options{{"avro.shape", "flat"},
                       {"avro.schemas", {{"public.orders", json::parse(kOrderEvent)}}}};
    Session session(options.dump());
    session.Must(Relation(1, "public", "orders", 'd', {{"order_id", core::kUuidOid, true}}));
    const core::Status refused = session.Feed(Insert(1, {"a"}));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message,
              "Avro schema cannot be used: OrderEvent.customerId has no column in table "
              "\"public.orders\" and does not allow null");
}

TEST(Avro, OptionsAreChecked) {
    const auto message = [](const json& options) {
        const core::Status status = format::ValidateEncoderOptions("avro", options.dump());
        return status.ok() ? "ok" : status.error().message;
    };
    const json good = json::parse(kOrderEvent);
    EXPECT_EQ(message({{"avro.shape", "flat"}, {"avro.schemas", {{"a.b", good}}}}), "ok");
    EXPECT_EQ(message({{"avro.schemas", {{"a.b", good}}}}),
              "option \"avro.schemas\" needs the option \"avro.shape\" to be \"flat\"");
    EXPECT_EQ(message({{"avro.schemas", "x"}}), "option \"avro.schemas\" must be an object");
    EXPECT_EQ(message({{"avro.name", "{tabel}"}}),
              "unknown placeholder \"{tabel}\" in option \"avro.name\"");
    const auto given = [&](const json& type) {
        return message({{"avro.shape", "flat"},
                        {"avro.schemas",
                         {{"a.b",
                           {{"type", "record"},
                            {"name", "R"},
                            {"fields", {{{"name", "f"}, {"type", type}}}}}}}}});
    };
    EXPECT_EQ(given("int"), "ok");
    EXPECT_EQ(given({{"type", "array"}, {"items", {"null", "int"}}}), "ok");
    EXPECT_EQ(given({{"type", "map"}, {"values", "int"}}),
              "Avro schema cannot be used: R.f has the type \"map\", which cannot be made from a "
              "column");
    EXPECT_EQ(
        given({"null", "int", "string"}),
        "Avro schema cannot be used: R.f is a union of something else than null and one type");
    EXPECT_EQ(given({{"type", "int"}, {"logicalType", "timestamp-micros"}}),
              "Avro schema cannot be used: R.f has the logical type \"timestamp-micros\", which is "
              "unknown or belongs to another type");
    EXPECT_EQ(given({{"type", "enum"}, {"symbols", {"a b"}}}),
              "Avro schema cannot be used: R.f has an enum symbol that is no name in Avro's sense");
}

}  // namespace
}  // namespace bitvelocity::test
