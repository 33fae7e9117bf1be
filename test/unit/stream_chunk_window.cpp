#include "stream/model/chunk_window.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bitvelocity::stream::model {
namespace {

Visibility At(const std::string& text) {
    return *Visibility::Parse(text);
}

TEST(ChunkWindow, DropsWhatTheSnapshotDoesNotSee) {
    ChunkWindow window;
    window.ChangedRow(100, "seen", false);
    window.ChangedRow(102, "hidden", false);
    window.Open(At("101:103:102"));
    EXPECT_EQ(window.Judge("seen"), Verdict::kCurrent);
    EXPECT_EQ(window.Judge("hidden"), Verdict::kOld);
    window.ChangedRow(101, "late but seen", false);
    window.ChangedRow(103, "later", false);
    EXPECT_EQ(window.Judge("late but seen"), Verdict::kCurrent);
    EXPECT_EQ(window.Judge("later"), Verdict::kOld);
    window.Open(At("104:104:"));
    EXPECT_EQ(window.Judge("hidden"), Verdict::kCurrent);
    EXPECT_EQ(window.size(), 0U);
}

TEST(ChunkWindow, AnUpdateThatLeavesValuesOutHasTheRowReadAgain) {
    ChunkWindow window;
    window.Open(At("100:100:"));
    window.ChangedRow(100, "a", true);
    EXPECT_EQ(window.Judge("a"), Verdict::kAgain);
    window.ChangedRow(101, "a", false);
    window.ChangedRow(102, "a", true);
    EXPECT_EQ(window.Judge("a"), Verdict::kOld) << "the whole row was delivered before";
}

TEST(ChunkWindow, ATruncateTakesAllRowsWithIt) {
    ChunkWindow window;
    window.Open(At("100:100:"));
    window.Truncated(99);
    EXPECT_EQ(window.Judge("a"), Verdict::kCurrent);
    window.Truncated(100);
    EXPECT_EQ(window.Judge("a"), Verdict::kOld);
    window.Open(At("101:101:"));
    EXPECT_EQ(window.Judge("a"), Verdict::kCurrent);
}

TEST(ChunkWindow, WhatCannotBeToldMakesTheChunkUnusableUntilItIsSeen) {
    ChunkWindow window(2);
    window.Open(At("100:100:"));
    window.ChangedRow(100, "a", false);
    window.ChangedRow(100, "b", false);
    EXPECT_FALSE(window.Unusable());
    window.ChangedRow(101, "c", false);
    EXPECT_TRUE(window.Unusable());
    EXPECT_FALSE(window.Settled(At("100:102:101")));
    EXPECT_TRUE(window.Settled(At("100:102:100")));
    window.Open(At("102:102:"));
    EXPECT_FALSE(window.Unusable());
    window.ChangedRow(102, "c", false);
    window.ForgetKeys();
    EXPECT_TRUE(window.Unusable());
}

TEST(ChunkWindow, MovedRowsAreReadInAddition) {
    ChunkWindow window;
    window.MovedRow(99, "will be read");
    window.MovedRow(100, "not seen by the first chunk");
    window.Open(At("100:101:100"));
    window.Begin();
    EXPECT_EQ(window.TakeMoved(), (std::vector<std::string>{"not seen by the first chunk"}));
    window.Open(At("101:101:"));
    window.MovedRow(100, "seen");
    window.MovedRow(101, "hidden");
    EXPECT_EQ(window.Judge("hidden"), Verdict::kAgain);
    EXPECT_EQ(window.Judge("seen"), Verdict::kCurrent);
    EXPECT_EQ(window.TakeMoved(), (std::vector<std::string>{"seen", "hidden"}));
    EXPECT_TRUE(window.TakeMoved().empty());
}

TEST(ChunkWindow, ARowThatMovesToTheKeyOfADeletedOneIsNotComplete) {
    ChunkWindow window;
    window.Open(At("100:100:"));
    window.ChangedRow(100, "a", false);  // deleted
    window.MovedRow(101, "a");
    window.ChangedRow(102, "a", true);
    window.Open(At("102:102:"));
    EXPECT_EQ(window.Judge("a"), Verdict::kAgain);
}

TEST(ChunkWindow, EveryChunkUnderWayIsJudgedByItsOwnSnapshot) {
    ChunkWindow window;
    window.Ask();
    window.ChangedRow(100, "between", false);
    window.ChangedRow(101, "behind", false);
    window.Read(At("100:100:"));
    window.Ask();
    window.Read(At("101:101:"));
    EXPECT_EQ(window.Judge("between"), Verdict::kOld) << "the first does not see it";
    window.Settle();
    EXPECT_EQ(window.Judge("between"), Verdict::kCurrent) << "the second does";
    EXPECT_EQ(window.Judge("behind"), Verdict::kOld);
}

TEST(ChunkWindow, AnotherTablesSnapshotForgetsNothingThatAChunkUnderWayNeeds) {
    ChunkWindow window;
    window.Ask();
    window.ChangedRow(100, "a", false);
    window.ChangedUnknown(101);
    window.Open(At("102:102:"));
    EXPECT_EQ(window.Judge("a"), Verdict::kOld);
    EXPECT_EQ(window.unknown(), (std::vector<std::uint32_t>{101}));
    window.Withdraw();
    window.Open(At("102:102:"));
    EXPECT_EQ(window.Judge("a"), Verdict::kCurrent);
    EXPECT_FALSE(window.Unusable());
}

TEST(ChunkWindow, AnUnusableChunkTakesThoseBehindItAlong) {
    ChunkWindow window;
    window.Ask();
    window.Read(At("100:100:"));
    window.Ask();
    window.ChangedUnknown(100);
    EXPECT_TRUE(window.Unusable());
    EXPECT_FALSE(window.Settled(At("100:100:")));
    window.GiveUp();
    window.Ask();
    window.Read(At("101:101:"));
    EXPECT_FALSE(window.Unusable());
}

// A server of a few keys. A transaction changes rows, commits into the WAL, and is visible (and its
// locks are free) at any time afterwards; delivery follows the WAL; chunks are read under what is
// visible, and a watermark stands in the WAL behind that. `ahead`: a reader of its own reads the
// next chunk while one is on its way, other tables are read beside, and readers are lost.
class World {
  public:
    explicit World(std::uint32_t seed, bool ahead = false) : random_(seed), ahead_(ahead) {}

