// Commands: what SQL commands mean for the workers.
//
// DROP DATABASE, ALTER DATABASE ... RENAME / SET TABLESPACE and CREATE DATABASE ... TEMPLATE refuse
// a database in use: its workers step aside (replication slots released, disconnected) before the
// command runs, and come back when its transaction is over, if the database still exists. Runs in
// the backend that executes the command; waits at most ten seconds and can be cancelled.
#pragma once

#include <cstdint>

namespace bitvelocity::worker {

// The ProcessUtility hook; while shared_preload_libraries is processed.
void InstallCommands();

// From the transaction callback: who stepped aside may come back.
void TransactionEnded();

// Waits until no process of ours is left in the database. False: the time is over.
bool WaitUntilGone(std::uint32_t database, std::int64_t timeout_us);

}  // namespace bitvelocity::worker
