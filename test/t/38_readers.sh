#!/usr/bin/env bash
# Existing rows read by processes of their own (snapshot.readers): several tables at once and one chunk ahead, hammered by
# writers; readers that end, crashes, no worker slots, stops, DROP DATABASE.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_worker_processes=20
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
done_all() { [ "$(sql -c "SELECT count(*) FROM bitvelocity.stream_snapshot WHERE finished_at IS NULL")" = 0 ]; }
readers() { sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'bitvelocity reader'"; }
readers_are() { [ "$(readers)" = "$1" ]; }
end_readers() { sql -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'bitvelocity reader'"; }
log_has() { grep -q "$1" "$BV_TMP/${2:-a}/server.log"; }

# 1. Four tables, one without a key, one with large values, read again and again while they are written
sql >/dev/null <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, v text);
INSERT INTO t SELECT i, 0, md5(i::text) FROM generate_series(1, 2000) i;
CREATE TABLE u (id text PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO u SELECT 'k' || i, 0 FROM generate_series(1, 2000) i;
CREATE TABLE large (id int PRIMARY KEY, n int, v text);
ALTER TABLE large ALTER v SET STORAGE EXTERNAL;
INSERT INTO large SELECT i, 0, repeat(md5(i::text), 100) FROM generate_series(1, 400) i;
CREATE TABLE k (id int, n int, v text);
INSERT INTO k SELECT i, 0, 'v' || i FROM generate_series(1, 2000) i;
SELECT bitvelocity.create_bronze('t'), bitvelocity.create_bronze('u'), bitvelocity.create_bronze('large'), bitvelocity.create_bronze('k', on_missing_key => 'full');
SELECT bitvelocity.alter_stream('bronze', options => '{"snapshot.chunk_rows": 10, "snapshot.readers": 3}');
SQL
check "the number of readers is checked" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"snapshot.readers\": 9}')" 22023 "from 1 to 8"
cat >"$BV_TMP/script.sql" <<'SQL'
\set key random(1, 2100)
\set old random(1, 2100)
\set new random(-2100, -1)
\set k random(1, 400)
BEGIN;
INSERT INTO t VALUES (:key, 0) ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
SAVEPOINT s;
UPDATE t SET n = n + 100 WHERE id = :old;
ROLLBACK TO s;
DELETE FROM t WHERE id = :old;
UPDATE t SET id = :new, n = n + 1 WHERE id = :key AND NOT EXISTS (SELECT FROM t WHERE id = :new);
INSERT INTO u VALUES ('k' || :key, 0) ON CONFLICT (id) DO UPDATE SET n = u.n + 1;
UPDATE large SET n = n + 1 WHERE id = :k;
END;
UPDATE k SET n = n + 1 WHERE id = :key;
DELETE FROM u WHERE id = 'k' || :old;
UPDATE u SET id = 'm' || :new WHERE id = 'k' || :k AND NOT EXISTS (SELECT FROM u WHERE id = 'm' || :new);
SQL
write() {
    while [ ! -e "$BV_TMP/enough" ]; do
        pgbench -n -f "$BV_TMP/script.sql" -c 3 -T 1 -R 200 "${1:-postgres}" >/dev/null 2>&1 || sleep 0.1
    done
}
write &
writer=$!
check "the first load is waited for while it is written" synced
most=0
for round in $(seq "${ROUNDS:-6}"); do
    sql -c "SELECT bitvelocity.snapshot_stream('bronze')" >/dev/null
    while ! done_all && [ "$round" = 1 ]; do
        now=$(readers)
        [ "$now" -le "$most" ] || most=$now
    done
    if [ "$((round % 2))" = 0 ]; then
        for _ in 1 2 3; do
            eventually "round $round: there are readers" eval '[ "$(readers)" -gt 0 ] || done_all'
            end_readers >/dev/null
        done
    fi
    eventually "round $round: every row is read again" done_all
done
is "three readers read at once" "$most" 3
eventually "they end with the last row" readers_are 0
is "nothing failed, whoever ended" "$(sql -c "SELECT last_error FROM bitvelocity.stream_status")" ""

# 2. Killed in the middle: the server starts again, and the snapshot goes on
for place in "reader_chunk_read kill" "reader_chunk_read error" "deliverer_chunk_read kill" "deliverer_watermarked kill" \
    "deliverer_watermarked error" "deliverer_copied kill" "deliverer_chunk_saved kill"; do
    echo "$place 20" >"$BV_TMP/a/data/bitvelocity.failpoint"
    sql -c "SELECT pg_reload_conf()" >/dev/null
    eventually "$place: a snapshot is asked for" sql -c "SELECT bitvelocity.snapshot_stream('bronze')"
    hit_it() { [ ! -e "$BV_TMP/a/data/bitvelocity.failpoint" ]; }
    eventually "$place: hit" hit_it
    eventually "$place: goes on" done_all
done
: >"$BV_TMP/enough"
wait $writer
rm "$BV_TMP/enough"
check "everything arrives" synced
check "the last event of every key is its row" same_state t
check "so it is with a text for a key" same_state u
is "every key has its newest values, unchanged large ones from before" "$(sql -c "
    WITH folded AS (SELECT raw_payload->>'id' AS key, bitvelocity.fold_payload(raw_payload, operation_type = 'READ' ORDER BY sequence) AS row FROM bronze_large GROUP BY 1)
    SELECT count(*), count(*) FILTER (WHERE f.row = to_jsonb(l)) FROM folded f JOIN large l ON l.id::text = f.key")" "400|400"
is "identities are unique" "$(sql -c "SELECT count(*) = count(DISTINCT event_id) FROM bronze_t")" t
is "positions are in the order of sequence" "$(sql -c "SELECT count(*) FROM (SELECT (commit_lsn, ordinal, part) < lag((commit_lsn, ordinal, part)) OVER (ORDER BY sequence) AS back FROM bronze_t) x WHERE back")" 0
# Nobody writes now: exactly the rows of the table, also without a key, which is the end of all its doubts.
for table in t u large k; do
    before=$(sql -c "SELECT max(sequence) FROM bronze_$table")
    sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['$table']::regclass[])" >/dev/null
    eventually "$table alone is read" done_all
    empty "$table: every row once" sql -c "
        WITH r AS (SELECT raw_payload AS row FROM bronze_$table WHERE sequence > $before AND operation_type = 'READ'), s AS (SELECT to_jsonb(x) AS row FROM $table x)
        (SELECT row FROM r EXCEPT ALL SELECT row FROM s) UNION ALL (SELECT row FROM s EXCEPT ALL SELECT row FROM r) LIMIT 5"
done

# 3. A condition that fails, a table that goes
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['t']::regclass[], '1 / (CASE WHEN id < 700 THEN 1 ELSE 0 END) = 1')" \
    -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['u']::regclass[])" >/dev/null
