#!/usr/bin/env bash
# How far a large transaction is: what the decoder writes to disk before its commit, what is handed to the sink after it.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a max_wal_size=4GB bitvelocity.stream_memory=16MB
sql >/dev/null <<'SQL'
CREATE EXTENSION bitvelocity;
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT bitvelocity.create_bronze('t');
SQL
status() { sql -c "SELECT $1 FROM bitvelocity.stream_status WHERE stream = 'bronze'"; }
status_is() { [ "$(status "$1")" = t ]; }
check "the stream starts" synced
is "between transactions there is nothing to tell" "$(status "transaction_rows, spilled_transactions, spilled_bytes")" "0|0|0"
is "the new columns are the last ones" "$(sql -c "SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum) FROM (SELECT * FROM pg_attribute
    WHERE attrelid = 'bitvelocity.stream_status'::regclass AND attnum > 0 ORDER BY attnum DESC LIMIT 4) a")" \
    "transaction_rows bigint, spilled_transactions bigint, spilled_bytes bigint, decoded_bytes bigint"

# Open, and more than the 64 MB that decoding takes at least
mkfifo "$BV_TMP/large"
psql -XAtq <"$BV_TMP/large" >"$BV_TMP/large.out" 2>&1 &
exec {large}>"$BV_TMP/large"
fill() { echo "INSERT INTO t SELECT i, repeat('x', 300) FROM generate_series($1, $2) i; SELECT 'filled to $2';" >&"$large"; }
echo "BEGIN;" >&"$large"
fill 1 200000
eventually "what is spilled shows before the commit" status_is "spilled_bytes > 30000000 AND spilled_transactions = 1"
before=$(status spilled_bytes)
decoded=$(status decoded_bytes)
is "nothing is delivered yet" "$(status transaction_rows)" 0
fill 200001 400000
eventually "the figure moves while the transaction grows" status_is "spilled_bytes > $before + 30000000"
is "as one transaction" "$(status spilled_transactions)" 1
eventually "it is written" grep -q "filled to 400000" "$BV_TMP/large.out"

# Delivered
echo "COMMIT;" >&"$large"
rows=()
deadline=$((SECONDS + ${BV_HANG:-60}))
until [ "$(sql -c "SELECT count(*) > 0 FROM (SELECT FROM bronze_t LIMIT 1) x")" = t ] || [ "$SECONDS" -ge "$deadline" ]; do
    now=$(status transaction_rows)
    [ "${now:-0}" = 0 ] || rows+=("$now")
done
exec {large}>&-
check "it arrives" synced
distinct=$(printf '%s\n' "${rows[@]:-0}" | uniq | wc -l)
is "its rows are counted while they are handed over ($distinct figures, the last ${rows[-1]:-none})" "$((distinct >= 3))" 1
is "only upwards, to no more than there are" "$(printf '%s\n' "${rows[@]:-0}" | sort -nc && [ "${rows[-1]:-0}" -le 400000 ] && echo yes)" yes
eventually "and then nothing is under way" status_is "transaction_rows = 0"
is "what was decoded is counted with it" "$(status "decoded_bytes > $decoded + 100000000")" t
is "and agrees with the server's statistics" \
    "$(status "(spilled_transactions, spilled_bytes, decoded_bytes) = (SELECT spill_txns, spill_bytes, total_bytes FROM pg_stat_replication_slots g WHERE g.slot_name = stream_status.slot_name)")" t
is "every row is there once" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_t")" "400000|400000"

# Cut off in the middle of it
sql -c "UPDATE t SET v = 'y' WHERE id <= 200000"
eventually "the next one is under way" status_is "transaction_rows > 0"
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused, nothing is" status_is "state = 'paused' AND pid IS NULL AND transaction_rows = 0"
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
check "it comes again" synced
is "once" "$(sql -c "SELECT count(*) FROM bronze_t WHERE operation_type = 'UPDATE'")" 200000

# Without a slot
sql -c "SELECT bitvelocity.pause_stream('bronze')" >/dev/null
eventually "paused" status_is "state = 'paused' AND pid IS NULL"
sql -c "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots" >/dev/null
is "without its slot a stream has no figures of decoding" "$(status "transaction_rows, spilled_bytes IS NULL, decoded_bytes IS NULL")" "0|t|t"
finish
