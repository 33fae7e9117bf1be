// Letters: the bytes hold everything that encoders look at, and refuse whatever is cut off.

#include "pipeline/letter.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/builtin_types.hpp"

namespace bitvelocity::pipeline {
namespace {

using core::Lsn;
using core::ValueKind;

class LetterTest : public testing::Test {
  protected:
    LetterTest() {
        source_.epoch = 3;
        auto label = std::make_shared<core::TypeDescription>();
        label->oid = 70000;
        label->schema = "public";
        label->name = "mood";
        label->kind = core::TypeKind::kEnum;
        label->labels = {"sad", "happy"};
        auto list = std::make_shared<core::TypeDescription>();
        list->oid = 70001;
        list->kind = core::TypeKind::kArray;
        list->element = label;
        auto pair = std::make_shared<core::TypeDescription>();
        pair->oid = 70002;
        pair->kind = core::TypeKind::kComposite;
        pair->attributes.push_back({"m", label, 7});
        relation_.oid = 16;
        relation_.schema = "public";
        relation_.name = "orders";
        relation_.replica_identity = core::ReplicaIdentity::kIndex;
        relation_.columns = {{"id", core::BuiltinTypes().Get(23), -1, true, true, true, 1},
                             {"moods", list, 5, false, false, false, 2},
                             {"pair", pair, -1, false, false, false, 4}};
        relation_.columns[2].key_place = 2;
        relation_.columns[2].default_expression = "ROW('a'::text)";
        relation_.chosen_key = {2};
        context_.actor = "me";
        change_.operation = core::Operation::kUpdate;
        change_.relation = &relation_;
        change_.identity = {&source_, Lsn{0x1234567890}, 42, 7, 2};
        change_.lsn = Lsn{0x99};
        change_.commit_time_us = -5;
        change_.before = before_;
        change_.before_is_key = true;
        change_.after = after_;
        change_.context = &context_;
    }

    core::Source source_;
    core::RelationSchema relation_;
    core::Context context_;
    core::Value before_[3] = {{ValueKind::kText, "1"}, {}, {}};
    core::Value after_[3] = {
        {ValueKind::kText, "2"}, {ValueKind::kUnchanged, {}}, {ValueKind::kText, ""}};
    core::Change change_;
};

TEST_F(LetterTest, HoldsAllOfAChangeAndItsTable) {
    TableShape shape;
    shape.text = R"({"exclude":["notes"]})";
    auto read = ReadLetter(WriteLetter(change_, &shape), 77, &source_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->shape, shape.text);
    const core::Change& change = read->event->change();
    EXPECT_EQ(change.operation, core::Operation::kUpdate);
    EXPECT_EQ(IdentityText(change.identity), "3:12/34567890:42:7:2");
    EXPECT_EQ(change.lsn, Lsn{0x99});
    EXPECT_EQ(change.commit_time_us, -5);
    EXPECT_EQ(change.context->actor, "me");
    ASSERT_EQ(change.after.size(), 3u);
    EXPECT_EQ(change.after[1].kind, ValueKind::kUnchanged);
    EXPECT_EQ(change.after[2].kind, ValueKind::kText);
    EXPECT_TRUE(change.before_is_key);
    const core::RelationSchema& relation = *change.relation;
    EXPECT_EQ(relation.version, 77u);
    EXPECT_EQ(relation.replica_identity, core::ReplicaIdentity::kIndex);
    EXPECT_EQ(relation.KeyColumns(), std::vector<std::size_t>{2});
    EXPECT_EQ(relation.columns[1].type->element->labels[1], "happy");
    EXPECT_EQ(relation.columns[2].type->attributes[0].typmod, 7);
    EXPECT_EQ(relation.columns[2].number, 4);
    EXPECT_EQ(relation.columns[2].key_place, 2);
    EXPECT_EQ(relation.columns[2].default_expression, "ROW('a'::text)");
    EXPECT_TRUE(relation.columns[0].key && relation.columns[0].not_null &&
                relation.columns[0].primary_key);
    EXPECT_EQ(WriteLetter(change, &shape), WriteLetter(change_, &shape));
    EXPECT_EQ(ChangeJson(change), ChangeJson(change_));
}

TEST_F(LetterTest, RefusesWhatIsCutOffOrOfALaterForm) {
    const std::string whole = WriteLetter(change_, nullptr);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(ReadLetter(whole.substr(0, length), 1, &source_).ok()) << length;
    }
    EXPECT_FALSE(ReadLetter(whole + "x", 1, &source_).ok());
    std::string later = whole;
    later[0] = 2;
    EXPECT_FALSE(ReadLetter(later, 1, &source_).ok());
}

TEST_F(LetterTest, ShowsAChangeAsText) {
    EXPECT_EQ(ChangeJson(change_),
              R"({"before":{"id":"1"},"before_is_key":true,"after":{"id":"2","pair":""},)"
              R"("unchanged":["moods"]})");
}

TEST_F(LetterTest, KeepsLogicalMessagesOfAnyBytes) {
    core::Change message;
    message.operation = core::Operation::kMessage;
    message.prefix = "p";
    const std::string content("a\0b", 3);
    message.content = content;
    message.identity.source = &source_;
    auto read = ReadLetter(WriteLetter(message, nullptr), 1, &source_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->event->change().relation, nullptr);
    EXPECT_EQ(read->event->change().content, content);
    EXPECT_EQ(ChangeJson(message), R"({"prefix":"p","content_base64":"YQBi"})");
}

TEST(LetterText, IsTextThatADatabaseTakes) {
    EXPECT_EQ(ReadableText(std::string("\xc3\xa9\xc3x\0y", 6)), "\xc3\xa9?x?y");
    EXPECT_EQ(KeyText("{\"id\":1}"), "{\"id\":1}");
    EXPECT_EQ(KeyText(std::string("\0\x01", 2)), "\\x0001");
}

}  // namespace
}  // namespace bitvelocity::pipeline
