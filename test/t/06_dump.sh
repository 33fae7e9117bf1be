#!/usr/bin/env bash
# A dump carries everything: restored into another database and into another cluster, definitions mean the
# same tables and columns, audit and rules work, datasets go on, and no stream publishes by itself.
. "$(dirname "$0")/../check/script.sh"

server a
sql -c "CREATE ROLE dump_shop LOGIN" -c "CREATE DATABASE shop"
export PGDATABASE=shop
sql <<'SQL' >/dev/null
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
CREATE EXTENSION bitvelocity;
SELECT bitvelocity.grant_admin('dump_shop');
GRANT ALL ON SCHEMA partman TO dump_shop;
GRANT ALL ON ALL TABLES IN SCHEMA partman TO dump_shop;
CREATE SCHEMA sales AUTHORIZATION dump_shop;
SET SESSION AUTHORIZATION dump_shop;
CREATE TABLE sales."Order" (gone1 int, id int, gone2 int, card text, note text, amount numeric, day date,
    PRIMARY KEY (id, day));
ALTER TABLE sales."Order" DROP COLUMN gone1, DROP COLUMN gone2;
SELECT bitvelocity.partition_table('sales."Order"', 'day', since => '2025-01-01', until => '2025-03-01');
SELECT bitvelocity.add_audit_columns('sales."Order"', optimistic_lock => true);
SELECT bitvelocity.enable_audit('sales."Order"', columns => 'changed', exclude => '{note}', redact => '{card}',
    retention => '2 years');
ALTER TABLE sales."Order" RENAME COLUMN card TO "card.No";
CREATE TABLE sales.short (id int PRIMARY KEY, v text);
SELECT bitvelocity.add_audit_columns('sales.short', soft_delete => true);
SELECT bitvelocity.enable_audit('sales.short');
CREATE TABLE sales.former (id int PRIMARY KEY);
SELECT bitvelocity.enable_audit('sales.former');
DROP TABLE sales.former;
SELECT bitvelocity.set_context(actor => 'clerk', is_local => false);
INSERT INTO sales."Order" VALUES (1, '4111', 'n', 10, '2025-01-05'), (2, '4222', 'n', 20, '2025-02-05'), (3, '4333', 'n', -1, now());
UPDATE sales."Order" SET amount = 11 WHERE id = 1;
INSERT INTO sales.short VALUES (1, 'a'), (2, 'b');
DELETE FROM sales.short WHERE id = 2;
SELECT bitvelocity.create_bronze('sales."Order"');
SELECT bitvelocity.add_quality_rule('sales."Order"', 'RANGE', 'amount', '{"min": 0}', name => 'amount');
SELECT bitvelocity.create_silver('sales.silver', 'sales."Order"', key => '{id, day}');
SELECT bitvelocity.create_rollup('sales.gold', 'SELECT day, count(*) AS orders, sum(amount) AS total FROM sales.silver GROUP BY day');
SELECT count(*) FROM bitvelocity.check_quality('sales."Order"');
SQL
check "changes reach gold" sql -c "SELECT bitvelocity.wait_for_dataset('sales.gold')"
is "two rows are silver, one is in quarantine" \
    "$(sql -c "SELECT count(*) FROM sales.silver" -c "SELECT count(*) FROM bitvelocity.quarantine")" "2
1"
# Nothing moves while the dumps are taken and compared.
sql -c "SELECT bitvelocity.stop_workers()" >/dev/null
"$BV_SERVER" as-owner mkdir -p "$BV_TMP/a/dump"
# Sorted, because rows come in the order they lie in.
dump() {
    pg_dump --no-comments | grep -v -e '^-- Dumped' -e '^SELECT pg_catalog.setval' -e '^\\\(un\)\{0,1\}restrict' | sort
}
pg_dump -Fc -f "$BV_TMP/custom.dump"
pg_dump -Fp -f "$BV_TMP/plain.sql"
dump >"$BV_TMP/before.sql"
check "a dump names columns" grep -q '{sales.\\\\"Order\\\\".\\\\"card.No\\\\"}\|"sales.\\\\"Order\\\\".\\\\"card.No\\\\""' "$BV_TMP/plain.sql"
is "and no table that is gone" "$(grep -c 'former' <(grep -A9 '^COPY bitvelocity.audit_table' "$BV_TMP/plain.sql"))" 0

