#!/usr/bin/env bash
# delivery = transactional with a real Kafka: who reads committed messages sees every change once while processes
# are killed; who sees the rest, too; large transactions are cut; a copied server shuts the first one out.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
. "$(dirname "$0")/../check/kafka.sh"
needs java mvn kcat
free_port 19592
connections "bootstrap.servers = 127.0.0.1:$port
reconnect.backoff.max.ms = 300"
check "the broker starts" "$broker" start "$BV_TMP/kafka" "$port"
server a restart_after_crash=on bitvelocity.connection_file="$connection"
sql -c "CREATE EXTENSION bitvelocity" -c "CREATE TABLE orders (id int PRIMARY KEY, n bigint)" \
    -c "INSERT INTO orders SELECT i, 0 FROM generate_series(1, 100) i"

refused() {
    local answer
    ! answer=$(sql -c "SELECT bitvelocity.create_stream('r', ARRAY['orders']::regclass[], sink => 'kafka', options => '$1')" 2>&1) &&
        grep -q "$2" <<<"$answer"
}
check "an unknown delivery is refused" refused '{"delivery": "twice"}' 'must be at_least_once or transactional'
check "what belongs to transactions is refused without them" refused '{"transaction_ms": 5}' 'needs "delivery"'
check "a connection cannot bring a transactional id of its own" refused '{"kafka.transactional.id": "x"}' 'cannot be set'
sql -c "SELECT bitvelocity.create_stream('t', ARRAY['orders']::regclass[], sink => 'kafka', format => 'flat',
    options => '{\"delivery\": \"transactional\", \"headers\": [\"identity\"]}')" >/dev/null
eventually "the stream starts" synced t

read_topic() { kcat -q -b "127.0.0.1:$port" -C -t t.public.orders -o beginning -e -X "isolation.level=$1" -f '%k\t%h\t%s\n' 2>/dev/null; }
repeated() { read_topic "$1" | cut -f 2 | sort | uniq -d | wc -l; }
is "existing rows are there once" "$(read_topic read_committed | wc -l) $(repeated read_committed)" "100 0"

# Killed in the middle, at every step of a Kafka transaction
cat >"$BV_TMP/script.sql" <<'SQL'
\set key random(1, 100)
UPDATE orders SET n = n + 1 WHERE id = :key;
SQL
server_runs() { sql -c "SELECT 1"; }
arm() { # place action hit
    echo "$*" >"$BV_TMP/failpoint"
    chmod 644 "$BV_TMP/failpoint"
    "$BV_SERVER" as-owner cp "$BV_TMP/failpoint" "$BV_TMP/a/data/bitvelocity.failpoint"
    sql -c "SELECT pg_reload_conf()" >/dev/null
}
hit() { [ ! -e "$BV_TMP/a/data/bitvelocity.failpoint" ]; }
# Writes until it happens: how many changes share a Kafka transaction depends on the machine.
strikes() {
    hit || {
        sql -c "UPDATE orders SET n = n + 1 WHERE id = 1" 2>/dev/null
        hit
    }
}
for place in transaction_opened transaction_ending transaction_progress transaction_committed deliverer_sent deliverer_acknowledged decoder_saving; do
    arm "$place" kill $([ "$place" = transaction_opened ] || echo 3)
    pgbench -n -f "$BV_TMP/script.sql" -c 2 -t 100 postgres >/dev/null 2>&1
    if [ "$place" = transaction_opened ]; then
        sql -c "SELECT bitvelocity.pause_stream('t')" >/dev/null
        eventually "paused" state_is paused t
        sql -c "SELECT bitvelocity.resume_stream('t')" >/dev/null
    fi
    eventually "killed: $place" strikes
    eventually "the server is back" server_runs
    eventually "the stream goes on" synced t
done
total=$(sql -c "SELECT 100 + sum(n) FROM orders")
is "every committed change is there once" "$(read_topic read_committed | wc -l) $(repeated read_committed)" "$total 0"
check "others see what was undone, too" test "$(read_topic read_uncommitted | wc -l)" -gt "$total"

# Longer than a Kafka transaction may be
sql -c "SELECT bitvelocity.pause_stream('t')" >/dev/null
sql -c "SELECT bitvelocity.alter_stream('t', options => '{\"delivery\": \"transactional\", \"headers\": [\"identity\"], \"kafka.transaction.timeout.ms\": 2000}')" >/dev/null
arm deliverer_sent sleep 20000
sql -c "INSERT INTO orders SELECT i, 0 FROM generate_series(1001, 301000) i"
sql -c "SELECT bitvelocity.resume_stream('t')" >/dev/null
eventually "a large transaction arrives" synced t
check "it was slow" hit
check "it was cut into several Kafka transactions" test "$(kcat -q -b "127.0.0.1:$port" -C -t __bitvelocity_progress -o beginning -e 2>/dev/null | grep -c '"ordinal"')" -gt 0
total=$((total + 300000))
is "every change of it is there once" "$(read_topic read_committed | wc -l) $(repeated read_committed)" "$total 0"

# A copied data directory: the later one shuts the earlier out, which says so and rests
"$BV_SERVER" stop "$BV_TMP/a"
mkdir -p "$BV_TMP/b"
cp -a "$BV_TMP/a/data" "$BV_TMP/b/data"
sed -i "/settings.conf/d" "$BV_TMP/b/data/postgresql.conf"
"$BV_SERVER" restart "$BV_TMP/a"
eventually "the first server goes on" synced t
server b bitvelocity.connection_file="$connection"
eventually "its copy publishes" synced t
use a
sql -c "UPDATE orders SET n = n + 1 WHERE id = 1"
shut_out() { [ "$(sql -c "SELECT state = 'paused' AND last_error LIKE '%another process has taken over%' AND hint LIKE '%resume_stream%' FROM bitvelocity.stream_status WHERE stream = 't'")" = t ]; }
eventually "the first is shut out and paused with the reason" shut_out
use b
eventually "the copy goes on" synced t
is "what the first could not commit is not there" "$(read_topic read_committed | wc -l)" "$total"
finish
