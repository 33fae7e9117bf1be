# harness.sh: what the benchmarks share: a private server with fsync on, a broker, a held stream, the
# memory of a stream's processes, medians. Sourced by bash scripts.
#
# BV_BENCH: the working folder (build/bench). RUNS (5) measured runs after one that is not; ROWS (500000)
# of a backlog. Every figure is one line `figure NAME VALUE UNIT`, at the end.

. "$(dirname "${BASH_SOURCE[0]}")/../test/check/work.sh"
bench=${BV_BENCH:-$(state_directory bench)}
runs=${RUNS:-5}
rows=${ROWS:-500000}
figures=()

say() {
    echo "# $*"
}

fail() {
    echo "bench: $*" >&2
    exit 1
}

figure() {
    figures+=("figure $1 $2 $3")
}

print_figures() {
    printf '%s\n' "${figures[@]}"
}

finish_bench() {
    local status=$?
    [ -z "${sampler:-}" ] || kill "$sampler" 2>/dev/null
    release_all 2>/dev/null
    ! declare -F end_peer >/dev/null || end_peer
    stop_both "$bench" 2>/dev/null
    exit "$status"
}

# An empty server and an empty broker; PGHOST and friends are set. BROKER=none: no broker.
begin_bench() {
    if [ "${BROKER:-}" = none ]; then
        "$BV_SOURCE_TREE/test/check/deps" build
    else
        "$BV_SOURCE_TREE/test/check/deps" build kafka
    fi
    trap finish_bench EXIT
    trap 'exit 130' INT TERM
    "$BV_BROKER" stop "$bench/kafka"
    "$BV_SERVER" stop "$bench" immediate
    rm -rf "$bench/data" "$bench/kafka"
    kafka_port=$(free_port 19192)
    mkdir -p "$bench"
    write_connections "$bench/connections.conf" "$kafka_port"
    "$BV_SERVER" up "$bench" 5432 "bitvelocity.connection_file=$bench/connections.conf" \
        fsync=on synchronous_commit=on max_wal_size=16GB checkpoint_timeout=30min \
        shared_buffers=512MB autovacuum=off "$@"
    eval "$("$BV_SERVER" env "$bench")"
    createdb bench
    export PGDATABASE=bench
    sql -c 'CREATE EXTENSION bitvelocity'
    say "PostgreSQL $(sql -c 'SHOW server_version'), $(nproc) cores, fsync on"
    [ "${BROKER:-}" != none ] || return 0
    start_broker
    say "Kafka 4.1.1 beside it"
}

start_broker() {
    BV_KAFKA_HEAP=${BV_KAFKA_HEAP:-1g} "$BV_BROKER" start "$bench/kafka" "$kafka_port" \
        log.message.timestamp.type=LogAppendTime log.retention.bytes=-1 2>/dev/null ||
        fail "the broker does not start"
}

sql() {
    psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

# The table of all figures: eight columns of the usual types.
create_orders() {
    sql -c "CREATE TABLE $1 (
        order_id bigint PRIMARY KEY,
        customer_id integer NOT NULL,
        status text NOT NULL,
        total_amount numeric(12, 2) NOT NULL,
        currency text NOT NULL,
        country text NOT NULL,
        created_at timestamptz NOT NULL,
        note text)"
}

# Everything that was committed without waiting is on disk behind this. A transaction that writes nothing would flush
# nothing.
flush_wal() {
    sql -c "SET client_min_messages = warning" -c "CREATE TABLE IF NOT EXISTS flushed (n integer)" -c "INSERT INTO flushed VALUES (1)"
}

# backlog TABLE ROWS ROWS_PER_TRANSACTION: inserts, committing as it goes. synchronous_commit is off while
# the backlog is written, which nobody measures.
backlog() {
    sql -c "SET synchronous_commit = off" -c "
        DO \$\$
        DECLARE
            next bigint := (SELECT coalesce(max(order_id), 0) FROM $1);
        BEGIN
            FOR chunk IN 1..$2 / $3 LOOP
                INSERT INTO $1
                SELECT id, id % 20000, (ARRAY['received', 'packed', 'shipped', 'returned'])[1 + id % 4],
                       (id % 100000) / 100.0, 'GBP', 'United Kingdom', clock_timestamp(),
                       'order number ' || id
                FROM generate_series(next + 1, next + $3) AS id;
                next := next + $3;
                COMMIT;
            END LOOP;
        END \$\$" >/dev/null
    flush_wal
}

