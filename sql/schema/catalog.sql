-- The schema's own rights. Tables are read through views; what changes something is revoked from
-- PUBLIC where it is made and granted by grant_admin(role).

GRANT USAGE ON SCHEMA bitvelocity TO PUBLIC;
COMMENT ON SCHEMA bitvelocity IS
    'bitvelocity: audit trails, partitions, change streams, medallion layers, quality, lineage';
