#include "stream/model/slot_verdict.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::stream::model {
namespace {

SlotView OurSlot() {
    SlotView slot;
    slot.name = "bitvelocity_5_s_01234567";
    slot.exists = true;
    slot.logical = true;
    slot.own_database = true;
    slot.plugin = "pgoutput";
    slot.confirmed = core::Lsn{0x1000};
    return slot;
}

const RecordView kRecord{true, core::Lsn{0x1000}, 1};

void ExpectLost(const SlotView& slot, const RecordView& record, const std::string& why) {
    const auto reason = JudgeSlot(slot, record, 1);
    ASSERT_TRUE(reason.has_value());
    EXPECT_NE(reason->find(why), std::string::npos) << *reason;
}

TEST(SlotVerdict, TheSlotThatWasLeftIsGood) {
    EXPECT_FALSE(JudgeSlot(OurSlot(), kRecord, 1).has_value());
}

TEST(SlotVerdict, ASlotThatACrashSetBackIsGood) {
    SlotView slot = OurSlot();
    slot.confirmed = core::Lsn{0x800};
    EXPECT_FALSE(JudgeSlot(slot, kRecord, 1).has_value());
}

TEST(SlotVerdict, MissingInvalidatedReplacedAndAdvancedSlotsAreLost) {
    SlotView slot = OurSlot();
    slot.exists = false;
    ExpectLost(slot, kRecord, "is gone");

    slot = OurSlot();
    slot.invalidation = "it needed more WAL than max_slot_wal_keep_size";
    ExpectLost(slot, kRecord, "was invalidated: it needed more WAL");

    slot = OurSlot();
    slot.confirmed = core::Lsn{0x1001};
    ExpectLost(slot, kRecord, "begins at 0/1001, this stream confirmed 0/1000");

    slot = OurSlot();
    slot.plugin = "test_decoding";
    ExpectLost(slot, kRecord, "another kind");
    slot = OurSlot();
    slot.logical = false;
    ExpectLost(slot, kRecord, "another kind");
    slot = OurSlot();
    slot.own_database = false;
    ExpectLost(slot, kRecord, "another kind");
}

TEST(SlotVerdict, WithoutARecordNothingIsKnownOfASlot) {
    ExpectLost(OurSlot(), {}, "nothing is recorded");
}

TEST(SlotVerdict, ASynchronisedSlotIsAheadOfTheRecordUntilTheTimelineIsKnown) {
    SlotView slot = OurSlot();
    slot.synchronized = true;
    slot.confirmed = core::Lsn{0x2000};
    EXPECT_FALSE(JudgeSlot(slot, kRecord, 2).has_value());
    EXPECT_FALSE(JudgeSlot(slot, {}, 2).has_value());
    EXPECT_TRUE(JudgeSlot(slot, kRecord, 1).has_value());
}

}  // namespace
}  // namespace bitvelocity::stream::model
