-- What can be seen after the tour and some life.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset null '-'
SET search_path = public, bitvelocity;

-- Read your writes at gold: wait until everything committed so far has arrived there.
SELECT wait_for_dataset('gold_daily_sales', pg_current_wal_flush_lsn(), '1 min') \g /dev/null
SELECT wait_for_dataset('gold_monthly_orders', pg_current_wal_flush_lsn(), '1 min') \g /dev/null

\echo '-- rows per layer'
SELECT * FROM (
    SELECT 1 AS n, 'shop' AS layer, 'orders' AS name, count(*) AS rows FROM orders
    UNION ALL SELECT 1, 'shop', 'order_lines', count(*) FROM order_lines
    UNION ALL SELECT 2, 'trail', 'orders_audit', count(*) FROM orders_audit
    UNION ALL SELECT 3, 'bronze', 'bronze_orders', count(*) FROM bronze_orders
    UNION ALL SELECT 3, 'bronze', 'bronze_order_lines', count(*) FROM bronze_order_lines
    UNION ALL SELECT 4, 'silver', 'silver_orders', count(*) FROM silver_orders
    UNION ALL SELECT 4, 'silver', 'silver_order_lines', count(*) FROM silver_order_lines
    UNION ALL SELECT 5, 'quarantine', dataset, count(*) FROM quarantine GROUP BY dataset
    UNION ALL SELECT 6, 'gold', 'gold_daily_sales', count(*) FROM gold_daily_sales
    UNION ALL SELECT 6, 'gold', 'gold_monthly_orders', count(*) FROM gold_monthly_orders) AS layers
ORDER BY n, name;

\echo '-- gold: best sales days'
SELECT sales_day, order_count, total_revenue, avg_order_value, unique_customers
FROM gold_daily_sales ORDER BY total_revenue DESC;

\echo '-- gold: thirteen months'
SELECT to_char(sales_month, 'YYYY-MM') AS month, order_count, total_quantity, unique_customers
FROM gold_monthly_orders ORDER BY sales_month;

\echo '-- quarantine: what an ERROR rule kept out of silver, and why'
SELECT * FROM quarantine;

\echo '-- the history of one order: who changed what'
SELECT * FROM audit_history('orders', '{"invoice_no": "536414"}');

\echo '-- lineage: where gold comes from'
SELECT * FROM lineage_of('gold_daily_sales');

\echo '-- the stream'
SELECT stream, sink, state, lag_bytes, lag FROM stream_status;
