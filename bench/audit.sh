#!/usr/bin/env bash
# audit.sh: what a sync trail costs the statement that it records, and what the usual trigger in PL/pgSQL
# costs that keeps the same (make bench-audit).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
BROKER=none
. bench/harness.sh

rows=${ROWS:-200000}
single=${TRANSACTIONS:-20000}
begin_bench

# The classic generic trigger: whole rows as jsonb, what changed, who and when, in a table with the same
# indexes as the trail.
sql <<'SQL'
CREATE TABLE peer_trail (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint,
    operation_type text NOT NULL,
    operation_timestamp timestamptz NOT NULL DEFAULT clock_timestamp(),
    operation_user text NOT NULL DEFAULT session_user,
    old_values jsonb,
    new_values jsonb,
    changed_columns text[],
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    application_name text DEFAULT current_setting('application_name'));
CREATE INDEX ON peer_trail (order_id, audit_id);
CREATE FUNCTION peer_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was jsonb;
    became jsonb;
    changed text[];
BEGIN
    IF TG_OP <> 'INSERT' THEN
        was := to_jsonb(OLD);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        became := to_jsonb(NEW);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        changed := ARRAY(SELECT n.key FROM jsonb_each(became) n JOIN jsonb_each(was) o USING (key)
                         WHERE n.value IS DISTINCT FROM o.value);
        IF changed = '{}' THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO public.peer_trail (order_id, operation_type, old_values, new_values, changed_columns)
    VALUES ((coalesce(became, was)->>'order_id')::bigint, TG_OP, was, became, changed);
    RETURN NULL;
END $$;
SQL
for table in plain trail peer; do
    create_orders "$table"
done
sql -c "SELECT bitvelocity.enable_audit('trail')" \
    -c "CREATE TRIGGER peer AFTER INSERT OR UPDATE OR DELETE ON peer FOR EACH ROW EXECUTE FUNCTION peer_audit()" >/dev/null

# Processor time of one statement's own process, in microseconds a row: wall time would also count what
# else the machine does.
cpu() {
    psql -XAtq -v ON_ERROR_STOP=1 <<SQL
SET synchronous_commit = off;
SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 64), ' ', 1) AS began \gset
$1;
SELECT round((split_part(pg_read_file('/proc/self/schedstat', 0, 64), ' ', 1)::numeric - :began) / 1000 / $2, 3);
SQL
}

# One statement a transaction over the wire, prepared: processor time of the server's process, which the
# postmaster has counted once it is gone.
ended_children() {
    sed 's/.*) //' "/proc/$(head -1 "$bench/data/postmaster.pid")/stat" |
        awk -v hertz="$(getconf CLK_TCK)" '{ printf "%.0f", ($14 + $15) / hertz * 1e6 }'
}
update_single() {
    cat >"$bench/single.sql" <<SQL
\set id random(1, $rows)
UPDATE $1 SET status = 'packed', customer_id = customer_id + 1 WHERE order_id = :id;
SQL
    local before
    before=$(ended_children)
    PGOPTIONS='-c synchronous_commit=off' pgbench -n -M prepared -c 1 -t "$single" -f "$bench/single.sql" >"$bench/pgbench.log" 2>&1 ||
        fail "pgbench: $(tail -3 "$bench/pgbench.log")"
    sleep 0.5
    echo "$(ended_children) $before $single" | awk '{ printf "%.2f\n", ($1 - $2) / $3 }'
}

# fill TABLE, change TABLE, remove TABLE: a statement over all rows.
fill() {
    cpu "INSERT INTO $1 SELECT id, id % 20000, (ARRAY['received', 'packed', 'shipped', 'returned'])[1 + id % 4],
         (id % 100000) / 100.0, 'GBP', 'United Kingdom', now(), 'order number ' || id
         FROM generate_series(1, $rows) AS id" "$rows"
}
change() {
    cpu "UPDATE $1 SET status = 'lost', total_amount = total_amount + 1" "$rows"
}
remove() {
    cpu "DELETE FROM $1" "$rows"
}

rm -f "$bench"/audit_*
for ((run = 0; run <= runs; run++)); do
    sql -c 'TRUNCATE peer_trail, plain, peer' -c 'ALTER TABLE trail DISABLE TRIGGER ALL' -c 'TRUNCATE trail, trail_audit' \
        -c 'ALTER TABLE trail ENABLE ALWAYS TRIGGER bitvelocity_audit' -c 'CHECKPOINT'
    for step in fill change update_single remove; do
        line=
        for table in plain trail peer; do
            value=$($step "$table") || exit 1
            line+=" $value"
            [ "$run" -eq 0 ] || echo "$value" >>"$bench/audit_${step}_$table"
        done
        say "run $run, $step: microseconds a row without, with the trail, with the PL/pgSQL trigger:$line"
        [ "$(sql -c 'SELECT (SELECT count(*) FROM trail_audit) = (SELECT count(*) FROM peer_trail)')" = t ] ||
            [ "$step" = update_single ] || fail "the two trails differ"
        sql -c 'VACUUM plain, trail, peer' -c CHECKPOINT
    done
done

for step in fill change remove update_single; do
    case $step in
        fill) name=insert ;;
        change) name=update ;;
        remove) name=delete ;;
        *) name=single_update ;;
    esac
    plain=$(median <"$bench/audit_${step}_plain")
    for table in trail peer; do
        added=$(median <"$bench/audit_${step}_$table" | awk -v p="$plain" '{ printf "%.2f", $1 - p }')
        figure "audit_${name}_$([ "$table" = trail ] || echo peer_)cpu_us" "$added" us/row
    done
    figure "audit_${name}_plain_cpu_us" "$plain" us/row
done
print_figures
