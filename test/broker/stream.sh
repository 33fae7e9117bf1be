#!/usr/bin/env bash
# A stream into a real Kafka: what the tables hold is in the topics, in order per key, also when the broker goes
# away for a while; and no secret is seen anywhere.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
. "$(dirname "$0")/../check/kafka.sh"
needs java mvn kcat
free_port 19492
secret=s3cr3t-2f81c0
connections "bootstrap.servers = 127.0.0.1:$port
reconnect.backoff.max.ms = 500
[sasl]
bootstrap.servers = 127.0.0.1:$port
security.protocol = SASL_PLAINTEXT
sasl.mechanism = PLAIN
sasl.username = alice
sasl.password = $secret"
chmod 644 "$connection"

# No password in a log, however much is logged
server a log_min_messages=debug2 log_statement=all bitvelocity.connection_file="$connection.missing"
sql -c "CREATE EXTENSION bitvelocity" \
    -c "CREATE TABLE orders (id int PRIMARY KEY, n bigint, note text)" -c "INSERT INTO orders SELECT i, 0, 'existed' FROM generate_series(1, 1000) i"
error_has() { [ "$(sql -c "SELECT last_error LIKE '%$1%' AND coalesce(hint, '') LIKE '%$2%' FROM bitvelocity.stream_status WHERE stream = '${3:-k}'")" = t ]; }
check "a stream can be made before its connection file" \
    sql -c "SELECT bitvelocity.create_stream('k', ARRAY['orders']::regclass[], sink => 'kafka', format => 'flat')"
eventually "a missing connection file is an error of the stream with a hint" error_has "could not read the connection file" "Make it readable"
sql -c "ALTER SYSTEM SET bitvelocity.connection_file = '$connection'" -c "SELECT pg_reload_conf()" >/dev/null
eventually "one that others may read is refused with a hint" error_has "not safe to use" "mode 0600"
check "the log says so once" test "$(grep -c 'started again: the connection file is not safe' "$BV_TMP/a/server.log")" -le 1
chmod 600 "$connection"
# A stream that failed is tried again after a pause of its own; at once when it is resumed.
sql -c "SELECT bitvelocity.pause_stream('k')" >/dev/null
eventually "the stream is paused" state_is paused k
sql -c "SELECT bitvelocity.resume_stream('k')" >/dev/null
eventually "without a broker the stream says so and waits" error_has "127.0.0.1:$port" ""

check "the broker starts" "$broker" start "$BV_TMP/kafka" "$port"
eventually "the stream goes on by itself" synced k

read_topic() { kcat -q -b "127.0.0.1:$port" -t "$1" -C -o beginning -e -f "$2" 2>/dev/null; }
# The last message of every key, as "value" a line; compacted as a consumer would.
last_values() {
    read_topic "$1" '%k\t%s\n' | awk -F '\t' '{ last[$1] = $2 } END { for (k in last) if (last[k] != "") print last[k] }' | sort
}
rows_of() { sql -c "SELECT to_jsonb(t) FROM $1 t" | sort; }
as_rows() { # topic: its last values as jsonb prints them
    last_values "$1" >"$BV_TMP/values"
    psql -XAtq -v ON_ERROR_STOP=1 -c "CREATE TEMP TABLE l (j jsonb)" \
        -c "\\copy l FROM '$BV_TMP/values' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" -c "SELECT j FROM l" | sort
}
topic_is_table() { # topic table
    as_rows "$1" >"$BV_TMP/topic.rows"
    rows_of "$2" >"$BV_TMP/table.rows"
    diff "$BV_TMP/topic.rows" "$BV_TMP/table.rows" | head -n 20
    cmp -s "$BV_TMP/topic.rows" "$BV_TMP/table.rows"
}
check "existing rows are in the topic" topic_is_table k.public.orders orders

