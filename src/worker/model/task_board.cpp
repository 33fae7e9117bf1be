#include "worker/model/task_board.hpp"

#include <algorithm>
#include <utility>

namespace bitvelocity::worker {

void TaskBoard::Replace(int source, std::vector<core::Task> tasks, std::int64_t now) {
    for (auto& [key, entry] : entries_) {
        if (entry.source == source) {
            entry.listed = false;
        }
    }
    for (core::Task& task : tasks) {
        auto [position, added] = entries_.try_emplace(task.key);
        Entry& entry = position->second;
        const std::int64_t old_period = entry.task.every_us;
        entry.task = std::move(task);
        entry.source = source;
        entry.listed = true;
        if (added) {
            MakeDue(entry, now);
        }
        if (added || entry.task.every_us != old_period) {
            entry.next_period = entry.task.every_us > 0 ? now + entry.task.every_us : 0;
        }
    }
    std::erase_if(entries_,
                  [](const auto& item) { return !item.second.listed && !item.second.running; });
}

void TaskBoard::Signal(core::Oid signal, std::int64_t now) {
    for (auto& [key, entry] : entries_) {
        const auto& signals = entry.task.signals;
        if (std::find(signals.begin(), signals.end(), signal) != signals.end()) {
            MakeDue(entry, now);
        }
    }
}

void TaskBoard::SignalAll(std::int64_t now) {
    for (auto& [key, entry] : entries_) {
        if (!entry.task.signals.empty() || !entry.task.after.empty()) {
            MakeDue(entry, now);
        }
    }
}

void TaskBoard::ForgetPauses() {
    for (auto& [key, entry] : entries_) {
        entry.not_before = 0;
        entry.backoff.Reset();
    }
}

void TaskBoard::Advance(std::int64_t now) {
    for (auto& [key, entry] : entries_) {
        if (entry.next_period != 0 && entry.next_period <= now) {
            MakeDue(entry, now);
            // Periods that passed unseen are not made up for.
            entry.next_period = now + entry.task.every_us;
        }
    }
}

const TaskBoard::Entry* TaskBoard::NextDue(std::int64_t now,
                                           const std::function<bool(const Entry&)>& accept) const {
    const Entry* best = nullptr;
    for (const auto& [key, entry] : entries_) {
        if (!entry.due || entry.running || !entry.listed || entry.not_before > now) {
            continue;
        }
        if ((best == nullptr || entry.due_since < best->due_since) && accept(entry)) {
            best = &entry;
        }
    }
    return best;
}

void TaskBoard::Started(const core::TaskKey& key) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
        found->second.due = false;
        found->second.running = true;
    }
}

void TaskBoard::Finished(const core::TaskKey& key, bool success, std::int64_t now) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        return;
    }
    Entry& entry = found->second;
    entry.running = false;
    ++entry.runs;
    if (!entry.listed) {
        entries_.erase(found);
        return;
    }
    if (!success) {
        ++entry.failures;
        entry.not_before = entry.backoff.Failed(now);
        MakeDue(entry, now);
        return;
    }
    entry.failures = 0;
    entry.not_before = 0;
    entry.backoff.Reset();
    for (auto& [other_key, other] : entries_) {
        const auto& after = other.task.after;
        if (std::find(after.begin(), after.end(), key) != after.end()) {
            MakeDue(other, now);
        }
    }
}

std::int64_t TaskBoard::NextTime(std::int64_t now) const {
    std::int64_t next = -1;
    const auto consider = [&next](std::int64_t time) {
        next = next < 0 ? time : std::min(next, time);
    };
    for (const auto& [key, entry] : entries_) {
        if (!entry.listed) {
            continue;
        }
        if (entry.next_period != 0) {
            consider(entry.next_period);
        }
        if (entry.due && !entry.running && entry.not_before > now) {
            consider(entry.not_before);
        }
    }
    return next;
}

const TaskBoard::Entry* TaskBoard::Find(const core::TaskKey& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
}

void TaskBoard::MakeDue(Entry& entry, std::int64_t now) {
    if (!entry.due) {
        entry.due = true;
        entry.due_since = now;
    }
}

}  // namespace bitvelocity::worker
