-- partition_table() over pg_partman, partitions of trails, and the months that writers make themselves.
\set ECHO none
SET client_min_messages = warning;
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
DROP ROLE IF EXISTS pgtap_partition_owner, pgtap_partition_writer;
CREATE ROLE pgtap_partition_owner;
CREATE ROLE pgtap_partition_writer;
CREATE SCHEMA shop AUTHORIZATION pgtap_partition_owner;
GRANT USAGE ON SCHEMA shop TO pgtap_partition_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA bitvelocity TO pgtap_partition_owner;

CREATE FUNCTION leaves(target regclass) RETURNS bigint LANGUAGE sql AS
    'SELECT count(*) FROM pg_inherits WHERE inhparent = $1';
CREATE FUNCTION default_leaf(target regclass) RETURNS boolean LANGUAGE sql AS
    $$SELECT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1
      AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT')$$;

-- pg_partman 4 calls a month <table>_p2010_12, 5 calls it <table>_p20101201.
CREATE FUNCTION month_of(target text, month date) RETURNS text LANGUAGE sql AS $$
    SELECT target || to_char(month, CASE WHEN extversion ~ '^4' THEN '"_p"YYYY_MM' ELSE '"_p"YYYYMMDD' END)
    FROM pg_extension WHERE extname = 'pg_partman' $$;

SELECT plan(57);

-- Rights
SET ROLE pgtap_partition_owner;
CREATE TABLE shop.ready (id int, day date) PARTITION BY RANGE (day);
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.ready', 'day')$$, '42501', NULL,
    'an owner without rights on pg_partman is told so');
RESET ROLE;
GRANT ALL ON SCHEMA partman TO pgtap_partition_owner;
GRANT ALL ON ALL TABLES IN SCHEMA partman TO pgtap_partition_owner;
GRANT EXECUTE ON FUNCTION bitvelocity.partition_table TO pgtap_partition_writer;
SET ROLE pgtap_partition_writer;
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.ready', 'day')$$, '42501', NULL,
    'only the owner may partition a table');
RESET ROLE;

-- A table that is partitioned by RANGE already
SET ROLE pgtap_partition_owner;
SELECT lives_ok($$SELECT bitvelocity.partition_table('shop.ready', 'day')$$, 'a RANGE-partitioned table is taken over');
SELECT is(leaves('shop.ready'), 10::bigint, 'four before, the running one, four ahead and a default partition');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'shop.ready'::regclass AND c.relowner <> 'pgtap_partition_owner'::regrole),
    0::bigint, 'partitions belong to the owner of the table');
SELECT ok(default_leaf('shop.ready'), 'with a default partition');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.ready', 'day')$$, '42710', NULL, 'not twice');
CREATE TABLE shop.daily (id int, at timestamptz) PARTITION BY RANGE (at);
SELECT lives_ok($$SELECT bitvelocity.partition_table('shop.daily', 'at', '1 day', premake => 2,
    default_partition => false, retention => '90 days')$$, 'by day, without a default partition');
SELECT ok(NOT default_leaf('shop.daily'), 'there is none');
SELECT is(leaves('shop.daily'), 5::bigint, 'premake counts');
RESET ROLE;
SELECT is((SELECT retention FROM partman.part_config WHERE parent_table = 'shop.daily')::interval, '90 days'::interval,
    'retention is handed over');
SELECT is((SELECT infinite_time_partitions FROM partman.part_config WHERE parent_table = 'shop.daily'), true,
    'partitions come ahead of an idle table, too');

-- An empty plain table
SET ROLE pgtap_partition_owner;
CREATE TABLE shop.customer (id int PRIMARY KEY);
CREATE TABLE shop.plain (id serial, day date DEFAULT CURRENT_DATE, customer int REFERENCES shop.customer,
    amount numeric CHECK (amount > 0), note text, n int GENERATED ALWAYS AS IDENTITY,
    twice numeric GENERATED ALWAYS AS (amount * 2) STORED, PRIMARY KEY (id, day));
CREATE INDEX ON shop.plain (note);
COMMENT ON TABLE shop.plain IS 'kept';
COMMENT ON COLUMN shop.plain.note IS 'kept, too';
GRANT SELECT ON shop.plain TO pgtap_partition_writer;
GRANT UPDATE (note) ON shop.plain TO pgtap_partition_writer;
SELECT bitvelocity.add_audit_columns('shop.plain');
ALTER TABLE shop.plain ENABLE ALWAYS TRIGGER bitvelocity_stamp;
SELECT lives_ok($$SELECT bitvelocity.partition_table('shop.plain', 'day', since => '2010-12-01')$$,
    'an empty plain table becomes partitioned in place');
