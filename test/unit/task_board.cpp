// The board of tasks: what is due when, with a clock of the test.

#include "worker/model/task_board.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::worker {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

core::Task Make(std::int64_t id, std::int64_t every_us = 0, std::vector<core::Oid> signals = {},
                std::vector<std::int64_t> after = {}) {
    core::Task task;
    task.key = {"test", id};
    task.every_us = every_us;
    task.signals = std::move(signals);
    for (const std::int64_t other : after) {
        task.after.push_back({"test", other});
    }
    return task;
}

// The id of the next due task, 0: none; it is started.
std::int64_t Take(TaskBoard& board, std::int64_t now) {
    board.Advance(now);
    const TaskBoard::Entry* entry =
        board.NextDue(now, [](const TaskBoard::Entry&) { return true; });
    if (entry == nullptr) {
        return 0;
    }
    const core::TaskKey key = entry->task.key;
    board.Started(key);
    return key.id;
}

void Finish(TaskBoard& board, std::int64_t id, bool success, std::int64_t now) {
    board.Finished({"test", id}, success, now);
}

TEST(TaskBoard, NewTaskIsDueAtOnce) {
    TaskBoard board;
    board.Replace(0, {Make(1)}, 0);
    EXPECT_EQ(Take(board, 0), 1);
    EXPECT_EQ(Take(board, 0), 0);
}

TEST(TaskBoard, ListingAgainMakesNothingDue) {
    TaskBoard board;
    board.Replace(0, {Make(1)}, 0);
    Take(board, 0);
    Finish(board, 1, true, 1);
    board.Replace(0, {Make(1)}, 2);
    EXPECT_EQ(Take(board, 2), 0);
}

TEST(TaskBoard, PeriodPasses) {
    TaskBoard board;
    board.Replace(0, {Make(1, 10 * kSecond)}, 0);
    Take(board, 0);
    Finish(board, 1, true, kSecond);
    EXPECT_EQ(board.NextTime(kSecond), 10 * kSecond);
    EXPECT_EQ(Take(board, 9 * kSecond), 0);
    EXPECT_EQ(Take(board, 10 * kSecond), 1);
}

TEST(TaskBoard, MissedPeriodsAreNotMadeUpFor) {
    TaskBoard board;
    board.Replace(0, {Make(1, kSecond)}, 0);
    Take(board, 0);
    Finish(board, 1, true, 0);
    EXPECT_EQ(Take(board, 100 * kSecond), 1);
    Finish(board, 1, true, 100 * kSecond);
    EXPECT_EQ(Take(board, 100 * kSecond), 0);
    EXPECT_EQ(board.NextTime(100 * kSecond), 101 * kSecond);
}

TEST(TaskBoard, SignalReachesThoseWhoListen) {
    TaskBoard board;
    board.Replace(0, {Make(1, 0, {77}), Make(2, 0, {78})}, 0);
    Take(board, 0);
    Take(board, 0);
    Finish(board, 1, true, 1);
    Finish(board, 2, true, 1);
    board.Signal(77, 2);
    EXPECT_EQ(Take(board, 2), 1);
    EXPECT_EQ(Take(board, 2), 0);
}

TEST(TaskBoard, SignalWhileRunningRunsOnceMore) {
    TaskBoard board;
    board.Replace(0, {Make(1, 0, {77})}, 0);
    Take(board, 0);
    board.Signal(77, 1);
    board.Signal(77, 2);
    EXPECT_EQ(Take(board, 2), 0) << "one run at a time";
    Finish(board, 1, true, 3);
    EXPECT_EQ(Take(board, 3), 1);
    Finish(board, 1, true, 4);
    EXPECT_EQ(Take(board, 4), 0);
}

TEST(TaskBoard, LostSignalsWakeAllListeners) {
    TaskBoard board;
    board.Replace(0, {Make(1, 0, {77}), Make(2)}, 0);
    Take(board, 0);
    Take(board, 0);
    Finish(board, 1, true, 1);
    Finish(board, 2, true, 1);
    board.SignalAll(2);
    EXPECT_EQ(Take(board, 2), 1);
    EXPECT_EQ(Take(board, 2), 0);
}

