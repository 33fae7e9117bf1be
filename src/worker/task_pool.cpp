#include "worker/task_pool.hpp"

#include "worker/loop.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

void Assign(Process& process, const TaskBoard::Entry& entry) {
    const core::Task& task = entry.task;
    process.capability = entry.source;
    process.id = task.key.id;
    CopyName(process.kind, sizeof(process.kind), task.key.kind.c_str());
    CopyName(process.name, sizeof(process.name), task.name.c_str());
    process.timeout_us = task.timeout_us;
    process.lock_timeout_us = task.lock_timeout_us;
    process.top_level = task.top_level;
    process.failed = true;  // until the worker says otherwise
    process.error.Clear();
    process.phase = TaskPhase::kAssigned;
    if (process.latch != nullptr) {
        SetLatch(process.latch);
    }
}

struct OwnerFacts {
    bool may_log_in;
    const char* problem;  // why no worker can be this role; nullptr: none
    const char* hint;
};

// Plain C, inside a transaction.
OwnerFacts LookUpOwner(Oid database, Oid owner) {
    OwnerFacts facts{false, nullptr, ""};
    const HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
    if (!HeapTupleIsValid(tuple)) {
        facts.problem = psprintf("its owner, role %u, does not exist", owner);
        facts.hint = "Give it to an existing role.";
        return facts;
    }
    const auto* form = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple));
    facts.may_log_in = form->rolcanlogin;
    if (!form->rolsuper && !pg::compat::MayConnect(database, owner)) {
        const char* name = NameStr(form->rolname);
        facts.problem = psprintf("its owner, role \"%s\", may not connect to the database", name);
        facts.hint =
            psprintf("Run: GRANT CONNECT ON DATABASE %s TO %s.",
                     quote_identifier(get_database_name(database)), quote_identifier(name));
    }
    ReleaseSysCache(tuple);
    return facts;
}

struct Owner {
    bool may_log_in = false;
    std::optional<core::Error> problem;
};

Owner CheckOwner(Oid database, Oid owner) {
    pg::TransactionScope transaction;
    const OwnerFacts facts = pg::Call([database, owner]() { return LookUpOwner(database, owner); });
    Owner result{facts.may_log_in, std::nullopt};
    if (facts.problem != nullptr) {
        result.problem =
            core::Error{std::string(core::kInsufficientPrivilege), facts.problem, {}, facts.hint};
    }
    transaction.Commit();
    return result;
}

}  // namespace

void TaskPool::Replace(int capability, std::vector<core::Task> tasks, std::int64_t now) {
    board_.Replace(capability, std::move(tasks), now);
    const RegistryLock lock;
    for (Record& record : registry->records) {
        if (record.used && record.database == database_ && record.is_task &&
            board_.Find(core::TaskKey{record.kind, record.id}) == nullptr) {
            record.used = false;
        }
    }
}

void TaskPool::Step(std::int64_t now) {
    Collect(now);
    if (stopping_) {
        return;
    }
    board_.Advance(now);
    // What cannot be served in this step is not tried again in it.
    std::vector<core::TaskKey> later;
    const auto accept = [&later](const TaskBoard::Entry& entry) {
        return std::find(later.begin(), later.end(), entry.task.key) == later.end();
    };
    while (const TaskBoard::Entry* entry = board_.NextDue(now, accept)) {
        const core::TaskKey key = entry->task.key;
        const Handed handed = HandOut(*entry, now);
        if (handed == Handed::kNotNow) {
            break;
        }
        if (handed == Handed::kLater) {
            later.push_back(key);
        }
    }
}

void TaskPool::Collect(std::int64_t now) {
    for (auto worker = workers_.begin(); worker != workers_.end();) {
        const bool gone = worker->child.Gone();
        bool done = false;
        ErrorText error;
        error.Clear();
        bool failed = false;
        if (worker->task) {
            const RegistryLock lock;
            Process& process = registry->processes[worker->child.slot];
            if (process.generation == worker->child.generation) {
                done = process.phase == TaskPhase::kDone;
                failed = process.failed;
                error = process.error;
                if (done && !gone) {
                    process.phase = TaskPhase::kIdle;
                }
            }
        }
        if (worker->task && (done || gone)) {
            if (!done) {
                failed = true;
                error.Set(core::Error{"57P01",
                                      "its worker ended before the task did",
                                      {},
                                      "The server log says why."});
            }
            Finish(*worker, failed ? &error : nullptr, now);
        }
        if (gone) {
            worker->child.Release();
            worker = workers_.erase(worker);
        } else {
            ++worker;
        }
    }
}

void TaskPool::Finish(Worker& worker, const ErrorText* error, std::int64_t now) {
    const core::TaskKey key = *worker.task;
    worker.task.reset();
    board_.Finished(key, error == nullptr, now);
    const TaskBoard::Entry* entry = board_.Find(key);
    if (entry == nullptr) {
        return;
    }
    // A task that we end ourselves has not failed.
    const bool failed = error != nullptr && !stopping_;
    Note(*entry, failed ? "failed" : "idle", failed ? error : nullptr, now);
}

TaskPool::Handed TaskPool::HandOut(const TaskBoard::Entry& entry, std::int64_t now) {
    if (AssignIdle(entry)) {
        return Handed::kYes;
    }
    if (static_cast<int>(workers_.size()) < pg::settings::max_task_workers) {
        return StartFor(entry, now);
    }
    return RetireIdle() ? Handed::kLater : Handed::kNotNow;
}

