#!/usr/bin/env bash
# The Kafka transport's shared object against a real broker: contents, order across a killed broker, sizes,
# rights, wrong passwords. Needs no PostgreSQL server. BV_KAFKA_LIBRARY: the library to test, else the
# one that was installed for the tests, else it is built here.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source_tree=$(cd "$here/../.." && pwd)
. "$source_tree/test/check/tap.sh"

tmp=${BV_TMP:-$(mktemp -d /tmp/bv-broker.XXXXXX)}
broker=$here/kafka-broker
producer=

end() {
    local status=$?
    [ -z "$producer" ] || kill "$producer" 2>/dev/null
    "$broker" stop "$tmp/kafka" KILL
    [ -n "${BV_TMP:-}" ] || rm -rf "$tmp"
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

for program in java mvn kcat; do
    command -v "$program" >/dev/null || {
        echo "$program is not installed"
        exit 77
    }
done

# $1 is free, and so are the two ports after it.
port_is_free() {
    local port
    for port in $1 $(($1 + 1)) $(($1 + 2)); do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 1
    done
}

library=${BV_KAFKA_LIBRARY:-}
if [ -z "$library" ] && [ -n "${BV_PREFIX:-}" ]; then
    library=$BV_PREFIX$(${PG_CONFIG:-pg_config} --pkglibdir)/bitvelocity_kafka.so
fi
cxx="${CXX:-c++} -std=c++20 -O2 -g -Wall -Wextra -Werror -I$source_tree/src"
if [ -z "$library" ]; then
    library=$tmp/bitvelocity_kafka.so
    $cxx -fPIC -fvisibility=hidden -shared -o "$library" "$source_tree"/src/sink/kafka/*.cpp \
        "$source_tree"/src/core/*.cpp -lrdkafka || exit 1
fi
$cxx -o "$tmp/produce" "$here/produce.cpp" -ldl || exit 1

port=19392
until port_is_free "$port"; do
    port=$((port + 3))
done
start_broker() {
    "$broker" start "$tmp/kafka" "$port" \
        "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),SASL_PLAINTEXT://127.0.0.1:$((port + 2))" \
        "advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_PLAINTEXT://127.0.0.1:$((port + 2))" \
        sasl.enabled.mechanisms=PLAIN \
        'listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="right-5e7c3";' \
        authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer \
        super.users=User:ANONYMOUS 2>"$tmp/start.log"
}
server=127.0.0.1:$port
produce() {
    timeout 120 "$tmp/produce" "$library" "$@"
}
# topic FORMAT: everything in the topic, in the order of its one partition
read_topic() {
    kcat -q -b "$server" -t "$1" -C -o beginning -e -f "$2" 2>/dev/null
}
# The numbers of the messages, in order; the test's verdict about them.
numbers() {
    read_topic "$1" '%s\n' | sed -n 's/^{"number":\([0-9]*\),.*/\1/p'
}
in_order() { # topic count: every number once, ascending
    numbers "$1" | awk -v n="$2" '$1 != NR - 1 { print "message " NR - 1 " is " $1; exit 1 }
        END { if (NR != n) { print NR " messages instead of " n; exit 1 } }'
}
refused() { # output SQLSTATE words...
    local output=$1 word
    shift
    for word in "$@"; do
        grep -qF -- "$word" "$output" || {
            cat "$output"
            return 1
        }
    done
}

check "a broker starts" start_broker || exit 1
[ "$tap_failed" -eq 0 ] || { finish; exit 1; }

check "messages are acknowledged" produce order 20000 400 0 "bootstrap.servers=$server"
check "they are in the topic, once and in order" in_order order 20000

check "messages with headers are acknowledged" produce headers 1000 400 2 "bootstrap.servers=$server"
check "keys, values and headers arrive" awk '
    $1 != (NR - 1) % 1000 || $2 !~ /^identity=1:0\/16B3748.*,identity=/ || $3 !~ "^{\"number\":" NR - 1 "," { exit 1 }
    END { exit NR != 1000 }' <(read_topic headers '%k %h %s\n')

"$broker" topic "$tmp/kafka" outage 1
"$tmp/produce" "$library" outage 600000 200 0 "bootstrap.servers=$server" \
    reconnect.backoff.max.ms=500 >"$tmp/outage.out" 2>"$tmp/outage.err" &
producer=$!
# waits for a line of the producer
says() {
    local deadline=$((SECONDS + 60))
    until grep -q "$1" "$tmp/outage.err"; do
        [ "$SECONDS" -lt "$deadline" ] && kill -0 "$producer" 2>/dev/null || return 1
        sleep 0.05
    done
}
check "the producer is under way" says '^acknowledged [1-9]'
"$broker" stop "$tmp/kafka" KILL
check "it notices that the broker was killed" says '^unreachable'
# It may notice before its queue is full, which then fills first.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$producer/status"; }
is_full() {
    local deadline=$((SECONDS + 20)) last=-1
    until [ "$(resident)" = "$last" ]; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        last=$(resident)
        sleep 0.5
    done
}
check "its queue fills" is_full
before=$(resident)
sleep 2
after=$(resident)
check "its memory does not grow while it waits ($((after / 1024)) MiB)" \
    test "$after" -lt $((before + 4096)) -a "$after" -lt 98304
check "the broker starts again" start_broker
wait "$producer"
check "every message is acknowledged" test $? = 0
producer=
check "nothing was lost, repeated or reordered" in_order outage 600000

"$broker" topic "$tmp/kafka" small 1 max.message.bytes=2000
produce small 1 5000 0 "bootstrap.servers=$server" compression.codec=none >"$tmp/out" 2>&1
check "the broker's limit for a message: refused with size, key and what to do" \
    refused "$tmp/out" 54000 '"small"' MSG_SIZE_TOO_LARGE 'key 0' max.message.bytes
# What is queued behind a refused message goes with the next producer, behind it again.
"$broker" topic "$tmp/kafka" gap 1 max.message.bytes=2000
LARGE=500 produce gap 2000 100 0 "bootstrap.servers=$server" compression.codec=none batch.num.messages=10 >"$tmp/out" 2>&1
check "a message in the middle is refused" refused "$tmp/out" 54000 MSG_SIZE_TOO_LARGE
sent=$(numbers gap | wc -l)
check "what was before it is in order ($sent messages)" in_order gap "$sent"
check "nothing behind it was sent" test "$sent" -gt 400 -a "$sent" -le 500
check "small batches pass the same limit" produce small 1000 400 0 "bootstrap.servers=$server" batch.size=1900

sasl="bootstrap.servers=127.0.0.1:$((port + 2)) security.protocol=sasl_plaintext sasl.mechanism=PLAIN sasl.username=alice"
# shellcheck disable=SC2086
produce rights 1 100 0 $sasl sasl.password=right-5e7c3 >"$tmp/out" 2>&1
check "a principal without rights is told which one is missing" \
    refused "$tmp/out" "authorization failed" "Allow the connection's principal"
# shellcheck disable=SC2086
timeout 5 "$tmp/produce" "$library" rights 1 100 0 $sasl sasl.password=wrong-5e7c3 >"$tmp/out" 2>&1
check "a wrong password is waited out, not fatal" test $? = 124
check "and reported" grep -q '^unreachable.*[Aa]uthentication' "$tmp/out"
check "no password is shown" sh -c '! grep -q 5e7c3 "$1"' - "$tmp/out"
finish
