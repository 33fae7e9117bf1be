-- Logical messages, transactional and not.
CREATE TABLE beside_messages (id int PRIMARY KEY);
-- changes
SELECT pg_logical_emit_message(true, 'prefix', 'content ü');
SELECT pg_logical_emit_message(false, 'prefix', 'at once');
BEGIN; INSERT INTO beside_messages VALUES (1); SELECT pg_logical_emit_message(true, 'in a transaction', '\x00ff'::bytea); INSERT INTO beside_messages VALUES (2); COMMIT;
SELECT pg_logical_emit_message(true, '', '');
