-- What several cases use. Files run in the order of their names.
CREATE EXTENSION citext;
CREATE EXTENSION ltree;
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'ok "really"', 'happy, or not', 'ü');
CREATE TABLE "_end" (id text PRIMARY KEY);
