#include "stream/model/visibility.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::stream::model {
namespace {

TEST(Visibility, SeesWhatWasCommittedAndNothingElse) {
    const auto snapshot = Visibility::Parse("100:110:102,105");
    ASSERT_TRUE(snapshot.has_value());
    EXPECT_TRUE(snapshot->Sees(99));
    EXPECT_TRUE(snapshot->Sees(100));
    EXPECT_FALSE(snapshot->Sees(102));
    EXPECT_TRUE(snapshot->Sees(104));
    EXPECT_FALSE(snapshot->Sees(105));
    EXPECT_TRUE(snapshot->Sees(109));
    EXPECT_FALSE(snapshot->Sees(110));
    EXPECT_FALSE(snapshot->Sees(4000));
}

TEST(Visibility, UnderstandsWraparound) {
    // Epoch 1, just after the 32-bit counter wrapped.
    const auto snapshot = Visibility::Parse("4294967290:4294967300:4294967295");
    ASSERT_TRUE(snapshot.has_value());
    EXPECT_TRUE(snapshot->Sees(4294967289U));
    EXPECT_TRUE(snapshot->Sees(4294967294U));
    EXPECT_FALSE(snapshot->Sees(4294967295U));
    EXPECT_TRUE(snapshot->Sees(3));
    EXPECT_FALSE(snapshot->Sees(4));
    EXPECT_FALSE(snapshot->Sees(1000));
}

TEST(Visibility, RefusesOtherTexts) {
    EXPECT_TRUE(Visibility::Parse("3:3:").has_value());
    for (const char* text : {"", "1", "1:2", "a:2:", "1:2:3,,4", "1:2:3x"}) {
        EXPECT_FALSE(Visibility::Parse(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace bitvelocity::stream::model
