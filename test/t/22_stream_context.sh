#!/usr/bin/env bash
# Who wrote: context reaches exactly the changes it was set for. And a stream over everything never sees what
# bitvelocity writes itself.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_prepared_transactions=5
sql -c "CREATE EXTENSION bitvelocity" -c "CREATE ROLE app LOGIN" >/dev/null
sql >/dev/null <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE outside (id int);
CREATE FUNCTION copy_outside() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (NEW.id, 'by a trigger'); RETURN NEW; END $$;
CREATE TRIGGER copy_outside AFTER INSERT ON outside FOR EACH ROW EXECUTE FUNCTION copy_outside();
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
SELECT bitvelocity.create_bronze('t'), bitvelocity.create_bronze('child'), bitvelocity.create_bronze('part');
SQL
check "the stream starts" synced
context_of() { # table: "key actor correlation traceparent" a line, in order
    sql -c "SELECT concat_ws(' ', coalesce(raw_payload, before_payload)->>'id', coalesce(actor, '-'),
                             left(correlation_id::text, 4), left(traceparent, 7))
            FROM bronze_$1 ORDER BY sequence"
}
no_decoder() { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'bitvelocity decoder' AND datname = '$1'")" = 0 ]; }
forget() { synced && sql -c "DELETE FROM bronze_t" -c "DELETE FROM bronze_child" -c "DELETE FROM bronze_part"; }
id=11111111-2222-3333-4444-555555555555
trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01

sql -U app >/dev/null <<SQL
INSERT INTO t VALUES (1);
BEGIN; SELECT bitvelocity.set_context('ann', '$id', '$trace'); INSERT INTO t VALUES (2); INSERT INTO t VALUES (3); COMMIT;
INSERT INTO t VALUES (4);
BEGIN; SET LOCAL bitvelocity.actor = 'bob'; INSERT INTO t VALUES (5); SET LOCAL bitvelocity.actor = 'cy'; INSERT INTO t VALUES (6); COMMIT;
SET bitvelocity.actor = 'session';
INSERT INTO t VALUES (7);
INSERT INTO t VALUES (8);
RESET bitvelocity.actor;
INSERT INTO t VALUES (9);
BEGIN; INSERT INTO t VALUES (10); SET LOCAL bitvelocity.actor = 'late'; INSERT INTO t VALUES (11); COMMIT;
BEGIN; SET LOCAL bitvelocity.actor = 'Zoë "x" \\ 世界'; INSERT INTO t VALUES (12); COMMIT;
SQL
synced
is "set_context, SET LOCAL and SET" "$(context_of t)" \
    '1 -
2 ann 1111 00-0af7
3 ann 1111 00-0af7
4 -
5 bob
6 cy
7 session
8 session
9 -
10 -
11 late
12 Zoë "x" \ 世界'

forget
sql -U app >/dev/null <<'SQL'
BEGIN;
SET LOCAL bitvelocity.actor = 'outer';
INSERT INTO t VALUES (20);
SAVEPOINT a;
SET LOCAL bitvelocity.actor = 'inner';
INSERT INTO t VALUES (21);
ROLLBACK TO a;
INSERT INTO t VALUES (22);
SAVEPOINT b;
SET LOCAL bitvelocity.actor = 'kept';
INSERT INTO t VALUES (23);
RELEASE b;
INSERT INTO t VALUES (24);
COMMIT;
BEGIN;
SET LOCAL bitvelocity.actor = 'first said in a savepoint';
SAVEPOINT a;
INSERT INTO t VALUES (25);
ROLLBACK TO a;
INSERT INTO t VALUES (26);
COMMIT;
BEGIN;
SET LOCAL bitvelocity.actor = 'gone';
INSERT INTO t VALUES (27);
SET LOCAL bitvelocity.actor = '';
SAVEPOINT a;
INSERT INTO t VALUES (28);
ROLLBACK TO a;
INSERT INTO t VALUES (29);
COMMIT;
BEGIN;
SAVEPOINT a;
SET LOCAL bitvelocity.actor = 'only inside';
SAVEPOINT b;
INSERT INTO t VALUES (30);
RELEASE b;
ROLLBACK TO a;
INSERT INTO t VALUES (31);
COMMIT;
SQL
synced
is "savepoints" "$(context_of t)" \
    '20 outer
22 outer
23 kept
24 kept
26 first said in a savepoint
27 gone
29 -
31 -'

