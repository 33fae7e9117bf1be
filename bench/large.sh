#!/usr/bin/env bash
# large.sh: large transactions (make bench-large): ten million rows at once, and 100,000 subtransactions.
# bench/README.md says how each figure is taken.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/harness.sh
rows=${ROWS:-10000000}
subtransactions=${SUBTRANSACTIONS:-100000}

peak_memory=0
note_memory() {
    peak_memory=$(printf '%s\n%s\n' "$peak_memory" "$1" | sort -g | tail -n 1)
}

# one_transaction FIGURE STREAM TABLE: all rows of it, from the decoder's start to the last one durable.
one_transaction() {
    local figure=$1 stream=$2 table=$3 seconds speed cpu memory
    hold
    backlog "$table" "$rows" "$rows"
    start_sampling
    cpu=$(cpu_seconds $(stream_pids))
    seconds=$(release_and_time "$stream")
    cpu=$(awk -v a="$cpu" -v b="$(cpu_seconds $(stream_pids))" 'BEGIN { printf "%.2f", b - a }')
    memory=$(stop_sampling)
    note_memory "$memory"
    speed=$(awk -v n="$rows" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')
    say "$figure: $speed rows/s ($seconds s), processor $cpu s, memory $memory MiB, $(
        sql -c "SELECT pg_size_pretty(spill_bytes) || ' spilled' FROM pg_stat_replication_slots
            WHERE slot_name = (SELECT slot_name FROM bitvelocity.stream_status WHERE stream = '$stream')")"
    figure "$figure" "$speed" rows/s
}

# many_subtransactions STREAM TABLE: prints seconds from the commit until everything is durable. The decoder runs
# meanwhile, as it would.
many_subtransactions() {
    sql <<SQL | tail -n 1
SET synchronous_commit = off;
DO \$\$
BEGIN
    FOR i IN 1..$subtransactions LOOP
        BEGIN
            INSERT INTO $2 VALUES (-i, 1, 'received', 1, 'GBP', 'United Kingdom', clock_timestamp(), 'one of many');
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END LOOP;
END \$\$;
SELECT clock_timestamp() AS began \gset
SELECT bitvelocity.wait_for_stream('$1', timeout => '10 min') AS arrived \gset
SELECT CASE WHEN :'arrived' THEN extract(epoch FROM clock_timestamp() - :'began') END;
SQL
}

begin_bench

create_orders orders_memory
sql -c "SELECT bitvelocity.create_stream('memory_large', tables => ARRAY['orders_memory'::regclass], sink => 'memory',
    snapshot => false)" >/dev/null
await_streaming memory_large
one_transaction large_memory_rows_per_s memory_large orders_memory

start_sampling
seconds=$(many_subtransactions memory_large orders_memory)
memory=$(stop_sampling)
[ -n "$seconds" ] || fail "the subtransactions did not arrive"
note_memory "$memory"
say "$subtransactions subtransactions: $seconds s after the commit, memory $memory MiB"
subtransaction_seconds=$seconds
sql -c "SELECT bitvelocity.drop_stream('memory_large')" >/dev/null

create_orders orders_large
sql -c "SELECT bitvelocity.create_stream('kafka_large', tables => ARRAY['orders_large'::regclass], sink => 'kafka',
    format => 'event', snapshot => false)" >/dev/null
await_streaming kafka_large
one_transaction large_kafka_rows_per_s kafka_large orders_large
found=$(kcat -q -b "127.0.0.1:$kafka_port" -t kafka_large.public.orders_large -C -o beginning -e -f '%k\n' 2>/dev/null |
    sort -u | wc -l)
[ "$found" -eq "$rows" ] || fail "$rows rows were written, the topic holds $found keys"
say "the topic holds all $found keys"

figure subxact_100k_s "$subtransaction_seconds" s
figure stream_memory_mib "$peak_memory" MiB
print_figures
