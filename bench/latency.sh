# latency.sh: commit to broker append at 300 commits a second. Sourced after harness.sh.
#
# The row's time is the statement's clock_timestamp(), the last statement of its transaction; the broker stamps
# whole milliseconds (LogAppendTime), so half of one is added.

create_latency() {
    sql -c "CREATE TABLE $1 (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, written_at timestamptz)"
}

# Milliseconds of every message on standard input: "append-time value", the value JSON with written_at.
latencies() {
    sed -n 's/^\([0-9]*\) .*"written_at": *"\([^"]*\)".*/\1 \2/p' | python3 -c '
import datetime, sys
for line in sys.stdin:
    appended, written = line.strip().split(" ", 1)
    at = datetime.datetime.fromisoformat(written.replace("Z", "+00:00"))
    print(int(appended) + 0.5 - at.timestamp() * 1000)'
}

# latency PREFIX TABLE TOPIC: figures PREFIXlatency_p50_ms and PREFIXlatency_p99_ms. The function latency_settled
# returns when everything written is in the topic.
latency() {
    local prefix=$1 table=$2 topic=$3 seconds=${LATENCY_SECONDS:-10} run p50=() p99=() offset list
    echo "INSERT INTO $table (written_at) VALUES (clock_timestamp());" >"$bench/latency.sql"
    chmod 644 "$bench/latency.sql"
    for run in $(seq 0 "$runs"); do
        offset=$(sql -c "SELECT count(*) FROM $table")
        pgbench -n -f "$bench/latency.sql" -R 300 -T "$seconds" -c 2 -j 1 >"$bench/pgbench.log" 2>&1 ||
            fail "pgbench: $(tail -n 3 "$bench/pgbench.log")"
        latency_settled
        kcat -q -b "127.0.0.1:$kafka_port" -t "$topic" -C -o "$offset" -e -f '%T %s\n' 2>/dev/null >"$bench/latency.txt"
        [ "$(wc -l <"$bench/latency.txt")" -eq $(($(sql -c "SELECT count(*) FROM $table") - offset)) ] ||
            fail "messages are missing in topic $topic"
        list=$(latencies <"$bench/latency.txt")
        say "${prefix}latency run $run: p50 $(percentile 0.5 <<<"$list") ms, p99 $(percentile 0.99 <<<"$list") ms, $(wc -l <<<"$list") commits"
        if [ "$run" -gt 0 ]; then
            p50+=("$(percentile 0.5 <<<"$list")")
            p99+=("$(percentile 0.99 <<<"$list")")
        fi
    done
    figure "${prefix}latency_p50_ms" "$(printf '%s\n' "${p50[@]}" | median | xargs printf '%.2f')" ms
    figure "${prefix}latency_p99_ms" "$(printf '%s\n' "${p99[@]}" | median | xargs printf '%.2f')" ms
}
