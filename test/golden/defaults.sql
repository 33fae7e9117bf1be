-- Defaults, and a key whose order is not that of its columns: what schema parts and headers say of them.
CREATE SEQUENCE numbers;
CREATE TYPE mood AS ENUM ('sad', 'it''s fine');
CREATE TABLE defaults (
    v text NOT NULL DEFAULT 'it''s', last int, first numeric(6, 2),
    sq int DEFAULT nextval('numbers'), b bool DEFAULT true, n numeric DEFAULT 1.50, n52 numeric(5, 2) DEFAULT 1.5,
    f8 float8 DEFAULT 'NaN', d date DEFAULT '2024-02-29', ts timestamp(3) DEFAULT now(), tstz timestamptz DEFAULT 'infinity',
    m mood DEFAULT 'it''s fine', u uuid DEFAULT gen_random_uuid(), j jsonb DEFAULT '{"a": "it''s"}', bi bit(3) DEFAULT '101',
    sum int NOT NULL DEFAULT 1 + 1, who text DEFAULT current_user, nothing varchar(5) DEFAULT NULL, ar int[] DEFAULT '{1}', made int GENERATED ALWAYS AS (7) STORED,
    PRIMARY KEY (first, last)
);
CREATE TABLE "odd näme.1" (u int NOT NULL, w int NOT NULL, "a b" text DEFAULT 'x');
CREATE UNIQUE INDEX odd ON "odd näme.1" (w, u);
ALTER TABLE "odd näme.1" REPLICA IDENTITY USING INDEX odd;
SELECT start();
INSERT INTO defaults VALUES ('a', 1, 1.5, 1, false, 2, 2, 1, '2024-01-01', '2024-01-01 00:00', '2024-01-01 00:00+00',
    'sad', '550e8400-e29b-41d4-a716-446655440000', '[]', '111', 3, 'x', 'y', '{}');
UPDATE defaults SET last = 2;
DELETE FROM defaults;
INSERT INTO "odd näme.1" VALUES (1, 2, 'x');
UPDATE "odd näme.1" SET w = 3;
SELECT pg_logical_emit_message(false, 'prefix', 'at once');
DELETE FROM "odd näme.1";
