#!/usr/bin/env bash
# Extensions and databases come and go while streams run: the workers follow commits, never aborts, and
# step aside for commands that need the database for themselves.
. "$(dirname "$0")/../check/script.sh"
server a log_min_messages=log bitvelocity.log_interval=60s max_prepared_transactions=5

processes() { sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'bitvelocity $2' AND datname = '$1'"; }
has_processes() { [ "$(processes "$1" "$2")" = "$3" ]; }
slots() { sql -c "SELECT count(*) FROM pg_replication_slots WHERE database = '$1'"; }
slots_are() { [ "$(slots "$1")" = "$2" ]; }
origins() { sql -c "SELECT count(*) FROM pg_replication_origin WHERE roname LIKE 'bitvelocity_' || $1 || '_%'"; }
oid_of() { sql -c "SELECT oid FROM pg_database WHERE datname = '$1'"; }
bronze_has() { [ "$(sql -d "$1" -c "SELECT count(*) FROM bronze_orders WHERE operation_type <> 'READ'")" = "$2" ]; }
no_worker_of() { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'bitvelocity %' AND datid = $1")" = 0 ]; }
streaming() { [ "$(sql -d "$1" -c "SELECT state FROM bitvelocity.stream_status")" = streaming ]; }

make_stream() {
    sql -d "$1" -c "CREATE EXTENSION bitvelocity" \
        -c "CREATE TABLE orders (id int PRIMARY KEY, amount numeric)" \
        -c "SELECT bitvelocity.create_stream('s', ARRAY['orders']::regclass[])" >/dev/null
}

# Commits and aborts
sql -c "CREATE DATABASE one" -c "CREATE DATABASE two"
sql -d one -c "BEGIN; CREATE EXTENSION bitvelocity; ROLLBACK"
sql -d one -c "BEGIN; SAVEPOINT a; CREATE EXTENSION bitvelocity; ROLLBACK TO a; COMMIT"
check "a database without the extension has no scheduler" has_processes one scheduler 0
make_stream one
eventually "CREATE EXTENSION starts a scheduler" has_processes one scheduler 1
eventually "a stream runs" streaming one
make_stream two
eventually "a second database has its own scheduler" has_processes two scheduler 1
eventually "its stream runs, too" streaming two
is "each database has one decoder" "$(processes one decoder) $(processes two decoder)" "1 1"
is "there is one launcher" "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'bitvelocity launcher'")" 1
sql -d one -c "INSERT INTO orders VALUES (1, 1)"
sql -d two -c "INSERT INTO orders VALUES (1, 1), (2, 2)"
eventually "changes of one arrive" bronze_has one 1
eventually "changes of two arrive" bronze_has two 2

pid_before=$(sql -d one -c "SELECT pid FROM bitvelocity.worker_status WHERE process = 'decoder'")
sql -d one -c "BEGIN; DROP EXTENSION bitvelocity CASCADE; ROLLBACK" 2>/dev/null
sql -d one -c "INSERT INTO orders VALUES (2, 2)"
eventually "an aborted DROP EXTENSION changes nothing" bronze_has one 2
is "the same decoder runs" "$(sql -d one -c "SELECT pid FROM bitvelocity.worker_status WHERE process = 'decoder'")" "$pid_before"
is "the slot is there" "$(slots one)" 1

one=$(oid_of one)
is "the origin is there" "$(origins "$one")" 1
sql -d one -c "DROP EXTENSION bitvelocity CASCADE" 2>/dev/null
eventually "a committed DROP EXTENSION ends the workers" no_worker_of "$one"
eventually "its slot is gone" slots_are one 0
is "its origin is gone" "$(origins "$one")" 0
check "the other database goes on" streaming two
is "the drop is one line of the log with a position" \
    "$(grep -c "LOG: .*dropped replication slot .*bitvelocity_${one}_.* at [0-9A-F]*/" "$BV_TMP/a/server.log")" 1
sql -d one -c "DROP TABLE orders, bronze_orders CASCADE" 2>/dev/null
make_stream one
eventually "created again it streams again" streaming one

# Commands that need the database for themselves
check "CREATE DATABASE ... TEMPLATE while streaming" sql -c "CREATE DATABASE clone TEMPLATE two"
eventually "the template streams on" streaming two
deux=$(oid_of two)
sql -d two -c "INSERT INTO orders VALUES (3, 3)"
eventually "and delivers" bronze_has two 3
eventually "the clone gets a scheduler" has_processes clone scheduler 1
is "its stream is the template's: it needs adoption" "$(sql -d clone -c "SELECT state FROM bitvelocity.stream_status")" needs_adoption
is "check_setup() says so" "$(sql -d clone -c "SELECT fix FROM bitvelocity.check_setup() WHERE object = 'stream s'")" \
    "SELECT bitvelocity.adopt_streams();  -- only if this is production now"
sql -d clone -c "SELECT bitvelocity.adopt_streams()" >/dev/null
eventually "after adopt_streams() it streams with a slot of its own" streaming clone
is "that is one slot each" "$(slots two) $(slots clone)" "1 1"
check "CREATE DATABASE ... TEMPLATE of the database one is connected to" sql -d two -c "CREATE DATABASE clone2 TEMPLATE two"
eventually "it streams on" streaming two
check "a refused CREATE DATABASE leaves the template running" eval \
    '! sql -c "CREATE DATABASE clone TEMPLATE two" 2>/dev/null'
