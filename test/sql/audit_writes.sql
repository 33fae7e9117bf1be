-- The trail under everything that may happen while rows are written: errors, savepoints, other
-- triggers, foreign keys, DDL between two statements, and what an owner may do to the trail itself.
CREATE SCHEMA writes;
SET search_path = writes;
SET client_min_messages = warning;

-- The trail by the table and by each of its indexes: the same rows.
CREATE FUNCTION writes.entries(trail regclass) RETURNS TABLE (entries bigint, by_index bigint)
    LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_bitmapscan = off;
    EXECUTE format('SELECT count(*) FROM (SELECT audit_id FROM %s WHERE audit_id > 0 ORDER BY audit_id OFFSET 0) t', trail)
        INTO by_index;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_indexonlyscan = off;
    EXECUTE format('SELECT count(*) FROM %s', trail) INTO entries;
    SET LOCAL enable_indexscan = on;
    SET LOCAL enable_indexonlyscan = on;
    SET LOCAL enable_bitmapscan = on;
    RETURN NEXT;
END $$;

CREATE TABLE item (id int PRIMARY KEY, name text, price numeric CHECK (price < 1000));
SELECT bitvelocity.enable_audit('item');

-- An error in the middle of a statement, caught or not, leaves nothing; rows keep their order.
INSERT INTO item SELECT i, 'n' || i, i FROM generate_series(1, 999) i;
INSERT INTO item SELECT i, 'n' || i, i FROM generate_series(990, 1010) i;
UPDATE item SET price = price + 1;
DO $$
BEGIN
    UPDATE item SET name = name || '!' WHERE id <= 10;
    BEGIN
        UPDATE item SET price = price + 1 WHERE id >= 990;
    EXCEPTION WHEN check_violation THEN
        INSERT INTO item VALUES (1000, 'in a handler', 0);
    END;
    UPDATE item SET name = name || '?' WHERE id = 10;
END $$;
SELECT * FROM entries('item_audit');
SELECT operation_type AS op, count(*), min(id), max(id) FROM item_audit GROUP BY op ORDER BY op;
SELECT bool_and(id = lag + 1) AS in_order
FROM (SELECT id, lag(id) OVER (ORDER BY audit_id) FROM item_audit WHERE operation_type = 'INSERT') t
WHERE lag IS NOT NULL;

BEGIN;
SAVEPOINT a;
UPDATE item SET name = 'a' WHERE id = 1;
SAVEPOINT b;
UPDATE item SET name = 'b' WHERE id = 1;
ROLLBACK TO b;
UPDATE item SET name = 'c' WHERE id = 1;
RELEASE a;
SAVEPOINT d;
DELETE FROM item WHERE id = 1;
ROLLBACK TO d;
COMMIT;
SELECT old_values->>'name' AS old, new_values->>'name' AS new FROM item_audit WHERE id = 1 ORDER BY audit_id;

-- Other triggers see the trail's row of what has happened: also those of the same row.
CREATE TABLE seen (id int, entries bigint, last_op text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO writes.seen SELECT NEW.id, count(*), (array_agg(operation_type ORDER BY audit_id DESC))[1]
    FROM writes.item_audit WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER zz_look AFTER INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO item VALUES (2001, 'x', 1), (2002, 'y', 2);
UPDATE item SET price = 3 WHERE id IN (2001, 2002);
SELECT * FROM seen ORDER BY id, entries;
DROP TRIGGER zz_look ON item;

-- A trigger that writes the same table again, before and after.
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id < 3004 AND TG_WHEN = 'AFTER' THEN
        INSERT INTO writes.item VALUES (NEW.id + 1, 'after ' || NEW.id, 0);
    ELSIF NEW.id = 3004 AND TG_WHEN = 'BEFORE' THEN
        UPDATE writes.item SET name = 'before ' || NEW.id WHERE id = 3001;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER aa_again AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION again();
CREATE TRIGGER ab_again BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO item VALUES (3001, 'first', 0);
SELECT id, operation_type AS op, new_values->>'name' AS name FROM item_audit WHERE id BETWEEN 3001 AND 3999
ORDER BY audit_id;
DROP TRIGGER aa_again ON item;
DROP TRIGGER ab_again ON item;

-- Foreign keys.
CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item ON DELETE CASCADE ON UPDATE CASCADE,
    spare int REFERENCES item ON DELETE SET NULL ON UPDATE CASCADE);
SELECT bitvelocity.enable_audit('part');
INSERT INTO part VALUES (1, 3001, 3002), (2, 3001, 3003), (3, 3002, 3001);
UPDATE item SET id = 4001 WHERE id = 3001;
UPDATE part SET spare = 4001 WHERE spare IS NULL OR spare = 3001;
DELETE FROM item WHERE id = 4001;
SELECT p.id, p.operation_type AS op, p.changed_columns, p.new_values->'item' AS item,
    p.new_values->'spare' AS spare FROM part_audit p ORDER BY audit_id;

