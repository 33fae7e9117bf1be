-- Trails: values of every type, rights, savepoints, large values, concurrent shapes. What can be shown
-- as plain output is in test/sql/audit.sql.
\set ECHO none
SET client_min_messages = warning;
DROP ROLE IF EXISTS pgtap_audit_owner, pgtap_audit_writer;
CREATE ROLE pgtap_audit_owner;
CREATE ROLE pgtap_audit_writer;
CREATE EXTENSION hstore;
CREATE SCHEMA shop AUTHORIZATION pgtap_audit_owner;
GRANT USAGE ON SCHEMA shop TO pgtap_audit_writer;
SET search_path = public, shop;
SET timezone = 'UTC';
SET extra_float_digits = 3;
SELECT plan(25);

-- Every type: the trail's value is to_jsonb of the row.
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE TYPE pair AS (a int, "B c" text, d timestamptz[]);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN doc AS jsonb;
CREATE DOMAIN words AS text[];
CREATE TYPE span AS RANGE (subtype = numeric);
CREATE TABLE every_type (id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, t text,
    v varchar(10), c char(8), ch "char", nm name, by bytea, d date, ts timestamp, tz timestamptz, tm time, tmz timetz,
    iv interval, u uuid, j json, jb jsonb, x xml, i inet, ci cidr, m macaddr, mo money, bi bit(5), vb varbit, p point,
    r int4range, mr int4multirange, sp span, tv tsvector, tq tsquery, ia int[], ta text[], ja jsonb[], da date[],
    pr pair, pra pair[], po positive, dc doc, w words, md mood, mda mood[], hs hstore, ov oidvector, rc regclass,
    l pg_lsn, x8 xid8, o oid);
SELECT bitvelocity.enable_audit('every_type');
INSERT INTO every_type (id) VALUES (1);
INSERT INTO every_type VALUES (2, true, -32768, 9223372036854775807, 1.1, 1e-300,
    123456789012345678901234567890.12345678900, E'tab\tq"\\ü€😀', 'v', 'pad', 'x', 'nm', '\xdeadbeef', '2026-02-28',
    '2026-02-28 01:02:03.004', '2026-02-28 01:02:03.004+05:30', '01:02:03', '01:02:03+02',
    '1 year 2 mons -3 days 04:05:06.7', gen_random_uuid(), '{"a": [1, 2.50, {"b": null}], "a": 2, "z": "\u00e9"}',
    '{"k": [true, 1e3, "s"], "kk": {}}', '<a>1</a>', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', 1234.5, B'10101',
    B'101', '(1,2)', '[1,5)', '{[1,3),[5,7)}', '[1.5,2.5]', 'a:1 b:2', 'a & b', '{{1,2},{3,null}}',
    '{"a b",NULL,"q\"x"}', ARRAY['{"a":1}'::jsonb, '3'], '{2026-01-01,infinity}',
    ROW (1, 'x,y "q"', ARRAY['2026-01-01'::timestamptz]), ARRAY[ROW (1, NULL, NULL)::pair, NULL], 5, '[1,2]', '{x,y}',
    'it''s "ok"', '{sad}', 'a=>1, b=>NULL', '1 2 3', 'pg_class', '0/16B3748', '5000000000', 42);
