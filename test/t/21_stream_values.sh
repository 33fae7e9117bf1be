#!/usr/bin/env bash
# Every type: raw_payload is to_jsonb of the row under the pinned settings, whatever the database, the role or
# the session says; the same for the rows that existed before.
. "$(dirname "$0")/../check/script.sh"
. "$(dirname "$0")/../check/stream.sh"
server a
sql -c "ALTER DATABASE postgres SET timezone = 'Asia/Kathmandu'" \
    -c "ALTER DATABASE postgres SET datestyle = 'German, DMY'" \
    -c "ALTER DATABASE postgres SET intervalstyle = 'iso_8601'" \
    -c "ALTER DATABASE postgres SET bytea_output = 'escape'" \
    -c "ALTER DATABASE postgres SET extra_float_digits = -5" \
    -c "ALTER DATABASE postgres SET search_path = 'elsewhere', 'public'" \
    -c "ALTER DATABASE postgres SET lc_monetary = 'C'" \
    -c "ALTER DATABASE postgres SET xmloption = 'document'" \
    -c "ALTER ROLE postgres SET timezone = 'Pacific/Chatham'" \
    -c "CREATE EXTENSION bitvelocity"
for extension in hstore citext ltree cube isn; do
    sql -c "CREATE EXTENSION $extension SCHEMA public" 2>/dev/null || echo "# no $extension"
done

