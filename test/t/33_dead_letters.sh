#!/usr/bin/env bash
# Rows that a bronze table refuses: the stream stops at them, leaves them out, or keeps them as dead letters with all
# that is needed to send them again; no process that ends in between loses or doubles one.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
mkdir -p "$BV_TMP/secrets"
connection=$BV_TMP/secrets/connections
printf '[default]\nmask.salt = s4lt\n' >"$connection"
chmod 600 "$connection"
[ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$connection" "$BV_TMP/secrets"
server a bitvelocity.connection_file="$connection"
sql -c "CREATE EXTENSION bitvelocity" -f - <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, v text, secret text, hidden text);
CREATE TABLE other (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN 'bad' ELSE 'good' END, 's3cret', 'h1dden' FROM generate_series(1, 50) i;
SQL
shape='"tables": {"public.t": {"exclude": ["hidden"], "mask": {"secret": "sha256"}}}'
options() { echo "{\"on_error\": \"$1\", $shape}"; }
sql -c "SELECT bitvelocity.create_stream('b', ARRAY['t', 'other']::regclass[], snapshot => false, options => '{$shape}')"
check "the stream starts" synced b
letters() { sql -c "SELECT count(*) FROM bitvelocity.dead_letter WHERE redriven_at IS NULL"; }
figures() { sql -c "SELECT poison_events, dead_letters FROM bitvelocity.stream_status WHERE stream = 'b'"; }
bronze() { sql -c "SELECT string_agg(raw_payload->>'id', ' ' ORDER BY sequence) FROM bronze_t WHERE ${1:-true}"; }
alter() { # new options hold once the processes were replaced
    sql -c "SELECT bitvelocity.pause_stream('b')" >/dev/null
    eventually "paused for new options" state_is paused b
    sql -c "SELECT bitvelocity.alter_stream('b', options => '$1')" -c "SELECT bitvelocity.resume_stream('b')" >/dev/null
}
error_has() { [ "$(sql -c "SELECT last_error LIKE '%$1%' FROM bitvelocity.stream_status WHERE stream = 'b'")" = t ]; }

# stop is the default
sql -c "ALTER TABLE bronze_t ADD CONSTRAINT no_bad CHECK (raw_payload->>'v' IS DISTINCT FROM 'bad')" \
    -c "INSERT INTO t VALUES (101, 'good', 's3cret', 'h1dden'), (102, 'bad', 's3cret', 'h1dden'), (103, 'good', 's3cret', 'h1dden')" -c "INSERT INTO other VALUES (1, 'o')"
eventually "by default the stream stops at a row that its table refuses" error_has no_bad
is "and nothing of its transaction is there" "$(bronze)$(letters)" 0

# dead_letter: the same event, met again
alter "$(options dead_letter)"
check "with dead_letter it goes on" synced b
is "the others of the transaction are there" "$(bronze)" "101 103"
is "so is the other table" "$(sql -c "SELECT count(*) FROM bronze_other")" 1
is "the letter tells event and error" \
    "$(sql -c "SELECT stream, relation, operation, change->'after'->>'id', sqlstate, error, detail <> '', epoch, commit_lsn > '0/0', xid > 0, ordinal, part, created_at IS NOT NULL, redriven_at FROM bitvelocity.dead_letter")" \
    'b|public.t|INSERT|102|23514|new row for relation "bronze_t" violates check constraint "no_bad"|t|1|t|t|2|0|t|'
digest=$(printf 's4lts3cret' | sha256sum | cut -d ' ' -f 1)
is "it is shaped: masked as the stream masks" "$(sql -c "SELECT change->'after'->>'secret' FROM bitvelocity.dead_letter")" "$digest"
is "and has no column that is excluded, nor what is masked, in any form" \
    "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter d WHERE d::text ~ 's3cret|h1dden' OR encode(event, 'escape') ~ 's3cret|h1dden'")" 0
