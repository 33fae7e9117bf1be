#!/usr/bin/env bash
# DDL in the middle of a stream and of a transaction: every event has the columns, names and types that were valid at its
# place in the WAL, whatever the catalogue says by the time it is decoded.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a
sql -c "CREATE EXTENSION bitvelocity" -f - <<'SQL'
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN short AS varchar(5);
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE TYPE entry AS (no int, item pair, "a ""name""" numeric, more pair[]);
CREATE TABLE rowed (id int PRIMARY KEY, p pair, l entry[]);
CREATE TABLE typed (id int PRIMARY KEY, m mood, p pair, d short);
CREATE TABLE keyed (id int PRIMARY KEY, code text NOT NULL UNIQUE, v int);
CREATE TABLE big (id int PRIMARY KEY, v text, n int);
ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
CREATE TABLE part (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
SELECT bitvelocity.create_bronze(x) FROM unnest(ARRAY['t', 'typed', 'keyed', 'big', 'part', 'rowed']::regclass[]) x;
SELECT bitvelocity.create_stream('counted', ARRAY['t', 'typed', 'keyed', 'big', 'part', 'rowed']::regclass[], sink => 'memory');
SQL
check "the streams start" eval "synced && synced counted"
# Everything is decoded only after all of it has happened.
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "bronze is paused" state_is paused

sql <<'SQL'
INSERT INTO t VALUES (1, 'one', 1);
ALTER TABLE t ADD c text;
INSERT INTO t VALUES (2, 'two', 2, 'c2');
ALTER TABLE t ADD d int DEFAULT 7, ADD e timestamptz DEFAULT clock_timestamp();
UPDATE t SET e = NULL WHERE id = 1;
ALTER TABLE t DROP a, DROP e;
INSERT INTO t VALUES (3, 3, 'c3', 3);
ALTER TABLE t RENAME c TO cc;
INSERT INTO t VALUES (4, 4, 'c4', 4);
ALTER TABLE t ALTER b TYPE text USING 'b' || b;
INSERT INTO t VALUES (5, 'b5', 'c5', 5);
ALTER TABLE t ADD a int;
INSERT INTO t VALUES (6, 'b6', 'c6', 6, 6);
BEGIN;
INSERT INTO t VALUES (10, 'b', 'c', 1, 1);
ALTER TABLE t ADD x int;
INSERT INTO t VALUES (11, 'b', 'c', 1, 1, 1);
SAVEPOINT s;
ALTER TABLE t RENAME x TO y;
INSERT INTO t VALUES (12, 'never', 'c', 1, 1, 1);
ROLLBACK TO s;
INSERT INTO t VALUES (13, 'b', 'c', 1, 1, 1);
ALTER TABLE t ALTER x TYPE numeric(10, 2);
UPDATE t SET x = 2 WHERE id = 13;
ALTER TABLE t DROP x;
DELETE FROM t WHERE id = 13;
ALTER TABLE t RENAME TO renamed;
INSERT INTO renamed VALUES (14, 'b', 'c', 1, 1);
CREATE SCHEMA moved;
ALTER TABLE renamed SET SCHEMA moved;
INSERT INTO moved.renamed VALUES (15, 'b', 'c', 1, 1);
TRUNCATE moved.renamed;
INSERT INTO moved.renamed VALUES (16, 'b', 'c', 1, 1);
COMMIT;

INSERT INTO typed VALUES (1, 'sad', (1, 'x'), 'd1');
ALTER TYPE mood ADD VALUE 'angry' BEFORE 'happy';
INSERT INTO typed VALUES (2, 'angry', (2, 'y'), 'd2');
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
INSERT INTO typed VALUES (3, 'blue', (3, 'z'), 'd3');
ALTER TYPE mood RENAME TO temper;
INSERT INTO typed VALUES (4, 'happy', (4, 'w'), 'd4');
ALTER TABLE typed DROP m;
DROP TYPE temper;
INSERT INTO typed VALUES (5, (5, 'v'), 'd5');

INSERT INTO rowed VALUES (1, (1, 'x'), NULL), (2, (NULL, ''), '{}'), (3, ROW(NULL, NULL), ARRAY[[
    ROW(1, (2, E'a "q", (b) \\ ''c'), 'NaN', ARRAY[(3, NULL)::pair, NULL])::entry, NULL], [ROW(NULL, NULL, 1.50, NULL)::entry, ROW(4, (5, 'e'), 2, '{}')::entry]]);
CREATE TABLE was AS SELECT id, to_jsonb(rowed) AS row FROM rowed;
ALTER TYPE pair ADD ATTRIBUTE c int CASCADE;
INSERT INTO rowed VALUES (4, (1, 'y', 3), NULL);
ALTER TYPE pair RENAME ATTRIBUTE a TO renamed;
INSERT INTO rowed VALUES (5, (1, 'z', 4), NULL);
ALTER TYPE pair DROP ATTRIBUTE b;
INSERT INTO rowed VALUES (6, (1, 5), NULL);
BEGIN;
INSERT INTO rowed VALUES (7, (1, 6), NULL);
ALTER TYPE pair ADD ATTRIBUTE d text;
INSERT INTO rowed VALUES (8, (1, 7, 'd'), NULL);
SAVEPOINT s;
ALTER TYPE pair RENAME ATTRIBUTE d TO never;
INSERT INTO rowed VALUES (9, (1, 7, 'd'), NULL);
ROLLBACK TO s;
INSERT INTO rowed VALUES (10, (1, 8, 'd'), NULL);
COMMIT;

INSERT INTO keyed VALUES (1, 'k1', 1);
ALTER TABLE keyed REPLICA IDENTITY FULL;
UPDATE keyed SET v = 2;
ALTER TABLE keyed REPLICA IDENTITY USING INDEX keyed_code_key;
UPDATE keyed SET code = 'k2';
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey, ADD PRIMARY KEY (code, id);
ALTER TABLE keyed REPLICA IDENTITY DEFAULT;
DELETE FROM keyed;

INSERT INTO big VALUES (1, repeat('v', 3000), 1);
UPDATE big SET n = 2;
ALTER TABLE big RENAME v TO w;
UPDATE big SET n = 3;
ALTER TABLE big ADD x int DEFAULT 1;
UPDATE big SET w = w || 'x';
VACUUM FULL big;
UPDATE big SET n = 4;
CLUSTER big USING big_pkey;
DELETE FROM big;

INSERT INTO part VALUES (1, 'a');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200);
INSERT INTO part VALUES (100, 'b');
ALTER TABLE part ADD w int;
INSERT INTO part VALUES (101, 'c', 1);
CREATE TABLE part_3 (w int, v text, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM (200) TO (300);
INSERT INTO part VALUES (200, 'other order', 2);
ALTER TABLE part DETACH PARTITION part_1;
UPDATE part SET v = 'd' WHERE id = 100;
SQL
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
check "a stream that decodes later gets through" synced
check "so does one that decodes meanwhile" synced counted
events() { sql -c "SELECT concat_ws(' ', operation_type, table_name, coalesce(raw_payload::text, '-'), before_payload::text) FROM bronze_$1 WHERE operation_type <> 'READ' ORDER BY sequence"; }
is "columns added, dropped, renamed and retyped" "$(events t | head -n 8)" \
    'INSERT public.t {"a": "one", "b": 1, "id": 1}
INSERT public.t {"a": "two", "b": 2, "c": "c2", "id": 2}
UPDATE public.t {"a": "one", "b": 1, "c": null, "d": 7, "e": null, "id": 1}
INSERT public.t {"b": 3, "c": "c3", "d": 3, "id": 3}
INSERT public.t {"b": 4, "d": 4, "cc": "c4", "id": 4}
INSERT public.t {"b": "b5", "d": 5, "cc": "c5", "id": 5}
INSERT public.t {"a": 6, "b": "b6", "d": 6, "cc": "c6", "id": 6}
INSERT public.t {"a": 1, "b": "b", "d": 1, "cc": "c", "id": 10}'
is "also in the middle of a transaction, with savepoints, names and schemas" "$(events t | tail -n +9)" \
    'INSERT public.t {"a": 1, "b": "b", "d": 1, "x": 1, "cc": "c", "id": 11}
INSERT public.t {"a": 1, "b": "b", "d": 1, "x": 1, "cc": "c", "id": 13}
UPDATE public.t {"a": 1, "b": "b", "d": 1, "x": 2.00, "cc": "c", "id": 13}
DELETE public.t - {"id": 13}
INSERT public.renamed {"a": 1, "b": "b", "d": 1, "cc": "c", "id": 14}
INSERT moved.renamed {"a": 1, "b": "b", "d": 1, "cc": "c", "id": 15}
TRUNCATE moved.renamed -
INSERT moved.renamed {"a": 1, "b": "b", "d": 1, "cc": "c", "id": 16}'
is "types that change under a table" "$(events typed)" \
    'INSERT public.typed {"d": "d1", "m": "sad", "p": {"a": 1, "b": "x"}, "id": 1}
INSERT public.typed {"d": "d2", "m": "angry", "p": {"a": 2, "b": "y"}, "id": 2}
INSERT public.typed {"d": "d3", "m": "blue", "p": {"a": 3, "b": "z"}, "id": 3}
INSERT public.typed {"d": "d4", "m": "happy", "p": {"a": 4, "b": "w"}, "id": 4}
INSERT public.typed {"d": "d5", "p": {"a": 5, "b": "v"}, "id": 5}'
is "composites, and arrays of them, as they were before their type was altered" \
    "$(sql -c "SELECT count(*), bool_and(b.raw_payload = w.row) FROM was w JOIN bronze_rowed b ON b.raw_payload['id'] = to_jsonb(w.id)")" '3|t'
is "and after it" "$(events rowed | tail -n +4)" \
    'INSERT public.rowed {"l": null, "p": {"a": 1, "b": "y", "c": 3}, "id": 4}
INSERT public.rowed {"l": null, "p": {"b": "z", "c": 4, "renamed": 1}, "id": 5}
INSERT public.rowed {"l": null, "p": {"c": 5, "renamed": 1}, "id": 6}
INSERT public.rowed {"l": null, "p": {"c": 6, "renamed": 1}, "id": 7}
INSERT public.rowed {"l": null, "p": {"c": 7, "d": "d", "renamed": 1}, "id": 8}
INSERT public.rowed {"l": null, "p": {"c": 8, "d": "d", "renamed": 1}, "id": 10}'
is "another replica identity and another key" "$(events keyed)" \
    'INSERT public.keyed {"v": 1, "id": 1, "code": "k1"}
UPDATE public.keyed {"v": 2, "id": 1, "code": "k1"} {"v": 1, "id": 1, "code": "k1"}
UPDATE public.keyed {"v": 2, "id": 1, "code": "k2"} {"code": "k1"}
DELETE public.keyed - {"id": 1, "code": "k2"}'
is "unchanged large values and rewrites" \
    "$(sql -c "SELECT operation_type, length(raw_payload->>'v'), length(raw_payload->>'w'), raw_payload->>'n', raw_payload->>'x' FROM bronze_big ORDER BY sequence")" \
    'INSERT|3000||1|
UPDATE|||2|
UPDATE|||3|
UPDATE||3001|3|1
UPDATE|||4|1
DELETE||||'
is "partitions made, attached in another column order and detached" "$(events part)" \
    'INSERT public.part {"v": "a", "id": 1}
INSERT public.part {"v": "b", "id": 100}
INSERT public.part {"v": "c", "w": 1, "id": 101}
INSERT public.part {"v": "other order", "w": 2, "id": 200}
UPDATE public.part {"v": "d", "w": null, "id": 100}'
finish
