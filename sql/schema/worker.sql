-- What the catalogue tables of every part use to tell the workers, at commit. Made before those tables.

CREATE FUNCTION bitvelocity.catalog_changed() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_catalog_changed';
COMMENT ON FUNCTION bitvelocity.catalog_changed() IS
    'Trigger of catalogue tables: after the commit the workers read what should run';
REVOKE ALL ON FUNCTION bitvelocity.catalog_changed() FROM PUBLIC;

CREATE FUNCTION bitvelocity.signal_tasks() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_signal_tasks';
COMMENT ON FUNCTION bitvelocity.signal_tasks() IS
    'Trigger of a table that tasks read: after the commit the tasks that listen to it are due';
REVOKE ALL ON FUNCTION bitvelocity.signal_tasks() FROM PUBLIC;