# The processes of the one stream that runs: what the server's process table calls them.
stream_pids() {
    sql -c "SELECT pid FROM pg_stat_activity
            WHERE backend_type ~ 'bitvelocity.*(decoder|deliverer)'"
}

decoder_pid() {
    sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type ~ 'bitvelocity.*decoder'"
}

# Processor seconds used so far by the processes given (all threads).
cpu_seconds() {
    local pid
    for pid in "$@"; do
        sed 's/.*) //' "/proc/$pid/stat"
    done | awk -v hertz="$(getconf CLK_TCK)" '{ sum += $12 + $13 } END { printf "%.2f", sum / hertz }'
}

await_streaming() {
    local deadline=$((SECONDS + 60))
    sql -c "SELECT bitvelocity.wait_for_stream('$1')" >/dev/null || fail "stream $1 does not start"
    until [ -n "$(decoder_pid)" ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "stream $1 has no decoder"
        sleep 0.1
    done
}

# A held stream is connected and ready, and its decoder does not run: the way to collect a backlog with
# the producer connected before the clock starts.
held=()
hold() {
    held=("$(decoder_pid)")
    kill -STOP "${held[0]}"
}

release_all() {
    [ ${#held[@]} -eq 0 ] || kill -CONT "${held[@]}" 2>/dev/null
    held=()
}

# warm_broker: four backlogs that nobody measures, in small requests, from a table and a stream of their own. A
# Java broker that has just started compiles what every request runs until it has run it some ten thousand times,
# on the processors that are measured; one in use did long ago. A backlog of 500,000 rows is only 500 requests.
warm_broker() {
    local count=$((rows * ${WARM:-4}))
    create_orders orders_warm
    sql -c "SELECT bitvelocity.create_stream('warm', tables => ARRAY['orders_warm'::regclass], sink => 'kafka',
        snapshot => false, options => '{\"kafka.batch.num.messages\": \"50\"}')" >/dev/null
    await_streaming warm
    hold
    backlog orders_warm "$count" 1000
    say "the broker is warm after $count rows in small requests, $(release_and_time warm) s"
    sql -c "SELECT bitvelocity.drop_stream('warm')" -c "DROP TABLE orders_warm" >/dev/null
    local deadline=$((SECONDS + 60))
    while [ -n "$(stream_pids)" ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
}

# Releases the stream and prints the seconds until everything written is durable in its sink.
release_and_time() {
    local seconds
    seconds=$(psql -XAtq -v ON_ERROR_STOP=1 <<SQL
SELECT pg_current_wal_flush_lsn() AS target \gset
SELECT clock_timestamp() AS began \gset
\! kill -CONT ${held[0]}
SELECT bitvelocity.wait_for_stream('$1', :'target', '10 min') AS arrived \gset
SELECT CASE WHEN :'arrived' THEN extract(epoch FROM clock_timestamp() - :'began') END;
SQL
    )
    held=()
    [ -n "$seconds" ] || fail "stream $1 did not finish: $(sql -c "SELECT stream_status FROM bitvelocity.stream_status")"
    echo "$seconds"
}

# Private memory of the stream's processes: the sum of RssAnon, its maximum over the run. The loop forks
# nothing but, every few seconds, one psql that looks for processes that were replaced.
start_sampling() {
    echo 0 >"$bench/memory"
    local pids
    pids=$(stream_pids)
    (
        peak=0
        round=0
        exec 8<> <(:)
        while :; do
            sum=0
            for pid in $pids; do
                while read -r field kib _; do
                    [ "$field" != RssAnon: ] || sum=$((sum + kib))
                done 2>/dev/null <"/proc/$pid/status"
            done
            if [ "$sum" -gt "$peak" ]; then
                peak=$sum
                echo "$peak" >"$bench/memory"
            fi
            round=$((round + 1))
            [ $((round % 50)) -ne 0 ] || pids=$(stream_pids 2>/dev/null)
            read -rt 0.1 -u 8
        done
    ) 2>/dev/null &
    sampler=$!
}

# Prints the peak in MiB since start_sampling.
stop_sampling() {
    kill "$sampler" 2>/dev/null
    wait "$sampler" 2>/dev/null
    sampler=
    awk '{ printf "%.1f", $1 / 1024 }' "$bench/memory"
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# percentile P: of the numbers on standard input.
percentile() {
    sort -g | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p + 0.999999); print v[i < 1 ? 1 : i] }'
}
