#!/usr/bin/env bash
# peer.sh: this stream beside Debezium 3.4.0 on Kafka Connect (make bench-stream-peer): the same backlog, the
# same broker, the same machine, in turns. bench/README.md says how each figure is taken.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/harness.sh
. bench/latency.sh
. bench/connector.sh

peak_ours=0

greater() {
    printf '%s\n%s\n' "$1" "$2" | sort -g | tail -n 1
}

# ratio_of A B
ratio_of() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (b <= 0) b = 0.01; printf "%.2f", a / b }'
}

# start_ours NAME TABLE TOPIC: the stream that is compared, of one table; returns when it runs.
start_ours() {
    sql -c "SELECT bitvelocity.create_stream('$1', tables => ARRAY['$2'::regclass], sink => 'kafka', format => 'debezium',
        snapshot => false, options => '{\"headers\": false, \"topic\": \"$3\"}')" >/dev/null
    await_streaming "$1"
}

# One side, the other one stopped: prints "seconds processor-seconds".
run_ours() {
    local seconds cpu
    hold_peer
    cpu=$(cpu_seconds $(stream_pids))
    seconds=$(release_and_time "$1") || exit 1
    echo "$seconds $(awk -v a="$cpu" -v b="$(cpu_seconds $(stream_pids))" 'BEGIN { print b - a }')"
}

run_peer() {
    local seconds cpu
    cpu=$(cpu_seconds $(peer_pids))
    seconds=$(release_peer_and_time "$1" "$2") || exit 1
    echo "$seconds $(awk -v a="$cpu" -v b="$(cpu_seconds $(peer_pids))" 'BEGIN { print b - a }')"
}

# tell_run NAME RUN ROWS OURS PEER [MORE]: a line about one run, each side as "seconds processor-seconds".
tell_run() {
    local sides=() side
    for side in "$4" "$5"; do
        sides+=("$(awk -v n="$3" '{ printf "%.0f rows/s, %.2f s processor a million rows", n / $1, $2 * 1e6 / n }' <<<"$side")")
    done
    say "$1 run $2: ours ${sides[0]}; Debezium ${sides[1]}${6:-}$([ "$2" -gt 0 ] || echo ', not counted')"
}

# Of such a run.
rows_per_second() { awk -v n="$1" '{ print n / $1 }' <<<"$2"; }
cpu_per_million() { awk -v n="$1" '{ print $2 * 1e6 / n }' <<<"$2"; }

# cpu_figures NAME: of the numbers in $our_cpu and $peer_cpu.
cpu_figures() {
    local ours peer
    ours=$(printf '%s\n' "${our_cpu[@]}" | median)
    peer=$(printf '%s\n' "${peer_cpu[@]}" | median)
    figure "cpu_per_million_$1" "$(printf '%.2f' "$ours")" s
    figure "peer_cpu_per_million_$1" "$(printf '%.2f' "$peer")" s
    figure "cpu_ratio_$1" "$(ratio_of "$peer" "$ours")" ratio
}

