#!/usr/bin/env bash
# A slot that retains much WAL: shown with its limit, said in the log now and then, given up only where that was asked
# for; also while the stream does not run.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a min_wal_size=32MB max_wal_size=64MB bitvelocity.log_interval=86400
sql -c "CREATE EXTENSION bitvelocity" -c "CREATE TABLE t (id int PRIMARY KEY, v text)" -c "SELECT bitvelocity.create_bronze('t')" >/dev/null
check "the stream starts" synced
status() { sql -c "SELECT $1 FROM bitvelocity.stream_status WHERE stream = 'bronze'"; }
fill() { sql -c "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 4000) i ON CONFLICT (id) DO UPDATE SET v = excluded.v"; }

eventually "without an option the limit is 10 GB or a quarter of the free space" \
    eval '[ "$(status "wal_limit_bytes BETWEEN 1 AND 10 * 1024::bigint ^ 3")" = t ]'
is "the age of what the slot keeps of the catalogues is shown" "$(status "catalog_xmin_age > 0")" t
check "an unknown policy is refused" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"wal_policy\": \"drop\"}')" 22023 "HINT: .*drop_slot"
check "so is a limit without sense" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"wal_limit\": \"much\"}')" 22023 "HINT:  A size with a unit"

# Warn: paused, so only the guard looks at it
sql -c "SELECT bitvelocity.alter_stream('bronze', options => '{\"wal_limit\": \"2MB\"}'), bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused" state_is paused
fill
eventually "the limit is shown" eval '[ "$(status wal_limit_bytes)" = 2097152 ]'
warned() { grep -c 'WARNING: .*bitvelocity stream "bronze" retains .* of WAL, more than its limit of 2048 kB' "$BV_TMP/a/server.log"; }
eventually "a paused stream over its limit is said in the log" eval '[ "$(warned)" = 1 ]'
check "with what frees WAL" grep -q "HINT: .*pausing does not" "$BV_TMP/a/server.log"
fill
eventually "there is an estimate when the disk is full" eval '[ "$(status "time_to_full > interval '"'0'"'")" = t ]'
is "check_setup() names it" "$(sql -c "SELECT severity || ' ' || (finding ~ 'more than its limit') FROM bitvelocity.check_setup() WHERE object = 'stream bronze'")" "WARNING true"
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
check "nothing was given up" synced
is "every row is there" "$(sql -c "SELECT count(DISTINCT raw_payload->>'id') FROM bronze_t")" 4000
is "the message is not repeated within bitvelocity.log_interval" "$(warned)" 1

# Old catalogue rows
sql -c "SELECT bitvelocity.alter_stream('bronze', options => '{\"catalog_xmin_limit\": 1}'), bitvelocity.pause_stream('bronze')" >/dev/null
sql -c "ALTER SYSTEM SET bitvelocity.log_interval = 1" -c "SELECT pg_reload_conf()" >/dev/null
for _ in 1 2 3 4 5; do sql -c "INSERT INTO t VALUES (-1, '') ON CONFLICT (id) DO UPDATE SET v = ''"; done
eventually "an old catalog_xmin is said, too" grep -q 'stream "bronze" keeps catalogue rows for [0-9]* transactions, more than 1' "$BV_TMP/a/server.log"

# Giving up, loudly
sql -c "SELECT bitvelocity.alter_stream('bronze', options => '{\"wal_limit\": \"2MB\", \"wal_policy\": \"drop_slot\"}')" >/dev/null
fill
eventually "with drop_slot the stream needs a resync" state_is needs_resync
check "with the reason" eval 'status last_error | grep "was given up by wal_policy: it retains .* of WAL, more than its limit"'
eventually "the slot is gone" eval '[ "$(sql -c "SELECT count(*) FROM pg_replication_slots")" = 0 ]'
check "the log says it" grep -q 'WARNING: .*stream "bronze" needs a resync: .*given up' "$BV_TMP/a/server.log"
sql -c "SELECT bitvelocity.alter_stream('bronze', options => '{}'), bitvelocity.resume_stream('bronze'), bitvelocity.resync_stream('bronze')" >/dev/null
eventually "resync_stream starts it again" synced
sql -c "INSERT INTO t VALUES (5000, 'after')"
check "and it streams" synced
is "with every row" "$(sql -c "SELECT count(DISTINCT raw_payload->>'id') FROM bronze_t WHERE source_epoch = 2")" 4002
finish