forget
sql -U app >/dev/null <<'SQL'
BEGIN; SET LOCAL bitvelocity.actor = 'via'; INSERT INTO outside VALUES (40); COMMIT;
SET bitvelocity.actor = 'copier';
COPY t FROM STDIN;
41	x
\.
SET bitvelocity.actor = 'merger';
MERGE INTO t USING (VALUES (42)) s(id) ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id);
SET bitvelocity.actor = 'with';
WITH w AS (INSERT INTO t VALUES (43) RETURNING id) SELECT * FROM w;
SET bitvelocity.actor = 'prepared';
PREPARE p AS INSERT INTO t VALUES ($1);
EXECUTE p (44);
BEGIN; INSERT INTO t VALUES (45); PREPARE TRANSACTION 'p';
SET bitvelocity.actor = 'committer';
COMMIT PREPARED 'p';
SET bitvelocity.actor = 'explainer';
EXPLAIN ANALYZE INSERT INTO t VALUES (46);
SQL
sql >/dev/null <<'SQL'
SET bitvelocity.actor = 'procedure';
DO $$ BEGIN INSERT INTO t VALUES (47); COMMIT; INSERT INTO t VALUES (48); END $$;
SET bitvelocity.actor = 'truncater';
INSERT INTO part VALUES (1);
TRUNCATE part;
SQL
synced
is "triggers, COPY, MERGE, WITH, EXECUTE, 2PC, EXPLAIN ANALYZE, procedures" "$(context_of t)" \
    '40 via
41 copier
42 merger
43 with
44 prepared
45 prepared
46 explainer
47 procedure
48 procedure'
is "partitions and TRUNCATE" "$(sql -c "SELECT operation_type, actor FROM bronze_part ORDER BY sequence")" \
    'INSERT|truncater
TRUNCATE|truncater'

forget
sql -U app -c "INSERT INTO child VALUES (1, 40), (2, 41)" >/dev/null
sql -U app >/dev/null <<'SQL'
SET bitvelocity.actor = 'cascader';
UPDATE t SET id = 140 WHERE id = 40;
DELETE FROM t WHERE id = 41;
SQL
synced
is "cascades of a foreign key" "$(sql -c "SELECT operation_type, actor FROM bronze_child WHERE operation_type <> 'INSERT' ORDER BY sequence")" \
    'UPDATE|cascader
DELETE|cascader'

# Nobody can speak for another by hand
forget
sql -U app >/dev/null <<'SQL'
BEGIN;
SELECT pg_logical_emit_message(true, 'bitvelocity.context', E'00000000000000000000000000000000\001root');
SELECT pg_logical_emit_message(true, 'bitvelocity.context', convert_to(repeat('0', 32), 'UTF8') || '\x00'::bytea || 'root' || '\x000000'::bytea);
SELECT pg_logical_emit_message(true, 'bitvelocity.context', '\x00726f6f74000000'::bytea);
SELECT pg_logical_emit_message(true, 'bitvelocity.context', '');
INSERT INTO t VALUES (60);
COMMIT;
SELECT pg_logical_emit_message(false, 'bitvelocity.context', 'x'), pg_logical_emit_message(false, 'bitvelocity.watermark', 'x'),
    pg_logical_emit_message(true, 'somebody', 'else'), pg_logical_emit_message(true, '', '');
BEGIN; SET LOCAL bitvelocity.actor = 'true'; INSERT INTO t VALUES (61);
SELECT pg_logical_emit_message(true, 'bitvelocity.context', convert_to(repeat('0', 32), 'UTF8') || '\x00'::bytea || 'root' || '\x000000'::bytea);
INSERT INTO t VALUES (62); COMMIT;
SQL
synced
is "forged messages are ignored" "$(context_of t)" \
    '60 -
61 true
62 true'
check "the secret is readable for the server alone" sh -c '[ "$(stat -c %a "$1/bitvelocity.secret")" = 600 ]' - "$PGDATA"
xid="BEGIN; SELECT bitvelocity.set_context('reader'); SELECT count(*) FROM t; SELECT pg_current_xact_id_if_assigned() IS NULL; COMMIT"
is "set_context gives a reading transaction no xid" "$(sql -U app -c "$xid" | tail -n 1)" t
is "a change of a table that nobody streams writes no message" "$(sql <<'SQL'
CREATE TABLE quiet (id int);
SELECT pg_create_logical_replication_slot('s', 'test_decoding') IS NULL;
SET bitvelocity.actor = 'x';
INSERT INTO quiet VALUES (1);
SELECT count(*) FROM pg_logical_slot_get_changes('s', NULL, NULL) WHERE data LIKE 'message%';
INSERT INTO t VALUES (70);
SELECT count(*) FROM pg_logical_slot_get_changes('s', NULL, NULL) WHERE data LIKE 'message%';
SELECT pg_drop_replication_slot('s');
SQL
)" 'f
0
1'

# A context that was written before a restart and is read after it
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused" state_is paused
sql -c "SET bitvelocity.actor = 'before the restart'" -c "INSERT INTO t VALUES (80)"
"$BV_SERVER" restart "$BV_TMP/a" fast
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
check "resumed" synced
is "the context of before a restart is still known to be true" "$(context_of t | tail -n 1)" "80 before the restart"

