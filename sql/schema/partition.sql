-- Partitioned tables that the server looks after. managed_by 'pg_partman': made and maintained by
-- pg_partman, whose maintenance the server runs as the table's owner; 'bitvelocity': bronze and trail
-- tables, whose months the server makes itself. Written by the server only, as the extension's owner.

CREATE TABLE bitvelocity.partition_set (
    partition_set_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    relation regclass PRIMARY KEY,
    every interval NOT NULL DEFAULT '1 month',
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

SELECT pg_catalog.pg_extension_config_dump('bitvelocity.partition_set', '');
SELECT pg_catalog.pg_extension_config_dump('bitvelocity.partition_set_partition_set_id_seq', '');