bool TaskPool::AssignIdle(const TaskBoard::Entry& entry) {
    for (Worker& worker : workers_) {
        if (worker.task || worker.leaving || worker.owner != entry.task.owner) {
            continue;
        }
        {
            const RegistryLock lock;
            Process& process = registry->processes[worker.child.slot];
            if (process.generation != worker.child.generation || process.retire ||
                process.phase != TaskPhase::kIdle) {
                worker.leaving = true;
                continue;
            }
            Assign(process, entry);
        }
        worker.task = entry.task.key;
        board_.Started(entry.task.key);
        Note(entry, "running", nullptr, Now());
        return true;
    }
    return false;
}

TaskPool::Handed TaskPool::StartFor(const TaskBoard::Entry& entry, std::int64_t now) {
    if (now < no_slot_until_) {
        return Handed::kNotNow;
    }
    const core::TaskKey key = entry.task.key;
    const Owner owner = CheckOwner(database_, entry.task.owner);
    if (owner.problem) {
        Fail(key, *owner.problem, now);
        return Handed::kYes;
    }
    int slot = -1;
    {
        const RegistryLock lock;
        slot = ClaimSlot(database_);
        if (slot >= 0) {
            Process& process = registry->processes[slot];
            process.is_task_worker = true;
            process.owner = entry.task.owner;
            process.may_log_in = owner.may_log_in;
            Assign(process, entry);
        }
    }
    Worker worker;
    worker.owner = entry.task.owner;
    if (slot < 0) {
        ReportNoSlot();
    }
    if (slot < 0 || !StartChild(slot, "bitvelocity_task_main", "bitvelocity task worker",
                                entry.task.name.c_str(), &worker.child)) {
        no_slot_until_ = now + 1'000'000;
        return Handed::kNotNow;
    }
    worker.task = key;
    workers_.push_back(worker);
    board_.Started(key);
    Note(entry, "running", nullptr, now);
    return Handed::kYes;
}

bool TaskPool::RetireIdle() {
    for (Worker& worker : workers_) {
        if (worker.task) {
            continue;
        }
        if (!worker.leaving) {
            worker.leaving = true;
            const RegistryLock lock;
            Process& process = registry->processes[worker.child.slot];
            if (process.generation == worker.child.generation) {
                process.retire = true;
                if (process.latch != nullptr) {
                    SetLatch(process.latch);
                }
            }
        }
        return true;
    }
    return false;
}

void TaskPool::Fail(const core::TaskKey& key, const core::Error& error, std::int64_t now) {
    board_.Started(key);
    board_.Finished(key, false, now);
    const TaskBoard::Entry* entry = board_.Find(key);
    if (entry != nullptr) {
        ErrorText text;
        text.Set(error);
        Note(*entry, "failed", &text, now);
    }
}

void TaskPool::Note(const TaskBoard::Entry& entry, const char* state, const ErrorText* error,
                    std::int64_t now) {
    const TimestampTz wall = GetCurrentTimestamp();
    const core::Task& task = entry.task;
    bool log = false;
    {
        const RegistryLock lock;
        Record* record = FindOrAddRecord(database_, true, task.key.kind.c_str(), task.key.id);
        CopyName(record->name, sizeof(record->name), task.name.c_str());
        strlcpy(record->state, state, sizeof(record->state));
        record->since = wall;
        record->next_attempt = entry.not_before > now ? wall + (entry.not_before - now) : 0;
        record->runs = entry.runs;
        record->failures = entry.failures;
        if (error != nullptr) {
            const bool same = std::strcmp(record->error.sqlstate, error->sqlstate) == 0;
            const bool recent =
                wall - record->logged_at < INT64CONST(1000000) * pg::settings::log_interval_s;
            log = !(same && recent);
            record->error = *error;
            record->error_at = wall;
            if (log) {
                record->logged_at = wall;
            }
        } else if (std::strcmp(state, "idle") == 0) {
            record->error.Clear();
        }
    }
    if (!log) {
        return;
    }
    const char* kind = task.key.kind.c_str();
    const char* name = task.name.c_str();
    const std::int64_t pause_ms = std::max<std::int64_t>(0, entry.not_before - now) / 1000;
    pg::Call([error, kind, name, pause_ms]() {
        ereport(LOG,
                (errcode(MAKE_SQLSTATE(error->sqlstate[0], error->sqlstate[1], error->sqlstate[2],
                                       error->sqlstate[3], error->sqlstate[4])),
                 errmsg("bitvelocity %s \"%s\" failed and will be tried again in %lld ms: %s", kind,
                        name, static_cast<long long>(pause_ms), error->message),
                 error->detail[0] != '\0' ? errdetail("%s", error->detail) : 0,
                 error->hint[0] != '\0' ? errhint("%s", error->hint) : 0));
    });
}

void TaskPool::TerminateAll() {
    stopping_ = true;
    for (Worker& worker : workers_) {
        worker.child.Terminate();
    }
}

std::int64_t TaskPool::NextTime(std::int64_t now) const {
    const std::int64_t next = board_.NextTime(now);
    if (no_slot_until_ <= now) {
        return next;
    }
    return next < 0 ? no_slot_until_ : std::min(next, no_slot_until_);
}

}  // namespace bitvelocity::worker
