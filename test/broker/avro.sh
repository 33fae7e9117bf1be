#!/usr/bin/env bash
# Format avro with a real registry and a real Kafka, read by an implementation that is not ours: rows, schemas that
# follow the table, a registry that is away, one that refuses, a schema of the user's own.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
. "$(dirname "$0")/../check/kafka.sh"
here=$(cd "$(dirname "$0")" && pwd)
needs java mvn kcat curl python3
cache=${BV_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/bitvelocity}
python=$cache/fastavro/bin/python
if ! "$python" -c "import fastavro" 2>/dev/null; then
    mkdir -p "$cache"
    { python3 -m venv "$cache/fastavro" && "$python" -m pip -q install fastavro; } >/dev/null 2>&1 || {
        echo "fastavro could not be fetched"
        exit 77
    }
fi
"$here/schema-registry" fetch && "$here/kafka-broker" fetch || {
    echo "the registry or the broker could not be fetched"
    exit 77
}
end_more() {
    "$here/schema-registry" stop "$BV_TMP/registry"
}
free_port 19692

for file in changes.avro changes.avro-flat types.avro types.avro-flat; do
    check "fastavro reads the recorded messages of $file" "$python" "$here/../golden/decode_avro.py" "$here/../golden/$file.txt"
done

check "the broker starts" "$here/kafka-broker" start "$BV_TMP/kafka" "$port"
check "the registry starts" "$here/schema-registry" start "$BV_TMP/registry" $((port + 2))
url=http://127.0.0.1:$((port + 2))/apis/ccompat/v7
secret=s3cr3t-77aa10
connections "bootstrap.servers = 127.0.0.1:$port
schema.registry.url = $url
schema.registry.basic.auth.user.info = me:$secret
schema.registry.timeout.ms = 700"
server a log_min_messages=debug1 bitvelocity.connection_file="$connection"
sql -c "CREATE EXTENSION bitvelocity" -c "CREATE TYPE mood AS ENUM ('sad', 'happy')" \
    -c "CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2), at timestamptz, m mood, tags text[], note text)" \
    -c "INSERT INTO orders SELECT i, i + 0.5, '2024-01-15 10:30:00+00', 'happy', '{a,NULL}', 'é' FROM generate_series(1, 50) i"
is "an option is judged when the stream is made" "$(psql -XAtq -c "SELECT bitvelocity.create_stream('x', ARRAY['orders']::regclass[], sink => 'kafka', format => 'avro', options => '{\"avro.shpe\": \"flat\"}')" 2>&1 | grep -c 'Perhaps you meant "avro.shape"')" 1
check "a stream is made" sql -c "SELECT bitvelocity.create_stream('a', ARRAY['orders']::regclass[], sink => 'kafka', format => 'avro')"
check "its existing rows arrive" synced a

messages() { # topic
    kcat -q -b "127.0.0.1:$port" -t "$1" -C -o beginning -e -f '%K\n%S\n%k%s' 2>/dev/null | "$python" "$here/read_avro.py" "$url"
}
# What a consumer knows at the end, beside the table.
state_of() { # topic expression-of-row
    messages "$1" | "$python" -c '
import json, sys
rows = {}
for line in sys.stdin:
    message = json.loads(line)
    row = (message["value"] or {}).get("after") if "metadata" in (message["value"] or {}) else message["value"]
    before = (message["value"] or {}).get("before")
    if before and (not row or before["id"] != row["id"]):
        rows.pop(before["id"], None)
    if row:
        rows[row["id"]] = row
    elif message["key"]:
        rows.pop(message["key"]["id"], None)
for id in sorted(rows):
    r = rows[id]
    print(id, r["total"], (r.get("_text") or {}).get("total", ""), r["at"], r["m"], json.dumps(r["tags"]), r["note"], r.get("extra", ""), sep="|")'
}
rows_of() { # extra
    sql -c "SELECT id, CASE WHEN total = 'NaN' THEN 'None' ELSE total::text END, CASE WHEN total = 'NaN' THEN 'NaN' END, at::timestamp || '+00:00', m, to_json(tags), note, $1 FROM orders ORDER BY id" |
        sed 's/,null/, null/'
}
same() { # extra
    state_of a.public.orders >"$BV_TMP/topic.rows"
    rows_of "$1" >"$BV_TMP/table.rows"
    diff "$BV_TMP/topic.rows" "$BV_TMP/table.rows" | head -n 10
    cmp -s "$BV_TMP/topic.rows" "$BV_TMP/table.rows"
}
check "they are the table's, read by fastavro with the registered schemas" same NULL
sql -c "UPDATE orders SET total = 'NaN' WHERE id = 3" -c "DELETE FROM orders WHERE id = 4" -c "UPDATE orders SET id = 1000 WHERE id = 5"
check "changes arrive" synced a
check "also NaN, a delete and a key that moved" same NULL
versions() { curl -fsS "$url/subjects/$1/versions"; }
is "key and value have a subject each" "$(versions a.public.orders-key) $(versions a.public.orders-value)" "[1] [1]"

