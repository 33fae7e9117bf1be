#!/usr/bin/env bash
# A slot that was dropped, invalidated, replaced or advanced by somebody: the stream says what happened and what to do; resync_stream brings every
# row again with the next epoch.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_slot_wal_keep_size=-1 min_wal_size=32MB max_wal_size=64MB
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
sql >/dev/null <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'existed' FROM generate_series(1, 1000) i;
SELECT bitvelocity.create_bronze('t');
SQL
check "the stream starts" synced
sql -c "INSERT INTO t VALUES (2001, 'streamed')"
synced
slot() { sql -c "SELECT slot_name FROM bitvelocity.stream"; }
told() { # the stream is lost and says so everywhere
    eventually "$1: the state is needs_resync" state_is needs_resync
    check "$1: wait_for_stream refuses with the way out" \
        refused "SELECT bitvelocity.wait_for_stream('bronze')" 55000 "HINT:  Run SELECT bitvelocity.resync_stream('bronze')"
    is "$1: so does the status" "$(sql -c "SELECT hint FROM bitvelocity.stream_status")" "SELECT bitvelocity.resync_stream('bronze');"
}
paused() { [ "$(sql -c "SELECT state FROM bitvelocity.stream_status")" = paused ] && [ -z "$(pids decoder)$(pids deliverer)" ]; }
one_slot() { [ "$(sql -c "SELECT count(*) FROM pg_replication_slots")" = 1 ]; }
same_state_in_epoch() {
    sql -c "DROP VIEW IF EXISTS bronze_epoch" -c "CREATE VIEW bronze_epoch AS SELECT * FROM bronze_t WHERE source_epoch = $1" \
        -c "CREATE OR REPLACE VIEW epoch AS SELECT * FROM t"
    local output
    output=$(differences epoch | sed "s/epoch/t/") && [ -z "$output" ] || {
        echo "$output"
        return 1
    }
}
again() { # what, epoch
    sql -c "SELECT bitvelocity.resync_stream('bronze')" >/dev/null
    eventually "$1: resync_stream starts it again" synced
    is "$1: every row is there with the next epoch" \
        "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_t WHERE source_epoch = $2 AND operation_type = 'READ'")" \
        "$(sql -c "SELECT count(*), count(*) FROM t")"
    sql -c "UPDATE t SET v = '$1' WHERE id = 2001"
    check "$1: changes go on" synced
    is "$1: with that epoch" "$(sql -c "SELECT raw_payload->>'v', source_epoch FROM bronze_t ORDER BY sequence DESC LIMIT 1")" "$1|$2"
    is "$1: (epoch, LSN, ordinal, part) orders the events of every key" \
        "$(sql -c "SELECT count(*) FROM (SELECT (source_epoch, commit_lsn, ordinal, part) < lag((source_epoch, commit_lsn, ordinal, part))
            OVER (PARTITION BY coalesce(raw_payload, before_payload)->>'id' ORDER BY sequence) AS wrong FROM bronze_t) e WHERE wrong")" 0
    is "$1: identities are unique" "$(sql -c "SELECT count(*) = count(DISTINCT event_id) FROM bronze_t")" t
    # What was deleted while nobody looked has no event: an epoch stands for itself.
    check "$1: the last event of every key in the newest epoch is its row" same_state_in_epoch "$2"
    eventually "$1: one slot is left" one_slot
}

# Dropped by hand
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused" paused
check "a paused stream is waited for in vain" refused "SELECT bitvelocity.wait_for_stream('bronze')" 55000 "HINT:  Run SELECT bitvelocity.resume_stream('bronze')"
sql -c "SELECT pg_drop_replication_slot('$(slot)')" -c "DELETE FROM t WHERE id <= 10" -c "INSERT INTO t VALUES (3001, 'while it was lost')" >/dev/null
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
told dropped
again dropped 2

# Invalidated: more WAL than it may retain
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused again" paused
sql -c "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'" -c "SELECT pg_reload_conf()" >/dev/null
lose() {
    sql -c "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(5000, 15000) i ON CONFLICT (id) DO UPDATE SET v = excluded.v" \
        -c "SELECT pg_switch_wal()" -c "CHECKPOINT" >/dev/null
    [ "$(sql -c "SELECT wal_status FROM pg_replication_slots")" = lost ]
}
eventually "the slot is invalidated" lose
is "the status shows it before it is resumed" "$(sql -c "SELECT wal_status FROM bitvelocity.stream_status")" lost
sql -c "ALTER SYSTEM RESET max_slot_wal_keep_size" -c "SELECT pg_reload_conf()" -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
told invalidated
again invalidated 3
is "the log says it once each" "$(grep -c 'needs a resync: ' "$BV_TMP/a/server.log")" 2

