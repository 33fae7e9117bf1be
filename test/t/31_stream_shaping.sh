#!/usr/bin/env bash
# Shaping in the whole chain: what is left out, masked and filtered, for existing rows, changes and old rows; what is
# refused when the options are given; and what renames, drops and new options do to a running stream.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"

mkdir -p "$BV_TMP/secrets"
connection=$BV_TMP/secrets/connections
salt=s4lt-71c2
printf '[default]\nmask.salt = %s\n' "$salt" >"$connection"
chmod 600 "$connection"
[ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$connection" "$BV_TMP/secrets"
server a log_statement=all bitvelocity.connection_file="$connection.missing"

sql -c "CREATE EXTENSION bitvelocity" -f - <<'SQL'
CREATE TABLE users (id int PRIMARY KEY, tenant int NOT NULL, email text, name text, age int, notes text);
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE TABLE deals (id int, region int, v text, PRIMARY KEY (id, region));
INSERT INTO users SELECT i, 1, 'user' || i || '@example.com', 'User ' || i, i, 'existed' FROM generate_series(1, 3) i;
INSERT INTO deals SELECT i, i % 2, 'existed' FROM generate_series(1, 4) i;
SQL
refused() { # name options wanted
    local output
    output=$(sql -c "SELECT bitvelocity.create_stream('s', ARRAY['users', 'plain', 'deals']::regclass[], options => '$2')" 2>&1)
    case $output in
        *"$3"*) pass "$1" ;;
        *) failed "$1" "$output" ;;
    esac
}
table() { echo "{\"tables\": {\"public.users\": $1}}"; }
refused "an unknown table is refused with the nearest" '{"tables": {"public.user": {"exclude": ["a"]}}}' 'Perhaps you meant "public.users"'
refused "an unknown column is refused with the nearest" "$(table '{"mask": {"emial": "sha256"}}')" 'Perhaps you meant "email"'
refused "a key column cannot be left out" "$(table '{"exclude": ["id"]}')" 'part of the key'
refused "a salt is not given in SQL" "$(table '{"mask": {"email": {"sha256": "salt"}}}')" 'is no mask'
refused "a digest needs the connection file" "$(table '{"mask": {"email": "sha256"}}')" 'could not read the connection file'
refused "a filter is one expression" "$(table '{"filter": "true), TABLE plain WHERE (true"}')" 'one boolean expression'
refused "a filter on a column that deletes do not tell" "$(table '{"filter": "tenant > 0"}')" 'not part of the replica identity'
refused "a filter that is no expression" "$(table '{"filter": "tenent > 0"}')" 'column "tenent" does not exist'
sql -c "ALTER SYSTEM SET bitvelocity.connection_file = '$connection'" -c "SELECT pg_reload_conf()" >/dev/null
eventually "the connection file is known" eval '[ "$(sql -c "SHOW bitvelocity.connection_file")" = "$connection" ]'

options='{"tables": {
    "public.users": {"exclude": ["notes"], "mask": {"email": "sha256", "name": {"truncate": 2}, "age": {"constant": 0}}},
    "public.deals": {"filter": "region = 1"}}}'
check "a stream with shaped tables is made" sql -c "SELECT bitvelocity.create_stream('s', ARRAY['users', 'plain', 'deals']::regclass[], options => '$options')"
check "it starts" synced s
hashed() { printf '%s%s' "$salt" "$1" | sha256sum | cut -d ' ' -f 1; }
is "existing rows are shaped" "$(sql -c "SELECT raw_payload FROM bronze_users WHERE raw_payload->>'id' = '2'")" \
    "{\"id\": 2, \"age\": 0, \"name\": \"Us\", \"email\": \"$(hashed user2@example.com)\", \"tenant\": 1}"
is "existing rows are filtered" "$(sql -c "SELECT raw_payload->>'id' FROM bronze_deals ORDER BY 1" | xargs)" "1 3"

sql -c "ALTER TABLE users REPLICA IDENTITY FULL" -c "INSERT INTO users VALUES (10, 1, 'a@b.c', NULL, NULL, 'secret')" \
    -c "UPDATE users SET email = 'd@e.f' WHERE id = 10" -c "DELETE FROM users WHERE id = 10" -c "INSERT INTO plain VALUES (1, 'as it is')" \
    -c "INSERT INTO deals VALUES (10, 1, 'in'), (11, 0, 'out')" -c "UPDATE deals SET region = 0 WHERE id = 10" -c "UPDATE deals SET region = 1 WHERE id = 11"
