#include "stream/wal_guard.hpp"

#include <sys/statvfs.h>

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pipeline/guard_options.hpp"
#include "worker/loop.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

struct Retention {
    std::int32_t stream_id = 0;
    std::string name;
    std::string slot;
    std::string phase;
    pipeline::GuardOptions options;
    std::uint64_t bytes = 0;
    std::uint64_t catalog_age = 0;
};

std::uint64_t FreeBytes() {
    struct statvfs status;
    return statvfs(XLOGDIR, &status) == 0
               ? static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize
               : 0;
}

std::string Size(std::uint64_t bytes) {
    return bytes >= 10ULL << 30   ? std::to_string(bytes >> 30) + " GB"
           : bytes >= 10ULL << 20 ? std::to_string(bytes >> 20) + " MB"
                                  : std::to_string(bytes >> 10) + " kB";
}

std::vector<Retention> Look() {
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT s.stream_id, s.stream_name, s.slot_name, s.phase, s.options::text, "
        "greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), r.restart_lsn), 0)::bigint, "
        "greatest(age(r.catalog_xmin), 0)::bigint "
        "FROM bitvelocity.stream s JOIN pg_replication_slots r ON r.slot_name = s.slot_name "
        "WHERE r.restart_lsn IS NOT NULL AND s.phase <> 'needs_resync' AND "
        "bitvelocity.stream_is_home(s.system_identifier, s.database_oid, s.catalog_oid)");
    std::vector<Retention> found;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        Retention retention;
        retention.stream_id = static_cast<std::int32_t>(rows.Int(i, 1));
        retention.name = rows.Text(i, 2).value_or("");
        retention.slot = rows.Text(i, 3).value_or("");
        retention.phase = rows.Text(i, 4).value_or("");
        retention.options =
            pg::ValueOrThrow(pipeline::ParseGuardOptions(rows.Text(i, 5).value_or("{}")));
        retention.bytes = static_cast<std::uint64_t>(rows.Int(i, 6));
        retention.catalog_age = static_cast<std::uint64_t>(rows.Int(i, 7));
        found.push_back(std::move(retention));
    }
    return found;
}

// How fast it grows, over about a minute; what shrinks needs no estimate.
void Measure(Entry* entry, const Retention& retention, std::uint64_t free_bytes) {
    const std::int64_t now = worker::Now();
    const std::int64_t before = entry->retained_at_us.load();
    const std::uint64_t old = entry->retained.load();
    if (before != 0 && now > before) {
        const double seconds = static_cast<double>(now - before) / 1e6;
        const double grown =
            retention.bytes > old ? static_cast<double>(retention.bytes - old) / seconds : 0;
        const double share = std::min(seconds / 30.0, 1.0);
        const auto rate = static_cast<double>(entry->retained_rate.load());
        entry->retained_rate.store(static_cast<std::uint64_t>(rate + (grown - rate) * share));
    }
    entry->retained.store(retention.bytes);
    entry->retained_at_us.store(now);
    entry->wal_free.store(free_bytes);
}

bool MaySay(Entry* entry) {
    const std::int64_t now = worker::Now();
    const std::int64_t last = entry->guard_logged_us.load();
    if (last != 0 && now - last < INT64CONST(1000000) * pg::settings::log_interval_s) {
        return false;
    }
    entry->guard_logged_us.store(now);
    return true;
}

void GiveUp(const Retention& retention, const std::string& why) {
    const std::string reason =
        "replication slot \"" + retention.slot + "\" was given up by wal_policy: it " + why;
    {
        pg::SpiScope spi;
        spi.Execute(
            "UPDATE bitvelocity.stream SET phase = 'needs_resync', phase_reason = $2 WHERE "
            "stream_id = $1",
            {pg::Param::Int(retention.stream_id), pg::Param::Text(reason)});
    }
    // Its processes are stopped and the slot is dropped with the next listing.
    worker::CatalogChanged();
    pg::Call([name = retention.name.c_str(), text = reason.c_str()]() {
        ereport(WARNING, (errmsg("bitvelocity stream \"%s\" needs a resync: %s", name, text),
                          errhint("Run SELECT bitvelocity.resync_stream('%s').", name)));
    });
}

// Says whether existing rows have to wait; the deliverer waits for its latch meanwhile.
void Throttle(Entry* entry, bool now) {
    if (entry->throttled.exchange(now) != now) {
        pg::Call([entry]() { WakeDeliverer(entry); });
    }
}

void Guard(const Retention& retention, std::uint64_t free_bytes) {
    Entry* entry = FindEntry(MyDatabaseId, retention.stream_id, retention.name.c_str(), true);
    if (entry == nullptr) {
        return;
    }
    Measure(entry, retention, free_bytes);
    const std::uint64_t limit = pipeline::EffectiveWalLimit(retention.options, free_bytes);
    entry->wal_limit.store(limit);
    const bool wal = retention.bytes > limit;
    const bool age = retention.catalog_age > retention.options.catalog_xmin_limit;
    const bool throttle = wal && retention.options.policy == pipeline::WalPolicy::kThrottle;
    Throttle(entry, throttle);
    if (!wal && !age) {
        return;
    }
    std::string why;
    if (wal) {
        why = "retains " + Size(retention.bytes) + " of WAL, more than its limit of " + Size(limit);
    }
    if (age) {
        why += (wal ? " and " : "") + std::string("keeps catalogue rows for ") +
               std::to_string(retention.catalog_age) + " transactions, more than " +
               std::to_string(retention.options.catalog_xmin_limit);
    }
    if (retention.options.policy == pipeline::WalPolicy::kDropSlot) {
        GiveUp(retention, why);
        return;
    }
    if (MaySay(entry)) {
        pg::Call([name = retention.name.c_str(), text = why.c_str(), free = free_bytes >> 20,
                  throttle]() {
            ereport(
                WARNING,
                (errmsg("bitvelocity stream \"%s\" %s", name, text),
                 errdetail("%llu MB are free where pg_wal is.%s",
                           static_cast<unsigned long long>(free),
                           throttle ? " Existing rows are not read until less is retained." : ""),
                 errhint("stream_status says why it is behind. Only delivering, "
                         "resync_stream or drop_stream frees WAL; pausing does not.")));
        });
    }
}

}  // namespace

void GuardWal() {
    if (GetShared() == nullptr || RecoveryInProgress()) {
        return;
    }
    const std::vector<Retention> found = Look();
    const std::uint64_t free_bytes = FreeBytes();
    for (const Retention& retention : found) {
        Guard(retention, free_bytes);
    }
}

}  // namespace bitvelocity::stream
