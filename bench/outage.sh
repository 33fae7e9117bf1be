#!/usr/bin/env bash
# outage.sh: a broker is stopped while 1 GB of WAL accumulates, then comes back (make bench-outage).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/harness.sh

wanted=$((${OUTAGE_MIB:-1024} * 1024 * 1024))
begin_bench

create_orders orders_outage
sql -c "SELECT bitvelocity.create_stream('outage', tables => ARRAY['orders_outage'::regclass], sink => 'kafka',
    format => 'event', snapshot => false)" >/dev/null
await_streaming outage
backlog orders_outage 10000 1000
sql -c "SELECT bitvelocity.wait_for_stream('outage')" >/dev/null

start_sampling
"$BV_BROKER" stop "$bench/kafka" KILL
say "the broker is stopped"
from=$(sql -c 'SELECT pg_current_wal_lsn()')
while [ "$(sql -c "SELECT pg_current_wal_lsn() - '$from'::pg_lsn < $wanted")" = t ]; do
    backlog orders_outage 100000 1000
done
say "$(sql -c "SELECT pg_size_pretty(pg_current_wal_lsn() - '$from'::pg_lsn)") of WAL accumulated, memory so far $(
    awk '{ printf "%.1f", $1 / 1024 }' "$bench/memory") MiB"
say "the stream says: $(sql -F ' | ' -c 'SELECT stream, state, pg_size_pretty(lag_bytes), last_error FROM bitvelocity.stream_status')"
started=$(date +%s%N)
start_broker
[ "$(sql -c "SELECT bitvelocity.wait_for_stream('outage', pg_current_wal_flush_lsn(), '10 min')")" = t ] ||
    fail "the stream did not catch up: $(sql -c 'SELECT stream_status FROM bitvelocity.stream_status')"
seconds=$(awk -v a="$started" -v b="$(date +%s%N)" 'BEGIN { printf "%.1f", (b - a) / 1e9 }')
memory=$(stop_sampling)
kcat -q -b "127.0.0.1:$kafka_port" -t outage.public.orders_outage -C -o beginning -e -f '%k\n' 2>/dev/null >"$bench/keys"
written=$(sql -c 'SELECT count(*) FROM orders_outage')
say "$seconds s from the broker's start to the last acknowledgement; $(wc -l <"$bench/keys") messages for $written rows"

figure outage_wal_mib "$(sql -c "SELECT round((pg_current_wal_lsn() - '$from'::pg_lsn) / 1048576)")" MiB
figure outage_rows_lost $((written - $(sort -u "$bench/keys" | wc -l))) rows
figure outage_catch_up_s "$seconds" s
figure stream_memory_mib "$memory" MiB
print_figures
