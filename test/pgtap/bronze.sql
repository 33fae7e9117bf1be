-- Bronze tables as the embedded stream writes them, and the maintenance of partitions by task workers.
-- (Values of every type: test/t/21_stream_values.sh.)
\set ECHO none
SET client_min_messages = warning;
DROP ROLE IF EXISTS pgtap_bronze_owner;
CREATE ROLE pgtap_bronze_owner;
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
GRANT ALL ON SCHEMA partman TO pgtap_bronze_owner;
GRANT ALL ON ALL TABLES IN SCHEMA partman TO pgtap_bronze_owner;
CREATE SCHEMA shop AUTHORIZATION pgtap_bronze_owner;
SELECT plan(19);

-- Polls until the query is true; false after a minute, where nothing will come any more.
CREATE FUNCTION becomes_true(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    yes boolean;
    give_up timestamptz := clock_timestamp() + interval '1 minute';
BEGIN
    LOOP
        EXECUTE query INTO yes;
        EXIT WHEN yes OR clock_timestamp() > give_up;
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN coalesce(yes, false);
END $$;

CREATE TABLE shop.orders (id int PRIMARY KEY, v text, big text);
ALTER TABLE shop.orders ALTER big SET STORAGE EXTERNAL;
ALTER TABLE shop.orders OWNER TO pgtap_bronze_owner;
SELECT is(bitvelocity.create_bronze('shop.orders')::text, 'shop.bronze_orders', 'bronze is made beside the table');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'shop.bronze_orders'::regclass), 'pgtap_bronze_owner',
    'and belongs to its owner');
SELECT col_is_pk('shop', 'bronze_orders', ARRAY['sequence', 'ingestion_date'], 'its key');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 'shop.bronze_orders'::regclass), 5::bigint,
    'the running month and four ahead');
SELECT is((SELECT array_agg(DISTINCT tgenabled::text) FROM pg_trigger WHERE tgname = 'bitvelocity_sequence'), ARRAY['A'],
    'the sequence trigger fires always, on every partition');
SELECT ok(bitvelocity.wait_for_stream('bronze'), 'the stream runs');

-- The writer makes its month.
DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE %s', string_agg(inhrelid::regclass::text, ', ')) FROM pg_inherits
    WHERE inhparent = 'shop.bronze_orders'::regclass); END $$;
INSERT INTO shop.orders VALUES (1, 'a', repeat('x', 10000));
SELECT ok(bitvelocity.wait_for_stream('bronze'), 'a month that is missing stops nothing');
SELECT is((SELECT count(*) FROM shop.bronze_orders), 1::bigint, 'the row is there');

-- What a row says.
BEGIN;
SELECT bitvelocity.set_context('alice', '6f1b3a5e-7a7c-4a53-9f39-2d6f8f2f1c11',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
SELECT pg_current_xact_id() AS xid \gset
UPDATE shop.orders SET v = 'b';
COMMIT;
UPDATE shop.orders SET id = 2;
DELETE FROM shop.orders;
TRUNCATE shop.orders;
SELECT ok(bitvelocity.wait_for_stream('bronze'), 'changes arrive');
SELECT results_eq($$SELECT operation_type, raw_payload - 'big', before_payload - 'big', part FROM shop.bronze_orders ORDER BY sequence$$,
    $$VALUES ('INSERT', '{"id": 1, "v": "a"}'::jsonb, NULL::jsonb, 0), ('UPDATE', '{"id": 1, "v": "b"}', NULL, 0),
             ('UPDATE', '{"id": 2, "v": "b"}', '{"id": 1}', 0), ('DELETE', NULL, '{"id": 2}', 0), ('TRUNCATE', NULL, NULL, 0)$$,
    'the row before and after');
SELECT is((SELECT array_agg(raw_payload ? 'big' ORDER BY sequence) FROM shop.bronze_orders WHERE operation_type <> 'DELETE'),
    ARRAY[true, false, false, NULL], 'an unchanged large value is not repeated');
SELECT is((SELECT ROW (actor, correlation_id, traceparent, transaction_id, table_name, source_system, source_epoch)::text
           FROM shop.bronze_orders WHERE actor IS NOT NULL),
    format('(alice,6f1b3a5e-7a7c-4a53-9f39-2d6f8f2f1c11,00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,%s,shop.orders,%s,1)',
        :'xid', current_database()), 'who, why, and the transaction as the trail names it');
SELECT is((SELECT count(DISTINCT event_id) FROM shop.bronze_orders), 5::bigint, 'every event has an id of its own');
SELECT is_empty($$SELECT 1 FROM (SELECT ROW (commit_lsn, ordinal, part) AS at, lag(ROW (commit_lsn, ordinal, part)) OVER (ORDER BY sequence)
    AS before FROM shop.bronze_orders) o WHERE before >= at$$, 'sequence is the order of the WAL');

-- Somebody else's row takes the next number, and cannot choose one.
INSERT INTO shop.bronze_orders (event_id, event_timestamp, source_system, operation_type, table_name, source_epoch,
    commit_lsn, ordinal, sequence) VALUES (gen_random_uuid(), now(), 'import', 'INSERT', 'x', 1, '0/0', 1, 3);
SELECT is((SELECT sequence - (SELECT max(sequence) FROM shop.bronze_orders WHERE source_system <> 'import')
           FROM shop.bronze_orders WHERE source_system = 'import'), 1::bigint, 'an import is numbered in turn');

-- Task workers, as the owner, who is no superuser and may not even log in.
CREATE TABLE shop.daily (id int, at timestamptz) PARTITION BY RANGE (at);
ALTER TABLE shop.daily OWNER TO pgtap_bronze_owner;
SELECT bitvelocity.partition_table('shop.daily', 'at', '1 day', default_partition => false, retention => '30 days');
CREATE TABLE shop.daily_old PARTITION OF shop.daily FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
ALTER TABLE shop.daily_old OWNER TO pgtap_bronze_owner;
SELECT ok(becomes_true($$SELECT count(*) = 2 FROM bitvelocity.partition_status WHERE last_run IS NOT NULL$$),
    'every set is maintained');
SELECT is((SELECT string_agg(relation || ': ' || last_error, '; ') FROM bitvelocity.partition_status), NULL, 'without an error');
SELECT is((SELECT automatic_maintenance FROM partman.part_config WHERE parent_table = 'shop.daily'), 'off',
    'by our workers alone');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relowner <> 'pgtap_bronze_owner'::regrole
           AND i.inhparent IN ('shop.daily'::regclass, 'shop.bronze_orders'::regclass)), 0::bigint, 'every partition belongs to the owner');

SELECT * FROM finish();
SELECT bitvelocity.drop_stream('bronze');
DROP SCHEMA shop CASCADE;
DROP OWNED BY pgtap_bronze_owner;
DROP ROLE pgtap_bronze_owner;
