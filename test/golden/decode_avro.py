#!/usr/bin/env python3
"""Decodes recorded Avro messages with fastavro, an implementation that knows nothing of ours.

  decode_avro.py NAME.avro.txt     of a golden file: reads every message with the schema it names, to
                                   its last byte, compares rows with NAME.rows (what to_jsonb said on
                                   the server), and prints `N messages, N rows`

Exit status 1 with the first difference; 77 where fastavro is not installed.
"""
import base64
import datetime
import decimal
import io
import json
import os
import sys
import uuid

try:
    import fastavro
    import fastavro.read as read
except ImportError:
    print("fastavro is not installed")
    sys.exit(77)

# Days and microseconds beyond what Python's types hold stay numbers.
for name, reader in list(read.LOGICAL_READERS.items()):
    def tolerant(data, *rest, reader=reader):
        try:
            return reader(data, *rest)
        except (OverflowError, ValueError):
            return data
    read.LOGICAL_READERS[name] = tolerant


def decode(schemas, hexadecimal):
    raw = bytes.fromhex(hexadecimal)
    assert raw[0] == 0, "no magic byte"
    stream = io.BytesIO(raw[5:])
    record = fastavro.schemaless_reader(stream, schemas[int.from_bytes(raw[1:5], "big")])
    assert stream.read() == b"", "bytes behind the record"
    return record


def number(value):
    return decimal.Decimal(value) if not isinstance(value, float) else value


def same(decoded, expected):
    """A decoded value against to_jsonb's."""
    if isinstance(decoded, list):
        return (isinstance(expected, list) and len(decoded) == len(expected)
                and all(same(*pair) for pair in zip(decoded, expected)))
    if isinstance(decoded, datetime.datetime):
        text = expected.replace("+00:00", "")
        return decoded.replace(tzinfo=None) == datetime.datetime.fromisoformat(text)
    if isinstance(decoded, datetime.date):
        return decoded.isoformat() == expected
    if isinstance(decoded, datetime.time):
        return decoded == datetime.time.fromisoformat(expected)
    if isinstance(decoded, uuid.UUID):
        return str(decoded) == expected
    if isinstance(decoded, bytes):
        return "\\x" + decoded.hex() == expected
    if isinstance(decoded, bool) or decoded is None:
        return decoded is expected
    if isinstance(decoded, float):
        text = str(expected)
        return str(decoded) == str(float(text)) or abs(decoded - float(text)) <= abs(decoded) * 1e-6
    if isinstance(decoded, (int, decimal.Decimal)):
        if isinstance(expected, str) and expected.startswith("$"):
            return decoded == decimal.Decimal(expected.replace("$", "").replace(",", ""))
        if isinstance(expected, str):  # a time that Python cannot hold
            return isinstance(decoded, int)
        return number(decoded) == number(expected)
    # Everything else is the server's text; to_jsonb has a JSON of its own for some of it.
    if not isinstance(expected, str) or decoded == expected or \
            decoded.replace(" ", "T") == expected.replace(" ", "T"):
        return True
    try:
        return json.loads(decoded) == expected  # a json or jsonb that is a text
    except ValueError:
        return False


def main():
    path = sys.argv[1]
    schemas, messages, rows = {}, 0, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            columns = line.rstrip("\n").split("\t")
            if columns[0] == "schema":
                schemas[int(columns[1])] = fastavro.parse_schema(json.loads(columns[3]))
                continue
            if columns[0].startswith("error") and "without a key" not in line:
                sys.exit(path + ": " + line)
            if columns[0].startswith("error"):
                continue
            key = None if columns[1] == "null" else decode(schemas, columns[1])
            value = None if columns[2] == "null" else decode(schemas, columns[2])
            messages += 1
            row = value
            if value is not None and "metadata" in value:
                row = value.get("after")
                assert uuid.UUID(str(value["metadata"]["event_id"])).version == 8
                inserted = value.get("operation") == "INSERT"
            else:
                inserted = value is not None
            if key is not None and row is not None:
                assert all(row[name] == part for name, part in key.items()), "key is not the row's"
            if inserted:
                rows.append(row)
    expected_path = os.path.join(os.path.dirname(path),
                                 os.path.basename(path).split(".")[0] + ".rows")
    compared = 0
    if os.path.exists(expected_path):
        with open(expected_path, encoding="utf-8") as lines:
            expected = [json.loads(line, parse_float=decimal.Decimal) for line in lines]
        assert len(expected) == len(rows), "%d rows, %d expected" % (len(rows), len(expected))
        for row, wanted in zip(rows, expected):
            told = row.pop("_text") or {}
            row.pop("_unchanged")
            assert set(row) == set(wanted), set(row) ^ set(wanted)
            for name, value in row.items():
                if name in told:
                    assert value is None, name
                    text = wanted[name]
                    if isinstance(text, str):
                        assert told[name].replace(" ", "T") == text.replace(" ", "T") or \
                            told[name] == text, (name, told[name], text)
                else:
                    assert same(value, wanted[name]), (name, value, wanted[name])
            compared += 1
    print("%d messages, %d rows" % (messages, compared))


main()