-- DDL between two statements of one transaction.
BEGIN;
INSERT INTO item VALUES (5001, 'a', 1);
ALTER TABLE item ADD COLUMN tag text DEFAULT 'none';
INSERT INTO item VALUES (5002, 'b', 2, 'new');
ALTER TABLE item RENAME COLUMN name TO title;
UPDATE item SET title = 'c' WHERE id = 5001;
ALTER TABLE item ALTER COLUMN price TYPE int, DROP COLUMN tag;
DELETE FROM item WHERE id = 5002;
COMMIT;
SELECT operation_type AS op, changed_columns, old_values, new_values FROM item_audit
WHERE id IN (5001, 5002) ORDER BY audit_id;

-- Nothing of the trail stays open: its owner may change it in the same transaction. Whatever it has
-- got, rows are written as an INSERT would.
BEGIN;
INSERT INTO item VALUES (6001, 'a', 1);
CREATE INDEX by_user ON item_audit (operation_user, audit_id);
INSERT INTO item VALUES (6002, 'b', 1);
ALTER TABLE item_audit ADD COLUMN ticket text, ADD COLUMN place text DEFAULT 'here';
INSERT INTO item VALUES (6003, 'c', 1);
ALTER TABLE item_audit ADD COLUMN shout text GENERATED ALWAYS AS (upper(new_values->>'title')) STORED;
INSERT INTO item VALUES (6004, 'd', 1);
CREATE INDEX by_shout ON item_audit (lower(new_values->>'title')) WHERE id > 6000;
INSERT INTO item VALUES (6005, 'e', 1);
ALTER TABLE item_audit ADD CONSTRAINT no_sevens CHECK (new_values->>'price' <> '-7');
INSERT INTO item VALUES (6006, 'f', 1);
COMMIT;
\set VERBOSITY terse
INSERT INTO item VALUES (6007, 'g', -7);
\set VERBOSITY default
SELECT id, ticket, place, shout FROM item_audit WHERE id > 6000 ORDER BY audit_id;
SET enable_seqscan = off;
SELECT count(*) FROM item_audit WHERE lower(new_values->>'title') IN ('d', 'e', 'f') AND id > 6000;
RESET enable_seqscan;
ALTER TABLE item_audit DROP CONSTRAINT no_sevens, DROP COLUMN shout, ALTER COLUMN place DROP DEFAULT;
DROP INDEX by_shout;
INSERT INTO item VALUES (6008, 'h', -7);
SELECT id, ticket, place FROM item_audit WHERE id = 6008;
SELECT * FROM entries('item_audit');
BEGIN;
INSERT INTO item VALUES (6009, 'i', 1);
TRUNCATE item_audit;
INSERT INTO item VALUES (6010, 'j', 1);
DROP INDEX by_user;
INSERT INTO item VALUES (6011, 'k', 1);
COMMIT;
SELECT id, operation_type AS op FROM item_audit ORDER BY audit_id;
\set VERBOSITY terse
TRUNCATE item_audit;
ALTER TABLE item_audit ALTER COLUMN ticket SET NOT NULL;
INSERT INTO item VALUES (6012, 'l', 1);
ALTER TABLE item_audit DROP COLUMN ticket, DROP COLUMN changed_columns;
INSERT INTO item VALUES (6012, 'l', 1);
\set VERBOSITY default
ALTER TABLE item_audit ADD COLUMN changed_columns text[];
INSERT INTO item VALUES (6012, 'l', 1);
CREATE UNIQUE INDEX one_per_row ON item_audit (id) WHERE old_values IS NULL;
INSERT INTO item VALUES (6013, 'm', 1);
DELETE FROM item WHERE id = 6013;
INSERT INTO item VALUES (6013, 'again', 1);
SELECT id, operation_type AS op FROM item_audit ORDER BY audit_id;

-- Keys of any type, whose comparison may be a user's code, and keys that were converted after the
-- trail was made.
SET client_min_messages = notice;
CREATE DOMAIN code AS text CHECK (value <> '');
CREATE TYPE mood AS ENUM ('bad', 'good');
CREATE TYPE point2 AS (x int, y int);
CREATE TABLE kinds (a code, b mood, c point2, d text[], PRIMARY KEY (a, b, c, d));
SELECT bitvelocity.enable_audit('kinds');
INSERT INTO kinds VALUES ('k', 'good', (1, 2), '{x,y}'), ('l', 'bad', (3, 4), '{}');
UPDATE kinds SET a = 'm', c = (5, 6) WHERE a = 'l';
SELECT a, b, c, d, operation_type AS op, previous_key FROM kinds_audit ORDER BY audit_id;
SELECT operation_type, changed_columns
FROM bitvelocity.audit_history('kinds', '{"a": "l", "b": "bad", "c": {"x": 3, "y": 4}, "d": []}');
CREATE TABLE turned (id int PRIMARY KEY);
SELECT bitvelocity.enable_audit('turned');
INSERT INTO turned VALUES (1);
ALTER TABLE turned ALTER COLUMN id TYPE bigint;
INSERT INTO turned VALUES (2);
ALTER TABLE turned ALTER COLUMN id TYPE text;
-- What the trail's column cannot hold is not done.
INSERT INTO turned VALUES ('three');
UPDATE turned SET id = '4' WHERE id = '2';
SELECT id, operation_type AS op, new_values FROM turned_audit ORDER BY audit_id;

SET client_min_messages = warning;
DROP SCHEMA writes CASCADE;
