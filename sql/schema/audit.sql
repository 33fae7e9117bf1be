-- What regclass is to a table, to a column: a renamed column stays what it was, and a dump restores it
-- by name. It converts to its number in the table.
CREATE TYPE bitvelocity.column_reference;
CREATE FUNCTION bitvelocity.column_reference_in(cstring) RETURNS bitvelocity.column_reference
    LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_column_reference_in';
COMMENT ON FUNCTION bitvelocity.column_reference_in(cstring) IS 'Input of column_reference: schema.table.column';
CREATE FUNCTION bitvelocity.column_reference_out(bitvelocity.column_reference) RETURNS cstring
    LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_column_reference_out';
COMMENT ON FUNCTION bitvelocity.column_reference_out(bitvelocity.column_reference) IS
    'Output of column_reference: schema.table.column, or - where it is gone';
CREATE TYPE bitvelocity.column_reference (
    INPUT = bitvelocity.column_reference_in, OUTPUT = bitvelocity.column_reference_out,
    INTERNALLENGTH = 8, ALIGNMENT = int4, STORAGE = plain);
COMMENT ON TYPE bitvelocity.column_reference IS 'A column of a table, dumped by name';
CREATE FUNCTION bitvelocity.column_reference(relation regclass, number smallint)
    RETURNS bitvelocity.column_reference
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_column_reference';
COMMENT ON FUNCTION bitvelocity.column_reference(regclass, smallint) IS 'The column of that number';
CREATE FUNCTION bitvelocity.column_number(bitvelocity.column_reference) RETURNS smallint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_column_number';
COMMENT ON FUNCTION bitvelocity.column_number(bitvelocity.column_reference) IS 'The number of the column in its table';
CREATE CAST (bitvelocity.column_reference AS smallint) WITH FUNCTION bitvelocity.column_number(bitvelocity.column_reference);
COMMENT ON CAST (bitvelocity.column_reference AS smallint) IS 'The number of the column in its table';

-- Audited tables; key_names are columns of the trail. Written by the server only, as the extension's owner.

CREATE TABLE bitvelocity.audit_table (
    relation regclass PRIMARY KEY,
    trail regclass NOT NULL UNIQUE,
    mode text NOT NULL CHECK (mode IN ('sync')),
    columns text NOT NULL CHECK (columns IN ('all', 'changed')),
    key_columns bitvelocity.column_reference[] NOT NULL,
    key_names name[] NOT NULL,
    exclude bitvelocity.column_reference[] NOT NULL,
    redact bitvelocity.column_reference[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bitvelocity.audit_table IS 'Audited tables, their trails and how their rows are recorded';

-- The triggers' functions anybody may attach: they find out by the table what they may do. They set
-- no search_path, because they run for every row and look nothing up by name.
CREATE FUNCTION bitvelocity.audit_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'bitvelocity_audit_row';
COMMENT ON FUNCTION bitvelocity.audit_row() IS
    'Row trigger of audited tables: writes the trail as its owner';

CREATE FUNCTION bitvelocity.audit_truncate() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'bitvelocity_audit_truncate';
COMMENT ON FUNCTION bitvelocity.audit_truncate() IS
    'Statement trigger of audited tables: records a TRUNCATE in the trail';

CREATE FUNCTION bitvelocity.audit_stamp() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'bitvelocity_audit_stamp';
COMMENT ON FUNCTION bitvelocity.audit_stamp() IS
    'Row trigger of add_audit_columns(): keeps updated_at, updated_by, version and deleted_by';

CREATE FUNCTION bitvelocity.audit_soft_delete() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'bitvelocity_audit_soft_delete';
COMMENT ON FUNCTION bitvelocity.audit_soft_delete() IS
    'Row trigger of add_audit_columns(soft_delete => true): a DELETE sets deleted_at';

CREATE FUNCTION bitvelocity.current_actor() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'bitvelocity_current_actor';
COMMENT ON FUNCTION bitvelocity.current_actor() IS
    'The actor that set_context() named, else the session user';

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.audit_table',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)
     AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = trail)');
