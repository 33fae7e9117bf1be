#!/usr/bin/env bash
# drain_stream leaves nothing behind in the slot; a restored dump and a cloned database publish nothing until
# adopt_streams says that they are production now.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a
sql -c "CREATE DATABASE one" >/dev/null
export PGDATABASE=one
sql -c "CREATE EXTENSION bitvelocity" -c "CREATE TABLE t (id int PRIMARY KEY, v text)" -c "INSERT INTO t SELECT i, 'existed' FROM generate_series(1, 100) i" \
    -c "SELECT bitvelocity.create_bronze('t')" -c "SELECT bitvelocity.create_stream('m', ARRAY['t']::regclass[], sink => 'memory')" >/dev/null
check "the streams start" eval 'synced bronze one && synced m one'

# Drain
sql -c "INSERT INTO t SELECT i, 'new' FROM generate_series(101, 5000) i"
lsn=$(sql -c "SELECT pg_current_wal_lsn()")
drained=$(sql -c "SELECT bitvelocity.drain_stream('bronze')")
is "drain_stream returns the slot's position, behind everything committed before" \
    "$(sql -c "SELECT '$drained'::pg_lsn >= '$lsn'::pg_lsn AND '$drained' = confirmed_flush_lsn FROM bitvelocity.stream_status WHERE stream = 'bronze'")" t
is "the stream rests" "$(sql -c "SELECT state, pid IS NULL FROM bitvelocity.stream_status WHERE stream = 'bronze'")" "paused|t"
is "everything is in the sink" "$(sql -c "SELECT count(*) FROM bronze_t")" 5000
slot=$(sql -c "SELECT slot_name FROM bitvelocity.stream WHERE stream_name = 'bronze'")
is "the slot has nothing left" \
    "$(sql -c "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('$slot', NULL, NULL, 'proto_version', '1', 'publication_names', 'bitvelocity_bronze')")" 0
check "a paused stream is not drained" refused "SELECT bitvelocity.drain_stream('bronze')" 55000 "is paused"
"$BV_SERVER" restart "$BV_TMP/a" fast
is "after a restart the position is the same" "$(sql -c "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '$slot'")" "$drained"
sql -c "SELECT bitvelocity.resume_stream('bronze')" -c "INSERT INTO t VALUES (6000, 'after')" >/dev/null
eventually "and it goes on" synced bronze one
is "without a gap or a repetition" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_t")" "5001|5001"
# A sink that does not move
psql -XAtq -c "BEGIN; LOCK TABLE bronze_t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)" >/dev/null 2>&1 &
eventually "somebody locks the bronze table" \
    eval '[ "$(sql -c "SELECT count(*) FROM pg_locks WHERE relation = '"'bronze_t'"'::regclass AND mode = '"'AccessExclusiveLock'"' AND granted")" = 1 ]'
sql -c "INSERT INTO t VALUES (6001, 'held')"
check "what cannot be delivered in time is an error with the lag" refused "SELECT bitvelocity.drain_stream('bronze', '1 s')" 55000 "bytes of WAL are not yet durable"
is "and the stream is not paused" "$(sql -c "SELECT paused FROM bitvelocity.stream WHERE stream_name = 'bronze'")" f
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()" >/dev/null
eventually "it goes on after the lock" synced bronze one
check "inside a transaction that wrote it refuses" refused "BEGIN; CREATE TEMP TABLE x (); SELECT bitvelocity.drain_stream('bronze')" 55000 "drain_stream cannot run"

# A dump, restored elsewhere
pg_dump -Fc one >"$BV_TMP/one.dump"
chmod 644 "$BV_TMP/one.dump"
server b
export PGDATABASE=one
psql -XAtq -d postgres -c "CREATE DATABASE one"
pg_restore -d one "$BV_TMP/one.dump" 2>"$BV_TMP/restore.log"
eventually "the restored database gets its scheduler" eval '[ "$(sql -c "SELECT count(*) FROM bitvelocity.worker_status WHERE process = '"'scheduler'"' AND pid IS NOT NULL")" = 1 ]'
is "its streams need adoption, with reason and hint" "$(sql -c "SELECT DISTINCT state, last_error, hint FROM bitvelocity.stream_status")" \
    "needs_adoption|the definition came from another cluster or database|SELECT bitvelocity.adopt_streams();  -- only if this is production now"
is "check_setup() says so" "$(sql -c "SELECT count(*) FROM bitvelocity.check_setup() WHERE object IN ('stream m', 'stream bronze') AND fix LIKE '%adopt_streams%'")" 2
is "no slot was made" "$(sql -c "SELECT count(*) FROM pg_replication_slots")" 0
check "wait_for_stream refuses" refused "SELECT bitvelocity.wait_for_stream('m')" 55000 "adopt_streams"
check "resync_stream refuses" refused "SELECT bitvelocity.resync_stream('m')" 55000 "adopt_streams"
is "adopt_streams adopts both" "$(sql -c "SELECT bitvelocity.adopt_streams()")" 2
eventually "they stream" eval 'synced bronze one && synced m one'
is "with the next epoch and every row" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_t WHERE source_epoch = 2 AND operation_type = 'READ'")" "5002|5002"
sql -c "INSERT INTO t VALUES (7000, 'here')"
check "changes flow" synced bronze one
is "and arrive" "$(sql -c "SELECT raw_payload->>'v', source_epoch FROM bronze_t ORDER BY sequence DESC LIMIT 1")" "here|2"
is "a second call has nothing to do" "$(sql -c "SELECT bitvelocity.adopt_streams()")" 0

# Restored over itself: the same server, the same database
use a
export PGDATABASE=one
sql -c "SELECT bitvelocity.drain_stream('m')" >/dev/null
psql -XAtq -d postgres -c "CREATE DATABASE clone TEMPLATE one"
is "a clone of the database needs adoption" "$(sql -d clone -c "SELECT DISTINCT state FROM bitvelocity.stream_status")" needs_adoption
pg_restore --clean --if-exists -d one "$BV_TMP/one.dump" 2>>"$BV_TMP/restore.log"
is "so does a database that was restored over itself" "$(sql -c "SELECT DISTINCT state FROM bitvelocity.stream_status")" needs_adoption
eventually "its old slots are dropped" eval '[ "$(sql -c "SELECT count(*) FROM pg_replication_slots WHERE database = '"'one'"'")" = 0 ]'
is "without the existing rows adoption goes on from now" "$(sql -c "SELECT bitvelocity.adopt_streams(existing_rows => false)")" 2
eventually "they stream again" eval 'synced bronze one && synced m one'
sql -c "INSERT INTO t VALUES (8000, 'again')"
check "changes flow again" synced bronze one
is "no row was read again" "$(sql -c "SELECT count(*) FROM bronze_t WHERE source_epoch = 2 AND operation_type = 'READ'")" 0
is "the change is there" "$(sql -c "SELECT raw_payload->>'v', source_epoch FROM bronze_t ORDER BY sequence DESC LIMIT 1")" "again|2"
finish