INSERT INTO every_type (id, b, f4, f8, n, d, ts, tz, j, jb, ia, i8) VALUES
    (3, false, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', 'infinity', '"scalar"', 'null', '{}', -5);
INSERT INTO every_type (id, f4, f8, n, d, ts, tz, j, jb) VALUES
    (4, 'Infinity', '1e22', '-0.000', '0044-03-15 BC', '0044-03-15 12:00 BC', '0044-03-15 12:00:00.5+00 BC', '[]', '"x"'),
    (5, 0, -0.0, 'Infinity', '20000-01-01', '20000-01-01 00:00', '20000-01-01 00:00+00', '  7e2 ', '{}');
SELECT is_empty($$SELECT e.id, k.key, k.value, a.new_values->k.key FROM every_type e JOIN every_type_audit a USING (id),
    jsonb_each(to_jsonb(e)) k WHERE k.value IS DISTINCT FROM a.new_values->k.key$$, 'every value equals to_jsonb of the row');
SELECT is_empty($$SELECT e.id FROM every_type e JOIN every_type_audit a USING (id)
    WHERE to_jsonb(e)::text <> a.new_values::text$$, 'the whole row does, to the last digit');

-- What jsonb cannot hold does not fail the write.
CREATE TABLE odd (id int PRIMARY KEY, j json);
SELECT bitvelocity.enable_audit('odd');
SELECT lives_ok($$INSERT INTO odd VALUES (1, '{"a": "\u0000"}'), (2, '1e400000'), (3, '{"fine": 1}')$$,
    'json that jsonb refuses is recorded');
SELECT is((SELECT array_agg(jsonb_typeof(new_values->'j') ORDER BY id) FROM odd_audit), ARRAY['string', 'string', 'object'],
    'as its text');

-- Large values: an unchanged one is not looked at, a changed one is recorded.
CREATE TABLE large (id int PRIMARY KEY, body text, n int);
ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
SELECT bitvelocity.enable_audit('large', columns => 'changed');
INSERT INTO large VALUES (1, repeat('x', 100000), 1);
UPDATE large SET n = 2;
UPDATE large SET body = body || 'y';
UPDATE large SET body = body;
SELECT results_eq($$SELECT operation_type, changed_columns, length(new_values->>'body') FROM large_audit ORDER BY audit_id$$,
    $$VALUES ('INSERT', NULL::text[], 100000), ('UPDATE', '{n}', NULL), ('UPDATE', '{body}', 100001)$$,
    'only what changed of a TOASTed row');

-- A role that writes needs no right on the trail and cannot write it, whatever it owns beside.
RESET search_path;
CREATE TABLE shop.orders (id int PRIMARY KEY, v text);
ALTER TABLE shop.orders OWNER TO pgtap_audit_owner;
SELECT bitvelocity.enable_audit('shop.orders');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'shop.orders_audit'::regclass), 'pgtap_audit_owner',
    'a superuser who enables an audit makes the trail the owner''s');
GRANT INSERT, UPDATE, DELETE, SELECT, TRUNCATE ON shop.orders TO pgtap_audit_writer;
SET SESSION AUTHORIZATION pgtap_audit_writer;
SELECT lives_ok($$INSERT INTO shop.orders VALUES (1, 'a'); UPDATE shop.orders SET v = 'b'; DELETE FROM shop.orders;
    TRUNCATE shop.orders$$, 'it may write the table');
SELECT throws_ok($$SELECT 1 FROM shop.orders_audit$$, '42501', NULL, 'but not read the trail');
SELECT throws_ok($$DELETE FROM shop.orders_audit$$, '42501', NULL, 'nor change it');
SELECT throws_ok($$SELECT 1 FROM bitvelocity.audit_table$$, '42501', NULL, 'nor look at what is audited');
SELECT throws_ok($$UPDATE bitvelocity.audit_table SET trail = 0$$, '42501', NULL, 'nor change that');
RESET SESSION AUTHORIZATION;
SELECT results_eq($$SELECT operation_type, operation_user, session_user_name FROM shop.orders_audit ORDER BY audit_id$$,
    $$VALUES ('INSERT', 'pgtap_audit_writer', 'pgtap_audit_writer'), ('UPDATE', 'pgtap_audit_writer', 'pgtap_audit_writer'),
             ('DELETE', 'pgtap_audit_writer', 'pgtap_audit_writer'), ('TRUNCATE', 'pgtap_audit_writer', 'pgtap_audit_writer')$$,
    'and is recorded');

