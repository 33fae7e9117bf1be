// Which source transactions share a Kafka transaction, and what the progress record says.

#include "pipeline/transaction_group.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::pipeline {
namespace {

using core::Lsn;

core::Change At(std::uint64_t commit, std::uint64_t ordinal, std::uint32_t part = 0,
                core::Operation operation = core::Operation::kInsert) {
    core::Change change;
    change.operation = operation;
    change.identity.commit_lsn = Lsn{commit};
    change.identity.ordinal = ordinal;
    change.identity.part = part;
    return change;
}

TransactionGroup Group(TransactionOptions options = {}, std::int32_t epoch = 1,
                       std::uint32_t timeline = 1) {
    return {options, epoch, timeline, Lsn{0x100}};
}

TEST(TransactionGroup, EndsWhenIdleOrFullAndOnlyThenMovesThePosition) {
    TransactionOptions options;
    options.rows = 3;
    options.milliseconds = 1'000'000;
    TransactionGroup group = Group(options);
    EXPECT_FALSE(group.Due(true));
    group.Wrote(At(0x200, 1));
    group.Reached(Lsn{0x210});
    EXPECT_FALSE(group.Due(false));
    EXPECT_TRUE(group.Due(true));
    group.Wrote(At(0x300, 1));
    group.Wrote(At(0x300, 2));
    group.Reached(Lsn{0x310});
    EXPECT_TRUE(group.Due(false));
    EXPECT_EQ(group.committed(), Lsn{0x100});
    group.Committed();
    EXPECT_EQ(group.committed(), Lsn{0x310});
    EXPECT_TRUE(group.empty());
    group.Reached(Lsn{0x400});  // nothing under way: it counts at once
    EXPECT_EQ(group.committed(), Lsn{0x400});
}

TEST(TransactionGroup, EndsAfterItsTime) {
    TransactionOptions options;
    options.milliseconds = 0;
    TransactionGroup group = Group(options);
    group.Wrote(At(0x200, 1));
    group.Reached(Lsn{0x210});
    EXPECT_TRUE(group.Due(false));
}

TEST(TransactionGroup, ARecordIsWhereTheNextProcessBegins) {
    TransactionGroup group = Group();
    group.Wrote(At(0x200, 1));
    group.Reached(Lsn{0x210});
    const std::string record = group.Record();
    group.Wrote(At(0x300, 1));
    TransactionGroup next = Group();
    ASSERT_TRUE(next.Restore(record).ok());
    EXPECT_EQ(next.resume(), Lsn{0x210});
    EXPECT_EQ(next.committed(), Lsn{0x210});
    EXPECT_FALSE(next.Has(At(0x300, 1)));
}

TEST(TransactionGroup, ASplitTransactionGoesOnBehindTheChangeThatIsThere) {
    TransactionOptions options;
    options.timeout_ms = 0;
    TransactionGroup group = Group(options);
    group.Wrote(At(0x200, 1));
    group.Reached(Lsn{0x210});
    for (std::uint64_t i = 1; i < 255; ++i) {
        group.Wrote(At(0x300, i));
        EXPECT_FALSE(group.Overdue());
    }
    group.Wrote(At(0x300, 255, 1));
    ASSERT_TRUE(group.Overdue());
    const std::string record = group.Record();
    group.Committed();
    EXPECT_EQ(group.committed(), Lsn{0x210}) << "of a part of a transaction nothing is confirmed";

    TransactionGroup next = Group(options);
    ASSERT_TRUE(next.Restore(record).ok());
    EXPECT_EQ(next.resume(), Lsn{0x210});
    EXPECT_TRUE(next.Has(At(0x300, 254)));
    EXPECT_TRUE(next.Has(At(0x300, 255, 1)));
    EXPECT_FALSE(next.Has(At(0x300, 255, 2)));
    EXPECT_FALSE(next.Has(At(0x300, 256)));
    EXPECT_FALSE(next.Has(At(0x400, 1)));
    EXPECT_FALSE(next.Has(At(0x300, 1, 0, core::Operation::kRead)));
}

TEST(TransactionGroup, ExistingRowsLeaveNoPlaceInside) {
    TransactionGroup group = Group();
    group.Wrote(At(0x100, 7, 0, core::Operation::kRead));
    TransactionGroup next = Group();
    ASSERT_TRUE(next.Restore(group.Record()).ok());
    EXPECT_FALSE(next.Has(At(0x100, 1)));
}

TEST(TransactionGroup, AnotherHistoryDoesNotCount) {
    TransactionGroup group = Group({}, 2, 1);
    group.Reached(Lsn{0x210});
    const std::string record = group.Record();
    TransactionGroup later_epoch = Group({}, 3, 1);
    ASSERT_TRUE(later_epoch.Restore(record).ok());
    EXPECT_FALSE(later_epoch.resume().valid());
    EXPECT_EQ(later_epoch.committed(), Lsn{0x100});
    TransactionGroup promoted = Group({}, 2, 2);
    ASSERT_TRUE(promoted.Restore(record).ok());
    EXPECT_FALSE(promoted.resume().valid());
    TransactionGroup earlier_epoch = Group({}, 1, 1);
    const core::Status status = earlier_epoch.Restore(record);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, core::kObjectNotInPrerequisiteState);
}

TEST(TransactionGroup, ARecordOfSomebodyElseIsRefused) {
    for (const char* record :
         {"x", "[]", "{}", R"({"epoch": "1", "timeline": 1})", R"({"epoch": 1, "timeline": 1})",
          R"({"epoch": 1, "timeline": 1, "lsn": "nowhere"})"}) {
        EXPECT_FALSE(Group().Restore(record).ok()) << record;
    }
    EXPECT_TRUE(Group().Restore("").ok());
}

}  // namespace
}  // namespace bitvelocity::pipeline
