-- What the writers of check-faults do. Every change of account or note writes, in the same transaction, one row of
-- the ledger, which no stream carries: what the ledger holds was committed, and nothing else.
CREATE TABLE account (id int PRIMARY KEY, n bigint NOT NULL, note text);
CREATE TABLE note (id int PRIMARY KEY, n bigint NOT NULL, note text);
ALTER TABLE note REPLICA IDENTITY FULL;
ALTER TABLE note ALTER note SET STORAGE EXTERNAL;
CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL);
CREATE TABLE ledger (id int NOT NULL, n bigint NOT NULL, operation text NOT NULL, content jsonb, PRIMARY KEY (id, n));
-- Not published; fills the memory of decoding all the same.
CREATE TABLE ballast (filler text);
INSERT INTO counter SELECT i, 0 FROM generate_series(0, 1999) i;

-- The next change of one key: its counter goes up by one, also for a deletion. Keys below 1000 are accounts.
CREATE FUNCTION step(key int, bytes int DEFAULT 40) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
    before jsonb;
    after jsonb;
    operation text;
    target text := CASE WHEN key < 1000 THEN 'account' ELSE 'note' END;
    text text;
BEGIN
    UPDATE counter c SET n = n + 1 WHERE c.id = key RETURNING n INTO next;
    text := rpad(md5(key || ':' || next), bytes, key || '.' || next || ' ');
    EXECUTE format('SELECT to_jsonb(t) FROM %I t WHERE id = $1', target) INTO before USING key;
    IF before IS NULL THEN
        operation := 'INSERT';
        EXECUTE format('INSERT INTO %I AS t (id, n, note) VALUES ($1, $2, $3) RETURNING to_jsonb(t)', target)
            INTO after USING key, next, text;
    ELSIF next % 5 = 0 THEN
        operation := 'DELETE';
        EXECUTE format('DELETE FROM %I WHERE id = $1', target) USING key;
    ELSIF next % 3 = 0 AND target = 'note' THEN
        operation := 'UPDATE';
        EXECUTE format('UPDATE %I t SET n = $2 WHERE id = $1 RETURNING to_jsonb(t)', target) INTO after USING key, next;
    ELSE
        operation := 'UPDATE';
        EXECUTE format('UPDATE %I t SET n = $2, note = $3 WHERE id = $1 RETURNING to_jsonb(t)', target)
            INTO after USING key, next, text;
    END IF;
    INSERT INTO ledger VALUES (key, next, operation, after);
END $$;
