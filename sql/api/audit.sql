-- Audit: columns, trail, context, history.

CREATE OR REPLACE FUNCTION bitvelocity.add_audit_columns(
    target regclass, soft_delete boolean = false, optimistic_lock boolean = false) RETURNS void
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_add_audit_columns';
COMMENT ON FUNCTION bitvelocity.add_audit_columns(regclass, boolean, boolean) IS
    'Adds created_at/by, updated_at/by, version, deleted_at/by to a table and keeps them; existing rows keep NULL';
REVOKE ALL ON FUNCTION bitvelocity.add_audit_columns(regclass, boolean, boolean) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.enable_audit(
    target regclass, mode text = 'sync', columns text = 'all', exclude name[] = '{}',
    redact name[] = '{}', key_index boolean = true, retention interval = NULL) RETURNS regclass
    LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_enable_audit';
COMMENT ON FUNCTION bitvelocity.enable_audit(regclass, text, text, name[], name[], boolean, interval) IS
    'Records every change of a table in the trail <table>_audit beside it, which is returned';
REVOKE ALL ON FUNCTION bitvelocity.enable_audit(regclass, text, text, name[], name[], boolean, interval)
    FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.disable_audit(
    target regclass, drop_trail boolean = false) RETURNS void
    LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_disable_audit';
COMMENT ON FUNCTION bitvelocity.disable_audit(regclass, boolean) IS
    'Ends the audit of a table; the trail stays unless drop_trail';
REVOKE ALL ON FUNCTION bitvelocity.disable_audit(regclass, boolean) FROM PUBLIC;

-- No search_path: called by every transaction of an application, and looks nothing up by name.
CREATE OR REPLACE FUNCTION bitvelocity.set_context(
    actor text = NULL, correlation_id uuid = NULL, traceparent text = NULL,
    is_local boolean = true) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'bitvelocity_set_context';
COMMENT ON FUNCTION bitvelocity.set_context(text, uuid, text, boolean) IS
    'Says who acts, for this transaction (is_local) or session; what is NULL is unknown from here on';

CREATE OR REPLACE FUNCTION bitvelocity.audit_history(target regclass, key jsonb)
    RETURNS TABLE (audit_id bigint, operation_type text, operation_timestamp timestamptz,
                   operation_user text, changed_columns text[], old_values jsonb, new_values jsonb,
                   correlation_id uuid, transaction_id xid8, actor text, session_user_name text,
                   application_name text, traceparent text)
    LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_audit_history';
COMMENT ON FUNCTION bitvelocity.audit_history(regclass, jsonb) IS
    'What happened to one row of an audited table, oldest first; key: {"column": value} of the primary key';
REVOKE ALL ON FUNCTION bitvelocity.audit_history(regclass, jsonb) FROM PUBLIC;
