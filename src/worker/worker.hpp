// Worker: the processes of the extension and what keeps them running. Knows no capability.
//
//   launcher            static, no database: finds databases with the extension, starts schedulers
//   database scheduler  one per database: keeps services running and hands out tasks; runs no user
//   SQL service process     long-lived, one capability's main (a stream's decoder, its deliverer)
//   task worker         connects as the owner of what it works on, runs core::Tasks, lingers, exits
//
// A capability registers itself from _PG_init (bitvelocity.cpp is the only caller), so the table
// below is the same in every process. Everything here needs shared_preload_libraries; Available()
// tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/status.hpp"
#include "core/task.hpp"

namespace bitvelocity::worker {

// A set of processes that live and die together (they are started again once all are gone).
struct Service {
    std::int64_t id = 0;
    std::string name;  // for pg_stat_activity and logs
    // Changes when the definition changed in a way that needs new processes.
    std::uint64_t version = 0;
};

struct ServiceStart {
    core::Oid database = 0;
    std::int64_t id = 0;
    char name[64] = {};
};

inline constexpr int kMaxServiceProcesses = 2;

struct Capability {
    const char* kind = nullptr;  // a literal

    // Services. list_services: in the scheduler, inside a transaction, SPI not connected; returns
    // what should run now. The mains are called with signals prepared and the process registered,
    // but NOT connected: they call Connect() first. They ereport, throw or return: an error is
    // recorded for the status views, logged once per bitvelocity.log_interval and followed by
    // back-off; a return is a clean exit, after which the service is started again at once if it is
    // still listed. When one process of a service is gone, the others get SIGTERM after a grace of
    // 3 s.
    std::vector<Service> (*list_services)() = nullptr;
    int process_count = 0;
    const char* process_names[kMaxServiceProcesses] = {};  // "decoder", "deliverer"
    void (*process_mains[kMaxServiceProcesses])(const ServiceStart&) = {};

    // In the scheduler, about every 5 s, inside a transaction: looks at what may change without a
    // change of the catalogue. An error is logged as one of listing is.
    void (*watch)() = nullptr;

    // Tasks. list_tasks: as list_services. A task that is new, or whose scheduler has just started,
    // is due at once. run_task: in a task worker connected as task.owner, outside a transaction; it
    // throws (pg::PgError, pg::StatusError) or returns. Of the task only key, name, owner, timeouts
    // and top_level are set there.
    std::vector<core::Task> (*list_tasks)() = nullptr;
    void (*run_task)(const core::Task&) = nullptr;

    // After a committed DROP EXTENSION, in the scheduler, when no process of ours is left in the
    // database: outside a transaction; drops slots and origins.
    void (*uninstall)(core::Oid database) = nullptr;
    // After DROP DATABASE did its work, in the backend that runs it, inside its transaction and
    // connected to another database: removes what names the database in shared catalogues
    // (origins). C calls only, no SPI; an ERROR becomes a WARNING.
    void (*database_dropped)(core::Oid database) = nullptr;
};

void Register(const Capability& capability);

// _PG_init, while shared_preload_libraries is processed: shared memory, launcher, hooks.
void Install();
// The library was preloaded, so workers and shared memory exist.
[[nodiscard]] bool Available();
// Throws 55000 with the line to add to postgresql.conf unless Available().
void RequireAvailable();

// Connects the calling worker process to the database; role 0: the bootstrap superuser.
void Connect(core::Oid database, core::Oid role = 0);

// Why a service stopped last time, while that is not followed by a healthy run.
struct Failure {
    core::Error error;
    std::int64_t at = 0;     // TimestampTz
    std::int64_t count = 0;  // failures in a row
};
[[nodiscard]] std::optional<Failure> LastFailure(core::Oid database, const char* kind,
                                                 std::int64_t id);

// The catalogue changed in this transaction: at its commit the database's scheduler lists anew.
void CatalogChanged();
// Tasks with this signal are due (a deliverer wrote the table). At once, not at commit.
void Signal(core::Oid database, core::Oid signal);
// The same at the commit of the current transaction.
void SignalAtCommit(core::Oid signal);
// Wakes the scheduler to look at its services now.
void WakeScheduler(core::Oid database);

}  // namespace bitvelocity::worker
