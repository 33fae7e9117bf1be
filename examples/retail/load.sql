-- The shop: its own tables and their real rows. Nothing of bitvelocity is in here but the month partitions.
-- Run in this folder, whose CSV files it reads.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset null '-'
SET client_min_messages = warning;

CREATE TABLE orders (
    invoice_no text NOT NULL,
    invoice_date timestamp NOT NULL,
    customer_id integer,
    country text NOT NULL,
    quantity integer NOT NULL,
    average_unit_price numeric(12, 4) NOT NULL,
    status text NOT NULL DEFAULT 'received',
    PRIMARY KEY (invoice_no, invoice_date)
) PARTITION BY RANGE (invoice_date);

CREATE TABLE order_lines (
    line_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_no text NOT NULL,
    stock_code text NOT NULL,
    description text,
    quantity integer NOT NULL,
    invoice_date timestamp NOT NULL,
    unit_price numeric(12, 4) NOT NULL,
    customer_id integer,
    country text NOT NULL
);
