-- Every kind of value: what the encoders make of it must equal to_jsonb.
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'ok "really"', 'happy');
CREATE DOMAIN positive AS numeric(8, 2) CHECK (VALUE > 0);
CREATE DOMAIN tags AS text[];
CREATE TYPE inner_pair AS (x int, "say ""y""" text, at timestamptz);
CREATE TYPE outer_pair AS (p inner_pair, list inner_pair[], m mood, d positive);
CREATE TABLE every (
    id bigint PRIMARY KEY,
    b bool, i2 int2, i4 int4, f4 float4, f8 float8, n numeric, n2 numeric(12, 3), m money,
    c "char", bp char(5), vc varchar(20), t text, nm name, u uuid, by bytea, x xml,
    d date, ti time, ti3 time(3), tz timetz, ts timestamp, ts3 timestamp(3), tstz timestamptz, iv interval,
    j json, jb jsonb, bit1 bit(1), bits bit(7), vb varbit,
    ip inet, cd cidr, mac macaddr, pt point, bx box, r int4range, mr int4multirange, tr tstzrange,
    tsv tsvector, lsn pg_lsn, o oid, rc regclass, i2v int2vector, ov oidvector,
    ai int[], at text[], ab box[], aj jsonb[], an numeric[], atz timestamptz[], ad positive[], am mood[],
    md mood, dom positive, domarr tags, comp outer_pair, acomp inner_pair[], h hstore, ah hstore[]
);
SELECT listen('every');
SELECT start();
INSERT INTO every VALUES (1,
    true, -32768, 2147483647, 1.5, 1e-300, 12345678901234567890.12345678901234567890, 1.5, 1234.56,
    'a', 'ab', 'v "q" \ ü', E'line\nbreak\ttab \u0001 😀', 'n', '550e8400-e29b-41d4-a716-446655440000',
    '\x00ff10', '<a b="c"/>',
    '2024-02-29', '04:05:06.789', '04:05:06.789', '04:05:06+02:30', '2024-01-15 10:30:00', '2024-01-15 10:30:00.123',
    '2024-01-15 10:30:00.123456+02', '1 year 2 mons -3 days 04:05:06.78',
    '{"a" : [1, 2.50, "x\u00e9"], "a": null}', '{"b": {"c": [true, null, 1e5]}}', '1', '1000001', '101',
    '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '(1.5,-2)', '(1,1),(0,0)', '[1,5)', '{[1,3),[5,7)}',
    '["2024-01-15 10:30:00+00",infinity)', 'a fat cat', '16/B374D848', 7, 'pg_class', '1 2', '3 4',
    '{1,NULL,3}', '{a,"b c","d\"e\\f","NULL","",NULL}', '{(1,1),(0,0);(2,2),(1,1)}', ARRAY['{"a": 1}', '[2]']::jsonb[],
    '{1.10,NaN}', '{"2024-01-15 10:30:00+02",infinity}', '{1.00,2.50}', '{sad,"ok \"really\"",NULL}',
    'ok "really"', 3.10, '{p,q}',
    ROW(ROW(1, 'a "b" \c, (d)', '2024-01-15 10:30:00+02'), ARRAY[ROW(2, NULL, NULL)::inner_pair, NULL], 'happy', 1),
    ARRAY[ROW(1, '', '-infinity')::inner_pair], 'a=>1, "b \"c"=>NULL', ARRAY['x=>y'::hstore]);
INSERT INTO every (id) VALUES (2);
INSERT INTO every (id, f4, f8, n, d, ts, ts3, tstz, iv, ai, at, t, jb, h, comp, ti, tz) VALUES
    (3, 'NaN', 'Infinity', 'NaN', 'infinity', 'infinity', '-infinity', '-infinity', '-04:05:06', '{}', '{}', '', '"text"', '', ROW(NULL, '{}', NULL, NULL), '24:00:00', '00:00:00-15:59'),
    (4, '-Infinity', '-Infinity', 'Infinity', '0044-03-15 BC', '0044-03-15 10:30:00 BC', '9999-12-31 23:59:59.999', '4713-12-31 23:59:59.999999 BC', '0', '[0:1]={5,6}', '{{a,b},{c,NULL}}', ' ', '1.50', '"a"=>""', NULL, '00:00:00', '12:00:00+00:00:30'),
    (5, 3.4e38, 1.7976931348623157e308, -0.000000000000000000001, '5874897-12-31', '21016-11-04 11:51:30', '1969-12-31 23:59:59.999', '21016-11-04 11:51:30+00', '178000000 years', '{{{1}},{{2}}}', '{"{","}",",","\"","\\"}', repeat('x', 5000), '[]', '"=>"=>"=>"', ROW(ROW(NULL, NULL, NULL), NULL, 'sad', NULL), '23:59:59.999999', '23:59:59.999999-00:30');