eventually "it streams on after the refusal" streaming two
check "RENAME while streaming" sql -c "ALTER DATABASE two RENAME TO deux"
eventually "it streams on under the new name" streaming deux
sql -d deux -c "INSERT INTO orders VALUES (4, 4)"
eventually "and delivers under the new name" bronze_has deux 4
mkdir -p "$BV_TMP/space"
"$BV_SERVER" as-owner true && [ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$BV_TMP/space"
sql -c "CREATE TABLESPACE space LOCATION '$BV_TMP/space'"
check "SET TABLESPACE while streaming" sql -c "ALTER DATABASE deux SET TABLESPACE space"
eventually "it streams on in the other tablespace" streaming deux
psql -X -d one -c "SELECT pg_sleep(120)" >/dev/null 2>&1 &
sleeper=$!
eventually "somebody uses the database" eval \
    '[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE datname = '"'one'"' AND query LIKE '"'%pg_sleep(120)%'"'")" = 2 ] || [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE datname = '"'one'"' AND backend_type = '"'client backend'"'")" = 1 ]'
check "DROP DATABASE of a used database is refused" eval '! sql -c "DROP DATABASE one" 2>/dev/null'
eventually "its stream comes back" streaming one
check "DROP DATABASE WITH (FORCE) while streaming" sql -c "DROP DATABASE one WITH (FORCE)"
kill $sleeper 2>/dev/null
wait $sleeper 2>/dev/null
check "DROP DATABASE of another database while streaming" sql -c "DROP DATABASE clone2"
check "the stream was not disturbed" streaming deux
check "DROP DATABASE while streaming" sql -c "DROP DATABASE deux"
is "no slot is left" "$(slots one) $(slots deux)" "0 0"
is "no origin is left" "$(origins "$one") $(origins "$deux")" "0 0"
eventually "no worker is left" no_worker_of "$deux"

# A database that lives for a moment only
for i in 1 2 3 4 5 6 7 8; do
    sql -c "CREATE DATABASE moment" -c "DROP DATABASE moment" || failed "CREATE and DROP DATABASE, round $i"
done
pass "databases that live for a moment"

# Prepared transactions
sql -c "CREATE DATABASE prepared"
sql -d prepared -c "BEGIN" -c "CREATE EXTENSION bitvelocity" -c "PREPARE TRANSACTION 'create'"
sql -d prepared -c "ROLLBACK PREPARED 'create'"
sql -d prepared -c "BEGIN" -c "CREATE EXTENSION bitvelocity" -c "PREPARE TRANSACTION 'create'"
check "a prepared CREATE EXTENSION starts nothing" has_processes prepared scheduler 0
sql -d prepared -c "COMMIT PREPARED 'create'"
eventually "COMMIT PREPARED of it does" has_processes prepared scheduler 1
sql -d prepared -c "BEGIN" -c "DROP EXTENSION bitvelocity" -c "PREPARE TRANSACTION 'drop'"
check "a prepared DROP EXTENSION ends nothing" has_processes prepared scheduler 1
sql -d prepared -c "COMMIT PREPARED 'drop'"
eventually "COMMIT PREPARED of it does" has_processes prepared scheduler 0

# Templates and closed databases
sql -d prepared -c "CREATE EXTENSION bitvelocity"
eventually "a database is served" has_processes prepared scheduler 1
sql -c "ALTER DATABASE prepared IS_TEMPLATE true"
eventually "a template is not" has_processes prepared scheduler 0
sql -c "ALTER DATABASE prepared IS_TEMPLATE false"
eventually "once it is none any more, it is" has_processes prepared scheduler 1
sql -c "ALTER DATABASE prepared ALLOW_CONNECTIONS false"
eventually "one that allows no connections is not" has_processes prepared scheduler 0
sql -c "ALTER DATABASE prepared ALLOW_CONNECTIONS true"
eventually "allowed again it is" has_processes prepared scheduler 1

# Who may make the workers leave
sql -c "CREATE DATABASE three" -c "CREATE ROLE stranger LOGIN"
make_stream three
eventually "a third database streams" streaming three
since=$(sql -d three -c "SELECT since FROM bitvelocity.worker_status WHERE process = 'scheduler'")
check "a stranger cannot drop it" eval '! sql -U stranger -c "DROP DATABASE three" 2>/dev/null'
is "nor make its workers leave" "$(sql -d three -c "SELECT since FROM bitvelocity.worker_status WHERE process = 'scheduler'")" "$since"

# Stop and start
is "stop_workers() waits until they are gone" "$(sql -d three -c "SELECT bitvelocity.stop_workers()")" t
check "no worker is left in the database" no_worker_of "$(oid_of three)"
sql -d three -c "INSERT INTO orders VALUES (1, 1)"
is "start_workers() starts them" "$(sql -d three -c "SELECT bitvelocity.start_workers()")" t
eventually "what came meanwhile arrives" bronze_has three 1
sql -c "ALTER SYSTEM SET bitvelocity.enabled = off" -c "SELECT pg_reload_conf()" >/dev/null
eventually "bitvelocity.enabled = off ends all workers" no_worker_of "$(oid_of three)"
sql -d three -c "INSERT INTO orders VALUES (2, 2)"
sql -c "ALTER SYSTEM RESET bitvelocity.enabled" -c "SELECT pg_reload_conf()" >/dev/null
eventually "on starts them again" bronze_has three 2
sql -d three -c "SELECT bitvelocity.stop_workers()" >/dev/null
sql -d three -c "DROP EXTENSION bitvelocity CASCADE" 2>/dev/null
eventually "DROP EXTENSION while stopped still drops the slot" slots_are three 0

is "no worker said ERROR, FATAL or PANIC" \
    "$(grep -E '(ERROR|FATAL|PANIC):' "$BV_TMP/a/server.log" | grep -c 'bitvelocity ')" 0
finish
