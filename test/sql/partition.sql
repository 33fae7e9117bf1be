-- Without pg_partman the verb names what is missing; trails and bronze tables stay whole. The rest is in
-- test/pgtap/partition.sql.
CREATE TABLE part_demo (id int, day date) PARTITION BY RANGE (day);
\set VERBOSITY terse
SELECT bitvelocity.partition_table('part_demo', 'day');
\set VERBOSITY sqlstate
SELECT bitvelocity.partition_table('part_demo', 'day');
\set VERBOSITY default
CREATE TABLE part_audited (id int PRIMARY KEY);
SELECT bitvelocity.enable_audit('part_audited');
SELECT relkind FROM pg_class WHERE oid = 'part_audited_audit'::regclass;
SELECT count(*) FROM bitvelocity.partition_status;
SELECT bitvelocity.disable_audit('part_audited', drop_trail => true);
DROP TABLE part_demo, part_audited;
