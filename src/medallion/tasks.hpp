// Refreshing datasets, by a task worker or by hand.
//
// bitvelocity.cpp hands ListTasks and RunTask to the workers. ListTasks: inside a transaction, SPI
// not connected. RunTask: in a task worker connected as the dataset's owner, outside a transaction;
// each batch is one transaction; throws after it recorded the error in dataset_status.
#pragma once

#include <vector>

#include "core/lsn.hpp"
#include "core/task.hpp"
#include "medallion/silver_refresh.hpp"

namespace bitvelocity::medallion {

inline constexpr const char* kTaskKind = "dataset";

[[nodiscard]] std::vector<core::Task> ListTasks();
void RunTask(const core::Task& task);

// Upstream datasets first; everything in the caller's transaction.
Progress RefreshDataset(pg::SpiScope& spi, const Dataset& dataset, core::Lsn until);

}  // namespace bitvelocity::medallion
