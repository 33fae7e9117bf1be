-- Partitioned tables that the server looks after. managed_by 'pg_partman': pg_partman's own
-- configuration says how, and its maintenance runs as the table's owner; 'bitvelocity': bronze and
-- trail tables, whose months the server makes itself.

CREATE TABLE bitvelocity.partition_set (
    partition_set_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    relation oid PRIMARY KEY,
    premake integer NOT NULL DEFAULT 4 CHECK (premake >= 0),
    retention interval,
    managed_by text NOT NULL CHECK (managed_by IN ('pg_partman', 'bitvelocity')),
    last_run timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bitvelocity.partition_set IS 'Partitioned tables whose partitions are made ahead and dropped by the server';
COMMENT ON COLUMN bitvelocity.partition_set.premake IS 'Partitions made ahead of the running one';
COMMENT ON COLUMN bitvelocity.partition_set.retention IS 'Partitions wholly older than this are dropped; NULL: never';