# Evolution
sql -c "ALTER TABLE orders ADD COLUMN extra int" -c "INSERT INTO orders VALUES (60, 1, now(), 'sad', '{}', 'n', 7)"
check "a column is added" synced a
is "the subject has a second version, the key's has not" "$(versions a.public.orders-key) $(versions a.public.orders-value)" "[1] [1,2]"
is "it is the version of what was sent since" "$(messages a.public.orders | tail -n 1 | grep -c '"extra": 7')" 1
"$BV_SERVER" restart "$BV_TMP/a" fast
sql -c "UPDATE orders SET extra = 8 WHERE id = 60"
check "after a restart it goes on" synced a
is "with the versions there are" "$(versions a.public.orders-value)" "[1,2]"

# The registry away
error_has() { [ "$(sql -c "SELECT last_error LIKE '%$1%' FROM bitvelocity.stream_status WHERE stream = '${2:-a}'")" = t ]; }
"$here/schema-registry" freeze "$BV_TMP/registry"
sql -c "UPDATE orders SET extra = 9 WHERE id = 60"
check "known schemas go on without the registry" synced a
sql -c "ALTER TABLE orders ADD COLUMN later text" -c "INSERT INTO orders (id, total, extra, later) VALUES (61, 2, 1, 'x')"
eventually "a new one waits and says so" error_has "schema registry at http://127.0.0.1:$((port + 2))"
sql -c "SELECT bitvelocity.pause_stream('a')" >/dev/null
eventually "the stream can be paused meanwhile" state_is paused a
sql -c "SELECT bitvelocity.resume_stream('a')" >/dev/null
eventually "resumed it waits again" error_has "schema registry at"
"$here/schema-registry" thaw "$BV_TMP/registry"
check "it goes on by itself when the registry is back" synced a
no_error() { [ "$(sql -c "SELECT last_error IS NULL FROM bitvelocity.stream_status WHERE stream = 'a'")" = t ]; }
eventually "the error is gone" no_error
is "nothing was lost" "$(messages a.public.orders | grep -c '"later": "x"')" 1

# A schema that does not fit
curl -fsS -X PUT -H 'Content-Type: application/json' -d '{"compatibility": "BACKWARD"}' "$url/config/a.public.orders-value" >/dev/null
sql -c "ALTER TABLE orders ALTER COLUMN note TYPE bigint USING id" -c "UPDATE orders SET note = 5 WHERE id = 60"
eventually "an incompatible schema is an error that names the subject" error_has 'not compatible with subject "a.public.orders-value"'
curl -fsS -X PUT -H 'Content-Type: application/json' -d '{"compatibility": "NONE"}' "$url/config/a.public.orders-value" >/dev/null
check "it goes on by itself when the registry allows it" synced a
is "the change was kept" "$(messages a.public.orders | tail -n 1 | grep -c '"note": 5')" 1

