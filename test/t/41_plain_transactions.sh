#!/usr/bin/env bash
# Transactions that are sent without the server's replay: what is sent of them is what pgoutput sends, while tables are
# written, rewritten, truncated, altered, published and unpublished at the same time.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a bitvelocity.row_writer=verified log_min_messages=debug2 deadlock_timeout=100ms
sql >/dev/null <<'SQL'
CREATE EXTENSION bitvelocity;
CREATE DOMAIN amount AS int;
CREATE TABLE a (id bigserial PRIMARY KEY, v text, n int, f float8 DEFAULT random());
CREATE TABLE b (id bigserial PRIMARY KEY, v text, n int);
CREATE TABLE c (id bigserial PRIMARY KEY, v text, n int);
CREATE TABLE unpublished (id bigserial PRIMARY KEY, v text, n int);
CREATE PUBLICATION p FOR TABLE a, c;
SELECT bitvelocity.create_bronze(x) FROM unnest(ARRAY['a', 'b']::regclass[]) x;
SELECT bitvelocity.create_stream('p', publication => 'p', sink => 'memory', snapshot => false);
SQL
all_synced() { synced bronze && synced p; }
check "the streams start" all_synced
# Small in WAL, more than a gigabyte as text: nothing that is kept for a comparison may grow so.
sql -c "INSERT INTO c (v) VALUES ('learned')" -c "INSERT INTO c (v) SELECT repeat('x', 100000) FROM generate_series(1, 11000)" -c "TRUNCATE c"
check "a gigabyte of text in one transaction" all_synced
is "stops no stream" "$(grep -c "will be started again" "$BV_TMP/a/server.log")" 0

# write SEED ROUNDS: transactions of one to four rows, sometimes with a savepoint, rolled back, or with a message.
write() {
    psql -XAtq >/dev/null 2>>"$BV_TMP/refused" <<SQL
SELECT setseed($1 / 1000.0);
DO \$\$
DECLARE
    target text;
BEGIN
    FOR i IN 1..$2 LOOP
        FOREACH target IN ARRAY ARRAY['a', 'b', 'c', 'unpublished'] LOOP
            CONTINUE WHEN random() < 0.6;
            CASE
                WHEN random() < 0.5 THEN EXECUTE format('INSERT INTO %I (v, n) VALUES (%L, %s)', target, repeat('v', i % 50), i);
                WHEN random() < 0.6 THEN EXECUTE format('UPDATE %I SET n = n + 1 WHERE id IN (SELECT id FROM %1\$I ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)', target);
                ELSE EXECUTE format('DELETE FROM %I WHERE id IN (SELECT id FROM %1\$I ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)', target);
            END CASE;
        END LOOP;
        IF random() < 0.05 THEN
            BEGIN
                INSERT INTO a (v) VALUES ('of a savepoint');
                IF random() < 0.5 THEN
                    RAISE EXCEPTION USING ERRCODE = 'P0001';
                END IF;
            EXCEPTION WHEN raise_exception THEN
                NULL;
            END;
        END IF;
        IF random() < 0.02 THEN
            PERFORM pg_logical_emit_message(true, 'other', 'text');
        END IF;
        IF random() < 0.05 THEN
            ROLLBACK;
        ELSE
            -- Some stay open across changes of definitions.
            IF random() < 0.02 THEN
                PERFORM pg_sleep(0.03);
            END IF;
            COMMIT;
        END IF;
    END LOOP;
END \$\$;
SQL
}

# define SEED ROUNDS: definitions that change beside them.
define() {
    local table
    RANDOM=$1
    for _ in $(seq "$2"); do
        table=$(printf 'a\nb\nc\nunpublished\n' | sed -n "$((RANDOM % 4 + 1))p")
        case $((RANDOM % 10)) in
            0) echo "TRUNCATE $table;" ;;
            1) echo "ALTER TABLE $table ALTER n TYPE $(printf 'bigint\nint\namount\n' | sed -n "$((RANDOM % 3 + 1))p");" ;;
            2) echo "ALTER TABLE $table ADD extra int DEFAULT 7;" ;;
            3) echo "ALTER TABLE $table DROP COLUMN IF EXISTS extra;" ;;
            4) echo "ALTER TABLE $table REPLICA IDENTITY $([ $((RANDOM % 2)) = 0 ] && echo FULL || echo DEFAULT);" ;;
            5) echo "ALTER PUBLICATION p ADD TABLE $table;" ;;
            6) echo "ALTER PUBLICATION p DROP TABLE $table;" ;;
            7) echo "ALTER PUBLICATION p SET (publish = 'insert$([ $((RANDOM % 2)) = 0 ] && echo ', update, delete, truncate')');" ;;
            8) echo "VACUUM FULL $table;" ;;
            9) echo "ALTER DOMAIN amount SET DEFAULT $RANDOM;" ;;
        esac
        echo "SELECT pg_sleep(0.0$((RANDOM % 4)));"
    done | psql -XAtq >/dev/null 2>>"$BV_TMP/refused"
}

