// The part of check_setup() that looks into the database. Each check is one query that answers with
// findings (severity, object, finding, fix).

#include "ops/findings.hpp"

#include "pg/settings.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::ops {

namespace {

constexpr const char* kOutdated = R"(
SELECT 'WARNING', 'extension bitvelocity',
       pg_catalog.format('version %s is installed here, %s on the server', installed_version, default_version),
       'ALTER EXTENSION bitvelocity UPDATE;'
FROM pg_catalog.pg_available_extensions
WHERE name = 'bitvelocity' AND installed_version <> default_version)";

constexpr const char* kPartman = R"(
SELECT 'INFO', 'extension pg_partman',
       'not installed: partition_table() refuses, bronze tables and trails are not partitioned',
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pg_partman')
            THEN 'CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;'
            ELSE pg_catalog.format('apt-get install postgresql-%s-partman, then CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;',
                                   pg_catalog.current_setting('server_version_num')::integer / 10000)
       END
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_partman'))";

constexpr const char* kClosed = R"(
SELECT 'WARNING', pg_catalog.format('database %I', datname),
       CASE WHEN datistemplate THEN 'it is a template: no workers run in it'
            ELSE 'it allows no connections: no workers run in it' END,
       pg_catalog.format('ALTER DATABASE %I IS_TEMPLATE false ALLOW_CONNECTIONS true;', datname)
FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database() AND (datistemplate OR NOT datallowconn))";

// A scheduler that is being started is no finding: the launcher has it.
constexpr const char* kWorkers = R"(
SELECT 'ERROR', 'workers of this database', 'the ' || process || ' is ' || state,
       CASE WHEN state = 'stopped' THEN 'SELECT bitvelocity.start_workers();'
            ELSE 'SELECT bitvelocity.start_workers();  -- the server log says why it stopped' END
FROM bitvelocity.worker_report()
WHERE process IN ('launcher', 'scheduler') AND state IN ('not running', 'stopped')
  AND NOT pg_catalog.pg_is_in_recovery()
UNION ALL
SELECT 'ERROR', 'workers of this database', 'the scheduler is not running',
       'SELECT bitvelocity.start_workers();'
WHERE NOT EXISTS (SELECT FROM bitvelocity.worker_report() WHERE process = 'scheduler')
  AND NOT pg_catalog.pg_is_in_recovery())";

constexpr const char* kFailures = R"(
SELECT 'WARNING', kind || ' ' || pg_catalog.quote_ident(name),
       pg_catalog.format('failed %s time(s) in a row, last at %s: %s', failures,
                         pg_catalog.date_trunc('second', last_error_at), last_error),
       coalesce(hint, 'SELECT * FROM bitvelocity.worker_status WHERE last_error IS NOT NULL;')
FROM bitvelocity.worker_report()
WHERE process IN ('task', 'service') AND last_error IS NOT NULL AND state = 'failed'
ORDER BY kind, name)";

constexpr const char* kStreams = R"(
SELECT 'ERROR', pg_catalog.format('stream %I', stream),
       CASE state WHEN 'needs_resync' THEN 'changes are missing: ' || last_error
                  ELSE last_error || ': it publishes nothing here' END,
       hint
FROM bitvelocity.stream_status
WHERE state IN ('needs_resync', 'needs_adoption')
ORDER BY stream)";

constexpr const char* kSlots = R"(
SELECT CASE WHEN r.wal_status = 'lost' THEN 'ERROR' ELSE 'WARNING' END,
       pg_catalog.format('replication slot %I', r.slot_name),
       CASE WHEN r.wal_status = 'lost' THEN 'it lost WAL beyond max_slot_wal_keep_size'
            WHEN r.wal_status = 'unreserved' THEN 'the next checkpoint may remove WAL it needs'
            WHEN s.stream_id IS NULL THEN 'no stream uses it, and it retains WAL'
            ELSE pg_catalog.format('nobody reads it, it retains %s of WAL', pg_catalog.pg_size_pretty(
                     pg_catalog.pg_wal_lsn_diff(w.lsn, r.restart_lsn))) END,
       CASE WHEN r.wal_status = 'lost' AND s.stream_id IS NOT NULL
                THEN pg_catalog.format('SELECT bitvelocity.resync_stream(%L);', s.stream_name)
            WHEN s.stream_id IS NULL
                THEN pg_catalog.format('SELECT pg_drop_replication_slot(%L);', r.slot_name)
            WHEN s.paused THEN pg_catalog.format('SELECT bitvelocity.resume_stream(%L);', s.stream_name)
            ELSE 'SELECT bitvelocity.start_workers();' END
