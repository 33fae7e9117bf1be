"""The faults: what is broken during a round, and how it is mended afterwards."""

import collections
import itertools
import json
import os
import re
import signal
import subprocess
import time

from database import SqlError
from history import Bronze, Topics, short

FAILPOINT_FILE = "bitvelocity.failpoint"
hits = collections.Counter()


def failpoints():
    """The names, from the one place where they stand."""
    path = os.path.join(os.environ["BV_SOURCE"], "src/core/failpoint.hpp")
    with open(path, encoding="utf-8") as file:
        return re.findall(r"^ +X\((\w+)\)", file.read(), re.MULTILINE)


class Broker:
    def __init__(self, directory, port):
        self.directory = directory
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.program = os.path.join(os.environ["BV_SOURCE"], "test/broker/kafka-broker")
        self.stopped = False
        self.hanging = None
        self.denied = []

    def admin(self, verb, *arguments):
        done = subprocess.run([os.environ["BV_ADMIN"], self.address, verb, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"admin {verb} {arguments}: {done.stderr.strip()}")

    def command(self, verb, *arguments):
        done = subprocess.run([self.program, verb, self.directory, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"kafka-broker {verb}: {done.stderr.strip()}")

    def create(self, name):
        """Also right after its deletion, which goes on for a moment; the stream may be faster."""
        for _ in range(100):
            try:
                self.admin("create", name)
                return
            except RuntimeError as error:
                if "already exists" in str(error):
                    return
                failure = error
                time.sleep(0.1)
        raise failure

    def deny(self, topic):
        self.denied.append(topic)
        self.admin("deny", "User:stream", topic)

    def pid(self):
        with open(os.path.join(self.directory, "broker.pid"), encoding="ascii") as file:
            return int(file.read())

    def stop(self):
        self.command("stop", "KILL")
        self.stopped = True

    def hang(self):
        self.hanging = self.pid()
        os.kill(self.hanging, signal.SIGSTOP)

    def heal(self):
        if self.hanging:
            os.kill(self.hanging, signal.SIGCONT)
            self.hanging = None
        if self.stopped:
            self.command("start", self.port, *os.environ["BV_BROKER_SETTINGS"].split("|"))
            self.stopped = False
        while self.denied:
            self.admin("admit", "User:stream", self.denied.pop())


class Fault:
    """A fault is made for one round. begin: before the writers; during: while they write; end: after them."""

    weight = 1
    name = ""

    def __str__(self):
        return self.name

    def begin(self, suite, rng):
        pass

    def during(self, suite, rng):
        pass

    def end(self, suite, rng):
        pass


def pause(rng, most=0.8):
    time.sleep(rng.random() * most)


def tolerant(action, *arguments):
    """The server may be on its way down or up."""
    try:
        action(*arguments)
    except SqlError:
        pass


class Nothing(Fault):
    name = "nothing"


class Failpoint(Fault):
    """A place, an action and at which hit, as core/failpoint.hpp describes."""

    name = "failpoint"
    weight = 12
    stopping = ("decoder_stopping", "decoder_closed", "deliverer_draining", "deliverer_drained")
    starting = ("deliverer_slot_seen", "deliverer_opened", "transaction_opened")
    copying = ("decoder_slot_made", "reader_chunk_read", "deliverer_chunk_read", "deliverer_watermarked", "deliverer_row_copied", "deliverer_copied",
               "deliverer_chunk_saved")
    sending = ("transaction_", "deliverer_sent", "deliverer_acknowledged")
    rare = ("decoder_confirming", "decoder_saving", "decoder_saved")
    letters = ("letters_stored", "letters_redriven")  # no stream of the suite has any

    def begin(self, suite, rng):
        self.place = rng.choice([name for name in failpoints() if name not in self.copying + self.letters
                                 and (suite.topics or not name.startswith(self.sending))])
        self.action = rng.choice(("kill", "kill", "kill_server", "stop_immediate", "error", "error", "sleep"))
        most = 1 if self.place in self.stopping + self.starting else 3 if self.place in self.rare else 200
        most = 5 if self.place.startswith("transaction_") and most > 1 else most
        self.hit = int(most ** rng.random())
        suite.database.write_file(FAILPOINT_FILE, f"{self.place} {self.action} {self.hit}\n")
        suite.database.reload()

    def during(self, suite, rng):
        if self.place in self.stopping + self.starting:
            pause(rng)
            stream = rng.choice(suite.streams)
            tolerant(suite.database.sql, f"SELECT bitvelocity.pause_stream('{stream}')")
            pause(rng)

    def end(self, suite, rng):
        if self.place in self.stopping + self.starting:
            for stream in suite.streams:
                resume(suite, stream)
        path = os.path.join(suite.database.data, FAILPOINT_FILE)
        deadline = time.monotonic() + 1.5
        while os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.happened = not os.path.exists(path)
        if self.happened:
            hits[self.place] += 1

    def __str__(self):
        text = f"{self.action} at {self.place}, hit {self.hit}"
        return text if self.happened else text + " (not reached)"


def resume(suite, stream):
    done, answer = suite.database.until(
        f"SELECT bitvelocity.resume_stream('{stream}') FROM bitvelocity.stream WHERE stream_name = '{stream}' AND paused"
        " UNION ALL SELECT NULL WHERE false", wanted="", limit=30)
    if not done:
        suite.problems.append(f"resume_stream: {answer}")


class KillWorker(Fault):
    name = "SIGKILL of a worker"
    weight = 2

    def during(self, suite, rng):
        pause(rng)
        pids = suite.database.worker_pids()
        if pids:
            try:
                os.kill(rng.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass


class TerminateWorker(Fault):
    name = "SIGTERM of a worker"
    weight = 2

    def during(self, suite, rng):
        for _ in range(rng.randint(1, 3)):
            pause(rng, 0.5)
            role = rng.choice(("decoder", "deliverer"))
            tolerant(suite.database.sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                         f" WHERE backend_type = 'bitvelocity {role}'")


class KillPostmaster(Fault):
    name = "SIGKILL of the postmaster"
    weight = 2

    def during(self, suite, rng):
        pause(rng)
        suite.database.kill_postmaster()


class Restart(Fault):
    weight = 3

    def during(self, suite, rng):
        pause(rng)
        self.mode = rng.choice(("fast", "immediate"))
        suite.database.restart(self.mode)

    def __str__(self):
        return f"stop -m {self.mode} and start"


class PauseStream(Fault):
    name = "pause_stream and resume_stream"

    def during(self, suite, rng):
        pause(rng, 0.4)
        self.stream = rng.choice(suite.streams)
        tolerant(suite.database.sql, f"SELECT bitvelocity.pause_stream('{self.stream}')")
        pause(rng)

    def end(self, suite, rng):
        resume(suite, self.stream)


class BrokerHangs(Fault):
    name = "SIGSTOP of the broker"
    weight = 2
    together = ("nothing", "kill", "restart", "terminate")

    def during(self, suite, rng):
        pause(rng, 0.3)
        suite.broker.hang()
        self.also = rng.choice(self.together)
        pause(rng)
        if self.also == "kill":
            KillWorker().during(suite, rng)
        elif self.also == "terminate":
            TerminateWorker().during(suite, rng)
        elif self.also == "restart":
            Restart().during(suite, rng)

    def __str__(self):
        return self.name + ("" if self.also == "nothing" else f", {self.also} meanwhile")


class BrokerStops(BrokerHangs):
    name = "SIGKILL of the broker"
    weight = 0.3  # its start takes longer than ten other rounds

    def during(self, suite, rng):
        pause(rng, 0.3)
        suite.broker.stop()
        self.also = rng.choice(self.together)
        if self.also == "kill":
            KillWorker().during(suite, rng)
        elif self.also == "terminate":
            TerminateWorker().during(suite, rng)
        elif self.also == "restart":
            Restart().during(suite, rng)


class MessageTooLarge(Fault):
    """The topic's limit is lower than a change; the stream stops at it and goes on once it is raised."""

    name = "message too large"

    def begin(self, suite, rng):
        self.topic = rng.choice(suite.topic_names)
        suite.broker.admin("configure", self.topic, "max.message.bytes=2000")

    def end(self, suite, rng):
        pause(rng, 0.5)
        suite.broker.admin("configure", self.topic, "max.message.bytes=1048588")


class Denied(Fault):
    name = "right to write lost"

    def during(self, suite, rng):
        pause(rng, 0.3)
        for topic in rng.sample(suite.topic_names, rng.randint(1, len(suite.topic_names))):
            suite.broker.deny(topic)
        pause(rng)


class TopicDeleted(Fault):
    """What was in it is gone; what is written from then on must be in the new one."""

    name = "topic deleted"

    def begin(self, suite, rng):
        self.topic = rng.choice(suite.topic_names)
        suite.verdict()
        suite.broker.admin("delete", self.topic)
        suite.recreated(self.topic)

    def during(self, suite, rng):
        pause(rng, 0.3)
        suite.broker.create(self.topic)


class SpillDiskFull(Fault):
    """pg_replslot is a small file system of its own, which a transaction larger than the memory of decoding fills."""

    name = "disk full for spilled transactions"

    def during(self, suite, rng):
        pause(rng, 0.3)
        suite.fill_spill_disk(True)
        tolerant(suite.database.sql, "BEGIN; SELECT step(300 + i % 20) FROM generate_series(1, 50) i;"
                                     " INSERT INTO ballast SELECT repeat('x', 1900) FROM generate_series(1, 36000);"
                                     " SELECT step(300 + i % 20) FROM generate_series(1, 50) i; TRUNCATE ballast; COMMIT")
        self.seen, _ = suite.database.until(
            "SELECT EXISTS (SELECT FROM bitvelocity.stream_status WHERE last_error LIKE '%No space left%')", limit=20)
        pause(rng)

    def end(self, suite, rng):
        suite.fill_spill_disk(False)
        if not self.seen:
            suite.problems.append("no stream ever said that the disk was full")


class SlotLost(Fault):
    """Dropped, invalidated or made anew by somebody else: never a silent gap, and complete again after a resync."""

    weight = 2

    def begin(self, suite, rng):
        self.how = rng.choice(("dropped", "made anew", "invalidated"))
        self.stream = rng.choice(suite.streams)

    def __str__(self):
        return f"slot of {self.stream} {self.how}"

    def end(self, suite, rng):
        database = suite.database
        suite.heal(rng, True)  # the new slot will wait for every open transaction, also prepared ones
        suite.verdict()
        slot = database.sql(f"SELECT slot_name FROM bitvelocity.stream WHERE stream_name = '{self.stream}'")
        database.sql(f"SELECT bitvelocity.pause_stream('{self.stream}')")
        done, answer = database.until(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'", wanted="f")
        if not done:
            suite.problems.append(f"the slot stays in use: {answer}")
            return
        if self.how == "invalidated":
            self.invalidate(suite, slot)
        else:
            database.sql(f"SELECT pg_drop_replication_slot('{slot}')")
        database.sql("SELECT step(i) FROM generate_series(0, 9) i", "SELECT step(1000 + i) FROM generate_series(0, 9) i")
        if self.how == "made anew":
            database.sql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
        database.sql("SELECT step(i) FROM generate_series(5, 14) i")
        database.sql(f"SELECT bitvelocity.resume_stream('{self.stream}')")
        done, answer = database.until(
            f"SELECT state FROM bitvelocity.stream_status WHERE stream = '{self.stream}'", wanted="needs_resync", limit=30)
        if not done:
            suite.problems.append(f"the lost slot is not noticed: state {answer}")
            return
        database.sql(f"SELECT bitvelocity.resync_stream('{self.stream}')")
        suite.resynced(self.stream)

    def invalidate(self, suite, slot):
        """What max_slot_wal_keep_size does to a slot that stays behind; the others have to keep up."""
        database = suite.database
        for _ in range(4):
            database.sql("SELECT step(1) FROM pg_switch_wal()")
        for _ in range(100):
            database.sql("SELECT step(2)", "CHECKPOINT")
            if database.sql("SELECT coalesce(bool_and(restart_lsn > pg_current_wal_lsn() - 8000000), true)"
                            " FROM pg_replication_slots WHERE active") == "t":
                break
            time.sleep(0.3)
        database.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
        database.reload()
        database.sql("CHECKPOINT")
        done, answer = database.until(
            f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{slot}'", wanted="lost", limit=20)
        if not done:
            suite.problems.append(f"the slot is not invalidated: {answer}")
        database.sql("ALTER SYSTEM RESET max_slot_wal_keep_size")
        database.reload()


class CopyOfRows(Fault):
    """A table with rows joins bronze and a new stream, which is killed while it is made or copies; rows change meanwhile."""

    weight = 2
    numbers = itertools.count(1)

    def begin(self, suite, rng):
        self.place = rng.choice(Failpoint.copying)
        self.action = rng.choice(("kill", "kill_server", "stop_immediate", "error"))
        self.hit = 1 if self.place == "decoder_slot_made" else int((900 if self.place == "deliverer_row_copied" else 20) ** rng.random())
        self.table = f"copied{next(self.numbers)}"
        suite.database.sql(f"CREATE TABLE {self.table} (id int PRIMARY KEY, n bigint, note text)",
                           f"INSERT INTO {self.table} SELECT i, 0, repeat('x', 300) FROM generate_series(1, 600) i")
        suite.database.write_file(FAILPOINT_FILE, f"{self.place} {self.action} {self.hit}\n")
        suite.database.reload()

    def during(self, suite, rng):
        database = suite.database
        self.bronze = not suite.topics or (rng.random() < 0.5 and self.place != "decoder_slot_made")
        readers = 3 if self.place == "reader_chunk_read" else 1  # of bronze always 3
        make = (f"bitvelocity.create_bronze('{self.table}')" if self.bronze else
                f"bitvelocity.create_stream('{self.table}', ARRAY['{self.table}']::regclass[], sink => 'kafka',"
                f" options => '{{\"snapshot.chunk_rows\": 50, \"snapshot.readers\": {readers}}}')")
        done, answer = database.until(
            f"SELECT {make} FROM pg_class WHERE relname = '{self.table}' AND NOT EXISTS (SELECT FROM bitvelocity.stream_table"
            f" WHERE relation = '{self.table}'::regclass)", wanted="")
        if not done:
            suite.problems.append(f"{make}: {answer}")
        for _ in range(10):
            tolerant(database.sql, f"UPDATE {self.table} SET n = n + 1 WHERE id % 50 = {rng.randrange(50)}",
                     f"DELETE FROM {self.table} WHERE id = {rng.randrange(600)}")

    def end(self, suite, rng):
        database = suite.database
        stream = "bronze" if self.bronze else self.table
        suite.decide_prepared(rng, True)  # a new slot waits for every open transaction
        if not suite.synced(stream):
            return
        self.happened = not os.path.exists(os.path.join(database.data, FAILPOINT_FILE))
        hits[self.place] += self.happened
        rows = {int(key): json.loads(content)
                for key, content in database.rows(f"SELECT id, to_jsonb(t) FROM {self.table} t")}
        if self.bronze:
            events = Bronze(database, [self.table]).read()
            last = {key: of_key[-1] for key, of_key in events.items()}
            twice = [key for key, of_key in events.items() if sum(event.operation in ("READ", "INSERT") for event in of_key) > 1]
            if twice:
                suite.problems.append(f"bronze: rows copied twice: {twice[:10]}")
        else:
            topics = Topics(suite.broker.address, [f"{self.table}.public.{self.table}"])
            _, last = topics.read()
            suite.problems += topics.wrong
        wrong = [f"{stream}: the last event of key {key} is {last.get(key)}, not {short(row)}"
                 for key, row in rows.items() if key not in last or last[key].content != row]
        wrong += [f"{stream}: key {key} was deleted, its last event is {event}"
                  for key, event in last.items() if key not in rows and event.operation != "DELETE"]
        suite.problems += wrong[:5]
        if self.bronze:
            database.sql(f"SELECT bitvelocity.alter_stream('bronze', drop_tables => ARRAY['{self.table}']::regclass[])")
        else:
            database.sql(f"SELECT bitvelocity.drop_stream('{self.table}')")
        database.sql(f"DROP TABLE {self.table}")

    def __str__(self):
        text = f"{self.action} at {self.place}, hit {self.hit}, {'bronze' if self.bronze else 'new stream'}"
        return text if self.happened else text + " (not reached)"

    happened = False


ALL = {
    "nothing": Nothing,
    "failpoint": Failpoint,
    "kill": KillWorker,
    "terminate": TerminateWorker,
    "postmaster": KillPostmaster,
    "restart": Restart,
    "pause": PauseStream,
    "broker_hangs": BrokerHangs,
    "broker_stops": BrokerStops,
    "too_large": MessageTooLarge,
    "denied": Denied,
    "topic_deleted": TopicDeleted,
    "spill": SpillDiskFull,
    "slot": SlotLost,
    "copy": CopyOfRows,
}


NEED_A_BROKER = ["broker_hangs", "broker_stops", "too_large", "denied", "topic_deleted"]


def choose(rng, only, without):
    kinds = [ALL[name] for name in (only or ALL) if name not in without]
    return rng.choices(kinds, [kind.weight for kind in kinds])[0]()
