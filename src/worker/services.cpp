#include "worker/services.hpp"

#include "worker/loop.hpp"

#include "pg/boundary.hpp"
#include "pg/settings.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::worker {

namespace {

constexpr std::int64_t kGrace = 3'000'000;
constexpr std::int64_t kQuick = 1'000'000;
constexpr int kQuickEnds = 5;

}  // namespace

void Services::Replace(int capability, std::vector<Service> listed) {
    for (auto& [key, running] : running_) {
        if (key.first == capability) {
            running.listed = false;
        }
    }
    for (Service& service : listed) {
        Running& running = running_[Key{capability, service.id}];
        if (running.service.version != service.version) {
            running.not_before = 0;
            running.backoff.Reset();
        }
        running.service = std::move(service);
        running.listed = true;
    }
}

void Services::Step(std::int64_t now) {
    for (auto item = running_.begin(); item != running_.end();) {
        auto& [key, running] = *item;
        if (running.child_count > 0) {
            Reap(key, running, now);
        }
        if (running.child_count > 0) {
            const bool unwanted =
                !running.listed || running.service.version != running.started_version;
            if (unwanted || (running.terminate_at != 0 && now >= running.terminate_at)) {
                running.ending = true;
                running.terminate_at = 0;
                for (int i = 0; i < running.child_count; ++i) {
                    if (running.children[i].handle != nullptr) {
                        running.children[i].Terminate();
                    }
                }
            }
        } else if (!running.listed) {
            const RegistryLock lock;
            Record* record =
                FindRecord(database_, false, GetCapability(key.first).kind, key.second);
            if (record != nullptr) {
                record->used = false;
            }
            item = running_.erase(item);
            continue;
        } else if (!running.stopping && now >= running.not_before) {
            Start(key, running, now);
        }
        ++item;
    }
}

void Services::Reap(const Key& key, Running& running, std::int64_t now) {
    bool any_left = false;
    for (int i = 0; i < running.child_count; ++i) {
        Child& child = running.children[i];
        if (child.handle == nullptr) {
            continue;
        }
        if (!child.Gone()) {
            any_left = true;
            continue;
        }
        bool failed = true;
        ErrorText error;
        {
            const RegistryLock lock;
            const Process& process = registry->processes[child.slot];
            if (process.used && process.generation == child.generation) {
                failed = process.failed;
                error = process.error;
            } else {
                error.Clear();
            }
        }
        // Its partner may have left first because of it: only who was told to go may go like this.
        if (failed && !child.told) {
            running.failed = true;
            Note(key, running, "failed", &error, 0);
        }
        child.Release();
        if (!running.ending) {
            running.ending = true;
            running.terminate_at = now + kGrace;
        }
    }
    if (!any_left) {
        Ended(key, running, now);
    }
}

void Services::Ended(const Key& key, Running& running, std::int64_t now) {
    const bool changed = running.service.version != running.started_version;
    leftovers_ = leftovers_ || changed || !running.listed;
    running.child_count = 0;
    running.ending = false;
    running.terminate_at = 0;
    running.not_before = 0;
    if (running.failed && !changed) {
        running.not_before = running.backoff.Failed(now);
    } else {
        running.backoff.Reset();
        running.quick_ends = now - running.started_at < kQuick ? running.quick_ends + 1 : 0;
        if (running.quick_ends > kQuickEnds) {
            running.not_before = now + kQuick;
        }
    }
    if (running.no_slot) {
        NoteNoSlot(key, running, now);
    } else if (running.failed) {
        Note(key, running, "failed", nullptr, running.not_before - now);
    } else {
        Note(key, running, "stopped", nullptr, 0);
    }
    running.failed = false;
    running.no_slot = false;
}

void Services::Start(const Key& key, Running& running, std::int64_t now) {
    const Capability& capability = GetCapability(key.first);
    int slots[kMaxServiceProcesses];
    int claimed = 0;
    {
        const RegistryLock lock;
        for (; claimed < capability.process_count; ++claimed) {
            slots[claimed] = ClaimSlot(database_);
            if (slots[claimed] < 0) {
                break;
            }
            Process& process = registry->processes[slots[claimed]];
            process.capability = key.first;
            process.process_index = claimed;
            process.id = key.second;
            // Until the main returns: whatever ends the process otherwise is a failure.
            process.failed = true;
            CopyName(process.name, sizeof(process.name), running.service.name.c_str());
            CopyName(process.kind, sizeof(process.kind), capability.kind);
        }
        if (claimed < capability.process_count) {
            for (int i = 0; i < claimed; ++i) {
                registry->processes[slots[i]].used = false;
            }
        }
    }
    running.started_at = now;
    running.backoff.Started(now);
    running.started_version = running.service.version;
    if (claimed < capability.process_count) {
        ReportNoSlot();
        running.not_before = running.backoff.Failed(now);
        NoteNoSlot(key, running, now);
        return;
    }
    int started = 0;
    for (; started < capability.process_count; ++started) {
        const std::string type = std::string("bitvelocity ") + capability.process_names[started];
        if (!StartChild(slots[started], "bitvelocity_service_main", type.c_str(),
                        running.service.name.c_str(), &running.children[started])) {
            break;
        }
    }
    running.child_count = started;
    if (started == capability.process_count) {
        Note(key, running, "running", nullptr, 0);
        return;
    }
    for (int i = started + 1; i < capability.process_count; ++i) {
        FreeSlot(slots[i], registry->processes[slots[i]].generation);
    }
    running.failed = true;
    running.no_slot = true;
    running.ending = true;
    for (int i = 0; i < started; ++i) {
        running.children[i].Terminate();
    }
    if (started == 0) {
        Ended(key, running, now);
    }
}

