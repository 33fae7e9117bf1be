-- The background workers: stop, start, look. C functions are in src/worker/functions.cpp.

CREATE OR REPLACE FUNCTION bitvelocity.stop_workers() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_stop_workers';
COMMENT ON FUNCTION bitvelocity.stop_workers() IS
    'Stops the workers of this database until start_workers() or the next start of the server; waits at most 30 s, returns whether all are gone. Slots go on retaining WAL.';
REVOKE ALL ON FUNCTION bitvelocity.stop_workers() FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.start_workers() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_start_workers';
COMMENT ON FUNCTION bitvelocity.start_workers() IS
    'Starts the workers of this database again; waits at most 10 s, returns whether the scheduler runs';
REVOKE ALL ON FUNCTION bitvelocity.start_workers() FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.worker_report(
    OUT process text,
    OUT pid integer,
    OUT kind text,
    OUT id bigint,
    OUT name text,
    OUT role oid,
    OUT state text,
    OUT since timestamptz,
    OUT runs bigint,
    OUT failures bigint,
    OUT next_attempt timestamptz,
    OUT last_error text,
    OUT hint text,
    OUT last_error_at timestamptz
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_worker_status';
COMMENT ON FUNCTION bitvelocity.worker_report() IS 'What worker_status shows, from shared memory';
REVOKE ALL ON FUNCTION bitvelocity.worker_report() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bitvelocity.worker_report() TO pg_monitor;

CREATE OR REPLACE VIEW bitvelocity.worker_status AS
    SELECT process, pid, kind, id, name,
           CASE WHEN role <> 0 THEN pg_catalog.pg_get_userbyid(role) END AS role,
           state, since, runs, failures, next_attempt, last_error, hint, last_error_at
    FROM bitvelocity.worker_report();
COMMENT ON VIEW bitvelocity.worker_status IS
    'Processes of this database, and its services and tasks with their last error (failures: in a row)';
GRANT SELECT ON bitvelocity.worker_status TO pg_monitor;
