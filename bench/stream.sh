#!/usr/bin/env bash
# stream.sh: the figures of a stream (make bench-stream). bench/README.md says how each is taken.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/harness.sh
. bench/latency.sh

peak_memory=0

# rate FIGURE STREAM TABLE ROWS ROWS_PER_TRANSACTION: rows/s until durable, one unmeasured run first.
rate() {
    local figure=$1 stream=$2 table=$3 count=$4 per=$5 run seconds speed cpu measured=()
    for run in $(seq 0 "$runs"); do
        hold
        backlog "$table" "$count" "$per"
        start_sampling
        cpu=$(cpu_seconds $(stream_pids))
        seconds=$(release_and_time "$stream")
        cpu=$(awk -v a="$cpu" -v b="$(cpu_seconds $(stream_pids))" 'BEGIN { printf "%.2f", b - a }')
        memory=$(stop_sampling)
        speed=$(awk -v n="$count" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')
        say "$figure run $run: $speed rows/s ($seconds s), processor $cpu s, memory $memory MiB$([ "$run" -gt 0 ] || echo ', not counted')"
        [ "$run" -eq 0 ] || measured+=("$speed")
        peak_memory=$(printf '%s\n%s\n' "$peak_memory" "$memory" | sort -g | tail -n 1)
    done
    figure "$figure" "$(printf '%s\n' "${measured[@]}" | median)" rows/s
}

begin_bench

warm_broker
create_orders orders_kafka
sql -c "SELECT bitvelocity.create_stream('kafka_orders', tables => ARRAY['orders_kafka'::regclass], sink => 'kafka',
    format => 'event', snapshot => false)" >/dev/null
await_streaming kafka_orders
rate kafka_rows_per_s kafka_orders orders_kafka "$rows" 1000
expected=$((rows / 1000 * 1000 * (runs + 1)))
found=$(kcat -q -b "127.0.0.1:$kafka_port" -t kafka_orders.public.orders_kafka -C -o beginning -e -f '%k\n' 2>/dev/null |
    sort -u | wc -l)
[ "$found" -eq "$expected" ] || fail "$expected rows were written, the topic holds $found keys"
say "the topic holds all $found keys"
sql -c "SELECT bitvelocity.drop_stream('kafka_orders')" >/dev/null

create_latency latency
sql -c "SELECT bitvelocity.create_stream('latency', tables => ARRAY['latency'::regclass], sink => 'kafka',
    format => 'flat', snapshot => false, options => '{\"topic\": \"latency\"}')" >/dev/null
await_streaming latency
latency_settled() { sql -c "SELECT bitvelocity.wait_for_stream('latency')" >/dev/null; }
latency '' latency latency
sql -c "SELECT bitvelocity.drop_stream('latency')" >/dev/null

create_orders orders_bronze_bench
sql -c "SELECT bitvelocity.create_bronze('orders_bronze_bench', target => 'bench_bronze')" >/dev/null
await_streaming bronze
rate bronze_rows_per_s bronze orders_bronze_bench "$rows" 1000
rate bronze_single_tx_per_s bronze orders_bronze_bench "$rows" 1
figures[${#figures[@]} - 1]=${figures[${#figures[@]} - 1]/rows\/s/tx\/s}
[ "$(sql -c 'SELECT count(*) = (SELECT count(*) FROM orders_bronze_bench) FROM bench_bronze')" = t ] ||
    fail "bronze does not hold exactly the rows of its source"
say "bronze holds exactly the rows of its source"

figure stream_memory_mib "$peak_memory" MiB
print_figures
