#!/usr/bin/env bash
# Existing rows in chunks while the stream runs: hammered by writers, with commits that are delivered before they are
# visible, killed between all steps; on demand, with a condition, without a key.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_prepared_transactions=5
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
done_all() { [ "$(sql -c "SELECT count(*) FROM bitvelocity.stream_snapshot WHERE finished_at IS NULL")" = 0 ]; }
kill_deliverer() { sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bitvelocity deliverer'" >/dev/null; }
# A READ never brings back what was deleted, and says of a key that was told what was told last.
stale() { # table key
    sql -c "
        WITH touched AS (
            SELECT sequence, operation_type, raw_payload->>'$2' AS key, raw_payload AS row FROM bronze_$1 WHERE raw_payload IS NOT NULL
            UNION ALL
            SELECT sequence, operation_type, before_payload->>'$2', NULL FROM bronze_$1
            WHERE before_payload->>'$2' IS DISTINCT FROM raw_payload->>'$2' AND before_payload IS NOT NULL),
        e AS (SELECT *, lag(sequence) OVER w AS told, lag(row) OVER w AS before FROM touched WINDOW w AS (PARTITION BY key ORDER BY sequence))
        SELECT key, before, row FROM e WHERE operation_type = 'READ' AND told IS NOT NULL AND before IS DISTINCT FROM row LIMIT 10"
}

# 1. Writers of every kind while chunks of ten rows are read, again and again
sql >/dev/null <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, v text);
INSERT INTO t SELECT i, 0, md5(i::text) FROM generate_series(1, 1500) i;
CREATE TABLE p (a text, at date, n int NOT NULL DEFAULT 0, PRIMARY KEY (a, at)) PARTITION BY RANGE (at);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
INSERT INTO p SELECT 'k' || i, date '2024-01-01' + i % 60 FROM generate_series(1, 600) i WHERE i % 60 < 59;
SELECT bitvelocity.create_bronze('t'), bitvelocity.create_bronze('p');
SELECT bitvelocity.alter_stream('bronze', options => '{"snapshot.chunk_rows": 10}');
SQL
cat >"$BV_TMP/script.sql" <<'SQL'
\set key random(1, 1600)
\set old random(1, 1600)
\set new random(-1600, -1)
\set day random(0, 58)
\set k random(1, 600)
BEGIN;
INSERT INTO t VALUES (:key, 0) ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
SAVEPOINT s;
UPDATE t SET n = n + 100 WHERE id = :old;
ROLLBACK TO s;
DELETE FROM t WHERE id = :old;
SAVEPOINT r;
UPDATE t SET id = :new, n = n + 1 WHERE id = :key AND NOT EXISTS (SELECT FROM t WHERE id = :new);
RELEASE r;
UPDATE p SET n = n + 1 WHERE a = 'k' || :k;
END;
DELETE FROM p WHERE a = 'k' || :old;
INSERT INTO p VALUES ('k' || :k, date '2024-01-01' + :day) ON CONFLICT DO NOTHING;
UPDATE p SET at = date '2024-01-01' + :day WHERE a = 'k' || :k AND NOT EXISTS (SELECT FROM p WHERE a = 'k' || :k AND at = date '2024-01-01' + :day);
SQL
write() {
    while [ ! -e "$BV_TMP/enough" ]; do
        pgbench -n -f "$BV_TMP/script.sql" -c 3 -T 1 -R 300 postgres >/dev/null 2>&1
    done
}
write &
writer=$!
check "the first load is waited for while it is written" synced
same_p() {
    local output
    output=$(sql -c "
        WITH touched AS (
            SELECT sequence, raw_payload->>'a' AS a, raw_payload->>'at' AS at, raw_payload AS row FROM bronze_p WHERE raw_payload IS NOT NULL
            UNION ALL
            SELECT sequence, before_payload->>'a', before_payload->>'at', NULL FROM bronze_p WHERE before_payload IS NOT NULL
               AND (before_payload->>'a', before_payload->>'at') IS DISTINCT FROM (raw_payload->>'a', raw_payload->>'at')),
        last AS (SELECT DISTINCT ON (a, at) a, at, row FROM touched ORDER BY a, at, sequence DESC)
        SELECT coalesce(l.a, p.a), l.row, to_jsonb(p) FROM (SELECT * FROM last WHERE row IS NOT NULL) l
        FULL JOIN p ON l.a = p.a AND l.at = p.at::text WHERE l.row IS DISTINCT FROM to_jsonb(p) LIMIT 10") && [ -z "$output" ] || {
        echo "$output"
        return 1
    }
}
for round in $(seq "${ROUNDS:-6}"); do
    sql -c "SELECT bitvelocity.snapshot_stream('bronze')" >/dev/null
    [ "$((round % 2))" = 0 ] || { sleep 0.3; kill_deliverer; }
    eventually "round $round: every row is read again" done_all
