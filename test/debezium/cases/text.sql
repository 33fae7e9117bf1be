-- Types that are text, or that the envelope carries as text with a name.
CREATE TABLE texts (
    id int PRIMARY KEY, t text, vc varchar(20), vc0 varchar, bp char(5), bp1 char, nm name, ci citext, u uuid, x xml, j json, jb jsonb,
    lt ltree, tsv tsvector, m mood, h hstore, ip inet, cd cidr, mac macaddr, mac8 macaddr8, by bytea
);
CREATE TABLE charlike (id int PRIMARY KEY, c "char");
CREATE TABLE text_ranges (id int PRIMARY KEY, i4 int4range, i8 int8range, n numrange, ts tsrange, tstz tstzrange, d daterange);
CREATE TABLE enum_key (m mood PRIMARY KEY, v int);
CREATE TABLE uuid_key (u uuid, t text, PRIMARY KEY (t, u));
CREATE TABLE control_key (t text PRIMARY KEY);
-- changes
INSERT INTO texts VALUES
    (1, 'plain', 'v "q" \ ü', 'no limit', 'ab', 'x', 'name', 'CiText', '550e8400-e29b-41d4-a716-446655440000', '<a b="c">d</a>',
     '{"a" : [1, 2.50, "x\u00e9"], "a": null}', '{"b": {"c": [true, null, 1e5]}}', 'Top.Science', 'a fat cat', 'ok "really"',
     'a=>1, "b \"c"=>NULL, "d"=>""', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '\x00ff10'),
    (2, E'line\nbreak\ttab \u0001\u007f / </script> \u2028 😀', '', ' ', '', ' ', '', '', '00000000-0000-0000-0000-000000000000', 'text only',
     '[]', '"text"', '', '', 'happy, or not', '', '::1', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', ''),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 'infinity', 'NULL', '{}', 'a    ', 'é', 'ü', 'é', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '<?xml version="1.0"?><r/>',
     ' {"x":1}', '1.50', 'a.b_c.d', '''b'':2 ''a'':1A', 'ü', '"x y"=>"1 \\ 2", ü=>"\"é\""', '10.1.2.3', '10.1.2.3/32', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '\xfbefbeff3f');
UPDATE texts SET t = 'changed' WHERE id = 1;
DELETE FROM texts WHERE id = 2;
INSERT INTO charlike VALUES (1, 'a'), (2, NULL), (3, '');
INSERT INTO text_ranges VALUES
    (1, '[1,5)', '(1,5]', '(1.5,2.50]', '[2019-03-31 15:30:00,infinity)', '["2024-01-15 10:30:00+02",)', '[2024-01-01,2024-02-01)'),
    (2, 'empty', '(,)', '(,1]', '[2019-03-31 15:30:00.5,2020-01-01)', 'empty', '(,2024-02-01)'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO enum_key VALUES ('sad', 1), ('ok "really"', 2);
UPDATE enum_key SET v = 3 WHERE m = 'sad';
UPDATE enum_key SET m = 'happy, or not' WHERE m = 'ok "really"';
DELETE FROM enum_key;
INSERT INTO uuid_key VALUES ('550e8400-e29b-41d4-a716-446655440000', 'k');
UPDATE uuid_key SET t = '"q" \ ü';
DELETE FROM uuid_key;
INSERT INTO control_key VALUES ('a');
UPDATE control_key SET t = E'line\nbreak\u0001';
DELETE FROM control_key;
