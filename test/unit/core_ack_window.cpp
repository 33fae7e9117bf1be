#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/ack_window.hpp"

namespace bitvelocity::core {
namespace {

TEST(AckWindow, ConfirmsTheLongestDurablePrefix) {
    AckWindow window(Lsn{5});
    const auto first = window.Open();
    window.Sent();
    window.Close(Lsn{10});
    const auto second = window.Open();
    window.Sent();
    window.Close(Lsn{20});
    window.Acked(second);
    EXPECT_EQ(window.confirmed(), Lsn{5});
    window.Acked(first);
    EXPECT_EQ(window.confirmed(), Lsn{20});
    EXPECT_TRUE(window.idle());
}

TEST(AckWindow, AnOpenTransactionHoldsBack) {
    AckWindow window;
    const auto number = window.Open();
    window.Sent();
    window.Acked(number);
    EXPECT_FALSE(window.confirmed().valid());
    window.Close(Lsn{10});
    EXPECT_EQ(window.confirmed(), Lsn{10});
}

TEST(AckWindow, LateAcknowledgementsOfADiscardedTransactionHitNobodyElse) {
    AckWindow window;
    const auto given_up = window.Open();
    window.Sent();
    window.Discard();
    const auto next = window.Open();
    EXPECT_NE(given_up, next);
    window.Sent();
    window.Close(Lsn{30});
    window.Acked(given_up);
    EXPECT_FALSE(window.confirmed().valid());
    window.Acked(next);
    EXPECT_EQ(window.confirmed(), Lsn{30});
    EXPECT_EQ(window.outstanding(), 0U);
}

// Every transaction that was ever opened, with nothing forgotten.
struct NaiveModel {
    struct Entry {
        int outstanding = 0;
        bool discarded = false;
        bool closed = false;
        Lsn end;
    };
    std::vector<Entry> entries;

    [[nodiscard]] Lsn Confirmed() const {
        Lsn result;
        for (const Entry& entry : entries) {
            if (entry.outstanding != 0 || !(entry.closed || entry.discarded)) {
                break;
            }
            if (!entry.discarded) {
                result = entry.end;
            }
        }
        return result;
    }
    [[nodiscard]] std::uint64_t Outstanding() const {
        std::uint64_t sum = 0;
        for (const Entry& entry : entries) {
            sum += static_cast<std::uint64_t>(entry.outstanding);
        }
        return sum;
    }
};

TEST(AckWindow, AgreesWithANaiveModel) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        AckWindow window;
        NaiveModel model;
        struct InFlight {
            std::uint64_t number;
            std::size_t entry;
        };
        std::vector<InFlight> in_flight;
        bool open = false;
        std::uint64_t number = 0;
        std::uint64_t lsn = 0;
        for (int step = 0; step < 500; ++step) {
            const unsigned action = random() % 10;
            if (!open && action < 4) {
                number = window.Open();
                model.entries.emplace_back();
                open = true;
            } else if (open && action < 5) {
                window.Sent();
                ++model.entries.back().outstanding;
                in_flight.push_back({number, model.entries.size() - 1});
            } else if (open && action == 5) {
                lsn += 1 + random() % 100;
                window.Close(Lsn{lsn});
                model.entries.back().closed = true;
                model.entries.back().end = Lsn{lsn};
                open = false;
            } else if (open && action == 6 && random() % 4 == 0) {
                window.Discard();
                model.entries.back().discarded = true;
                open = false;
            } else if (!in_flight.empty()) {
                const std::size_t which = random() % in_flight.size();
                window.Acked(in_flight[which].number);
                --model.entries[in_flight[which].entry].outstanding;
                in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(which));
            }
            ASSERT_EQ(window.confirmed(), model.Confirmed()) << "seed " << seed << " step " << step;
            ASSERT_EQ(window.outstanding(), model.Outstanding());
        }
    }
}

}  // namespace
}  // namespace bitvelocity::core
