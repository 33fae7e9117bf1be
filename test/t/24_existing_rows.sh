#!/usr/bin/env bash
# Tables join a stream while they are written, and while transactions that began before are open: every row is
# read once at most, every key's last event is its row.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_prepared_transactions=5
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
for table in a b c d; do
    sql -c "CREATE TABLE $table (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, v text)" \
        -c "INSERT INTO $table SELECT i, 0, md5(i::text) FROM generate_series(1, 10000) i"
done
cat >"$BV_TMP/script.sql" <<'SQL'
\set key random(1, 10200)
\set new random(20000, 2000000000)
\set old random(1, 10000)
BEGIN;
INSERT INTO :t VALUES (:key, 0) ON CONFLICT (id) DO UPDATE SET n = :t.n + 1;
INSERT INTO :t VALUES (:new, 0) ON CONFLICT DO NOTHING;
SAVEPOINT s;
UPDATE :t SET n = n + 100 WHERE id = :old;
ROLLBACK TO s;
DELETE FROM :t WHERE id = :old + 1;
END;
SQL
declare -A writers
write() { # table
    while [ ! -e "$BV_TMP/enough" ]; do
        pgbench -n -f "$BV_TMP/script.sql" -D "t=$1" -c 2 -T 1 -R 200 postgres >/dev/null 2>&1
    done
}
# Sessions that stay open: `ask NAME SQL`.
hold() { # name: a session that begins now
    mkfifo "$BV_TMP/$1"
    psql -XAtq -v ON_ERROR_STOP=1 <"$BV_TMP/$1" >"$BV_TMP/$1.out" 2>&1 &
    exec {fd}>"$BV_TMP/$1"
    sessions[$1]=$fd
}
declare -A sessions
ask() {
    echo "$2" >&"${sessions[$1]}"
}
asked() { # name text: the session has answered
    grep -q "$2" "$BV_TMP/$1.out"
}
written() { [ "$(sql -c "SELECT max(n) > $2 FROM $1")" = t ]; }
# A life begins with INSERT; a READ comes once, tells a key for the first time or says what the last event of it said,
# and never follows a DELETE; UPDATE and DELETE are of a row that is there.
follows() { # table
    sql -c "SELECT 'key ' || key || ': ' || operation_type || ' after ' || coalesce(before, 'nothing') FROM (
                SELECT operation_type, raw_payload, coalesce(raw_payload, before_payload)->>'id' AS key,
                       lag(operation_type) OVER w AS before, lag(raw_payload) OVER w AS said
                FROM bronze_$1 WINDOW w AS (PARTITION BY coalesce(raw_payload, before_payload)->>'id' ORDER BY sequence)) e
            WHERE NOT CASE operation_type WHEN 'INSERT' THEN coalesce(before, 'DELETE') = 'DELETE'
                                          WHEN 'READ' THEN before IS NULL OR before NOT IN ('READ', 'DELETE') AND said = raw_payload
                                          ELSE coalesce(before, '') <> 'DELETE' END LIMIT 10"
}
verify() { # table
    check "$1: the last event of every key is its row" same_state "$1"
    empty "$1: every event follows from the one before" follows "$1"
    is "$1: identities are unique" "$(sql -c "SELECT count(*) = count(DISTINCT event_id) FROM bronze_$1")" t
}

for table in a b c d; do
    write $table &
    writers[$table]=$!
done
eventually "the first table is written" written a 0
# Open before: one has written, one will.
hold early
ask early "BEGIN; UPDATE a SET v = 'early' WHERE id = 7; INSERT INTO b VALUES (-1, 1); SELECT 'begun';"
eventually "a transaction has written and stays open" asked early begun
hold idle
ask idle "BEGIN; SELECT 'begun' FROM a LIMIT 1;"
eventually "another has only read" asked idle begun

sql -c "SELECT bitvelocity.create_bronze('a')" >/dev/null
eventually "the stream waits for the transaction that has written" state_is starting
eventually "and says for whose" eval '[ "$(sql -c "SELECT count(*) FROM bitvelocity.stream_status JOIN pg_stat_activity a ON hint LIKE '"'%process '"' || a.pid || '"',%'"' WHERE a.state = '"'idle in transaction'"' AND a.backend_xid IS NOT NULL")" = 1 ]'
ask early "INSERT INTO a VALUES (-1, 1); SELECT 'waiting';"
eventually "it goes on meanwhile" asked early waiting
ask early "COMMIT; SELECT 'committed';"
eventually "it commits" asked early committed
ask idle "INSERT INTO a VALUES (-2, 2); UPDATE a SET n = n + 1 WHERE id = -1; COMMIT; SELECT 'committed';"
eventually "so does the other" asked idle committed
eventually "the stream runs" synced

