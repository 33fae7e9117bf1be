-- Some life in the shop: what an application does, with plain SQL. The only statement of bitvelocity is
-- set_context, which says who is at work.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
SET search_path = public, bitvelocity;

-- The warehouse packs and ships the orders of the last day.
BEGIN;
SELECT set_context(actor => 'anna@warehouse') \g /dev/null
UPDATE orders SET status = 'packed' WHERE invoice_date >= '2011-12-09' AND quantity > 0;
COMMIT;
BEGIN;
SELECT set_context(actor => 'ben@carrier') \g /dev/null
UPDATE orders SET status = 'shipped' WHERE invoice_date >= '2011-12-09' AND status = 'packed';
COMMIT;

-- Customer service: a customer found, a quantity mistyped, 80,995 paper birds come back.
BEGIN;
SELECT set_context(actor => 'carla@service', correlation_id => '5f0c9b1e-7d53-4c41-9a4b-1f5f9a0e2b77') \g /dev/null
UPDATE orders SET customer_id = 17850 WHERE invoice_no = '536414' AND customer_id IS NULL;
UPDATE orders SET quantity = 1, status = 'corrected' WHERE invoice_no = '541431' AND quantity = 74215;
UPDATE orders SET status = 'returned' WHERE invoice_no = '581483' AND status = 'shipped';
COMMIT;

-- Bookkeeping repairs one of two impossible prices; the other stays in quarantine.
BEGIN;
SELECT set_context(actor => 'dev@bookkeeping') \g /dev/null
UPDATE orders SET average_unit_price = 11062.06, status = 'written off' WHERE invoice_no = 'A563186';
COMMIT;

-- Test orders of a sales person are deleted; their lines softly: they stay and say by whom.
BEGIN;
SELECT set_context(actor => 'erik@sales') \g /dev/null
DELETE FROM orders WHERE invoice_no IN ('536367', '536368', '536369');
DELETE FROM order_lines WHERE invoice_no IN ('536367', '536368', '536369');
COMMIT;

-- Late arrivals: paper orders of last December, and lines of an order whose price nobody knows yet.
BEGIN;
SELECT set_context(actor => 'import@shop') \g /dev/null
INSERT INTO orders (invoice_no, invoice_date, customer_id, country, quantity, average_unit_price) VALUES
    ('599901', '2010-12-04 09:15', 17850, 'United Kingdom', 24, 3.75),
    ('599902', '2010-12-04 10:40', NULL, 'France', 6, 12.5);
INSERT INTO order_lines (invoice_no, stock_code, description, quantity, invoice_date, unit_price, customer_id, country) VALUES
    ('599901', '85123A', 'WHITE HANGING HEART T-LIGHT HOLDER', 12, '2010-12-04 09:15', 2.55, 17850, 'United Kingdom'),
    ('599901', '22423', 'REGENCY CAKESTAND 3 TIER', 12, '2010-12-04 09:15', 12.75, 17850, 'United Kingdom'),
    ('599902', '21724', 'PANDA AND BUNNIES STICKER SHEET', 6, '2010-12-04 10:40', -1, NULL, 'France');
COMMIT;