# What must be the same wherever it is restored.
restored() {
    local name=$1
    export PGDATABASE=$2
    dump >"$BV_TMP/after.sql"
    check "$name: another dump is the same" diff "$BV_TMP/before.sql" "$BV_TMP/after.sql"
    sql -c "SET ROLE dump_shop" -c "SELECT bitvelocity.set_context(actor => 'heir', is_local => false)" \
        -c "UPDATE sales.\"Order\" SET note = 'm', \"card.No\" = '9', amount = 12 WHERE id = 1" \
        -c "INSERT INTO sales.short VALUES (3, 'c')" -c "DELETE FROM sales.short WHERE id = 1" >/dev/null
    is "$name: the trail goes on, redacted, without what is excluded" "$(sql -c "
        SELECT id, day, operation_type, actor, changed_columns, old_values ? 'note', new_values
        FROM sales.\"Order_audit\" ORDER BY audit_id DESC LIMIT 1" | sed 's/"updated_at": "[^"]*", \{0,1\}//')" \
        "$(expected_trail)"
    is "$name: audit columns are kept" "$(sql -c "SELECT version, updated_by FROM sales.\"Order\" WHERE id = 1")" "3|heir"
    is "$name: a deleted row stays" "$(sql -c "SELECT deleted_by FROM sales.short WHERE id = 1")" heir
    check "$name: an old version is refused" eval \
        '! sql -c "UPDATE sales.\"Order\" SET amount = 1, version = 1 WHERE id = 1" 2>/dev/null'
    is "$name: rules judge" "$(sql -c "SELECT failed_count FROM bitvelocity.check_quality('sales.\"Order\"')")" 1
    is "$name: lineage leads to the source" "$(sql -c "SELECT string_agg(source_dataset, ' ' ORDER BY distance) FROM bitvelocity.lineage_of('sales.gold')")" \
        'sales.silver sales."bronze_Order" sales."Order"'
    check "$name: datasets can be refreshed" sql -c "SELECT bitvelocity.refresh_dataset('sales.silver')" \
        -c "SELECT bitvelocity.refresh_dataset('sales.gold')"
    is "$name: gold is what it was" "$(sql -c "SELECT sum(orders), sum(total) FROM sales.gold")" "2|31"
    is "$name: partitions are in care" "$(sql -c "SELECT relation FROM bitvelocity.partition_status ORDER BY relation::text")" \
        "$(printf '%s\n' 'sales."Order"' 'sales."Order_audit"' 'sales."bronze_Order"' sales.former_audit sales.short_audit)"
}
expected_trail() {
    echo '1|2025-01-05|UPDATE|heir|{card.No,amount,updated_at,updated_by,version}|f|{"amount": 12, "card.No": "***", "version": 3, "updated_by": "heir"}'
}

psql -XAtq -d postgres -c "CREATE DATABASE copy TEMPLATE template0"
check "a custom dump is restored into another database" pg_restore --exit-on-error -d copy "$BV_TMP/custom.dump"
restored "database" copy

server b
psql -XAtq -d postgres -c "CREATE ROLE dump_shop LOGIN" -c "CREATE DATABASE moved TEMPLATE template0"
check "a plain dump is restored into another cluster" psql -Xq -v ON_ERROR_STOP=1 -d moved -o /dev/null -f "$BV_TMP/plain.sql"
restored "cluster" moved
is "cluster: the stream does not run by itself" \
    "$(sql -c "SELECT state IN ('streaming', 'snapshot', 'starting') FROM bitvelocity.stream_status")" f
is "cluster: and no slot is made" "$(sql -c "SELECT count(*) FROM pg_replication_slots")" 0

use a
export PGDATABASE=shop
sql -c "SELECT bitvelocity.start_workers()" >/dev/null
sql -c "INSERT INTO sales.\"Order\" VALUES (4, '4', 'n', 40, '2025-02-07')"
check "the original streams on" sql -c "SELECT bitvelocity.wait_for_dataset('sales.gold')"
is "to gold" "$(sql -c "SELECT sum(orders), sum(total) FROM sales.gold")" "3|71"
finish
