-- Quality: rules validated when they are made, one scan, verdicts.
SET client_min_messages = warning;
SET search_path = quality_test, bitvelocity, public;
CREATE SCHEMA quality_test;
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 5);
CREATE TABLE orders (
    order_id integer PRIMARY KEY,
    customer_id integer,
    total_amount numeric(12, 2),
    email text,
    order_date date,
    status text);
INSERT INTO orders
SELECT i,
       CASE WHEN i % 10 = 0 THEN NULL WHEN i % 25 = 1 THEN 99 ELSE i % 5 + 1 END,
       CASE WHEN i % 20 = 0 THEN -1.50 WHEN i = 7 THEN NULL ELSE i * 1.25 END,
       CASE WHEN i % 50 = 3 THEN 'nobody' ELSE 'user' || i || '@example.com' END,
       date '2024-01-01' + i,
       CASE WHEN i % 3 = 0 THEN 'DRAFT' ELSE 'PAID' END
FROM generate_series(1, 100) i;

SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '{"min": 0, "max": 10000}') IS NOT NULL AS made;
SELECT add_quality_rule('orders', 'PATTERN', 'email', '{"regex": "^[^@]+@[^@]+\\.[^@]+$"}', 'WARNING') IS NOT NULL AS made;
SELECT add_quality_rule('orders', 'REFERENCE', 'customer_id', '{"table": "customers", "column": "id"}') IS NOT NULL AS made;
SELECT add_quality_rule('orders', 'not_null', 'customer_id', severity => 'info', mostly => 0.9) IS NOT NULL AS made;
SELECT add_quality_rule('orders', 'RANGE', 'order_date', '{"max": "2024-03-31"}', 'WARNING',
                        name => 'paid_in_time', filter => 'status = ''PAID'' -- those paid') IS NOT NULL AS made;

SELECT name, rule_type, severity, record_count, failed_count, success_rate, passed,
       jsonb_array_length(sample_failures) AS samples, sample_failures->0 AS first
FROM check_quality('orders');
SELECT name, record_count, failed_count FROM check_quality('orders', 'order_id <= 10');
SELECT name, failed_count, passed FROM quality_report('orders');
-- against plain SQL
SELECT count(*) FILTER (WHERE total_amount < 0) AS total_amount_range,
       count(*) FILTER (WHERE email !~ '^[^@]+@[^@]+\.[^@]+$') AS email_pattern,
       count(*) FILTER (WHERE customer_id NOT IN (SELECT id FROM customers)) AS customer_id_reference,
       count(*) FILTER (WHERE customer_id IS NULL) AS customer_id_not_null,
       count(*) FILTER (WHERE status = 'PAID' AND order_date > '2024-03-31') AS paid_in_time
FROM orders;

-- verdict table
SELECT o.order_id, v.* FROM orders o, quality_verdict(o) v
WHERE o.order_id IN (1, 2, 3, 7, 10, 53, 91, 100) ORDER BY 1;
SELECT min(v.score) >= 0 AND max(v.score) <= 1 AS in_range,
       bool_and((v.score = 1) = (cardinality(v.issues) = 0)) AS one_only_when_clean
FROM orders o, quality_verdict(o) v;
SELECT * FROM quality_verdict(NULL::orders);

-- NULL passes every kind but NOT_NULL
CREATE TABLE nulls (a integer, b text, c date);
INSERT INTO nulls VALUES (NULL, NULL, NULL);
SELECT add_quality_rule('nulls', 'RANGE', 'a', '{"min": 1, "min_inclusive": false}') IS NOT NULL AS made;
SELECT add_quality_rule('nulls', 'PATTERN', 'b', '{"regex": "x", "negate": true}') IS NOT NULL AS made;
SELECT add_quality_rule('nulls', 'REFERENCE', 'a', '{"table": "quality_test.customers", "column": "id"}') IS NOT NULL AS made;
SELECT add_quality_rule('nulls', 'NOT_NULL', 'c') IS NOT NULL AS made;
SELECT name, failed_count, sample_failures FROM check_quality('nulls') WHERE failed_count = 0;
SELECT name, failed_count FROM check_quality('nulls') WHERE failed_count > 0;
INSERT INTO nulls VALUES (1, 'axb', '2024-01-01'), (2, 'y', 'infinity');
SELECT name, failed_count FROM check_quality('nulls');
TRUNCATE nulls;
SELECT name, record_count, failed_count, success_rate FROM check_quality('nulls');