# workload NAME TABLE ROWS WRITE: WRITE is a command that makes the backlog of ROWS changes of TABLE. Figures
# rows_ratio_NAME and cpu_ratio_NAME.
workload() {
    local name=$1 table=$2 count=$3 write=$4 run ours peer expected=0 our_rates=() peer_rates=() our_cpu=() peer_cpu=()
    start_ours "ours_$name" "$table" "ours.{schema}.{table}"
    start_peer "$name" "$table"
    # The connector is a Java process as well.
    if [ "$name" = inserts ] || [ "${PARTS:-}" = "$name" ]; then
        hold
        hold_peer
        expected=$((count * ${WARM:-4}))
        $write "$table" "$expected"
        ours=$(run_ours "ours_$name") || fail "$ours"
        peer=$(run_peer "peer.public.$table" "$expected") || fail "$peer"
        say "$name: both are warm after $expected changes"
    fi
    for run in $(seq 0 "$runs"); do
        hold
        hold_peer
        $write "$table" "$count"
        expected=$((expected + count))
        start_sampling
        start_peer_sampling
        # Whoever is first has the colder caches: turn by turn.
        if [ $((run % 2)) -eq 0 ]; then
            ours=$(run_ours "ours_$name") || fail "$ours"
            peer=$(run_peer "peer.public.$table" "$expected") || fail "$peer"
        else
            peer=$(run_peer "peer.public.$table" "$expected") || fail "$peer"
            ours=$(run_ours "ours_$name") || fail "$ours"
        fi
        peak_ours=$(greater "$peak_ours" "$(stop_sampling)")
        stop_peer_sampling
        tell_run "$name" "$run" "$count" "$ours" "$peer" "; memory $peak_ours and $peak_peer MiB"
        [ "$run" -gt 0 ] || continue
        our_rates+=("$(rows_per_second "$count" "$ours")")
        peer_rates+=("$(rows_per_second "$count" "$peer")")
        our_cpu+=("$(cpu_per_million "$count" "$ours")")
        peer_cpu+=("$(cpu_per_million "$count" "$peer")")
    done
    [ "$(topic_end "ours.public.$table")" = "$(topic_end "peer.public.$table")" ] ||
        fail "the topics of $table hold $(topic_end "ours.public.$table") and $(topic_end "peer.public.$table") messages"
    say "$name: both topics hold the same number of messages"
    sql -c "SELECT bitvelocity.drop_stream('ours_$name')" >/dev/null
    stop_peer
    local our_rate peer_rate
    our_rate=$(printf '%s\n' "${our_rates[@]}" | median)
    peer_rate=$(printf '%s\n' "${peer_rates[@]}" | median)
    figure "rows_per_s_$name" "$(printf '%.0f' "$our_rate")" rows/s
    figure "peer_rows_per_s_$name" "$(printf '%.0f' "$peer_rate")" rows/s
    figure "rows_ratio_$name" "$(ratio_of "$our_rate" "$peer_rate")" ratio
    cpu_figures "$name"
}

write_inserts() { backlog "$1" "$2" 1000; }
write_single() { backlog "$1" "$2" 1; }

