-- The tour: from an order to gold. Every step is one statement you can copy.
-- Run in this folder: psql -f load.sql -f tour.sql -f life.sql -f look.sql
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset null '-'
SET search_path = public, bitvelocity;
SET client_min_messages = warning;

\echo '-- 1. a partition for every month, through pg_partman: those around today, and thirteen of the past'
SELECT partition_table('orders', 'invoice_date', every => '1 month', since => '2010-12-01', until => '2012-01-01') \g /dev/null

\echo '-- 2. created_at/by, updated_at/by, version, deleted_at/by, kept by a trigger'
SELECT add_audit_columns('orders') \g /dev/null
SELECT add_audit_columns('order_lines', soft_delete => true) \g /dev/null

\echo '-- 3. a trail: who changed what, before and after'
SELECT enable_audit('orders') \g /dev/null

\echo '-- 4. who writes from here on: in the trail, in every event, in bronze'
SELECT set_context(actor => 'import@shop', is_local => false) \g /dev/null

\echo '-- 5. the shop fills its tables: 25,943 invoices, 10,000 invoice lines'
\copy orders (invoice_no, invoice_date, customer_id, country, quantity, average_unit_price) FROM 'invoices.csv' (FORMAT csv, HEADER)
\copy order_lines (invoice_no, stock_code, description, quantity, invoice_date, unit_price, customer_id, country) FROM 'invoice_lines.csv' (FORMAT csv, HEADER)

\echo '-- 6. bronze: every row and every change of it, out of the WAL'
SELECT create_bronze('orders') \g /dev/null
SELECT create_bronze('order_lines') \g /dev/null

\echo '-- 7. quality: warnings flow on, flagged; an error sends the row to quarantine'
SELECT add_quality_rule('orders', 'NOT_NULL', 'customer_id', severity => 'WARNING', name => 'customer known') \g /dev/null
SELECT add_quality_rule('orders', 'RANGE', 'quantity', '{"min": 0}', 'WARNING', name => 'nothing returned') \g /dev/null
SELECT add_quality_rule('orders', 'PATTERN', 'invoice_no', '{"regex": "^C", "negate": true}', 'WARNING', name => 'not cancelled') \g /dev/null
SELECT add_quality_rule('orders', 'RANGE', 'average_unit_price', '{"min": 0}', 'ERROR', name => 'price not negative') \g /dev/null
SELECT add_quality_rule('order_lines', 'RANGE', 'unit_price', '{"min": 0}', 'ERROR', name => 'price not negative') \g /dev/null

\echo '-- 8. the orders as they were loaded'
SELECT name AS rule, severity, record_count AS rows, failed_count AS failed, success_rate AS "passed %"
FROM check_quality('orders') ORDER BY failed_count DESC;

\echo '-- 9. silver: the last state of every order and line, judged'
SELECT create_silver('silver_orders', 'orders', key => '{invoice_no, invoice_date}') \g /dev/null
SELECT create_silver('silver_order_lines', 'order_lines', key => '{line_id}') \g /dev/null

\echo '-- 10. gold: sales by day from the lines (the one file with true amounts), orders by month'
SELECT create_rollup('gold_daily_sales', $$
    SELECT invoice_date::date AS sales_day, count(DISTINCT invoice_no) AS order_count,
           sum(quantity * unit_price) AS total_revenue,
           round(sum(quantity * unit_price) / count(DISTINCT invoice_no), 2) AS avg_order_value,
           count(DISTINCT customer_id) AS unique_customers
    FROM silver_order_lines WHERE deleted_at IS NULL GROUP BY invoice_date::date $$) \g /dev/null
SELECT create_rollup('gold_monthly_orders', $$
    SELECT date_trunc('month', invoice_date)::date AS sales_month, count(*) AS order_count,
           sum(quantity) AS total_quantity, count(DISTINCT customer_id) AS unique_customers
    FROM silver_orders GROUP BY date_trunc('month', invoice_date)::date $$) \g /dev/null
