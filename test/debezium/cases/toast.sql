-- Values that an update leaves alone and that the WAL therefore does not hold.
CREATE TABLE toasted (
    id int PRIMARY KEY, v int, t text, vc varchar, jb jsonb, j json, x xml, ci citext, by bytea, n numeric, m mood
);
CREATE TABLE toasted_hstore (id int PRIMARY KEY, v int, h hstore);
CREATE TABLE toasted_arrays (
    id int PRIMARY KEY, v int, at text[], ai int4[], ai8 int8[], ai2 int2[], au uuid[], am mood[], ad date[], af8 float8[], an numeric[], abo bool[], ats timestamp[], ajb jsonb[], aby bytea[], ah hstore[], avc varchar[], atz timestamptz[], ao oid[]
);
CREATE TABLE toasted_full (id int PRIMARY KEY, v int, t text);
CREATE TABLE toasted_not_null (id int PRIMARY KEY, v int, t text NOT NULL, by bytea NOT NULL);
ALTER TABLE toasted_full REPLICA IDENTITY FULL;
DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT attrelid::regclass AS r, attname FROM pg_attribute a JOIN pg_class k ON k.oid = attrelid
             WHERE relname LIKE 'toasted%' AND relkind = 'r' AND attnum > 0 AND attstorage IN ('x', 'm') LOOP
        EXECUTE format('ALTER TABLE %s ALTER %I SET STORAGE EXTERNAL', c.r, c.attname);
    END LOOP;
END $$;
CREATE FUNCTION long(n int) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(md5(i::text), '') FROM generate_series(1, n) i $$;
-- changes
INSERT INTO toasted VALUES (1, 1, long(100), long(100), to_jsonb(long(100)), to_json(long(100)), ('<a>' || long(100) || '</a>')::xml, long(100), decode(long(100), 'hex'), ('1' || repeat('7', 9000))::numeric, 'sad');
INSERT INTO toasted_hstore VALUES (1, 1, hstore('k', long(100)));
INSERT INTO toasted_arrays SELECT 1, 1, ARRAY[long(100)], array_agg(i), array_agg(i), array_agg(i), array_agg('550e8400-e29b-41d4-a716-446655440000'::uuid),
    array_agg('sad'::mood), array_agg('2024-01-01'::date), array_agg(i), array_agg(i), array_agg(true), array_agg('2024-01-01'::timestamp), ARRAY[to_jsonb(long(100))], ARRAY[decode(long(100), 'hex')],
    ARRAY[hstore('k', long(100))], ARRAY[long(100)], array_agg('2024-01-01 00:00+00'::timestamptz), array_agg(i) FROM generate_series(1, 3000) i;
INSERT INTO toasted_full VALUES (1, 1, long(100));
INSERT INTO toasted_not_null VALUES (1, 1, long(100), decode(long(100), 'hex'));
UPDATE toasted SET v = 2;
UPDATE toasted_hstore SET v = 2;
UPDATE toasted_arrays SET v = 2;
UPDATE toasted_full SET v = 2;
UPDATE toasted_not_null SET v = 2;
UPDATE toasted SET id = 2;
DELETE FROM toasted;