SELECT is((SELECT relkind FROM pg_class WHERE oid = 'shop.plain'::regclass), 'p', 'it is partitioned now');
SELECT has_index('shop', 'plain', 'plain_pkey', ARRAY['id', 'day'], 'its key keeps its name');
SELECT has_index('shop', 'plain', 'plain_note_idx', ARRAY['note'], 'its index, too');
SELECT is(obj_description('shop.plain'::regclass), 'kept', 'its comment');
SELECT is(col_description('shop.plain'::regclass, 5), 'kept, too', 'a column''s comment');
SELECT ok(has_table_privilege('pgtap_partition_writer', 'shop.plain', 'SELECT'), 'its grants');
SELECT ok(has_column_privilege('pgtap_partition_writer', 'shop.plain', 'note', 'UPDATE'), 'grants on columns');
SELECT is((SELECT tgenabled::text FROM pg_trigger WHERE tgrelid = 'shop.plain'::regclass
           AND tgname = 'bitvelocity_stamp'), 'A', 'its triggers, enabled as they were');
SELECT throws_ok($$INSERT INTO shop.plain (customer, amount) VALUES (7, 1)$$, '23503', NULL, 'its foreign keys');
SELECT throws_ok($$INSERT INTO shop.plain (amount) VALUES (-1)$$, '23514', NULL, 'its checks');
SELECT lives_ok($$INSERT INTO shop.plain (day, amount) VALUES ('2011-03-05', 4), (DEFAULT, 5)$$,
    'rows find their partitions, old ones, too');
SELECT is((SELECT array_agg(ROW (twice, n, id IS NOT NULL)::text ORDER BY n) FROM shop.plain),
    ARRAY['(8,3,t)', '(10,4,t)'], 'generated, identity and serial columns work');
SELECT is((SELECT count(*) FROM ONLY shop.plain_default), 0::bigint, 'none went to the default partition');
SELECT lives_ok($$DROP TABLE shop.plain$$, 'its sequence belongs to it');
SELECT is(to_regclass('shop.plain_id_seq'), NULL, 'and goes with it');

-- Partitions of the past, for tables that will be filled with old rows
CREATE TABLE shop.past (id int, at timestamptz) PARTITION BY RANGE (at);
SELECT lives_ok($$SELECT bitvelocity.partition_table('shop.past', 'at', since => '2010-12-17 10:00', until => '2012-01-01')$$,
    'a span of the past');
SELECT is(leaves('shop.past'), 23::bigint, 'thirteen months of it, nine around now, a default partition');
SELECT lives_ok($$INSERT INTO shop.past VALUES (1, '2010-12-01'), (2, '2011-12-31 23:59'), (3, '2012-01-01'), (4, now())$$,
    'old rows and new ones');
SELECT results_eq($$SELECT id, tableoid::regclass::text FROM shop.past WHERE id < 4 ORDER BY id$$,
    $$VALUES (1, month_of('shop.past', '2010-12-01')), (2, month_of('shop.past', '2011-12-01')), (3, 'shop.past_default')$$,
    'each in its month; what nobody asked for is in the default partition');
SELECT isnt((SELECT tableoid::regclass::text FROM shop.past WHERE id = 4), 'shop.past_default', 'and in the running one');
CREATE TABLE shop.weeks (id int, day date);
CREATE TABLE shop.viewed (id int, day date);
SELECT lives_ok($$SELECT bitvelocity.partition_table('shop.weeks', 'day', '7 days', premake => 2, default_partition => false,
    since => now() - interval '100 weeks', until => now() + interval '10 weeks')$$, 'from the past into the future');
SELECT ok(leaves('shop.weeks') BETWEEN 110 AND 112, 'as many weeks as there are');
SELECT lives_ok($$INSERT INTO shop.weeks SELECT 1, d FROM generate_series(now() - interval '100 weeks',
    now() + interval '69 days', '1 day') d$$, 'without a gap');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.viewed', 'day', until => '2012-01-01')$$, '22023', NULL,
    'until without since');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.viewed', 'day', since => '2012-01-01', until => '2011-01-01')$$,
    '22023', NULL, 'until before since');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.viewed', 'day', since => '-infinity')$$, '22023', NULL, 'no end');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.viewed', 'day', '1 hour', since => '2010-12-01')$$, '54000', NULL,
    'more than can be made at once');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.viewed', 'day', retention => '1 year', since => '2010-12-01')$$,
    '22023', NULL, 'a past that retention would drop');