synced s
first=$(hashed a@b.c)
second=$(hashed d@e.f)
is "values, NULLs and old rows are shaped" \
    "$(sql -c "SELECT operation_type, raw_payload->>'email', before_payload->>'email', coalesce(raw_payload, before_payload)->>'age'
               FROM bronze_users WHERE coalesce(raw_payload, before_payload)->>'id' = '10' ORDER BY sequence")" \
    "INSERT|$first||0
UPDATE|$second|$first|0
DELETE||$second|0"
is "what is excluded is nowhere" "$(sql -c "SELECT count(*) FROM bronze_users WHERE raw_payload ? 'notes' OR before_payload ? 'notes' OR bronze_users::text LIKE '%secret%'")" 0
is "a table without options goes as it is" "$(sql -c "SELECT raw_payload FROM bronze_plain")" '{"v": "as it is", "id": 1}'
is "a filter turns updates into inserts and deletes" \
    "$(sql -c "SELECT operation_type, coalesce(raw_payload, before_payload)->>'id' FROM bronze_deals WHERE operation_type <> 'READ' ORDER BY sequence")" \
    'INSERT|10
DELETE|10
INSERT|11'

# A rename in the middle of a transaction, of the column and of the table, and a new column of the old name
sql <<'SQL'
BEGIN;
INSERT INTO users VALUES (20, 1, 'before@x', 'n', 1, 'secret');
ALTER TABLE users RENAME email TO mail;
ALTER TABLE users RENAME notes TO remarks;
INSERT INTO users VALUES (21, 1, 'after@x', 'n', 1, 'secret');
ALTER TABLE users RENAME TO people;
ALTER TABLE people ADD email text, ADD city text;
INSERT INTO people VALUES (22, 1, 'third@x', 'n', 1, 'secret', 'fourth@x', 'Rome');
ALTER TABLE people DROP mail;
INSERT INTO people VALUES (23, 1, 'n', 1, 'secret', 'fifth@x', 'Rome');
COMMIT;
SQL
check "renames and drops do not stop the stream" synced s
is "what was masked stays masked under every name" \
    "$(sql -c "SELECT raw_payload->>'id', raw_payload->>'mail', raw_payload->>'email', raw_payload->>'city' FROM bronze_users
               WHERE raw_payload->>'id' BETWEEN '20' AND '23' ORDER BY sequence")" \
    "20||$(hashed before@x)|
21|$(hashed after@x)||
22|$(hashed third@x)|$(hashed fourth@x)|Rome
23||$(hashed fifth@x)|Rome"
is "and what was excluded excluded" "$(sql -c "SELECT count(*) FROM bronze_users WHERE bronze_users::text LIKE '%secret%' OR raw_payload ? 'remarks'")" 0

# Options that no longer fit are refused; new ones hold for what comes next
check "options that name what is gone are refused" eval '! sql -c "SELECT bitvelocity.alter_stream('"'s', options => '\$options'"')" 2>/dev/null'
before=$(sql -c "SELECT pid FROM bitvelocity.stream_status WHERE stream = 's'")
sql -c "ALTER TABLE people RENAME TO users" -c "SELECT bitvelocity.alter_stream('s', options => '{\"tables\": {\"public.users\": {\"include\": [\"id\", \"city\"]}}}')"
replaced() { [ "$(sql -c "SELECT state, pid <> $before FROM bitvelocity.stream_status WHERE stream = 's'")" = 'streaming|t' ]; }
eventually "the processes that know the new options run" replaced
sql -c "INSERT INTO users VALUES (30, 1, 'n', 1, 'secret', 'e', 'Oslo')" -c "INSERT INTO deals VALUES (30, 0, 'all')"
check "options change while it streams" synced s
is "an allow-list sends nothing else" "$(sql -c "SELECT raw_payload FROM bronze_users WHERE raw_payload->>'id' = '30'")" '{"id": 30, "city": "Oslo"}'
is "without a filter every row is sent" "$(sql -c "SELECT raw_payload->>'v' FROM bronze_deals WHERE raw_payload->>'id' = '30'")" all
is "the salt is in no log, no table and no dump" "$(grep -c "$salt" "$BV_TMP/a/server.log") $(pg_dump --data-only | grep -c "$salt")" "0 0"
finish
