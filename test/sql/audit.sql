-- Audit columns, trail, context and history, as any server runs them: no preloaded library, no
-- pg_partman (trails are then one plain table).
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_bv_owner, regress_bv_clerk, regress_bv_thief;
RESET client_min_messages;
CREATE ROLE regress_bv_owner;
CREATE ROLE regress_bv_clerk;
CREATE ROLE regress_bv_thief;
CREATE SCHEMA shop AUTHORIZATION regress_bv_owner;
GRANT USAGE ON SCHEMA shop TO regress_bv_clerk, regress_bv_thief;
GRANT CREATE ON SCHEMA shop TO regress_bv_thief;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA bitvelocity TO regress_bv_owner;

-- Audit columns: existing rows stay NULL, new ones know who made them.
SET SESSION AUTHORIZATION regress_bv_owner;
CREATE TABLE shop.item (id int PRIMARY KEY, name text, secret text, note text, photo bytea);
INSERT INTO shop.item VALUES (1, 'old', 's1', 'n1', NULL);
SELECT bitvelocity.add_audit_columns('shop.item');
SELECT id, created_at, created_by, updated_by, version FROM shop.item;
SELECT bitvelocity.set_context('alice', is_local => false);
INSERT INTO shop.item (id, name, secret) VALUES (2, 'new', 's2');
SELECT id, created_at = updated_at IS NULL AS fresh, created_by, updated_by, version
FROM shop.item WHERE id = 2;
UPDATE shop.item SET name = 'newer', created_by = 'mallory', version = 99, updated_by = 'mallory'
WHERE id = 2;
SELECT id, created_by, updated_by, version FROM shop.item ORDER BY id;
-- What changes nothing is no change.
UPDATE shop.item SET name = name;
SELECT id, updated_by, version FROM shop.item ORDER BY id;
UPDATE shop.item SET name = 'touched' WHERE id = 1;
SELECT id, created_by, updated_by, version FROM shop.item WHERE id = 1;
-- deleted_by follows deleted_at.
UPDATE shop.item SET deleted_at = now() WHERE id = 1;
SELECT deleted_by FROM shop.item WHERE id = 1;
UPDATE shop.item SET deleted_at = NULL WHERE id = 1;
SELECT deleted_by FROM shop.item WHERE id = 1;

-- Optimistic lock: an update that carries an old version fails, one without a version passes.
CREATE TABLE shop.stock (id int PRIMARY KEY, pieces int);
SELECT bitvelocity.add_audit_columns('shop.stock', optimistic_lock => true);
INSERT INTO shop.stock VALUES (1, 10);
UPDATE shop.stock SET pieces = 9, version = 1 WHERE id = 1;
\set VERBOSITY sqlstate
UPDATE shop.stock SET pieces = 8, version = 1 WHERE id = 1;
\set VERBOSITY default
UPDATE shop.stock SET pieces = 8, version = 1 WHERE id = 1;
UPDATE shop.stock SET pieces = 7 WHERE id = 1;
SELECT pieces, version FROM shop.stock;

-- Soft delete: the row stays; a second DELETE, or one by a foreign key, is real.
CREATE TABLE shop.customer (id int PRIMARY KEY, name text);
CREATE TABLE shop.address (id int PRIMARY KEY,
    customer int REFERENCES shop.customer ON DELETE CASCADE);
SELECT bitvelocity.add_audit_columns('shop.customer', soft_delete => true);
SELECT bitvelocity.add_audit_columns('shop.address', soft_delete => true);
INSERT INTO shop.customer VALUES (1, 'a'), (2, 'b');
INSERT INTO shop.address VALUES (1, 1);
DELETE FROM shop.customer WHERE id = 1;
SELECT id, deleted_at IS NOT NULL AS deleted, deleted_by FROM shop.customer ORDER BY id;
SELECT count(*) AS addresses FROM shop.address;
DELETE FROM shop.customer WHERE id = 1;
SELECT count(*) AS customers FROM shop.customer;
SELECT count(*) AS addresses FROM shop.address;