# The slot that the stream left is good, also after a crash
reason_has() { sql -c "SELECT last_error FROM bitvelocity.stream_status" | tee /dev/stderr | grep -q "$1"; }
"$BV_SERVER" restart "$BV_TMP/a" immediate
check "after a crash the stream goes on with its slot" synced

# Dropped and made anew by somebody under the same name, with changes between
pause() {
    sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
    eventually "$1: paused" paused
}
resume() { sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null; }
pause replaced
sql -c "SELECT pg_drop_replication_slot('$(slot)')" -c "INSERT INTO t VALUES (3002, 'before the new slot')" \
    -c "SELECT pg_create_logical_replication_slot('$(slot)', 'pgoutput')" >/dev/null
resume
told replaced
check "replaced: the reason says so" reason_has "was replaced or advanced by somebody else: it begins at"
eventually "replaced: the useless slot is dropped" eval '[ "$(sql -c "SELECT count(*) FROM pg_replication_slots")" = 0 ]'
again replaced 4

# Made anew with another plugin
pause 'another kind'
sql -c "SELECT pg_drop_replication_slot('$(slot)')" -c "SELECT pg_create_logical_replication_slot('$(slot)', 'test_decoding')" >/dev/null
resume
told 'another kind'
check "another kind: the reason says so" reason_has "was replaced by one of another kind"

# Advanced by hand: what lies between was never delivered
sql -c "SELECT bitvelocity.resync_stream('bronze')" >/dev/null
eventually "resync_stream starts it again" synced
pause advanced
sql -c "INSERT INTO t VALUES (3003, 'skipped')" -c "SELECT pg_replication_slot_advance('$(slot)', pg_current_wal_lsn())" >/dev/null
resume
told advanced
again advanced 6

# The record beside the slot is gone: nothing is known of the slot
pause unrecorded
rm "$BV_TMP/a/data/bitvelocity/$(slot)"
resume
told unrecorded
check "unrecorded: the reason says so" reason_has "nothing is recorded of its position"
again unrecorded 7
is "records of slots that are gone are gone, too" "$(ls "$BV_TMP/a/data/bitvelocity")" "$(slot)"

# Only some tables
sql -c "CREATE TABLE u (id int PRIMARY KEY)" -c "INSERT INTO u VALUES (1)" -c "SELECT bitvelocity.create_bronze('u')" >/dev/null
eventually "a second table joins" synced
check "a table that is not in the stream is refused" refused "SELECT bitvelocity.resync_stream('bronze', ARRAY['bitvelocity.stream']::regclass[])" 42704 "is not in stream"
reads() { sql -c "SELECT count(*) FROM bronze_$1 WHERE operation_type = 'READ'"; }
read_t=$(reads t)
before=$(slot)
sql -c "SELECT bitvelocity.resync_stream('bronze', ARRAY['u']::regclass[])" >/dev/null
eventually "the rows of one table come again" eval '[ "$(reads u)" = 2 ]'
is "those of the other do not" "$(reads t)" "$read_t"
check "and the stream goes on" synced
is "with its slot" "$(slot)" "$before"

# A resync of a healthy stream, and one that is dropped while it is lost
again 'on demand' 8
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused once more" paused
sql -c "SELECT pg_drop_replication_slot('$(slot)')" -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
eventually "lost once more" state_is needs_resync
check "a lost stream can be dropped" sql -c "SELECT bitvelocity.drop_stream('bronze')"
nothing_left() { [ "$(sql -c "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_replication_origin)")" = 0 ]; }
sql -c "SELECT bitvelocity.create_bronze('t')" >/dev/null
eventually "and made anew beside its bronze table" synced
is "with every row" "$(sql -c "SELECT count(*) = (SELECT count(*) FROM t) FROM bronze_t WHERE operation_type = 'READ' AND source_epoch = 1
    AND commit_lsn > (SELECT max(commit_lsn) FROM bronze_t WHERE source_epoch = 8)")" t

# Slots and origins go as soon as the processes have, not with the next look around
began=$SECONDS
sql -c "SELECT bitvelocity.drop_stream('bronze')"
eventually "a running stream is dropped with its slot and its origin" nothing_left
check "without delay ($((SECONDS - began)) s)" test $((SECONDS - began)) -lt 20
finish
