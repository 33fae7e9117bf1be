#!/usr/bin/env bash
# What a stream makes of every kind of change: the events in bronze, in their order, against the statements
# that made them; and the last event of every key against the table.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_prepared_transactions=10
sql -c "CREATE EXTENSION bitvelocity"

events() { # table [where]: one line an event
    sql -c "SELECT concat_ws(' ', operation_type, coalesce(raw_payload::text, '-'), before_payload::text)
            FROM $1 WHERE operation_type <> 'READ' ORDER BY sequence"
}
count() { sql -c "SELECT count(*) FROM $1"; }
# Since the mark: forget what came before.
forget() { synced && sql -c "DELETE FROM $1"; }

sql <<'SQL'
CREATE TABLE plain (id int PRIMARY KEY, v text, n int);
CREATE TABLE identity_full (id int PRIMARY KEY, v text);
ALTER TABLE identity_full REPLICA IDENTITY FULL;
CREATE TABLE identity_index (a int NOT NULL, b text NOT NULL, v text);
CREATE UNIQUE INDEX identity_index_b ON identity_index (b);
ALTER TABLE identity_index REPLICA IDENTITY USING INDEX identity_index_b;
CREATE TABLE big (id int PRIMARY KEY, v text, n int);
ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
CREATE TABLE big_full (id int PRIMARY KEY, v text, n int);
ALTER TABLE big_full ALTER v SET STORAGE EXTERNAL;
ALTER TABLE big_full REPLICA IDENTITY FULL;
CREATE TABLE part (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('n');
CREATE TABLE part_s PARTITION OF part FOR VALUES IN ('s') PARTITION BY RANGE (id);
CREATE TABLE part_s1 PARTITION OF part_s FOR VALUES FROM (0) TO (100);
CREATE TABLE part_s2 PARTITION OF part_s DEFAULT;
CREATE TABLE changing (id int PRIMARY KEY, a text, b int);
CREATE TABLE "Größe ""x"".y" ("ключ" int PRIMARY KEY, "Wert ñ" text);
CREATE TABLE other (id int PRIMARY KEY);
SELECT bitvelocity.create_bronze(t) FROM unnest(ARRAY['plain', 'identity_full', 'identity_index', 'big',
    'big_full', 'part', 'changing', '"Größe ""x"".y"']::regclass[]) t;
SQL
check "the stream starts" synced

# Statements
sql -c "INSERT INTO plain VALUES (1, 'a', 1), (2, NULL, NULL)" \
    -c "UPDATE plain SET v = 'b' WHERE id = 1" \
    -c "UPDATE plain SET id = 3 WHERE id = 2" \
    -c "DELETE FROM plain WHERE id = 1" \
    -c "TRUNCATE plain"
synced
is "insert, update, key change, delete, truncate" "$(events bronze_plain)" \
    'INSERT {"n": 1, "v": "a", "id": 1}
INSERT {"n": null, "v": null, "id": 2}
UPDATE {"n": 1, "v": "b", "id": 1}
UPDATE {"n": null, "v": null, "id": 3} {"id": 2}
DELETE - {"id": 1}
TRUNCATE -'
is "an event says where it comes from" \
    "$(sql -c "SELECT DISTINCT source_system, table_name, source_epoch, transaction_id IS NOT NULL, commit_lsn > '0/0',
                  event_timestamp BETWEEN now() - interval '1 hour' AND now(),
                  ingestion_date = (now() AT TIME ZONE 'UTC')::date, actor IS NULL FROM bronze_plain")" \
    'postgres|public.plain|1|t|t|t|t|t'
is "event_id, sequence and identity are unique" \
    "$(sql -c "SELECT count(*) = count(DISTINCT event_id), count(*) = count(DISTINCT sequence),
                  count(*) = count(DISTINCT (commit_lsn, ordinal, part)) FROM bronze_plain")" 't|t|t'
is "sequence order is the order of commits" \
    "$(sql -c "SELECT bool_and(row_number = rank) FROM (SELECT row_number() OVER (ORDER BY sequence),
                  rank() OVER (ORDER BY commit_lsn, ordinal, part) FROM bronze_plain) x")" t

forget bronze_plain
printf '%s\t%s\t%s\n' 10 copied 1 11 'tab\there' 2 12 '\\N' 3 | sql -c "COPY plain FROM STDIN"
sql -c "INSERT INTO plain VALUES (10, 'conflict', 9), (13, 'new', 4) ON CONFLICT (id) DO UPDATE SET v = excluded.v" \
    -c "INSERT INTO plain VALUES (10, 'ignored', 9) ON CONFLICT DO NOTHING" \
    -c "MERGE INTO plain USING (VALUES (13), (14)) s(id) ON plain.id = s.id
        WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'merged', 0)"
synced
is "COPY, ON CONFLICT, MERGE" "$(events bronze_plain)" \
    'INSERT {"n": 1, "v": "copied", "id": 10}