-- never rounded up
SELECT quality_success_rate(10000000, 1) AS almost, quality_success_rate(3, 0) AS all_passed,
       quality_success_rate(3, 3) AS none;

-- what is wrong is said when the rule is made
\set VERBOSITY default
SELECT add_quality_rule('orders', 'RANGES', 'total_amount', '{"min": 0}');
SELECT add_quality_rule('orders', 'RANGE', 'total_amout', '{"min": 0}');
SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '{"minimum": 0}');
SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '{}');
SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '{"min": true}');
SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '{"min": "cheap"}');
SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '[1]');
SELECT add_quality_rule('orders', 'PATTERN', 'email', '{"regex": "(("}');
SELECT add_quality_rule('orders', 'PATTERN', 'email', '{"regexp": "a"}');
SELECT add_quality_rule('orders', 'REFERENCE', 'customer_id', '{"table": "customer", "column": "id"}');
SELECT add_quality_rule('orders', 'REFERENCE', 'customer_id', '{"table": "customers", "column": "ident"}');
SELECT add_quality_rule('orders', 'NOT_NULL', 'email', severity => 'FATAL');
SELECT add_quality_rule('orders', 'NOT_NULL');
SELECT add_quality_rule('orders', 'NOT_NULL', 'email', mostly => 2);
SELECT add_quality_rule('orders', 'NOT_NULL', 'email', filter => 'status');
SELECT add_quality_rule('orders', 'NOT_NULL', 'email', filter => 'true), (true');
SELECT add_quality_rule('orders', 'NOT_NULL', 'email', filter => 'EXISTS (SELECT 1)');
SELECT add_quality_rule('orders', 'NOT_NULL', 'email', filter => 'random() > 0.5');
SELECT add_quality_rule('orders', 'RANGE', 'total_amount', '{"min": 1}');
SELECT alter_quality_rule('orders', 'paid_in_tim', severity => 'ERROR');
SELECT alter_quality_rule('orders', 'paid_in_time', filter => '', severity => 'ERROR');
SELECT name, severity, failed_count FROM check_quality('orders') WHERE name = 'paid_in_time';
SELECT alter_quality_rule('orders', 'paid_in_time', is_active => false);
SELECT count(*) FROM check_quality('orders');
SELECT drop_quality_rule('orders', 'paid_in_time');
SELECT drop_quality_rule('orders', 'paid_in_time');
CALL run_quality('orders', 'raise');
CALL run_quality('orders', 'report');
CALL run_quality('orders', 'explode');

-- expressions of a rule have the rights of the table's owner, and only owners make rules
CREATE ROLE quality_test_owner;
CREATE ROLE quality_test_other;
GRANT USAGE, CREATE ON SCHEMA quality_test TO quality_test_owner;
GRANT USAGE ON SCHEMA quality_test TO quality_test_other;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA bitvelocity TO quality_test_owner, quality_test_other;
SET ROLE quality_test_owner;
CREATE TABLE owned (id integer PRIMARY KEY, n integer);
SELECT add_quality_rule('owned', 'RANGE', 'n', '{"min": 0}') IS NOT NULL AS made;
SELECT add_quality_rule('owned', 'REFERENCE', 'n', '{"table": "quality_test.customers", "column": "id"}');
SET ROLE quality_test_other;
SELECT add_quality_rule('owned', 'NOT_NULL', 'n');
SELECT check_quality('owned');
RESET ROLE;
\set VERBOSITY terse
DROP SCHEMA quality_test CASCADE;
DROP OWNED BY quality_test_owner, quality_test_other;
DROP ROLE quality_test_owner, quality_test_other;
DELETE FROM bitvelocity.data_quality_rules;
