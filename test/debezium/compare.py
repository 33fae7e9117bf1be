"""Compares what Debezium and a stream wrote into their topics for one option set.

    compare.py SET FOLDER DIFFERENCES

FOLDER/SET.jsonl is what kcat -J prints of all topics: the peer's are SET.schema.table and SET.message,
ours ours.SET.schema.table and ours_SET.message. Messages are compared one by one, in order. A difference has a place,
`topic path`: path is key, value or headers, then the members; the schema part is spelt by field name,
so value.schema.after.price is the schema of the column price. It needs a line of DIFFERENCES:

    SETS  TOPIC  PATH  REASON: text

with shell patterns in the first three. REASON is clock, name, dropped, shortened or corrupted.
Prints every other difference, and every line that concerns this set and no difference; fails then.

    compare.py unused FOLDER DIFFERENCES

Prints the lines of all sets (*) that none of those compared in FOLDER needed; fails then.
"""
import fnmatch
import json
import pathlib
import sys

REASONS = ("clock", "name", "dropped", "shortened", "corrupted")
MISSING = "(missing)"


def read_lines(path):
    lines = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            parts = line.split(None, 3)
            if not parts or parts[0].startswith("#"):
                continue
            if len(parts) < 4 or parts[3].split(":")[0] not in REASONS:
                sys.exit(f"{path}:{number}: SETS TOPIC PATH REASON: text, REASON one of {', '.join(REASONS)}")
            lines.append((number, parts[0].split(","), parts[1], parts[2]))
    return lines


def by_name(schema):
    """A Connect schema with its fields as members, and their order beside them."""
    if not isinstance(schema, dict):
        return schema
    result = {"." + k: by_name(v) for k, v in schema.items() if k not in ("fields", "field")}
    if "fields" in schema:
        for field in schema["fields"]:
            result[field["field"]] = by_name(field)
        result[".order"] = [field["field"] for field in schema["fields"]]
    return result


def decoded(text):
    if text is None or text == "":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and set(value) == {"schema", "payload"}:
        value["schema"] = by_name(value["schema"])
    return value


def read_topics(path, name):
    """Of each side: topic without its prefix -> messages, in order."""
    theirs, ours = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            headers = record.get("headers") or []
            for prefix, side in ((f"ours.{name}.", ours), (f"ours_{name}.", ours), (f"{name}.", theirs)):
                if record["topic"].startswith(prefix):
                    side.setdefault(record["topic"][len(prefix):], []).append((record["offset"], {
                        "key": decoded(record.get("key")),
                        "value": decoded(record.get("payload")),
                        "headers": {key: decoded(text) for key, text in zip(headers[::2], headers[1::2])},
                    }))
                    break
    return [{topic: [m for _, m in sorted(messages, key=lambda pair: pair[0])] for topic, messages in side.items()}
            for side in (theirs, ours)]


def pairs(text):
    """An hstore as JSON text; its pairs have no order."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and all(isinstance(v, (str, type(None))) for v in value.values()) else None


def differences(theirs, ours, path):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in list(theirs) + [n for n in ours if n not in theirs]:
            yield from differences(theirs.get(name, MISSING), ours.get(name, MISSING), f"{path}.{name.strip('.')}")
    elif type(theirs) is bool or type(ours) is bool:
        if theirs is not ours:
            yield path, theirs, ours
    elif theirs != ours:
        if not (isinstance(theirs, str) and isinstance(ours, str) and pairs(theirs) is not None and pairs(theirs) == pairs(ours)):
            yield path, theirs, ours


def shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 300 else text[:300] + "..."


def report_unused(folder, allowed_path):
    used = set()
    for path in pathlib.Path(folder).glob("*.used"):
        used.update(int(number) for number in path.read_text().split())
    unused = [number for number, sets, *_ in read_lines(allowed_path) if sets == ["*"] and number not in used]
    for number in unused:
        print(f"{allowed_path}:{number}: no difference of any set needs this line")
    sys.exit(1 if unused else 0)


def main():
    name, folder, allowed_path = sys.argv[1:]
    if name == "unused":
        report_unused(folder, allowed_path)
    allowed = read_lines(allowed_path)
    used = set()
    seen = {}
    sides = read_topics(f"{folder}/{name}.jsonl", name)
    compared = 0
    topics = sorted(topic for topic in set(sides[0]) | set(sides[1]) if not topic.endswith("._end"))
    for topic in topics:
        theirs, ours = (side.get(topic, []) for side in sides)
        compared += len(theirs)
        found = []
        if len(theirs) != len(ours):
            found.append(("messages", len(theirs), len(ours)))
        for one, other in zip(theirs, ours):
            for part in ("key", "value", "headers"):
                found += differences(one[part], other[part], part)
        for path, one, other in found:
            lines = [a[0] for a in allowed if any(fnmatch.fnmatchcase(name, s) for s in a[1]) and
                     fnmatch.fnmatchcase(topic, a[2]) and fnmatch.fnmatchcase(path, a[3])]
            used.update(lines)
            if not lines:
                seen.setdefault((topic, path), []).append((one, other))
    for (topic, path), values in seen.items():
        print(f"{topic} {path}")
        for one, other in list(dict.fromkeys((shown(a), shown(b)) for a, b in values))[:6]:
            print(f"    debezium: {one}\n    ours:     {other}")
    pathlib.Path(folder, f"{name}.used").write_text(" ".join(map(str, sorted(used))))
    unused = [a for a in allowed if a[0] not in used and a[1] != ["*"] and name in a[1]]
    for number, *line in unused:
        print(f"{allowed_path}:{number}: no difference of {name} needs this line")
    print(f"{name}: {compared} messages in {len(topics)} topics, {len(seen)} places differ without a reason")
    if seen or unused or not compared:
        sys.exit(1)


main()
