#!/usr/bin/env bash
# A million rows in one transaction: they arrive, and neither process grows with them.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
sql >/dev/null <<'SQL'
CREATE TABLE m (id int PRIMARY KEY, customer text, amount numeric, at timestamptz DEFAULT now());
CREATE TABLE b (LIKE m INCLUDING ALL);
SELECT bitvelocity.create_stream('m', ARRAY['m']::regclass[], sink => 'memory'), bitvelocity.create_bronze('b');
SQL
check "a stream into memory starts" synced m
check "a stream into bronze starts" synced bronze

# The most private memory of any process of the streams, in kB, until told to end.
watch_memory() {
    local most=0 now status
    until [ -e "$BV_TMP/enough" ]; do
        for status in $files; do
            now=$(awk '/^RssAnon/ { print $2 }' "$status" 2>/dev/null)
            most=$((${now:-0} > most ? now : most))
        done
        echo "$most" >"$BV_TMP/most"
        sleep 0.05
    done
}
million() { # table stream limit of rows
    rm -f "$BV_TMP/enough"
    files=$(sql -c "SELECT '/proc/' || pid || '/status' FROM pg_stat_activity WHERE backend_type IN ('bitvelocity decoder', 'bitvelocity deliverer')")
    watch_memory &
    local watcher=$!
    sql -c "INSERT INTO $1 SELECT i, 'customer ' || i % 1000, i / 100.0 FROM generate_series(1, 1000000) i"
    check "a million rows of one transaction arrive in $2" synced "$2"
    : >"$BV_TMP/enough"
    wait $watcher
    check "no process takes more than 128 MiB ($(($(cat "$BV_TMP/most") / 1024)) MiB)" \
        test "$(cat "$BV_TMP/most")" -gt 0 -a "$(cat "$BV_TMP/most")" -lt 131072
}
million m m
million b bronze
is "bronze has each of them once, as one transaction" \
    "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id'), count(DISTINCT commit_lsn), max(ordinal) - min(ordinal) + 1 FROM bronze_b")" \
    '1000000|1000000|1|1000000'
is "the stream into memory counted them" \
    "$(sql -c "SELECT rows FROM bitvelocity.stream_activity() JOIN bitvelocity.stream USING (stream_id) WHERE stream_name = 'm'")" 1000000

# Told to stop in the middle of it
sql -c "INSERT INTO b SELECT i, 'second', 1 FROM generate_series(1000001, 1400000) i"
began=$SECONDS
"$BV_SERVER" stop "$BV_TMP/a" fast
check "a fast stop in the middle of a large transaction takes less than 10 s ($((SECONDS - began)) s)" test $((SECONDS - began)) -lt 10
"$BV_SERVER" restart "$BV_TMP/a" fast
eventually "it comes again from its beginning" synced bronze
is "and is there once" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_b")" '1400000|1400000'
finish
