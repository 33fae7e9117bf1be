#include "pipeline/guard_options.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::pipeline {
namespace {

GuardOptions Parse(const std::string& json) {
    auto options = ParseGuardOptions(json);
    EXPECT_TRUE(options.ok()) << json;
    return options.ok() ? *options : GuardOptions{};
}

std::string Refusal(const std::string& json) {
    auto options = ParseGuardOptions(json);
    if (options.ok()) {
        return "accepted";
    }
    EXPECT_EQ(options.error().sqlstate, core::kInvalidParameter);
    EXPECT_FALSE(options.error().hint.empty());
    return options.error().message;
}

std::string Hint(const std::string& json) {
    auto options = ParseGuardOptions(json);
    return options.ok() ? "accepted" : options.error().hint;
}

TEST(GuardOptions, SizesHaveTheUnitsOfTheServer) {
    EXPECT_EQ(Parse(R"({"wal_limit": "10GB"})").wal_limit, 10ULL << 30);
    EXPECT_EQ(Parse(R"({"wal_limit": "512 MB"})").wal_limit, 512ULL << 20);
    EXPECT_EQ(Parse(R"({"wal_limit": "64kB"})").wal_limit, 64ULL << 10);
    EXPECT_EQ(Parse(R"({"wal_limit": 1048576})").wal_limit, 1ULL << 20);
    EXPECT_EQ(Parse(R"({"topic": "x"})").wal_limit, 0U);
    for (const char* bad :
         {R"({"wal_limit": "10 gb"})", R"({"wal_limit": -1})", R"({"wal_limit": 0})",
          R"({"wal_limit": "lots"})", R"({"wal_limit": 1.5})", R"({"wal_limit": "99999999999TB"})",
          R"({"wal_limit": [1]})"}) {
        EXPECT_NE(Refusal(bad).find("wal_limit"), std::string::npos) << bad;
    }
}

TEST(GuardOptions, PoliciesAndAges) {
    EXPECT_EQ(Parse("{}").policy, WalPolicy::kWarn);
    EXPECT_EQ(Parse(R"({"wal_policy": "drop_slot"})").policy, WalPolicy::kDropSlot);
    EXPECT_EQ(Parse(R"({"wal_policy": "throttle"})").policy, WalPolicy::kThrottle);
    EXPECT_EQ(Refusal(R"({"wal_policy": "drop"})"), "unknown wal_policy \"drop\"");
    EXPECT_EQ(Refusal(R"({"wal_policy": "throtle"})"), "unknown wal_policy \"throtle\"");
    EXPECT_NE(Hint(R"({"wal_policy": "throtle"})").find("\"throttle\""), std::string::npos);
    EXPECT_EQ(Refusal(R"({"wal_policy": true})"), "unknown wal_policy \"true\"");
    EXPECT_EQ(Parse(R"({"catalog_xmin_limit": 5})").catalog_xmin_limit, 5U);
    EXPECT_NE(Refusal(R"({"catalog_xmin_limit": "5"})"), "accepted");
    EXPECT_NE(Refusal(R"({"catalog_xmin_limit": 0})"), "accepted");
}

TEST(GuardOptions, TheDefaultLimitIsAQuarterOfWhatIsFreeOr10GB) {
    EXPECT_EQ(EffectiveWalLimit({}, 100ULL << 30), 10ULL << 30);
    EXPECT_EQ(EffectiveWalLimit({}, 8ULL << 30), 2ULL << 30);
    GuardOptions own;
    own.wal_limit = 5;
    EXPECT_EQ(EffectiveWalLimit(own, 1), 5U);
}

}  // namespace
}  // namespace bitvelocity::pipeline