INSERT {"n": 2, "v": "tab\there", "id": 11}
INSERT {"n": 3, "v": "\\N", "id": 12}
UPDATE {"n": 1, "v": "conflict", "id": 10}
INSERT {"n": 4, "v": "new", "id": 13}
DELETE - {"id": 13}
INSERT {"n": 0, "v": "merged", "id": 14}'

# Transactions
forget bronze_plain
sql <<'SQL'
BEGIN;
INSERT INTO plain VALUES (20, 'kept', 0);
SAVEPOINT a;
INSERT INTO plain VALUES (21, 'rolled back', 0);
SAVEPOINT b;
UPDATE plain SET v = 'rolled back' WHERE id = 20;
RELEASE b;
ROLLBACK TO a;
INSERT INTO plain VALUES (21, 'kept', 0);
SAVEPOINT c;
UPDATE plain SET n = 1 WHERE id = 20;
RELEASE c;
COMMIT;
BEGIN;
INSERT INTO plain VALUES (22, 'rolled back', 0);
ROLLBACK;
SQL
synced
is "savepoints" "$(events bronze_plain)" \
    'INSERT {"n": 0, "v": "kept", "id": 20}
INSERT {"n": 0, "v": "kept", "id": 21}
UPDATE {"n": 1, "v": "kept", "id": 20}'
is "one transaction is one commit" \
    "$(sql -c "SELECT count(DISTINCT commit_lsn), count(DISTINCT transaction_id) FROM bronze_plain")" '1|1'

forget bronze_plain
sql -c "DO \$\$ BEGIN FOR i IN 1..5000 LOOP
            BEGIN INSERT INTO plain VALUES (1000 + i, 'sub', i);
                IF i % 5 = 0 THEN RAISE division_by_zero; END IF;
            EXCEPTION WHEN division_by_zero THEN NULL; END;
        END LOOP; END \$\$"
synced
is "5,000 subtransactions, one in five rolled back" \
    "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id'), bool_and((raw_payload->>'n')::int % 5 <> 0),
                  bool_and(ordered) FROM (SELECT *, (raw_payload->>'n')::int > lag((raw_payload->>'n')::int, 1, 0)
                  OVER (ORDER BY sequence) AS ordered FROM bronze_plain) x")" '4000|4000|t|t'

forget bronze_plain
sql <<'SQL'
BEGIN;
INSERT INTO plain VALUES (30, 'prepared', 0);
PREPARE TRANSACTION 'one';
BEGIN;
INSERT INTO plain VALUES (31, 'prepared', 0);
PREPARE TRANSACTION 'two';
BEGIN;
INSERT INTO plain VALUES (32, 'prepared', 0);
PREPARE TRANSACTION 'three';
INSERT INTO plain VALUES (33, 'between', 0);
COMMIT PREPARED 'one';
SQL
synced
is "a prepared transaction comes at COMMIT PREPARED" "$(events bronze_plain)" \
    'INSERT {"n": 0, "v": "between", "id": 33}
INSERT {"n": 0, "v": "prepared", "id": 30}'
forget bronze_plain
"$BV_SERVER" restart "$BV_TMP/a" fast
eventually "the stream comes back after a restart" synced
is "a clean restart delivers nothing again" "$(events bronze_plain)" ''
sql -c "COMMIT PREPARED 'two'" -c "ROLLBACK PREPARED 'three'"
synced
is "one that was prepared before a restart comes, too" "$(events bronze_plain)" \
    'INSERT {"n": 0, "v": "prepared", "id": 31}'

# Replica identities
sql -c "INSERT INTO identity_full VALUES (1, 'a')" \
    -c "UPDATE identity_full SET v = 'b'" -c "DELETE FROM identity_full" \
    -c "INSERT INTO identity_index VALUES (1, 'k', 'a')" \
    -c "UPDATE identity_index SET v = 'b'" -c "UPDATE identity_index SET b = 'l', v = 'c'" -c "DELETE FROM identity_index"
synced
is "REPLICA IDENTITY FULL: the whole row before" "$(events bronze_identity_full)" \
    'INSERT {"v": "a", "id": 1}
UPDATE {"v": "b", "id": 1} {"v": "a", "id": 1}
DELETE - {"v": "b", "id": 1}'
is "REPLICA IDENTITY USING INDEX: its columns before" "$(events bronze_identity_index)" \
    'INSERT {"a": 1, "b": "k", "v": "a"}
UPDATE {"a": 1, "b": "k", "v": "b"}
UPDATE {"a": 1, "b": "l", "v": "c"} {"b": "k"}
DELETE - {"b": "l"}'

# Values that an update does not touch
sql -c "INSERT INTO big SELECT 1, string_agg(md5(i::text), ''), 1 FROM generate_series(1, 2048) i" \
    -c "INSERT INTO big_full SELECT * FROM big" \
    -c "UPDATE big SET n = 2" -c "UPDATE big_full SET n = 2" -c "UPDATE big SET v = v || 'x'"
synced
is "an update of 64 kB beside it leaves the key out of the row" \
    "$(sql -c "SELECT operation_type, length(raw_payload->>'v'), raw_payload ? 'v', raw_payload->>'n' FROM bronze_big ORDER BY sequence")" \
    'INSERT|65536|t|1
