// The memory sink: its sums depend on content and order, and an unfinished transaction leaves
// nothing.

#include "sink/memory.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "core/lsn.hpp"
#include "core/schema.hpp"

namespace bitvelocity::sink {
namespace {

using core::Lsn;

core::RelationSchema Orders() {
    core::RelationSchema relation;
    relation.oid = 16;
    relation.schema = "public";
    relation.name = "orders";
    relation.columns.resize(2);
    relation.columns[0].name = "id";
    relation.columns[1].name = "note";
    return relation;
}

void Insert(MemorySink& sink, const core::RelationSchema& relation, std::string_view id,
            std::string_view note) {
    const core::Value values[] = {{core::ValueKind::kText, id}, {core::ValueKind::kText, note}};
    core::Change change;
    change.relation = &relation;
    change.after = values;
    ASSERT_TRUE(sink.Write(change).ok());
}

core::Transaction Ending(std::uint64_t lsn) {
    core::Transaction transaction;
    transaction.end_lsn = Lsn{lsn};
    return transaction;
}

TEST(MemorySink, CountsWhatWasCommitted) {
    const core::RelationSchema relation = Orders();
    MemorySink sink({.keep = true, .resume = Lsn{5}});
    EXPECT_EQ(sink.DurablePosition(), Lsn{5});
    ASSERT_TRUE(sink.Begin({}).ok());
    Insert(sink, relation, "1", "abc");
    EXPECT_EQ(sink.totals().rows, 0u);
    ASSERT_TRUE(sink.Commit(Ending(10)).ok());
    EXPECT_EQ(sink.totals().rows, 1u);
    EXPECT_EQ(sink.totals().bytes, 4u);
    EXPECT_EQ(sink.totals().transactions, 1u);
    EXPECT_EQ(sink.DurablePosition(), Lsn{10});

    const std::uint64_t checksum = sink.totals().checksum;
    ASSERT_TRUE(sink.Begin({}).ok());
    Insert(sink, relation, "2", "lost");
    ASSERT_TRUE(sink.Begin({}).ok());
    EXPECT_EQ(sink.totals().checksum, checksum);
    EXPECT_EQ(sink.changes(), std::vector<std::string>{"INSERT public.orders {id=1, note=abc}"});
    ASSERT_TRUE(sink.Progress(Lsn{20}).ok());
    ASSERT_TRUE(sink.Progress(Lsn{15}).ok());
    EXPECT_EQ(sink.DurablePosition(), Lsn{20});
}

std::uint64_t Checksum(std::initializer_list<std::pair<const char*, const char*>> rows) {
    const core::RelationSchema relation = Orders();
    MemorySink sink;
    EXPECT_TRUE(sink.Begin({}).ok());
    for (const auto& [id, note] : rows) {
        Insert(sink, relation, id, note);
    }
    EXPECT_TRUE(sink.Commit(Ending(10)).ok());
    return sink.totals().checksum;
}

TEST(MemorySink, ChecksumSeesContentAndOrder) {
    EXPECT_EQ(Checksum({{"1", "a"}, {"2", "b"}}), Checksum({{"1", "a"}, {"2", "b"}}));
    EXPECT_NE(Checksum({{"1", "a"}, {"2", "b"}}), Checksum({{"2", "b"}, {"1", "a"}}));
    EXPECT_NE(Checksum({{"1", "ab"}}), Checksum({{"1a", "b"}}));
    EXPECT_NE(Checksum({{"1", "123456789"}}), Checksum({{"1", "12345678"}}));
}

TEST(MemorySink, DescribesKeysAndUnchangedValues) {
    const core::RelationSchema relation = Orders();
    const core::Value before[] = {{core::ValueKind::kText, "1"}, {}};
    const core::Value after[] = {{core::ValueKind::kText, "2"}, {core::ValueKind::kUnchanged, {}}};
    core::Change change;
    change.operation = core::Operation::kUpdate;
    change.relation = &relation;
    change.before = before;
    change.before_is_key = true;
    change.after = after;
    EXPECT_EQ(DescribeChange(change), "UPDATE public.orders key {id=1} {id=2, note=unchanged}");
}

}  // namespace
}  // namespace bitvelocity::sink