// The log has said it (ReportNoSlot), for all services at once.
void Services::NoteNoSlot(const Key& key, const Running& running, std::int64_t now) {
    Note(key, running, "no slot", nullptr, running.not_before - now);
    const RegistryLock lock;
    Record* record = FindOrAddRecord(database_, false, GetCapability(key.first).kind, key.second);
    strlcpy(record->error.sqlstate, "53400", sizeof(record->error.sqlstate));
    strlcpy(record->error.message, "no free background worker slot", sizeof(record->error.message));
    strlcpy(record->error.hint, "Raise max_worker_processes and restart the server.",
            sizeof(record->error.hint));
    record->error_at = record->since;
}

// Keeps what views show, and logs a failure: once, then once per bitvelocity.log_interval while it
// stays the same.
void Services::Note(const Key& key, const Running& running, const char* state,
                    const ErrorText* error, std::int64_t pause_us) {
    const TimestampTz now = GetCurrentTimestamp();
    const char* kind = GetCapability(key.first).kind;
    ErrorText text;
    text.Clear();
    bool log = false;
    {
        const RegistryLock lock;
        Record* record = FindOrAddRecord(database_, false, kind, key.second);
        CopyName(record->name, sizeof(record->name), running.service.name.c_str());
        strlcpy(record->state, state, sizeof(record->state));
        record->since = now;
        record->next_attempt = pause_us > 0 ? now + pause_us : 0;
        if (std::strcmp(state, "running") == 0) {
            ++record->runs;
        }
        if (error != nullptr) {
            const bool same = std::strcmp(record->error.sqlstate, error->sqlstate) == 0;
            const bool recent =
                now - record->logged_at < INT64CONST(1000000) * pg::settings::log_interval_s;
            log = !error->empty() && !(same && recent);
            if (!error->empty()) {
                record->error = *error;
            }
            record->error_at = now;
            ++record->failures;
            if (log) {
                record->logged_at = now;
                text = *error;
            }
        }
        // One healthy run forgets the failures; see LastFailure.
        if (std::strcmp(state, "stopped") == 0) {
            record->failures = 0;
            record->error.Clear();
        }
    }
    if (!log) {
        return;
    }
    const char* name = running.service.name.c_str();
    pg::Call([&text, kind, name]() {
        ereport(LOG, (errcode(MAKE_SQLSTATE(text.sqlstate[0], text.sqlstate[1], text.sqlstate[2],
                                            text.sqlstate[3], text.sqlstate[4])),
                      errmsg("bitvelocity %s \"%s\" stopped and will be started again: %s", kind,
                             name, text.message),
                      text.detail[0] != '\0' ? errdetail("%s", text.detail) : 0,
                      text.hint[0] != '\0' ? errhint("%s", text.hint) : 0));
    });
}

void Services::TerminateAll() {
    for (auto& [key, running] : running_) {
        running.stopping = true;
        running.ending = true;
        for (int i = 0; i < running.child_count; ++i) {
            if (running.children[i].handle != nullptr) {
                running.children[i].Terminate();
            }
        }
    }
}

bool Services::AllGone() const {
    for (const auto& [key, running] : running_) {
        if (running.child_count > 0) {
            return false;
        }
    }
    return true;
}

std::int64_t Services::NextTime(std::int64_t now) const {
    std::int64_t next = -1;
    for (const auto& [key, running] : running_) {
        const std::int64_t time = running.child_count > 0    ? running.terminate_at
                                  : running.not_before > now ? running.not_before
                                                             : 0;
        if (time != 0) {
            next = next < 0 ? time : std::min(next, time);
        }
    }
    return next;
}

std::optional<Failure> LastFailure(core::Oid database, const char* kind, std::int64_t id) {
    if (!Available()) {
        return std::nullopt;
    }
    ErrorText text;
    Failure failure;
    {
        const RegistryLock lock;
        const Record* record = FindRecord(database, false, kind, id);
        constexpr TimestampTz kHealthy = 60 * INT64CONST(1000000);
        if (record == nullptr || record->error.empty() ||
            (std::strcmp(record->state, "running") == 0 &&
             GetCurrentTimestamp() - record->since > kHealthy)) {
            return std::nullopt;
        }
        text = record->error;
        failure.at = record->error_at;
        failure.count = record->failures;
    }
    failure.error = text.Get();
    return failure;
}

}  // namespace bitvelocity::worker