    void Run() {
        for (int step = 0; step < 400; ++step) {
            Step(Pick(9));
        }
        while (!open_.empty()) {
            Commit(0);
        }
        while (!invisible_.empty()) {
            BecomeVisible(0);
        }
        while (!chunks_.empty() || asked_ || place_ < kKeys || !again_.empty() || !wal_.empty()) {
            if (!wal_.empty()) {
                Deliver();
            } else {
                ReadChunk();
            }
        }
        EXPECT_EQ(consumer_, visible_);
    }

  private:
    static constexpr int kKeys = 12;
    using State = std::map<int, std::pair<int, int>>;  // key: value, and one that is left out
    struct Change {
        int from;  // key before, -1: none
        int to;    // key after, -1: none
        int value;
        int large;  // -1: left alone
        bool truncate = false;
    };
    struct Transaction {
        std::uint32_t xid = 0;
        std::vector<Change> changes;
        State state;  // rows it locked, as it leaves them
    };
    struct Record {
        bool watermark = false;
        Transaction transaction;
    };
    struct Chunk {
        State rows;
        std::vector<int> again;
        bool whole = false;
        int from = 0;
        std::optional<Visibility> snapshot;
    };

    int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

    void Step(int kind) {
        if (kind <= 1 && open_.size() < 3) {
            open_.push_back({xid_++, {}, {}});
        } else if (kind <= 4 && !open_.empty()) {
            Write(open_[static_cast<std::size_t>(Pick(static_cast<int>(open_.size())))]);
        } else if (kind == 5 && !open_.empty()) {
            Commit(static_cast<std::size_t>(Pick(static_cast<int>(open_.size()))));
        } else if (kind == 6 && !invisible_.empty() && Pick(3) == 0) {
            BecomeVisible(static_cast<std::size_t>(Pick(static_cast<int>(invisible_.size()))));
        } else if (kind == 7 && !wal_.empty()) {
            Deliver();
        } else if (kind == 8) {
            ReadChunk();
        }
    }

