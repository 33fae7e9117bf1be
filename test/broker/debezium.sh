#!/usr/bin/env bash
# What the schema part of format debezium says of a table at the place of each event: defaults, the order of the key. Read by
# a decoder that waits for no lock on the table's indexes. Beside the connector itself: make check-debezium.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
. "$(dirname "$0")/../check/kafka.sh"
needs java mvn kcat python3
free_port 19892
connections "bootstrap.servers = 127.0.0.1:$port"
server a bitvelocity.connection_file="$connection"
check "the broker starts" "$broker" start "$BV_TMP/kafka" "$port"

sql -c "CREATE EXTENSION bitvelocity" -f - <<'SQL'
CREATE TYPE mood AS ENUM ('sad', 'fine');
CREATE TABLE priced (a int, n numeric(6, 2), t text NOT NULL DEFAULT 'it''s old', m mood DEFAULT 'sad', at timestamptz DEFAULT now(), PRIMARY KEY (n, a));
INSERT INTO priced (a, n) VALUES (0, 1);
SQL
check "a stream is made" sql -c "SELECT bitvelocity.create_stream('d', ARRAY['priced']::regclass[], sink => 'kafka', format => 'debezium',
    options => '{\"topic\": \"d.{table}\", \"headers\": false, \"debezium.schemas\": true}')"
check "it sends the rows that exist" synced d
sql <<'SQL'
BEGIN;
INSERT INTO priced (a, n) VALUES (1, 1);
ALTER TABLE priced ALTER t SET DEFAULT 'new';
INSERT INTO priced (a, n) VALUES (2, 1);
SAVEPOINT s;
ALTER TABLE priced ALTER t SET DEFAULT 'never';
ROLLBACK TO s;
INSERT INTO priced (a, n) VALUES (3, 1);
ALTER TABLE priced ALTER t DROP DEFAULT, DROP CONSTRAINT priced_pkey, ADD PRIMARY KEY (a, n);
INSERT INTO priced (a, n, t) VALUES (4, 1, 'x');
COMMIT;
SQL
check "it sends what the transaction did" synced d
sql -c "SELECT bitvelocity.pause_stream('d')" >/dev/null
eventually "it pauses" state_is paused d
sql -c "INSERT INTO priced (a, n, t) VALUES (5, 1, 'x')"
# REINDEX keeps readers of the index out until its transaction ends.
mkfifo "$BV_TMP/statements"
psql -XAtq <"$BV_TMP/statements" >/dev/null &
exec 7>"$BV_TMP/statements"
printf 'BEGIN; REINDEX INDEX priced_pkey;\n' >&7
rebuilding() { [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'priced_pkey'::regclass")" = 1 ]; }
eventually "an index is being rebuilt" rebuilding
sql -c "SELECT bitvelocity.resume_stream('d')" >/dev/null
check "it does not wait for that" synced d
printf 'ROLLBACK;\n' >&7
exec 7>&-
wait %1

told=$(kcat -q -b "127.0.0.1:$port" -t d.priced -C -o beginning -e -J 2>/dev/null | python3 -c '
import json, sys
for line in sys.stdin:
    record = json.loads(line)
    key, value = json.loads(record["key"]), json.loads(record["payload"])
    after = next(f for f in value["schema"]["fields"] if f["field"] == "after")
    defaults = {f["field"]: f["default"] for f in after["fields"] if "default" in f}
    print(value["payload"]["after"]["a"], ",".join(f["field"] for f in key["schema"]["fields"]), json.dumps(defaults))')
at='"at": "1970-01-01T00:00:00.000000Z"'
is "each event has the defaults and the key of its place" "$told" \
"0 n,a {\"t\": \"it's old\", \"m\": \"sad\", $at}
1 n,a {\"t\": \"it's old\", \"m\": \"sad\", $at}
2 n,a {\"t\": \"new\", \"m\": \"sad\", $at}
3 n,a {\"t\": \"new\", \"m\": \"sad\", $at}
4 a,n {\"m\": \"sad\", $at}
5 a,n {\"m\": \"sad\", $at}"
finish
