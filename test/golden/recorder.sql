-- Loaded before each case: type records as the decoder writes them (src/wal/frame.hpp), and the table
-- that keeps what to_jsonb says of every inserted row.
CREATE TABLE said (n bigserial, row_json jsonb);

CREATE FUNCTION i16(v int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT int2send(v::int2) $$;
CREATE FUNCTION cstr(v text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT convert_to(v, 'UTF8') || '\x00'::bytea $$;
CREATE FUNCTION oid4(v oid) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT oidsend(v) $$;

CREATE FUNCTION type_bytes(type oid) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    t pg_type;
    kind text;
    element oid := 0;
    result bytea;
    labels text[];
    a record;
    attributes bytea := '';
    n int := 0;
BEGIN
    SELECT * INTO t FROM pg_type WHERE oid = type;
    kind := t.typtype;
    IF t.typsubscript = 'array_subscript_handler'::regproc AND t.typelem <> 0 THEN
        kind := 'a';
        element := t.typelem;
    ELSIF kind = 'd' THEN
        element := t.typbasetype;
    END IF;
    result := oid4(type) || cstr((SELECT nspname FROM pg_namespace WHERE oid = t.typnamespace))
        || cstr(t.typname) || convert_to(kind || t.typcategory::text || t.typdelim::text, 'UTF8')
        || int4send(CASE WHEN kind = 'd' THEN t.typtypmod ELSE -1 END);
    IF element <> 0 THEN
        result := result || '\x01'::bytea || type_bytes(element);
    ELSE
        result := result || '\x00'::bytea;
    END IF;
    SELECT coalesce(array_agg(enumlabel ORDER BY enumsortorder), '{}') INTO labels
        FROM pg_enum WHERE enumtypid = type;
    result := result || i16(cardinality(labels));
    FOR n IN 1 .. cardinality(labels) LOOP
        result := result || cstr(labels[n]);
    END LOOP;
    n := 0;
    IF kind = 'c' THEN
        FOR a IN SELECT * FROM pg_attribute
                 WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped ORDER BY attnum LOOP
            attributes := attributes || cstr(a.attname) || int4send(a.atttypmod) || type_bytes(a.atttypid);
            n := n + 1;
        END LOOP;
    END IF;
    RETURN result || i16(n) || attributes;
END $$;

-- Read after the case, so a table's definition must not change within one.
CREATE FUNCTION type_record(relation oid) RETURNS bytea LANGUAGE sql AS $$
    SELECT 'x'::bytea || oid4(relation) || i16(count(*)::int) || string_agg(
        set_byte('\x00'::bytea, 0, a.attnotnull::int + (2 * (c.place > 0 AND i.indisprimary)::int)
            + 4 + 8 * (c.place > 0)::int + 16 * (c.expression IS NOT NULL)::int)
        || i16(a.attnum) || CASE WHEN c.place > 0 THEN set_byte('\x00'::bytea, 0, c.place) ELSE '' END
        || CASE WHEN c.expression IS NULL THEN '' ELSE cstr(c.expression) END || type_bytes(a.atttypid), ''::bytea ORDER BY a.attnum)
    FROM pg_attribute a
    LEFT JOIN LATERAL (SELECT * FROM pg_index WHERE indrelid = a.attrelid AND (indisprimary OR indisreplident)
                       ORDER BY indisprimary DESC LIMIT 1) i ON true
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    CROSS JOIN LATERAL (SELECT coalesce(array_position((i.indkey::int2[])[0 : i.indnkeyatts - 1], a.attnum), 0) AS place,
                               pg_get_expr(d.adbin, 0) AS expression) c
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
$$;

CREATE FUNCTION said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO said (row_json) VALUES (to_jsonb(NEW));
    RETURN NULL;
END $$;

CREATE FUNCTION listen(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER said AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION said()', target);
END $$;