    // Row locks: a key belongs to who wrote it until that is visible.
    bool Take(std::uint32_t xid, int key) {
        const auto found = locked_.find(key);
        if (found != locked_.end() && found->second != xid) {
            return false;
        }
        locked_[key] = xid;
        return true;
    }

    void Write(Transaction& transaction) {
        const int key = Pick(kKeys);
        const int other = Pick(kKeys);
        const int what = Pick(10);
        const auto now = [&](int k) -> std::optional<std::pair<int, int>> {
            for (const Change& change : transaction.changes) {
                if (change.to == k || change.from == k) {
                    const auto found = transaction.state.find(k);
                    return found == transaction.state.end() ? std::nullopt
                                                            : std::optional(found->second);
                }
            }
            const auto found = visible_.find(k);
            return found == visible_.end() ? std::nullopt : std::optional(found->second);
        };
        if (!Take(transaction.xid, key)) {
            return;
        }
        const auto row = now(key);
        ++value_;
        if (!row) {
            transaction.changes.push_back({-1, key, value_, value_, false});
            transaction.state[key] = {value_, value_};
        } else if (what < 5) {
            const int large = Pick(2) == 0 ? -1 : value_;
            transaction.changes.push_back({key, key, value_, large, false});
            transaction.state[key] = {value_, large < 0 ? row->second : large};
        } else if (what < 8) {
            transaction.changes.push_back({key, -1, 0, 0, false});
            transaction.state.erase(key);
        } else if (other != key && Take(transaction.xid, other) && !now(other)) {
            const int large = Pick(2) == 0 ? -1 : value_;
            transaction.changes.push_back({key, other, value_, large, false});
            transaction.state.erase(key);
            transaction.state[other] = {value_, large < 0 ? row->second : large};
        }
    }

    void Commit(std::size_t i) {
        wal_.push_back({false, open_[i]});
        invisible_.push_back(open_[i]);
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
    }

    void BecomeVisible(std::size_t i) {
        const Transaction transaction = invisible_[i];
        invisible_.erase(invisible_.begin() + static_cast<std::ptrdiff_t>(i));
        for (const Change& change : transaction.changes) {
            for (const int key : {change.from, change.to}) {
                if (key >= 0) {
                    const auto found = transaction.state.find(key);
                    if (found == transaction.state.end()) {
                        visible_.erase(key);
                    } else {
                        visible_[key] = found->second;
                    }
                }
            }
        }
        std::erase_if(locked_, [&](const auto& lock) { return lock.second == transaction.xid; });
    }

    [[nodiscard]] Visibility Now() const {
        std::uint32_t xmin = xid_;
        std::string list;
        std::vector<std::uint32_t> running;
        for (const auto* transactions : {&open_, &invisible_}) {
            for (const Transaction& transaction : *transactions) {
                xmin = std::min(xmin, transaction.xid);
                running.push_back(transaction.xid);
            }
        }
        std::sort(running.begin(), running.end());
        for (const std::uint32_t xid : running) {
            list += (list.empty() ? "" : ",") + std::to_string(xid);
        }
        return At(std::to_string(xmin) + ":" + std::to_string(xid_) + ":" + list);
    }

    // Between steps of it anything may happen when a reader reads ahead.
    void ReadChunk() {
        if (ahead_ && Pick(4) == 0) {
            ReadElsewhere();
        }
        if (!asked_) {
            const bool room = again_.empty() ? chunks_.size() < (ahead_ ? 2U : 1U) && next_ < kKeys
                                             : chunks_.empty();
            if (!room) {
                return;
            }
            asked_ = Chunk{{}, again_, again_.empty(), next_, {}};
            window_.Ask();
        } else if (ahead_ && Pick(12) == 0) {
            asked_.reset();
            window_.Withdraw();
            return;
        }
        if (ahead_ && Pick(2) == 0) {
            return;
        }
        if (!asked_->snapshot) {
            Look();
        }
        if (ahead_ && Pick(2) == 0) {
            return;
        }
        window_.Read(*asked_->snapshot);
        next_ += asked_->whole ? 4 : 0;
        chunks_.push_back(*asked_);
        asked_.reset();
        wal_.push_back({true, {}});
    }