TEST(TaskBoard, SuccessFeedsWhatComesAfter) {
    TaskBoard board;
    board.Replace(0, {Make(1, 0, {77}), Make(2, 0, {}, {1})}, 0);
    Take(board, 0);
    Take(board, 0);
    Finish(board, 2, true, 1);
    Finish(board, 1, false, 1);
    EXPECT_EQ(Take(board, 1), 0) << "a failure feeds nobody";
    EXPECT_EQ(Take(board, 3 * kSecond), 1);
    Finish(board, 1, true, 3 * kSecond);
    EXPECT_EQ(Take(board, 3 * kSecond), 2);
}

TEST(TaskBoard, FailureBacksOffWhateverSignalsCome) {
    TaskBoard board;
    board.Replace(0, {Make(1, 0, {77})}, 0);
    std::int64_t now = 0;
    std::int64_t pause = TaskBoard::kFirstPause;
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(Take(board, now), 1);
        Finish(board, 1, false, now);
        board.Signal(77, now);
        EXPECT_EQ(Take(board, now + pause - 1), 0);
        EXPECT_EQ(board.NextTime(now), now + pause);
        now += pause;
        pause *= 2;
    }
    EXPECT_EQ(Take(board, now), 1);
    Finish(board, 1, true, now);
    board.Signal(77, now);
    EXPECT_EQ(Take(board, now), 1) << "a success ends the back-off";
}

TEST(TaskBoard, BackOffIsBounded) {
    TaskBoard board;
    board.Replace(0, {Make(1)}, 0);
    std::int64_t now = 0;
    for (int i = 0; i < 40; ++i) {
        ASSERT_EQ(Take(board, now), 1);
        Finish(board, 1, false, now);
        now = board.NextTime(now);
    }
    const std::int64_t before = now;
    Take(board, now);
    Finish(board, 1, false, now);
    EXPECT_EQ(board.NextTime(now) - before, TaskBoard::kLongestPause);
}

TEST(TaskBoard, ChangedCatalogueForgetsPauses) {
    TaskBoard board;
    board.Replace(0, {Make(1)}, 0);
    Take(board, 0);
    Finish(board, 1, false, 0);
    EXPECT_EQ(Take(board, 1), 0);
    board.ForgetPauses();
    EXPECT_EQ(Take(board, 1), 1);
}

TEST(TaskBoard, OneSourceDoesNotForgetAnothersTasks) {
    TaskBoard board;
    board.Replace(0, {Make(1)}, 0);
    board.Replace(1, {Make(2)}, 0);
    board.Replace(0, {}, 1);
    EXPECT_EQ(board.Find({"test", 1}), nullptr);
    EXPECT_NE(board.Find({"test", 2}), nullptr);
}

TEST(TaskBoard, RemovedWhileRunningIsForgottenAfterwards) {
    TaskBoard board;
    board.Replace(0, {Make(1)}, 0);
    Take(board, 0);
    board.Replace(0, {}, 1);
    EXPECT_NE(board.Find({"test", 1}), nullptr);
    EXPECT_EQ(Take(board, 1), 0);
    Finish(board, 1, false, 2);
    EXPECT_EQ(board.Find({"test", 1}), nullptr);
    EXPECT_EQ(board.NextTime(2), -1);
}

TEST(TaskBoard, LongestWaitingGoesFirst) {
    TaskBoard board;
    board.Replace(0, {Make(1, 0, {1}), Make(2, 0, {2}), Make(3, 0, {3})}, 0);
    while (Take(board, 0) != 0) {
    }
    for (const std::int64_t id : {1, 2, 3}) {
        Finish(board, id, true, 0);
    }
    board.Signal(3, 1);
    board.Signal(1, 2);
    board.Signal(2, 3);
    EXPECT_EQ(Take(board, 4), 3);
    EXPECT_EQ(Take(board, 4), 1);
    EXPECT_EQ(Take(board, 4), 2);
}

}  // namespace
}  // namespace bitvelocity::worker
