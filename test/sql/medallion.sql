-- Silver and gold: targets that exist, casts, queries, lookups, quarantine and its ways out, rights.
SET client_min_messages = warning;
-- Refreshed here by hand alone, also where workers run.
DO $$ BEGIN PERFORM bitvelocity.stop_workers(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
SET search_path = medallion_test, bitvelocity, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SCHEMA medallion_test;
CREATE TYPE order_status AS ENUM ('PENDING', 'CONFIRMED', 'SHIPPED');
CREATE TABLE orders (
    order_id integer PRIMARY KEY, customer_id integer, status text, total_amount numeric,
    currency text, created_at timestamptz, tags text[], extra jsonb);
CREATE TABLE bronze_orders (
    event_id uuid NOT NULL DEFAULT gen_random_uuid(), event_timestamp timestamptz NOT NULL DEFAULT now(),
    source_system text, operation_type text NOT NULL, table_name text, raw_payload jsonb,
    ingestion_date date NOT NULL DEFAULT current_date, before_payload jsonb,
    source_epoch integer NOT NULL DEFAULT 1, commit_lsn pg_lsn NOT NULL, ordinal bigint NOT NULL DEFAULT 1,
    part integer NOT NULL DEFAULT 0, transaction_id xid8, actor text, correlation_id uuid,
    traceparent text, sequence bigint NOT NULL, PRIMARY KEY (sequence, ingestion_date));
CREATE SEQUENCE arrival;
CREATE FUNCTION arrive(op text, payload jsonb, before jsonb DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    WITH n AS (SELECT nextval('medallion_test.arrival') AS n)
    INSERT INTO medallion_test.bronze_orders (operation_type, raw_payload, before_payload, commit_lsn, sequence)
    SELECT op, payload, before, '0/1000'::pg_lsn + n, n FROM n
$$;
CREATE FUNCTION row_of(o orders) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(o)';

-- an existing table with narrower types, as a strategy document would write it
CREATE TABLE silver_orders (
    order_id integer PRIMARY KEY, customer_id integer NOT NULL, status order_status NOT NULL,
    total_amount numeric(6, 2) NOT NULL CHECK (total_amount <> 13), currency varchar(3) NOT NULL,
    order_date date NOT NULL, tags text[], note text);
SELECT create_silver('silver_orders', 'bronze_orders', options => '{"row_type": "orders"}',
    mapping => '{"order_date": "source.created_at::date", "currency": "coalesce(currency, ''USD'')"}');
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'medallion_test' AND table_name = 'silver_orders' ORDER BY ordinal_position;
SELECT add_quality_rule('silver_orders', 'RANGE', 'total_amount', '{"min": 0}', name => 'not negative') IS NOT NULL AS made;
SELECT add_quality_rule('orders', 'NOT_NULL', 'tags', severity => 'WARNING', name => 'tagged') IS NOT NULL AS made;
SELECT count(arrive('INSERT', row_of((i, i % 3, 'PENDING', i * 1.5, NULL, '2024-01-01 23:30:00+00', ARRAY['a', 'b c'], '{"x": 1}'))))
FROM generate_series(1, 20) i;
SELECT arrive('INSERT', row_of((101, 1, 'UNKNOWN', 1, 'USD', '2024-01-02', '{}', NULL)));    -- enum
SELECT arrive('INSERT', row_of((102, 1, 'PENDING', 99999.99, 'USD', '2024-01-02', '{}', NULL))); -- numeric(6, 2)
SELECT arrive('INSERT', row_of((103, 1, 'PENDING', 1, 'DOLLARS', '2024-01-02', '{}', NULL))); -- varchar(3)
SELECT arrive('INSERT', row_of((104, NULL, 'PENDING', 1, 'USD', '2024-01-02', '{}', NULL)));  -- NOT NULL
SELECT arrive('INSERT', row_of((105, 1, 'PENDING', 13, 'USD', '2024-01-02', '{}', NULL)));   -- CHECK
SELECT arrive('INSERT', row_of((106, 1, 'PENDING', -1, 'USD', '2024-01-02', '{}', NULL)));   -- ERROR rule
SELECT arrive('INSERT', row_of((107, 1, 'PENDING', 1, 'USD', '2024-01-02', NULL, NULL)));    -- WARNING rule
SELECT arrive('INSERT', '{"order_id": "many", "total_amount": 1}');                           -- the key itself
SELECT * FROM refresh_dataset('silver_orders');
SELECT order_id, customer_id, status, total_amount, currency, order_date, tags, data_quality_score, quality_checks_passed,
       quality_issues, source_sequence, source_position, processing_version
FROM silver_orders WHERE order_id IN (1, 2, 20) OR order_id > 100 ORDER BY 1;
SELECT bool_and(source_bronze_id = event_id) AS traced FROM silver_orders JOIN bronze_orders ON sequence = source_sequence;
SELECT source_sequence, key, reason, issues, state FROM quarantine ORDER BY 1;

-- ways out: a later good version, a deletion, a replay after the cause is gone; or none
SELECT arrive('UPDATE', row_of((101, 1, 'SHIPPED', 1, 'USD', '2024-01-02', '{}', NULL)));
SELECT arrive('DELETE', NULL, '{"order_id": 102}');
SELECT arrive('UPDATE', row_of((1, 1, 'LOST', 1, 'USD', '2024-01-02', '{}', NULL)));
SELECT * FROM refresh_dataset('silver_orders');
ALTER TYPE order_status ADD VALUE 'LOST';
ALTER TABLE silver_orders ALTER currency TYPE text;
SELECT replay_quarantine('silver_orders');
SELECT alter_quality_rule('silver_orders', 'not negative', severity => 'WARNING');
SELECT replay_quarantine('silver_orders', ids => (SELECT array_agg(quarantine_id) FROM quarantine WHERE key = '[106]'));
SELECT key, state, issues FROM quarantine ORDER BY source_sequence;
SELECT order_id, status, total_amount, currency, quality_issues FROM silver_orders WHERE order_id = 1 OR order_id > 100 ORDER BY 1;

-- a query: filter, lookup, renamed key
CREATE TABLE customers (id integer PRIMARY KEY, name text);
INSERT INTO customers VALUES (0, 'Ann'), (1, 'Bob');
SELECT create_silver('silver_open', 'bronze_orders', '{id}', options => '{"row_type": "orders"}', query => $$
    SELECT o.order_id AS id, upper(c.name) AS customer, o.total_amount AS amount, o.extra ->> 'x' AS x,
           raw_payload ->> 'status' AS raw_status
    FROM source o LEFT JOIN customers c ON c.id = o.customer_id WHERE o.status = 'PENDING'$$);
SELECT * FROM refresh_dataset('silver_open');
SELECT id, customer, amount, x, raw_status FROM silver_open WHERE id < 4 OR id > 19 ORDER BY id;
SELECT arrive('UPDATE', row_of((2, 1, 'CONFIRMED', 2, 'USD', '2024-01-02', '{}', NULL)));   -- leaves the filter
SELECT arrive('UPDATE', row_of((103, 0, 'PENDING', 7, 'USD', '2024-01-02', '{}', NULL)));
SELECT * FROM refresh_dataset('silver_open');
SELECT id, customer, amount FROM silver_open WHERE id IN (2, 103) ORDER BY id;
-- a lookup that is not unique puts the row aside
ALTER TABLE customers DROP CONSTRAINT customers_pkey;
INSERT INTO customers VALUES (0, 'Ann again');
SELECT arrive('UPDATE', row_of((103, 0, 'PENDING', 8, 'USD', '2024-01-02', '{}', NULL)));
SELECT * FROM refresh_dataset('silver_open');
SELECT key, issues FROM quarantine WHERE dataset = 'silver_open' AND state = 'open' AND key = '[103]';

-- gold
SELECT create_rollup('gold_daily', $$
    SELECT order_date AS day, count(*) AS order_count, sum(total_amount) AS total_revenue,
           avg(total_amount) AS avg_order_value, count(DISTINCT customer_id) AS unique_customers
    FROM silver_orders GROUP BY order_date$$);
SELECT day, order_count, total_revenue, round(avg_order_value, 2) AS avg_order_value, unique_customers FROM gold_daily ORDER BY day;
SELECT arrive('DELETE', NULL, jsonb_build_object('order_id', order_id)) FROM silver_orders WHERE order_date = '2024-01-02';
SELECT arrive('UPDATE', row_of((3, 0, 'SHIPPED', 100, 'USD', '2024-03-01', '{}', NULL)));
SELECT * FROM refresh_dataset('gold_daily');
SELECT day, order_count, total_revenue FROM gold_daily ORDER BY day;
SELECT name, layer, state, quarantined, last_error FROM dataset_status ORDER BY name;
SELECT * FROM explain_dataset('gold_daily') WHERE item IN ('sources', 'key', 'recomputes');
SELECT distance, source_dataset, target_dataset, transformation_type FROM lineage_of('gold_daily') ORDER BY 1, 2;
SELECT distance, source_dataset, target_dataset FROM lineage_of('bronze_orders', 'downstream') ORDER BY 1, 3;
SELECT DISTINCT dependency_level FROM data_lineage;
SELECT * FROM lineage_of('gold_daily', 'sideways');

-- NULL and the JSON value null are two groups
CREATE TABLE facts (kind jsonb, amount int);
SELECT create_rollup('by_kind', 'SELECT kind, sum(amount) AS total FROM facts GROUP BY kind');
INSERT INTO facts VALUES (NULL, 1), ('null', 2), ('"a"', 4);
SELECT * FROM refresh_dataset('by_kind');
UPDATE facts SET amount = 20 WHERE kind = 'null';
SELECT * FROM refresh_dataset('by_kind');
SELECT kind, total FROM by_kind ORDER BY total;
SELECT value FROM explain_dataset('by_kind') WHERE item = 'recomputes';
SELECT drop_dataset('by_kind', keep_table => false);
DROP TABLE facts;

-- pause, wait
SELECT pause_dataset('silver_open');
SELECT * FROM refresh_dataset('silver_open');
SELECT resume_dataset('silver_open');
SELECT wait_for_dataset('gold_daily', timeout => '10 s');
SELECT arrive('UPDATE', row_of((3, 0, 'SHIPPED', 50, 'USD', '2024-03-01', '{}', NULL)));
SELECT wait_for_dataset('gold_daily', '0/FFFFFF', '0.1 s');
SELECT state FROM dataset_status WHERE name = 'silver_orders';
SELECT * FROM refresh_dataset('gold_daily');
SELECT wait_for_dataset('gold_daily', '0/FFFFFF', '10 s');
BEGIN;
CREATE TABLE written ();
SELECT wait_for_dataset('gold_daily');
ROLLBACK;

-- what is wrong is said when the dataset is made
SELECT create_silver('s', 'orders');
SELECT create_silver('s', 'bronze_orders');
SELECT create_silver('silver_orders', 'bronze_orders');
SELECT create_silver('silver_orders', 'bronze_orders', if_not_exists => true);
SELECT create_silver('s', 'bronze_orders', '{order}', options => '{"row_type": "orders"}');
SELECT create_silver('s', 'bronze_orders', options => '{"row_tipe": "orders"}');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders", "batch_size": "many"}');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}', query => 'SELECT count(*) FROM source');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}', query => 'SELECT DISTINCT order_id FROM source');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}', query => 'SELECT order_id, random() FROM source');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}', query => 'DELETE FROM orders');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}', query => 'SELECT order_id + 1 AS order_id FROM source');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}', query => 'SELECT nothing FROM source');
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders", "target": "silver_orders"}');
SELECT create_rollup('g', 'SELECT now() AS at, count(*) FROM silver_orders');
SELECT create_rollup('g', 'SELECT random(), count(*) FROM silver_orders');
SELECT create_rollup('g', 'SELECT count(*) FROM pg_class');
SELECT create_rollup('g', 'SELECT count(*), count(*) FROM silver_orders');
SELECT create_rollup('g', 'INSERT INTO customers VALUES (1)');
SELECT refresh_dataset('gold_dayly');
SELECT drop_dataset('silver_orders', keep_table => false);
SELECT drop_dataset('gold_daily', keep_table => false);
SELECT drop_dataset('silver_orders', keep_table => false);
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'silver_orders'::regclass AND NOT tgisinternal;
SELECT drop_dataset('silver_orders');
SELECT drop_dataset('silver_open', keep_table => false);
SELECT to_regclass('silver_orders') AS kept, to_regclass('silver_open') AS dropped, (SELECT count(*) FROM data_lineage) AS edges;

-- what users wrote runs with the rights of the tables' owner
CREATE ROLE medallion_test_owner;
CREATE ROLE medallion_test_other;
GRANT USAGE, CREATE ON SCHEMA medallion_test TO medallion_test_owner, medallion_test_other;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA bitvelocity TO medallion_test_owner, medallion_test_other;
CREATE TABLE secret (id integer);
INSERT INTO secret VALUES (1);
ALTER TABLE bronze_orders OWNER TO medallion_test_owner;
GRANT SELECT ON orders TO medallion_test_owner;
SELECT create_silver('s', 'bronze_orders', options => '{"row_type": "orders"}',
    query => 'SELECT order_id, (SELECT max(id) FROM secret) AS s FROM source');
SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 's'::regclass;
SELECT * FROM refresh_dataset('s');
SET ROLE medallion_test_other;
SELECT refresh_dataset('s');
SELECT drop_dataset('s');
SELECT create_silver('s2', 'bronze_orders', options => '{"row_type": "orders"}');
SELECT create_rollup('g2', 'SELECT count(*) FROM s');
SELECT count(*) FROM quarantine;
RESET ROLE;
SELECT drop_dataset('s', keep_table => false);
\set VERBOSITY terse
DROP SCHEMA medallion_test CASCADE;
DROP OWNED BY medallion_test_owner, medallion_test_other;
DROP ROLE medallion_test_owner, medallion_test_other;
DELETE FROM bitvelocity.data_quality_rules;
DO $$ BEGIN PERFORM bitvelocity.start_workers(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
