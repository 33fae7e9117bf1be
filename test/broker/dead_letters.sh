#!/usr/bin/env bash
# Messages that a real broker refuses become letters, in the table or in a topic, are sent again with the identities
# they had, and are neither lost nor doubled when a process ends in between.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
. "$(dirname "$0")/../check/kafka.sh"
needs java mvn kcat
free_port 19892
connections "bootstrap.servers = 127.0.0.1:$port"
check "the broker starts" "$broker" start "$BV_TMP/kafka" "$port"
"$broker" topic "$BV_TMP/kafka" k.public.t 1 max.message.bytes=3000
"$broker" topic "$BV_TMP/kafka" roomy 1 max.message.bytes=900000
server a bitvelocity.connection_file="$connection"
sql -c "CREATE EXTENSION bitvelocity" -c "CREATE TABLE t (id int PRIMARY KEY, v text)" \
    -c "CREATE TABLE box (id int PRIMARY KEY, aggregatetype text, aggregateid text, payload jsonb)"

read_topic() { kcat -q -b "127.0.0.1:$port" -t "$1" -C -o beginning -e -f "$2" 2>/dev/null; }
ids() { read_topic "$1" '%k\n' | sed 's/[^0-9]//g' | xargs; }
letters() { sql -c "SELECT count(*) FROM bitvelocity.dead_letter WHERE redriven_at IS NULL"; }
open_is() { [ "$(letters)" = "$1" ]; }
error_has() { [ "$(sql -c "SELECT last_error || ' ' || coalesce(hint, '') LIKE '%$1%' FROM bitvelocity.stream_status WHERE stream = 'k'")" = t ]; }
small='"kafka.batch.size": 1500'
alter() {
    sql -c "SELECT bitvelocity.pause_stream('k')" >/dev/null
    eventually "paused for new options" state_is paused k
    sql -c "SELECT bitvelocity.alter_stream('k', options => '$1')" -c "SELECT bitvelocity.resume_stream('k')" >/dev/null
}
# Random, so that no compression makes them fit
large="(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 300))"

sql -c "SELECT bitvelocity.create_stream('k', ARRAY['t', 'box']::regclass[], sink => 'kafka', format => 'flat', options => '{$small}')"
check "the stream starts" synced k
sql -c "INSERT INTO t VALUES (1, 'a')" -c "INSERT INTO t SELECT 2, $large" -c "INSERT INTO t VALUES (3, 'c')"
eventually "by default a message that is too large stops the stream" error_has "did not accept a message"
alter "{\"on_error\": \"dead_letter\", $small}"
check "with dead_letter it goes on" synced k
is "the letter tells topic, key and error" "$(sql -c "SELECT relation, topic, key, sqlstate, detail LIKE '%MSG_SIZE_TOO_LARGE%', (change->'after'->>'id')::int, length(change->'after'->>'v') FROM bitvelocity.dead_letter")" \
    'public.t|k.public.t|{"id":2}|54000|t|2|9600'
is "the others arrive" "$(ids k.public.t | tr ' ' '\n' | sort -u | xargs)" "1 3"
is "it is counted" "$(sql -c "SELECT poison_events, dead_letters FROM bitvelocity.stream_status")" "1|1"

# One transaction with many, and none lost or doubled
sql -c "INSERT INTO t SELECT i, CASE WHEN i % 50 = 0 THEN $large ELSE 'small' END FROM generate_series(1001, 2000) i"
check "a larger transaction passes" synced k
is "each that is too large is a letter" "$(letters)" 21
is "no other is" "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter WHERE length(change->'after'->>'v') < 3000")" 0
is "all others are in the topic" "$(read_topic k.public.t '%k\n' | grep -cE '1[0-9]{3}|2000')" 980
fault() {
    echo "$1" >"$BV_TMP/a/data/bitvelocity.failpoint"
    own "$BV_TMP/a/data/bitvelocity.failpoint"
    sql -c "SELECT pg_reload_conf()" >/dev/null
}
met() { [ ! -e "$BV_TMP/a/data/bitvelocity.failpoint" ]; }
for action in error kill; do
    before=$(letters)
    fault "letters_stored $action"
    sql -c "INSERT INTO t SELECT 3000 + 100 * $before + i, CASE WHEN i = 5 THEN $large ELSE 'small' END FROM generate_series(1, 9) i"
    eventually "a process ends between the letter and its position ($action)" met
    eventually "the stream comes back" synced k
    is "one letter more, neither lost nor doubled" "$(($(letters) - before))" 1
