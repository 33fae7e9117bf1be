-- Streams: one row a stream, one row a table of it. Written by the server only (stream/functions.cpp),
-- as the owner of the extension. What changes with every transaction lives in shared memory, not here:
-- an idle stream writes no WAL.

CREATE TABLE bitvelocity.stream (
    stream_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_name text NOT NULL UNIQUE,
    owner oid NOT NULL,
    sink text NOT NULL,
    format text NOT NULL,
    publications text[] NOT NULL,
    own_publications boolean NOT NULL,
    on_missing_key text NOT NULL,
    snapshot boolean NOT NULL,
    options jsonb NOT NULL,
    slot_name text,
    epoch integer NOT NULL DEFAULT 1,
    system_identifier text NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    -- starting: no slot yet; snapshot: existing rows are being copied; streaming; needs_resync
    phase text NOT NULL DEFAULT 'starting'
        CHECK (phase IN ('starting', 'snapshot', 'streaming', 'needs_resync')),
    phase_reason text,
    snapshot_lsn pg_lsn,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bitvelocity.stream IS 'Definition of every change stream; live figures are in stream_status';

CREATE TABLE bitvelocity.stream_table (
    stream_id integer NOT NULL REFERENCES bitvelocity.stream ON DELETE CASCADE,
    relation oid NOT NULL,
    bronze oid,
    PRIMARY KEY (stream_id, relation)
);
COMMENT ON TABLE bitvelocity.stream_table IS
    'Tables of a stream; bronze: the table beside the source that an embedded stream writes';
