#!/usr/bin/env bash
# What a stream sends beside and instead of plain row events, into a real Kafka: shaped rows under their own topic and key,
# events about transactions, logical messages, an outbox, heartbeats, and what DDL did, each at its place in the WAL.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
. "$(dirname "$0")/../check/kafka.sh"
needs java mvn kcat python3
free_port 19692
connections "bootstrap.servers = 127.0.0.1:$port
mask.salt = pepper"
server a bitvelocity.connection_file="$connection"
check "the broker starts" "$broker" start "$BV_TMP/kafka" "$port"

sql -c "CREATE EXTENSION bitvelocity" -f - <<'SQL'
CREATE TABLE orders (tenant int, id int, email text, note text, PRIMARY KEY (tenant, id));
CREATE TABLE items (id int PRIMARY KEY, n numeric(10, 2));
CREATE TABLE outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text NOT NULL, aggregateid text, type text, payload jsonb, tenant int);
SQL
options='{"transaction_metadata": true, "messages": ["audit.*"], "heartbeat_interval": 1000, "schema_changes": true, "headers": false,
    "outbox": {"table": "public.outbox", "topic": "shop.{route}", "headers": {"x-tenant": "tenant"}},
    "tables": {"public.orders": {"topic": "{stream}.o", "key_columns": ["id"], "mask": {"email": "sha256"}, "exclude": ["note"]}}}'
refused() { # name options wanted
    local output
    output=$(sql -c "SELECT bitvelocity.create_stream('e', ARRAY['orders', 'items', 'outbox']::regclass[], sink => 'kafka', options => '$2')" 2>&1)
    case $output in
        *"$3"*) pass "$1" ;;
        *) failed "$1" "$output" ;;
    esac
}
refused "a key that deletes do not tell is refused" '{"tables": {"public.orders": {"key_columns": ["email"]}}}' 'not part of the replica identity'
refused "an outbox that is no table of the stream is refused" '{"outbox": {"table": "public.outbix"}}' 'Perhaps you meant "public.outbox"'
refused "an outbox without its columns is refused" '{"outbox": {"table": "public.outbox", "key": "agregateid"}}' 'Perhaps you meant "aggregateid"'
check "a stream with all of it is made" sql -c "SELECT bitvelocity.create_stream('e', ARRAY['orders', 'items', 'outbox']::regclass[], sink => 'kafka', format => 'debezium', snapshot => false, options => '$options')"
check "it starts" synced e

