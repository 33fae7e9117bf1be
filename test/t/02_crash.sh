#!/usr/bin/env bash
# Whatever process is killed, and however the server stops: everything comes back, bronze has every
# change exactly once, and a fast stop takes seconds.
. "$(dirname "$0")/../check/script.sh"
server a log_min_messages=log fsync=on restart_after_crash=on

scalar() { sql -d one -c "$1"; }
pid_of() { scalar "SELECT pid FROM pg_stat_activity WHERE backend_type = 'bitvelocity $1' AND ('$1' = 'launcher' OR datname = 'one') LIMIT 1"; }
runs() { [ -n "$(pid_of "$1")" ]; }
is_not() { local pid; pid=$(pid_of "$1") && [ -n "$pid" ] && [ "$pid" != "$2" ]; }
answers() { sql -c "SELECT 1" >/dev/null; }
exact() {
    [ "$(scalar "SELECT (SELECT count(*) FROM orders) = (SELECT count(*) FROM bronze_orders WHERE operation_type = 'INSERT')
        AND (SELECT count(*) FROM bronze_orders) = (SELECT count(DISTINCT event_id) FROM bronze_orders)
        AND NOT EXISTS (SELECT FROM orders o WHERE NOT EXISTS (SELECT FROM bronze_orders b WHERE (b.raw_payload ->> 'id')::int = o.id))")" = t ]
}

sql -c "CREATE DATABASE one"
sql -d one -c "CREATE EXTENSION bitvelocity" -c "CREATE TABLE orders (id serial PRIMARY KEY, amount numeric)" \
    -c "SELECT bitvelocity.create_stream('s', ARRAY['orders']::regclass[])" >/dev/null
eventually "a stream runs" eval '[ "$(scalar "SELECT state FROM bitvelocity.stream_status")" = streaming ]'

# One writer for the whole test; it survives the server's crashes.
touch "$BV_TMP/write"
(
    while [ -e "$BV_TMP/write" ]; do
        sql -d one -c "INSERT INTO orders (amount) SELECT i FROM generate_series(1, 20) i" >/dev/null 2>&1 || sleep 0.1
    done
) &
writer=$!

for process in launcher scheduler decoder deliverer; do
    eventually "the $process runs" runs "$process"
    before=$(scalar "SELECT count(*) FROM orders")
    eventually "rows are written" eval '[ "$(scalar "SELECT count(*) FROM orders")" -gt "'"$before"'" ]'
    victim=$(pid_of "$process")
    kill -9 "$victim"
    eventually "the $process comes back after a kill" is_not "$process" "$victim"
    for other in launcher scheduler decoder deliverer; do
        eventually "with it the $other" runs "$other"
    done
done

for process in scheduler decoder deliverer; do
    victim=$(pid_of "$process")
    scalar "SELECT pg_terminate_backend($victim)" >/dev/null
    eventually "the $process comes back after pg_terminate_backend()" is_not "$process" "$victim"
    victim=$(pid_of "$process")
    scalar "SELECT pg_cancel_backend($victim)" >/dev/null
done
eventually "pg_cancel_backend() stops nothing for long" eval 'runs scheduler && runs decoder && runs deliverer'
victim=$(pid_of launcher)
scalar "SELECT pg_terminate_backend($victim)" >/dev/null
eventually "the launcher comes back after pg_terminate_backend()" is_not launcher "$victim"

"$BV_SERVER" restart "$BV_TMP/a" immediate
eventually "after an immediate stop the deliverer runs" runs deliverer

began=$(date +%s%N)
"$BV_SERVER" stop "$BV_TMP/a" fast
took=$((($(date +%s%N) - began) / 1000000))
check "a fast stop under load takes less than 10 s ($((took / 1000)) s)" test "$took" -lt 10000
"$BV_SERVER" restart "$BV_TMP/a" fast
eventually "after a fast stop the deliverer runs" runs deliverer

rm "$BV_TMP/write"
wait "$writer"
eventually "bronze has every row exactly once" exact

# A clean restart of an idle stream delivers nothing twice, not even to be refused.
rows=$(scalar "SELECT count(*) FROM bronze_orders")
"$BV_SERVER" restart "$BV_TMP/a" fast
eventually "after a clean restart the deliverer runs" runs deliverer
sql -d one -c "INSERT INTO orders (amount) VALUES (1)"
eventually "one new row is one new event" eval '[ "$(scalar "SELECT count(*) FROM bronze_orders")" -ge '$((rows + 1))' ]'
is "and no more" "$(scalar "SELECT count(*) FROM bronze_orders")" "$((rows + 1))"
is "no PANIC" "$(grep -c 'PANIC:' "$BV_TMP/a/server.log")" 0
finish
