#!/usr/bin/env bash
# Task workers: quick on a signal, owners without LOGIN, and one that fails, waits or hangs stops only
# itself.
. "$(dirname "$0")/../check/script.sh"
server a log_min_messages=log bitvelocity.log_interval=1h

one() { sql -d one "$@"; }
task() { one -c "SELECT $2 FROM bitvelocity.worker_status WHERE process = 'task' AND name = '$1'"; }
task_is() { [ "$(task "$1" "$2")" = "$3" ]; }
count_is() { [ "$(one -c "SELECT count(*) FROM $1")" = "$2" ]; }
workers() { one -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'bitvelocity task worker' AND usename = '$1'"; }

# The tables belong to a role that cannot log in, as in many databases
sql -c "CREATE DATABASE one" -c "CREATE ROLE shop" -c "CREATE ROLE clerk LOGIN"
one -c "CREATE EXTENSION bitvelocity" -c "GRANT CREATE ON SCHEMA public TO PUBLIC" \
    -c "SELECT bitvelocity.grant_admin('shop')" -c "SELECT bitvelocity.grant_admin('clerk')" >/dev/null
one -c "SET ROLE shop" -c "CREATE TABLE orders (id int PRIMARY KEY, amount numeric)" \
    -c "SELECT bitvelocity.create_bronze('orders')" \
    -c "SELECT bitvelocity.create_silver('silver_orders', 'orders', key => '{id}')" \
    -c "SELECT bitvelocity.create_rollup('gold', 'SELECT id % 10 AS bucket, count(*) AS orders, sum(amount) AS revenue FROM silver_orders GROUP BY id % 10')" >/dev/null
one -c "INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i"
eventually "rows reach silver" count_is silver_orders 100
eventually "and gold" count_is "gold WHERE orders = 10" 10
is "the worker is the owner, which cannot log in" \
    "$(one -c "SELECT DISTINCT role FROM bitvelocity.worker_status WHERE process = 'task worker'")" shop

# Latency of the whole path, lingering worker: the best of several, on a machine with other work
best=
for i in 1 2 3 4 5 6 7 8 9 10; do
    took=$(one -c "INSERT INTO orders VALUES (1000 + $i, 1)" -c "
        DO \$\$
        DECLARE began timestamptz := clock_timestamp();
        BEGIN
            WHILE NOT EXISTS (SELECT FROM silver_orders WHERE id = 1000 + $i) AND clock_timestamp() < began + '20 s' LOOP
                PERFORM pg_sleep(0.001);
                PERFORM pg_stat_clear_snapshot();
            END LOOP;
            RAISE NOTICE '%', (extract(epoch FROM clock_timestamp() - began) * 1000)::int;
        END \$\$" 2>&1 | sed -n 's/.*NOTICE: *//p')
    if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
check "commit to silver takes less than 250 ms ($best ms)" test "$best" -lt 250

# A failing one
one -c "SET ROLE clerk" -c "CREATE TABLE things (id int PRIMARY KEY, n int)" \
    -c "SELECT bitvelocity.create_bronze('things')" \
    -c "SELECT bitvelocity.create_silver('silver_things', 'things', key => '{id}')" >/dev/null
one -c "INSERT INTO things VALUES (1, 1)"
eventually "a second owner has a worker" count_is silver_things 1
one -c "ALTER TABLE silver_things RENAME COLUMN n TO m" -c "INSERT INTO things VALUES (2, 20)" \
    -c "INSERT INTO orders VALUES (2000, 1)"
eventually "a task that fails says why" eval 'task silver_things last_error | grep -q "column"'
eventually "and is tried again" eval '[ "$(task silver_things failures)" -ge 3 ]'
eventually "the others go on" count_is "silver_orders WHERE id = 2000" 1
is "its failure is one line of the log" "$(grep -c 'dataset "silver_things" failed' "$BV_TMP/a/server.log")" 1
is "check_setup() shows it" "$(one -c "SELECT count(*) FROM bitvelocity.check_setup() WHERE object = 'dataset silver_things'")" 1
one -c "ALTER TABLE silver_things RENAME COLUMN m TO n" -c "SELECT bitvelocity.pause_dataset('silver_things'), bitvelocity.resume_dataset('silver_things')" >/dev/null
eventually "once the cause is gone it goes on" count_is silver_things 2
eventually "and the failure is forgotten" task_is silver_things "last_error IS NULL" t

# One that waits for a lock
(one -c "BEGIN" -c "LOCK TABLE silver_things IN ACCESS EXCLUSIVE MODE" -c "SELECT pg_sleep(600)" >/dev/null 2>&1) &
holder=$!
eventually "a table is locked" eval '[ "$(one -c "SELECT count(*) FROM pg_locks WHERE mode = '"'AccessExclusiveLock'"' AND relation = '"'silver_things'"'::regclass AND granted")" = 1 ]'
one -c "INSERT INTO things VALUES (3, 3)" -c "INSERT INTO orders VALUES (2001, 1)"
eventually "its task waits and gives up" eval 'task silver_things last_error | grep -q "lock timeout"'
eventually "the others go on" count_is "silver_orders WHERE id = 2001" 1
one -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()" >/dev/null
wait $holder
one -c "SELECT bitvelocity.pause_dataset('silver_things'), bitvelocity.resume_dataset('silver_things')" >/dev/null
eventually "unlocked it goes on" count_is silver_things 3

# One that hangs in user code
one -c "SET ROLE clerk" -c "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \$\$
    BEGIN
        LOOP
            BEGIN
                PERFORM pg_sleep(300);
            EXCEPTION WHEN query_canceled THEN NULL;
            END;
        END LOOP;
    END \$\$" -c "CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON silver_things FOR EACH ROW EXECUTE FUNCTION slow()"
one -c "INSERT INTO things VALUES (4, 4)" -c "INSERT INTO orders VALUES (2002, 1)"
eventually "a task hangs" eval '[ "$(one -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '"'bitvelocity task worker'"' AND wait_event = '"'PgSleep'"'")" = 1 ]'
eventually "the others go on" count_is "silver_orders WHERE id = 2002" 1
began=$(date +%s%N)
"$BV_SERVER" stop "$BV_TMP/a" fast
took=$((($(date +%s%N) - began) / 1000000))
check "a fast stop does not wait for it ($((took / 1000)) s)" test "$took" -lt 10000
"$BV_SERVER" restart "$BV_TMP/a" fast
eventually "after the restart it hangs again" eval '[ "$(one -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '"'bitvelocity task worker'"' AND wait_event = '"'PgSleep'"'")" = 1 ]'
one -c "INSERT INTO orders VALUES (2003, 1)"
eventually "and the others go on" count_is "silver_orders WHERE id = 2003" 1
check "the database can be copied meanwhile" sql -c "CREATE DATABASE copy TEMPLATE one"
eventually "everybody comes back" count_is "silver_orders WHERE id = 2003" 1

# Killed
eventually "a task worker runs" eval '[ -n "$(one -c "SELECT pid FROM pg_stat_activity WHERE backend_type = '"'bitvelocity task worker'"' AND datname = '"'one'"' LIMIT 1")" ]'
kill -9 "$(one -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'bitvelocity task worker' AND datname = 'one' LIMIT 1")"
eventually "the server recovers from a killed task worker" one -c "INSERT INTO orders VALUES (2004, 1)"
eventually "and the path goes on" count_is "silver_orders WHERE id = 2004" 1
check "DROP DATABASE while a task hangs" sql -c "DROP DATABASE one"
finish
