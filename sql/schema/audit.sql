-- Audited tables. Column numbers are those of the audited table, so that a renamed column stays what
-- it was; key_names are columns of the trail. Written by the server only, as the extension's owner.

CREATE TABLE bitvelocity.audit_table (
    relation regclass PRIMARY KEY,
    trail regclass NOT NULL UNIQUE,
    mode text NOT NULL CHECK (mode IN ('sync')),
    columns text NOT NULL CHECK (columns IN ('all', 'changed')),
    key_columns int2[] NOT NULL,
    key_names name[] NOT NULL,
    exclude int2[] NOT NULL,
    redact int2[] NOT NULL,
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

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.audit_table', '');
