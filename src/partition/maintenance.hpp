// Maintenance: partitions ahead of time and retention, one task a partitioned table, run by a task
// worker that is connected as the table's owner. Knows no worker: bitvelocity.cpp registers it.
#pragma once

#include <vector>

#include "core/task.hpp"

namespace bitvelocity::partition {

inline constexpr const char* kTaskKind = "partition";

// In the scheduler, inside a transaction. A table that is gone is left out.
[[nodiscard]] std::vector<core::Task> ListTasks();

// In a task worker, outside a transaction. What fails is recorded in partition_set and thrown.
void RunTask(const core::Task& task);

}  // namespace bitvelocity::partition
