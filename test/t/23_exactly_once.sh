#!/usr/bin/env bash
# Writers go on while processes are killed and the server stops in every way: afterwards bronze holds every
# change once, in the order of commits.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a restart_after_crash=on
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
sql >/dev/null <<'SQL'
CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL, writer int NOT NULL);
CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, counter int NOT NULL, n bigint NOT NULL);
INSERT INTO counter SELECT i, 0, 0 FROM generate_series(1, 40) i;
SELECT bitvelocity.create_bronze('counter'), bitvelocity.create_bronze('journal');
SQL
check "the stream starts" synced

# Each writer raises counters and writes every new value into the journal, until told to end.
cat >"$BV_TMP/script.sql" <<'SQL'
\set key random(1, 40)
BEGIN;
UPDATE counter SET n = n + 1, writer = :client_id WHERE id = :key;
INSERT INTO journal (counter, n) SELECT id, n FROM counter WHERE id = :key;
COMMIT;
SQL
write_until_told() {
    until [ -e "$BV_TMP/enough" ]; do
        pgbench -n -f "$BV_TMP/script.sql" -c 3 -T 2 -R 1500 postgres >/dev/null 2>&1 || sleep 0.2
    done
}
write_until_told &
writers=$!
journal() { sql -c "SELECT max(id) FROM journal" 2>/dev/null; }
# So that what was broken was also used again.
more_is_written() {
    local before now deadline=$((SECONDS + 60))
    until before=$(journal) && [ -n "$before" ]; do sleep 0.1; done
    until now=$(journal) && [ "${now:-0}" -gt $((before + 100)) ]; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}
arrives() {
    local target
    target=$(journal) && [ "$(sql -c "SELECT max((raw_payload->>'id')::bigint) >= $target FROM bronze_journal" 2>/dev/null)" = t ]
}
survive() {
    check "$1: writers go on" more_is_written
    eventually "$1: their changes arrive" arrives
}
server_runs() { sql -c "SELECT 1"; }

survive "at first"
for role in decoder deliverer; do
    sql -c "SELECT pg_terminate_backend($(pids $role))" >/dev/null
    survive "pg_terminate_backend of the $role"
done
for role in decoder deliverer; do
    kill -9 "$(pids $role)"
    eventually "the server recovers from kill -9 of the $role" server_runs
    survive "kill -9 of the $role"
done
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused" state_is paused
check "writers go on while paused" more_is_written
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
survive "pause and resume"
for mode in fast immediate; do
    began=$SECONDS
    "$BV_SERVER" stop "$BV_TMP/a" $mode
    check "pg_ctl stop -m $mode takes less than 10 s" test $((SECONDS - began)) -lt 10
    "$BV_SERVER" restart "$BV_TMP/a" $mode
    survive "stop -m $mode and start"
done
: >"$BV_TMP/enough"
wait $writers

# A backlog, with large transactions in it, while what reads it is stopped again and again
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused before the backlog" state_is paused
for rows in 1 60000 2000 60000 10; do
    sql -c "INSERT INTO journal (counter, n) SELECT 1 + i % 40, -i FROM generate_series(1, $rows) i"
done
cat >"$BV_TMP/small.sql" <<'SQL'
INSERT INTO journal (counter, n) VALUES (1, -1);
SQL
pgbench -n -f "$BV_TMP/small.sql" -c 2 -t 4000 postgres >/dev/null 2>&1
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
is_busy() { [ "$(sql -c "SELECT rows > $1 FROM bitvelocity.stream_activity()" 2>/dev/null)" = t ]; }
# A life that began late in the backlog may have fewer rows left; then it is stopped at the end.
is_far() { is_busy "$1" || arrives; }
for rows in 0 30000 61000 90000; do
    for role in decoder deliverer; do
        eventually "more than $rows rows into the backlog, or at its end" is_far $rows
        if [ $rows = 30000 ]; then
            kill -9 "$(pids $role)"
        else
            sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bitvelocity $role'" >/dev/null
        fi
    done
done
eventually "everything arrives" synced

echo "# $(sql -c "SELECT count(*) FROM bronze_journal") events of the journal"
check "the last events of counter are its rows" same_state counter
check "the last events of journal are its rows" same_state journal
is "one event for every row of the journal" \
    "$(sql -c "SELECT count(*) = (SELECT count(*) FROM journal), count(*) = count(DISTINCT raw_payload->>'id')
               FROM bronze_journal WHERE operation_type IN ('INSERT', 'READ')")" 't|t'
is "one event for every value of a counter, in order" \
    "$(sql -c "SELECT count(*) = (SELECT sum(n) FROM counter), bool_and(n = before + 1) FROM (
                   SELECT operation_type, (raw_payload->>'n')::bigint AS n,
                          lag((raw_payload->>'n')::bigint, 1, 0::bigint)
                              OVER (PARTITION BY raw_payload->>'id' ORDER BY sequence) AS before
                   FROM bronze_counter) e WHERE operation_type = 'UPDATE'")" 't|t'
for table in counter journal; do
    is "event_id and identity are unique in bronze_$table" \
        "$(sql -c "SELECT count(*) = count(DISTINCT event_id), count(*) = count(DISTINCT (commit_lsn, ordinal, part))
                   FROM bronze_$table")" 't|t'
    is "sequence order is commit order in bronze_$table" \
        "$(sql -c "SELECT count(*) FROM (SELECT commit_lsn, lag(commit_lsn) OVER (ORDER BY sequence) AS before
                   FROM bronze_$table WHERE operation_type <> 'READ') e WHERE before > commit_lsn")" 0
done

# A clean restart delivers nothing twice, and nothing at all: not even to be thrown away
rows=$(sql -c "SELECT count(*) FROM bronze_journal")
"$BV_SERVER" restart "$BV_TMP/a" fast
eventually "the stream is back" synced
is "a clean restart reads nothing again" \
    "$(sql -c "SELECT count(*) FROM bronze_journal") $(sql -c "SELECT rows FROM bitvelocity.stream_activity()")" "$rows 0"

# Rows of the workers are visible to everybody that begins after their commit: readers scan while the
# transactions of the deliverer are open.
sql >/dev/null <<'SQL'
CREATE FUNCTION seen() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM bronze_journal';
SQL
read_until_told() {
    until [ -e "$BV_TMP/read" ]; do
        sql -c "SELECT seen()" -c "VACUUM (INDEX_CLEANUP OFF) bronze_journal" >/dev/null
    done
}
read_until_told &
reader=$!
coproc HELD { psql -XAtq 2>&1; }
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT seen();" >&"${HELD[1]}"
read -r held_before <&"${HELD[0]}"
for _ in 1 2 3 4 5; do
    sql -c "INSERT INTO journal (counter, n) SELECT 1, -i FROM generate_series(1, 8000) i"
done
eventually "a large batch arrives while readers scan" synced
echo "SELECT seen(); COMMIT; SELECT seen(); \\q" >&"${HELD[1]}"
read -r held_after <&"${HELD[0]}"
read -r fresh <&"${HELD[0]}"
: >"$BV_TMP/read"
wait $reader
is "a transaction that was open meanwhile sees what it saw" "$held_after" "$held_before"
is "afterwards it sees every row" "$fresh" $((rows + 40000))
is "everybody sees every row" "$(sql -c "SELECT seen()")" $((rows + 40000))
is "a sequential scan and an index agree" \
    "$(sql -c "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM bronze_journal WHERE sequence > 0" \
        -c "SET enable_seqscan = off; SET enable_indexonlyscan = on; SELECT count(*) FROM bronze_journal WHERE sequence > 0" | uniq)" $((rows + 40000))
finish
