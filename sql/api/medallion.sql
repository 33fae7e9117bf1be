-- Medallion: verbs and what is read. C++ in src/medallion. create_silver and create_rollup resolve the
-- names in their queries as the caller sees them, so they keep the caller's search_path; what they run
-- is qualified.

CREATE OR REPLACE FUNCTION bitvelocity.fold_payload_add(state jsonb, payload jsonb, whole boolean)
RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_fold_payload_add';
COMMENT ON FUNCTION bitvelocity.fold_payload_add IS 'Transition of the aggregate fold_payload';

CREATE OR REPLACE AGGREGATE bitvelocity.fold_payload(payload jsonb, whole boolean) (
    SFUNC = bitvelocity.fold_payload_add,
    STYPE = jsonb
);
COMMENT ON AGGREGATE bitvelocity.fold_payload(jsonb, boolean) IS
    'The row after a series of changes: a whole row replaces it, another one overlays it';

CREATE OR REPLACE FUNCTION bitvelocity.create_silver(
    name text,
    source regclass,
    key text[] DEFAULT NULL,
    query text DEFAULT NULL,
    mapping jsonb DEFAULT NULL,
    options jsonb DEFAULT '{}',
    if_not_exists boolean DEFAULT false)
RETURNS regclass
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'bitvelocity_create_silver';
COMMENT ON FUNCTION bitvelocity.create_silver IS
    'Makes a silver dataset from a table with bronze (or a bronze table): typed, judged, the last good state per key; options target, batch_size, row_type';
REVOKE ALL ON FUNCTION bitvelocity.create_silver FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.create_rollup(
    name text,
    query text,
    options jsonb DEFAULT '{}',
    if_not_exists boolean DEFAULT false)
RETURNS regclass
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'bitvelocity_create_rollup';
COMMENT ON FUNCTION bitvelocity.create_rollup IS
    'Makes a gold table that is kept equal to a query; option target';
REVOKE ALL ON FUNCTION bitvelocity.create_rollup FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.track_changes()
RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_track_changes';
COMMENT ON FUNCTION bitvelocity.track_changes IS
    'Statement trigger of rollups on their sources: logs the touched groups';

CREATE OR REPLACE FUNCTION bitvelocity.refresh_dataset(
    name text,
    until pg_lsn DEFAULT NULL,
    OUT rows_read bigint,
    OUT rows_put bigint,
    OUT rows_removed bigint,
    OUT rows_quarantined bigint)
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_refresh_dataset';
COMMENT ON FUNCTION bitvelocity.refresh_dataset IS
    'Brings a dataset, and first what it reads, up to date (or up to a position in the WAL)';
REVOKE ALL ON FUNCTION bitvelocity.refresh_dataset FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.pause_dataset(name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_pause_dataset';
COMMENT ON FUNCTION bitvelocity.pause_dataset IS 'Stops refreshing a dataset; nothing is lost';
REVOKE ALL ON FUNCTION bitvelocity.pause_dataset FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.resume_dataset(name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_resume_dataset';
COMMENT ON FUNCTION bitvelocity.resume_dataset IS 'Refreshes a paused dataset again';
REVOKE ALL ON FUNCTION bitvelocity.resume_dataset FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.drop_dataset(name text, keep_table boolean DEFAULT true)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_drop_dataset';
COMMENT ON FUNCTION bitvelocity.drop_dataset IS
    'Forgets a dataset; with keep_table false also drops the table that was made for it';
REVOKE ALL ON FUNCTION bitvelocity.drop_dataset FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.replay_quarantine(dataset text, ids bigint[] DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_replay_quarantine';
COMMENT ON FUNCTION bitvelocity.replay_quarantine IS
    'Tries quarantined rows again (all that are open, or these); returns how many were accepted';
REVOKE ALL ON FUNCTION bitvelocity.replay_quarantine FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.explain_dataset(name text, OUT item text, OUT value text)
RETURNS SETOF record
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_explain_dataset';
COMMENT ON FUNCTION bitvelocity.explain_dataset IS 'What a dataset is made from, and how';
REVOKE ALL ON FUNCTION bitvelocity.explain_dataset FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.wait_for_dataset(
    name text, lsn pg_lsn DEFAULT NULL, timeout interval DEFAULT '1 min')
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_wait_for_dataset';
COMMENT ON FUNCTION bitvelocity.wait_for_dataset IS
    'Waits until everything committed up to a position in the WAL (NULL: now) is in the dataset; false after the timeout';
REVOKE ALL ON FUNCTION bitvelocity.wait_for_dataset FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.dataset_lag(dataset_id integer)
RETURNS interval
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_dataset_lag';
COMMENT ON FUNCTION bitvelocity.dataset_lag IS
    'How long the oldest change that is not in the dataset has been waiting; zero: none waits';
REVOKE ALL ON FUNCTION bitvelocity.dataset_lag FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bitvelocity.dataset_lag TO pg_monitor;

CREATE OR REPLACE FUNCTION bitvelocity.dataset_table(name text)
RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bitvelocity.lineage_name(d.target) FROM bitvelocity.dataset d WHERE d.name = $1
$$;
COMMENT ON FUNCTION bitvelocity.dataset_table IS 'schema.table of a dataset; NULL: there is none';
REVOKE ALL ON FUNCTION bitvelocity.dataset_table FROM PUBLIC;

CREATE OR REPLACE VIEW bitvelocity.dataset_status AS
SELECT d.name, d.layer,
       CASE WHEN d.paused THEN 'paused'
            WHEN d.last_error IS NOT NULL THEN 'failing'
            WHEN l.lag > interval '0' THEN 'behind'
            ELSE 'current' END AS state,
       d.position,
       coalesce((SELECT pg_catalog.sum(pg_catalog.pg_stat_get_live_tuples(p.relid))::bigint
                 FROM pg_catalog.pg_partition_tree(d.target) p WHERE p.isleaf),
                pg_catalog.pg_stat_get_live_tuples(d.target)) AS rows,
       l.lag, d.last_refresh, d.last_error, d.kind, d.target,
       (SELECT pg_catalog.count(*) FROM bitvelocity.quarantine_entry q
        WHERE q.dataset_id = d.dataset_id AND q.state = 'open') AS quarantined
FROM bitvelocity.dataset d
CROSS JOIN LATERAL (SELECT bitvelocity.dataset_lag(d.dataset_id)) l(lag);
COMMENT ON VIEW bitvelocity.dataset_status IS
    'One row per silver and gold dataset; rows is what the statistics collector counts, quarantined the open entries';
REVOKE ALL ON bitvelocity.dataset_status FROM PUBLIC;
GRANT SELECT ON bitvelocity.dataset_status TO pg_monitor;

CREATE OR REPLACE VIEW bitvelocity.quarantine WITH (security_barrier) AS
SELECT q.quarantine_id, d.name AS dataset, q.source_sequence, q.event_id, q.key, q.reason, q.issues,
       q.payload, q.at, q.state, q.replayed_at
FROM bitvelocity.quarantine_entry q
JOIN bitvelocity.dataset d USING (dataset_id)
WHERE pg_catalog.pg_has_role(d.owner, 'USAGE');
COMMENT ON VIEW bitvelocity.quarantine IS
    'Rows that did not reach a silver table, of the datasets of one''s own: quality (an ERROR rule failed), error (PostgreSQL refused the row); open, replayed, or superseded by a later good version';
GRANT SELECT ON bitvelocity.quarantine TO PUBLIC;
