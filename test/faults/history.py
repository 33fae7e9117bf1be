"""The verdict: what the database says was committed against what a sink holds.

Per key the counter of committed changes is dense, so the ledger says exactly which events there must be, in which
order and with which content. A broker may repeat events, byte for byte and with the same identity; without its
repetitions it must say what the ledger says. Bronze may not even repeat.
"""

import json
import subprocess


class Event:
    __slots__ = ("key", "operation", "content")

    def __init__(self, key, operation, content):
        self.key = key
        self.operation = operation
        self.content = content

    def __eq__(self, other):
        return self.operation == other.operation and self.content == other.content

    def __str__(self):
        return f"{self.operation} {short(self.content)}"


def short(content):
    if content is None:
        return "-"
    return json.dumps({name: value if len(str(value)) < 30 else str(value)[:27] + "..." for name, value in content.items()})


class Ledger:
    """Committed changes that are not judged yet."""

    def __init__(self, database):
        self.database = database

    def take(self):
        rows = self.database.rows("WITH taken AS (DELETE FROM ledger RETURNING *)"
                                  " SELECT id, n, operation, content FROM taken ORDER BY id, n")
        changes = {}
        for key, _, operation, content in rows:
            changes.setdefault(int(key), []).append(Event(int(key), operation, json.loads(content) if content else None))
        return changes


def differences(expected, found, limit=10):
    """Per key: the events there must be against the events that are there."""
    wrong = []
    for key in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(key, []), found.get(key, [])
        if wanted == got:
            continue
        at = next((i for i, (a, b) in enumerate(zip(wanted, got)) if a != b), min(len(wanted), len(got)))
        wrong.append(f"key {key}: {len(wanted)} events committed, {len(got)} found; number {at + 1} is "
                     f"{wanted[at] if at < len(wanted) else 'nothing'} in the ledger, "
                     f"{got[at] if at < len(got) else 'nothing'} in the sink")
    return wrong[:limit]


class Topics:
    """What is new in the topics of one stream, format event, one partition each."""

    def __init__(self, address, names, committed_only=False):
        self.address = address
        self.names = names
        self.committed_only = committed_only
        self.offsets = dict.fromkeys(names, 0)
        self.seen = {}  # identity -> content, of every message so far
        self.messages = 0
        self.repeated = 0
        self.wrong = []

    def read(self):
        """Events by key in the order of their first arrival; the last event of each key that arrived at all."""
        found, last = {}, {}
        for name in self.names:
            for line in self.consume(name):
                offset, text = line.split("\x01", 1)
                self.offsets[name] = int(offset) + 1
                self.messages += 1
                identity, event = decode(text)
                last[event.key] = event
                content = hash(text)
                before = self.seen.get(identity)
                if before is None:
                    self.seen[identity] = content
                    found.setdefault(event.key, []).append(event)
                    continue
                self.repeated += 1
                if before != content:
                    self.wrong.append(f"{name}, offset {offset}: another content under identity {identity}")
                if self.committed_only:
                    self.wrong.append(f"{name}, offset {offset}: repeated identity {identity}")
        return found, last

    def consume(self, name):
        command = ["kcat", "-q", "-b", self.address, "-C", "-t", name, "-p", "0", "-o", str(self.offsets[name]), "-e",
                   "-X", "topic.metadata.refresh.interval.ms=200", "-f", "%o\x01%k\x01%h\x01%s\n"]
        if self.committed_only:
            command += ["-X", "isolation.level=read_committed"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"kcat: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def recreated(self, name):
        self.offsets[name] = 0


def decode(text):
    _, _, value = text.split("\x01", 2)
    message = json.loads(value)
    metadata = message["metadata"]
    identity = (metadata["epoch"], metadata["commit_lsn"], metadata["transaction_id"], metadata["ordinal"], metadata["part"])
    row = message.get("payload") or metadata["before"]
    content = message["payload"] if metadata["operation"] != "DELETE" else None
    return identity, Event(row["id"], metadata["operation"], content)


class Bronze:
    """What is new in the bronze tables, in the order of their sequence."""

    def __init__(self, database, tables):
        self.database = database
        self.last = dict.fromkeys(tables, 0)

    def read(self):
        found = {}
        for table, after in self.last.items():
            rows = self.database.rows(f"SELECT sequence, operation_type, coalesce(raw_payload, before_payload)->>'id',"
                                      f" raw_payload FROM bronze_{table} WHERE sequence > {after} ORDER BY sequence")
            for sequence, operation, key, content in rows:
                self.last[table] = int(sequence)
                found.setdefault(int(key), []).append(
                    Event(int(key), operation, json.loads(content) if content else None))
        return found