is "it is counted" "$(figures)" "1|1"
is "and the log says so" "$(grep -c 'could not deliver event 1:.*no_bad' "$BV_TMP/a/server.log")" 1

# Many in one transaction, updates and deletes among them, some of several tables
sql <<'SQL'
BEGIN;
INSERT INTO t SELECT i, CASE WHEN i % 500 = 0 THEN 'bad' ELSE 'good' END FROM generate_series(1001, 4000) i;
UPDATE t SET v = 'bad' WHERE id = 101;
DELETE FROM t WHERE id = 103;
INSERT INTO other VALUES (2, 'o');
COMMIT;
SQL
check "a larger transaction passes" synced b
is "rows that are refused are the only ones missing, in order" \
    "$(sql -c "SELECT count(*), bool_and(ordered) FROM (SELECT (raw_payload->>'id')::int > lag((raw_payload->>'id')::int) OVER (ORDER BY sequence) IS NOT FALSE ordered FROM bronze_t WHERE raw_payload->>'id' > '1000' AND length(raw_payload->>'id') = 4) x")" "2994|t"
is "each of them is a letter" "$(sql -c "SELECT string_agg(coalesce(change->'after'->>'id', '?') || ' ' || operation, ',' ORDER BY ordinal) FROM bitvelocity.dead_letter WHERE ordinal > 2")" \
    '1500 INSERT,2000 INSERT,2500 INSERT,3000 INSERT,3500 INSERT,4000 INSERT,101 UPDATE'

# Again: what still fails stays, what is possible by now is there once
is "redrive asks for all" "$(sql -c "SELECT bitvelocity.redrive_dead_letter('b')")" 8
answered() { [ "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter WHERE redrive_requested_at IS NOT NULL")" = 0 ]; }
eventually "the deliverer answers" answered
is "a letter that fails again stays one" "$(letters)" 8
check "the stream goes on" synced b
sql -c "ALTER TABLE bronze_t DROP CONSTRAINT no_bad"
first=$(sql -c "SELECT min(id) FROM bitvelocity.dead_letter")
is "a letter can be named" "$(sql -c "SELECT bitvelocity.redrive_dead_letter('b', ARRAY[$first])")" 1
eventually "and is redriven" eval '[ "$(letters)" = 7 ]'
is "with the identity it had" "$(sql -c "SELECT count(*) FROM bronze_t b JOIN bitvelocity.dead_letter d USING (event_id, commit_lsn, ordinal, part) WHERE d.id = $first AND b.raw_payload->>'v' = 'bad' AND b.source_epoch = d.epoch")" 1
is "and as it was shaped" "$(sql -c "SELECT raw_payload->>'secret', raw_payload ? 'hidden' FROM bronze_t WHERE raw_payload->>'id' = '102'")" "$digest|f"
is "it is not sent a second time" "$(sql -c "SELECT bitvelocity.redrive_dead_letter('b', ARRAY[$first])")" 0

# A process that ends between the rows and the mark, or before the letter's commit
fault() {
    echo "$1" >"$BV_TMP/a/data/bitvelocity.failpoint"
    [ "$(id -u)" != 0 ] || chown "${BV_ACCOUNT:-postgres}" "$BV_TMP/a/data/bitvelocity.failpoint"
    sql -c "SELECT pg_reload_conf()" >/dev/null
}
met() { [ ! -e "$BV_TMP/a/data/bitvelocity.failpoint" ]; }
fault "letters_redriven error"
sql -c "SELECT bitvelocity.redrive_dead_letter('b')" >/dev/null
eventually "a process ends between the rows and their mark" met
eventually "the next one sees to it" eval '[ "$(letters)" = 0 ]'
is "and no event is there twice" "$(sql -c "SELECT count(*) - count(DISTINCT event_id) FROM bronze_t")" 0
is "nor missing" "$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter LEFT JOIN bronze_t USING (event_id) WHERE bronze_t.event_id IS NULL")" 0
sql -c "ALTER TABLE bronze_t ADD CONSTRAINT no_bad CHECK (raw_payload->>'v' IS DISTINCT FROM 'bad') NOT VALID"
for place in bronze_committing bronze_committed; do
    before=$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter")
    fault "$place error"
    sql -c "INSERT INTO t SELECT 10000 + $before * 100 + i, CASE WHEN i = 5 THEN 'bad' ELSE 'good' END FROM generate_series(1, 9) i"
    eventually "a process ends at $place" met
    eventually "the stream comes back" synced b
    is "one letter more, neither lost nor doubled" "$(sql -c "SELECT count(*) - $before FROM bitvelocity.dead_letter")" 1