# everything SEED: four writers beside two sessions that define.
everything() {
    local writers=() seed
    for seed in 1 2 3 4; do
        write "$(($1 * 10 + seed))" 700 &
        writers+=($!)
    done
    define "$1" 60 &
    writers+=($!)
    define "$(($1 + 100))" 60 &
    writers+=($!)
    wait "${writers[@]}"
}
plain() { grep -c "is plain" "$BV_TMP/a/server.log"; }

for seed in 1 2 3; do
    everything $seed
    check "everything $seed is delivered" all_synced
done
is "no message differs from pgoutput's" "$(grep -c "from pgoutput" "$BV_TMP/a/server.log")" 0
is "the streams run" "$(sql -c "SELECT string_agg(state, ' ') FROM bitvelocity.stream_status")" "streaming streaming"
before=$(plain)
is "many transactions are plain ($before)" "$((before > 500))" 1

# The same without comparison, beside a slot of pgoutput's: every transaction's kinds of changes, in order.
sql -c "ALTER SYSTEM SET bitvelocity.row_writer = own" -c "SELECT pg_reload_conf()" >/dev/null
publications=$(sql -c "SELECT string_agg(quote_ident(pubname), ',') FROM pg_publication WHERE pubname <> 'p'")
sql -c "INSERT INTO a (v) VALUES ('so that it is read again')"
check "the setting is read" all_synced
sql -c "SELECT pg_create_logical_replication_slot('reference', 'pgoutput')" >/dev/null
from=$(sql -c "SELECT txid_current()")
for seed in 4 5 6; do
    everything $seed
done
check "everything is delivered" all_synced
sql -c "
    CREATE TABLE sent AS SELECT row_number() OVER () AS ordinal, xid::text::bigint AS xid, data
    FROM pg_logical_slot_get_binary_changes('reference', NULL, NULL, 'proto_version', '1', 'publication_names', '$publications')"
kinds() {
    sql -c "
        SELECT count(*), sum(length(kinds)), md5(string_agg(kinds, ' ' ORDER BY xid))
        FROM ($1) AS t WHERE xid > $from"
}
expected=$(kinds "SELECT xid, string_agg(chr(get_byte(data, 0)), '' ORDER BY ordinal) AS kinds FROM sent
    WHERE get_byte(data, 0) IN (73, 85, 68) GROUP BY xid")
is "there is something to compare ($expected)" "$((${expected%%|*} > 500))" 1
is "bronze holds of every transaction what pgoutput sends" "$(kinds "
    SELECT xid, string_agg(CASE operation_type WHEN 'INSERT' THEN 'I' WHEN 'UPDATE' THEN 'U' ELSE 'D' END, '' ORDER BY ordinal) AS kinds
    FROM (SELECT transaction_id::text::bigint AS xid, ordinal, operation_type FROM bronze_a
          UNION ALL SELECT transaction_id::text::bigint, ordinal, operation_type FROM bronze_b) AS e
    WHERE operation_type IN ('INSERT', 'UPDATE', 'DELETE') GROUP BY xid")" "$expected"
for table in a b; do
    # The last one was added and dropped without a row's event.
    check "$table in bronze is the table" same_state $table id extra
done
more=$(($(plain) - before))
is "and many of them were plain ($more)" "$((more > 500))" 1
counted() {
    [ "$(sql -c "SELECT total_txns >= ${expected%%|*} FROM pg_stat_replication_slots WHERE slot_name LIKE 'bitvelocity%' ORDER BY total_txns DESC LIMIT 1")" = t ]
}
eventually "the server's statistics count them" counted
finish
