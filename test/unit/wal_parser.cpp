#include <gtest/gtest.h>

#include "pgoutput.hpp"

namespace bitvelocity::test {
namespace {

constexpr std::int64_t kTime = 1'705'314'900'123'456;
constexpr char kSecret[] = "0123456789abcdef";
constexpr char kUuid[] = "550e8400-e29b-41d4-a716-446655440000";

wal::ParserOptions Options() {
    return {.source = TestSource(), .context_secret = kSecret, .messages = true};
}

class ParserTest : public testing::Test {
  protected:
    core::Status Parse(std::uint64_t lsn, std::string_view bytes) {
        // A copy of exactly this size, so that a sanitizer sees every byte read too far.
        const std::vector<char> exact(bytes.begin(), bytes.end());
        return parser_.ParseFrame({core::Lsn{lsn}, {exact.data(), exact.size()}});
    }
    void Must(std::uint64_t lsn, std::string_view bytes) {
        const core::Status status = Parse(lsn, bytes);
        ASSERT_TRUE(status.ok()) << status.error().message << " " << status.error().detail;
    }
    void Refused(std::uint64_t lsn, std::string_view bytes) {
        const core::Status status = Parse(lsn, bytes);
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().sqlstate, core::kProtocolViolation);
    }
    void Start() {
        Must(0x100, Begin(0x200, kTime, 7));
        Must(0x100, Relation(1, "public", "t", 'd', {{"id", core::kInt4Oid, true}, {"a"}}));
    }

