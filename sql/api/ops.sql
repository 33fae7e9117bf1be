-- Operations: what is wrong with the setup, and who may administer. C functions are in src/ops.

CREATE OR REPLACE FUNCTION bitvelocity.check_setup(
    OUT severity text,
    OUT object text,
    OUT finding text,
    OUT fix text
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_check_setup';
COMMENT ON FUNCTION bitvelocity.check_setup() IS
    'What stands in the way in this server and database: a row a finding, worst first, with the line to run';
REVOKE ALL ON FUNCTION bitvelocity.check_setup() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bitvelocity.check_setup() TO pg_monitor;

CREATE OR REPLACE FUNCTION bitvelocity.grant_admin(role regrole) RETURNS void
    LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_grant_admin';
COMMENT ON FUNCTION bitvelocity.grant_admin(regrole) IS
    'Lets a role run every function of the extension and read its tables; the tables it works on it must own';
REVOKE ALL ON FUNCTION bitvelocity.grant_admin(regrole) FROM PUBLIC;
