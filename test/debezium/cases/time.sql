-- Dates, times, timestamps and intervals at every precision; the ends of their ranges stand in tables of their own.
-- Not a timetz with seconds in its offset, nor an interval of more hours than an int holds: the connector stops at
-- one and tries it again for ever.
CREATE TABLE times (
    id int PRIMARY KEY, d date, ti time, ti0 time(0), ti3 time(3), ti4 time(4), ti6 time(6), tz timetz, tz3 timetz(3),
    ts timestamp, ts0 timestamp(0), ts3 timestamp(3), ts4 timestamp(4), ts6 timestamp(6),
    tstz timestamptz, tstz0 timestamptz(0), tstz3 timestamptz(3), tstz6 timestamptz(6), iv interval, iv3 interval(3), ivh interval hour to minute
);
CREATE TABLE time_of_day (id int PRIMARY KEY, t24 time, t243 time(3), tz24 timetz);
CREATE TABLE date_infinity (id int PRIMARY KEY, d date);
CREATE TABLE timestamp_infinity (id int PRIMARY KEY, ts timestamp, ts3 timestamp(3));
CREATE TABLE timestamptz_infinity (id int PRIMARY KEY, tstz timestamptz, tstz3 timestamptz(3));
CREATE TABLE date_far (id int PRIMARY KEY, d date);
CREATE TABLE timestamp_far (id int PRIMARY KEY, ts timestamp, ts3 timestamp(3));
CREATE TABLE timestamptz_far (id int PRIMARY KEY, tstz timestamptz);
CREATE TABLE timestamp_old (id int PRIMARY KEY, ts timestamp, ts0 timestamp(0));
CREATE TABLE interval_far (id int PRIMARY KEY, iv interval);
CREATE TABLE time_key (d date, ts timestamp(3), PRIMARY KEY (d, ts));
CREATE TABLE zoned_key (tstz timestamptz, t time, PRIMARY KEY (t, tstz));
-- changes
INSERT INTO times VALUES
    (1, '2024-02-29', '04:05:06.789012', '04:05:06', '04:05:06.789', '04:05:06.7890', '04:05:06.789012', '04:05:06.789+02:30', '04:05:06.789-11',
     '2024-01-15 10:30:00.123456', '2024-01-15 10:30:00', '2024-01-15 10:30:00.123', '2024-01-15 10:30:00.1234', '2024-01-15 10:30:00.123456',
     '2024-01-15 10:30:00.123456+02', '2024-01-15 10:30:00+02', '2024-01-15 10:30:00.120+02', '2024-01-15 10:30:00+05:45',
     '1 year 2 mons -3 days 04:05:06.78', '1.5 seconds', '10:20'),
    (2, '1969-12-31', '00:00:00', '00:00:00', '00:00:00.001', '00:00:00.0001', '23:59:59.999999', '00:00:00+00', '12:00:00+00',
     '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59', '1969-12-31 23:59:59.999', '1969-12-31 23:59:59.9999', '1970-01-01 00:00:00',
     '1969-12-31 23:59:59.999999+00', '1970-01-01 00:00:00+00', '1969-12-31 23:59:59.999+00', '2000-01-01 00:00:00.1+00',
     '0', '-1 day', '-10:20'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '1582-10-10', '12:00', '12:00', '12:00', '12:00', '12:00', '23:59:59.999999-12:30', '10:00:00.5+00',
     '1782-10-10 12:00', '1700-02-28 12:00', '1900-01-01 00:00', '1850-06-01 00:00', '1677-09-21 00:12:44',
     '1582-10-10 12:00:00+00', '1500-01-01 12:00:00+00', '1900-01-01 00:00+00', '1850-06-01 00:00+00',
     '-04:05:06', '100 years', '99:59'),
    (5, '0001-01-01', '06:00', '06:00', '06:00', '06:00', '06:00', '06:00:00.100000+06', '06:00+06',
     '2262-04-11 23:47:16.854775', '2200-01-01', '2200-01-01', '2200-01-01', '2262-04-11',
     '9999-12-31 23:59:59.999999+00', '9999-12-31 23:59:59+00', '9999-12-31 23:59:59.999+00', '0001-01-01 00:00:00+00',
     '12:00:00.000001', '1 mon', '1:00');
INSERT INTO time_of_day VALUES (1, '24:00:00', '24:00:00', '24:00:00+00'), (2, '24:00:00', '24:00:00', '24:00:00+02');
INSERT INTO date_infinity VALUES (1, 'infinity'), (2, '-infinity');
INSERT INTO timestamp_infinity VALUES (1, 'infinity', 'infinity'), (2, '-infinity', '-infinity');
INSERT INTO timestamptz_infinity VALUES (1, 'infinity', 'infinity'), (2, '-infinity', '-infinity');
INSERT INTO date_far VALUES (1, '0044-03-15 BC'), (2, '4714-11-24 BC'), (3, '5874897-12-31'), (4, '9999-12-31'), (5, '10000-01-01'), (6, '0001-12-31 BC');
INSERT INTO timestamp_far VALUES (1, '0044-03-15 10:30:00 BC', '0044-03-15 10:30:00.5 BC'), (2, '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00 BC'),
    (3, '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999'), (4, '21016-11-04 11:51:30', '21016-11-04 11:51:30'), (5, '4713-12-31 23:59:59.999999 BC', '4713-12-31 23:59:59.999 BC');
INSERT INTO timestamptz_far VALUES (1, '0044-03-15 10:30:00+00 BC'), (2, '4714-11-24 00:00:00+00 BC'), (3, '294276-12-31 23:59:59.999999+00'), (4, '21016-11-04 11:51:30+00'), (5, '0001-12-31 23:59:59+00 BC');
INSERT INTO timestamp_old VALUES (1, '1582-10-10 12:00', '1500-02-28 12:00'), (2, '1582-10-04 12:00', '1677-09-20 00:00');
INSERT INTO interval_far VALUES (1, '178000000 years'), (2, '-178000000 years'), (3, '2147483647 days'), (4, '1 year -1 mon +2 days -00:00:00.000001');
INSERT INTO time_key VALUES ('2024-01-15', '2024-01-15 10:30:00.123');
UPDATE time_key SET d = '2024-01-16';
DELETE FROM time_key;
INSERT INTO zoned_key VALUES ('2024-01-15 10:30:00.5+02', '04:05:06');
UPDATE zoned_key SET tstz = '2024-01-15 00:00:00+00';
DELETE FROM zoned_key;
