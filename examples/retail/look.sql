-- What can be seen after the tour and some life.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset null '-'
SET search_path = public, bitvelocity;

\echo '-- read your writes at gold: everything committed so far is there'
SELECT wait_for_dataset('gold_daily_sales') AS daily, wait_for_dataset('gold_monthly_orders') AS monthly;

\echo '-- rows per layer'
SELECT layer, name, rows FROM (
    SELECT 1 AS n, 'shop' AS layer, 'orders' AS name, count(*) AS rows FROM orders
    UNION ALL SELECT 1, 'shop', 'order_lines', count(*) FROM order_lines
    UNION ALL SELECT 2, 'trail', 'orders_audit', count(*) FROM orders_audit
    UNION ALL SELECT 3, 'bronze', 'bronze_orders', count(*) FROM bronze_orders
    UNION ALL SELECT 3, 'bronze', 'bronze_order_lines', count(*) FROM bronze_order_lines
    UNION ALL SELECT 4, 'silver', 'silver_orders', count(*) FROM silver_orders
    UNION ALL SELECT 4, 'silver', 'silver_order_lines', count(*) FROM silver_order_lines
    UNION ALL SELECT 5, 'quarantine', dataset, count(*) FROM quarantine WHERE state = 'open' GROUP BY dataset
    UNION ALL SELECT 6, 'gold', 'gold_daily_sales', count(*) FROM gold_daily_sales
    UNION ALL SELECT 6, 'gold', 'gold_monthly_orders', count(*) FROM gold_monthly_orders) AS layers
ORDER BY n, name;

\echo '-- silver: what the warnings say, and the score of such rows'
SELECT quality_issues, count(*) AS rows, round(avg(data_quality_score), 2) AS score
FROM silver_orders GROUP BY quality_issues ORDER BY rows DESC;

\echo '-- gold: best sales days'
SELECT sales_day, order_count, round(total_revenue, 2) AS total_revenue, avg_order_value, unique_customers
FROM gold_daily_sales ORDER BY total_revenue DESC;

\echo '-- gold: thirteen months'
SELECT to_char(sales_month, 'YYYY-MM') AS month, order_count, total_quantity, unique_customers
FROM gold_monthly_orders ORDER BY sales_month;

\echo '-- quarantine: what an ERROR rule kept out of silver, and why'
SELECT dataset, key, reason, issues, state FROM quarantine ORDER BY quarantine_id;

\echo '-- the history of one order: who changed what'
SELECT operation_timestamp::timestamp(0) AS at, operation_type AS operation, actor,
       old_values->>'status' AS status_before, new_values->>'status' AS status_after
FROM audit_history('orders', '{"invoice_no": "581483", "invoice_date": "2011-12-09 09:15:00"}');

\echo '-- lineage: where gold comes from'
SELECT distance, source_dataset AS source, target_dataset AS target, transformation_type AS how
FROM lineage_of('gold_daily_sales') ORDER BY distance;

\echo '-- the stream'
SELECT stream, sink, state, lag_bytes, lag, rows_per_s FROM stream_status;