done
: >"$BV_TMP/enough"
wait $writer
check "everything arrives" synced
check "the last event of every key is its row" same_state t
check "so it is of a partitioned table" same_p
empty "no READ is older than what was told before" stale t id
is "identities are unique" "$(sql -c "SELECT count(*) = count(DISTINCT event_id) FROM bronze_t")" t
is "positions are in the order of sequence" "$(sql -c "SELECT count(*) FROM (SELECT (commit_lsn, ordinal, part) < lag((commit_lsn, ordinal, part)) OVER (ORDER BY sequence) AS back FROM bronze_t) x WHERE back")" 0

# 2. Delivered before it is visible: a synchronous standby that hangs
hold_on() {
    mkfifo "$BV_TMP/$1"
    psql -XAtq <"$BV_TMP/$1" >"$BV_TMP/$1.out" 2>&1 &
    exec {fd}>"$BV_TMP/$1"
    held[$1]=$fd
}
declare -A held
sql -c "CREATE TABLE h (id int PRIMARY KEY, n int, v text)" -c "INSERT INTO h SELECT i, 0, 'old' FROM generate_series(1, 100) i" \
    -c "SELECT bitvelocity.create_bronze('h')" >/dev/null
check "a table for hanging commits" synced
hold_on early
echo "BEGIN; SELECT pg_current_xact_id(); SELECT 'begun';" >&"${held[early]}"
eventually "a transaction is open" grep -q begun "$BV_TMP/early.out"
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['h']::regclass[])" >/dev/null
eventually "the snapshot waits for it" state_is snapshot
is "and says so" "$(sql -c "SELECT hint LIKE 'waits for the transaction of process%' FROM bitvelocity.stream_status")" t
sql -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" >/dev/null
eventually "commits wait for a standby" eval '[ "$(sql -c "SHOW synchronous_standby_names")" = nobody ]'
hung=()
for statement in "UPDATE h SET n = 1, v = 'new' WHERE id = 1" "DELETE FROM h WHERE id = 2" "UPDATE h SET id = -3 WHERE id = 3" \
    "BEGIN; SAVEPOINT s; UPDATE h SET v = 'sub' WHERE id = 4; RELEASE s; COMMIT" "INSERT INTO h VALUES (1000, 1, 'new')"; do
    sql -c "$statement" >/dev/null 2>&1 &
    hung+=($!)
done
delivered() { [ "$(sql -c "SELECT count(*) FROM bronze_h WHERE operation_type <> 'READ'")" = 5 ]; }
eventually "hanging commits are delivered" delivered
is "and not visible" "$(sql -c "SELECT string_agg(id || v, ' ' ORDER BY id) FROM h WHERE id < 5 OR id = 1000")" "1old 2old 3old 4old"
echo "ROLLBACK; SELECT 'ended';" >&"${held[early]}"
eventually "the snapshot goes on" done_all
is "rows that hanging commits changed are not read" \
    "$(sql -c "SELECT count(*), count(*) FILTER (WHERE (raw_payload->>'id')::int IN (1, 2, 3, 4)) FROM bronze_h WHERE operation_type = 'READ' AND sequence > (SELECT max(sequence) FROM bronze_h WHERE operation_type <> 'READ')")" "96|0"
sql -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
wait "${hung[@]}"
check "they come back" synced
check "the last event of every key is its row" same_state h

