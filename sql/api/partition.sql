-- Partitions: handing a table over, and how all of them are.

CREATE OR REPLACE FUNCTION bitvelocity.partition_table(
    target regclass, control name, every interval = '1 month', premake int = 4,
    retention interval = NULL, default_partition boolean = true, since timestamptz = NULL,
    until timestamptz = NULL)
    RETURNS void
    LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'bitvelocity_partition_table';
COMMENT ON FUNCTION bitvelocity.partition_table(regclass, name, interval, int, interval, boolean, timestamptz, timestamptz) IS
    'Partitions a RANGE-partitioned or empty table by time through pg_partman; since, until: partitions of the past besides those around now';
REVOKE ALL ON FUNCTION
    bitvelocity.partition_table(regclass, name, interval, int, interval, boolean, timestamptz, timestamptz) FROM PUBLIC;

CREATE OR REPLACE VIEW bitvelocity.partition_status AS
SELECT s.relation::pg_catalog.regclass AS relation,
       s.managed_by,
       a.attname AS control,
       s.every,
       s.premake,
       s.retention,
       p.partitions,
       p.oldest_bound,
       p.newest_bound,
       p.has_default,
       s.last_run,
       s.last_error
FROM bitvelocity.partition_set s
JOIN pg_catalog.pg_partitioned_table t ON t.partrelid OPERATOR(pg_catalog.=) s.relation
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) s.relation
    AND a.attnum OPERATOR(pg_catalog.=) t.partattrs[0]
CROSS JOIN LATERAL (
    SELECT pg_catalog.count(*) AS partitions,
           pg_catalog.min(b.lower) AS oldest_bound,
           pg_catalog.max(b.upper) AS newest_bound,
           COALESCE(pg_catalog.bool_or(b.bound OPERATOR(pg_catalog.=) 'DEFAULT'), false) AS has_default
    FROM (
        SELECT x.bound,
               pg_catalog.substring(x.bound, $$FROM \('([^']+)'\)$$)::pg_catalog.timestamptz AS lower,
               pg_catalog.substring(x.bound, $$TO \('([^']+)'\)$$)::pg_catalog.timestamptz AS upper
        FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid
        CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound) x
        WHERE i.inhparent OPERATOR(pg_catalog.=) s.relation
    ) b
) p;
COMMENT ON VIEW bitvelocity.partition_status IS
    'Partitioned tables in the server''s care: bounds, premake, retention and the last maintenance';
GRANT SELECT ON bitvelocity.partition_status TO pg_monitor;
