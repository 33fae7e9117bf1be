-- Booleans, integers, floating point, numeric in all its forms, money.
CREATE TABLE numbers (
    id int PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8,
    n numeric, n5 numeric(5), n52 numeric(5,2), n3010 numeric(30,10), nneg numeric(5,-2), nbig numeric(3,5),
    m money, nn numeric(10,2) NOT NULL, f8n float8 NOT NULL
);
CREATE TABLE numeric_special (id int PRIMARY KEY, n numeric, n52 numeric(5,2));
CREATE TABLE numeric_key (id numeric(10,2) PRIMARY KEY, t text);
CREATE TABLE variable_key (id numeric PRIMARY KEY, t text);
CREATE TABLE float_key (id float8 PRIMARY KEY, t text);
CREATE TABLE money_key (m money, b bytea, bi bit(3), PRIMARY KEY (m, bi, b));
-- changes
INSERT INTO numbers VALUES
    (1, true, 1, 2, 3, 4, 1.5, 2.25, 10.1111, 12345, 123.45, 1234567890.0123456789, 12300, 0.00123, 1234.56, 1.10, 1),
    (2, false, -32768, -2147483648, -9223372036854775808, 4294967295, -3.4028235e38, -1.7976931348623157e308,
     -12345678901234567890.12345678901234567890, -99999, -999.99, -12345678901234567890.0123456789, -99900, -0.00999, -92233720368547758.08, -0.01, -0.5),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0),
    (4, true, 32767, 2147483647, 9223372036854775807, 0, 1e-30, 5e-324, 10, 0, 0, 0, 0, 0, 0, 100, 1e22),
    (5, true, 0, 0, 0, 1, 16777217, 0.1, 10.000, 1, 1.1, 1.10, 100, 0.00001, 92233720368547758.07, 99999999.99, 123456789.123),
    (6, true, 0, 0, 0, 1, 1e10, 1e16, 1000000, 1, 1.1, 1.10, 100, 0.00001, -0.01, 1, 1e-7),
    (7, true, 0, 0, 0, 1, 'NaN', 'NaN', 0.000000000000000000001, 1, 1.1, 1.10, 100, 0.00001, 1, 1, 1),
    (8, true, 0, 0, 0, 1, 'Infinity', '-Infinity', 1e100, 1, 1.1, 1.10, 100, 0.00001, 1, 1, 1),
    (9, true, 0, 0, 0, 1, '-Infinity', 'Infinity', 128, 127, 1.28, -1.28, 100, 0.00001, -1.28, 2.56, 1),
    (10, true, 0, 0, 0, 1, '-0', '-0', 0.0, 127, 0.00, -1.28, 100, 0.00001, -1.28, 2.56, 1);
UPDATE numbers SET n = n + 1, n52 = 5 WHERE id = 1;
DELETE FROM numbers WHERE id = 1;
INSERT INTO numeric_special VALUES (1, 'NaN', 'NaN');
INSERT INTO numeric_special VALUES (2, 'Infinity', 1);
INSERT INTO numeric_special VALUES (3, '-Infinity', 1);
INSERT INTO numeric_key VALUES (1.5, 'a'), (-100, 'b');
UPDATE numeric_key SET t = 'c';
UPDATE numeric_key SET id = id + 0.25;
DELETE FROM numeric_key;
INSERT INTO variable_key VALUES (1.5, 'a'), (-100.250, 'b');
UPDATE variable_key SET id = id + 1;
DELETE FROM variable_key;
INSERT INTO float_key VALUES (1.5, 'a'), (1e300, 'b');
UPDATE float_key SET id = id * 2;
DELETE FROM float_key;
INSERT INTO money_key VALUES (1.5, '\x00ff', '101');
UPDATE money_key SET m = -2.25;
DELETE FROM money_key;