# FOR ALL TABLES: streams that could feed themselves
sql -c "CREATE PUBLICATION everything FOR ALL TABLES" \
    -c "SELECT bitvelocity.create_stream('everything', publication => 'everything', sink => 'memory')" >/dev/null
check "a stream of all tables into memory starts beside a bronze stream" synced everything
delivered() { sql -c "SELECT a.rows FROM bitvelocity.stream_activity() a JOIN bitvelocity.stream USING (stream_id) WHERE stream_name = 'everything'"; }
before=$(delivered)
sql -c "INSERT INTO t SELECT i, 'x' FROM generate_series(1000, 1999) i"
synced
synced everything
is "rows of the bronze stream are none of its changes" "$(($(delivered) - before))" 1000

sql -c "CREATE DATABASE second"
sql -d second >/dev/null <<'SQL'
CREATE EXTENSION bitvelocity;
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, v text);
INSERT INTO b VALUES (1, 'existed');
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT bitvelocity.create_stream('everything', publication => 'everything', sink => 'bronze');
SQL
check "a stream of all tables into bronze starts" synced everything second
sql -d second -c "INSERT INTO a VALUES (1)" -c "UPDATE b SET v = 'changed'"
check "changes arrive" synced everything second
sql -d second -c "CREATE TABLE c (id int PRIMARY KEY)" -c "INSERT INTO c SELECT generate_series(1, 10)" -c "INSERT INTO a VALUES (2)" \
    -c "UPDATE c SET id = 11 WHERE id = 10"
is_complete() {
    synced everything second && [ "$(sql -d second -c "SELECT count(DISTINCT raw_payload->>'id') FILTER (WHERE operation_type IN ('READ', 'INSERT')) IN (10, 11)
        AND bool_or(raw_payload->>'id' = '11') FROM bronze_c")" = t ]
}
eventually "a table that is made later joins by itself" is_complete
is "nothing of the others came twice" "$(sql -d second -c "SELECT string_agg(operation_type || ' ' || (raw_payload->>'id'), ', ' ORDER BY sequence) FROM bronze_a" \
    -c "SELECT string_agg(operation_type || ' ' || (raw_payload->>'v'), ', ' ORDER BY sequence) FROM bronze_b")" \
    'INSERT 1, INSERT 2
READ existed, UPDATE changed'
is "bronze is made for tables, not for bronze tables" \
    "$(sql -d second -c "SELECT string_agg(relation::regclass::text, ' ' ORDER BY relation) FROM bitvelocity.stream_table")" 'a b c'
check "a bronze table is refused as a source" sh -c '! psql -X -d second -c "SELECT bitvelocity.create_bronze('"'bronze_a'"')" 2>/dev/null'
sql -d second -c "INSERT INTO a VALUES (3)"
synced everything second
rows=$(sql -d second -c "SELECT (SELECT count(*) FROM bronze_a) + (SELECT count(*) FROM bronze_b) + (SELECT count(*) FROM bronze_c)")
synced everything second
is "an idle stream stays idle" "$(sql -d second -c "SELECT (SELECT count(*) FROM bronze_a) + (SELECT count(*) FROM bronze_b) + (SELECT count(*) FROM bronze_c)")" "$rows"

# Somebody inserts into a bronze table and does not commit
mkfifo "$BV_TMP/held"
psql -XAtq -d second <"$BV_TMP/held" >/dev/null 2>&1 &
exec {held}>"$BV_TMP/held"
echo "BEGIN; INSERT INTO bronze_a (event_id, event_timestamp, source_system, operation_type, table_name, source_epoch, commit_lsn, ordinal)
      VALUES (gen_random_uuid(), now(), 'by hand', 'INSERT', 'a', 0, '0/0', 0);" >&"$held"
is_held() { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 1 ]; }
eventually "a row is inserted by hand and not committed" is_held
sql -d second -c "INSERT INTO a VALUES (4)"
says_for_whom() { [ "$(sql -d second -c "SELECT last_error LIKE '%bronze_a is locked by process %' FROM bitvelocity.stream_status")" = t ]; }
eventually "the stream waits and says for whom" says_for_whom
sql -d second -c "SELECT bitvelocity.pause_stream('everything')" >/dev/null
eventually "it can still be paused" no_decoder second
sql -d second -c "SELECT bitvelocity.resume_stream('everything')" >/dev/null
echo "COMMIT; \\q" >&"$held"
eventually "and goes on afterwards" synced everything second
is "in the order of the commits" "$(sql -d second -c "SELECT source_system FROM bronze_a ORDER BY sequence DESC LIMIT 2")" 'second
by hand'
finish