    void Look() {
        asked_->snapshot = Now();
        for (int key = asked_->from; asked_->whole && key < std::min(asked_->from + 4, kKeys);
             ++key) {
            if (visible_.contains(key)) {
                asked_->rows[key] = visible_[key];
            }
        }
        for (const int key : asked_->again) {
            if (visible_.contains(key)) {
                asked_->rows[key] = visible_[key];
            }
        }
    }

    void ReadElsewhere() {
        if (elsewhere_) {
            window_.Open(*elsewhere_);
            elsewhere_.reset();
        } else {
            elsewhere_ = Now();
        }
    }

    void Deliver() {
        const Record record = wal_.front();
        wal_.pop_front();
        if (record.watermark) {
            Watermark();
            return;
        }
        for (const Change& change : record.transaction.changes) {
            Apply(record.transaction.xid, change);
        }
    }

    void Apply(std::uint32_t xid, const Change& change) {
        const bool partial = change.to >= 0 && change.large < 0;
        const std::string from = std::to_string(change.from);
        const std::string to = std::to_string(change.to);
        const bool moved = change.from >= 0 && change.to >= 0 && change.from != change.to;
        if (change.from >= 0 && (moved || change.to < 0)) {
            window_.ChangedRow(xid, from, false);
        }
        if (change.to >= 0 && moved && partial) {
            window_.MovedRow(xid, to);
        } else if (change.to >= 0) {
            window_.ChangedRow(xid, to, partial);
        }
        int large = change.large;
        if (partial) {
            const auto before = consumer_.find(change.from);
            large = before == consumer_.end() ? -1 : before->second.second;
        }
        if (change.from >= 0) {
            consumer_.erase(change.from);
        }
        if (change.to >= 0) {
            consumer_[change.to] = {change.value, large};
        }
    }

    void Watermark() {
        const Chunk chunk = chunks_.front();
        chunks_.pop_front();
        ASSERT_FALSE(window_.Unusable());
        std::vector<int> again;
        if (chunk.whole) {
            again = again_;
        }
        for (const int key : chunk.again) {
            if (window_.Judge(std::to_string(key)) == Verdict::kAgain) {
                again.push_back(key);
            }
        }
        for (const auto& [key, row] : chunk.rows) {
            const Verdict verdict = window_.Judge(std::to_string(key));
            if (verdict == Verdict::kCurrent) {
                consumer_[key] = row;
            } else if (verdict == Verdict::kAgain && chunk.whole) {
                again.push_back(key);
            }
        }
        for (const std::string& key : window_.TakeMoved()) {
            again.push_back(std::stoi(key));
        }
        again_ = again;
        place_ += chunk.whole ? 4 : 0;
        window_.Settle();
    }

    std::mt19937 random_;
    std::uint32_t xid_ = 100;
    bool ahead_;
    int value_ = 0;
    int next_ = 0;   // to be asked for
    int place_ = 0;  // behind what is settled
    State visible_{{0, {0, 1}}, {1, {0, 1}}, {2, {0, 1}}, {5, {0, 1}}, {7, {0, 1}}, {9, {0, 1}}};
    State consumer_;
    std::map<int, std::uint32_t> locked_;
    std::vector<Transaction> open_;
    std::vector<Transaction> invisible_;
    std::deque<Record> wal_;
    std::deque<Chunk> chunks_;  // their watermarks are on their way
    std::optional<Chunk> asked_;
    std::optional<Visibility> elsewhere_;
    std::vector<int> again_;
    ChunkWindow window_;
};

TEST(ChunkWindow, ConsumersEndWithTheTableWhateverOverlaps) {
    for (std::uint32_t seed = 1; seed <= 2000 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World(seed).Run();
    }
}

TEST(ChunkWindow, SoTheyDoWhenChunksAreReadAhead) {
    for (std::uint32_t seed = 1; seed <= 4000 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World(seed, true).Run();
    }
}

}  // namespace
}  // namespace bitvelocity::stream::model
