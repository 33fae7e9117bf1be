#!/usr/bin/env bash
# Retention: months of a trail that are wholly older go, the others stay; a month of a bronze table stays until
# every dataset has read it.
. "$(dirname "$0")/../check/script.sh"

server a
sql -c "CREATE DATABASE shop"
export PGDATABASE=shop
sql <<'SQL' >/dev/null
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
CREATE EXTENSION bitvelocity;
CREATE TABLE orders (id int PRIMARY KEY, v text);
SELECT bitvelocity.enable_audit('orders', retention => '2 years');
SELECT bitvelocity.create_bronze('orders', retention => '6 months');
INSERT INTO orders VALUES (1, 'now');
SELECT bitvelocity.create_silver('silver', 'orders', key => '{id}');
SQL
check "a row reaches silver" sql -c "SELECT bitvelocity.wait_for_dataset('silver')"

# month TABLE AGE: makes the month that lies AGE before now, prints its name.
month() {
    sql -v parent="$1" -v age="$2" <<'SQL'
SELECT format('%s_p%s', :'parent', to_char(now() AT TIME ZONE 'UTC' - :'age'::interval, 'YYYYMM')) AS name,
    date_trunc('month', now() - :'age'::interval, 'UTC') AS lower,
    date_trunc('month', now() - :'age'::interval, 'UTC') + interval '1 month' AS upper \gset
SET timezone = 'UTC';
CREATE TABLE :"name" PARTITION OF :"parent" FOR VALUES FROM (:'lower') TO (:'upper');
\echo :name
SQL
}
exists() {
    [ "$(sql -c "SELECT to_regclass('$1') IS NOT NULL")" = t ]
}
# Maintenance runs when workers start, and once an hour.
maintain() {
    local before
    before=$(sql -c "SELECT now()")
    sql -c "SELECT bitvelocity.stop_workers()" -c "SELECT bitvelocity.start_workers()" >/dev/null
    eventually "$1" eval '[ "$(sql -c "SELECT bool_and(last_run > '"'$before'"' AND last_error IS NULL)
        FROM bitvelocity.partition_status")" = t ] || {
            sql -c "SELECT relation, last_run, last_error FROM bitvelocity.partition_status"; false; }'
}

old=$(month orders_audit "3 years")
young=$(month orders_audit "1 year")
sql -c "INSERT INTO orders_audit (operation_timestamp, operation_type, operation_user, session_user_name, transaction_id, id)
        SELECT now() - interval '3 years', 'INSERT', 'x', 'x', '1', 7"
sql -c "SELECT bitvelocity.pause_dataset('silver')" >/dev/null
first=$(month bronze_orders "9 months")
second=$(month bronze_orders "8 months")
empty=$(month bronze_orders "7 months")
recent=$(month bronze_orders "1 month")
add() {
    sql -c "INSERT INTO bronze_orders SELECT (b).* FROM (SELECT jsonb_populate_record(b, jsonb_build_object(
        'ingestion_date', (now() - interval '$1')::date, 'event_id', gen_random_uuid(), 'ordinal', $2,
        'raw_payload', jsonb_build_object('id', $2, 'v', 'late'))) AS b FROM bronze_orders b ORDER BY sequence LIMIT 1) s"
}
add "9 months" 9
add "8 months" 8

maintain "maintenance runs"
check "a month of the trail that is wholly older is gone" eval '! exists "$old"'
check "a younger one stays" exists "$young"
check "a month of bronze that the dataset has yet to read stays" exists "$first"
check "and those after it" eval 'exists "$second" && exists "$empty"'
check "the table shows no error" eval \
    '! sql -c "SELECT relation, last_error FROM bitvelocity.partition_status WHERE last_error IS NOT NULL" | grep .'

sql -c "SELECT bitvelocity.resume_dataset('silver')" >/dev/null
eventually "the dataset reads them" eval '[ "$(sql -c "SELECT count(*) FROM silver WHERE v = '"'late'"'")" = 2 ]'
maintain "maintenance runs again"
check "what is read and old is gone" eval '! exists "$first" && ! exists "$second" && ! exists "$empty"'
check "what is not old stays" exists "$recent"
is "silver keeps its rows" "$(sql -c "SELECT string_agg(id::text, ' ' ORDER BY id) FROM silver")" "1 8 9"
sql -c "INSERT INTO orders VALUES (2, 'after')"
check "and goes on" eval 'sql -c "SELECT bitvelocity.wait_for_dataset('"'silver'"')" && [ "$(sql -c "SELECT count(*) FROM silver")" = 4 ]'

check "a retention that is not positive is refused" eval \
    '! sql -c "CREATE TABLE t (id int PRIMARY KEY)" -c "SELECT bitvelocity.enable_audit('"'t', retention => '-1 day'"')" 2>/dev/null'
finish
