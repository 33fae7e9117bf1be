-- The same changes into a Kafka topic: the rows that exist first, then what happens.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
SET search_path = public, bitvelocity;

\echo '-- a stream of its own: topic shop.public.orders, format event'
SELECT create_stream('shop', tables => ARRAY['orders'::regclass], sink => 'kafka', format => 'event',
    options => '{"event.schema": "none"}') \g /dev/null
SELECT wait_for_stream('shop') \g /dev/null

\echo '-- somebody changes an order'
BEGIN;
SELECT set_context(actor => 'dev@bookkeeping', correlation_id => '9a1f6c52-2f0e-4b8e-8a55-6d1f3f5f7c10') \g /dev/null
UPDATE orders SET status = 'refunded' WHERE invoice_no = '581483' AND status = 'returned';
COMMIT;

\echo '-- true when all of it is acknowledged by the broker'
SELECT wait_for_stream('shop') AS arrived;
SELECT stream, sink, state, lag_bytes FROM stream_status ORDER BY stream;
