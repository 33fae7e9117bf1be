-- Streams: one row a stream, one row a table of it. Written by the server only (src/stream), as the
-- owner of the extension. What changes with every transaction lives in shared memory, not here: an
-- idle stream writes no WAL.

CREATE TABLE bitvelocity.stream (
    stream_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_name text NOT NULL UNIQUE,
    owner regrole NOT NULL,
    sink text NOT NULL,
    format text NOT NULL,
    publications text[] NOT NULL,
    own_publications boolean NOT NULL,
    snapshot boolean NOT NULL,
    options jsonb NOT NULL,
    slot_name text NOT NULL,
    epoch integer NOT NULL DEFAULT 1,
    -- where the stream is at home: cluster, database, and this very table. A definition that came
    -- with a dump, a template or a restored extension is not at home and never runs by itself
    system_identifier text NOT NULL,
    database_oid oid NOT NULL,
    catalog_oid oid NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    -- starting: the slot does not exist yet; streaming; needs_resync: the slot was lost
    phase text NOT NULL DEFAULT 'starting'
        CHECK (phase IN ('starting', 'streaming', 'needs_resync')),
    phase_reason text,
    -- raised by every change of the definition: running processes are replaced
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bitvelocity.stream IS
    'Definition of every change stream; live figures are in stream_status';

CREATE TABLE bitvelocity.stream_table (
    stream_id integer NOT NULL REFERENCES bitvelocity.stream ON DELETE CASCADE,
    relation regclass NOT NULL,
    -- the bronze table beside it (embedded sink only)
    bronze regclass,
    -- rows that existed before: 'pending' until all of them are in the sink
    existing_rows text NOT NULL CHECK (existing_rows IN ('pending', 'copied', 'none')),
    -- the name under which the stream's option "tables" shapes it, and the attribute numbers that
    -- the columns named there had then: they keep their meaning when something is renamed
    shaped_as text,
    column_numbers jsonb NOT NULL DEFAULT '{}',
    -- what the last schema-change event said of the table (option schema_changes)
    described jsonb,
    PRIMARY KEY (stream_id, relation)
);
COMMENT ON TABLE bitvelocity.stream_table IS
    'Tables of a stream; bronze: the table beside the source that an embedded stream writes';

CREATE TABLE bitvelocity.stream_snapshot (
    snapshot_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id integer NOT NULL REFERENCES bitvelocity.stream ON DELETE CASCADE,
    relation regclass NOT NULL,
    -- only rows that fulfil it
    filter text,
    -- the table's first load (or a resync): wait_for_stream waits for it
    first_load boolean NOT NULL DEFAULT false,
    -- behind which row the next chunk begins: the key of the last one that is in the sink; without a
    -- key the oid of the leaf and the ctid
    place_columns text[] NOT NULL DEFAULT '{}',
    place_values text[] NOT NULL DEFAULT '{}',
    -- read: looked at; sent: as READ events
    rows_read bigint NOT NULL DEFAULT 0,
    rows_sent bigint NOT NULL DEFAULT 0,
    rows_estimated bigint,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    -- why it ended early
    error text
);
CREATE INDEX ON bitvelocity.stream_snapshot (stream_id) WHERE finished_at IS NULL;
COMMENT ON TABLE bitvelocity.stream_snapshot IS
    'Snapshots of existing rows: whose rows a stream reads or has read, and how far; saved with every chunk';

CREATE TABLE bitvelocity.stream_moved_row (
    snapshot_id bigint NOT NULL REFERENCES bitvelocity.stream_snapshot ON DELETE CASCADE,
    n bigint GENERATED ALWAYS AS IDENTITY,
    -- in the stream's own form (model/row_key)
    key bytea NOT NULL,
    PRIMARY KEY (snapshot_id, n)
);
COMMENT ON TABLE bitvelocity.stream_moved_row IS
    'Keys that rows got while existing rows were read, and whose events lack what the update left alone: read again before a chunk counts as done';

-- Events that could not be delivered (option on_error = dead_letter), as they would have left the
-- database. Written by the deliverers only; they are users' data, so no role but the owner reads them.
CREATE TABLE bitvelocity.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL,
    stream_id integer NOT NULL,
    -- identity: source (cluster and database), epoch, commit_lsn, xid, ordinal, part; event_id is made from it
    source text NOT NULL,
    epoch integer NOT NULL,
    commit_lsn pg_lsn NOT NULL,
    xid bigint NOT NULL,
    ordinal bigint NOT NULL,
    part integer NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    -- schema.table as it was called then; NULL: a logical message
    relation text,
    operation text NOT NULL,
    -- values as PostgreSQL prints them; NULL: too large to be shown
    change jsonb,
    topic text,
    key text,
    sqlstate text NOT NULL,
    error text NOT NULL,
    detail text,
    -- the event in a form from which it is encoded again
    event bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    redrive_requested_at timestamptz,
    redriven_at timestamptz
);
CREATE INDEX dead_letter_open ON bitvelocity.dead_letter (stream_id, id) WHERE redriven_at IS NULL;
REVOKE ALL ON bitvelocity.dead_letter FROM PUBLIC;
COMMENT ON TABLE bitvelocity.dead_letter IS
    'Events that a stream could not deliver, with the error; redrive_dead_letter sends them again';

-- Enabled while a stream asks for schema changes (src/stream/shaping.cpp).
CREATE FUNCTION bitvelocity.emit_schema_changes(event text, tag text) RETURNS void
    LANGUAGE c STRICT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_emit_schema_changes';
COMMENT ON FUNCTION bitvelocity.emit_schema_changes(text, text) IS
    'Writes what DDL did to tables of a stream into the WAL; called by an event trigger';
REVOKE ALL ON FUNCTION bitvelocity.emit_schema_changes(text, text) FROM PUBLIC;
CREATE FUNCTION bitvelocity.schema_changed() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN PERFORM bitvelocity.emit_schema_changes(TG_EVENT, TG_TAG); END $$;
COMMENT ON FUNCTION bitvelocity.schema_changed() IS
    'Writes what DDL did to tables of a stream into the WAL, for streams with the option schema_changes';
REVOKE ALL ON FUNCTION bitvelocity.schema_changed() FROM PUBLIC;
CREATE EVENT TRIGGER bitvelocity_schema_changed ON ddl_command_end
    EXECUTE FUNCTION bitvelocity.schema_changed();
ALTER EVENT TRIGGER bitvelocity_schema_changed DISABLE;
COMMENT ON EVENT TRIGGER bitvelocity_schema_changed IS
    'Schema-change events of streams; enabled while one asks for them';
CREATE EVENT TRIGGER bitvelocity_schema_dropped ON sql_drop
    EXECUTE FUNCTION bitvelocity.schema_changed();
ALTER EVENT TRIGGER bitvelocity_schema_dropped DISABLE;
COMMENT ON EVENT TRIGGER bitvelocity_schema_dropped IS
    'Schema-change events of streams: dropped tables; enabled while one asks for them';

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream_table', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream_snapshot', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream_snapshot_snapshot_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream_moved_row', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream_moved_row_n_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.stream_stream_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.dead_letter_id_seq', '');