# A second table while it streams; with transactions that wrote to it before and commit during and after
hold second
ask second "BEGIN; UPDATE b SET v = 'second' WHERE id = 8; SAVEPOINT x; INSERT INTO b VALUES (-3, 3); RELEASE x; SELECT 'begun';"
eventually "a transaction has written to the second table" asked second begun
sql -c "BEGIN; UPDATE b SET v = 'prepared' WHERE id = 9; INSERT INTO b VALUES (-4, 4); PREPARE TRANSACTION 'p'"
sql -c "SELECT bitvelocity.create_bronze('b')" >/dev/null
eventually "the stream waits for it" state_is snapshot
ask second "DELETE FROM b WHERE id = 10; COMMIT; SELECT 'committed';"
eventually "it commits after the table joined" asked second committed
check "the stream still waits for the prepared one" state_is snapshot
sql -c "COMMIT PREPARED 'p'"
eventually "the second table is in the stream" synced

# Two more through alter_stream, in one go; killed in the middle of the copy
sql -c "INSERT INTO d SELECT i, 0, repeat(md5(i::text), 10) FROM generate_series(1000000, 1060000) i ON CONFLICT DO NOTHING"
sql -c "SELECT bitvelocity.alter_stream('bronze', add_tables => ARRAY['c', 'd']::regclass[])" >/dev/null
eventually "the rows of two more are being copied" eval '[ "$(sql -c "SELECT snapshot_rows > 15000 FROM bitvelocity.stream_activity()")" = t ]'
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bitvelocity deliverer'" >/dev/null
eventually "what was cut off goes on" synced
is "the tables say that they were copied" "$(sql -c "SELECT string_agg(DISTINCT existing_rows, ' ') FROM bitvelocity.stream_table")" copied
: >"$BV_TMP/enough"
for table in a b c d; do
    wait "${writers[$table]}"
done
check "everything arrives" synced
for table in a b c d; do
    verify $table
done
is "rows of transactions that were open are there" \
    "$(sql -c "SELECT count(DISTINCT raw_payload->>'id') FROM bronze_a WHERE raw_payload->>'id' IN ('-1', '-2')" \
        -c "SELECT count(DISTINCT raw_payload->>'id') FROM bronze_b WHERE raw_payload->>'id' IN ('-1', '-3', '-4')")" '2
3'

# A table that leaves and comes back; without its rows
sql -c "SELECT bitvelocity.alter_stream('bronze', drop_tables => ARRAY['c']::regclass[])" >/dev/null
check "a table leaves" synced
rows=$(sql -c "SELECT count(*) FROM bronze_c")
sql -c "INSERT INTO c VALUES (-10, 1)"
check "the others go on" synced
is "its changes do not come any more" "$(sql -c "SELECT count(*) FROM bronze_c")" "$rows"
sql -c "SELECT bitvelocity.alter_stream('bronze', add_tables => ARRAY['c']::regclass[])" >/dev/null
eventually "it comes back into the bronze table that it left" synced
check "c: the last event of every key is its row" same_state c
is "with all its rows, read again" \
    "$(sql -c "SELECT count(*) = (SELECT count(*) FROM c) FROM bronze_c WHERE operation_type = 'READ' AND commit_lsn > (SELECT max(commit_lsn) FROM bronze_c WHERE operation_type <> 'READ')")" t
sql -c "INSERT INTO c VALUES (-11, 1)"
synced
check "c: changes go on" same_state c
sql -c "ALTER TABLE bronze_c RENAME TO bronze_c_before" \
    -c "SELECT bitvelocity.alter_stream('bronze', drop_tables => ARRAY['c']::regclass[])" \
    -c "SELECT bitvelocity.alter_stream('bronze', add_tables => ARRAY['c']::regclass[])" >/dev/null
eventually "it comes back with a new bronze table" synced
verify c

# Row filters and column lists of a publication hold for existing rows, too
sql >/dev/null <<'SQL'
CREATE TABLE f (id int PRIMARY KEY, region text, secret text);
INSERT INTO f SELECT i, CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END, 'secret' FROM generate_series(1, 100) i;
CREATE PUBLICATION narrow FOR TABLE f (id, region) WHERE (id % 10 = 0);
SELECT bitvelocity.create_stream('narrow', publication => 'narrow');
SQL
check "a stream of a publication starts" synced narrow
sql -c "INSERT INTO f SELECT i, 'eu', 'secret' FROM generate_series(101, 200) i"
synced narrow
is "row filter and column list hold for existing rows and for changes" \
    "$(sql -c "SELECT operation_type, count(*), bool_and((raw_payload->>'id')::int % 10 = 0), bool_or(raw_payload ? 'secret') FROM bronze_f GROUP BY 1 ORDER BY 1")" \
    'INSERT|10|t|f
READ|10|t|f'
sql -c "CREATE TABLE g (id int PRIMARY KEY)" -c "INSERT INTO g VALUES (1)" \
    -c "SELECT bitvelocity.create_stream('no_rows', ARRAY['g']::regclass[], snapshot => false)" >/dev/null
check "snapshot => false starts" synced no_rows
sql -c "INSERT INTO g VALUES (2)"
synced no_rows
is "and leaves existing rows out" "$(sql -c "SELECT operation_type, raw_payload->>'id' FROM bronze_g")" 'INSERT|2'
finish
