// The pipeline: from frames to the sink, whole transactions only, from the resume position on.

#include "pipeline/pipeline.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "pipeline_frames.hpp"
#include "sink/memory.hpp"

namespace bitvelocity::pipeline {
namespace {

using core::Lsn;
using test::Frames;

// Writes down every call.
class Recorder final : public sink::Sink {
  public:
    core::Result<Lsn> ResumePosition() override { return Lsn{}; }
    core::Status Begin(const core::Transaction& transaction) override {
        return Note("begin " + std::to_string(transaction.xid) + " " +
                    core::ToString(transaction.commit_lsn));
    }
    core::Status Write(const core::Change& change) override {
        return Note(sink::DescribeChange(change));
    }
    core::Status Commit(const core::Transaction& transaction) override {
        return Note("commit " + core::ToString(transaction.end_lsn));
    }
    core::Status Progress(Lsn lsn) override { return Note("progress " + core::ToString(lsn)); }
    core::Status Boundary(bool idle) override { return Note(idle ? "idle" : "boundary"); }
    core::Status Poll() override { return Note("poll"); }
    [[nodiscard]] Lsn DurablePosition() const override { return {}; }
    core::Status Drain(std::int64_t) override { return core::Status::Ok(); }

    std::vector<std::string> calls;
    std::string refuse;

  private:
    core::Status Note(std::string call) {
        if (!refuse.empty() && call.starts_with(refuse)) {
            return core::Status::Fail(core::kConnectionFailure, "refused " + call);
        }
        calls.push_back(std::move(call));
        return core::Status::Ok();
    }
};

using Calls = std::vector<std::string>;

Frames TwoTransactions() {
    Frames frames;
    frames.Begin(0x100, 7)
        .Relation(16, "public", "orders", {"id", "note"})
        .Insert(0x80, 16, {"1", "a"})
        .Insert(0x90, 16, {"2", "b"})
        .Commit(0x100, 0x110)
        .Begin(0x110, 8)
        .Insert(0xa0, 16, {"3", "c"})
        .Commit(0x110, 0x120);
    return frames;
}

TEST(Pipeline, HandsTransactionsToTheSink) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{}, sink);
    ASSERT_TRUE(pipeline.Feed(TwoTransactions().batch()).ok());
    EXPECT_EQ(sink.calls,
              (Calls{"begin 7 0/100", "INSERT public.orders {id=1, note=a}",
                     "INSERT public.orders {id=2, note=b}", "commit 0/110", "begin 8 0/110",
                     "INSERT public.orders {id=3, note=c}", "commit 0/120"}));
    EXPECT_EQ(pipeline.statistics().rows, 3u);
    EXPECT_EQ(pipeline.statistics().transactions, 2u);
    EXPECT_EQ(pipeline.statistics().last_commit, Lsn{0x120});
    EXPECT_FALSE(pipeline.in_transaction());
}

TEST(Pipeline, CountsTheRowsOfTheTransactionUnderWay) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{0x110}, sink);
    EXPECT_EQ(pipeline.transaction_rows(), 0u);
    Frames known;
    known.Begin(0x100, 6).Relation(16, "public", "orders", {"id"}).Insert(0x80, 16, {"0"});
    ASSERT_TRUE(pipeline.Feed(known.batch()).ok());
    EXPECT_EQ(pipeline.transaction_rows(), 0u);  // it is in the sink already
    Frames frames;
    frames.Commit(0x100, 0x110).Begin(0x110, 7).Insert(0x90, 16, {"1"}).Insert(0xa0, 16, {"2"});
    ASSERT_TRUE(pipeline.Feed(frames.batch()).ok());
    EXPECT_EQ(pipeline.transaction_rows(), 2u);
    Frames more;
    more.Insert(0xb0, 16, {"3"});
    ASSERT_TRUE(pipeline.Feed(more.batch()).ok());
    EXPECT_EQ(pipeline.transaction_rows(), 3u);
    Frames end;
    end.Commit(0x110, 0x120);
    ASSERT_TRUE(pipeline.Feed(end.batch()).ok());
    EXPECT_EQ(pipeline.transaction_rows(), 0u);
    EXPECT_EQ(pipeline.statistics().rows, 3u);
}

