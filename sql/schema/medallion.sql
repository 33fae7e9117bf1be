-- Medallion: datasets of the silver and gold layers. Written by the server only (src/medallion), as the
-- owner of the extension.

CREATE TABLE bitvelocity.dataset (
    dataset_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    layer text NOT NULL CHECK (layer IN ('silver', 'gold')),
    kind text NOT NULL CHECK (kind IN ('silver', 'rollup')),
    target regclass NOT NULL UNIQUE,
    made_target boolean NOT NULL,
    sources regclass[] NOT NULL,
    source_table regclass,
    query text NOT NULL,
    mapping jsonb,
    key text[] NOT NULL,
    options jsonb NOT NULL,
    definition jsonb NOT NULL,
    owner regrole NOT NULL,
    time_zone text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    paused boolean NOT NULL DEFAULT false,
    position bigint NOT NULL DEFAULT 0,
    highest bigint[],
    truncated_at bigint[],
    last_event_at timestamptz,
    last_refresh timestamptz,
    last_error text,
    last_error_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE bitvelocity.dataset IS 'Silver and gold datasets; read dataset_status';
COMMENT ON COLUMN bitvelocity.dataset.position IS
    'silver: sequence of the last bronze row that was read';
COMMENT ON COLUMN bitvelocity.dataset.highest IS
    'silver: newest (epoch, commit_lsn, ordinal, part) read; what comes later with less is late';
COMMENT ON COLUMN bitvelocity.dataset.truncated_at IS
    'silver: position of the newest TRUNCATE; older rows never come back';
COMMENT ON COLUMN bitvelocity.dataset.definition IS
    'What the server derived from query, mapping and catalogue when the dataset was made';

CREATE TABLE bitvelocity.silver_tombstone (
    dataset_id integer NOT NULL REFERENCES bitvelocity.dataset ON DELETE CASCADE,
    key jsonb NOT NULL,
    position bigint[] NOT NULL,
    PRIMARY KEY (dataset_id, key)
);
COMMENT ON TABLE bitvelocity.silver_tombstone IS
    'Deleted keys of silver datasets, so that a late older change does not bring a row back';

CREATE TABLE bitvelocity.quarantine_entry (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id integer NOT NULL REFERENCES bitvelocity.dataset ON DELETE CASCADE,
    source_sequence bigint NOT NULL,
    event_id uuid,
    position bigint[] NOT NULL,
    key jsonb NOT NULL,
    reason text NOT NULL CHECK (reason IN ('quality', 'error')),
    issues text[] NOT NULL,
    payload jsonb,
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'superseded')),
    replayed_at timestamptz,
    UNIQUE (dataset_id, source_sequence)
);
CREATE INDEX quarantine_entry_open ON bitvelocity.quarantine_entry (dataset_id, key)
    WHERE state = 'open';
COMMENT ON TABLE bitvelocity.quarantine_entry IS
    'Rows that did not reach a silver table; read the view quarantine';

CREATE TABLE bitvelocity.rollup_change (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id integer NOT NULL REFERENCES bitvelocity.dataset ON DELETE CASCADE,
    groups jsonb,
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX rollup_change_dataset ON bitvelocity.rollup_change (dataset_id, change_id);
COMMENT ON TABLE bitvelocity.rollup_change IS
    'Groups of gold datasets that their sources touched since the last refresh';
COMMENT ON COLUMN bitvelocity.rollup_change.groups IS
    'Array of the values of the GROUP BY columns; NULL: all groups';

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.dataset', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.silver_tombstone', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.quarantine_entry', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.rollup_change', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.dataset_dataset_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.quarantine_entry_quarantine_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.rollup_change_change_id_seq', '');
