-- Streams: what their functions refuse, with SQLSTATE, DETAIL and HINT; the same on every server.
SET client_min_messages = warning;
CREATE SCHEMA stream_test;
SET search_path = stream_test, bitvelocity, public;
CREATE ROLE regress_stream_user;
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, 'DETAIL: ' || NULLIF(detail, ''), 'HINT: ' || NULLIF(hint, ''));
END $$;
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE keyless (v text);
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p DEFAULT;
CREATE UNLOGGED TABLE fast (id int PRIMARY KEY);
CREATE VIEW v AS SELECT * FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
CREATE SEQUENCE s;
\pset tuples_only on
\pset format unaligned

-- Names
SELECT refusal($$SELECT create_stream('Upper', ARRAY['t']::regclass[])$$);
SELECT refusal($$SELECT create_stream('', ARRAY['t']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a-b', ARRAY['t']::regclass[])$$);
SELECT refusal($$SELECT create_stream(repeat('x', 31)::name, ARRAY['t']::regclass[])$$);
SELECT refusal($$SELECT create_stream(NULL, ARRAY['t']::regclass[])$$);

-- What is streamed
SELECT refusal($$SELECT create_stream('a')$$);
SELECT refusal($$SELECT create_stream('a', '{}'::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY[NULL]::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], 'both')$$);
SELECT refusal($$SELECT create_stream('a', publication => 'missing')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['missing']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY[0]::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t', 'v']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['mv']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['s']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t_pkey']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['p1']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['fast']::regclass[])$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['bitvelocity.stream']::regclass[])$$);
SELECT refusal($$SELECT create_bronze('v')$$);
SELECT refusal($$SELECT create_bronze(NULL)$$);
SELECT refusal($$SELECT create_bronze('t', on_missing_key => 'ful')$$);

-- How
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], on_missing_key => 'erorr')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafak')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => NULL)$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], format => 'debezum')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '[]')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"topik": "x"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"topic": "{tabel}"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"kafka.sasl.password": "x"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"kafka.bootstrap.servers": "x"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'bronze', options => '{"topic": "x"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"wal_limit": "10 gb"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"wal_policy": "drop"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"snapshot.chunk_rows": "many"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"snapshot.readers": 9}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"catalog_xmin_limit": 0}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"on_error": "dead_leter"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"on_error": true}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"on_eror": "skip"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"on_error": "dead_letter", "dead_letter.topic": "x"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"dead_letter.topic": "x"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"on_error": "dead_letter", "dead_letter.topic": "{table}"}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], sink => 'kafka', options => '{"on_error": "dead_letter", "delivery": "transactional"}')$$);

-- What leaves of a table
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"tables": {"stream_test.t": {"exlude": ["v"]}}}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"tables": {"stream_test.t": {"mask": {"v": "sha1"}}}}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"tables": {"stream_test.t": {"topic": "v"}}}')$$);
SELECT refusal($$SELECT create_stream('a', ARRAY['t']::regclass[], options => '{"tables": {"stream_test.t": {"exclude": ["v"], "mask": {"v": "sha256"}}}}')$$);

-- Streams that are not there
SELECT refusal($$SELECT alter_stream('missing')$$);
SELECT refusal($$SELECT alter_stream(NULL)$$);
SELECT refusal($$SELECT pause_stream('missing')$$);
SELECT refusal($$SELECT resume_stream('missing')$$);
SELECT refusal($$SELECT drop_stream('missing')$$);
SELECT refusal($$SELECT resync_stream(NULL)$$);
SELECT refusal($$SELECT snapshot_stream(NULL)$$);
SELECT refusal($$SELECT snapshot_stream('missing')$$);
SELECT refusal($$SELECT drain_stream(NULL)$$);
SELECT refusal($$SELECT drain_stream('missing', NULL)$$);
SELECT refusal($$SELECT adopt_streams(NULL)$$);
SELECT refusal($$SELECT redrive_dead_letter(NULL)$$);
SELECT refusal($$SELECT redrive_dead_letter('missing')$$);
SELECT count(*) FROM stream_status;

-- Rights
SET ROLE regress_stream_user;
SELECT bitvelocity.create_stream('a', ARRAY[]::regclass[]);
SELECT bitvelocity.drop_stream('a');
SELECT bitvelocity.drain_stream('a');
SELECT bitvelocity.adopt_streams();
SELECT bitvelocity.resync_stream('a');
SELECT bitvelocity.snapshot_stream('a');
SELECT * FROM bitvelocity.stream_status;
SELECT * FROM bitvelocity.stream;
SELECT * FROM bitvelocity.dead_letter;
SELECT bitvelocity.redrive_dead_letter('a');
RESET ROLE;
GRANT USAGE ON SCHEMA stream_test TO regress_stream_user;
SELECT grant_admin('regress_stream_user') IS NOT NULL;
SET ROLE regress_stream_user;
SELECT stream_test.refusal($$SELECT bitvelocity.create_stream('a', ARRAY['stream_test.t']::regclass[])$$);
SELECT stream_test.refusal($$SELECT bitvelocity.create_bronze('stream_test.t')$$);
SELECT * FROM bitvelocity.dead_letter;
RESET ROLE;
DROP OWNED BY regress_stream_user;
DROP ROLE regress_stream_user;
DROP SCHEMA stream_test CASCADE;
