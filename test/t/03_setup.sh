#!/usr/bin/env bash
# What is missing is named with the line to change: where it is needed, in check_setup(), and in the log
# once, not every second.
. "$(dirname "$0")/../check/script.sh"

finding() { sql -d one -F ' | ' -c "SELECT severity, finding, fix FROM bitvelocity.check_setup() WHERE object = '$1'"; }
has() { case $2 in *"$1"*) pass "$3" ;; *) failed "$3" "no $1 in: $2" ;; esac; }
restart_with() {
    local name=$1
    shift
    "$BV_SERVER" stop "$BV_TMP/$name" fast
    server "$name" "$@"
}
say() { grep -c "$1" "$BV_TMP/a/server.log"; }

# Nothing is set
server a shared_preload_libraries= wal_level=replica
sql -c "CREATE DATABASE one"
check "CREATE EXTENSION works without preloading" sql -d one -c "CREATE EXTENSION bitvelocity"
sql -d one -c "CREATE TABLE orders (id int PRIMARY KEY)"
has "shared_preload_libraries = 'bitvelocity'" "$(finding shared_preload_libraries)" "check_setup() names the preload line"
has "ERROR" "$(finding shared_preload_libraries)" "as an error"
has "wal_level = logical" "$(finding wal_level)" "check_setup() names the wal_level line"
has "INFO" "$(finding max_slot_wal_keep_size)" "unlimited retention is worth a decision"
error=$(sql -d one -v VERBOSITY=verbose -c "SELECT bitvelocity.create_stream('s', ARRAY['orders']::regclass[])" 2>&1)
has "55000" "$error" "create_stream() refuses with 55000"
has "shared_preload_libraries = 'bitvelocity'" "$error" "and names the line"
error=$(sql -d one -v VERBOSITY=verbose -c "SELECT bitvelocity.start_workers()" 2>&1)
has "55000" "$error" "start_workers() refuses with 55000"
is "worker_status is empty" "$(sql -d one -c "SELECT count(*) FROM bitvelocity.worker_status")" 0

# Preloaded beside others, still without logical WAL
restart_with a "shared_preload_libraries=bitvelocity" wal_level=replica
is "the preload finding is gone" "$(finding shared_preload_libraries)" ""
error=$(sql -d one -v VERBOSITY=verbose -c "SELECT bitvelocity.create_stream('s', ARRAY['orders']::regclass[])" 2>&1)
has "wal_level" "$error" "create_stream() names wal_level"

# Too few background workers
restart_with a max_worker_processes=3 bitvelocity.log_interval=1h
eventually "launcher and scheduler run" eval \
    '[ "$(sql -d one -c "SELECT count(*) FROM bitvelocity.worker_status WHERE pid IS NOT NULL")" = 2 ]'
sql -d one -c "SELECT bitvelocity.create_stream('s', ARRAY['orders']::regclass[])" >/dev/null
eventually "check_setup() names max_worker_processes" eval '[ -n "$(finding max_worker_processes)" ]'
has "max_worker_processes = " "$(finding max_worker_processes)" "with the line to change"
needed() { finding max_worker_processes | sed -n 's/.*bitvelocity needs \([0-9]*\) of.*/\1/p'; }
without=$(needed)
sql -d one -c "SELECT bitvelocity.alter_stream('s', options => '{\"snapshot.readers\": 4}')" >/dev/null
is "readers of existing rows count" "$(($(needed) - without))" 4
sql -d one -c "SELECT bitvelocity.alter_stream('s', options => '{}')" >/dev/null
eventually "the log names it" eval '[ "$(say "no free background worker slot")" -ge 1 ]'
eventually "the stream is tried again" eval \
    '[ "$(sql -d one -c "SELECT count(*) FROM bitvelocity.worker_status WHERE next_attempt > since + interval '"'3 s'"'")" -ge 1 ]'
is "the log names it once" "$(say "no free background worker slot")" 1

# Too few slots
restart_with a max_replication_slots=1 bitvelocity.log_interval=1h
eventually "with workers the stream runs" eval \
    '[ "$(sql -d one -c "SELECT state FROM bitvelocity.stream_status")" = streaming ]'
