#!/usr/bin/env bash
# On a standby nothing runs and nothing is said; after its promotion the workers start.
. "$(dirname "$0")/../check/script.sh"
server a log_min_messages=log

sql -c "CREATE DATABASE one"
sql -d one -c "CREATE EXTENSION bitvelocity" -c "CREATE TABLE orders (id int PRIMARY KEY)" \
    -c "SELECT bitvelocity.create_stream('s', ARRAY['orders']::regclass[])" >/dev/null
eventually "the primary streams" eval '[ "$(sql -d one -c "SELECT state FROM bitvelocity.stream_status")" = streaming ]'

mkdir -p "$BV_TMP/b"
[ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$BV_TMP/b"
check "a standby is made" "$BV_SERVER" as-owner pg_basebackup -h "$PGHOST" -p "$PGPORT" -U postgres -D "$BV_TMP/b/data" -R -c fast
# The copy includes the primary's settings file; the standby gets its own.
"$BV_SERVER" as-owner sed -i '/^include /d' "$BV_TMP/b/data/postgresql.conf"
server b log_min_messages=log
is "the standby is one" "$(sql -c "SELECT pg_is_in_recovery()")" t
is "no worker runs on it" "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'bitvelocity %'")" 0
is "the stream's state says why" "$(sql -d one -c "SELECT state FROM bitvelocity.stream_status")" standby
is "that is no finding" "$(sql -d one -c "SELECT count(*) FROM bitvelocity.check_setup() WHERE object = 'workers of this database'")" 0
# The checkout's folder may be called so, too.
is "nor anything to say" "$(grep -E '(^|[^/])bitvelocity' "$BV_TMP/b/server.log")" ""

check "it is promoted" sql -c "SELECT pg_promote()"
eventually "the launcher starts" eval '[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '"'bitvelocity launcher'"'")" = 1 ]'
eventually "and the scheduler" eval '[ "$(sql -d one -c "SELECT count(*) FROM bitvelocity.worker_status WHERE process = '"'scheduler'"' AND pid IS NOT NULL")" = 1 ]'
eventually "the slot did not survive: needs_resync" eval '[ "$(sql -d one -c "SELECT state FROM bitvelocity.stream_status")" = needs_resync ]'
is "with the reason" "$(sql -d one -c "SELECT last_error ~ 'is gone: it was dropped, or this server was restored or promoted without it' FROM bitvelocity.stream_status")" t
is "check_setup() says what to do" "$(sql -d one -c "SELECT fix FROM bitvelocity.check_setup() WHERE object = 'stream s'")" \
    "SELECT bitvelocity.resync_stream('s');"
sql -d one -c "SELECT bitvelocity.resync_stream('s')" >/dev/null
eventually "resync_stream makes a slot here" eval '[ "$(sql -d one -c "SELECT state FROM bitvelocity.stream_status")" = streaming ]'
sql -d one -c "INSERT INTO orders VALUES (2)"
check "changes of the promoted server arrive" sql -d one -c "SELECT bitvelocity.wait_for_stream('s')"
is "with the next epoch" "$(sql -d one -c "SELECT source_epoch FROM bronze_orders ORDER BY sequence DESC LIMIT 1")" 2
use a
check "the primary streams on" eval '[ "$(sql -d one -c "SELECT state FROM bitvelocity.stream_status")" = streaming ]'
finish