sql >/dev/null <<'SQL'
CREATE SCHEMA elsewhere;
SET search_path = public;
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'glücklich');
CREATE TYPE elsewhere.mood AS ENUM ('other');
CREATE TYPE point3 AS (x float8, y numeric, label text);
CREATE TYPE nested AS (p point3, list int[], at timestamptz, m mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN words AS text[] CHECK (array_length(VALUE, 1) > 0);
CREATE DOMAIN stamped AS timestamptz;
CREATE DOMAIN positive_of_positive AS positive;
CREATE TYPE floats AS RANGE (subtype = float8);
-- Values of each type, written as literals; every one becomes a row of a table of that type.
CREATE TABLE sample (type text, literal text);
INSERT INTO sample SELECT t, unnest(l) FROM (VALUES
    ('boolean', ARRAY['t', 'f']),
    ('smallint', ARRAY['-32768', '32767']), ('int', ARRAY['-2147483648', '0']), ('bigint', ARRAY['9223372036854775807', '-1']),
    ('real', ARRAY['0.1', '-0', 'NaN', 'Infinity', '-Infinity', '1e-45', '3.4028235e38', '1e10', '123456.7']),
    ('float8', ARRAY['0.1', '-0', 'NaN', 'inf', '-inf', '5e-324', '1.7976931348623157e308', '1e15', '1e16', '0.30000000000000004', '100']),
    ('numeric', ARRAY['0', '0.00', '1.50', '-0.001', 'NaN', 'Infinity', '-Infinity', '1e-30', '1e40',
        '123456789012345678901234567890.123456789012345678901234567890']),
    ('numeric(10,2)', ARRAY['1.5', '-99999999.99']),
    ('money', ARRAY['1234.56', '-0.01']),
    ('text', ARRAY['', ' ', 'plain', E'quote" back\\ tab\t newline\n bell\x07 del\x7f', 'Grüße 世界 🦆', U&'\2028\FFFF\0301', '<&>/']),
    ('varchar(10)', ARRAY['', 'abc  ']), ('char(5)', ARRAY['', 'ab']), ('"char"', ARRAY['a', '\377', '']), ('name', ARRAY['x', 'Ä']),
    ('bytea', ARRAY['\x', '\x00ff5c', '\xdeadbeef']),
    ('date', ARRAY['2024-02-29', '0044-03-15 BC', 'infinity', '-infinity', '10000-01-01', '5874897-12-31', '4713-01-01 BC']),
    ('time', ARRAY['00:00', '24:00', '23:59:59.999999']), ('time(0)', ARRAY['12:00:00.7']), ('timetz', ARRAY['12:00+05:45', '00:00:00.1-15:59']),
    ('timestamp', ARRAY['2024-02-29 12:34:56.7', '2024-01-01', '0001-01-01 BC', 'infinity', '-infinity', '294276-12-31 23:59:59.999999', '4713-01-01 BC', '1999-12-31 23:59:59.000001']),
    ('timestamptz', ARRAY['2024-02-29 12:34:56.7+03', '2024-07-01 00:00-11', '0001-01-01 00:00 BC', 'infinity', '-infinity', '294276-12-31 23:59:59.999999+00', '12345-01-01', '1900-01-01 00:00+00', '0999-01-01 00:00+00']),
    ('interval', ARRAY['0', '1 year 2 mons -3 days 04:05:06.7', '-1 year', '178000000 years', '-00:00:00.000001']),
    ('uuid', ARRAY['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11']),
    ('json', ARRAY['{"b": 1,  "a": [1, 2.50, null], "a": 2}', '"x"', 'null', '1e3', '[]']),
    ('jsonb', ARRAY['{"b": 1, "a": [1, 2.50, null], "long key": {}}', '"\"\\ \u00e9"', 'null', '1e3', '[]', '-0.0', '12345678901234567890.12345']),
    ('jsonpath', ARRAY['$.a[*] ? (@ > 1)']), ('xml', ARRAY['<a>x</a>', 'text only']),
    ('inet', ARRAY['10.0.0.1', '10.0.0.1/8', '::1', 'fe80::1/64']), ('cidr', ARRAY['10.0.0.0/8', '2001:db8::/32']),
    ('macaddr', ARRAY['08:00:2b:01:02:03']), ('macaddr8', ARRAY['08:00:2b:01:02:03:04:05']),
    ('bit(4)', ARRAY['1010']), ('varbit', ARRAY['', '101']),
    ('point', ARRAY['(1.1,-2)', '(NaN,Infinity)']), ('line', ARRAY['{1,2,3}']), ('lseg', ARRAY['((1,2),(3,4))']), ('box', ARRAY['((1,2),(3,4))']),
    ('path', ARRAY['[(1,2),(3,4)]', '((1,2),(3,4))']), ('polygon', ARRAY['((1,2),(3,4),(5,6))']), ('circle', ARRAY['<(1,2),0.1>']),
    ('tsvector', ARRAY['''a'':1A ''b c'':2,3']), ('tsquery', ARRAY['a & !b', 'a <-> b']),
    ('int4range', ARRAY['[1,5)', 'empty', '(,)', '[1,5]']), ('numrange', ARRAY['(1.50,2.0]']), ('daterange', ARRAY['[2024-01-01,infinity]', '[0044-03-15 BC,)']),
    ('tstzrange', ARRAY['[2024-01-01 00:00+02,2024-07-01 00:00+02)', '[,infinity)']), ('tsrange', ARRAY['[2024-01-01 01:02:03.4,)']),
    ('int4multirange', ARRAY['{}', '{[1,3),[5,7)}']), ('tstzmultirange', ARRAY['{[2024-01-01 00:00+02,2024-02-01 00:00+02)}']), ('floats', ARRAY['[0.1,NaN]']),
    ('int[]', ARRAY['{}', '{1,NULL,3}', '{{1,2},{3,4}}', '[0:1]={7,8}']),
    ('text[]', ARRAY['{}', '{"",NULL,"NULL","a b","c,d","e\"f","g\\h","{i}"}', '{{"x"},{"ü"}}']),
    ('numeric[]', ARRAY['{1.50,NaN,Infinity}']), ('float8[]', ARRAY['{0.1,NaN,-Infinity,-0}']), ('boolean[]', ARRAY['{t,f,NULL}']),
    ('timestamptz[]', ARRAY['{2024-02-29 12:00+03,infinity,"0001-01-01 00:00 BC"}']), ('date[]', ARRAY['{infinity,"0044-03-15 BC"}']), ('bytea[]', ARRAY['{"\\xdead","\\x"}']),
    ('jsonb[]', ARRAY['{"{\"a\": 1}","null",NULL}']), ('json[]', ARRAY['{"{\"a\": 1, \"a\": 2}"}']), ('box[]', ARRAY['{(3,4),(1,2);(7,8),(5,6)}']), ('interval[]', ARRAY['{1 day,"-1 year 3 days"}']), ('money[]', ARRAY['{1.50,-2}']),
    ('mood', ARRAY['sad', 'it''s "ok"', 'glücklich']), ('mood[]', ARRAY['{sad,"it''s \"ok\"",NULL}']), ('elsewhere.mood', ARRAY['other']),
    ('point3', ARRAY['(0.1,1.50,"a ""b"", (c)")', '(NaN,Infinity,)', '(,,"")', '(1,2,)']), ('point3[]', ARRAY['{"(1,2.50,x)",NULL,"(,,)"}']),
    ('nested', ARRAY['("(1,2.0,""l"")","{1,NULL}","2024-01-01 00:00+05:45",sad)', '(,,,)', '(,{},infinity,"it''s ""ok""")']),
    ('positive', ARRAY['7']), ('positive_of_positive', ARRAY['8']), ('words', ARRAY['{a,"b c"}']), ('stamped', ARRAY['2024-01-01 00:00+05:45', 'infinity']), ('positive[]', ARRAY['{1,2}']), ('stamped[]', ARRAY['{2024-01-01 00:00+05:45}']),
    ('regclass', ARRAY['sample', 'pg_class', '0', '987654']), ('regproc', ARRAY['now', '-']), ('regtype', ARRAY['int4', 'mood', 'elsewhere.mood', 'text[]']),
    ('regrole', ARRAY['postgres']), ('regnamespace', ARRAY['elsewhere']), ('regprocedure', ARRAY['sin(float8)']), ('regoperator', ARRAY['+(int4,int4)']), ('regclass[]', ARRAY['{sample,pg_class}']),
    ('oid', ARRAY['4294967295']), ('xid', ARRAY['7']), ('xid8', ARRAY['18446744073709551615']), ('cid', ARRAY['3']), ('tid', ARRAY['(1,2)']), ('pg_lsn', ARRAY['16/B374D848']), ('oidvector', ARRAY['1 2', '']), ('int2vector', ARRAY['1 2']),
    ('txid_snapshot', ARRAY['10:20:10,14']), ('pg_snapshot', ARRAY['10:20:10,14']), ('refcursor', ARRAY['c']),
    ('hstore', ARRAY['', 'a=>1, "b c"=>NULL, d=>"x\"y"']), ('hstore[]', ARRAY['{"a=>1"}']), ('citext', ARRAY['MiXed']), ('ltree', ARRAY['a.b.c']), ('cube', ARRAY['(1,2),(3,4)']), ('isbn13', ARRAY['978-0-393-04002-9'])
    ) v(t, l) WHERE to_regtype(t) IS NOT NULL;
CREATE FUNCTION expected(target regclass) RETURNS TABLE (id int, wanted jsonb) LANGUAGE plpgsql
    SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 3 SET bytea_output = 'hex'
    SET lc_monetary = 'C' SET search_path = pg_catalog SET xmloption = 'content'
    AS $$ BEGIN RETURN QUERY EXECUTE format('SELECT t.id, to_jsonb(t) FROM %s t', target); END $$;
CREATE TABLE type_table AS SELECT format('v%s', row_number() OVER (ORDER BY type))::name AS name, type FROM sample GROUP BY type;
-- Half of the rows exist before the stream.
DO $$ DECLARE t record; r record; BEGIN
    SET xmloption = 'content';
    FOR t IN SELECT * FROM type_table LOOP
        EXECUTE format('CREATE TABLE %I (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v %s, filler text DEFAULT ''x'')', t.name, t.type);
        EXECUTE format('ALTER TABLE %I REPLICA IDENTITY FULL', t.name);
        FOR r IN SELECT * FROM sample WHERE type = t.type LOOP
            EXECUTE format('INSERT INTO %I (v) VALUES (%L)', t.name, r.literal);
        END LOOP;
        EXECUTE format('INSERT INTO %I (v) VALUES (NULL)', t.name);
        PERFORM bitvelocity.create_bronze(t.name::text::regclass, 'public.bronze_' || t.name);
    END LOOP;
END $$;
SQL
echo "# $(sql -c "SELECT count(*) FROM type_table") types, $(sql -c "SELECT count(*) FROM sample") values"
check "the stream starts" synced
sql >/dev/null <<'SQL'
SET search_path = public;
SET xmloption = 'content';
SET timezone = 'America/New_York';
SET datestyle = 'SQL, MDY';
SET extra_float_digits = 0;
DO $$ DECLARE t record; r record; BEGIN
    FOR t IN SELECT * FROM type_table LOOP
        FOR r IN SELECT * FROM sample WHERE type = t.type LOOP
            EXECUTE format('INSERT INTO %I (v) VALUES (%L)', t.name, r.literal);
        END LOOP;
        EXECUTE format('UPDATE %I SET filler = ''y'' WHERE id > %s', t.name, (SELECT count(*) + 1 FROM sample WHERE type = t.type));
    END LOOP;
END $$;
SQL
check "everything arrives" synced

# The values of all types whose events of an operation differ from to_jsonb of the row, to the letter.
differing() { # operation column
    sql <<SQL
SET search_path = public;
CREATE TEMP TABLE differing (type text, value text, wanted text);
DO \$\$ DECLARE t record; BEGIN
    FOR t IN SELECT * FROM type_table LOOP
        EXECUTE format('INSERT INTO differing SELECT %L, b.$2->''v'', e.wanted->''v'' FROM %I b LEFT JOIN expected(%L) e
            ON e.id = (b.$2->>''id'')::int WHERE b.operation_type = %L AND (b.$2->''v'')::text IS DISTINCT FROM (e.wanted->''v'')::text',
            t.type, 'bronze_' || t.name, t.name, '$1');
    END LOOP;
END \$\$;
SELECT format('%s: %s instead of %s', type, value, wanted) FROM differing LIMIT 40;
SQL
}
empty "rows that existed before: raw_payload = to_jsonb(row)" differing READ raw_payload
empty "inserted rows: raw_payload = to_jsonb(row)" differing INSERT raw_payload
empty "updated rows: raw_payload = to_jsonb(row)" differing UPDATE raw_payload
empty "updated rows: before_payload = to_jsonb(row before)" differing UPDATE before_payload
is "every row has its event" "$(sql <<'SQL'
SET search_path = public;
DO $$ DECLARE t record; n bigint[]; wanted bigint; total bigint := 0; BEGIN
    FOR t IN SELECT * FROM type_table LOOP
        SELECT count(*) INTO wanted FROM sample WHERE type = t.type;
        EXECUTE format('SELECT ARRAY[count(*) FILTER (WHERE operation_type = ''READ''), count(*) FILTER (WHERE operation_type = ''INSERT''), count(*) FILTER (WHERE operation_type = ''UPDATE'')] FROM %I', 'bronze_' || t.name) INTO n;
        IF n <> ARRAY[wanted + 1, wanted, wanted] THEN RAISE WARNING '% has %', t.type, n; END IF;
        total := total + 1;
    END LOOP;
END $$;
SELECT 'done';
SQL
)" done

# A whole row of many columns at once, generated and dropped ones among them
sql >/dev/null <<'SQL'
SET search_path = public;
CREATE TABLE wide (id int PRIMARY KEY, gone int, a timestamptz[] DEFAULT '{2024-01-01 00:00+05:45}', b nested DEFAULT '(,,"2024-01-01 00:00+00",sad)',
    twice int GENERATED ALWAYS AS (id * 2) STORED, c numeric[] DEFAULT '{1.50}', "Ü ""q""" jsonb DEFAULT '{"a": 1.0}', empty text);
ALTER TABLE wide DROP gone;
INSERT INTO wide VALUES (1);
SELECT bitvelocity.create_bronze('wide', 'public.bronze_wide');
SQL
synced
sql -c "INSERT INTO public.wide VALUES (2)"
synced
is "a wide row, but for its generated columns" "$(sql -c "SELECT count(*) FROM public.bronze_wide b JOIN public.expected('public.wide') e
    ON e.id = (b.raw_payload->>'id')::int WHERE b.raw_payload::text = (e.wanted - 'twice')::text")" 2
finish