has "max_replication_slots = " "$(finding max_replication_slots)" "check_setup() names max_replication_slots"
sql -d one -c "CREATE TABLE other (id int PRIMARY KEY)"
error=$(sql -d one -v VERBOSITY=verbose -c "SELECT bitvelocity.create_stream('s2', ARRAY['other']::regclass[])" 2>&1)
case $error in
    *max_replication_slots*) pass "a second stream is refused with the setting" ;;
    *)
        eventually "a second stream shows the setting" eval \
            'sql -d one -c "SELECT last_error, hint FROM bitvelocity.stream_status WHERE stream = '"'s2'"'" | grep -q max_replication_slots'
        eventually "and is tried again" eval \
            '[ "$(sql -d one -c "SELECT failures FROM bitvelocity.worker_status WHERE name = '"'s2'"' AND process = '"'service'"'")" -ge 3 ]'
        is "the log names it once" "$(say 'stream "s2" stopped')" 1
        sql -d one -c "SELECT bitvelocity.drop_stream('s2')" >/dev/null
        ;;
esac

# Files, tables, rights
restart_with a bitvelocity.connection_file="$BV_TMP/a/data/connections.conf"
file=$BV_TMP/a/data/connections.conf
has "cannot read" "$(finding "$file")" "a missing connection file is named"
"$BV_SERVER" as-owner sh -c "umask 022; : >'$file'"
has "chmod 0600" "$(finding "$file")" "so is one that others may read"
"$BV_SERVER" as-owner chmod 600 "$file"
has "data directory" "$(finding "$file")" "and one inside the data directory"
sql -d one -c "CREATE TABLE keyless (a int)" -c "CREATE PUBLICATION p FOR TABLE keyless"
has "ALTER TABLE public.keyless REPLICA IDENTITY FULL" "$(finding "table public.keyless")" "a published table without key is named"
sql -d one -c "ALTER TABLE keyless REPLICA IDENTITY FULL"
is "no more with an identity" "$(finding "table public.keyless")" ""
sql -d one -c "SELECT bitvelocity.stop_workers()" >/dev/null
has "start_workers()" "$(finding "workers of this database")" "stopped workers are named"
sql -d one -c "SELECT bitvelocity.start_workers()" >/dev/null
is "no more once they run" "$(finding "workers of this database")" ""
sql -c "ALTER SYSTEM SET bitvelocity.enabled = off" -c "SELECT pg_reload_conf()" >/dev/null
eventually "enabled = off is named" eval 'finding bitvelocity.enabled | grep -q "bitvelocity.enabled = on"'
sql -c "ALTER SYSTEM RESET bitvelocity.enabled" -c "SELECT pg_reload_conf()" >/dev/null

sql -d one -c "CREATE ROLE viewer LOGIN" -c "GRANT pg_monitor TO viewer" -c "CREATE ROLE admin LOGIN" -c "CREATE ROLE nobody LOGIN"
check "pg_monitor may run check_setup()" sql -d one -U viewer -c "SELECT * FROM bitvelocity.check_setup()"
check "and read worker_status" sql -d one -U viewer -c "SELECT * FROM bitvelocity.worker_status"
check "but not stop workers" eval '! sql -d one -U viewer -c "SELECT bitvelocity.stop_workers()" 2>/dev/null'
check "nobody may not run check_setup()" eval '! sql -d one -U nobody -c "SELECT * FROM bitvelocity.check_setup()" 2>/dev/null'
check "nobody may not make himself an administrator" eval '! sql -d one -U nobody -c "SELECT bitvelocity.grant_admin('"'nobody'"')" 2>/dev/null'
sql -d one -c "SELECT bitvelocity.grant_admin('admin')" >/dev/null
check "after grant_admin() a role may" sql -d one -U admin -c "SELECT bitvelocity.stop_workers(), bitvelocity.start_workers()" -c "SELECT * FROM bitvelocity.check_setup()" -c "SELECT * FROM bitvelocity.stream"
check "but not make others administrators" eval '! sql -d one -U admin -c "SELECT bitvelocity.grant_admin('"'nobody'"')" 2>/dev/null'
finish