# The same with letters: only what has the new schema waits
curl -fsS -X PUT -H 'Content-Type: application/json' -d '{"compatibility": "BACKWARD"}' "$url/config/a.public.orders-value" >/dev/null
sql -c "SELECT bitvelocity.pause_stream('a')" >/dev/null
eventually "paused for new options" state_is paused a
sql -c "SELECT bitvelocity.alter_stream('a', options => '{\"on_error\": \"dead_letter\"}')" -c "SELECT bitvelocity.resume_stream('a')" >/dev/null
sql -c "ALTER TABLE orders ALTER COLUMN note TYPE boolean USING true" -c "UPDATE orders SET note = false WHERE id = 60" -c "DELETE FROM orders WHERE id = 61"
check "with dead_letter an incompatible schema stops nothing" synced a
is "its events are letters" "$(sql -c "SELECT count(*), bool_and(sqlstate = '0A000' AND error LIKE '%not compatible with subject \"a.public.orders-value\"') FROM bitvelocity.dead_letter")" "2|t"
curl -fsS -X PUT -H 'Content-Type: application/json' -d '{"compatibility": "NONE"}' "$url/config/a.public.orders-value" >/dev/null
sql -c "SELECT bitvelocity.redrive_dead_letter('a')" >/dev/null
redriven() { [ "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter WHERE redriven_at IS NOT NULL")" = 2 ]; }
eventually "they are sent again when the registry allows it" redriven
is "encoded with the schema that they have" "$(messages a.public.orders | tail -n 2 | grep -c '"note": false')" 1

# Only looked up
sql -c "CREATE TABLE strict (id int PRIMARY KEY)" -c "INSERT INTO strict VALUES (1)" \
    -c "SELECT bitvelocity.create_stream('s', ARRAY['strict']::regclass[], sink => 'kafka', format => 'avro', options => '{\"avro.auto_register\": false, \"avro.shape\": \"flat\", \"avro.subject\": \"record\"}')" >/dev/null
eventually "a schema that is not registered is an error" error_has 'not registered under subject "s.public.strict' s

# The record of the strategy document
sql -c "CREATE TABLE shop_orders (order_id uuid PRIMARY KEY, customer_id uuid NOT NULL, status varchar(50) NOT NULL, total_amount numeric(10,2) NOT NULL,
            currency varchar(3) NOT NULL DEFAULT 'USD', created_at timestamptz NOT NULL, created_by varchar(255) NOT NULL)" \
    -c "INSERT INTO shop_orders VALUES ('550e8400-e29b-41d4-a716-446655440000', '123e4567-e89b-12d3-a456-426614174000', 'CONFIRMED', 99.99, 'USD', '2024-01-15 10:30:00+00', 'customer-service')" \
    -c "SELECT bitvelocity.create_stream('o', ARRAY['shop_orders']::regclass[], sink => 'kafka', format => 'avro', options => '{\"topic\": \"orders\", \"avro.shape\": \"flat\", \"avro.subject\": \"record\",
        \"avro.schemas\": {\"public.shop_orders\": {\"type\": \"record\", \"name\": \"OrderEvent\", \"namespace\": \"com.bitvelocity.events\", \"version\": \"v2\", \"fields\": [
            {\"name\": \"orderId\", \"type\": \"string\"}, {\"name\": \"customerId\", \"type\": \"string\"},
            {\"name\": \"status\", \"type\": {\"type\": \"enum\", \"symbols\": [\"PENDING\", \"CONFIRMED\", \"SHIPPED\", \"DELIVERED\", \"CANCELLED\"]}},
            {\"name\": \"totalAmount\", \"type\": \"double\"}, {\"name\": \"currency\", \"type\": \"string\", \"default\": \"USD\"},
            {\"name\": \"auditInfo\", \"type\": {\"type\": \"record\", \"name\": \"AuditInfo\", \"fields\": [{\"name\": \"createdAt\", \"type\": \"long\"}, {\"name\": \"createdBy\", \"type\": \"string\"},
                {\"name\": \"traceId\", \"type\": [\"null\", \"string\"], \"default\": null}]}}]}}}')" >/dev/null
check "a stream with a schema of its own" synced o
is "is the OrderEvent of the strategy document" "$(messages orders | "$python" -c 'import json,sys; print(json.dumps(json.loads(sys.stdin.readline())["value"], sort_keys=True))')" \
    '{"auditInfo": {"createdAt": 1705314600000000, "createdBy": "customer-service", "traceId": null}, "currency": "USD", "customerId": "123e4567-e89b-12d3-a456-426614174000", "orderId": "550e8400-e29b-41d4-a716-446655440000", "status": "CONFIRMED", "totalAmount": 99.99}'
sql -c "DELETE FROM shop_orders"
check "its delete arrives" synced o
is "as a tombstone" "$(messages orders | tail -n 1 | grep -c '"value": null')" 1

mapped() { grep -lE 'libcurl|bitvelocity_registry' $(sql -c "SELECT '/proc/' || pid || '/maps' FROM pg_stat_activity WHERE $1") 2>/dev/null | wc -l; }
is "only deliverers map libcurl" "$(mapped "backend_type NOT IN ('bitvelocity deliverer') AND pid <> pg_backend_pid()")" 0
is "the registry's password is not in the log" "$(grep -c "$secret" "$BV_TMP/a/server.log")" 0
finish