    Recorder recorder_;
    wal::Parser parser_{Options(), recorder_};
    std::vector<std::string>& lines_ = recorder_.lines;
};

TEST_F(ParserTest, TurnsATransactionIntoChanges) {
    Start();
    EXPECT_TRUE(parser_.in_transaction());
    Must(0x110, Insert(1, {"1", "x"}));
    Must(0x120, Update(1, {"1", std::nullopt}));
    Must(0x130, Update(1, 'K', {"1", std::nullopt}, {"2", "y"}));
    Must(0x140, Delete(1, 'K', {"2", std::nullopt}));
    Must(0x210, Commit(0x200, 0x210, kTime));
    EXPECT_FALSE(parser_.in_transaction());
    Must(0x300, "w");
    EXPECT_EQ(lines_, (std::vector<std::string>{
                          "begin 7 0/200",
                          "INSERT 1.0@0/110 public.t#1 new(1,x)",
                          "UPDATE 2.0@0/120 public.t#1 new(1,NULL)",
                          "UPDATE 3.0@0/130 public.t#1 key(1,NULL) new(2,y)",
                          "DELETE 4.0@0/140 public.t#1 key(2,NULL)",
                          "commit 0/210",
                          "progress 0/300",
                      }));
    EXPECT_EQ(recorder_.begun.commit_time_us, kTime);
    EXPECT_FALSE(recorder_.begun.end_lsn.valid());
}

TEST_F(ParserTest, OrdinalsCountWhatTheWalHolds) {
    Start();
    Must(0x101, Relation(2, "bitvelocity", "streams", 'd', {{"id", core::kInt4Oid, true}}));
    Must(0x102, 'O' + Int(1, 8) + Text("somewhere"));
    Must(0x103, 'Y' + Int(99, 4) + Text("public") + Text("mood"));
    Must(0x104, Insert(2, {"1"}));                               // 1, our own table
    Must(0x105, ContextMessage(0x105, "wrong", "eve", "", ""));  // 2
    Must(0x106, LogicalMessage(true, 0x106, "other", "text"));   // 3
    Must(0x107, Insert(1, {"1", "x"}));                          // 4
    Must(0x210, Commit(0x200, 0x210, kTime));
    Must(0x300, Begin(0x400, kTime, 8));
    Must(0x301, Insert(1, {"2", "x"}));
    EXPECT_EQ(lines_, (std::vector<std::string>{
                          "begin 7 0/200",
                          "MESSAGE 3.0@0/106 other=text",
                          "INSERT 4.0@0/107 public.t#1 new(1,x)",
                          "commit 0/210",
                          "begin 8 0/400",
                          "INSERT 1.0@0/301 public.t#1 new(2,x)",
                      }));
}

TEST_F(ParserTest, TruncateIsOneChangePerTable) {
    Start();
    Must(0x101, Relation(2, "bitvelocity", "own", 'd', {{"id", core::kInt4Oid, true}}));
    Must(0x102, Relation(3, "", "u", 'd', {{"id", core::kInt4Oid, true}}));
    Must(0x103, Truncate({1, 2, 3}));
    lines_.erase(lines_.begin());
    EXPECT_EQ(lines_, (std::vector<std::string>{"TRUNCATE 1.0@0/103 public.t#1",
                                                "TRUNCATE 1.2@0/103 pg_catalog.u#1"}));
}

TEST_F(ParserTest, UnchangedValuesComeFromTheOldRowWhereItIsKnown) {
    Start();
    Must(0x110, Update(1, {"1", kUnchanged}));
    Must(0x111, Relation(1, "public", "t", 'f', {{"id", core::kInt4Oid, true}, {"a"}}));
    Must(0x112, Update(1, 'O', {"1", "long"}, {"1", kUnchanged}));
    Must(0x113, Update(1, 'O', {"1", std::nullopt}, {"1", kUnchanged}));
    lines_.erase(lines_.begin());
    EXPECT_EQ(lines_, (std::vector<std::string>{
                          "UPDATE 1.0@0/110 public.t#1 new(1,?)",
                          "UPDATE 2.0@0/112 public.t#2 old(1,long) new(1,long)",
                          "UPDATE 3.0@0/113 public.t#2 old(1,NULL) new(1,?)",
                      }));
}

TEST_F(ParserTest, ContextHoldsForTheFollowingChangesOfItsTransaction) {
    Start();
    Must(0x101, Insert(1, {"1", "x"}));
    Must(0x102, ContextMessage(0x102, kSecret, "ann", kUuid, "00-aa-bb-01"));
    Must(0x103, Insert(1, {"2", "x"}));
    Must(0x104, ContextMessage(0x104, "0123456789abcdeX", "eve", kUuid, ""));
    Must(0x105, Insert(1, {"3", "x"}));
    Must(0x106, ContextMessage(0x106, kSecret, "bob", "no uuid", ""));
    Must(0x107, Insert(1, {"4", "x"}));
    Must(0x210, Commit(0x200, 0x210, kTime));
    Must(0x300, Begin(0x400, kTime, 8));
    Must(0x301, Insert(1, {"5", "x"}));
    const auto ends = [this](std::size_t i, const std::string& text) {
        EXPECT_TRUE(lines_[i].ends_with(text)) << lines_[i];
    };
    ends(1, "new(1,x)");
    ends(2, std::string(" by ann/") + kUuid + "/00-aa-bb-01");
    ends(3, std::string(" by ann/") + kUuid + "/00-aa-bb-01");
    ends(4, " by bob//");
    ends(7, "new(5,x)");
}

TEST_F(ParserTest, NobodyIsTrustedWithoutASecret) {
    Recorder recorder;
    wal::Parser parser({.source = TestSource(), .context_secret = ""}, recorder);
    for (const std::string& bytes :
         {Begin(0x200, kTime, 7), Relation(1, "public", "t", 'd', {{"a"}}),
          ContextMessage(0x101, "", "eve", "", ""), Insert(1, {"x"})}) {
        ASSERT_TRUE(parser.ParseFrame({core::Lsn{0x100}, bytes}).ok());
    }
    EXPECT_EQ(recorder.lines.back(), "INSERT 2.0@0/100 public.t#1 new(x)");
}

TEST_F(ParserTest, MessagesOutsideATransactionHaveTheirOwnPosition) {
    Must(0x100, LogicalMessage(false, 0x123, "p", "c"));
    Must(0x100, LogicalMessage(false, 0x124, wal::kContextPrefix, "c"));
    EXPECT_EQ(lines_, std::vector<std::string>{"MESSAGE 0.0@0/123 p=c"});
    Refused(0x100, LogicalMessage(true, 0x125, "p", "c"));
}

TEST_F(ParserTest, MessagesAreCountedButKeptWhereNotAskedFor) {
    Recorder recorder;
    wal::Parser parser({.source = TestSource(), .context_secret = {}}, recorder);
    for (const std::string& bytes : {LogicalMessage(false, 5, "p", "c"), Begin(0x200, kTime, 7),
                                     Relation(1, "public", "t", 'd', {{"a"}}),
                                     LogicalMessage(true, 6, "p", "c"), Insert(1, {"x"})}) {
        ASSERT_TRUE(parser.ParseFrame({core::Lsn{0x100}, bytes}).ok());
    }
    EXPECT_EQ(recorder.lines,
              (std::vector<std::string>{"begin 7 0/200", "INSERT 2.0@0/100 public.t#1 new(x)"}));
}

// Keeps the relation of the last change.
class SchemaCatcher final : public wal::Handler {
  public:
    core::Status OnBegin(const core::Transaction&) override { return {}; }
    core::Status OnCommit(const core::Transaction&) override { return {}; }
    core::Status OnProgress(core::Lsn) override { return {}; }
    core::Status OnChange(const core::Change& change) override {
        schema = *change.relation;
        source = change.identity.source;
        return {};
    }
    core::RelationSchema schema;
    const core::Source* source = nullptr;
};

TEST(ParserTypes, ComeFromTheTypeRecordElseFromTheirOids) {
    SchemaCatcher catcher;
    wal::Parser parser(Options(), catcher);
    const auto feed = [&parser](const std::string& bytes) {
        const auto status = parser.ParseFrame({core::Lsn{1}, bytes});
        ASSERT_TRUE(status.ok()) << status.error().message;
    };
    feed(Begin(0x200, kTime, 7));
    const std::string relation =
        Relation(1, "public", "t", 'd', {{"id", core::kInt4Oid, true}, {"m", 70'000}, {"n", 1231}});
    feed(relation);
    feed(Insert(1, {"1", "happy", "{1}"}));
    EXPECT_EQ(catcher.source->stream, "orders_stream");
    EXPECT_EQ(catcher.schema.columns[0].type->name, "int4");
    EXPECT_EQ(catcher.schema.columns[1].type->oid, 70'000U);
    EXPECT_EQ(catcher.schema.columns[1].type->name, "");
    EXPECT_EQ(catcher.schema.columns[2].type->element->name, "numeric");
    EXPECT_FALSE(catcher.schema.columns[0].primary_key);

    auto mood =
        std::make_shared<core::TypeDescription>(*MakeType(70'000, "mood", core::TypeKind::kEnum));
    mood->labels = {"sad", "happy"};
    auto pair = std::make_shared<core::TypeDescription>(
        *MakeType(70'001, "pair", core::TypeKind::kComposite));
    pair->attributes = {{"x", Builtin(core::kInt4Oid), -1}, {"m", mood, 3}};
    feed(relation);
    feed(TypeRecord(1, {{3, Builtin(core::kInt4Oid), 1, "nextval('s'::regclass)"},
                        {1, mood},
                        {0, MakeType(70'002, "_pair", core::TypeKind::kArray, pair)}}));
    feed(Insert(1, {"1", "happy", "{}"}));
    const core::RelationSchema& schema = catcher.schema;
    EXPECT_EQ(schema.version, 2U);
    EXPECT_TRUE(schema.columns[0].not_null && schema.columns[0].primary_key);
    EXPECT_EQ(schema.columns[0].key_place, 1);
    EXPECT_EQ(schema.columns[0].default_expression, "nextval('s'::regclass)");
    EXPECT_EQ(schema.columns[1].key_place, 0);
    EXPECT_EQ(schema.columns[1].default_expression, "");
    EXPECT_TRUE(schema.columns[1].not_null && !schema.columns[1].primary_key);
    EXPECT_EQ(schema.columns[1].type->labels, (std::vector<std::string>{"sad", "happy"}));
    const core::TypeDescription& element = *schema.columns[2].type->element;
    ASSERT_EQ(element.attributes.size(), 2U);
    EXPECT_EQ(element.attributes[1].name, "m");
    EXPECT_EQ(element.attributes[1].typmod, 3);
    EXPECT_EQ(element.attributes[1].type->labels.size(), 2U);
}

TEST(ParserTypes, NestNoDeeperThanAgreed) {
    const auto nested = [](int depth) {
        core::TypePtr type = Builtin(core::kInt4Oid);
        for (int i = 0; i < depth; ++i) {
            type = MakeType(70'000, "d", core::TypeKind::kDomain, type);
        }
        return type;
    };
    for (const int depth : {0, 1, wal::kMaxTypeDepth, wal::kMaxTypeDepth + 1, 200}) {
        Recorder recorder;
        wal::Parser parser(Options(), recorder);
        ASSERT_TRUE(
            parser.ParseFrame({core::Lsn{1}, Relation(1, "public", "t", 'd', {{"a"}})}).ok());
        EXPECT_EQ(parser.ParseFrame({core::Lsn{1}, TypeRecord(1, {{0, nested(depth)}})}).ok(),
                  depth <= wal::kMaxTypeDepth)
            << depth;
    }
}

TEST_F(ParserTest, RefusesWhatTheProtocolDoesNotAllow) {
    Refused(1, "");
    Refused(1, "Z");
    Refused(1, std::string_view("\x01", 1));
    Refused(1, Insert(1, {"1"}));
    Refused(1, Commit(1, 2, kTime));
    Refused(1, Truncate({1}));
    Refused(1, TypeRecord(1, {}));
    Start();
    Refused(1, Begin(0x200, kTime, 8));
    Refused(1, "w");
    Refused(1, LogicalMessage(false, 1, "p", "c"));
    Refused(1, Insert(2, {"1", "x"}));                   // never described
    Refused(1, Insert(1, {"1"}));                        // too few columns
    Refused(1, Insert(1, {"1", "x", "y"}));              // too many
    Refused(1, Insert(1, {"1", "x"}) + "z");             // bytes left over
    Refused(1, Update(1, 'X', {"1", "x"}, {"1", "x"}));  // neither K nor O
    Refused(1, 'I' + Int(1, 4) + 'K' + TupleData({"1", "x"}));
    Refused(1, 'I' + Int(1, 4) + 'N' + Int(2, 2) + "b" + Int(0, 4) + "n");  // binary
    Refused(1, Truncate({1}) + Int(1, 4));
    Refused(1, 'T' + Int(0xffffffff, 4) + Int(0, 1) + Int(1, 4));
    Refused(1, Relation(4, "s", "t", '?', {}));
    Refused(1, Commit(0x200, 0, kTime));  // no end
    const core::Status status = Parse(0x123, "Z");
    EXPECT_EQ(status.error().message, "unknown logical replication message type");
    EXPECT_EQ(status.error().detail, "Message type \"Z\", 1 bytes, at WAL position 0/123.");
}

TEST_F(ParserTest, ATypeRecordFollowsItsRelationDirectly) {
    Start();
    Must(1, Insert(1, {"1", "x"}));
    const std::string record =
        TypeRecord(1, {{0, Builtin(core::kInt4Oid)}, {0, Builtin(core::kTextOid)}});
    Refused(1, record);
    const std::string relation =
        Relation(1, "public", "t", 'd', {{"id", core::kInt4Oid, true}, {"a"}});
    Must(1, relation);
    Must(1, record);
    Refused(1, record);
    Must(1, relation);
    Refused(1, TypeRecord(2, {{0, Builtin(core::kInt4Oid)}, {0, Builtin(core::kTextOid)}}));
    Must(1, relation);
    Refused(1, TypeRecord(1, {{0, Builtin(core::kInt4Oid)}}));
}

TEST_F(ParserTest, TheHandlersErrorComesBack) {
    Start();
    recorder_.refuse = true;
    const core::Status status = Parse(1, Insert(1, {"1", "x"}));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kQueryCanceled);
}

// Every message cut off at every byte: an error, never a read past the end.
TEST_F(ParserTest, CutOffMessagesAreErrors) {
    auto pair = std::make_shared<core::TypeDescription>(
        *MakeType(70'001, "pair", core::TypeKind::kComposite));
    pair->attributes = {{"x", Builtin(core::kInt4Oid), -1}};
    const std::string relation =
        Relation(1, "public", "t", 'd', {{"id", core::kInt4Oid, true}, {"a"}});
    const std::string record = TypeRecord(1, {{3, Builtin(core::kInt4Oid)}, {0, pair}});
    const std::vector<std::string> messages = {
        relation,
        record,
        Insert(1, {"1", "xyz"}),
        Update(1, 'O', {"1", std::nullopt}, {"2", kUnchanged}),
        Delete(1, 'K', {"2", std::nullopt}),
        Truncate({1, 1}),
        LogicalMessage(true, 1, "prefix", "content"),
        ContextMessage(1, kSecret, "ann", kUuid, "trace"),
        'O' + Int(1, 8) + Text("origin"),
        'Y' + Int(1, 4) + Text("public") + Text("mood"),
        Commit(0x200, 0x210, kTime),
    };
    for (const std::string& message : messages) {
        for (std::size_t length = 0; length < message.size(); ++length) {
            Recorder recorder;
            wal::Parser parser(Options(), recorder);
            ASSERT_TRUE(parser.ParseFrame({core::Lsn{1}, Begin(0x200, kTime, 7)}).ok());
            ASSERT_TRUE(parser.ParseFrame({core::Lsn{1}, relation}).ok());
            const std::vector<char> exact(message.begin(), message.begin() + length);
            const auto status = parser.ParseFrame({core::Lsn{1}, {exact.data(), length}});
            ASSERT_FALSE(status.ok()) << message.front() << " cut at " << length;
            ASSERT_EQ(status.error().sqlstate, core::kProtocolViolation);
        }
    }
    const std::string begin = Begin(0x200, kTime, 7);
    for (std::size_t length = 0; length < begin.size(); ++length) {
        Refused(1, std::string_view(begin).substr(0, length));
    }
}

TEST(FrameReader, TakesFramesApartAndSeesACutOffOne) {
    std::string batch;
    wal::AppendFrame(batch, core::Lsn{1}, "abc");
    wal::AppendFrame(batch, core::Lsn{2}, "");
    for (std::size_t length = 0; length <= batch.size(); ++length) {
        wal::FrameReader reader(std::as_bytes(std::span(batch.data(), length)));
        wal::Frame frame;
        std::size_t count = 0;
        std::size_t consumed = 0;
        while (reader.Next(frame)) {
            ++count;
            consumed += wal::kFrameHeader + frame.bytes.size();
        }
        EXPECT_EQ(reader.broken(), consumed != length) << length;
        EXPECT_LE(count, 2U);
    }
}

}  // namespace
}  // namespace bitvelocity::test