done
is "nothing is doubled in bronze" "$(sql -c "SELECT count(*) - count(DISTINCT event_id) FROM bronze_t")" 0

# What the options hide by now is not sent from a letter either
alter "{\"on_error\": \"dead_letter\", \"tables\": {\"public.t\": {\"include\": [\"id\"]}}}"
eventually "new options hold" synced b
sql -c "SELECT bitvelocity.redrive_dead_letter('b')" >/dev/null
eventually "they are answered" answered
is "letters that were shaped otherwise stay" "$(sql -c "SELECT DISTINCT error FROM bitvelocity.dead_letter WHERE redriven_at IS NULL")" "the options that shape the table have changed since"

# skip, existing rows
alter "$(options skip)"
sql -c "INSERT INTO t VALUES (200, 'bad'), (201, 'good')"
check "with skip it goes on, too" synced b
letters_before=$(sql -c "SELECT count(*) FROM bitvelocity.dead_letter")
is "without the row" "$(bronze "raw_payload->>'id' IN ('200', '201')")" 201
check "which is counted" test "$(figures | cut -d '|' -f 1)" -gt "$(figures | cut -d '|' -f 2)"
alter "$(options dead_letter)"
sql -c "SELECT bitvelocity.resync_stream('b')" >/dev/null
check "existing rows are copied" synced b
is "those that are refused are letters" \
    "$(sql -c "SELECT count(*) - $letters_before, count(*) FILTER (WHERE operation = 'READ' AND epoch = 2) FROM bitvelocity.dead_letter")" \
    "$(sql -c "SELECT count(*), count(*) FROM t WHERE v = 'bad'")"
is "the others rows" "$(sql -c "SELECT count(*) FROM bronze_t WHERE operation_type = 'READ' AND source_epoch = 2")" "$(sql -c "SELECT count(*) FROM t WHERE v <> 'bad'")"
case $(sql -c "SELECT bitvelocity.redrive_dead_letter('b', (SELECT array_agg(id) FROM bitvelocity.dead_letter WHERE epoch = 1 AND redriven_at IS NULL))" 2>&1) in
    *"of an earlier life of the stream"*) pass "letters of an earlier epoch are not sent again" ;;
    *) failed "letters of an earlier epoch are not sent again" ;;
esac

# What is wrong with the table, not with the row, stops the stream as ever
sql -c "ALTER TABLE bronze_t DROP COLUMN actor" -c "INSERT INTO t VALUES (300, 'good')"
eventually "a table that is no bronze table any more stops it" error_has "is not a bronze table"
sql -c "CREATE ROLE letter_admin LOGIN" -c "SELECT bitvelocity.grant_admin('letter_admin')" >/dev/null
check "no other role reads letters" eval '! sql -U letter_admin -c "SELECT FROM bitvelocity.dead_letter" 2>/dev/null'
is "but may ask for them" "$(sql -U letter_admin -c "SELECT bitvelocity.redrive_dead_letter('b', '{}')")" 0
check "a dump has them" eval '[ "$(pg_dump -a -t bitvelocity.dead_letter 2>/dev/null | grep -c "public.t")" -gt 0 ] || [ "$(pg_dump | grep -c "no_bad")" -gt 1 ]'
finish
