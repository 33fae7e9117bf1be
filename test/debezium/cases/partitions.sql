-- Partitions go through their root; truncate of one and of several tables.
CREATE TABLE parted (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE parted_2 (v text, at date NOT NULL, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE truncated (id int PRIMARY KEY);
CREATE TABLE truncated_too (id int PRIMARY KEY);
-- changes
INSERT INTO parted VALUES (1, '2024-01-15', 'a'), (2, '2024-02-15', 'b');
UPDATE parted SET v = 'c';
UPDATE parted SET at = '2024-02-01' WHERE id = 1;
DELETE FROM parted WHERE id = 2;
INSERT INTO truncated VALUES (1);
TRUNCATE truncated;
INSERT INTO truncated VALUES (2);
INSERT INTO truncated_too VALUES (2);
TRUNCATE truncated, truncated_too;
TRUNCATE parted;
