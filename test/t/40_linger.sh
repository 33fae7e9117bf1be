#!/usr/bin/env bash
# The option linger_ms: a lone transaction goes at once, what is committed right behind it goes together.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a
sql >/dev/null <<'SQL'
CREATE EXTENSION bitvelocity;
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT bitvelocity.create_bronze('t');
SQL
check "the stream starts" synced
arrived() { [ "$(sql -c "SELECT count(*) FROM bronze_t WHERE (raw_payload->>'id')::int BETWEEN $1 AND $2")" = "$(($2 - $1 + 1))" ]; }
insert() { for id in $(seq "$1" "$2"); do echo "INSERT INTO t VALUES ($id);"; done | sql; }
# In how many transactions rows came.
batches() { sql -c "SELECT count(DISTINCT xmin::text) FROM bronze_t WHERE (raw_payload->>'id')::int BETWEEN $1 AND $2"; }
now_ms() { date +%s%3N; }

check "a text is refused" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"linger_ms\": \"1s\"}')" 22023 'invalid value for option "linger_ms"'
check "and a longer time" refused "SELECT bitvelocity.alter_stream('bronze', options => '{\"linger_ms\": 1001}')" 22023 "from 0 to 1000"
sql -c "SELECT bitvelocity.alter_stream('bronze', options => '{\"linger_ms\": 1000}')" >/dev/null
check "it takes effect" synced
sleep 1.5

began=$(now_ms)
insert 1 1
eventually "a lone transaction arrives" arrived 1 1
took=$(($(now_ms) - began))
is "at once (${took} ms)" "$((took < 900))" 1
insert 2 101
eventually "a hundred behind it arrive" arrived 2 101
batches=$(batches 2 101)
is "in few batches, in one where the machine is quick ($batches)" "$((batches < 10))" 1
sleep 1.5
insert 102 102
eventually "after a pause the next one goes at once again" arrived 102 102
insert 103 110
check "waiting for the stream waits for what lingers" synced
is "which is there" "$(arrived 103 110 && echo yes)" yes

insert 111 120
began=$(now_ms)
sql -c "SELECT bitvelocity.drain_stream('bronze')" >/dev/null
took=$(($(now_ms) - began))
is "draining delivers what lingers" "$(arrived 111 120 && echo yes)" yes
is "and does not wait for long (${took} ms)" "$((took < 10000))" 1
sql -c "SELECT bitvelocity.resume_stream('bronze')" >/dev/null
check "it goes on" synced
insert 121 130
"$BV_SERVER" stop "$BV_TMP/a" fast
server a
check "after a stop in the middle" synced
is "every row is there once" "$(sql -c "SELECT count(*), count(DISTINCT raw_payload->>'id') FROM bronze_t")" "130|130"
finish
