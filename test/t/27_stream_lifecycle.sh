#!/usr/bin/env bash
# A running stream and what its tables and its settings go through: bronze dropped, source dropped, missing keys,
# settings reloaded, an old transaction that holds up the start.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a
sql -c "CREATE EXTENSION bitvelocity" >/dev/null

# Keys
sql >/dev/null <<'SQL'
CREATE TABLE keyless (v text);
CREATE TABLE nothing (id int PRIMARY KEY);
ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE TABLE appended (v text);
CREATE TABLE parted (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
CREATE TABLE t (id int PRIMARY KEY, v text);
SQL
for table in keyless nothing parted; do
    check "$table: refused with the ways out" refused "SELECT bitvelocity.create_bronze('$table')" 55000 "HINT:.*'full'.*'insert_only'"
done
check "a refusal leaves no publication" test "$(sql -c "SELECT count(*) FROM pg_publication")" = 0
sql -c "SELECT bitvelocity.create_bronze('keyless', on_missing_key => 'full'), bitvelocity.create_bronze('nothing', on_missing_key => 'full'),
    bitvelocity.create_bronze('parted', on_missing_key => 'full'), bitvelocity.create_bronze('appended', on_missing_key => 'insert_only'),
    bitvelocity.create_bronze('t')" >/dev/null
check "the stream starts" synced
is "'full' sets the identity where it is missing" \
    "$(sql -c "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class WHERE relname IN ('keyless', 'nothing', 'parted_1', 'appended')")" \
    'appended d, keyless f, nothing f, parted_1 f'
check "every statement of the users still works" sql -c "INSERT INTO keyless VALUES ('a'), ('b')" -c "UPDATE keyless SET v = 'c' WHERE v = 'a'" -c "DELETE FROM keyless WHERE v = 'b'" \
    -c "INSERT INTO appended VALUES ('a')" -c "UPDATE appended SET v = 'b'" -c "DELETE FROM appended" \
    -c "INSERT INTO parted VALUES (1, 'a')" -c "UPDATE parted SET v = 'b'"
synced
events() { sql -c "SELECT concat_ws(' ', operation_type, raw_payload->>'v', before_payload->>'v') FROM $1 ORDER BY sequence"; }
is "without a key: the whole row before" "$(events bronze_keyless)" 'INSERT a
INSERT b
UPDATE c a
DELETE b'
is "insert_only: inserts only" "$(events bronze_appended)" 'INSERT a'
is "a partition's missing key" "$(events bronze_parted)" 'INSERT a
UPDATE b a'

# A bronze table that is dropped stops its stream with a reason, and nothing is lost
sql -c "DROP TABLE bronze_t"
sql -c "INSERT INTO t VALUES (1, 'x')" -c "INSERT INTO keyless VALUES ('later')"
failing() { [ "$(sql -c "SELECT last_error IS NOT NULL FROM bitvelocity.stream_status")" = t ]; }
eventually "a dropped bronze table is an error of the stream" failing
is "with a way out" "$(sql -c "SELECT last_error, hint LIKE '%drop_tables%' FROM bitvelocity.stream_status")" "the bronze table of public.t is gone|t"
# At once: a process that starts in between, without the table, would pass over its change.
sql -1 -c "SELECT bitvelocity.alter_stream('bronze', drop_tables => ARRAY['t']::regclass[])" -c "SELECT bitvelocity.create_bronze('t')" >/dev/null
eventually "made anew it goes on" synced
is "with what came meanwhile" "$(events bronze_keyless | tail -n 1)" 'INSERT later'
is "as it came, and as a row that exists" "$(events bronze_t)" 'INSERT x
READ x'

# A source that is dropped leaves its bronze table, and the others go on
sql -c "INSERT INTO appended VALUES ('last')" -c "DROP TABLE appended" -c "INSERT INTO t VALUES (2, 'y')"
check "a dropped source does not stop the others" synced
is "its last rows are there" "$(events bronze_appended | tail -n 1)" 'INSERT last'

# Settings
before=$(pids decoder)
sql -c "ALTER SYSTEM SET bitvelocity.log_interval = '5s'" -c "SELECT pg_reload_conf()" >/dev/null
sql -c "INSERT INTO t VALUES (3, 'z')"
check "a reload leaves the stream running" synced
is "in the same process" "$(pids decoder)" "$before"
sql -c "SET synchronous_commit = off" -c "INSERT INTO t VALUES (4, 'asynchronous')"
check "an asynchronous commit arrives" synced
is "in bronze" "$(sql -c "SELECT raw_payload->>'v' FROM bronze_t ORDER BY sequence DESC LIMIT 1")" asynchronous
check "in a transaction that has written wait_for_stream refuses" refused "BEGIN; INSERT INTO t VALUES (5); SELECT bitvelocity.wait_for_stream('bronze')" 55000 "HINT:  COMMIT first"
is "a wait has an end" "$(sql -c "SELECT bitvelocity.wait_for_stream('bronze', pg_current_wal_lsn() + 1000000000, '100 ms')")" f
check "an unknown stream is an error" refused "SELECT bitvelocity.wait_for_stream('missing')" 42704 "stream_status lists"

# An idle stream retains no WAL and writes none
idle_confirms() {
    sql -c "SELECT pg_logical_emit_message(false, 'x', repeat('x', 100000))" >/dev/null
    local end
    end=$(sql -c "SELECT pg_current_wal_lsn()")
    synced
    [ "$(sql -c "SELECT confirmed_flush_lsn >= '$end'::pg_lsn - 200000 FROM pg_replication_slots")" = t ]
}
eventually "the slot moves on though nobody writes to the tables" idle_confirms
writes_no_wal() {
    local start
    start=$(sql -c "SELECT pg_current_wal_insert_lsn()")
    for _ in 1 2 3 4 5 6 7 8; do
        synced
    done
    [ "$(sql -c "SELECT pg_current_wal_insert_lsn()")" = "$start" ]
}
eventually "an idle stream writes no WAL" writes_no_wal

# Rolled back definitions
slots() { sql -c "SELECT count(*) FROM pg_replication_slots"; }
sql -c "BEGIN; SELECT bitvelocity.create_stream('rolled_back', ARRAY['t']::regclass[], sink => 'memory'); ROLLBACK" \
    -c "BEGIN; SELECT bitvelocity.drop_stream('bronze'); ROLLBACK" \
    -c "BEGIN; SELECT bitvelocity.pause_stream('bronze'); ROLLBACK" >/dev/null
sql -c "INSERT INTO t VALUES (6, 'after rollbacks')"
check "verbs that were rolled back change nothing" synced
is "one slot, one stream" "$(slots) $(sql -c "SELECT count(*) FROM bitvelocity.stream")" "1 1"
is "no ERROR of the workers but the dropped table's" "$(grep -E '(ERROR|FATAL|PANIC):' "$BV_TMP/a/server.log" | grep 'bitvelocity ' | grep -vc 'bronze')" 0
finish
