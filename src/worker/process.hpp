// Process: a registered background worker of a scheduler, seen from both sides.
//
// Child: the handle a scheduler keeps of one process it started (a slot of the registry and
// PostgreSQL's handle). The scheduler's exit terminates every child, started or not.
// AttachProcess and the like are the other side: what a started process does first.
#pragma once

#include "worker/registry.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

// Fills and registers a background worker; the caller adds name, type and function.
BackgroundWorker PrepareWorker(const char* function);
// Registers; false: no slot is free. The handle lives in TopMemoryContext.
bool RegisterWorker(BackgroundWorker& worker, BackgroundWorkerHandle** handle);
// The same for what cannot do without: ReportNoSlot.
bool StartWorker(BackgroundWorker& worker, BackgroundWorkerHandle** handle);
// Says it once per bitvelocity.log_interval, and notes it for check_setup().
void ReportNoSlot();

// Trivially destructible: it is touched from an exit callback.
struct Child {
    int slot = -1;
    std::uint64_t generation = 0;
    BackgroundWorkerHandle* handle = nullptr;
    bool told = false;  // Terminate was called

    [[nodiscard]] bool Gone() const;
    void Terminate();
    // Frees the slot and the handle; call when Gone().
    void Release();
};

// Claims a slot in the registry for `database`; -1: none free. The caller fills the rest under the
// same lock.
[[nodiscard]] int ClaimSlot(Oid database);
void FreeSlot(int slot, std::uint64_t generation);
// Registers the process of a claimed slot.
bool StartChild(int slot, const char* function, const char* type, const char* name, Child* child);

// In the started process: finds its slot, records pid and latch, registers the exit callback.
// False: the scheduler has given it up; exit.
[[nodiscard]] bool AttachProcess(Datum argument, int* slot);

}  // namespace bitvelocity::worker