sql <<'SQL'
BEGIN;
INSERT INTO orders VALUES (1, 7, 'a@b.c', 'secret');
SELECT pg_logical_emit_message(true, 'audit.login', 'hello');
SELECT pg_logical_emit_message(true, 'billing', 'not asked for');
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, tenant) VALUES ('00000000-0000-4000-8000-000000000001', 'order', '7', 'OrderPaid', '{"total": 12.50}', 3);
DELETE FROM outbox;
INSERT INTO items VALUES (1, 1.5);
COMMIT;
BEGIN;
INSERT INTO items VALUES (2, 2.5);
ALTER TABLE items ADD note text DEFAULT 'x', ALTER n TYPE text;
SAVEPOINT s;
ALTER TABLE items ADD never int;
ROLLBACK TO s;
INSERT INTO items VALUES (3, '3.5');
ALTER TABLE items RENAME n TO amount;
ALTER TABLE items DROP note;
INSERT INTO items VALUES (4, '4.5');
COMMIT;
BEGIN;
ALTER TABLE items RENAME TO pieces;
ROLLBACK;
CREATE TABLE other (id int);
ALTER TABLE other ADD x int;
SELECT pg_logical_emit_message(true, 'bitvelocity.ddl', E'forged');
SELECT pg_logical_emit_message(false, 'audit.alone', 'outside');
SQL
check "all of it is sent" synced e
read_topic() { kcat -q -b "127.0.0.1:$port" -t "$1" -C -o beginning -e -f "$2" 2>/dev/null; }
# field TOPIC EXPRESSION: of every message; v is the value, parsed
field() { read_topic "$1" '%s\n' | python3 -c "
import json, sys
for line in sys.stdin:
    v = json.loads(line)
    print(($2))"; }

hashed=$(printf 'peppera@b.c' | sha256sum | cut -d ' ' -f 1)
is "a shaped row has its own topic and key" "$(read_topic e.o '%k\n')" '{"id":7}'
is "it is masked, and what is excluded is missing" "$(field e.o "json.dumps(v['after'])")" "{\"tenant\": 1, \"id\": 7, \"email\": \"$hashed\"}"
is "an outbox row is its payload" "$(read_topic shop.order '%k %s %h\n')" '7 {"total": 12.50} id=00000000-0000-4000-8000-000000000001,type=OrderPaid,x-tenant=3'
is "and nothing else of its table is sent" "$(read_topic e.public.outbox '%s\n' | wc -l)" 0
is "only messages that were asked for are sent" "$(field e.message "v['message']['prefix']")" 'audit.login
audit.alone'
is "transactions begin and end with counts" "$(field e.transaction "v['status'], v['event_count'], [(c['data_collection'], c['event_count']) for c in v['data_collections'] or []]" | head -n 4)" \
    "('BEGIN', None, [])
('END', 4, [('public.orders', 1), ('message', 1), ('public.outbox', 1), ('public.items', 1)])
('BEGIN', None, [])
('END', 3, [('public.items', 3)])"
is "events say where they stand in their transaction" "$(field e.public.items "v['transaction']['total_order'], v['transaction']['data_collection_order']")" '(4, 1)
(1, 1)
(2, 2)
(3, 3)'
is "the id is that of the BEGIN" "$(field e.public.items "v['transaction']['id']" | sort -u)" "$(field e.transaction "v['id']" | sort -u | head -n 2)"

is "each event has the columns of its place in the WAL" "$(field e.public.items "json.dumps(v['after'])")" '{"id": 1, "n": "AJY="}
{"id": 2, "n": "APo="}
{"id": 3, "n": "3.5", "note": "x"}
{"id": 4, "amount": "4.5"}'
is "what DDL did is told in order, also what it was before; not what was rolled back" \
    "$(field e.schema "v['tag'], [c['name'] + ' ' + c['type'] for c in v['before']['columns']], [c['name'] + ' ' + c['type'] for c in v['after']['columns']]")" \
    "('ALTER TABLE', ['id integer', 'n numeric(10,2)'], ['id integer', 'n text', 'note text'])
('ALTER TABLE', ['id integer', 'n text', 'note text'], ['id integer', 'amount text', 'note text'])
('ALTER TABLE', ['id integer', 'amount text', 'note text'], ['id integer', 'amount text'])"
is "with the statement alone" "$(field e.schema "v['ddl']" | head -n 2)" "ALTER TABLE items ADD note text DEFAULT 'x', ALTER n TYPE text
ALTER TABLE items RENAME n TO amount"
is "keyed by the table" "$(read_topic e.schema '%k\n' | sort -u)" '{"table": "items", "schema": "public"}'
is "in the transaction of the changes around it" "$(field e.schema "v['transaction_id']" | sort -u)" "$(field e.public.items "v['source']['txId']" | tail -n 1)"
sql -c "ALTER TABLE items RENAME TO pieces" -c "DROP TABLE pieces"
synced e
is "a rename and a drop are told" "$(field e.schema "v['tag'], v['before']['table'], v['after'] and v['after']['table']" | tail -n 2)" "('ALTER TABLE', 'items', 'pieces')
('DROP TABLE', 'pieces', None)"
beats() { [ "$(read_topic e.heartbeat '%k\n' | grep -c '{"stream":"e"}')" -ge "$1" ]; }
eventually "heartbeats go on while nothing changes" beats 3
check "the triggers are there while somebody asks for them" test "$(sql -c "SELECT string_agg(evtenabled::text, '' ORDER BY evtname) FROM pg_event_trigger")" = OO
check "the extension can be dropped with them" sql -c "BEGIN" -c "DROP EXTENSION bitvelocity" -c "ROLLBACK"
sql -c "SELECT bitvelocity.drop_stream('e')" >/dev/null
is "and not longer" "$(sql -c "SELECT string_agg(evtenabled::text, '' ORDER BY evtname) FROM pg_event_trigger")" DD
finish
