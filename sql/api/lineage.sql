-- Lineage: written by the server, read through lineage_of. Pure SQL.

CREATE OR REPLACE FUNCTION bitvelocity.lineage_name(relation regclass)
RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation
$$;
COMMENT ON FUNCTION bitvelocity.lineage_name IS 'The name of a table in data_lineage: schema.table';

CREATE OR REPLACE FUNCTION bitvelocity.record_lineage(
    source regclass, target regclass, transformation_type text, config jsonb DEFAULT '{}')
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO bitvelocity.data_lineage
        (source_dataset, target_dataset, transformation_type, transformation_config)
    VALUES (bitvelocity.lineage_name(source), bitvelocity.lineage_name(target),
            transformation_type, config)
    ON CONFLICT (source_dataset, target_dataset, transformation_type)
    DO UPDATE SET transformation_config = excluded.transformation_config, created_at = now()
$$;
COMMENT ON FUNCTION bitvelocity.record_lineage IS
    'Adds a direct edge; for the functions that make datasets, which run it as the extension''s owner';
REVOKE ALL ON FUNCTION bitvelocity.record_lineage FROM PUBLIC;

CREATE OR REPLACE FUNCTION bitvelocity.lineage_of(
    dataset text,
    direction text DEFAULT 'upstream',
    OUT distance integer,
    OUT source_dataset text,
    OUT target_dataset text,
    OUT transformation_type text,
    OUT transformation_config jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start text;
BEGIN
    IF direction NOT IN ('upstream', 'downstream') THEN
        RAISE EXCEPTION 'unknown direction "%"', direction
            USING ERRCODE = '22023', HINT = 'Known directions are downstream and upstream.';
    END IF;
    SELECT s INTO start FROM (
        SELECT l.source_dataset FROM bitvelocity.data_lineage l
        UNION SELECT l.target_dataset FROM bitvelocity.data_lineage l) names(s)
    WHERE s = dataset OR split_part(s, '.', 2) = dataset
       OR s = (SELECT bitvelocity.dataset_table(dataset))
    ORDER BY s = (SELECT bitvelocity.dataset_table(dataset)) DESC NULLS LAST, s = dataset DESC, s
    LIMIT 1;
    RETURN QUERY
    WITH RECURSIVE edge AS (
        SELECT 1 AS distance, l.source_dataset, l.target_dataset, l.transformation_type,
               l.transformation_config, ARRAY[l.lineage_id] AS path
        FROM bitvelocity.data_lineage l
        WHERE start = CASE direction WHEN 'upstream' THEN l.target_dataset ELSE l.source_dataset END
        UNION ALL
        SELECT e.distance + 1, l.source_dataset, l.target_dataset, l.transformation_type,
               l.transformation_config, e.path || l.lineage_id
        FROM edge e JOIN bitvelocity.data_lineage l
          ON CASE direction WHEN 'upstream' THEN l.target_dataset = e.source_dataset
                            ELSE l.source_dataset = e.target_dataset END
        WHERE NOT l.lineage_id = ANY (e.path)
    )
    SELECT DISTINCT ON (e.source_dataset, e.target_dataset, e.transformation_type)
           e.distance, e.source_dataset, e.target_dataset, e.transformation_type,
           e.transformation_config
    FROM edge e
    ORDER BY e.source_dataset, e.target_dataset, e.transformation_type, e.distance;
END
$$;
COMMENT ON FUNCTION bitvelocity.lineage_of IS
    'All edges that lead to (upstream) or from (downstream) a dataset or table, with their distance';
REVOKE ALL ON FUNCTION bitvelocity.lineage_of FROM PUBLIC;