-- What cannot be
CREATE TABLE shop.filled (id int, day date);
INSERT INTO shop.filled VALUES (1, '2026-01-01');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.filled', 'day')$$, '55000', NULL, 'a filled table is refused');
CREATE VIEW shop.view AS SELECT * FROM shop.viewed;
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.viewed', 'day')$$, '55000', NULL,
    'a table that a view depends on is refused');
CREATE TABLE shop.keyed (id int PRIMARY KEY, day date);
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.keyed', 'day')$$, '42P16', NULL,
    'a key without the control column is refused');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.keyed', 'dya')$$, '42703', NULL, 'a column that is not there');
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.keyed', 'id')$$, '42804', NULL, 'a column that is no time');
CREATE TABLE shop.listed (id int, day date) PARTITION BY LIST (day);
SELECT throws_ok($$SELECT bitvelocity.partition_table('shop.listed', 'day')$$, '42P16', NULL, 'another kind of partitioning');
RESET ROLE;

-- The steps of the HINT work as they stand.
CREATE FUNCTION hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE h text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS h = PG_EXCEPTION_HINT;
    RETURN h;
END $$;
CREATE FUNCTION follow(hint text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE step text;
BEGIN
    FOR step IN SELECT s FROM regexp_split_to_table(substring(hint, 'BEGIN; (.*) COMMIT;'), ';') s WHERE s ~ '\S' LOOP
        EXECUTE step;
    END LOOP;
END $$;
SELECT lives_ok($$SELECT follow(hint_of('SELECT bitvelocity.partition_table(''shop.filled'', ''day'')'))$$,
    'the HINT for a filled table can be followed');
SELECT is((SELECT tableoid::regclass::text FROM shop.filled), month_of('shop.filled', '2026-01-01'), 'its row is in its month');

-- Trails: months ahead, no default partition, and the one that is missing is made by the write.
SET ROLE pgtap_partition_owner;
CREATE TABLE shop.orders (id int PRIMARY KEY, v text);
SELECT bitvelocity.enable_audit('shop.orders', retention => '2 years');
SELECT is(leaves('shop.orders_audit'), 5::bigint, 'a trail has the running month and four ahead');
GRANT INSERT, UPDATE, SELECT ON shop.orders TO pgtap_partition_writer;
DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE %s', string_agg(inhrelid::regclass::text, ', ')) FROM pg_inherits
    WHERE inhparent = 'shop.orders_audit'::regclass); END $$;
RESET ROLE;
SET ROLE pgtap_partition_writer;
SELECT lives_ok($$INSERT INTO shop.orders VALUES (1, 'a')$$, 'a write does not fail for lack of a month');
RESET ROLE;
SELECT is(leaves('shop.orders_audit'), 1::bigint, 'it has made it');
SELECT is((SELECT c.relowner::regrole::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE inhparent = 'shop.orders_audit'::regclass), 'pgtap_partition_owner', 'as the owner of the table');
DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE %s', string_agg(inhrelid::regclass::text, ', ')) FROM pg_inherits
    WHERE inhparent = 'shop.orders_audit'::regclass); END $$;
SELECT lives_ok($$INSERT INTO shop.orders SELECT 2 + count(*), 'from the trail' FROM shop.orders_audit$$,
    'also in a statement that reads the trail');
SELECT is((SELECT count(*) FROM shop.orders_audit), 1::bigint, 'and the row is there');

-- The view, and the tasks that keep it so (their figures appear once workers run).
SELECT results_eq($$SELECT relation::text, managed_by, control::text COLLATE "default", every, premake, retention, has_default
    FROM bitvelocity.partition_status WHERE relation::text IN ('shop.ready', 'shop.daily', 'shop.orders_audit') ORDER BY 1$$,
    $$VALUES ('shop.daily', 'pg_partman', 'at', interval '1 day', 2, interval '90 days', false),
             ('shop.orders_audit', 'bitvelocity', 'operation_timestamp', interval '1 month', 4, interval '2 years', false),
             ('shop.ready', 'pg_partman', 'day', interval '1 month', 4, NULL, true)$$,
    'partition_status shows every set');
SELECT is((SELECT count(*) FROM bitvelocity.partition_status WHERE relation = 'shop.daily'::regclass
           AND oldest_bound < now() AND newest_bound > now()), 1::bigint, 'with its bounds');

SELECT * FROM finish();
DROP SCHEMA shop CASCADE;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bitvelocity FROM pgtap_partition_owner, pgtap_partition_writer;
DROP OWNED BY pgtap_partition_owner, pgtap_partition_writer;
DROP ROLE pgtap_partition_owner, pgtap_partition_writer;