# Sixty columns, every second one changed, the whole old row in the WAL.
create_wide() {
    sql -c "DO \$\$ BEGIN EXECUTE 'CREATE TABLE $1 (id bigint PRIMARY KEY, ' || (
        SELECT string_agg(format('c%s %s', i, (ARRAY['integer', 'text', 'numeric(12, 2)', 'timestamptz'])[1 + i % 4]), ', ' ORDER BY i)
        FROM generate_series(1, 59) AS i) || ')'; END \$\$" \
        -c "ALTER TABLE $1 REPLICA IDENTITY FULL" \
        -c "DO \$\$ BEGIN EXECUTE 'INSERT INTO $1 SELECT id, ' || (
            SELECT string_agg((ARRAY['id', '''text of column '' || id', 'id / 100.0', 'now()'])[1 + i % 4], ', ' ORDER BY i)
            FROM generate_series(1, 59) AS i) || ' FROM generate_series(1, 1000) AS id'; END \$\$"
}

write_wide() {
    sql -c "SET synchronous_commit = off" -c "
        DO \$\$
        DECLARE
            assignments text := (SELECT string_agg(format((ARRAY['c%1\$s = c%1\$s + 1', 'c%1\$s = reverse(c%1\$s)',
                'c%1\$s = c%1\$s + 1', 'c%1\$s = now()'])[1 + i % 4], i), ', ') FROM generate_series(1, 59, 2) AS i);
        BEGIN
            FOR chunk IN 1..$2 / 1000 LOOP
                EXECUTE 'UPDATE $1 SET ' || assignments;
                COMMIT;
            END LOOP;
        END \$\$" >/dev/null
    flush_wal
}

# The peer's turn when it has nothing to send: until its walsender has read all that was written.
run_peer_past() {
    local target began cpu deadline=$((SECONDS + 600))
    target=$(sql -c 'SELECT pg_current_wal_flush_lsn()')
    cpu=$(cpu_seconds $(peer_pids))
    began=$(date +%s%N)
    kill -CONT "$peer_jvm" $(peer_walsender)
    until [ "$(sql -c "SELECT sent_lsn >= '$target' FROM pg_stat_replication WHERE pid = $(peer_walsender)")" = t ]; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "the walsender did not reach $target" && return 1; }
        sleep 0.05
    done
    echo "$(awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN { printf "%.3f", (b - a) / 1e9 }') $(
        awk -v a="$cpu" -v b="$(cpu_seconds $(peer_pids))" 'BEGIN { print b - a }')"
}

# Rows of a table that neither side publishes, in the backlog of `inserts`: read all the same, and dropped.
outside() {
    local run ours peer our_cpu=() peer_cpu=()
    create_orders orders_inside
    create_orders orders_outside
    start_ours ours_outside orders_inside "ours.{schema}.{table}"
    start_peer outside orders_inside
    for run in $(seq 0 "$runs"); do
        hold
        hold_peer
        write_inserts orders_outside "$rows"
        ours=$(run_ours ours_outside) || fail "$ours"
        peer=$(run_peer_past) || fail "$peer"
        tell_run outside "$run" "$rows" "$ours" "$peer"
        [ "$run" -gt 0 ] || continue
        our_cpu+=("$(cpu_per_million "$rows" "$ours")")
        peer_cpu+=("$(cpu_per_million "$rows" "$peer")")
    done
    sql -c "SELECT bitvelocity.drop_stream('ours_outside')" >/dev/null
    stop_peer
    cpu_figures outside
}

# What the client and the broker do on this machine when nothing is decoded and nothing encoded: the messages of
# `inserts`, ready made, through the stream's own transport. No stream can be faster.
client_alone() {
    local run output rates=() cpu=() messages=$bench/messages
    create_orders orders_client
    start_ours client orders_client client.made
    write_inserts orders_client 100000
    sql -c "SELECT bitvelocity.wait_for_stream('client')" -c "SELECT bitvelocity.drop_stream('client')" >/dev/null
    kcat -q -b "127.0.0.1:$kafka_port" -C -t client.made -c 100000 -f '%k\t%s\n' >"$messages" 2>/dev/null
    [ "$(wc -l <"$messages")" = 100000 ] || fail "the topic client.made holds $(wc -l <"$messages") messages"
    ${CXX:-c++} -std=c++20 -O2 -I"$BV_SOURCE_TREE/src" -o "$bench/produce" "$BV_SOURCE_TREE/test/broker/produce.cpp" -ldl ||
        fail "produce does not compile"
    for run in $(seq 0 "$runs"); do
        output=$(WARMUP=$rows MESSAGES=$messages "$bench/produce" "$BV_SOURCE_TREE/bitvelocity_kafka.so" client.alone "$rows" 0 0 \
            "bootstrap.servers=127.0.0.1:$kafka_port" 2>/dev/null) || fail "$output"
        [ "$run" -gt 0 ] || continue
        rates+=("$(awk '$2 == "transport_messages_per_s" { print $3 }' <<<"$output")")
        cpu+=("$(awk '$2 == "transport_cpu_per_message" { print $3 }' <<<"$output")")
    done
    say "client: ${rates[*]} messages/s"
    figure client_messages_per_s "$(printf '%s\n' "${rates[@]}" | median)" 1/s
    figure client_cpu_per_million "$(printf '%s\n' "${cpu[@]}" | median | xargs printf '%.2f')" s
    rm -f "$messages"
}

# The stream's rate over the rate at which the server's own plugin decodes the same backlog into nothing (the sink
# memory only counts); beside it the rate with rows that the decoder writes itself.
decode_share() {
    local run turn stream table=orders_share writer seconds
    create_orders "$table"
    declare -A rates=()
    for run in $(seq 0 "$runs"); do
        for turn in kafka nothing own; do
            stream=share_kafka
            writer=own
            [ "$turn" = kafka ] || stream=share_nothing
            [ "$turn" != nothing ] || writer=pgoutput
            sql -c "ALTER SYSTEM SET bitvelocity.row_writer = $writer" -c "SELECT pg_reload_conf()" >/dev/null
            if [ "$run" = 0 ] && [ "$turn" != own ]; then
                sql -c "SELECT bitvelocity.create_stream('$stream', tables => ARRAY['$table'::regclass], snapshot => false,
                    sink => '$([ "$turn" = kafka ] && echo kafka || echo memory)')" >/dev/null
            else
                sql -c "SELECT bitvelocity.resume_stream('$stream')" >/dev/null
            fi
            await_streaming "$stream"
            hold
            write_inserts "$table" "$rows"
            seconds=$(release_and_time "$stream") || fail "$seconds"
            [ "$run" = 0 ] || rates[$turn]+="$(ratio_of "$rows" "$seconds") "
            # The other one's backlog is passed over before its turn.
            sql -c "SELECT bitvelocity.pause_stream('$stream')" >/dev/null
            local deadline=$((SECONDS + 60))
            while [ -n "$(stream_pids)" ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        done
    done
    for turn in kafka nothing own; do
        say "$turn: ${rates[$turn]}rows/s"
        rates[$turn]=$(printf '%s\n' ${rates[$turn]} | median | xargs printf '%.0f')
    done
    figure decode_rows_per_s "${rates[nothing]}" rows/s
    figure own_decode_rows_per_s "${rates[own]}" rows/s
    figure decode_share "$(ratio_of "${rates[kafka]}" "${rates[nothing]}")" ratio
    sql -c "SELECT bitvelocity.drop_stream(s) FROM unnest(ARRAY['share_kafka', 'share_nothing']) AS s" \
        -c "ALTER SYSTEM RESET bitvelocity.row_writer" -c "SELECT pg_reload_conf()" >/dev/null
}

# Both at once would disturb each other: one after the other, the other one away.
latency_of_both() {
    create_latency latency_ours
    start_ours latency latency_ours latency.ours
    latency_settled() { sql -c "SELECT bitvelocity.wait_for_stream('latency')" >/dev/null; }
    latency '' latency_ours latency.ours
    sql -c "SELECT bitvelocity.drop_stream('latency')" >/dev/null

    create_latency latency_peer
    start_peer latency latency_peer
    latency_settled() {
        local deadline=$((SECONDS + 60))
        until [ "$(topic_end peer.public.latency_peer)" = "$(sql -c 'SELECT count(*) FROM latency_peer')" ]; do
            [ "$SECONDS" -lt "$deadline" ] || fail "the connector did not finish"
            sleep 0.2
        done
    }
    latency peer_ latency_peer peer.public.latency_peer
    stop_peer
}

tpcb_load() {
    pgbench -n -R "${TPCB_RATE:-300}" -T "${TPCB_SECONDS:-15}" -c "${TPCB_CLIENTS:-16}" -j 1 >"$bench/pgbench.log" 2>&1 ||
        fail "pgbench: $(tail -n 3 "$bench/pgbench.log")"
}

# tpcb_ours MORE_OPTIONS: the costs of the runs, in $costs.
tpcb_ours() {
    local run cpu
    costs=()
    sql -c "SELECT bitvelocity.create_stream('tpcb', tables => ARRAY['pgbench_accounts'::regclass, 'pgbench_tellers', 'pgbench_branches',
        'pgbench_history'], sink => 'kafka', format => 'debezium', snapshot => false, on_missing_key => 'insert_only',
        options => '{\"headers\": false, \"topic\": \"ours.{table}\"$1}')" >/dev/null
    for run in $(seq 0 "$runs"); do
        [ "$run" = 0 ] || sql -c "SELECT bitvelocity.resume_stream('tpcb')" >/dev/null
        await_streaming tpcb
        cpu=$(cpu_seconds $(stream_pids))
        tpcb_load
        sql -c "SELECT bitvelocity.wait_for_stream('tpcb')" >/dev/null
        [ "$run" = 0 ] || costs+=("$(tpcb_cost "$cpu" $(stream_pids))")
        sql -c "SELECT bitvelocity.pause_stream('tpcb')" >/dev/null
    done
    sql -c "SELECT bitvelocity.drop_stream('tpcb')" >/dev/null
}

# tpcb_peer LINGER_MS: the same of the connector, whose producer lingers so long.
tpcb_peer() {
    local run cpu done_before
    costs=()
    connector_linger_ms=$1 start_peer tpcb pgbench_accounts pgbench_tellers pgbench_branches pgbench_history
    for run in $(seq 0 "$runs"); do
        cpu=$(cpu_seconds $(peer_pids))
        tpcb_load
        done_before=-1
        until [ "$(topic_end peer.public.pgbench_history)" = "$done_before" ]; do
            done_before=$(topic_end peer.public.pgbench_history)
            sleep 1
        done
        [ "$run" = 0 ] || costs+=("$(tpcb_cost "$cpu" $(peer_pids))")
    done
    stop_peer
}

# tpcb_both SUFFIX MORE_OPTIONS LINGER_MS: of our stream and of the connector; figures tpcb_cpuSUFFIX and so on.
tpcb_both() {
    local ours peer costs
    tpcb_ours "$2"
    ours=("${costs[@]}")
    tpcb_peer "$3"
    say "TPC-B at ${TPCB_RATE:-300} transactions/s, processor seconds for 1,000 transactions: ours${2:-, without a linger} ${ours[*]}; Debezium, linger $3 ms ${costs[*]}"
    ours=$(printf '%s\n' "${ours[@]}" | median)
    peer=$(printf '%s\n' "${costs[@]}" | median)
    figure "tpcb_cpu$1" "$ours" s
    figure "peer_tpcb_cpu$1" "$peer" s
    figure "tpcb_cpu_ratio$1" "$(ratio_of "$peer" "$ours")" ratio
}

# Processor seconds for 1,000 transactions of pgbench's TPC-B at one rate, the other side away: the stream's two
# processes; the connector's process and its walsender. Twice: both as quick as they can be, and both lingering, as one
# runs them whose consumers do not mind.
tpcb() {
    local linger=${TPCB_LINGER_MS:-50}
    pgbench -i -q -s 10 >/dev/null 2>&1 || fail "pgbench -i"
    tpcb_both _quick '' 5
    tpcb_both '' ", \"linger_ms\": $linger" "$linger"
}

# tpcb_cost SECONDS_BEFORE PID...
tpcb_cost() {
    local before=$1 transactions
    shift
    transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$bench/pgbench.log")
    awk -v a="$before" -v b="$(cpu_seconds "$@")" -v n="$transactions" 'BEGIN { printf "%.4f", (b - a) * 1000 / n }'
}

# Which parts, all by default: PARTS="inserts tpcb".
wanted() {
    [ -z "${PARTS:-}" ] || [[ " $PARTS " == *" $1 "* ]]
}

begin_bench listen_addresses=127.0.0.1 wal_sender_timeout=0 max_connections=50
warm_broker
sql -c "CREATE PUBLICATION peer"
say "Debezium 3.4.0.Final on Kafka Connect 4.1.1, heap 2 GiB"

if wanted inserts; then
    create_orders orders_inserts
    workload inserts orders_inserts "$rows" write_inserts
fi
if wanted single; then
    create_orders orders_single
    workload single orders_single $((rows / 2)) write_single
fi
if wanted wide; then
    create_wide orders_wide
    workload wide orders_wide $((rows / 10)) write_wide
fi
if [ "$peak_peer" != 0 ]; then
    figure stream_memory_mib "$peak_ours" MiB
    figure peer_memory_mib "$peak_peer" MiB
fi
! wanted outside || outside
! wanted client || client_alone
! wanted share || decode_share
! wanted latency || latency_of_both
! wanted tpcb || tpcb
print_figures