-- Soft delete of partitioned tables, by whichever table, and rows that an UPDATE moves.
CREATE TABLE shop.parted (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE shop.parted_eu PARTITION OF shop.parted FOR VALUES IN ('eu');
CREATE TABLE shop.parted_us (region text NOT NULL, extra int, id int NOT NULL);
ALTER TABLE shop.parted_us DROP COLUMN extra;
ALTER TABLE shop.parted ATTACH PARTITION shop.parted_us FOR VALUES IN ('us');
SELECT bitvelocity.add_audit_columns('shop.parted', soft_delete => true);
CREATE TABLE shop.parted_asia PARTITION OF shop.parted FOR VALUES IN ('jp', 'kr')
    PARTITION BY LIST (region);
CREATE TABLE shop.parted_jp PARTITION OF shop.parted_asia FOR VALUES IN ('jp');
CREATE TABLE shop.parted_kr PARTITION OF shop.parted_asia FOR VALUES IN ('kr');
INSERT INTO shop.parted (id, region)
SELECT i, (ARRAY['eu', 'us', 'jp', 'kr'])[1 + i % 4] FROM generate_series(1, 12) i;
CREATE VIEW shop.parted_now AS
SELECT tableoid::regclass AS leaf, id, region, version, deleted_at IS NOT NULL AS deleted, deleted_by
FROM shop.parted;
DELETE FROM shop.parted WHERE id IN (1, 2);
DELETE FROM shop.parted_us WHERE id = 5;
DELETE FROM shop.parted_jp WHERE id = 6;
UPDATE shop.parted SET region = 'eu' WHERE id = 9;
UPDATE shop.parted SET region = 'kr' WHERE id IN (4, 10);
SELECT * FROM shop.parted_now ORDER BY id;
-- What is marked moves, too; a second DELETE is real.
UPDATE shop.parted SET region = 'us' WHERE id = 2;
DELETE FROM shop.parted WHERE id = 1;
SELECT * FROM shop.parted_now WHERE id < 3 ORDER BY id;
-- A move that is taken back, or that another trigger calls off, leaves nothing behind.
BEGIN;
SAVEPOINT s;
UPDATE shop.parted SET region = 'jp' WHERE id = 3;
ROLLBACK TO s;
DELETE FROM shop.parted WHERE id = 3;
COMMIT;
CREATE FUNCTION shop.call_off() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RETURN CASE WHEN NEW.region = ''jp'' AND NEW.deleted_at IS NULL THEN NULL ELSE NEW END; END';
CREATE TRIGGER zz_call_off BEFORE UPDATE ON shop.parted FOR EACH ROW EXECUTE FUNCTION shop.call_off();
BEGIN;
UPDATE shop.parted SET region = 'jp' WHERE id = 7;
DELETE FROM shop.parted WHERE id = 7;
COMMIT;
DO $$
BEGIN
    UPDATE shop.parted SET region = 'jp' WHERE id = 8;
    DELETE FROM shop.parted WHERE id = 8;
END $$;
SELECT * FROM shop.parted_now WHERE id IN (3, 7, 8) ORDER BY id;
-- A later trigger that runs statements of its own, and one that decides where the row goes.
CREATE OR REPLACE FUNCTION shop.call_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.deleted_at IS NULL THEN
        UPDATE shop.parted SET region = 'us' WHERE id = 11 AND NEW.id <> 11;
        NEW.region := 'us';
    END IF;
    RETURN NEW;
END $$;
UPDATE shop.parted SET region = 'eu' WHERE id = 12;
DROP TRIGGER zz_call_off ON shop.parted;
SELECT * FROM shop.parted_now WHERE id IN (11, 12) ORDER BY id;
MERGE INTO shop.parted p USING (VALUES (9, 'eu'), (10, 'us')) AS s (id, region) ON p.id = s.id
    WHEN MATCHED AND p.region = s.region THEN DELETE WHEN MATCHED THEN UPDATE SET region = s.region;
SELECT * FROM shop.parted_now WHERE id IN (9, 10) ORDER BY id;

-- The trail.
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_bv_owner;
SELECT bitvelocity.enable_audit('shop.item', redact => '{secret}', exclude => '{note}');
SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required
FROM pg_attribute a WHERE a.attrelid = 'shop.item_audit'::regclass AND a.attnum > 0
ORDER BY a.attnum;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'shop.item'::regclass ORDER BY tgname;
SELECT bitvelocity.set_context(is_local => false);

BEGIN;
SELECT bitvelocity.set_context('bob', '6f1b3a5e-7a7c-4a53-9f39-2d6f8f2f1c11',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
INSERT INTO shop.item (id, name, secret, note) VALUES (3, 'three', 'hush', 'not audited');
UPDATE shop.item SET name = 'drei' WHERE id = 3;
UPDATE shop.item SET name = 'drei' WHERE id = 3;
COMMIT;
UPDATE shop.item SET id = 30 WHERE id = 3;
DELETE FROM shop.item WHERE id = 30;
TRUNCATE shop.item;
SELECT id, operation_type AS op, operation_user AS who, actor, session_user_name = session_user AS me,
    correlation_id, traceparent IS NOT NULL AS traced, changed_columns, previous_key
FROM shop.item_audit ORDER BY audit_id;
SELECT id, operation_type AS op, old_values - '{created_at,updated_at}'::text[] AS old,
    new_values - '{created_at,updated_at}'::text[] AS new
FROM shop.item_audit ORDER BY audit_id;
SELECT count(DISTINCT transaction_id) AS transactions,
    bool_and(operation_timestamp BETWEEN now() - interval '1 hour' AND clock_timestamp()) AS timely
FROM shop.item_audit;

-- History of a row, under the name it had.
SELECT operation_type, operation_user, changed_columns FROM bitvelocity.audit_history('shop.item', '{"id": 3}');
SELECT operation_type, operation_user FROM bitvelocity.audit_history('shop.item', '{"id": 30}');
SELECT count(*) FROM bitvelocity.audit_history('shop.item', '{"id": 77}');
SELECT * FROM bitvelocity.audit_history('shop.item', '{"idd": 3}');
SELECT * FROM bitvelocity.audit_history('shop.item', '{}');
SELECT * FROM bitvelocity.audit_history('shop.stock', '{"id": 1}');

-- Whoever may write the table is recorded, but may neither read nor write the trail.
RESET SESSION AUTHORIZATION;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.item TO regress_bv_clerk;
SET SESSION AUTHORIZATION regress_bv_clerk;
INSERT INTO shop.item (id, name) VALUES (4, 'four');
SELECT count(*) FROM shop.item_audit;
INSERT INTO shop.item_audit (operation_type, operation_timestamp, operation_user, transaction_id,
    session_user_name) VALUES ('DELETE', now(), 'somebody else', pg_current_xact_id(), 'x');
SELECT bitvelocity.enable_audit('shop.stock');
RESET SESSION AUTHORIZATION;
SELECT operation_type, operation_user = session_user AS me FROM shop.item_audit WHERE id = 4;

-- The trigger's function serves nobody who was not told to.
SET SESSION AUTHORIZATION regress_bv_thief;
CREATE TABLE shop.bait (id int);
CREATE TRIGGER bait AFTER INSERT ON shop.bait FOR EACH ROW EXECUTE FUNCTION bitvelocity.audit_row();
INSERT INTO shop.bait VALUES (1);
CREATE TRIGGER odd BEFORE INSERT ON shop.bait FOR EACH ROW EXECUTE FUNCTION bitvelocity.audit_row();
INSERT INTO shop.bait VALUES (1);
DROP TABLE shop.bait;
-- A table planted where a trail will be is not written to.
CREATE TABLE shop.stock_audit (id int);
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION bitvelocity.enable_audit TO regress_bv_owner;
SET SESSION AUTHORIZATION regress_bv_owner;
SELECT bitvelocity.enable_audit('shop.stock');
RESET SESSION AUTHORIZATION;
DROP TABLE shop.stock_audit;

-- Only what changed; tables without a key; columns that are renamed, added and dropped.
SET SESSION AUTHORIZATION regress_bv_owner;
CREATE TABLE shop.loose (a int, b text, c text);
SELECT bitvelocity.enable_audit('shop.loose', columns => 'changed');
INSERT INTO shop.loose VALUES (1, 'x', NULL), (2, NULL, NULL);
UPDATE shop.loose SET c = 'now' WHERE a = 1;
ALTER TABLE shop.loose RENAME COLUMN b TO bee;
ALTER TABLE shop.loose ADD COLUMN d numeric(8,2);
ALTER TABLE shop.loose DROP COLUMN c;
UPDATE shop.loose SET bee = 'y', d = 1.5 WHERE a = 2;
DELETE FROM shop.loose WHERE a = 1;
SELECT operation_type AS op, old_values, new_values, changed_columns FROM shop.loose_audit ORDER BY audit_id;
-- Without a key the old row is kept whole: nothing else tells which row it was.
SELECT operation_type AS op FROM bitvelocity.audit_history('shop.loose', '{"a": 2}');

-- Partitioned tables: one trail, whichever way the rows come.
CREATE TABLE shop.sale (id int, region text, amount numeric, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE shop.sale_eu PARTITION OF shop.sale FOR VALUES IN ('eu');
CREATE TABLE shop.sale_us (amount numeric, region text NOT NULL, extra int, id int NOT NULL);
ALTER TABLE shop.sale_us DROP COLUMN extra;
ALTER TABLE shop.sale ATTACH PARTITION shop.sale_us FOR VALUES IN ('us');
SELECT bitvelocity.enable_audit('shop.sale_eu');
SELECT bitvelocity.enable_audit('shop.sale');
INSERT INTO shop.sale VALUES (1, 'eu', 1.5), (2, 'us', 2);
INSERT INTO shop.sale_us (id, region, amount) VALUES (3, 'us', 3);
CREATE TABLE shop.sale_jp PARTITION OF shop.sale FOR VALUES IN ('jp');
INSERT INTO shop.sale VALUES (4, 'jp', 4);
UPDATE shop.sale SET amount = 20 WHERE id = 2;
UPDATE shop.sale SET region = 'eu' WHERE id = 2;
SELECT id, region, operation_type AS op, old_values, new_values FROM shop.sale_audit ORDER BY audit_id;

-- A name that the trail itself uses; COPY, ON CONFLICT, MERGE and a rolled back savepoint.
CREATE TABLE shop.clash (audit_id int, actor text, v int, PRIMARY KEY (audit_id, actor));
SELECT bitvelocity.enable_audit('shop.clash');
COPY shop.clash FROM stdin WITH (FORMAT csv);
1,a,1
2,b,2
\.
INSERT INTO shop.clash VALUES (1, 'a', 10), (3, 'c', 3) ON CONFLICT (audit_id, actor) DO UPDATE SET v = excluded.v;
BEGIN;
SAVEPOINT s;
DELETE FROM shop.clash;
ROLLBACK TO s;
MERGE INTO shop.clash t USING (VALUES (1), (2)) AS s (id) ON t.audit_id = s.id
    WHEN MATCHED AND s.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 0;
COMMIT;
SELECT key_audit_id, key_actor, operation_type AS op, new_values->'v' AS v FROM shop.clash_audit ORDER BY audit_id;

-- Replicated changes are recorded, too: the triggers fire always.
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
INSERT INTO shop.clash VALUES (9, 'z', 9);
RESET session_replication_role;
SELECT count(*) AS replicated FROM shop.clash_audit WHERE key_audit_id = 9;

-- The trail's values do not depend on the session's settings.
SET SESSION AUTHORIZATION regress_bv_owner;
CREATE TABLE shop.forms (id int PRIMARY KEY, at timestamptz, span interval, ratio float8, raw bytea, price money);
SELECT bitvelocity.enable_audit('shop.forms');
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Tokyo';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -5;
SET bytea_output = escape;
INSERT INTO shop.forms VALUES (1, '2026-01-02 03:04:05.6+00', '1 day 02:03:04', 0.1::float8 + 0.2, '\x00ff', 12.5);
RESET datestyle; RESET timezone; RESET intervalstyle; RESET extra_float_digits; RESET bytea_output;
SELECT new_values FROM shop.forms_audit;

-- Wrong arguments.
SELECT bitvelocity.enable_audit('shop.stock', mode => 'wal');
SELECT bitvelocity.enable_audit('shop.stock', columns => 'some');
SELECT bitvelocity.enable_audit('shop.stock', exclude => '{peces}');
SELECT bitvelocity.enable_audit('shop.stock', redact => '{id}');
\set VERBOSITY terse
SELECT bitvelocity.enable_audit('shop.stock', retention => '1 year');
\set VERBOSITY default
SELECT bitvelocity.enable_audit('shop.item');
SELECT bitvelocity.enable_audit(NULL);
SELECT bitvelocity.set_context(traceparent => 'nonsense');
\set VERBOSITY sqlstate
SELECT bitvelocity.set_context(repeat('x', 1025));
\set VERBOSITY default

-- Off, and on again: the trail goes on.
SELECT bitvelocity.disable_audit('shop.clash');
INSERT INTO shop.clash VALUES (100, 'unseen', 1);
SELECT count(*) AS unseen FROM shop.clash_audit WHERE key_audit_id = 100;
SELECT bitvelocity.enable_audit('shop.clash');
INSERT INTO shop.clash VALUES (101, 'seen', 1);
SELECT count(*) AS seen FROM shop.clash_audit WHERE key_audit_id = 101;
SELECT bitvelocity.disable_audit('shop.clash', drop_trail => true);
SELECT to_regclass('shop.clash_audit') IS NULL AS gone;
SELECT bitvelocity.disable_audit('shop.clash');
-- A trail dropped by hand is named in the error.
DROP TABLE shop.loose_audit;
INSERT INTO shop.loose VALUES (5, 'v', 1);
SELECT bitvelocity.disable_audit('shop.loose');
INSERT INTO shop.loose VALUES (5, 'v', 1);

-- A table that was dropped leaves its trail to its successor.
DROP TABLE shop.forms;
CREATE TABLE shop.forms (id int PRIMARY KEY);
SELECT bitvelocity.enable_audit('shop.forms');
INSERT INTO shop.forms VALUES (2);
SELECT id, operation_type FROM shop.forms_audit ORDER BY audit_id;

-- A renamed table keeps its trail, which nobody else gets.
ALTER TABLE shop.forms RENAME TO old_forms;
CREATE TABLE shop.forms (id int PRIMARY KEY);
SELECT bitvelocity.enable_audit('shop.forms');
ALTER TABLE shop.forms_audit RENAME TO old_forms_audit;
SELECT bitvelocity.enable_audit('shop.forms');
INSERT INTO shop.old_forms VALUES (3);
INSERT INTO shop.forms VALUES (4);
SELECT id FROM shop.old_forms_audit ORDER BY audit_id;
SELECT id FROM shop.forms_audit ORDER BY audit_id;

-- Keys under names that the trail has taken, renamed keys, and an update that is none.
CREATE TABLE shop.twins (actor int, key_actor int, twice int GENERATED ALWAYS AS (actor * 2) STORED,
    PRIMARY KEY (actor, key_actor));
SELECT bitvelocity.add_audit_columns('shop.twins');
SELECT bitvelocity.enable_audit('shop.twins', exclude => '{created_at,updated_at,created_by,updated_by}');
INSERT INTO shop.twins VALUES (1, 1);
UPDATE shop.twins SET key_actor = 1;
UPDATE shop.twins SET key_actor = 2;
ALTER TABLE shop.twins RENAME COLUMN key_actor TO "other one";
UPDATE shop.twins SET "other one" = 3;
SELECT key_key_actor, key_actor, operation_type AS op, previous_key, new_values FROM shop.twins_audit ORDER BY audit_id;
SELECT operation_type, changed_columns FROM bitvelocity.audit_history('shop.twins', '{"actor": 1, "other one": 2}');

-- A trigger that calls the update of a soft delete off keeps the row.
CREATE FUNCTION shop.veto() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zz_veto BEFORE UPDATE ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.veto();
DELETE FROM shop.customer;
SELECT id, deleted_at IS NULL AS untouched FROM shop.customer;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bitvelocity FROM regress_bv_owner;
DROP ROLE regress_bv_owner, regress_bv_clerk, regress_bv_thief;
