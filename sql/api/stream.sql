-- Streams: verbs, waiting, status. C functions are in src/stream/functions.cpp.

CREATE OR REPLACE FUNCTION bitvelocity.create_stream(
    name name,
    tables regclass[] DEFAULT NULL,
    publication name DEFAULT NULL,
    sink text DEFAULT 'bronze',
    format text DEFAULT 'event',
    snapshot boolean DEFAULT true,
    on_missing_key text DEFAULT 'error',
    options jsonb DEFAULT '{}'
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_create_stream';
COMMENT ON FUNCTION bitvelocity.create_stream(name, regclass[], name, text, text, boolean, text, jsonb) IS
    'Starts a stream of the changes of tables (or of a publication) into a sink: bronze, kafka, memory';
REVOKE ALL ON FUNCTION bitvelocity.create_stream(name, regclass[], name, text, text, boolean, text, jsonb) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.alter_stream(
    name name,
    add_tables regclass[] DEFAULT NULL,
    drop_tables regclass[] DEFAULT NULL,
    options jsonb DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_alter_stream';
COMMENT ON FUNCTION bitvelocity.alter_stream(name, regclass[], regclass[], jsonb) IS
    'Adds and removes tables of a stream, or replaces its options; existing rows of added tables come as READ events while the stream goes on';
REVOKE ALL ON FUNCTION bitvelocity.alter_stream(name, regclass[], regclass[], jsonb) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.pause_stream(name name) RETURNS void
    LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_pause_stream';
COMMENT ON FUNCTION bitvelocity.pause_stream(name) IS
    'Stops delivering; the slot goes on retaining WAL until resume_stream or drop_stream';
REVOKE ALL ON FUNCTION bitvelocity.pause_stream(name) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.resume_stream(name name) RETURNS void
    LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_resume_stream';
COMMENT ON FUNCTION bitvelocity.resume_stream(name) IS
    'Goes on where pause_stream stopped';
REVOKE ALL ON FUNCTION bitvelocity.resume_stream(name) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.drop_stream(name name) RETURNS void
    LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_drop_stream';
COMMENT ON FUNCTION bitvelocity.drop_stream(name) IS
    'Ends a stream at commit: its slot and publications go, its bronze tables and topics stay';
REVOKE ALL ON FUNCTION bitvelocity.drop_stream(name) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.resync_stream(name name, tables regclass[] DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_resync_stream';
COMMENT ON FUNCTION bitvelocity.resync_stream(name, regclass[]) IS
    'After the slot was lost: a new slot and the next epoch, every row comes again as a READ event; with tables, only their rows';
REVOKE ALL ON FUNCTION bitvelocity.resync_stream(name, regclass[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.snapshot_stream(
    name name,
    tables regclass[] DEFAULT NULL,
    filter text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_snapshot_stream';
COMMENT ON FUNCTION bitvelocity.snapshot_stream(name, regclass[], text) IS
    'Sends the rows that tables of a stream have now once more, as READ events, while the stream goes on; filter: a condition, evaluated as the table''s owner; progress is in stream_snapshot';
REVOKE ALL ON FUNCTION bitvelocity.snapshot_stream(name, regclass[], text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.create_bronze(
    source regclass,
    target text DEFAULT NULL,
    on_missing_key text DEFAULT 'error',
    retention interval DEFAULT NULL
) RETURNS regclass
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_create_bronze';
COMMENT ON FUNCTION bitvelocity.create_bronze(regclass, text, text, interval) IS
    'Makes the bronze table beside a table and lets the embedded stream write every change of it there; retention: months that are older, and that every dataset has read, are dropped';
REVOKE ALL ON FUNCTION bitvelocity.create_bronze(regclass, text, text, interval) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.wait_for_stream(
    name name,
    lsn pg_lsn DEFAULT NULL,
    timeout interval DEFAULT '1 min'
) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_wait_for_stream';
COMMENT ON FUNCTION bitvelocity.wait_for_stream(name, pg_lsn, interval) IS
    'Waits until the stream runs and everything before lsn (NULL: now) is durable in its sink; false at the timeout';
REVOKE ALL ON FUNCTION bitvelocity.wait_for_stream(name, pg_lsn, interval) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.stream_activity(
    OUT stream_id integer,
    OUT state text,
    OUT decoder_pid integer,
    OUT deliverer_pid integer,
    OUT durable_lsn pg_lsn,
    OUT read_lsn pg_lsn,
    OUT rows bigint,
    OUT transactions bigint,
    OUT rows_per_s double precision,
    OUT last_commit_at timestamptz,
    OUT snapshot_rows bigint,
    OUT snapshot_total bigint,
    OUT last_error text,
    OUT hint text,
    OUT started_at timestamptz,
    OUT wal_limit bigint,
    OUT wal_free double precision,
    OUT retained_rate double precision,
    OUT snapshot_table oid,
    OUT snapshot_rows_per_s double precision,
    OUT snapshot_waits boolean,
    OUT poison_events bigint,
    OUT throttled boolean,
    OUT transaction_rows bigint
) RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_stream_activity';
COMMENT ON FUNCTION bitvelocity.stream_activity() IS
    'Live figures of the streams of this database, from shared memory; stream_status is the view to read';
REVOKE ALL ON FUNCTION bitvelocity.stream_activity() FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.redrive_dead_letter(stream text, ids bigint[] DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_redrive_dead_letter';
COMMENT ON FUNCTION bitvelocity.redrive_dead_letter(text, bigint[]) IS
    'Sends dead letters of a stream again after the commit, all or those named, with the identities they have; what is delivered gets redriven_at, what fails again stays with the new error; returns how many were asked for';
REVOKE ALL ON FUNCTION bitvelocity.redrive_dead_letter(text, bigint[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.stream_is_home(system_identifier text, database_oid oid, catalog_oid oid)
    RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN stream_is_home.system_identifier = (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c)
       AND stream_is_home.database_oid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
       AND stream_is_home.catalog_oid = 'bitvelocity.stream'::pg_catalog.regclass::oid;
COMMENT ON FUNCTION bitvelocity.stream_is_home(text, oid, oid) IS
    'Whether a definition was made (or adopted) in this database of this cluster; else it never runs by itself';

CREATE OR REPLACE FUNCTION bitvelocity.adopt_streams(existing_rows boolean DEFAULT true) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_adopt_streams';
COMMENT ON FUNCTION bitvelocity.adopt_streams(boolean) IS
    'Says that this is production now: streams that came from elsewhere get a slot here and the next epoch, every row comes again as a READ event; existing_rows => false goes on with the changes from now on; returns how many';
REVOKE ALL ON FUNCTION bitvelocity.adopt_streams(boolean) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.drain_stream(name name, timeout interval DEFAULT '5 min') RETURNS pg_lsn
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_drain_stream';
COMMENT ON FUNCTION bitvelocity.drain_stream(name, interval) IS
    'Delivers everything committed so far, confirms it to the slot, and pauses the stream; returns the slot''s position. Before pg_upgrade and planned moves';
REVOKE ALL ON FUNCTION bitvelocity.drain_stream(name, interval) FROM PUBLIC;

CREATE OR REPLACE VIEW bitvelocity.stream_status AS
SELECT s.stream_name AS stream,
       s.sink,
       CASE WHEN NOT h.home THEN 'needs_adoption'
            WHEN s.phase = 'needs_resync' THEN 'needs_resync'
            WHEN s.paused THEN 'paused'
            WHEN a.state IS NULL OR a.state = 'stopped'
                THEN CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'standby' ELSE 'stopped' END
            ELSE a.state
       END AS state,
       NULLIF(a.deliverer_pid, 0) AS pid,
       s.slot_name,
       r.confirmed_flush_lsn,
       r.restart_lsn,
       r.wal_status,
       pg_catalog.pg_wal_lsn_diff(w.lsn, r.restart_lsn)::bigint AS retained_bytes,
       greatest(pg_catalog.pg_wal_lsn_diff(w.lsn, coalesce(a.durable_lsn, r.confirmed_flush_lsn)), 0)::bigint
           AS lag_bytes,
       CASE WHEN a.durable_lsn >= w.lsn THEN interval '0'
            ELSE pg_catalog.clock_timestamp() - a.last_commit_at
       END AS lag,
       pg_catalog.round(a.rows_per_s::numeric, 1) AS rows_per_s,
       CASE WHEN a.state = 'snapshot'
            THEN pg_catalog.format('%s %% of about %s rows, %s rows/s', a.snapshot_rows * 100 / greatest(a.snapshot_total, a.snapshot_rows, 1),
                                   greatest(a.snapshot_total, a.snapshot_rows), pg_catalog.round(a.snapshot_rows_per_s))
                 || CASE WHEN a.throttled THEN ', waits: more WAL than wal_limit is retained'
                         WHEN a.snapshot_rows_per_s > 0
                         THEN pg_catalog.format(', %s left', pg_catalog.make_interval(secs => pg_catalog.ceil((greatest(a.snapshot_total, a.snapshot_rows) - a.snapshot_rows) / a.snapshot_rows_per_s)))
                         ELSE '' END
                 || coalesce(', now ' || pg_catalog.to_regclass(NULLIF(a.snapshot_table, 0)::regclass::text)::text, '')
       END AS snapshot_progress,
       CASE WHEN NOT h.home THEN 'the definition came from another cluster or database'
            WHEN s.phase = 'needs_resync' THEN s.phase_reason
            ELSE a.last_error
       END AS last_error,
       CASE WHEN NOT h.home THEN 'SELECT bitvelocity.adopt_streams();  -- only if this is production now'
            WHEN s.phase = 'needs_resync'
                THEN pg_catalog.format('SELECT bitvelocity.resync_stream(%L);', s.stream_name)
            WHEN (a.state = 'starting' OR a.snapshot_waits) AND b.pid IS NOT NULL
                THEN pg_catalog.format('waits for the transaction of process %s, open since %s', b.pid,
                                       b.xact_start)
            WHEN a.state = 'snapshot' AND a.throttled AND a.hint IS NULL
                THEN 'existing rows wait until the slot retains less WAL than wal_limit (wal_policy); changes go on'
            ELSE a.hint
       END AS hint,
       NULLIF(a.wal_limit, 0) AS wal_limit_bytes,
       CASE WHEN a.retained_rate > 0 THEN pg_catalog.make_interval(secs => a.wal_free / a.retained_rate) END AS time_to_full,
       pg_catalog.age(r.catalog_xmin) AS catalog_xmin_age,
       coalesce(a.poison_events, 0) AS poison_events,
       (SELECT pg_catalog.count(*) FROM bitvelocity.dead_letter d
        WHERE d.stream_id = s.stream_id AND d.redriven_at IS NULL) AS dead_letters,
       coalesce(a.transaction_rows, 0) AS transaction_rows,
       -- The server takes these from the decoder whenever it has written some to disk, and keeps them with the slot.
       g.spill_txns AS spilled_transactions,
       g.spill_bytes AS spilled_bytes,
       g.total_bytes AS decoded_bytes
FROM bitvelocity.stream s
CROSS JOIN LATERAL bitvelocity.stream_is_home(s.system_identifier, s.database_oid, s.catalog_oid) h (home)
LEFT JOIN bitvelocity.stream_activity() a USING (stream_id)
LEFT JOIN pg_catalog.pg_replication_slots r ON r.slot_name = s.slot_name
LEFT JOIN LATERAL pg_catalog.pg_stat_get_replication_slot(r.slot_name) g ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_flush_lsn() END AS lsn) w
LEFT JOIN LATERAL (
    SELECT t.pid, t.xact_start
    FROM pg_catalog.pg_stat_activity t
    WHERE t.backend_xid IS NOT NULL AND t.pid <> a.deliverer_pid AND t.pid <> a.decoder_pid
    ORDER BY pg_catalog.age(t.backend_xid) DESC
    LIMIT 1) b ON a.state = 'starting' OR a.snapshot_waits;
COMMENT ON VIEW bitvelocity.stream_status IS
    'One row a stream: state, position, lag, retained WAL, rate, last error and what to do; how far a large transaction is';
COMMENT ON COLUMN bitvelocity.stream_status.transaction_rows IS
    'Rows of the transaction that is being delivered that were handed to the sink so far; 0 between two';
COMMENT ON COLUMN bitvelocity.stream_status.spilled_transactions IS
    'Transactions of which the decoder wrote a part to disk, since the slot was made or its statistics were reset';
COMMENT ON COLUMN bitvelocity.stream_status.spilled_bytes IS
    'What it wrote there, also of transactions that are not committed yet';
COMMENT ON COLUMN bitvelocity.stream_status.decoded_bytes IS
    'Size of the changes of all transactions that were decoded to their end';
GRANT SELECT ON bitvelocity.stream_status TO pg_monitor;

CREATE OR REPLACE FUNCTION bitvelocity.describe_table(target oid) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
SELECT jsonb_build_object('schema', n.nspname, 'table', c.relname, 'columns', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
        'key', EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)))
        ORDER BY a.attnum), '[]')
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = target
$$;
COMMENT ON FUNCTION bitvelocity.describe_table(oid) IS
    'A table as schema-change events tell it: schema, table, columns with name, type, not_null, key; NULL if it is gone';
REVOKE ALL ON FUNCTION bitvelocity.describe_table(oid) FROM PUBLIC;