FROM pg_catalog.pg_replication_slots r
LEFT JOIN bitvelocity.stream s ON s.slot_name = r.slot_name
CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                                ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) w
WHERE r.database = pg_catalog.current_database() AND r.slot_name LIKE 'bitvelocity\_%'
  AND (NOT r.active OR r.wal_status IN ('lost', 'unreserved'))
ORDER BY r.slot_name)";

constexpr const char* kRetained = R"(
SELECT 'WARNING', pg_catalog.format('stream %I', t.stream),
       pg_catalog.format('its slot retains %s of WAL, more than its limit of %s%s',
                         pg_catalog.pg_size_pretty(t.retained_bytes), pg_catalog.pg_size_pretty(t.wal_limit_bytes),
                         '; pg_wal is full in ' || pg_catalog.date_trunc('second', t.time_to_full)),
       CASE WHEN s.paused THEN pg_catalog.format('SELECT bitvelocity.resume_stream(%L);', t.stream)
            ELSE pg_catalog.format('SELECT * FROM bitvelocity.stream_status WHERE stream = %L;  -- says why it is behind', t.stream) END
FROM bitvelocity.stream_status t
JOIN bitvelocity.stream s ON s.stream_name = t.stream
WHERE t.retained_bytes > t.wal_limit_bytes
UNION ALL
SELECT 'WARNING', pg_catalog.format('stream %I', t.stream),
       pg_catalog.format('its slot keeps catalogue rows for %s transactions: tables of the system cannot be cleaned up',
                         t.catalog_xmin_age),
       pg_catalog.format('SELECT * FROM bitvelocity.stream_status WHERE stream = %L;  -- says why it is behind', t.stream)
FROM bitvelocity.stream_status t
JOIN bitvelocity.stream s ON s.stream_name = t.stream
WHERE t.catalog_xmin_age > coalesce((s.options ->> 'catalog_xmin_limit')::bigint, 200000000))";

// PostgreSQL refuses an UPDATE or DELETE of a table whose updates are published and that has no
// replica identity; it looks at the partition that the row is in.
constexpr const char* kIdentities = R"(
WITH published AS (
    SELECT DISTINCT coalesce(p.relid, c.oid) AS relation, t.pubname
    FROM pg_catalog.pg_publication_tables t
    JOIN pg_catalog.pg_publication b USING (pubname)
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
    LEFT JOIN LATERAL (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid) WHERE isleaf) p
        ON c.relkind = 'p'
    WHERE b.pubupdate OR b.pubdelete)
SELECT 'WARNING', pg_catalog.format('table %s', relation::regclass),
       pg_catalog.format('published by %s without a replica identity: its UPDATE and DELETE fail',
                         pg_catalog.string_agg(pg_catalog.quote_ident(pubname), ', ' ORDER BY pubname)),
       pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY FULL;  -- or give it a primary key', relation::regclass)
FROM published
JOIN pg_catalog.pg_class c ON c.oid = relation
WHERE c.relreplident = 'n'
   OR c.relreplident = 'd' AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
   OR c.relreplident = 'i' AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
GROUP BY relation
ORDER BY relation::regclass::text)";

}  // namespace

void CheckDatabase(Findings& findings, pg::SpiScope& spi) {
    const bool preloaded =
        !spi.Execute(
                "SELECT 1 WHERE pg_catalog.current_setting('bitvelocity.max_streams', true) <> ''")
             .empty();
    findings.AddQuery(spi, kOutdated);
    findings.AddQuery(spi, kClosed);
    if (preloaded && !pg::settings::enabled) {
        findings.Add(kError, "bitvelocity.enabled", "it is off: no worker runs",
                     "ALTER SYSTEM SET bitvelocity.enabled = on; SELECT pg_reload_conf();");
    } else if (preloaded) {
        findings.AddQuery(spi, kWorkers);
    }
    findings.AddQuery(spi, kFailures);
    findings.AddQuery(spi, kStreams);
    findings.AddQuery(spi, kSlots);
    findings.AddQuery(spi, kRetained);
    findings.AddQuery(spi, kIdentities);
    findings.AddQuery(spi, kPartman);
}

}  // namespace bitvelocity::ops