cat >"$BV_TMP/script.sql" <<'SQL'
\set key random(1, 1100)
\set gone random(1, 1100)
BEGIN;
INSERT INTO orders VALUES (:key, 1, 'new "é" ') ON CONFLICT (id) DO UPDATE SET n = orders.n + 1;
SAVEPOINT s;
DELETE FROM orders WHERE id = :gone;
RELEASE s;
COMMIT;
SQL
write() { pgbench -n -f "$BV_TMP/script.sql" -c 2 "$@" postgres >/dev/null 2>&1; }
write -t 1500
check "changes arrive" synced k
check "the last message of every key is the row of the table" topic_is_table k.public.orders orders
in_order() { # n goes up by one from a row to its update, in the whole life of a key
    read_topic "$1" '%k\t%s\n' | awk -F '\t' '
        { n = ""; if (match($2, /"n": *[0-9]+/)) { n = substr($2, RSTART, RLENGTH); sub(/.*: */, "", n) } }
        $2 == "" { delete last[$1]; next }
        ($1 in last) && n + 0 < last[$1] { print $1 ": " n " after " last[$1]; bad = 1 }
        { last[$1] = n + 0 }
        END { exit bad }'
}
check "per key they are in order" in_order k.public.orders

# Outage: writers go on
memory() { # kB of private memory of both processes
    awk '/^RssAnon/ { sum += $2 } END { print sum + 0 }' $(sql -c "SELECT '/proc/' || pid || '/status' FROM pg_stat_activity WHERE backend_type IN ('bitvelocity decoder', 'bitvelocity deliverer')")
}
"$broker" stop "$BV_TMP/kafka" KILL
sql -c "INSERT INTO orders SELECT i, 1, repeat('x', 500) FROM generate_series(10000, 109999) i"
eventually "the outage is shown" error_has "127.0.0.1:$port" ""
write -T 2
most=0
for _ in 1 2 3 4 5 6 7 8; do
    sql -c "UPDATE orders SET n = n + 1 WHERE id BETWEEN 10000 AND 29999"
    now=$(memory)
    most=$((now > most ? now : most))
done
check "memory of both processes stays below 128 MiB in an outage ($((most / 1024)) MiB)" test "$most" -gt 0 -a "$most" -lt 131072
began=$SECONDS
"$BV_SERVER" stop "$BV_TMP/a" fast
check "pg_ctl stop -m fast does not wait for the broker ($((SECONDS - began)) s)" test $((SECONDS - began)) -lt 10
"$BV_SERVER" restart "$BV_TMP/a" fast
write -t 100
sql -c "SELECT bitvelocity.pause_stream('k')" >/dev/null
eventually "in an outage a stream can be paused" state_is paused k
sql -c "SELECT bitvelocity.resume_stream('k')" >/dev/null
check "the broker starts again" "$broker" start "$BV_TMP/kafka" "$port"
eventually "the stream goes on by itself after the outage" synced k
check "nothing was lost" topic_is_table k.public.orders orders
check "per key the order is kept" in_order k.public.orders
repeated() { read_topic "$1" '%h\n' | sort | uniq -d | wc -l; }
echo "# $(read_topic k.public.orders '%h\n' | wc -l) messages, $(repeated k.public.orders) identities more than once"
is "every message has its identity" "$(read_topic k.public.orders '%h\n' | grep -vc identity=)" 0
no_error() { [ "$(sql -c "SELECT last_error IS NULL FROM bitvelocity.stream_status WHERE stream = 'k'")" = t ]; }
eventually "the error is gone" no_error

# More WAL retained than wal_limit allows: existing rows wait, changes do not
sql >/dev/null <<'SQL'
CREATE TABLE no_rows (id int PRIMARY KEY);
CREATE TABLE held (id int PRIMARY KEY, n bigint, note text);
INSERT INTO held SELECT i, 0, 'existed' FROM generate_series(1, 500) i;
SELECT bitvelocity.create_stream('held', ARRAY['no_rows']::regclass[], sink => 'kafka', format => 'flat',
    options => '{"wal_limit": 1, "wal_policy": "throttle"}');
