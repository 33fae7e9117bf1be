#!/usr/bin/env bash
# wal_policy throttle: existing rows wait while the slot retains more than wal_limit; changes, and the slot's position, go
# on, so reading goes on by itself.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_wal_size=4GB checkpoint_timeout=1h bitvelocity.log_interval=86400
sql >/dev/null <<'SQL'
CREATE EXTENSION bitvelocity;
CREATE TABLE other (id int, v text);
CREATE TABLE first (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 200) i;
SELECT bitvelocity.create_bronze('first');
SQL
check "the stream starts" synced
status() { sql -c "SELECT $1 FROM bitvelocity.stream_status WHERE stream = 'bronze'"; }
status_is() { [ "$(status "$1")" = "${2:-t}" ]; }
option() { sql -c "SELECT bitvelocity.alter_stream('bronze', options => '$1')" >/dev/null; }
rows() { sql -c "SELECT count(*) FROM bronze_t WHERE operation_type = '$1'${2:-}"; }
rows_are() { [ "$(rows "$1")" = "$2" ]; }
done_all() { [ "$(sql -c "SELECT count(*) FROM bitvelocity.stream_snapshot WHERE finished_at IS NULL")" = 0 ]; }
throttled() { [ "$(sql -c "SELECT throttled FROM bitvelocity.stream_activity()")" = "$1" ]; }
warned() { grep -c 'WARNING: .*bitvelocity stream "bronze" retains .* of WAL, more than its limit of' "$BV_TMP/a/server.log"; }

check "an unknown policy is refused" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"wal_policy\": \"throtle\"}')" 22023 'HINT:  Perhaps you meant "throttle"'

# A slot always retains more than one byte: nothing is read, however long
option '{"wal_limit": 1, "wal_policy": "throttle"}'
eventually "the guard sees that too much is retained" throttled t
sql -c "SELECT bitvelocity.create_bronze('t')" >/dev/null
eventually "existing rows wait" status_is "state = 'snapshot' AND hint LIKE 'existing rows wait until the slot retains less WAL than wal_limit%'"
is "the progress says so" "$(status snapshot_progress | sed 's/about [0-9]*/about N/')" \
    "0 % of about N rows, 0 rows/s, waits: more WAL than wal_limit is retained, now t"
is "it is said in the log, once" "$(warned)" 1
check "with what it means" grep -q "DETAIL: .*Existing rows are not read until less is retained" "$BV_TMP/a/server.log"
before=$(status restart_lsn)
sql -c "INSERT INTO t VALUES (1001, 'new'); UPDATE t SET v = 'changed' WHERE id = 1; DELETE FROM t WHERE id = 2"
lsn=$(sql -c "SELECT pg_current_wal_lsn()")
eventually "changes are delivered meanwhile" rows_are DELETE 1
eventually "and confirmed to the slot" status_is "confirmed_flush_lsn >= '$lsn'"
sql -c CHECKPOINT
eventually "what the slot retains moves on" status_is "restart_lsn > '$before' AND restart_lsn >= '$lsn'"
is "no existing row was read" "$(rows READ)" 0
is "nor did anything fail" "$(status "last_error IS NULL AND hint LIKE 'existing rows wait%'")" t
option '{"wal_limit": 1, "wal_policy": "warn"}'
check "another policy lets it read" synced
check "every row is there" same_state t
is "each existing row came once" "$(rows READ)" 200

# Paused in the middle of a table. The background writer says now and then which transactions run, which is what moves a
# slot; while it stands still, so does what is retained.
option '{"wal_limit": "2MB", "wal_policy": "throttle", "snapshot.chunk_rows": 10}'
sql -c "INSERT INTO t SELECT i, 'v' || i FROM generate_series(2001, 22000) i" -c CHECKPOINT
check "the changes arrive" synced
eventually "little is retained" throttled f
before=$(sql -c "SELECT max(sequence) FROM bronze_t")
writer=$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")
kill -STOP "$writer"
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['t']::regclass[])" >/dev/null
eventually "rows are read" eval '[ "$(rows READ " AND sequence > $before")" -gt 0 ]'
# Reading waits for the lock, so that the guard has time to look.
mkfifo "$BV_TMP/lock"
psql -XAtq <"$BV_TMP/lock" >"$BV_TMP/lock.out" 2>&1 &
exec {lock}>"$BV_TMP/lock"
echo "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT 'locked';" >&"$lock"
eventually "somebody has the table" grep -q locked "$BV_TMP/lock.out"
sql -c "INSERT INTO other SELECT i, repeat('x', 1000) FROM generate_series(1, 8000) i"
eventually "the rest waits" status_is "state = 'snapshot' AND hint LIKE 'existing rows wait%'"
echo "COMMIT; SELECT 'released';" >&"$lock"
eventually "the table is free" grep -q released "$BV_TMP/lock.out"
exec {lock}>&-
read=$(rows READ " AND sequence > $before")
is "a part of it was read" "$((read > 0 && read < 20199))" 1
for id in 30001 30002 30003; do
    sql -c "INSERT INTO t VALUES ($id, 'new')"
    eventually "a change is delivered" eval '[ "$(rows INSERT " AND raw_payload->>'"'id' = '$id'"'")" = 1 ]'
done
is "and no more was read" "$(rows READ " AND sequence > $before")" "$read"
is "it still waits" "$(status "hint LIKE 'existing rows wait%'")" t
kill -CONT "$writer"
eventually "it goes on by itself when the slot has moved" done_all
check "the last event of every key is its row" same_state t
is "no existing row came twice" "$(sql -c "SELECT count(*) = count(DISTINCT raw_payload->>'id') FROM bronze_t WHERE operation_type = 'READ' AND sequence > $before")" t
eventually "the stream runs" status_is state streaming
is "without anything to say" "$(status "hint IS NULL AND snapshot_progress IS NULL")" t
is "there was one warning" "$(warned)" 1

# Into another sink, whose chunks are saved when it has them; stopped while it waits
sql -c "SELECT bitvelocity.create_stream('m', ARRAY['t']::regclass[], sink => 'memory', snapshot => false, options => '{\"wal_limit\": 1, \"wal_policy\": \"throttle\"}')" >/dev/null
check "a stream into memory starts" synced m
waits() { [ "$(sql -c "SELECT state = 'snapshot' AND hint LIKE 'existing rows wait%' FROM bitvelocity.stream_status WHERE stream = 'm'")" = t ]; }
eventually "the guard sees it" eval '[ "$(sql -c "SELECT throttled FROM bitvelocity.stream_activity() JOIN bitvelocity.stream USING (stream_id) WHERE stream_name = '"'m'"'")" = t ]'
sql -c "SELECT bitvelocity.snapshot_stream('m')" >/dev/null
eventually "its rows wait" waits
sql -c "SELECT bitvelocity.pause_stream('m')" >/dev/null
eventually "it can be paused meanwhile" state_is paused m
sql -c "SELECT bitvelocity.resume_stream('m')" >/dev/null
eventually "resumed, they wait again" waits
is "none was read" "$(sql -c "SELECT sum(rows_read) FROM bitvelocity.stream_snapshot WHERE finished_at IS NULL")" 0
sql -c "SELECT bitvelocity.alter_stream('m', options => '{\"wal_limit\": \"1GB\", \"wal_policy\": \"throttle\"}')" >/dev/null
eventually "with room they are read" done_all
eventually "and the stream runs" state_is streaming m
finish
