// check_setup(): what stands in the way, one row a finding, with the line to run. Documented in
// sql/api/ops.sql. Runs in a backend; reads settings, catalogues and the status views as the owner
// of the extension, changes nothing.

#include <sys/stat.h>

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/set_result.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"

#include "ops/findings.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::ops {

namespace {

std::string Setting(const char* name) {
    const char* value = pg::Call([name]() { return GetConfigOptionByName(name, nullptr, true); });
    return value == nullptr ? std::string() : std::string(value);
}

bool Preloaded() {
    return !Setting("bitvelocity.max_streams").empty();
}

void CheckPreload(Findings& findings) {
    if (Preloaded()) {
        return;
    }
    const std::string others = Setting("shared_preload_libraries");
    const std::string value = others.empty() ? "bitvelocity" : others + ", bitvelocity";
    findings.Add(kError, "shared_preload_libraries",
                 "the library is not preloaded: no worker runs, so nothing streams or refreshes",
                 "shared_preload_libraries = '" + value +
                     "'  # in postgresql.conf, then restart the server");
}

void CheckWalLevel(Findings& findings) {
    if (wal_level < WAL_LEVEL_LOGICAL) {
        findings.Add(kError, "wal_level",
                     "wal_level is " + Setting("wal_level") + ": changes cannot be decoded",
                     "wal_level = logical  # in postgresql.conf, then restart the server");
    }
}

// Slots and the positions of embedded streams (replication origins) are counted against the same
// setting until 17.
void CheckReplicationSlots(Findings& findings, pg::SpiScope& spi) {
    const pg::Rows rows = spi.Execute(
        "SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots),"
        "       (SELECT count(*) FROM pg_catalog.pg_replication_origin)");
    struct Limit {
        const char* what;
        const char* setting;
        std::int64_t used;
    };
    const Limit limits[] = {{"replication slots", "max_replication_slots", rows.Int(0, 1)},
                            {"replication origins", pg::compat::kOriginLimit, rows.Int(0, 2)}};
    for (const Limit& limit : limits) {
        const std::int64_t most = std::atoll(Setting(limit.setting).c_str());
        if (limit.used + 1 < most) {
            continue;
        }
        findings.Add(limit.used >= most ? kError : kWarning, limit.setting,
                     std::to_string(limit.used) + " of " + std::to_string(most) + " " + limit.what +
                         " are in use: " +
                         (limit.used >= most ? "no further stream can start" : "one is left"),
                     std::string(limit.setting) + " = " + std::to_string(limit.used + 10) +
                         "  # in postgresql.conf, then restart the server");
    }
}

// Launcher, a scheduler and task workers for every database that streams and this one, two
// processes a stream, the readers of this database's streams (others' options are not to be seen
// from here), and what PostgreSQL's logical replication takes.
void CheckWorkerSlots(Findings& findings, pg::SpiScope& spi) {
    const pg::Rows rows = spi.Execute(
        "SELECT count(*), count(DISTINCT datoid) FILTER (WHERE datoid <> $1),"
        " (SELECT coalesce(sum(readers), 0) FROM bitvelocity.stream,"
        "  LATERAL (SELECT (options ->> 'snapshot.readers')::integer AS readers) AS of_stream"
        "  WHERE readers > 1)"
        " FROM pg_catalog.pg_replication_slots WHERE slot_name LIKE 'bitvelocity\\_%'",
        {pg::Param::OidValue(MyDatabaseId)});
    const std::int64_t streams = rows.Int(0, 1);
    const std::int64_t databases = rows.Int(0, 2) + 1;
    const std::int64_t readers = rows.Int(0, 3);
    const std::int64_t needed = 1 + databases * (1 + pg::settings::max_task_workers) + 2 * streams +
                                readers + (max_logical_replication_workers > 0 ? 1 : 0);
    const pg::Rows starved =
        spi.Execute("SELECT count(*) FROM bitvelocity.worker_report() WHERE state = 'no slot'");
    const bool out = starved.Int(0, 1) > 0;
    // A stream that is added takes two.
    if (!out && needed + 2 <= max_worker_processes) {
        return;
    }
    findings.Add(out || needed > max_worker_processes ? kError : kWarning, "max_worker_processes",
                 "bitvelocity needs " + std::to_string(needed) + " of " +
                     std::to_string(max_worker_processes) +
                     " background workers, which it shares with parallel queries",
                 "max_worker_processes = " +
                     std::to_string(std::max<std::int64_t>(needed, max_worker_processes) + 8) +
                     "  # in postgresql.conf, then restart the server");
}

void CheckOutputPlugins(Findings& findings) {
    // Servers with the setting load only the plugins it names.
    const std::string allowed = Setting("output_plugin_libraries");
    if (allowed.empty() || allowed == "*" || allowed.find("pgoutput") != std::string::npos) {
        return;
    }
    findings.Add(kError, "output_plugin_libraries",
                 "pgoutput is not allowed: changes cannot be decoded",
                 "ALTER SYSTEM SET output_plugin_libraries = '" + allowed +
                     ", pgoutput'; SELECT pg_reload_conf();");
}

void CheckMemory(Findings& findings) {
    constexpr int kLeastKb = 64 * 1024;
    if (logical_decoding_work_mem < kLeastKb) {
        findings.Add(
            kInfo, "logical_decoding_work_mem",
            "it is below 64 MB: decoding transactions with many subtransactions takes minutes "
            "(the decoders of bitvelocity use at least 64 MB)",
            "ALTER SYSTEM SET logical_decoding_work_mem = '64MB'; SELECT pg_reload_conf();");
    }
}

void CheckRetention(Findings& findings) {
    if (max_slot_wal_keep_size_mb < 0) {
        findings.Add(
            kInfo, "max_slot_wal_keep_size",
            "unlimited: a stream whose sink is down retains WAL until the disk is full",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();  -- a "
            "size the disk can hold; a stream beyond it needs resync_stream()");
    }
}

void CheckConnectionFile(Findings& findings, pg::SpiScope& spi) {
    const std::string path = pg::settings::connection_file;
    const pg::Rows rows = spi.Execute(
        "SELECT count(*) FROM bitvelocity.stream WHERE sink NOT IN ('bronze', 'memory')");
    if (path.empty()) {
        if (rows.Int(0, 1) > 0) {
            findings.Add(kError, "bitvelocity.connection_file",
                         "streams into a broker need it: brokers and secrets are read from there",
                         "ALTER SYSTEM SET bitvelocity.connection_file = "
                         "'/etc/bitvelocity/connections.conf'; SELECT pg_reload_conf();");
        }
        return;
    }
    struct stat status;
    if (stat(path.c_str(), &status) != 0) {
        findings.Add(kError, path, "the server cannot read the connection file",
                     "install -m 0600 -o postgres -g postgres /dev/null " + path);
        return;
    }
    // The rule PostgreSQL has for ssl_key_file.
    const mode_t forbidden = status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((status.st_mode & forbidden) != 0) {
        findings.Add(kError, path,
                     "others may read or write the connection file, which holds secrets",
                     "chmod 0600 " + path);
    }
    const std::string data = std::string(DataDir) + "/";
    if (path.compare(0, data.size(), data) == 0 || path[0] != '/') {
        findings.Add(
            kWarning, path,
            "the connection file is inside the data directory: a copy of the directory reaches "
            "the same brokers, and backups hold its secrets",
            "Move it and run: ALTER SYSTEM SET bitvelocity.connection_file = "
            "'/etc/bitvelocity/connections.conf'; SELECT pg_reload_conf();");
    }
}

}  // namespace

void CheckServer(Findings& findings, pg::SpiScope& spi) {
    CheckPreload(findings);
    CheckWalLevel(findings);
    CheckReplicationSlots(findings, spi);
    if (Preloaded()) {
        CheckWorkerSlots(findings, spi);
    }
    CheckOutputPlugins(findings);
    CheckMemory(findings);
    CheckRetention(findings);
    CheckConnectionFile(findings, spi);
}

}  // namespace bitvelocity::ops

BV_FUNCTION(bitvelocity_check_setup) {
    using namespace bitvelocity;
    pg::BeginSet(fcinfo);
    ops::Findings findings;
    {
        const pg::CatalogScope as_owner;
        pg::SpiScope spi;
        ops::CheckServer(findings, spi);
        ops::CheckDatabase(findings, spi);
    }
    findings.Return(fcinfo);
    PG_RETURN_NULL();
}
