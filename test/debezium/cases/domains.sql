-- Domains, domains over domains, arrays of domains, domains over arrays. Not domains over enums: with one
-- in the database the connector does not start at all.
CREATE DOMAIN positive AS numeric(8, 2) CHECK (VALUE > 0);
CREATE DOMAIN more_positive AS positive CHECK (VALUE > 1);
CREATE DOMAIN short AS varchar(10);
CREATE DOMAIN tags AS text[];
CREATE DOMAIN moment AS timestamp(3);
CREATE DOMAIN flags AS bit(3);
CREATE DOMAIN counter AS int;
CREATE TABLE domains (id int PRIMARY KEY, c counter, p positive, s short, mo moment, fl flags);
CREATE TABLE domains_deep (id int PRIMARY KEY, mp more_positive);
CREATE TABLE domain_arrays (id int PRIMARY KEY, ad positive[], ac counter[], t tags);
CREATE TABLE domain_key (id counter PRIMARY KEY, v int);
CREATE TABLE domain_defaults (id int PRIMARY KEY, c counter DEFAULT 5, p positive NOT NULL DEFAULT 2);
-- changes
INSERT INTO domains VALUES (1, 5, 3.10, 'abc', '2024-01-15 10:30:00.123', '101'), (2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO domains_deep VALUES (1, 3.10);
INSERT INTO domain_arrays VALUES (1, '{1.00,2.50}', '{1,NULL}', '{p,q}'), (2, NULL, NULL, NULL);
INSERT INTO domain_key VALUES (1, 1);
DELETE FROM domain_key;
INSERT INTO domain_defaults (id) VALUES (1);
DELETE FROM domain_defaults;