SQL
throttled() { [ "$(sql -c "SELECT a.throttled FROM bitvelocity.stream_activity() a JOIN bitvelocity.stream s USING (stream_id) WHERE s.stream_name = 'held'")" = t ]; }
eventually "the guard sees that too much WAL is retained" throttled
sql -c "SELECT bitvelocity.alter_stream('held', add_tables => ARRAY['held']::regclass[])" >/dev/null
held_is() { [ "$(sql -c "SELECT $1 FROM bitvelocity.stream_status WHERE stream = 'held'")" = t ]; }
eventually "existing rows wait" held_is "state = 'snapshot' AND hint LIKE 'existing rows wait%'"
sql -c "INSERT INTO held VALUES (1001, 1, 'new')" -c "UPDATE held SET n = 1 WHERE id = 1"
lsn=$(sql -c "SELECT pg_current_wal_lsn()")
eventually "changes are acknowledged meanwhile" held_is "confirmed_flush_lsn >= '$lsn'"
is "and nothing else is in the topic" "$(read_topic held.public.held '%k\n' | wc -l)" 2
sql -c "SELECT bitvelocity.alter_stream('held', options => '{\"wal_limit\": 1}')" >/dev/null
eventually "another policy lets it read" synced held
check "every row is in the topic" topic_is_table held.public.held held
sql -c "SELECT bitvelocity.drop_stream('held')" >/dev/null

# Who maps the client library
mapped() { grep -lE 'librdkafka|libcurl|bitvelocity_kafka' $(sql -c "SELECT '/proc/' || pid || '/maps' FROM pg_stat_activity WHERE $1") 2>/dev/null | wc -l; }
is "only the deliverer maps the client library" "$(mapped "backend_type = 'bitvelocity deliverer'") $(mapped "backend_type <> 'bitvelocity deliverer' AND pid <> pg_backend_pid()")" "1 0"
is "a backend that makes a stream does not either" "$(sql -c "SELECT bitvelocity.alter_stream('k', options => '{\"kafka.linger.ms\": 5}')" -c "SELECT pg_read_file('/proc/self/maps') ~ 'librdkafka|bitvelocity_kafka'")" "
f"
eventually "an option changes while it streams" synced k

# A password that the broker does not take; and nowhere to be seen
sql -c "CREATE TABLE other (id int PRIMARY KEY)" \
    -c "SELECT bitvelocity.create_stream('s', ARRAY['other']::regclass[], sink => 'kafka', options => '{\"connection\": \"sasl\"}')" >/dev/null
eventually "a refused login is an error of the stream" error_has "SASL PLAIN" "" s
check "a password cannot be given in SQL" eval '! sql -c "SELECT bitvelocity.alter_stream('"'s', options => '{\\\"kafka.sasl.password\\\": \\\"x\\\"}'"')" 2>/dev/null'
is "the password is in no setting, view or table" "$(
    for query in "SELECT * FROM pg_settings" "SELECT * FROM bitvelocity.stream_status" "SELECT * FROM bitvelocity.stream" "SELECT * FROM pg_stat_activity" \
        "SELECT * FROM bitvelocity.worker_status" "SELECT * FROM bitvelocity.check_setup()" "SELECT * FROM pg_file_settings"; do
        sql -c "$query"
    done | grep -c "$secret"
)" 0
is "nor in a dump" "$(pg_dumpall | grep -c "$secret")" 0
is "nor in the log" "$(grep -c "$secret" "$BV_TMP/a/server.log")" 0
is "nor in a process's title" "$(ps -eo args | grep -c "[${secret:0:1}]${secret:1}")" 0
sql -c "CREATE ROLE nobody LOGIN" 2>/dev/null
check "where the file is, only superusers see" eval '! sql -U nobody -c "SHOW bitvelocity.connection_file" 2>/dev/null'
finish