eventually "a condition that fails ends its snapshot" done_all
is "that one alone" "$(sql -c "SELECT string_agg(coalesce(error, 'none'), ', ' ORDER BY snapshot_id) FROM (SELECT * FROM bitvelocity.stream_snapshot ORDER BY snapshot_id DESC LIMIT 2) s")" "division by zero, none"
check "and not the stream" synced
sql -c "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.02); RETURN true; END'"
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['t', 'large', 'u']::regclass[], 'public.slow(n)')" >/dev/null
eventually "a slow one is read" readers_are 3
before=$SECONDS
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused in the middle" state_is paused
is "its readers have gone" "$(readers)" 0
check "soon" [ $((SECONDS - before)) -le 8 ]
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
eventually "resumed, it is read on" readers_are 3
before=$SECONDS
"$BV_SERVER" stop "$BV_TMP/a" fast
check "a fast shutdown is fast in the middle" [ $((SECONDS - before)) -le 8 ]
"$BV_SERVER" start "$BV_TMP/a" 5432 fsync=off max_worker_processes=20
eventually "started again, it is read on" readers_are 3
sql -c "CREATE OR REPLACE FUNCTION slow(int) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
eventually "to its end" done_all
check "it runs" synced
sql -c "SELECT bitvelocity.snapshot_stream('bronze')" -c "SELECT bitvelocity.alter_stream('bronze', drop_tables => ARRAY['large']::regclass[])" -c "DROP TABLE k" >/dev/null
eventually "tables that go meanwhile do not hold it up" done_all
check "it runs" synced

