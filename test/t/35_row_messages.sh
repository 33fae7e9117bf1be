#!/usr/bin/env bash
# Row messages that the decoder writes itself equal pgoutput's to the byte, for every type, identity and kind of
# publication, through DDL and partitions. `verified` compares every one of them and stops the stream at a difference.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a bitvelocity.row_writer=verified log_min_messages=debug1 bitvelocity.max_streams=16
sql -c "CREATE EXTENSION bitvelocity" -f - <<'SQL'
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE plain (id bigint PRIMARY KEY, i2 smallint, i4 int, b boolean, tx text, v varchar(40), c char(6), j json, jb jsonb, d date,
    ts timestamp, tz timestamptz, ti time, u uuid, n numeric, f float8, r real, by bytea, m mood, p pair, po positive, a int[], ta text[],
    ma mood[], iv interval, ne inet, ra int4range, nm name, ch "char", rc regtype);
CREATE TABLE numbers (id bigint PRIMARY KEY, n numeric, two numeric(14, 2), ten numeric(40, 10));
CREATE TABLE whole (id int, v text, big text);
ALTER TABLE whole REPLICA IDENTITY FULL, ALTER big SET STORAGE EXTERNAL;
CREATE TABLE keyed (id int PRIMARY KEY, code text NOT NULL UNIQUE, big text, n int);
ALTER TABLE keyed REPLICA IDENTITY USING INDEX keyed_code_key, ALTER big SET STORAGE EXTERNAL;
CREATE TABLE part (id int PRIMARY KEY, a text, b text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_2 (b text, gone int, id int NOT NULL, a text);
ALTER TABLE part_2 DROP gone;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (100) TO (200);
CREATE TABLE generated (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE filtered (id int PRIMARY KEY, v text, secret text);
CREATE TABLE alone (id int PRIMARY KEY, v text);
CREATE TABLE only_inserts (id int PRIMARY KEY, v text);
CREATE PUBLICATION rooted FOR TABLE filtered (id, v) WHERE (id % 2 = 0), part WITH (publish_via_partition_root = true);
CREATE PUBLICATION others FOR TABLE part, alone;
CREATE PUBLICATION inserts FOR TABLE only_inserts WITH (publish = 'insert');
SELECT bitvelocity.create_bronze(x) FROM unnest(ARRAY['plain', 'numbers', 'whole', 'keyed', 'part', 'generated', 'alone']::regclass[]) x;
SELECT bitvelocity.create_stream(p, publication => p, sink => 'memory', snapshot => false)
FROM unnest(ARRAY['rooted', 'others', 'inserts']) p;
SQL
all_synced() {
    local stream
    for stream in bronze rooted others inserts; do
        synced "$stream" || return 1
    done
}
check "the streams start" all_synced

# Every kind of change at least four times, in one transaction and alone, with DDL between.
workload() {
    sql -v n="$1" <<'SQL'
BEGIN;
INSERT INTO plain (id, i2, i4, b, tx, c, j, jb, d, ts, tz, ti, u, n, f, r, by, m, p, po, a, ta, ma, iv, ne, ra, nm, ch, rc)
SELECT :n * 100 + i, -i, i * 1000003, i % 2 = 0, repeat('ä', i), 'c' || i, '{"a": [1,  2]}', '{"b": 2}',
    date '2024-02-28' + i * :n, timestamp '1999-12-31 23:59:58.5' + i * interval '0.750001 s', timestamptz '2024-02-29 12:34:56.789+02' + i * interval '1 day',
    time '23:59:59' + i * interval '1 ms', gen_random_uuid(), i / 7.0, i / 3.0, i / 3.0, decode(lpad(to_hex(i), 4, '0'), 'hex'), 'sad', jsonb_populate_record(NULL::pair, jsonb_build_object('a', i, 'b', 'x"y', 'c', 1.50)), i + 1,
    ARRAY[i, NULL], ARRAY['a b', NULL, 'ü'], ARRAY['happy'::mood], i * interval '1 day 2 hours', '10.0.0.1', int4range(i, i + 5), 'name', 'c', 'integer'
FROM generate_series(1, 20) i;
INSERT INTO plain (id, tx, d, ts, tz) VALUES (:n * 100 + 30, NULL, 'infinity', '-infinity', 'infinity'), (:n * 100 + 31, '', '0044-03-15 BC', '0001-01-01 BC', '12345-01-01'),
    (:n * 100 + 32, 'x', '9999-12-31', '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00.1+00'), (:n * 100 + 33, 'x', '10000-01-01', '10000-01-01', '0001-12-31 23:00 BC'),
    (:n * 100 + 34, 'x', '1999-12-31', '1999-12-31 23:59:59.999999', '1970-01-01'), (:n * 100 + 35, 'x', '2000-01-01', '2000-01-01', '2000-01-01 00:00:00.100+00');
INSERT INTO numbers SELECT :n * 10000 + i, v, round(v, 2) % 1e12, round(v, 10) % 1e30
FROM (SELECT i, (CASE i % 2 WHEN 0 THEN 1 ELSE -1 END * trunc((random() * 10 ^ (i % 17))::numeric * 10::numeric ^ (i % 13)) / 10::numeric ^ (i % 29))::numeric AS v
      FROM generate_series(1, 2000) AS i) AS made;
INSERT INTO numbers SELECT :n * 10000 + 3000 + i, v, v % 1e12, CASE WHEN abs(v) < 1e29 THEN v END FROM unnest(ARRAY[0, 0.0, 0.0000000, 0.0001, 0.00001,
    -0.5, 1, -1, 9999, 10000, 10000.0001, 99999999, 100000000, 1e15, 1e27, 1e28 - 1, 1e28, 1e28 + 1e-24, 1e30, 1e131, 1e-20, 1e-24, 1e-25, 1e-63, 1e-64, 1e-300,
    12345678901234567890.123456789012345678901234, 0.1000, 100.0, 5000000000000000000000000000]::numeric[]) WITH ORDINALITY AS t(v, i);
INSERT INTO numbers SELECT :n * 10000 + 4000 + i, v, NULL, NULL FROM unnest(ARRAY['NaN', 'Infinity', '-Infinity']::numeric[]) WITH ORDINALITY AS t(v, i);
UPDATE plain SET tx = tx || 'u', i4 = i4 + 1 WHERE id > :n * 100;
DELETE FROM plain WHERE id BETWEEN :n * 100 + 5 AND :n * 100 + 9;
UPDATE plain SET id = id + 50 WHERE id BETWEEN :n * 100 + 10 AND :n * 100 + 14;
COMMIT;
INSERT INTO whole SELECT :n * 100 + i, 'v', repeat(md5(i::text), 300) FROM generate_series(1, 6) i;
UPDATE whole SET v = v || 'w' WHERE id > :n * 100;
UPDATE whole SET big = big || 'w' WHERE id > :n * 100;
DELETE FROM whole WHERE id > :n * 100 + 3;
INSERT INTO keyed SELECT :n * 100 + i, 'c' || :n || '.' || i, repeat(md5(i::text), 300), i FROM generate_series(1, 6) i;
UPDATE keyed SET n = n + 1 WHERE id > :n * 100;
UPDATE keyed SET code = code || 'x' WHERE id > :n * 100;
DELETE FROM keyed WHERE id > :n * 100 + 3;
INSERT INTO part SELECT :n * 10 + i, 'a', 'b' FROM generate_series(1, 9) i;
INSERT INTO part SELECT :n * 10 + 100 + i, 'same', 'same' FROM generate_series(1, 3) i;
INSERT INTO part SELECT :n * 10 + 100 + i, 'a', 'b' FROM generate_series(4, 9) i;
UPDATE part SET a = a || 'u' WHERE id % 100 BETWEEN :n * 10 AND :n * 10 + 9;
DELETE FROM part WHERE id % 100 BETWEEN :n * 10 AND :n * 10 + 3;
INSERT INTO generated SELECT :n * 10 + i FROM generate_series(1, 6) i;
INSERT INTO filtered SELECT :n * 10 + i, 'v', 'secret' FROM generate_series(1, 9) i;
UPDATE filtered SET v = 'w', id = id + 1000 + id % 3 WHERE id BETWEEN :n * 10 AND :n * 10 + 9;
DELETE FROM filtered WHERE id > 1005;
INSERT INTO alone SELECT :n * 10 + i, 'v' FROM generate_series(1, 9) i;
INSERT INTO only_inserts SELECT :n * 10 + i, 'v' FROM generate_series(1, 9) i;
UPDATE only_inserts SET v = 'w';
DELETE FROM only_inserts;
SQL
}
before() { sql -c "SELECT string_agg(format('%s %s', stream, state), ', ' ORDER BY stream) FROM bitvelocity.stream_status"; }
check "a first round" workload 0
check "is delivered" all_synced
own() { grep -c "bitvelocity: writes rows of table $(sql -c "SELECT '$1'::regclass::oid") itself" "$BV_TMP/a/server.log"; }
for table in plain whole keyed part_1 alone; do
    is "the decoder writes rows of $table itself: inserts, updates, deletes of its streams" \
        "$([ "$(own "$table")" -ge "$([ "$table" = alone ] && echo 2 || echo 3)" ] && echo yes || own "$table")" yes
done
is "the inserts of numbers" "$(own numbers)" 1
is "only the insert of only_inserts" "$(own only_inserts)" 1
is "a stored generated column is left to pgoutput" "$(own generated)" 0
is "filtered rows are left to pgoutput" "$(own filtered)" 0
is "a partition with other columns than its root: left to pgoutput where the root's are published" \
    "$([ "$(own part_2)" -ge 1 ] && echo "as itself in one stream" || echo never)" "as itself in one stream"

# One step after the other changes what pgoutput would send; no row may be written as before.
steps=(
    "ALTER TABLE plain ADD extra text DEFAULT 'given'"
    "ALTER TABLE plain DROP v, ALTER i2 TYPE int"
    "ALTER TYPE mood ADD VALUE 'new' BEFORE 'sad'"
    "ALTER TYPE pair ADD ATTRIBUTE c numeric"
    "ALTER TABLE keyed REPLICA IDENTITY FULL"
    "ALTER TABLE whole REPLICA IDENTITY NOTHING"
    "ALTER TABLE whole REPLICA IDENTITY FULL"
    "ALTER TABLE part ADD c text DEFAULT 'c'"
    "ALTER PUBLICATION rooted SET TABLE filtered, part WHERE (id % 7 <> 0)"
    "ALTER PUBLICATION rooted SET TABLE filtered, part (id, a)"
    "ALTER PUBLICATION rooted SET TABLE filtered, part"
    "ALTER PUBLICATION rooted SET (publish_via_partition_root = false)"
    "ALTER PUBLICATION others SET (publish = 'insert, delete')"
    "ALTER PUBLICATION others DROP TABLE alone"
    "ALTER PUBLICATION others ADD TABLE alone WHERE (id % 3 = 1)"
    "ALTER PUBLICATION others SET TABLE part, alone (id)"
    "ALTER TABLE generated ALTER twice DROP EXPRESSION"
    "ALTER TABLE alone RENAME v TO w; ALTER TABLE alone RENAME w TO v"
    "CREATE SCHEMA s; ALTER TABLE alone SET SCHEMA s; ALTER SCHEMA s RENAME TO s2; ALTER TABLE s2.alone SET SCHEMA public"
    "ALTER TABLE part DETACH PARTITION part_1; ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES FROM (0) TO (100)"
)
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "bronze is paused, so that it decodes only when all has happened" state_is paused
round=0
for step in "${steps[@]}"; do
    round=$((round + 1))
    sql -c "$step" || failed "$step"
    sql -c "TRUNCATE generated, alone, filtered, part, keyed, whole, numbers" >/dev/null
    workload $((round % 9)) >/dev/null 2>"$BV_TMP/errors" || [ "$step" = "ALTER TABLE whole REPLICA IDENTITY NOTHING" ] ||
        failed "changes behind: $step" "$(cat "$BV_TMP/errors")"
    sql -c "DELETE FROM plain"
done
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
check "changes behind ${#steps[@]} changes of definitions are delivered" all_synced
is "no message differs" "$(grep -c "differs from pgoutput" "$BV_TMP/a/server.log")" 0
is "every stream runs" "$(before)" "bronze streaming, inserts streaming, others streaming, rooted streaming"
for table in keyed part; do
    check "$table in bronze is the table" same_state "$table"
done

# The same without pgoutput's help: what is written alone says the same.
sql -c "ALTER SYSTEM SET bitvelocity.row_writer = own" -c "SELECT pg_reload_conf()" >/dev/null
sql -c "TRUNCATE generated, alone, filtered, part, keyed, whole, numbers"
check "a last round, the decoder's own" workload 1
# Who begins a transaction: its first row may be ours or pgoutput's, and the other's may follow
sql >/dev/null <<'SQL'
INSERT INTO alone VALUES (9000, 'learned'), (9001, 'ours');
INSERT INTO alone VALUES (9002, 'ours, alone');
BEGIN; INSERT INTO alone VALUES (9010, 'first'); INSERT INTO generated VALUES (9010); INSERT INTO alone VALUES (9011, 'last'); COMMIT;
BEGIN; INSERT INTO generated VALUES (9020); INSERT INTO alone VALUES (9020, 'second'); COMMIT;
BEGIN; INSERT INTO alone VALUES (9030, 'first'); TRUNCATE generated; INSERT INTO generated VALUES (9030); COMMIT;
BEGIN; INSERT INTO alone VALUES (9040, 'first'); SELECT pg_logical_emit_message(true, 'other', 'x'); INSERT INTO alone VALUES (9041, 'last'); COMMIT;
BEGIN; SAVEPOINT s; INSERT INTO alone VALUES (9050, 'gone'); ROLLBACK TO s; COMMIT;
BEGIN; SAVEPOINT s; INSERT INTO alone VALUES (9060, 'sub'); RELEASE s; DELETE FROM alone WHERE id = 9001; COMMIT;
SELECT pg_replication_origin_create('elsewhere'), pg_replication_origin_session_setup('elsewhere');
BEGIN; SELECT pg_replication_origin_xact_setup('0/1234', now()); INSERT INTO alone VALUES (9070, 'from elsewhere'); COMMIT;
SELECT pg_replication_origin_session_reset();
INSERT INTO alone VALUES (9080, 'ours again');
SQL
check "is delivered, too" all_synced
for table in plain numbers keyed part alone generated; do
    check "$table in bronze is the table" same_state "$table"
done
finish
