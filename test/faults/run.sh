#!/usr/bin/env bash
# check-faults: many rounds of writers, a fault, recovery and a verdict against a ledger; see test/README.md.
#
#   ROUNDS (12)   SEED (of the clock)   FIRST (1)   FAULTS (all, or a list as in faults.py)
#   WITHOUT (a list: all but these)
#   SINKS (bronze and kafka; or bronze: without a broker)
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/kafka.sh"
here=$(cd "$(dirname "$0")" && pwd)
needs python3
[ "${SINKS:-}" = bronze ] || needs java mvn kcat
end_more() {
    if [ -n "${BV_SPILL:-}" ]; then
        "$BV_SERVER" stop "$BV_TMP/a" immediate
        umount "$BV_SPILL"
    fi
}
with_broker=()
connection=
start_broker() {
    free_port 19692
    connections "bootstrap.servers = 127.0.0.1:$((port + 2))
security.protocol = SASL_PLAINTEXT
sasl.mechanism = PLAIN
sasl.username = stream
sasl.password = stream-s3cr3t
reconnect.backoff.max.ms = 300
socket.timeout.ms = 3000"
    ${CXX:-c++} -std=c++20 -O1 -Wall -Wextra -Werror -o "$BV_TMP/admin" "$here/admin.cpp" -lrdkafka || exit 1
    # Whoever comes by the first port may do everything; the streams come by the other one, as a principal with rights to lose.
    settings=(
        "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),SASL_PLAINTEXT://127.0.0.1:$((port + 2))"
        "advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_PLAINTEXT://127.0.0.1:$((port + 2))"
        "sasl.enabled.mechanisms=PLAIN"
        'listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_stream="stream-s3cr3t";'
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        "allow.everyone.if.no.acl.found=true"
        "super.users=User:ANONYMOUS"
    )
    BV_ADMIN=$BV_TMP/admin
    BV_BROKER_SETTINGS=$(IFS='|' && echo "${settings[*]}")
    export BV_ADMIN BV_BROKER_SETTINGS
    "$broker" start "$BV_TMP/kafka" "$port" "${settings[@]}" 2>/dev/null || exit 1
    with_broker=(--broker "$BV_TMP/kafka" --port "$port")
}
[ "${SINKS:-}" = bronze ] || start_broker
server a restart_after_crash=on max_prepared_transactions=100 deadlock_timeout=100ms log_min_messages=warning \
    bitvelocity.connection_file="$connection" bitvelocity.log_interval=1s
# Where it can be had, slots and spilled transactions are on a small disk of their own.
if [ "$(id -u)" = 0 ] && "$BV_SERVER" stop "$BV_TMP/a" && mount -t tmpfs -o "size=320m,mode=700,uid=$(id -u "${BV_ACCOUNT:-postgres}"),gid=$(id -g "${BV_ACCOUNT:-postgres}")" \
    none "$BV_TMP/a/data/pg_replslot" 2>/dev/null; then
    export BV_SPILL=$BV_TMP/a/data/pg_replslot
fi
"$BV_SERVER" restart "$BV_TMP/a" fast
sql -c "CREATE EXTENSION bitvelocity" >/dev/null
python3 "$here/rounds.py" --rounds "${ROUNDS:-12}" --seed "${SEED:-$(date +%s)}" --first "${FIRST:-1}" --faults "${FAULTS:-}" --without "${WITHOUT:-}" \
    --directory "$BV_TMP/a" "${with_broker[@]}"
status=$?
[ "$status" -eq 0 ] || [ -z "${KEEP:-}" ] || cp -r "$BV_TMP/a/server.log" "$KEEP"
exit "$status"