// The end of one transaction may be the commit record of the next: that one is not in the sink.
TEST(Pipeline, SkipsWholeTransactionsUpToTheResumePosition) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{0x110}, sink);
    ASSERT_TRUE(pipeline.Feed(TwoTransactions().batch()).ok());
    EXPECT_EQ(sink.calls,
              (Calls{"begin 8 0/110", "INSERT public.orders {id=3, note=c}", "commit 0/120"}));
    EXPECT_EQ(pipeline.statistics().skipped, 1u);
    EXPECT_EQ(pipeline.statistics().rows, 1u);
}

TEST(Pipeline, PassesProgressOnlyBeyondTheResumePosition) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{0x110}, sink);
    ASSERT_TRUE(pipeline.Feed(Frames().Progress(0x100).Progress(0x200).batch()).ok());
    EXPECT_EQ(sink.calls, (Calls{"progress 0/200"}));
}

TEST(Pipeline, ABatchMayEndInsideATransaction) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{}, sink);
    Frames first;
    first.Begin(0x100, 7).Relation(16, "s", "t", {"id"}).Insert(0x80, 16, {"1"});
    ASSERT_TRUE(pipeline.Feed(first.batch()).ok());
    EXPECT_TRUE(pipeline.in_transaction());
    ASSERT_TRUE(pipeline.Boundary(true).ok());
    ASSERT_TRUE(pipeline.Feed(Frames().Commit(0x100, 0x110).batch()).ok());
    EXPECT_FALSE(pipeline.in_transaction());
    ASSERT_TRUE(pipeline.Boundary(false).ok());
    ASSERT_TRUE(pipeline.Boundary(true).ok());
    EXPECT_EQ(sink.calls, (Calls{"begin 7 0/100", "INSERT s.t {id=1}", "poll", "commit 0/110",
                                 "boundary", "idle"}));
}

TEST(Pipeline, RefusesABatchThatIsCutOff) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{}, sink);
    const Frames frames = TwoTransactions();
    const core::Status status = pipeline.Feed(frames.batch().first(frames.batch().size() - 1));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kProtocolViolation);
}

TEST(Pipeline, StopsAtTheSinksError) {
    Recorder sink;
    sink.refuse = "commit 0/110";
    Pipeline pipeline({}, Lsn{}, sink);
    const core::Status status = pipeline.Feed(TwoTransactions().batch());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().message, "refused commit 0/110");
    EXPECT_EQ(sink.calls.size(), 3u);
}

TEST(Pipeline, AnAloneMessageIsATransactionOfItsOwn) {
    Recorder sink;
    wal::ParserOptions options;
    options.messages = true;
    Pipeline pipeline(options, Lsn{0x50}, sink);
    Frames frames;
    frames.Message(0x40, false, "app", "old").Message(0x50, false, "app", "last");
    // A message's position is where its record ends and the next begins.
    frames.Message(0x60, false, "app", "new").Begin(0x60, 7).Commit(0x60, 0x70);
    ASSERT_TRUE(pipeline.Feed(frames.batch()).ok());
    EXPECT_EQ(sink.calls, (Calls{"begin 0 0/60", "MESSAGE app {new}", "commit 0/60", "begin 7 0/60",
                                 "commit 0/70"}));
}

TEST(Pipeline, ACommitRightBehindAnAloneMessageIsNotTakenForDelivered) {
    Recorder sink;
    wal::ParserOptions options;
    options.messages = true;
    Pipeline before(options, Lsn{}, sink);
    ASSERT_TRUE(before.Feed(Frames().Message(0x60, false, "app", "x").batch()).ok());
    ASSERT_EQ(sink.calls.back(), "commit 0/60");
    Pipeline after(options, Lsn{0x60}, sink);
    Frames frames;
    frames.Message(0x60, false, "app", "x").Begin(0x60, 7).Commit(0x60, 0x70);
    ASSERT_TRUE(after.Feed(frames.batch()).ok());
    EXPECT_EQ(sink.calls.back(), "commit 0/70");
}