-- Code of the table's owner that a trail row runs is the owner's, in a restricted operation.
CREATE TABLE shop.seen (who text);
GRANT INSERT ON shop.seen TO pgtap_audit_owner, pgtap_audit_writer;
CREATE FUNCTION shop.spy(jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.seen VALUES (current_user);
    BEGIN
        SET LOCAL ROLE NONE;
        INSERT INTO shop.seen VALUES ('escaped as ' || current_user);
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    RETURN true;
END $$;
ALTER TABLE shop.orders_audit ADD CONSTRAINT spied CHECK (shop.spy(new_values)) NOT VALID;
INSERT INTO shop.orders VALUES (2, 'c');
SELECT set_eq('SELECT who FROM shop.seen', ARRAY['pgtap_audit_owner'], 'a CHECK of the trail runs as its owner only');
SELECT is(current_user::text, session_user::text, 'and leaves the caller''s role alone');
ALTER TABLE shop.orders_audit DROP CONSTRAINT spied;

-- A constraint that the owner puts on the trail holds; the whole statement fails, loudly.
ALTER TABLE shop.orders_audit ADD CONSTRAINT no_vetoes CHECK (new_values->>'v' IS DISTINCT FROM 'veto');
SELECT throws_ok($$INSERT INTO shop.orders VALUES (3, 'veto')$$, '23514', NULL, 'what cannot be recorded is not done');
SELECT is((SELECT count(*) FROM shop.orders WHERE id = 3), 0::bigint, 'not at all');
ALTER TABLE shop.orders_audit DROP CONSTRAINT no_vetoes;
-- More columns, with defaults and generated, are the owner's business.
ALTER TABLE shop.orders_audit ADD region text DEFAULT 'eu', ADD size int GENERATED ALWAYS AS (length(operation_user)) STORED;
INSERT INTO shop.orders VALUES (4, 'd');
SELECT is((SELECT ROW (region, size > 0)::text FROM shop.orders_audit WHERE id = 4), '(eu,t)', 'added columns get their defaults');

-- Rolled back work leaves no row, and its savepoint no broken plan.
BEGIN;
INSERT INTO shop.orders VALUES (5, 'kept');
SAVEPOINT s;
INSERT INTO shop.orders VALUES (6, 'undone');
ALTER TABLE shop.orders ADD extra int;
INSERT INTO shop.orders VALUES (7, 'undone', 7);
ROLLBACK TO s;
INSERT INTO shop.orders VALUES (8, 'kept');
COMMIT;
SELECT results_eq($$SELECT id, new_values::text FROM shop.orders_audit WHERE id >= 5 ORDER BY audit_id$$,
    $$VALUES (5, '{"v": "kept", "id": 5}'), (8, '{"v": "kept", "id": 8}')$$, 'savepoints');

-- The key's type may change.
ALTER TABLE shop.orders ALTER id TYPE bigint;
SELECT lives_ok($$INSERT INTO shop.orders VALUES (9, 'bigint')$$, 'a key column that became another type is still recorded');
SELECT is((SELECT new_values->>'v' FROM bitvelocity.audit_history('shop.orders', '{"id": 9}')), 'bigint', 'and found');

-- A deferred key, a cascade and a self reference: every row of them.
CREATE TABLE shop.parent (id int PRIMARY KEY, up int REFERENCES shop.parent ON DELETE CASCADE);
SELECT bitvelocity.enable_audit('shop.parent');
INSERT INTO shop.parent VALUES (1, NULL), (2, 1), (3, 2);
DELETE FROM shop.parent WHERE id = 1;
SELECT is((SELECT count(*) FROM shop.parent_audit WHERE operation_type = 'DELETE'), 3::bigint, 'cascades are recorded');

-- Context is transaction-local unless asked otherwise, and costs a reader no transaction id.
BEGIN;
SELECT bitvelocity.set_context('local');
SELECT is(pg_current_xact_id_if_assigned(), NULL, 'set_context writes nothing');
SELECT is(bitvelocity.current_actor(), 'local', 'it is the actor');
COMMIT;
SELECT is(bitvelocity.current_actor(), session_user::text, 'until the end of the transaction');
SELECT bitvelocity.set_context('session', is_local => false);
SELECT is(bitvelocity.current_actor(), 'session', 'or of the session');

SELECT * FROM finish();
DROP SCHEMA shop CASCADE;
DROP ROLE pgtap_audit_owner, pgtap_audit_writer;
