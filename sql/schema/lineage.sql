-- Lineage: which table is made from which. Stored edges are direct; lineage_of walks them.

CREATE TABLE bitvelocity.data_lineage (
    lineage_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    source_dataset text NOT NULL,
    target_dataset text NOT NULL,
    transformation_type text NOT NULL,
    transformation_config jsonb NOT NULL DEFAULT '{}',
    dependency_level integer NOT NULL DEFAULT 1 CHECK (dependency_level = 1),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE (source_dataset, target_dataset, transformation_type)
);
CREATE INDEX data_lineage_target ON bitvelocity.data_lineage (target_dataset);
COMMENT ON TABLE bitvelocity.data_lineage IS
    'Direct edges between tables (schema.table), written by the functions that make datasets';
COMMENT ON COLUMN bitvelocity.data_lineage.dependency_level IS
    'Always 1: a stored edge is direct; lineage_of computes distances';
GRANT SELECT ON bitvelocity.data_lineage TO pg_monitor;

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.data_lineage', '');
