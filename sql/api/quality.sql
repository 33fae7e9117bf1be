-- Quality: verbs and what is read. C++ in src/quality.

CREATE OR REPLACE FUNCTION bitvelocity.add_quality_rule(
    target regclass,
    rule_type text,
    column_name text DEFAULT NULL,
    config jsonb DEFAULT '{}',
    severity text DEFAULT 'ERROR',
    name text DEFAULT NULL,
    mostly numeric DEFAULT 1,
    filter text DEFAULT NULL,
    tags text[] DEFAULT '{}')
RETURNS uuid
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_add_quality_rule';
COMMENT ON FUNCTION bitvelocity.add_quality_rule IS
    'Adds a rule to a table: NOT_NULL, RANGE {min, max, min_inclusive, max_inclusive}, PATTERN {regex, negate}, REFERENCE {table, column}; severity ERROR, WARNING or INFO';
REVOKE ALL ON FUNCTION bitvelocity.add_quality_rule FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.alter_quality_rule(
    target regclass,
    name text,
    config jsonb DEFAULT NULL,
    severity text DEFAULT NULL,
    mostly numeric DEFAULT NULL,
    filter text DEFAULT NULL,
    tags text[] DEFAULT NULL,
    is_active boolean DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_alter_quality_rule';
COMMENT ON FUNCTION bitvelocity.alter_quality_rule IS
    'Changes a rule; what is NULL stays as it is, an empty filter removes the filter';
REVOKE ALL ON FUNCTION bitvelocity.alter_quality_rule FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.drop_quality_rule(target regclass, name text)
RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_drop_quality_rule';
COMMENT ON FUNCTION bitvelocity.drop_quality_rule IS 'Drops a rule and the results of its checks';
REVOKE ALL ON FUNCTION bitvelocity.drop_quality_rule FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.quality_success_rate(record_count bigint, failed_count bigint)
RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN record_count = 0 OR failed_count = 0 THEN 100
                ELSE least(trunc(100::numeric * (record_count - failed_count) / record_count, 4), 99.9999)
           END
$$;
COMMENT ON FUNCTION bitvelocity.quality_success_rate IS
    'Percentage of rows that passed, cut after four digits: 100 only where none failed';

CREATE OR REPLACE FUNCTION bitvelocity.quality_sample_add(
    state internal, row_key jsonb, row_value jsonb, max_samples integer)
RETURNS internal
LANGUAGE c IMMUTABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_quality_sample_add';
COMMENT ON FUNCTION bitvelocity.quality_sample_add IS 'Transition of the aggregate quality_sample';

CREATE OR REPLACE FUNCTION bitvelocity.quality_sample_final(state internal)
RETURNS jsonb
LANGUAGE c IMMUTABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_quality_sample_final';
COMMENT ON FUNCTION bitvelocity.quality_sample_final IS 'Result of the aggregate quality_sample';

CREATE OR REPLACE AGGREGATE bitvelocity.quality_sample(
    row_key jsonb, row_value jsonb, max_samples integer) (
    SFUNC = bitvelocity.quality_sample_add,
    STYPE = internal,
    FINALFUNC = bitvelocity.quality_sample_final
);
COMMENT ON AGGREGATE bitvelocity.quality_sample(jsonb, jsonb, integer) IS
    'The first max_samples rows as [{"key": ..., "value": ...}]';

CREATE OR REPLACE VIEW bitvelocity.quality_outcome AS
SELECT s.run_id, s.check_id, s.checked_at, r.rule_id, r.relation, r.name, r.rule_type,
       r.column_name, r.severity, s.record_count, s.failed_count, s.success_rate,
       s.failed_count <= (1 - r.mostly) * s.record_count AS passed, s.sample_failures
FROM bitvelocity.data_quality_results s
JOIN bitvelocity.data_quality_rules r USING (rule_id);
COMMENT ON VIEW bitvelocity.quality_outcome IS 'Results of checks with the rules they belong to';
REVOKE ALL ON bitvelocity.quality_outcome FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.check_quality(
    target regclass,
    filter text DEFAULT NULL,
    OUT name text,
    OUT rule_type text,
    OUT column_name text,
    OUT severity text,
    OUT record_count bigint,
    OUT failed_count bigint,
    OUT success_rate numeric,
    OUT passed boolean,
    OUT sample_failures jsonb,
    OUT rule_id uuid,
    OUT check_id uuid)
RETURNS SETOF record
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_check_quality';
COMMENT ON FUNCTION bitvelocity.check_quality IS
    'Evaluates all active rules of a table in one scan, stores the results and returns them';
REVOKE ALL ON FUNCTION bitvelocity.check_quality FROM PUBLIC;

CREATE OR REPLACE PROCEDURE bitvelocity.run_quality(target regclass, on_failure text DEFAULT 'report')
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_run_quality';
COMMENT ON PROCEDURE bitvelocity.run_quality IS
    'Checks a table; with on_failure raise an ERROR rule that did not pass is an error (23514), and its results are not kept';
REVOKE ALL ON PROCEDURE bitvelocity.run_quality FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.quality_verdict(
    row_value anyelement,
    OUT verdict text,
    OUT score numeric,
    OUT issues text[])
LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_quality_verdict';
COMMENT ON FUNCTION bitvelocity.quality_verdict IS
    'Judges one row by the active rules of its table: verdict pass, warn or fail; score 0 to 1; names of the failed rules';

CREATE OR REPLACE FUNCTION bitvelocity.quality_report(
    target regclass,
    OUT name text,
    OUT rule_type text,
    OUT column_name text,
    OUT severity text,
    OUT record_count bigint,
    OUT failed_count bigint,
    OUT success_rate numeric,
    OUT passed boolean,
    OUT checked_at timestamptz,
    OUT sample_failures jsonb)
RETURNS SETOF record
LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bitvelocity_quality_report';
COMMENT ON FUNCTION bitvelocity.quality_report IS
    'The latest result of every active rule of a table; a rule that was never checked has no counts';
REVOKE ALL ON FUNCTION bitvelocity.quality_report FROM PUBLIC;
