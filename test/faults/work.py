"""What writers do: transactions as SQL text, all of it from the seed."""

KEYS = 40  # per table that all writers share


def steps(rng, count, low=0, size=KEYS, large=False):
    keys = sorted(rng.randrange(size) + rng.choice((0, 1000)) + low for _ in range(count))
    lines = []
    for key in keys:
        size_of_note = rng.choice((40, 300, 5000)) if key >= 1000 else rng.choice((40, 300))
        if large:
            size_of_note = 2000
        lines.append(f"SELECT step({key}, {size_of_note});")
    return "\n".join(lines)


def plain(rng, _writer, _names):
    return f"BEGIN;\n{steps(rng, rng.randint(1, 6))}\n{'COMMIT' if rng.random() < 0.8 else 'ROLLBACK'};"


def savepoints(rng, _writer, _names):
    parts = ["BEGIN;", steps(rng, rng.randint(1, 3))]
    for i in range(rng.randint(1, 4)):
        parts += [f"SAVEPOINT s{i};", steps(rng, rng.randint(1, 3))]
        parts.append(rng.choice((f"ROLLBACK TO s{i};", f"RELEASE s{i};", "")))
    parts.append("COMMIT;" if rng.random() < 0.85 else "ROLLBACK;")
    return "\n".join(parts)


def bulk(rng, _writer, _names):
    return f"BEGIN;\n{steps(rng, rng.randint(60, 200), large=True)}\nCOMMIT;"


def columns(rng, _writer, names):
    table = rng.choice(("account", "note"))
    name = f"c{next(names)}"
    change = rng.choice((f"ALTER TABLE {table} ADD COLUMN {name} int DEFAULT {rng.randrange(100)};",
                         f"ALTER TABLE {table} ADD COLUMN {name} text;",
                         f"SELECT format('ALTER TABLE {table} DROP COLUMN %I', attname) FROM pg_attribute"
                         f" WHERE attrelid = '{table}'::regclass AND attname ~ '^c[0-9]' AND NOT attisdropped"
                         " ORDER BY attnum LIMIT 1 \\gexec"))
    end = "COMMIT;" if rng.random() < 0.8 else "ROLLBACK;"
    return "\n".join(("BEGIN;", steps(rng, 2), change, steps(rng, 3), end))


def prepared(rng, writer, names):
    """On keys of its own: until it is decided it holds them."""
    name = f"faults-{next(names)}"
    parts = ["BEGIN;", steps(rng, rng.randint(1, 4), low=100 + 10 * writer, size=10), f"PREPARE TRANSACTION '{name}';"]
    # Some are decided at once, some by a later round, after whatever happens in between.
    parts.append(rng.choice((f"COMMIT PREPARED '{name}';", f"ROLLBACK PREPARED '{name}';", "", "")))
    return "\n".join(parts)


KINDS = (plain, plain, plain, savepoints, savepoints, bulk, columns, prepared)


def transactions(rng, writer, names, count):
    return [rng.choice(KINDS)(rng, writer, names) for _ in range(count)]