# 3. Killed in every step: goes on behind the last chunk that was saved
sql -c "CREATE TABLE c (id int PRIMARY KEY, v text)" -c "INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 300) i"
first=yes
for place in deliverer_chunk_read deliverer_watermarked deliverer_row_copied deliverer_copied deliverer_chunk_saved bronze_committing bronze_committed; do
    hit=15
    [ $place != deliverer_row_copied ] || hit=155
    echo "$place kill $hit" >"$BV_TMP/a/data/bitvelocity.failpoint"
    sql -c "SELECT pg_reload_conf()" >/dev/null
    before=$(sql -c "SELECT coalesce(max(sequence), 0) FROM bronze_c" 2>/dev/null || echo 0)
    if [ $first ]; then
        sql -c "SELECT bitvelocity.create_bronze('c')" >/dev/null
        first=
    else
        sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[])" >/dev/null
    fi
    hit_it() { [ ! -e "$BV_TMP/a/data/bitvelocity.failpoint" ]; }
    eventually "$place: killed" hit_it
    eventually "$place: goes on" done_all
    is "$place: every row once" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_c WHERE sequence > $before")" "300|300"
done
check "it runs" synced

# 4. On demand, with a condition; errors
before=$(sql -c "SELECT max(sequence) FROM bronze_c")
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], 'id % 10 = 0 -- a comment')" >/dev/null
eventually "a condition is read" done_all
is "and holds" "$(sql -c "SELECT count(*), bool_and((raw_payload->>'id')::int % 10 = 0) FROM bronze_c WHERE sequence > $before")" "30|t"
is "what was read is told" "$(sql -c "SELECT rows_read, rows_sent, error IS NULL FROM bitvelocity.stream_snapshot ORDER BY snapshot_id DESC LIMIT 1")" "300|30|t"
check "an unknown stream is refused" refused "SELECT bitvelocity.snapshot_stream('none')" 42704 'stream "none" does not exist'
check "a table that is not in the stream is refused" refused "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['pg_class']::regclass[])" 42704 "is not in stream"
check "a condition that does not parse is refused" refused "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], 'id >')" 42601 "syntax error"
check "a column that is not there is refused" refused "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], 'nothing = 1')" 42703 "nothing"
check "more than a condition is refused" refused "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], 'true), (true')" 22023 "one boolean expression"
check "no boolean is refused" refused "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], 'id')" 22023 "one boolean expression"
check "chunk_rows is checked" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"snapshot.chunk_rows\": 0}')" 22023 "from 1 to"
sql -c "CREATE ROLE reader" -c "GRANT USAGE ON SCHEMA bitvelocity TO reader" -c "GRANT EXECUTE ON FUNCTION bitvelocity.snapshot_stream(name, regclass[], text) TO reader"
check "a condition is the owner's to give" refused "SET ROLE reader; SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], 'true')" 42501 "must be owner"
sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['c']::regclass[], '1 / (id - 150) > 7')" >/dev/null
eventually "a condition that fails ends its snapshot" done_all
is "with the reason" "$(sql -c "SELECT error FROM bitvelocity.stream_snapshot ORDER BY snapshot_id DESC LIMIT 1")" "division by zero"
check "and not the stream" synced
sql -c "SELECT bitvelocity.snapshot_stream('bronze')" -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused in the middle" state_is paused
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
eventually "resumed, it is read to the end" done_all
sql -c "SELECT bitvelocity.snapshot_stream('bronze')" -c "SELECT bitvelocity.alter_stream('bronze', drop_tables => ARRAY['c']::regclass[])" -c "DROP TABLE h" >/dev/null
eventually "tables that go meanwhile do not hold it up" done_all
check "it runs" synced

# 5. Without a key, in two leaves; large values that updates leave alone
sql >/dev/null <<'SQL'
CREATE TABLE k (n int, v text) PARTITION BY LIST (n);
CREATE TABLE k_0 PARTITION OF k FOR VALUES IN (0);
CREATE TABLE k_1 PARTITION OF k FOR VALUES IN (1);
INSERT INTO k SELECT i % 2, 'v' || i FROM generate_series(1, 999) i;
CREATE TABLE large (id int PRIMARY KEY, n int, v text);
ALTER TABLE large ALTER v SET STORAGE EXTERNAL;
INSERT INTO large SELECT i, 0, repeat(md5(i::text), 100) FROM generate_series(1, 200) i;
SELECT bitvelocity.create_bronze('k', on_missing_key => 'full');
SQL
check "a table without key is read" synced
is "every row once" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'v') FROM bronze_k")" "999|999"
rm "$BV_TMP/enough"
cat >"$BV_TMP/large.sql" <<'SQL'
\set key random(1, 200)
UPDATE large SET n = n + 1 WHERE id = :key;
SQL
(while [ ! -e "$BV_TMP/enough" ]; do pgbench -n -f "$BV_TMP/large.sql" -c 2 -T 1 -R 300 postgres >/dev/null 2>&1; done) &
writer=$!
sql -c "SELECT bitvelocity.create_bronze('large')" >/dev/null
check "large values are read while they are written" synced
for _ in 1 2 3; do
    sql -c "SELECT bitvelocity.snapshot_stream('bronze', ARRAY['large']::regclass[])" >/dev/null
    eventually "and again" done_all
