// Task: a unit of work that a task worker runs, and what the scheduler needs to know of it.
//
// The scheduler knows no capability: it is handed task sources (worker/scheduler.hpp). A task is
// identified by (kind, id); while it runs, no second run of it starts. Times are microseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/schema.hpp"

namespace bitvelocity::core {

struct TaskKey {
    std::string kind;  // "dataset", "quality", "partition", ...
    std::int64_t id = 0;
    auto operator<=>(const TaskKey&) const = default;
};

struct Task {
    TaskKey key;
    std::string name;  // for logs, pg_stat_activity and error reports
    Oid owner = 0;     // the role the worker connects as; never a superuser unless the owner is one
    std::int64_t every_us = 0;  // period; 0: only on a signal
    // A signal number (an OID of a table, or 0) after which the task is due at once: a deliverer
    // that wrote this table, a committing backend, or the task that feeds it (`after`).
    std::vector<Oid> signals;
    std::vector<TaskKey> after;
    std::int64_t timeout_us = 0;  // 0: none
    std::int64_t lock_timeout_us = 5'000'000;
    bool top_level = false;  // runs outside a transaction block (DETACH CONCURRENTLY)
};

}  // namespace bitvelocity::core
