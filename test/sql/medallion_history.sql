-- Silver and gold after random histories: inserts, updates, updates without unchanged columns, key
-- changes, deletions, truncations, duplicates, late arrivals, values that cannot be cast and rows that
-- break a rule; cut into batches of 1, 7 and 1000. Silver must equal the last good state per key,
-- recomputed row by row from bronze; gold must equal its query.
SET client_min_messages = warning;
-- Refreshed here by hand alone, also where workers run.
DO $$ BEGIN PERFORM bitvelocity.stop_workers(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
SET search_path = history_test, bitvelocity, public;
CREATE SCHEMA history_test;
CREATE TABLE item (id integer, grp text, day date, amount numeric(10, 2), note text, PRIMARY KEY (id));
CREATE TABLE bronze_item (
    event_id uuid NOT NULL, event_timestamp timestamptz NOT NULL DEFAULT now(), source_system text,
    operation_type text NOT NULL, table_name text, raw_payload jsonb,
    ingestion_date date NOT NULL DEFAULT current_date, before_payload jsonb,
    source_epoch integer NOT NULL DEFAULT 1, commit_lsn pg_lsn NOT NULL, ordinal bigint NOT NULL DEFAULT 1,
    part integer NOT NULL DEFAULT 0, transaction_id xid8, actor text, correlation_id uuid,
    traceparent text, sequence bigint NOT NULL, PRIMARY KEY (sequence, ingestion_date));
SELECT add_quality_rule('item', 'RANGE', 'amount', '{"min": 0}') IS NOT NULL AS made;
SELECT add_quality_rule('item', 'NOT_NULL', 'grp', severity => 'WARNING') IS NOT NULL AS made;

-- The history in source order, then the order of arrival.
CREATE TABLE history (n integer PRIMARY KEY, op text, payload jsonb, before jsonb);
CREATE FUNCTION make_history(events integer, with_partial boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    live jsonb := '{}';
    k text;
    v jsonb;
    was jsonb;
    dice double precision;
BEGIN
    DELETE FROM history;
    FOR i IN 1 .. events LOOP
        dice := random();
        k := (1 + floor(random() * 12))::text;
        was := live -> k;
        v := jsonb_build_object('id', k::integer,
            'grp', CASE WHEN random() < 0.2 THEN NULL ELSE chr(97 + floor(random() * 4)::integer) END,
            'day', date '2024-01-01' + floor(random() * 3)::integer,
            'amount', CASE WHEN random() < 0.10 THEN to_jsonb('cheap'::text)
                           WHEN random() < 0.15 THEN to_jsonb(-1)
                           ELSE to_jsonb(round((random() * 100)::numeric, 2)) END,
            'note', 'note ' || i);
        IF dice < 0.01 THEN
            live := '{}';
            INSERT INTO history VALUES (i, 'TRUNCATE', NULL, NULL);
        ELSIF was IS NULL THEN
            live := live || jsonb_build_object(k, v);
            INSERT INTO history VALUES (i, CASE WHEN random() < 0.2 THEN 'READ' ELSE 'INSERT' END, v, NULL);
        ELSIF dice < 0.2 THEN
            live := live - k;
            INSERT INTO history VALUES (i, 'DELETE', NULL, jsonb_build_object('id', k::integer));
        ELSIF dice < 0.3 AND NOT live ? ((k::integer + 100)::text) AND k::integer < 100 THEN
            -- another key, and back from there on a later turn
            v := v || jsonb_build_object('id', k::integer + 100);
            IF with_partial AND random() < 0.5 THEN v := v - 'note'; END IF;
            live := live - k || jsonb_build_object((k::integer + 100)::text, was || v);
            INSERT INTO history VALUES (i, 'UPDATE', v, jsonb_build_object('id', k::integer));
        ELSE
            IF live ? ((k::integer + 100)::text) AND random() < 0.5 THEN
                live := live - (k::integer + 100)::text;
                INSERT INTO history VALUES (i, 'DELETE', NULL, jsonb_build_object('id', k::integer + 100));
                CONTINUE;
            END IF;
            IF with_partial AND random() < 0.5 THEN v := v - 'note'; END IF;
            live := live || jsonb_build_object(k, was || v);
            INSERT INTO history VALUES (i, 'UPDATE', v, NULL);
        END IF;
    END LOOP;
END
$$;

-- The last good state per key, one event at a time in source order.
CREATE FUNCTION good_state() RETURNS SETOF item LANGUAGE plpgsql AS $$
DECLARE
    whole jsonb := '{}';
    good jsonb := '{}';
    e record;
    old_key text;
    new_key text;
    v jsonb;
BEGIN
    FOR e IN SELECT DISTINCT ON (commit_lsn) operation_type AS op, raw_payload, before_payload
             FROM bronze_item ORDER BY commit_lsn LOOP
        IF e.op = 'TRUNCATE' THEN
            whole := '{}';
            good := '{}';
            CONTINUE;
        END IF;
        old_key := coalesce(e.before_payload, e.raw_payload) ->> 'id';
        IF e.op = 'DELETE' THEN
            whole := whole - old_key;
            good := good - old_key;
            CONTINUE;
        END IF;
        new_key := e.raw_payload ->> 'id';
        v := CASE WHEN e.op = 'UPDATE' THEN coalesce(whole -> old_key, '{}') ELSE '{}' END || e.raw_payload;
        IF new_key <> old_key THEN
            whole := whole - old_key;
            good := good - old_key;
        END IF;
        whole := whole || jsonb_build_object(new_key, v);
        IF v ->> 'amount' <> 'cheap' AND (v ->> 'amount')::numeric >= 0 THEN
            good := good || jsonb_build_object(new_key, v);
        END IF;
    END LOOP;
    RETURN QUERY SELECT r.* FROM jsonb_each(good) g, jsonb_populate_record(NULL::item, g.value) r;
END
$$;

CREATE FUNCTION verdict(dataset text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    differences bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM ((SELECT id, grp, day, amount, note FROM %1$I EXCEPT ALL SELECT * FROM good_state())
                    UNION ALL (SELECT * FROM good_state() EXCEPT ALL SELECT id, grp, day, amount, note FROM %1$I)) d', dataset)
    INTO differences;
    RETURN CASE WHEN differences = 0 THEN 'ok' ELSE 'ng ' || dataset || ' ' || differences END;
END
$$;

CREATE FUNCTION gold_verdict(dataset text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    differences bigint;
    q text;
BEGIN
    SELECT d.query INTO q FROM bitvelocity.dataset d WHERE d.name = dataset;
    EXECUTE format('SELECT count(*) FROM ((SELECT t::text FROM %1$I t EXCEPT ALL SELECT q::text FROM (%2$s) q)
                    UNION ALL (SELECT q::text FROM (%2$s) q EXCEPT ALL SELECT t::text FROM %1$I t)) d', dataset, q)
    INTO differences;
    RETURN CASE WHEN differences = 0 THEN 'ok' ELSE 'ng ' || dataset || ' ' || differences END;
END
$$;

CREATE FUNCTION open_quarantine(name text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(commit_lsn::text || key::text, ',' ORDER BY commit_lsn), '')
    FROM (SELECT DISTINCT b.commit_lsn, q.key FROM quarantine q JOIN bronze_item b ON b.sequence = q.source_sequence
          WHERE q.dataset = name AND q.state = 'open') x
$$;

CREATE FUNCTION run(seed double precision, events integer, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    verdicts text[] := '{}';
    arrival record;
    position bigint := 0;
    name text;
    until pg_lsn;
BEGIN
    PERFORM setseed(seed);
    PERFORM make_history(events, mode = 'partial');
    TRUNCATE bronze_item;
    PERFORM create_silver('s1', 'bronze_item', options => '{"row_type": "item", "batch_size": 1}');
    PERFORM create_silver('s7', 'bronze_item', options => '{"row_type": "item", "batch_size": 7}');
    PERFORM create_silver('s1000', 'bronze_item', options => '{"row_type": "item", "batch_size": 1000}');
    PERFORM create_rollup('g_day', 'SELECT day, grp, count(*) AS n, sum(amount) AS total, avg(amount) AS mean,
        count(DISTINCT note) AS notes FROM s7 GROUP BY day, grp');
    PERFORM create_rollup('g_some', 'SELECT upper(grp) AS g, max(id) AS top FROM s1000 t WHERE id <> 3
        GROUP BY upper(t.grp) HAVING count(*) > 1');
    PERFORM create_rollup('g_all', 'SELECT count(*) AS n, sum(amount) AS total FROM s7');
    PERFORM create_rollup('g_join', 'SELECT a.grp, count(*) AS n FROM s7 a JOIN s1 b USING (id) GROUP BY a.grp');
    PERFORM create_rollup('g_gold', 'SELECT grp, sum(total) AS total FROM g_day GROUP BY grp');
    FOR arrival IN
        SELECT h.*, h.n + CASE WHEN mode = 'late' AND random() < 0.3 THEN floor(random() * 20) ELSE 0 END AS at
        FROM history h
        UNION ALL
        SELECT h.*, h.n + 5 FROM history h WHERE mode <> 'partial' AND random() < 0.05
        ORDER BY at, n
    LOOP
        position := position + 1;
        INSERT INTO bronze_item (event_id, operation_type, raw_payload, before_payload, commit_lsn, sequence)
        VALUES (gen_random_uuid(), arrival.op, arrival.payload, arrival.before,
                '0/0'::pg_lsn + arrival.n, position);
        IF random() < 0.1 THEN
            until := CASE WHEN random() < 0.3 THEN '0/0'::pg_lsn + greatest(arrival.n - 5, 1) END;
            PERFORM refresh_dataset(CASE WHEN random() < 0.5 THEN 's7' ELSE 's1000' END, until);
        END IF;
        IF random() < 0.03 THEN
            FOREACH name IN ARRAY ARRAY['s1', 's7', 's1000'] LOOP
                PERFORM refresh_dataset(name);
                verdicts := verdicts || verdict(name);
            END LOOP;
            FOREACH name IN ARRAY ARRAY['g_day', 'g_some', 'g_all', 'g_join', 'g_gold'] LOOP
                PERFORM refresh_dataset(name);
                verdicts := verdicts || gold_verdict(name);
            END LOOP;
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['s1', 's7', 's1000'] LOOP
        PERFORM refresh_dataset(name);
        verdicts := verdicts || verdict(name)
            || CASE WHEN open_quarantine(name) = open_quarantine('s1') THEN 'ok' ELSE 'ng quarantine ' || name END;
    END LOOP;
    -- users may write silver themselves; gold follows
    UPDATE s7 SET amount = amount + 1, grp = 'z' WHERE id % 2 = 0;
    DELETE FROM s7 WHERE id % 5 = 0;
    FOREACH name IN ARRAY ARRAY['g_day', 'g_some', 'g_all', 'g_join', 'g_gold'] LOOP
        PERFORM refresh_dataset(name);
        verdicts := verdicts || gold_verdict(name);
    END LOOP;
    TRUNCATE s1000;
    PERFORM refresh_dataset('g_some');
    verdicts := verdicts || gold_verdict('g_some');
    FOREACH name IN ARRAY ARRAY['g_gold', 'g_join', 'g_all', 'g_some', 'g_day', 's1000', 's7', 's1'] LOOP
        PERFORM drop_dataset(name, keep_table => false);
    END LOOP;
    RETURN CASE WHEN cardinality(verdicts) > 10 AND verdicts <@ ARRAY['ok'] THEN 'ok'
                ELSE array_to_string(array_remove(verdicts, 'ok'), '; ') END;
END
$$;

SELECT seed, mode, run(seed, 250, mode)
FROM (VALUES (0.1, 'in order'), (0.2, 'in order'), (0.3, 'late'), (0.4, 'late'), (0.5, 'late'),
             (0.6, 'partial'), (0.7, 'partial'), (0.8, 'partial')) v(seed, mode);
SELECT count(*) AS left_over FROM bitvelocity.dataset;
SELECT count(*) AS left_over FROM bitvelocity.data_lineage;
\set VERBOSITY terse
DROP SCHEMA history_test CASCADE;
DELETE FROM bitvelocity.data_quality_rules;
DO $$ BEGIN PERFORM bitvelocity.start_workers(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