done
: >"$BV_TMP/enough"
wait $writer
synced
is "every key has its newest values, unchanged ones from before" "$(sql -c "
    WITH folded AS (SELECT raw_payload->>'id' AS key, bitvelocity.fold_payload(raw_payload, operation_type = 'READ' ORDER BY sequence) AS row FROM bronze_large GROUP BY 1)
    SELECT count(*), count(*) FILTER (WHERE f.row = to_jsonb(l)) FROM folded f JOIN large l ON l.id::text = f.key")" "200|200"
# 6. A row that moves, without its large value, from where is not yet read to where is read already, and a crash behind its
# event. The lock of one leaf stops the reading of the table.
sql >/dev/null <<'SQL'
CREATE TABLE moving (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE moving_0 PARTITION OF moving FOR VALUES FROM (-1000) TO (100000);
CREATE TABLE moving_1 PARTITION OF moving FOR VALUES FROM (100000) TO (200000);
ALTER TABLE moving_0 ALTER v SET STORAGE EXTERNAL;
INSERT INTO moving SELECT i, CASE WHEN i > 19990 THEN repeat(md5(i::text), 100) ELSE 'v' END FROM generate_series(1, 20000) i;
SELECT bitvelocity.create_bronze('moving');
SQL
some_read() { [ "$(sql -c "SELECT max(rows_read) FROM bitvelocity.stream_snapshot WHERE relation = 'moving'::regclass")" -gt 0 ]; }
eventually "the table is being read" some_read
hold_on lock
echo "BEGIN; LOCK TABLE moving_1; SELECT 'locked';" >&"${held[lock]}"
eventually "a leaf is locked" grep -q locked "$BV_TMP/lock.out"
rows_read() { sql -c "SELECT max(rows_read) FROM bitvelocity.stream_snapshot WHERE relation = 'moving'::regclass"; }
stands_still() {
    local before
    before=$(rows_read)
    sleep 0.3
    [ "$(rows_read)" = "$before" ] && [ "$before" -lt 19990 ]
}
eventually "the reading stands still" stands_still
for row in 1 2 3; do
    echo "bronze_committed error" >"$BV_TMP/a/data/bitvelocity.failpoint"
    sql -c "SELECT pg_reload_conf()" >/dev/null
    sql -c "UPDATE moving_0 SET id = -$row WHERE id = 20000 - $row"
    eventually "the event of row $row is there, its process is not" hit_it
done
partial() { [ "$(sql -c "SELECT count(*) FROM bronze_moving WHERE raw_payload->>'id' IN ('-1', '-2', '-3') AND NOT raw_payload ? 'v'")" = 3 ]; }
eventually "the events lack the large values" partial
sql -c "SELECT bitvelocity.alter_stream('bronze', options => '{}')" >/dev/null
echo "ROLLBACK; SELECT 'ended';" >&"${held[lock]}"
eventually "the rest is read" done_all
is "every row is there as a whole" "$(sql -c "
    WITH folded AS (SELECT raw_payload->>'id' AS key, bitvelocity.fold_payload(raw_payload, operation_type = 'READ' ORDER BY sequence) AS row FROM bronze_moving
                    WHERE raw_payload IS NOT NULL GROUP BY 1)
    SELECT count(*), count(*) FILTER (WHERE f.row = to_jsonb(m)) FROM folded f JOIN moving m ON m.id::text = f.key")" "20000|20000"
is "nothing is left to be read again" "$(sql -c "SELECT count(*) FROM bitvelocity.stream_moved_row")" 0
check "it runs" synced
is "nothing failed" "$(sql -c "SELECT last_error FROM bitvelocity.stream_status")" ""
finish