# 4. Large values that a hanging update leaves alone: of two chunks together, more than one chunk holds, are read again
sql >/dev/null <<'SQL'
CREATE TABLE huge (id int PRIMARY KEY, n int, v text);
ALTER TABLE huge ALTER v SET STORAGE EXTERNAL;
INSERT INTO huge SELECT i, 0, repeat(md5(i::text), 32768) FROM generate_series(1, 20) i;
SELECT bitvelocity.create_bronze('huge');
SQL
check "a table of large values" synced
before=$(sql -c "SELECT max(sequence) FROM bronze_huge")
mkfifo "$BV_TMP/early"
psql -XAtq <"$BV_TMP/early" >"$BV_TMP/early.out" 2>&1 &
exec {early}>"$BV_TMP/early"
echo "BEGIN; SELECT pg_current_xact_id(); SELECT 'begun';" >&"$early"
eventually "a transaction is open" grep -q begun "$BV_TMP/early.out"
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['huge']::regclass[])" >/dev/null
eventually "the snapshot waits for it" state_is snapshot
sql -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" >/dev/null
eventually "commits wait for a standby" eval '[ "$(sql -c "SHOW synchronous_standby_names")" = nobody ]'
sql -c "UPDATE huge SET n = 1" >/dev/null 2>&1 &
hung=$!
huge_delivered() { [ "$(sql -c "SELECT count(*) FROM bronze_huge WHERE operation_type = 'UPDATE'")" = 20 ]; }
eventually "a hanging update is delivered" huge_delivered
echo "ROLLBACK;" >&"$early"
exec {early}>&-
huge_read() { [ "$(sql -c "SELECT snapshot_progress !~ '^0 %' FROM bitvelocity.stream_status")" = t ]; }
eventually "two chunks are read" huge_read
is "and not sent" "$(sql -c "SELECT count(*) FROM bronze_huge WHERE sequence > $before AND operation_type = 'READ'")" 0
sql -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
wait "$hung"
eventually "they are read again" done_all
is "every one of them" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id'), bool_and(length(raw_payload->>'v') = 1048576) FROM bronze_huge WHERE sequence > $before AND operation_type = 'READ'")" "20|20|t"

# 5. DROP DATABASE while readers read
sql -c "CREATE DATABASE other" >/dev/null
sql -d other >/dev/null <<'SQL'
CREATE EXTENSION bitvelocity;
CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.02); RETURN true; END';
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY);
INSERT INTO a SELECT generate_series(1, 2000);
INSERT INTO b SELECT generate_series(1, 2000);
SELECT bitvelocity.create_bronze('a'), bitvelocity.create_bronze('b');
SELECT bitvelocity.alter_stream('bronze', options => '{"snapshot.readers": 2}');
SQL
check "another database streams" synced bronze other
sql -d other -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['a', 'b']::regclass[], 'public.slow(id)')" >/dev/null
eventually "it is read" readers_are 2
check "it can be dropped" sql -c "DROP DATABASE other"
is "no reader is left" "$(readers)" 0

# 6. No background worker slots: the deliverer reads, and says so
"$BV_SERVER" stop "$BV_TMP/a" fast
"$BV_SERVER" start "$BV_TMP/a" 5432 fsync=off max_worker_processes=4 max_logical_replication_workers=0 bitvelocity.max_task_workers=1
eventually "the stream runs with few slots" state_is streaming
before=$(sql -c "SELECT max(sequence) FROM bronze_t")
sql -c "SELECT bitvelocity.snapshot_stream('bronze')" >/dev/null
eventually "every row is read" done_all
is "every row once" "$(sql -c "SELECT count(*) = (SELECT count(*) FROM t) FROM bronze_t WHERE sequence > $before")" t
check "the log says who reads" log_has 'bitvelocity stream "bronze" reads existing rows in its deliverer: no background worker slot is free'
is "once" "$(grep -c 'reads existing rows' "$BV_TMP/a/server.log")" 1
check "it runs" synced
finish