class Marks final : public Watcher {
  public:
    void OnChange(const core::Change& change) override {
        seen.push_back(std::string(core::OperationName(change.operation)));
    }
    core::Status OnWatermark(Lsn lsn, std::string_view content) override {
        seen.push_back(core::ToString(lsn) + " " + std::string(content));
        return core::Status::Ok();
    }
    Calls seen;
};

TEST(Pipeline, AWatermarkComesInItsPlaceAndOnlyToWhoWroteIt) {
    Recorder sink;
    wal::ParserOptions options;
    options.messages = true;
    options.context_secret = "secret";
    options.source.stream = "shop";
    Pipeline pipeline(options, Lsn{0x30}, sink);
    using namespace std::string_view_literals;
    Frames frames;
    frames.Message(0x30, false, wal::kWatermarkPrefix, "secret\0shop\0old"sv)
        .Message(0x40, false, wal::kWatermarkPrefix, "secret\0shop\0one"sv)
        .Message(0x41, false, wal::kWatermarkPrefix, "secrex\0shop\0forged"sv)
        .Message(0x42, false, wal::kWatermarkPrefix, "secret\0other\0two"sv)
        .Message(0x43, false, wal::kWatermarkPrefix, "secret"sv)
        .Begin(0x100, 7)
        .Message(0x44, true, wal::kWatermarkPrefix, "secret\0shop\0not alone"sv)
        .Relation(16, "s", "t", {"id"})
        .Insert(0x80, 16, {"1"})
        .Commit(0x100, 0x110)
        .Message(0x110, false, wal::kWatermarkPrefix, "secret\0shop\0two"sv);
    Marks marks;
    pipeline.Watch(&marks);
    ASSERT_TRUE(pipeline.Feed(frames.batch()).ok());
    EXPECT_EQ(marks.seen, (Calls{"0/40 one", "INSERT", "0/110 two"}));
    EXPECT_EQ(sink.calls, (Calls{"begin 7 0/100", "INSERT s.t {id=1}", "commit 0/110"}));
    pipeline.Watch(nullptr);
    ASSERT_TRUE(pipeline.Feed(frames.batch()).ok());
    EXPECT_EQ(marks.seen.size(), 3U);
}

TEST(Pipeline, SnapshotRowsAreOneTransactionThatEndsAtTheConsistentPoint) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{}, sink);
    core::RelationSchema relation;
    relation.schema = "public";
    relation.name = "orders";
    relation.columns.resize(1);
    relation.columns[0].name = "id";
    core::Change change;
    change.operation = core::Operation::kRead;
    change.relation = &relation;
    change.identity.commit_lsn = Lsn{0x60};
    const core::Value value{core::ValueKind::kText, "1"};
    change.after = {&value, 1};
    ASSERT_TRUE(pipeline.WriteSnapshotRow(change).ok());
    EXPECT_TRUE(pipeline.in_transaction());
    ASSERT_TRUE(pipeline.Boundary(true).ok());
    ASSERT_TRUE(pipeline.WriteSnapshotRow(change).ok());
    EXPECT_FALSE(pipeline.Feed(Frames().Progress(0x70).batch()).ok());
    ASSERT_TRUE(pipeline.EndSnapshot(Lsn{0x60}).ok());
    EXPECT_FALSE(pipeline.in_transaction());
    EXPECT_EQ(sink.calls, (Calls{"begin 0 0/60", "READ public.orders {id=1}", "poll",
                                 "READ public.orders {id=1}", "commit 0/60"}));
}

TEST(Pipeline, AnEmptySnapshotOnlyMovesThePosition) {
    Recorder sink;
    Pipeline pipeline({}, Lsn{}, sink);
    ASSERT_TRUE(pipeline.EndSnapshot(Lsn{0x60}).ok());
    EXPECT_EQ(sink.calls, (Calls{"progress 0/60"}));
}

}  // namespace
}  // namespace bitvelocity::pipeline
