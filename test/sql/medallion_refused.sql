-- Rows that PostgreSQL refuses, among many: whatever a batch holds, the outcome is that of one row
-- after the other.
SET client_min_messages = warning;
DO $$ BEGIN PERFORM bitvelocity.stop_workers(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
SET search_path = refused, bitvelocity, public;
SET timezone = 'UTC';
CREATE SCHEMA refused;
CREATE TYPE stage AS ENUM ('new', 'paid', 'sent');
CREATE TABLE orders (id int PRIMARY KEY, amount numeric, pieces int, stage text, at timestamptz, body text);
CREATE TABLE bronze_orders (
    event_id uuid NOT NULL DEFAULT gen_random_uuid(), event_timestamp timestamptz NOT NULL DEFAULT now(),
    source_system text, operation_type text NOT NULL, table_name text, raw_payload jsonb,
    ingestion_date date NOT NULL DEFAULT current_date, before_payload jsonb,
    source_epoch integer NOT NULL DEFAULT 1, commit_lsn pg_lsn NOT NULL, ordinal bigint NOT NULL DEFAULT 1,
    part integer NOT NULL DEFAULT 0, transaction_id xid8, actor text, correlation_id uuid,
    traceparent text, sequence bigint NOT NULL, PRIMARY KEY (sequence, ingestion_date));
CREATE SEQUENCE arrival;
CREATE FUNCTION arrive(op text, payload jsonb, before jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    WITH n AS (SELECT nextval('refused.arrival') AS n)
    INSERT INTO refused.bronze_orders (operation_type, raw_payload, before_payload, commit_lsn, sequence)
    SELECT op, payload, before, '0/1000'::pg_lsn + n, n FROM n
    RETURNING operation_type
$$;
CREATE FUNCTION version(id int, changes jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('id', id, 'amount', id * 1.5, 'pieces', 1 + id % 7, 'stage', 'new',
        'at', '2024-01-01T00:00:00+00:00', 'body', 'b' || id) || changes
$$;
-- Two targets of one bronze: many rows a batch, and one.
CREATE TABLE many (id int PRIMARY KEY, amount numeric(8, 2) CHECK (amount <> 777 AND amount < 50000), stage stage NOT NULL,
    at timestamptz, each numeric, body varchar(6));
CREATE TABLE one (LIKE many INCLUDING ALL);
-- What a rule puts aside is not held against the target's constraint.
SELECT add_quality_rule(t::regclass, 'RANGE', 'amount', '{"max": 50000}', name => 'small') IS NOT NULL AS made FROM (VALUES ('many'), ('one')) AS d(t);
SELECT create_silver(t, 'bronze_orders', options => jsonb_build_object('row_type', 'orders', 'batch_size', size), query => '
    SELECT id, amount, stage, at, amount / (pieces - 5) AS each, body FROM source')
FROM (VALUES ('many', 5000), ('one', 1)) AS d(t, size);
CREATE VIEW apart AS
SELECT dataset, source_sequence, key, payload, reason, regexp_replace(issues::text, '\m(many|one)(\M|_)', 'silver', 'g') AS issues, state FROM quarantine;
CREATE FUNCTION compare() RETURNS TABLE (rows_differ bigint, quarantine_differs bigint, rows bigint, open bigint, rest bigint)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refresh_dataset('many');
    PERFORM refresh_dataset('one');
    SELECT count(*) INTO rows_differ FROM (SELECT (m.*)::text AS t FROM (SELECT id, amount, stage, at, each, body, source_sequence, source_position FROM many) m)
        a FULL JOIN (SELECT (o.*)::text AS t FROM (SELECT id, amount, stage, at, each, body, source_sequence, source_position FROM one) o) b USING (t) WHERE a.t IS NULL OR b.t IS NULL;
    SELECT count(*) INTO quarantine_differs FROM (SELECT (to_jsonb(q) - 'dataset')::text AS t FROM apart q WHERE dataset = 'many') a
        FULL JOIN (SELECT (to_jsonb(q) - 'dataset')::text AS t FROM apart q WHERE dataset = 'one') b USING (t) WHERE a.t IS NULL OR b.t IS NULL;
    SELECT count(*) INTO rows FROM many;
    SELECT count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state <> 'open') INTO open, rest
    FROM apart WHERE dataset = 'many';
    RETURN NEXT;
END $$;

-- Casts of the source's types, of the target's, constraints and an expression: spread, at both ends, and
-- in a row.
SELECT count(*) FROM (SELECT arrive(CASE WHEN i % 3 = 0 THEN 'UPDATE' WHEN i % 3 = 1 THEN 'INSERT' ELSE 'READ' END,
    version(i, CASE WHEN i IN (1, 2, 120) THEN '{"amount": "none"}' WHEN i % 20 = 7 THEN '{"stage": "lost"}'
    WHEN i % 20 = 8 THEN '{"at": "yesterday or so"}' WHEN i % 20 = 9 THEN '{"amount": 1e9}'
    WHEN i % 20 = 3 THEN '{"amount": 55555}' WHEN i % 20 = 10 THEN '{"stage": null}' WHEN i % 20 = 11 THEN '{"amount": 777}'
    WHEN i % 20 = 12 THEN '{"body": "too long"}' WHEN i % 20 = 13 THEN '{"body": "short        "}'
    WHEN i BETWEEN 80 AND 89 THEN '{"pieces": 5}' ELSE '{}' END::jsonb
    - CASE WHEN i % 20 = 5 THEN 'body' ELSE '' END)) FROM generate_series(1, 120) i) t;
UPDATE bronze_orders SET raw_payload = raw_payload || '{"pieces": 4}' WHERE (raw_payload->>'pieces')::int = 5
    AND NOT (raw_payload->>'id')::int BETWEEN 80 AND 89;
SELECT * FROM compare();
SELECT reason, issues, count(*) FROM apart WHERE dataset = 'many' GROUP BY 1, 2 ORDER BY 2;

-- Later versions of refused rows, refused versions of good rows, deletions, keys that change to or from
-- a refused row, a key that cannot be read, columns that are missing, constraints of the target.
SELECT count(*) FROM (SELECT arrive('UPDATE', version(i, CASE WHEN i % 2 = 0 THEN '{"stage": "paid"}' ELSE '{"stage": "gone"}' END::jsonb))
FROM generate_series(1, 120, 7) i) t;
SELECT count(*) FROM (SELECT arrive('UPDATE', version(i, '{"stage": "paid"}')) FROM generate_series(7, 100, 20) i) t;
SELECT count(*) FROM (SELECT arrive('DELETE', NULL, jsonb_build_object('id', i)) FROM generate_series(8, 120, 20) i) t;
SELECT arrive('UPDATE', version(5001, '{"amount": "x"}'), version(10));
SELECT arrive('UPDATE', version(5002), version(9));
SELECT arrive('INSERT', version(0, '{"id": "first"}'));
SELECT arrive('UPDATE', version(110, '{"stage": "sent"}') - 'body');
SELECT arrive('UPDATE', version(111, '{"stage": "nowhere"}') - 'body');
SELECT arrive('UPDATE', version(112, '{"stage": "nowhere"}'));
SELECT arrive('UPDATE', version(112, '{"stage": "sent"}') - 'body');
SELECT arrive('UPDATE', version(113, '{"amount": "x"}'));
SELECT arrive('UPDATE', version(113, '{"stage": "sent"}') - 'amount');
SELECT arrive('INSERT', version(6001, '{"amount": 777}'));
SELECT arrive('INSERT', version(6002, '{"stage": null}'));
SELECT arrive('INSERT', version(6003, '{"amount": ""}'));
SELECT * FROM compare();

-- A TRUNCATE in between, and order by the source, not by arrival.
SELECT arrive('INSERT', version(7001, '{"at": "-"}'));
SELECT arrive('TRUNCATE', NULL);
SELECT arrive('INSERT', version(7002, '{"at": "-"}'));
SELECT arrive('INSERT', version(7003));
SELECT arrive('UPDATE', version(7002));
INSERT INTO bronze_orders (operation_type, raw_payload, commit_lsn, sequence)
SELECT 'UPDATE', version(7003, '{"at": "late"}'), commit_lsn - 1, nextval('arrival') FROM bronze_orders
WHERE raw_payload->>'id' = '7003';
SELECT * FROM compare();
SELECT key, state FROM apart WHERE dataset = 'many' AND key->>0 LIKE '700_' ORDER BY source_sequence;

-- What is in bronze outlives its source table, and the rules of that.
SELECT add_quality_rule('orders', 'NOT_NULL', 'body', name => 'has body') IS NOT NULL AS made;
DROP TABLE orders;
SELECT arrive('INSERT', version(7500, '{"body": null}'));
SELECT * FROM compare();

-- What is not about a row is an error of the refresh, and nothing of it stays.
SELECT arrive('INSERT', version(8001, '{"at": "-"}'));
SELECT arrive('INSERT', version(8002));
ALTER TABLE many DROP COLUMN each;
\set VERBOSITY sqlstate
SELECT refresh_dataset('many');
\set VERBOSITY terse
SELECT count(*) FROM many WHERE id > 8000;
SELECT drop_dataset('many'), drop_dataset('one');
DROP SCHEMA refused CASCADE;
DO $$ BEGIN PERFORM bitvelocity.start_workers(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
