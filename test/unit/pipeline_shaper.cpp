// Shaping: which columns leave, how they are masked, what the key is; what is refused when the
// options are given; and that nothing leaks when the table changes under them.

#include "pipeline/shaper.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/sha256.hpp"
#include "pgoutput.hpp"
#include "pipeline/message_sink.hpp"
#include "pipeline/pipeline.hpp"
#include "sink/memory.hpp"

namespace bitvelocity::pipeline {
namespace {

constexpr core::Oid kUsers = 900;
constexpr char kSalt[] = "pepper";

std::string Hashed(const std::string& value) {
    core::Sha256 hash;
    hash.Update(kSalt + value);
    std::string out;
    core::WriteHex(out, hash.Finish());
    return out;
}

struct Named {
    std::string name;
    core::Oid type = core::kTextOid;
    int number = 0;
    bool key = false;
};

// users (id, email, name, age), numbered 1 to 4.
std::vector<Named> Users() {
    return {{"id", core::kInt4Oid, 1, true},
            {"email", core::kTextOid, 2},
            {"name", core::kTextOid, 3},
            {"age", core::kInt4Oid, 4}};
}

class Recording {
  public:
    explicit Recording(char identity = 'd') : identity_(identity) {}
    Recording& Table(const std::vector<Named>& columns, const std::string& name = "users") {
        std::vector<test::ColumnSpec> specs;
        std::string types = wal::kTypesTag + test::Int(kUsers, 4) + test::Int(columns.size(), 2);
        for (const Named& column : columns) {
            specs.push_back({column.name, column.type, column.key || identity_ == 'f'});
            types += test::Int((column.key ? 3 : 0) | (column.number != 0 ? 4 : 0), 1);
            if (column.number != 0) {
                types += test::Int(static_cast<std::uint64_t>(column.number), 2);
            }
            types += test::TypeBytes(*test::Builtin(column.type));
        }
        Add(test::Relation(kUsers, "public", name, identity_, specs));
        return Add(types);
    }
    Recording& Begin() { return Add(test::Begin(0x100, 1'700'000'000'000'000, 42)); }
    Recording& Commit() { return Add(test::Commit(0x100, 0x110, 1'700'000'000'000'000)); }
    Recording& Add(const std::string& bytes) {
        wal::AppendFrame(batch_, core::Lsn{0x80}, bytes);
        return *this;
    }
    [[nodiscard]] std::span<const std::byte> batch() const {
        return std::as_bytes(std::span(batch_));
    }

  private:
    char identity_;
    std::string batch_;
};

std::vector<TableShape> Shapes(const std::string& table_options, bool resolved = true) {
    auto shapes =
        ParseTableShapes("kafka", R"({"tables": {"public.users": )" + table_options + "}}");
    EXPECT_TRUE(shapes.ok()) << (shapes.ok() ? "" : shapes.error().message);
    if (resolved) {
        shapes->front().relation = kUsers;
        shapes->front().numbers = {{"id", 1}, {"email", 2}, {"name", 3}, {"age", 4}};
    }
    return *shapes;
}

struct Outcome {
    std::vector<std::string> lines;
    core::Status status;
};

Outcome Deliver(std::vector<TableShape> shapes, const Recording& recording) {
    Shaper shaper(std::move(shapes), kSalt);
    sink::MemorySink sink({.keep = true, .resume = {}});
    wal::ParserOptions options;
    options.source = test::TestSource();
    Pipeline pipeline(options, {}, sink, &shaper);
    Outcome outcome;
    outcome.status = pipeline.Feed(recording.batch());
    outcome.lines = sink.changes();
    return outcome;
}

std::string One(const std::string& options, const Recording& recording) {
    Outcome outcome = Deliver(Shapes(options), recording);
    EXPECT_TRUE(outcome.status.ok()) << (outcome.status.ok() ? "" : outcome.status.error().message);
    std::string lines;
    for (const std::string& line : outcome.lines) {
        lines += (lines.empty() ? "" : "\n") + line;
    }
    return lines;
}

Recording Insert() {
    Recording recording;
    recording.Table(Users()).Begin().Add(test::Insert(kUsers, {"1", "a@b.c", "Zoë Smith", "30"}));
    return recording.Commit();
}

TEST(Shaper, LeavesOutWhatIsExcludedAndKeepsWhatIsIncluded) {
    EXPECT_EQ(One(R"({"exclude": ["email", "age"]})", Insert()),
              "INSERT public.users {id=1, name=Zoë Smith}");
    EXPECT_EQ(One(R"({"include": ["id", "age"]})", Insert()), "INSERT public.users {id=1, age=30}");
    EXPECT_EQ(One("{}", Insert()),
              "INSERT public.users {id=1, email=a@b.c, name=Zoë Smith, age=30}");
}

TEST(Shaper, MasksWithConstantsPiecesAndDigests) {
    EXPECT_EQ(
        One(R"({"mask": {"email": "sha256", "name": {"truncate": 3}, "age": {"constant": 0}}})",
            Insert()),
        "INSERT public.users {id=1, email=" + Hashed("a@b.c") + ", name=Zoë, age=0}");
    EXPECT_EQ(One(R"({"mask": {"id": "sha256", "email": {"constant": null}, "name": {"truncate": 0},
                      "age": {"constant": "***"}}})",
                  Insert()),
              "INSERT public.users {id=" + Hashed("1") + ", email=NULL, name=, age=***}");
}

TEST(Shaper, HoldsForOldRowsKeysNullsAndUnchangedValues) {
    Recording recording('f');
    recording.Table(Users()).Begin();
    recording.Add(test::Update(kUsers, 'O', {"1", "old@b.c", "Ann", "1"},
                               {"2", test::kUnchanged, std::nullopt, "2"}));
    recording.Add(test::Delete(kUsers, 'O', {"2", std::nullopt, "Bob", "2"})).Commit();
    EXPECT_EQ(One(R"({"mask": {"email": "sha256", "name": {"constant": "x"}}, "exclude": ["age"]})",
                  recording),
              "UPDATE public.users {id=1, email=" + Hashed("old@b.c") +
                  ", name=x} {id=2, email=" + Hashed("old@b.c") +
                  ", name=x}\n"
                  "DELETE public.users {id=2, email=NULL, name=x}");
    Recording keys;
    keys.Table(Users()).Begin();
    keys.Add(test::Update(kUsers, {"1", test::kUnchanged, "Ann", "1"}));
    keys.Add(test::Delete(kUsers, 'K', {"1", std::nullopt, std::nullopt, std::nullopt})).Commit();
    EXPECT_EQ(One(R"({"mask": {"id": "sha256", "email": "sha256", "age": {"constant": 7}}})", keys),
              "UPDATE public.users {id=" + Hashed("1") + ", email=unchanged, name=Ann, age=7}\n" +
                  "DELETE public.users key {id=" + Hashed("1") + "}");
}

TEST(Shaper, AMaskedValueHasATypeThatHoldsIt) {
    core::RelationSchema relation;
    relation.oid = kUsers;
    relation.schema = "public";
    relation.name = "users";
    core::BuiltinTypes types;
    relation.columns.resize(3);
    relation.columns[0] = {"id", types.Get(core::kInt4Oid), -1, true, true, true, 1};
    relation.columns[1] = {"age", types.Get(core::kInt4Oid), -1, false, true, false, 2};
    relation.columns[2] = {"code", types.Get(core::kVarcharOid), 20 + 4, false, true, false, 3};
    const auto compiled = [&](const std::string& options) {
        auto plan = CompileShape(Shapes(options, false).front(), relation, true);
        EXPECT_TRUE(plan.ok());
        return plan->relation;
    };
    EXPECT_EQ(compiled(R"({"mask": {"age": {"constant": 3}}})").columns[1].type->oid,
              core::kInt4Oid);
    EXPECT_EQ(compiled(R"({"mask": {"age": {"constant": "x"}}})").columns[1].type->oid,
              core::kTextOid);
    EXPECT_EQ(compiled(R"({"mask": {"age": "sha256"}})").columns[1].type->oid, core::kTextOid);
    EXPECT_EQ(compiled(R"({"mask": {"code": "sha256"}})").columns[2].typmod, -1);
    EXPECT_EQ(compiled(R"({"mask": {"code": {"truncate": 2}}})").columns[2].typmod, 24);
    EXPECT_FALSE(compiled(R"({"mask": {"age": {"constant": null}}})").columns[1].not_null);
}

TEST(Shaper, KeyColumnsReplaceTheKey) {
    std::vector<TableShape> shapes =
        Shapes(R"({"key_columns": ["age", "id"], "exclude": ["name"]})");
    Recording recording('f');
    recording.Table(Users()).Begin().Add(test::Delete(kUsers, 'O', {"1", "e", "n", "30"})).Commit();
    EXPECT_TRUE(Deliver(shapes, recording).status.ok());
    // Without the whole old row a delete could not say the key it had.
    Recording poor;
    poor.Table(Users()).Begin();
    poor.Add(test::Delete(kUsers, 'K', {"1", std::nullopt, std::nullopt, std::nullopt}));
    const core::Status status = Deliver(shapes, poor).status;
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kObjectNotInPrerequisiteState);
    EXPECT_NE(status.error().message.find("\"age\""), std::string::npos);
    EXPECT_TRUE(Deliver(shapes, Insert()).status.ok());
}

// The promise: what is masked stays masked, or the stream stops.
TEST(Shaper, ARenamedColumnOrTableStaysMasked) {
    const std::string options = R"({"mask": {"email": "sha256"}, "exclude": ["age"]})";
    std::vector<Named> renamed = Users();
    renamed[1].name = "mail";
    renamed[3].name = "years";
    Recording recording;
    recording.Table(Users()).Begin().Add(test::Insert(kUsers, {"1", "a", "n", "3"}));
    recording.Table(renamed, "people").Add(test::Insert(kUsers, {"2", "b", "n", "3"})).Commit();
    EXPECT_EQ(One(options, recording),
              "INSERT public.users {id=1, email=" + Hashed("a") +
                  ", name=n}\nINSERT public.people {id=2, mail=" + Hashed("b") + ", name=n}");
    // A new column takes the old name: both are hidden.
    renamed.push_back({"email", core::kTextOid, 5});
    Recording both;
    both.Table(renamed).Begin().Add(test::Insert(kUsers, {"2", "b", "n", "3", "c"})).Commit();
    EXPECT_EQ(One(options, both), "INSERT public.users {id=2, mail=" + Hashed("b") +
                                      ", name=n, email=" + Hashed("c") + "}");
}

TEST(Shaper, ADroppedColumnIsNoReasonToStopAndAnAddedOneIsSent) {
    Recording recording;
    recording.Table({{"id", core::kInt4Oid, 1, true},
                     {"name", core::kTextOid, 3},
                     {"age", core::kInt4Oid, 4},
                     {"city", core::kTextOid, 5}});
    recording.Begin().Add(test::Insert(kUsers, {"1", "n", "3", "x"})).Commit();
    EXPECT_EQ(One(R"({"mask": {"email": "sha256"}})", recording),
              "INSERT public.users {id=1, name=n, age=3, city=x}");
    EXPECT_EQ(One(R"({"include": ["id", "email"]})", recording), "INSERT public.users {id=1}");
}

TEST(Shaper, StopsWhereARenameCannotBeToldFromADrop) {
    std::vector<Named> renamed = Users();
    renamed[1].name = "mail";
    for (Named& column : renamed) {
        column.number = 0;  // no type record: the table is gone from the catalog
    }
    Recording recording;
    recording.Table(renamed).Begin().Add(test::Insert(kUsers, {"1", "a", "n", "3"}));
    for (const bool resolved : {true, false}) {
        Outcome outcome = Deliver(Shapes(R"({"mask": {"email": "sha256"}})", resolved), recording);
        ASSERT_FALSE(outcome.status.ok());
        EXPECT_EQ(outcome.status.error().sqlstate, core::kObjectNotInPrerequisiteState);
        EXPECT_NE(outcome.status.error().message.find("\"email\""), std::string::npos);
        EXPECT_TRUE(outcome.lines.empty());
    }
}

core::Error Refused(const std::string& table_options, const std::string& sink = "kafka") {
    const core::Status status = ValidateStreamOptions(
        sink, "event", R"({"tables": {"public.users": )" + table_options + "}}");
    EXPECT_FALSE(status.ok()) << table_options;
    return status.ok() ? core::Error{} : status.error();
}

TEST(TableShape, RefusesWhatIsWrongInItself) {
    EXPECT_NE(Refused(R"({"exlude": ["a"]})").hint.find("\"exclude\""), std::string::npos);
    EXPECT_NE(Refused(R"({"mask": {"a": "sha-256"}})").hint.find("sha256"), std::string::npos);
    Refused(R"({"exclude": "a"})");
    Refused(R"({"exclude": []})");
    Refused(R"({"exclude": ["a", "a"]})");
    Refused(R"({"exclude": ["a"], "include": ["b"]})");
    Refused(R"({"exclude": ["a"], "mask": {"a": "sha256"}})");
    Refused(R"({"mask": {"a": {"truncate": -1}}})");
    Refused(R"({"mask": {"a": {"truncate": 1, "constant": 2}}})");
    Refused(R"({"mask": {"a": {"constant": []}}})");
    Refused(R"({"mask": ["a"]})");
    Refused(R"({"topic": "{tabel}"})");
    Refused(R"({"filter": ""})");
    Refused("[]");
    Refused(R"({"key_columns": ["a"]})", "bronze");
    Refused(R"({"topic": "a"})", "memory");
    EXPECT_FALSE(ValidateStreamOptions("kafka", "event", R"({"tables": []})").ok());
    EXPECT_TRUE(ValidateStreamOptions("bronze", "event",
                                      R"({"tables": {"a.b": {"mask": {"c": "sha256"}}}})")
                    .ok());
}

TEST(TableShape, RefusesWhatDoesNotFitTheTable) {
    core::RelationSchema relation;
    relation.oid = kUsers;
    relation.schema = "public";
    relation.name = "users";
    relation.columns.resize(2);
    relation.columns[0] = {"id", test::Builtin(core::kInt4Oid), -1, true, true, true, 1};
    relation.columns[1] = {"email", test::Builtin(core::kTextOid), -1, false, false, false, 2};
    const auto refused = [&](const std::string& options) {
        auto plan = CompileShape(Shapes(options, false).front(), relation, true);
        EXPECT_FALSE(plan.ok()) << options;
        return plan.ok() ? core::Error{} : plan.error();
    };
    EXPECT_NE(refused(R"({"mask": {"emial": "sha256"}})").hint.find("\"email\""),
              std::string::npos);
    EXPECT_NE(refused(R"({"exclude": ["id"]})").message.find("key"), std::string::npos);
    refused(R"({"include": ["email"]})");
    refused(R"({"mask": {"id": {"constant": "x"}}})");
    refused(R"({"mask": {"id": {"truncate": 2}}})");
    refused(R"({"key_columns": ["email"], "mask": {"email": {"truncate": 2}}})");
    refused(R"({"key_columns": ["email"], "exclude": ["email"]})");
    auto plan = CompileShape(
        Shapes(R"({"key_columns": ["email"], "exclude": ["id"]})", false).front(), relation, true);
    ASSERT_TRUE(plan.ok());
    EXPECT_FALSE(plan->key_in_old_row);
    EXPECT_EQ(plan->missing_key, "email");
}

}  // namespace
}  // namespace bitvelocity::pipeline
