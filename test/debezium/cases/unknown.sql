-- Types that the connector does not know.
CREATE TYPE pair AS (x int, "say ""y""" text);
CREATE TYPE float_range AS RANGE (subtype = float8);
CREATE TABLE composites (id int PRIMARY KEY, p pair, ap pair[]);
CREATE TABLE multiranges (id int PRIMARY KEY, i4 int4multirange, d datemultirange, fr float_range, afr float_range[]);
CREATE TABLE unknowns (id int PRIMARY KEY, q tsquery, l pg_lsn, rc regclass, rt regtype, jp jsonpath, sn txid_snapshot, x8 xid8, xi xid, ci cid, ti tid, rf refcursor, ps pg_snapshot, lq lquery);
-- changes
INSERT INTO composites VALUES (1, ROW(1, 'a "b" \c, (d)'), ARRAY[ROW(1, '')::pair, NULL]), (2, NULL, NULL);
INSERT INTO multiranges VALUES (1, '{[1,3),[5,7)}', '{[2024-01-01,2024-02-01)}', '[1.5,2)', '{"[1.5,2)",NULL}'), (2, NULL, NULL, NULL, NULL);
INSERT INTO unknowns VALUES (1, 'fat & cat', '16/B374D848', 'pg_class', 'int4', '$.a', '10:20:10,14', '7', '7', '7', '(1,2)', 'c', '10:20:10,14', 'a.*');
INSERT INTO unknowns (id) VALUES (2);
