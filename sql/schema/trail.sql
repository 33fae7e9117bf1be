-- The trigger that numbers rows which anybody but the server inserts into a bronze table.

CREATE FUNCTION bitvelocity.bronze_sequence() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'bitvelocity_bronze_sequence';
COMMENT ON FUNCTION bitvelocity.bronze_sequence() IS
    'Row trigger of bronze tables: draws the row''s sequence number under the lock that makes sequence order commit order';