UPDATE||f|2
UPDATE|65537|t|2'
is "with the row before it is filled in" \
    "$(sql -c "SELECT raw_payload = (SELECT to_jsonb(b) FROM big_full b) FROM bronze_big_full WHERE operation_type = 'UPDATE'")" t

# Partitions: events of the root
sql -c "INSERT INTO part VALUES (1, 'n', 'a'), (2, 's', 'b'), (200, 's', 'c')" \
    -c "UPDATE part SET v = 'd' WHERE id = 2" \
    -c "UPDATE part SET region = 's' WHERE id = 1" \
    -c "DELETE FROM part_s WHERE id = 200" \
    -c "CREATE TABLE part_w PARTITION OF part FOR VALUES IN ('w')" \
    -c "INSERT INTO part VALUES (3, 'w', 'e')"
sql -c "CREATE TABLE loose (v text, id int NOT NULL, gone int, region text NOT NULL, PRIMARY KEY (id, region))" \
    -c "ALTER TABLE loose DROP gone" -c "ALTER TABLE part ATTACH PARTITION loose FOR VALUES IN ('l')" \
    -c "INSERT INTO part VALUES (4, 'l', 'other columns')" -c "UPDATE part SET v = 'x' WHERE id = 4"
synced
is "partitions are events of the root, a move is delete and insert" "$(events bronze_part)" \
    'INSERT {"v": "a", "id": 1, "region": "n"}
INSERT {"v": "b", "id": 2, "region": "s"}
INSERT {"v": "c", "id": 200, "region": "s"}
UPDATE {"v": "d", "id": 2, "region": "s"}
DELETE - {"id": 1, "region": "n"}
INSERT {"v": "a", "id": 1, "region": "s"}
DELETE - {"id": 200, "region": "s"}
INSERT {"v": "e", "id": 3, "region": "w"}
INSERT {"v": "other columns", "id": 4, "region": "l"}
UPDATE {"v": "x", "id": 4, "region": "l"}'
is "they are called by the root's name" "$(sql -c "SELECT DISTINCT table_name FROM bronze_part")" public.part
forget bronze_part
sql -c "TRUNCATE part_n" -c "TRUNCATE part"
synced
is "TRUNCATE of the root" "$(events bronze_part | tail -n 1)" 'TRUNCATE -'

# The table changes between, and inside of, transactions
sql <<'SQL'
INSERT INTO changing VALUES (1, 'a', 1);
ALTER TABLE changing ADD c numeric DEFAULT 1.50;
INSERT INTO changing VALUES (2, 'b', 2, 2.25);
BEGIN;
UPDATE changing SET c = 3 WHERE id = 1;
ALTER TABLE changing DROP b;
ALTER TABLE changing RENAME a TO renamed;
UPDATE changing SET renamed = 'r' WHERE id = 1;
COMMIT;
ALTER TABLE changing ALTER renamed TYPE int USING length(renamed);
UPDATE changing SET renamed = renamed + 1 WHERE id = 2;
ALTER TABLE changing RENAME TO changed;
INSERT INTO changed VALUES (3, 3, 3);
CREATE SCHEMA elsewhere;
ALTER TABLE changed SET SCHEMA elsewhere;
INSERT INTO elsewhere.changed VALUES (4, 4, 4);
SQL
synced
is "add, drop, rename and retype a column" "$(events bronze_changing)" \
    'INSERT {"a": "a", "b": 1, "id": 1}
INSERT {"a": "b", "b": 2, "c": 2.25, "id": 2}
UPDATE {"a": "a", "b": 1, "c": 3, "id": 1}
UPDATE {"c": 3, "id": 1, "renamed": "r"}
UPDATE {"c": 2.25, "id": 2, "renamed": 2}
INSERT {"c": 3, "id": 3, "renamed": 3}
INSERT {"c": 4, "id": 4, "renamed": 4}'
is "events carry the name that the table had" \
    "$(sql -c "SELECT string_agg(table_name, ' ' ORDER BY sequence) FROM bronze_changing WHERE ordinal = 1 AND sequence > 5")" \
    'public.changed elsewhere.changed'

# Names and texts
sql -c "INSERT INTO \"Größe \"\"x\"\".y\" VALUES (1, 'Grüße 世界 🦆 \"quoted\" \\ back' || chr(1) || chr(10))"
synced
is "names and texts beyond ASCII" \
    "$(sql -c "SELECT table_name, raw_payload = (SELECT to_jsonb(t) FROM \"Größe \"\"x\"\".y\" t) FROM \"bronze_Größe \"\"x\"\".y\"")" \
    'public.Größe "x".y|t'

# Everything else of the database stays out
sql -c "INSERT INTO other VALUES (1)"
synced
is "a table outside the stream leaves nothing" "$(count "bronze_plain WHERE table_name LIKE '%other%'")" 0
is "nothing failed meanwhile" "$(grep -E '(ERROR|FATAL|PANIC):' "$BV_TMP/a/server.log" | grep -c 'bitvelocity ')" 0
finish
