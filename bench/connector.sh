# connector.sh: Debezium on Kafka Connect as the peer of a benchmark: start, hold, time, memory. Sourced after
# harness.sh. Settings: those that made it fastest here, of the connector's own documentation.

connect=$BV_SOURCE_TREE/test/debezium/connect
peak_peer=0
peer_sampler=
export BV_CONNECT_HEAP=2g BV_CONNECT_JAVA=-XX:+UseG1GC BV_CONNECT_TOPICS=true

# start_peer NAME TABLE...: a connector of these tables; returns when its slot is active. Its producer lingers
# $connector_linger_ms.
start_peer() {
    local name=$1 list=() table deadline=$((SECONDS + 90))
    shift
    for table in "$@"; do
        list+=("public.$table")
    done
    # Set, not added: a second connector of the same tables finds them there.
    sql -c "ALTER PUBLICATION peer SET TABLE $(IFS=, && echo "${list[*]}")"
    BV_CONNECT_PORT=$(free_port 18083)
    export BV_CONNECT_PORT
    mkdir -p "$bench/connect"
    cat >"$bench/connect.properties" <<PROPERTIES
name=$name
connector.class=io.debezium.connector.postgresql.PostgresConnector
tasks.max=1
database.hostname=127.0.0.1
database.port=$PGPORT
database.user=postgres
database.password=none
database.dbname=$PGDATABASE
topic.prefix=peer
plugin.name=pgoutput
slot.name=peer_$name
publication.name=peer
publication.autocreate.mode=disabled
table.include.list=$(IFS=, && echo "${list[*]}")
snapshot.mode=no_data
message.prefix.exclude.list=bitvelocity\\..*
decimal.handling.mode=precise
poll.interval.ms=5
max.batch.size=8192
max.queue.size=32768
producer.override.linger.ms=${connector_linger_ms:-5}
producer.override.batch.size=262144
producer.override.compression.type=lz4
topic.creation.default.replication.factor=1
topic.creation.default.partitions=1
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
PROPERTIES
    "$connect" start "$bench/connect" "127.0.0.1:$kafka_port" "$bench/connect.properties" ||
        fail "Kafka Connect does not start"
    until [ "$(sql -c "SELECT active FROM pg_replication_slots WHERE slot_name = 'peer_$name'")" = t ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the connector does not start: $(tail -n 3 "$bench/connect/connect.log")"
        sleep 0.5
    done
    peer_jvm=$(cat "$bench/connect/connect.pid")
    peer_slot=peer_$name
}

stop_peer() {
    kill -CONT $(peer_pids) 2>/dev/null
    "$connect" stop "$bench/connect"
    rm -f "$bench/connect/offsets"
    local deadline=$((SECONDS + 30))
    until sql -c "SELECT pg_drop_replication_slot('$peer_slot')" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the slot $peer_slot stays"
        sleep 0.2
    done
}

# At the end of a benchmark, however it ends.
end_peer() {
    [ -z "$peer_sampler" ] || kill "$peer_sampler" 2>/dev/null
    [ -z "${peer_jvm:-}" ] || kill -CONT $(peer_pids) 2>/dev/null
    "$connect" stop "$bench/connect"
}

# The connector's process and its walsender.
peer_pids() {
    echo "$peer_jvm"
    sql -c "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$peer_slot' AND active_pid IS NOT NULL"
}

peer_walsender() {
    peer_pids | tail -n +2
}

# Held are both halves, or the walsender would fill the sockets while the other side is measured.
hold_peer() {
    kill -STOP "$peer_jvm" $(peer_walsender) 2>/dev/null
}

# Messages of the topic so far (one partition).
topic_end() {
    kcat -q -b "127.0.0.1:$kafka_port" -Q -t "$1:0:-1" 2>/dev/null | sed -n 's/.*offset \([0-9]*\).*/\1/p'
}

# release_peer_and_time TOPIC MESSAGES: seconds until the topic holds so many.
release_peer_and_time() {
    local began deadline=$((SECONDS + 600))
    began=$(date +%s%N)
    kill -CONT "$peer_jvm" $(peer_walsender)
    until [ "$(topic_end "$1")" -ge "$2" ] 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "the connector did not finish: $(topic_end "$1") of $2 messages in $1" && return 1; }
        sleep 0.05
    done
    awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN { printf "%.3f", (b - a) / 1e9 }'
}

start_peer_sampling() {
    peer_pids >"$bench/peer_pids"
    (
        while :; do
            while read -r pid; do
                sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null
            done <"$bench/peer_pids" | awk '{ s += $1 } END { print s + 0 }'
            sleep 0.5
        done >"$bench/peer_memory"
    ) &
    peer_sampler=$!
}

stop_peer_sampling() {
    kill "$peer_sampler" 2>/dev/null
    wait "$peer_sampler" 2>/dev/null
    peer_sampler=
    peak_peer=$( (echo "$peak_peer" && awk '{ printf "%.1f\n", $1 / 1024 }' "$bench/peer_memory") | sort -g | tail -n 1)
}
