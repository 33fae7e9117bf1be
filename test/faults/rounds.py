#!/usr/bin/env python3
"""check-faults: rounds of writers, one fault, recovery and a verdict; prints TAP, one test a round.

  rounds.py --rounds N --seed S [--first R] --directory DIR [--broker DIR --port PORT] [--faults NAME,...]

The environment is that of a script in test/broker, with the server in DIR running. Everything a round does comes
from SEED and its number; what fails is printed with both, and `ROUNDS=1 FIRST=number` runs that round alone.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time

import faults
import work
from database import Database, SqlError, Writer
from history import Bronze, Ledger, Topics, differences, short

TABLES = ("account", "note")
WRITERS = 3


class Suite:
    def __init__(self, options):
        self.options = options
        self.database = Database(options.directory)
        self.broker = faults.Broker(options.broker, options.port)
        # k may repeat, x may not: it sends in Kafka transactions.
        brokers = ["k", "x"] if options.broker else []
        self.streams = ["bronze", *brokers]
        self.topic_names = [f"{stream}.public.{table}" for stream in brokers for table in TABLES]
        self.without = options.without + ([] if os.environ.get("BV_SPILL") else ["spill"])
        if not brokers:
            self.without += faults.NEED_A_BROKER
        self.names = itertools.count(1)
        self.ledger = Ledger(self.database)
        self.changes = 0
        self.problems = []

    def prepare(self):
        sql = self.database.sql
        with open(os.path.join(os.path.dirname(__file__), "schema.sql"), encoding="utf-8") as file:
            sql(file.read())
        for name in self.topic_names:
            self.broker.create(name)
        sql("SELECT bitvelocity.create_bronze('account'), bitvelocity.create_bronze('note')")
        sql("SELECT bitvelocity.alter_stream('bronze', options => '{\"snapshot.chunk_rows\": 50, \"snapshot.readers\": 3}')")
        for stream in self.streams[1:]:
            options = '{"delivery": "transactional"}' if stream == "x" else "{}"
            sql(f"SELECT bitvelocity.create_stream('{stream}', ARRAY['account', 'note']::regclass[], sink => 'kafka',"
                f" options => '{options}')")
        for stream in self.streams:
            self.synced(stream)
        self.bronze = Bronze(self.database, TABLES)
        self.topics = {name: Topics(self.broker.address, [topic for topic in self.topic_names if topic.startswith(name + ".")],
                                    committed_only=name == "x") for name in self.streams[1:]}

    def synced(self, stream, limit=90):
        done, answer = self.database.until(f"SELECT bitvelocity.wait_for_stream('{stream}', timeout => '10 s')", limit=limit)
        if not done:
            state = ""
            try:
                state = self.database.sql("SELECT state, last_error FROM bitvelocity.stream_status"
                                          f" WHERE stream = '{stream}'").replace("\x01", ": ")
            except SqlError as error:
                state = str(error)
            self.problems.append(f"stream {stream} did not arrive within {limit} s: {answer}; {state}")
        return done

    def decide_prepared(self, rng, all_of_them):
        """Also while the server restarts."""
        for _ in range(100):
            try:
                self.try_to_decide(rng, all_of_them)
                return
            except SqlError as error:
                failure = error
                self.database.ensure_running()
                time.sleep(0.1)
        raise failure

    def try_to_decide(self, rng, all_of_them):
        for (name,) in self.database.rows("SELECT gid FROM pg_prepared_xacts ORDER BY gid"):
            verb = rng.choice(("COMMIT", "COMMIT", "ROLLBACK", "leave"))
            if verb == "leave":
                verb = "COMMIT" if all_of_them else None
            if verb:
                self.database.sql(f"{verb} PREPARED '{name}'")

    def heal(self, rng, last_round):
        self.broker.heal()
        try:
            os.unlink(os.path.join(self.database.data, faults.FAILPOINT_FILE))
        except FileNotFoundError:
            pass
        self.database.ensure_running()
        self.database.reload()
        self.decide_prepared(rng, last_round)

    def verdict(self):
        for stream in self.streams:
            self.synced(stream)
        if self.problems:
            return
        expected = self.ledger.take()
        self.changes += sum(len(changes) for changes in expected.values())
        self.problems += [f"bronze: {text}" for text in differences(expected, self.bronze.read())]
        for stream, topics in self.topics.items():
            found, last = topics.read()
            self.problems += [f"topic of {stream}: {text}" for text in differences(expected, found)]
            self.problems += [f"topic of {stream}: {text}" for text in topics.wrong]
            topics.wrong = []
            for key, events in expected.items():
                if key in last and last[key] != events[-1]:
                    self.problems.append(f"topic of {stream}: the last event of key {key} is {last[key]}, not {events[-1]}")

    def recreated(self, topic):
        for topics in self.topics.values():
            if topic in topics.names:
                topics.recreated(topic)

    def resynced(self, stream):
        """What was committed since the last verdict may be missing, but the last event of every key is its row."""
        self.synced(stream)
        expected = self.ledger.take()
        others = [name for name in self.streams if name != stream]
        for name in others:
            self.synced(name)
        if self.problems:
            return
        rows = {}
        for table in TABLES:
            for key, content in self.database.rows(f"SELECT id, to_jsonb(t) FROM {table} t"):
                rows[int(key)] = json.loads(content)
        for name in self.streams:
            found, last = self.events(name)
            if name != stream:
                self.problems += [f"{name}: {text}" for text in differences(expected, found)]
                continue
            if not found:
                self.problems.append(f"{name}: the resync brought nothing")
            for key, row in rows.items():
                if key not in last or last[key].content != row:
                    self.problems.append(f"{name}: after the resync the last event of key {key} is {last.get(key)}, "
                                         f"not {short(row)}")

    def events(self, stream):
        if stream == "bronze":
            found = self.bronze.read()
            return found, {key: events[-1] for key, events in found.items()}
        return self.topics[stream].read()

    def fill_spill_disk(self, full):
        file = os.path.join(os.environ["BV_SPILL"], "filler")
        if not full:
            os.unlink(file)
            return
        with open(file, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(b"x" * 1048576)
            except OSError:
                out.truncate(max(0, os.path.getsize(file) - 2097152))  # the slots themselves still fit

    def round(self, number, last_round):
        rng = random.Random(f"{self.options.seed}:{number}")
        self.problems = []
        fault = faults.choose(rng, self.options.faults, self.without)
        began = time.monotonic()
        before = self.changes
        count = rng.randint(4, 12)
        writers = [Writer(self.database, work.transactions(rng, writer, self.names, count), rng.choice((0, 0.01, 0.05)))
                   for writer in range(WRITERS)]
        fault.begin(self, rng)
        for writer in writers:
            writer.start()
        fault.during(self, rng)
        for writer in writers:
            writer.join()
        fault.end(self, rng)
        self.heal(rng, last_round)
        self.verdict()
        what = f"round {number}: {fault}; {self.changes - before} changes, {time.monotonic() - began:.1f} s"
        return what

    def run(self):
        failed = 0
        rounds = range(self.options.first, self.options.first + self.options.rounds)
        for number in rounds:
            try:
                what = self.round(number, number == rounds[-1])
            except (SqlError, subprocess.SubprocessError, OSError, RuntimeError) as error:
                what = f"round {number}"
                self.problems.append(f"{type(error).__name__}: {error}")
            if not self.problems:
                print(f"ok {number - rounds[0] + 1} - {what}", flush=True)
                continue
            failed += 1
            print(f"not ok {number - rounds[0] + 1} - {what}")
            for problem in self.problems:
                print(f"#   {problem}")
            print(f"#   again: make check-faults SEED={self.options.seed} FIRST={number} ROUNDS=1", flush=True)
            if failed >= self.options.most_failures:
                print("# given up", flush=True)
                break
        repeated = {stream: topics.repeated for stream, topics in self.topics.items()}
        print(f"# seed {self.options.seed}: {len(rounds)} rounds, {failed} failed, {self.changes} committed changes, "
              f"repeated messages {repeated}, failpoints hit {faults.hits}")
        print(f"1..{number - rounds[0] + 1}", flush=True)
        return failed == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--broker", default="", help="folder of a running broker; without it only bronze is tested")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", default="", help="only these")
    parser.add_argument("--without", default="", help="all but these")
    parser.add_argument("--most-failures", type=int, default=3)
    options = parser.parse_args()
    options.faults = [name for name in options.faults.split(",") if name]
    options.without = [name for name in options.without.split(",") if name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    suite = Suite(options)
    suite.prepare()
    sys.exit(0 if suite.run() else 1)


if __name__ == "__main__":
    main()
