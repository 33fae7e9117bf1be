-- Arrays of everything; those that the connector leaves out stand in a table of their own.
CREATE TABLE arrays (
    id int PRIMARY KEY, b bool[], i2 int2[], i4 int4[], i8 int8[], o oid[], f4 float4[], f8 float8[], n numeric[], n52 numeric(5,2)[],
    t text[], vc varchar(5)[], bp char(3)[], ci citext[], u uuid[], j json[], jb jsonb[], by bytea[],
    d date[], ti time[], ti3 time(3)[], tz timetz[], ts timestamp[], ts3 timestamp(3)[], tstz timestamptz[],
    ip inet[], cd cidr[], mac macaddr[], r4 int4range[], r8 int8range[], rn numrange[], rts tsrange[], rtz tstzrange[], rd daterange[],
    m mood[], h hstore[], lt ltree[], nn int4[] NOT NULL
);
CREATE TABLE arrays_more (
    id int PRIMARY KEY, mo money[], nm name[], iv interval[], x xml[], p point[], bx box[], vb varbit[], bi bit(3)[], b1 bit[], tsv tsvector[], mac8 macaddr8[], c "char"[], l pg_lsn[]
);
CREATE TABLE vectors (id int PRIMARY KEY, i2v int2vector, ov oidvector);
CREATE TABLE dimensions (id int PRIMARY KEY, i4 int4[], t text[]);
CREATE TABLE bounds (id int PRIMARY KEY, i4 int4[]);
CREATE TABLE array_special (id int PRIMARY KEY, n numeric[]);
CREATE TABLE array_infinity (id int PRIMARY KEY, d date[], ts timestamp[], tstz timestamptz[]);
CREATE TABLE arrays_whole (id int PRIMARY KEY, m mood[], lt ltree[], tsv tsvector[]);
-- changes
INSERT INTO arrays VALUES
    (1, '{t,f,NULL}', '{1,NULL}', '{1,NULL,3}', '{9223372036854775807,NULL}', '{1,NULL}', '{1.5,NULL}', '{0.1,NULL}', '{1.10,NULL,10}', '{1.10,NULL,10}',
     '{a,"b c","d\"e\\f","NULL","",NULL}', '{ab,NULL}', '{a,NULL}', '{Ab,NULL}', '{550e8400-e29b-41d4-a716-446655440000,NULL}', ARRAY['{"a": 1}', NULL]::json[], ARRAY['{"a": 1}', NULL]::jsonb[], '{"\\x00ff",NULL}',
     '{2024-02-29,NULL}', '{04:05:06.789,NULL}', '{04:05:06.789,NULL}', '{04:05:06+02,NULL}', '{2024-01-15 10:30:00.123456,NULL}', '{2024-01-15 10:30:00.123,NULL}', '{2024-01-15 10:30:00.123456+02,NULL}',
     '{192.168.0.1/24,NULL}', '{10.0.0.0/8,NULL}', '{08:00:2b:01:02:03,NULL}', '{"[1,5)",NULL}', '{"[1,5)",NULL}', '{"[1.5,5)",NULL}', '{"[2019-03-31 15:30:00,infinity)",NULL}', '{"[2019-03-31 15:30:00+00,infinity)",NULL}', '{"[2024-01-01,2024-02-01)",NULL}',
     '{sad,"ok \"really\"",NULL}', ARRAY['x=>y, z=>NULL'::hstore, NULL], '{a.b,NULL}', '{1}'),
    (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
INSERT INTO arrays (id, nn) VALUES (3, '{}');
INSERT INTO arrays_more VALUES (1, '{1.50,NULL}', '{n,NULL}', '{1 day,NULL}', '{<a/>,NULL}', '{"(1,2)",NULL}', '{(1,1),(0,0);NULL}', '{101,NULL}', '{101,NULL}', '{1,NULL}', '{"''a''",NULL}', '{08:00:2b:01:02:03:04:05,NULL}', '{a,NULL}', '{16/B374D848,NULL}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO vectors VALUES (1, '1 2', '3 4'), (2, '', ''), (3, NULL, NULL);
INSERT INTO dimensions VALUES (1, '{{1,2},{3,NULL}}', '{{a,b},{c,NULL}}'), (2, '{{{1}},{{2}}}', '{{"{"},{"}"}}');
INSERT INTO bounds VALUES (1, '[0:1]={5,6}'), (2, '[-1:0]={7,8}');
INSERT INTO array_special VALUES (1, '{1,NaN}');
INSERT INTO array_infinity VALUES (1, '{infinity,-infinity}', '{infinity,-infinity}', '{infinity,-infinity}');
INSERT INTO arrays_whole VALUES (1, '{sad,"ok \"really\""}', '{a.b,c}', '{"''a''","''b''"}'), (2, NULL, NULL, NULL);