done

# Sent again
asked=$(letters)
is "redrive asks for all" "$(sql -c "SELECT bitvelocity.redrive_dead_letter('k')")" "$asked"
answered() { [ "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter WHERE redrive_requested_at IS NOT NULL")" = 0 ]; }
eventually "the deliverer answers" answered
is "what is refused again stays" "$(letters)" "$asked"
check "and stops nothing" synced k
wide() { kcat -q -b "127.0.0.1:$port" -t wide.public.t -C -o beginning -e -f '%h\n' 2>/dev/null; }
"$broker" topic "$BV_TMP/kafka" wide.public.t 1 max.message.bytes=900000
alter "{\"on_error\": \"dead_letter\", $small, \"topic\": \"wide.{schema}.{table}\"}"
sql -c "SELECT bitvelocity.redrive_dead_letter('k')" >/dev/null
eventually "where there is room they are delivered" open_is 0
sql -c "SELECT format('identity=%s:%s:%s:%s:%s:', epoch, commit_lsn, xid, ordinal, part) FROM bitvelocity.dead_letter" | sort >"$BV_TMP/letters"
wide | grep -oE 'identity=([^:]*:){5}' | sort >"$BV_TMP/sent"
check "with the identities they had, once each" cmp "$BV_TMP/letters" "$BV_TMP/sent"
fault "letters_redriven error"
sql -c "UPDATE bitvelocity.dead_letter SET redriven_at = NULL" -c "SELECT bitvelocity.redrive_dead_letter('k')" >/dev/null
eventually "a process ends between their acknowledgement and the mark" met
eventually "the next one sees to it" open_is 0
wide | grep -oE 'identity=([^:]*:){5}' | sort -u >"$BV_TMP/sent"
check "they came again as the same" cmp "$BV_TMP/letters" "$BV_TMP/sent"

# Letters in a topic; one that is too large for it as well is in the table
before=$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter")
alter "{\"on_error\": \"dead_letter\", $small, \"dead_letter.topic\": \"roomy\"}"
sql -c "INSERT INTO t SELECT 5000, $large" -c "INSERT INTO t VALUES (5001, 'small')"
check "letters go to a topic" synced k
is "with key, change and headers" "$(read_topic roomy '%k %h\n' | grep -c '^{"id":5000} stream=k,table=public.t,topic=k.public.t,operation=INSERT,identity=1:.*sqlstate=54000,error=Kafka did not accept')" 1
is "its value is the change" "$(read_topic roomy '%s\n' | grep -c '^{"before":null,"before_is_key":false,"after":{"id":"5000","v":"')" 1
is "the table has none of it" "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter")" "$before"
alter "{\"on_error\": \"dead_letter\", $small, \"dead_letter.topic\": \"k.public.t\"}"
sql -c "INSERT INTO t SELECT 5002, $large"
check "a topic of letters that is too small stops nothing" synced k
is "its letter is in the table" "$(sql -c "SELECT key FROM bitvelocity.dead_letter WHERE redriven_at IS NULL")" '{"id":5002}'

# An outbox row that is no message
alter "{\"on_error\": \"dead_letter\", $small, \"outbox\": {\"table\": \"public.box\"}}"
sql -c "INSERT INTO box VALUES (1, 'order', '1', '{}'), (2, NULL, '2', '{}'), (3, 'order', '3', '{}')"
check "an outbox row without route is passed" synced k
is "it is a letter" "$(sql -c "SELECT change->'after'->>'id', sqlstate FROM bitvelocity.dead_letter WHERE relation = 'public.box'")" "2|22004"
is "the others arrive" "$(read_topic outbox.event.order '%k\n' | xargs)" "1 3"

# skip; and what is not of the event stops under every policy
alter "{\"on_error\": \"skip\", $small}"
before=$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter")
sql -c "INSERT INTO t SELECT 6000, $large" -c "INSERT INTO t VALUES (6001, 'small')"
check "with skip it goes on" synced k
is "without a letter" "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter")" "$before"
is "the next one is there" "$(ids k.public.t | tr ' ' '\n' | grep -c '^6001$')" 1
alter "{$small}"
case $(sql -c "SELECT bitvelocity.redrive_dead_letter('k')" 2>&1) in
    *'stops at what the broker refuses'*) pass "a stream that stops sends no letter again" ;;
    *) failed "a stream that stops sends no letter again" ;;
esac
finish
