#include "pipeline/snapshot_options.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::pipeline {
namespace {

TEST(SnapshotOptions, NumbersWithinTheirRange) {
    const auto none = ParseSnapshotOptions("{}");
    ASSERT_TRUE(none.ok());
    EXPECT_EQ(none->chunk_rows, 10'000U);
    EXPECT_EQ(none->readers, 1U);
    const auto some = ParseSnapshotOptions(R"({"snapshot.readers": 8, "snapshot.chunk_rows": 1})");
    ASSERT_TRUE(some.ok());
    EXPECT_EQ(some->chunk_rows, 1U);
    EXPECT_EQ(some->readers, 8U);
}

TEST(SnapshotOptions, OthersAreRefusedWithTheRange) {
    for (const char* bad : {"0", "9", "-1", "1.5", "\"3\"", "true", "[3]", "null"}) {
        const auto options =
            ParseSnapshotOptions(R"({"snapshot.readers": )" + std::string(bad) + "}");
        ASSERT_FALSE(options.ok()) << bad;
        EXPECT_EQ(options.error().sqlstate, core::kInvalidParameter);
        EXPECT_EQ(options.error().message,
                  "invalid value for option \"snapshot.readers\": " + std::string(bad));
        EXPECT_EQ(options.error().hint, "A number of processes from 1 to 8.");
    }
}

}  // namespace
}  // namespace bitvelocity::pipeline
