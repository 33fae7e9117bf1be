#include "stream/model/chunk.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::stream::model {
namespace {

ChunkOrder SomeOrder() {
    ChunkOrder order;
    order.number = 7;
    order.relation = 16384;
    order.filter = "id > 0 -- a comment";
    order.place = {{"a", "b"}, {"1", ""}};
    order.again = true;
    order.keys = {std::string("\0\1", 2), ""};
    order.must_see = {1, 4294967295U};
    return order;
}

ChunkAnswer SomeAnswer() {
    ChunkAnswer answer;
    answer.number = 9;
    answer.outcome = ReadOutcome::kFailed;
    answer.error = {"22012", "division by zero", "a detail", "a hint"};
    answer.again = true;
    answer.chunk.snapshot = "100:102:100";
    answer.chunk.description = std::string("R\0x", 3);
    answer.chunk.rows = "rows";
    answer.chunk.read = 10;
    answer.chunk.place = {{"ctid"}, {"16384", "(0,1)"}};
    answer.chunk.last = true;
    answer.chunk.keys = RowKeys({{"id", 23}, {"v", 25}}, true);
    return answer;
}

TEST(Chunk, AnOrderComesThroughAsItWas) {
    const ChunkOrder order = SomeOrder();
    const auto read = DecodeOrder(Encode(order));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->number, order.number);
    EXPECT_EQ(read->relation, order.relation);
    EXPECT_EQ(read->filter, order.filter);
    EXPECT_EQ(read->place.columns, order.place.columns);
    EXPECT_EQ(read->place.values, order.place.values);
    EXPECT_TRUE(read->again);
    EXPECT_EQ(read->keys, order.keys);
    EXPECT_EQ(read->must_see, order.must_see);
}

TEST(Chunk, AnAnswerComesThroughButForItsRows) {
    const ChunkAnswer answer = SomeAnswer();
    std::uint64_t rows = 0;
    const auto read = DecodeAnswer(Encode(answer), &rows);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(rows, 4U);
    EXPECT_TRUE(read->chunk.rows.empty());
    EXPECT_EQ(read->number, answer.number);
    EXPECT_EQ(read->outcome, ReadOutcome::kFailed);
    EXPECT_EQ(read->error.sqlstate, "22012");
    EXPECT_EQ(read->error.message, "division by zero");
    EXPECT_EQ(read->error.detail, "a detail");
    EXPECT_EQ(read->error.hint, "a hint");
    EXPECT_TRUE(read->again);
    EXPECT_EQ(read->chunk.snapshot, answer.chunk.snapshot);
    EXPECT_EQ(read->chunk.description, answer.chunk.description);
    EXPECT_EQ(read->chunk.read, 10U);
    EXPECT_EQ(read->chunk.place.columns, answer.chunk.place.columns);
    EXPECT_EQ(read->chunk.place.values, answer.chunk.place.values);
    EXPECT_TRUE(read->chunk.last);
    EXPECT_TRUE(read->chunk.keys.whole());
    ASSERT_EQ(read->chunk.keys.columns().size(), 2U);
    EXPECT_EQ(read->chunk.keys.columns()[1].name, "v");
    EXPECT_EQ(read->chunk.keys.columns()[1].type, 25U);
}

TEST(Chunk, BytesThatAreCutOffOrTooManyAreRefused) {
    const std::string order = Encode(SomeOrder());
    for (std::size_t size = 0; size < order.size(); ++size) {
        EXPECT_FALSE(DecodeOrder(std::string_view(order).substr(0, size)).has_value()) << size;
    }
    EXPECT_FALSE(DecodeOrder(order + "x").has_value());
    const std::string answer = Encode(SomeAnswer());
    std::uint64_t rows = 0;
    for (std::size_t size = 0; size < answer.size(); ++size) {
        EXPECT_FALSE(DecodeAnswer(std::string_view(answer).substr(0, size), &rows).has_value());
    }
    std::string unknown = answer;
    unknown[8] = 99;
    EXPECT_FALSE(DecodeAnswer(unknown, &rows).has_value());
}

}  // namespace
}  // namespace bitvelocity::stream::model
