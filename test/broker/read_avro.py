#!/usr/bin/env python3
"""Reads Avro messages as a consumer would: fastavro, and the schemas out of the registry.

  kcat -C -e -f '%K\\n%S\\n%k%s' ... | read_avro.py URL

prints one JSON object a message: {"key": ..., "value": ..., "id": the value's schema}. Decimals and
times become text.
"""
import io
import json
import sys
import urllib.request

import fastavro

schemas = {}


def decode(url, raw):
    assert raw[0] == 0, "no magic byte"
    number = int.from_bytes(raw[1:5], "big")
    if number not in schemas:
        with urllib.request.urlopen("%s/schemas/ids/%d" % (url, number)) as answer:
            schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    stream = io.BytesIO(raw[5:])
    record = fastavro.schemaless_reader(stream, schemas[number])
    assert stream.read() == b"", "bytes behind the record"
    return number, record


def main():
    url, stdin = sys.argv[1], sys.stdin.buffer
    while True:
        line = stdin.readline()
        if not line:
            return
        sizes = [int(line), int(stdin.readline())]
        key, value = (stdin.read(size) if size > 0 else None for size in sizes)
        number, record = decode(url, value) if value else (None, None)
        print(json.dumps({"key": decode(url, key)[1] if key else None, "value": record,
                          "id": number}, default=str, sort_keys=True))


main()
