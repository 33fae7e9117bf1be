-- Quality: rules and what checks found. Written by the server only (quality/rules.cpp, check.cpp), as
-- the owner of the extension; read through functions and views, because samples hold users' data.

CREATE TABLE bitvelocity.data_quality_rules (
    rule_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    table_name text NOT NULL,
    column_name text NOT NULL,
    rule_type text NOT NULL CHECK (rule_type IN ('NOT_NULL', 'RANGE', 'PATTERN', 'REFERENCE')),
    rule_config jsonb NOT NULL DEFAULT '{}',
    severity text NOT NULL DEFAULT 'ERROR' CHECK (severity IN ('ERROR', 'WARNING', 'INFO')),
    is_active boolean NOT NULL DEFAULT true,
    relation regclass NOT NULL,
    name text NOT NULL,
    mostly numeric NOT NULL DEFAULT 1 CHECK (mostly BETWEEN 0 AND 1),
    filter text,
    tags text[] NOT NULL DEFAULT '{}',
    owner regrole NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE (relation, name)
);
COMMENT ON TABLE bitvelocity.data_quality_rules IS
    'Quality rules; made by add_quality_rule, changed by alter_quality_rule and drop_quality_rule';
COMMENT ON COLUMN bitvelocity.data_quality_rules.table_name IS
    'schema.table as it was called when the rule was made; relation follows renames';
COMMENT ON COLUMN bitvelocity.data_quality_rules.mostly IS
    'Share of rows, 0 to 1, that must pass for the rule to pass as a whole';
COMMENT ON COLUMN bitvelocity.data_quality_rules.filter IS
    'Rows the rule applies to; NULL: all';

CREATE TABLE bitvelocity.data_quality_results (
    check_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    rule_id uuid NOT NULL REFERENCES bitvelocity.data_quality_rules ON DELETE CASCADE,
    run_id uuid NOT NULL,
    checked_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    record_count bigint NOT NULL,
    failed_count bigint NOT NULL,
    success_rate numeric NOT NULL,
    sample_failures jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX data_quality_results_rule ON bitvelocity.data_quality_results (rule_id, checked_at DESC);
CREATE INDEX data_quality_results_run ON bitvelocity.data_quality_results (run_id);
COMMENT ON TABLE bitvelocity.data_quality_results IS
    'One row per rule and check; success_rate is a percentage, cut after four digits';
COMMENT ON COLUMN bitvelocity.data_quality_results.run_id IS
    'Rules checked by the same scan have the same run';
COMMENT ON COLUMN bitvelocity.data_quality_results.sample_failures IS
    'Up to ten failing rows: [{"key": {...}, "value": ...}]';

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.data_quality_rules', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.data_quality_results', '');
