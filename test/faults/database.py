"""One private server and its writers: SQL through psql, faults through signals and pg_ctl."""

import os
import queue
import random
import signal
import subprocess
import threading
import time

SERVER = os.environ["BV_SERVER"]


class SqlError(Exception):
    pass


class Database:
    def __init__(self, directory):
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.starting = threading.RLock()  # one starts it, whoever finds it gone

    def sql(self, *commands, timeout=60):
        arguments = ["psql", "-XAtq", "-F", "\x01", "-v", "ON_ERROR_STOP=1"]
        for command in commands:
            arguments += ["-c", command]
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as error:
            raise SqlError(f"no answer within {timeout} s: {commands[-1]}") from error
        if done.returncode != 0:
            raise SqlError(done.stderr.strip())
        return done.stdout.rstrip("\n")

    def rows(self, command):
        text = self.sql(command)
        return [line.split("\x01") for line in text.split("\n")] if text else []

    def until(self, command, wanted="t", limit=60):
        """Asks until the answer is the one wanted; also while the server restarts."""
        deadline = time.monotonic() + limit
        answer = ""
        while time.monotonic() < deadline:
            try:
                answer = self.sql(command, timeout=limit)
                if answer == wanted:
                    return True, answer
            except SqlError as error:
                answer = str(error)
                self.ensure_running()
            time.sleep(0.05)
        return False, answer

    def postmaster(self):
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
                pid = int(file.readline())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if self.data.encode() in file.read() else None
        except (OSError, ValueError):
            return None

    def ensure_running(self):
        """Starts the server again when its postmaster is gone."""
        deadline = time.monotonic() + 60
        with self.starting:
            while self.postmaster() is None:
                done = subprocess.run([SERVER, "restart", self.directory, "immediate"], capture_output=True, text=True)
                # Processes of the one before may hold shared memory for a moment.
                if done.returncode != 0 and time.monotonic() > deadline:
                    raise SqlError("the server does not start: " + done.stderr)
                time.sleep(0.05)

    def restart(self, mode):
        with self.starting:
            subprocess.run([SERVER, "restart", self.directory, mode], capture_output=True)
            self.ensure_running()

    def kill_postmaster(self):
        with self.starting:
            pid = self.postmaster()
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                while os.path.exists(f"/proc/{pid}"):
                    time.sleep(0.02)
            self.ensure_running()

    def worker_pids(self, role=""):
        try:
            text = self.sql(f"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'bitvelocity %{role}'"
                            " AND backend_type ~ 'decoder|deliverer'")
        except SqlError:
            return []
        return [int(pid) for pid in text.split()]

    def write_file(self, name, text):
        """As the server's account does."""
        path = os.path.join(self.data, name)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        if os.getuid() == 0:
            facts = os.stat(self.data)
            os.chown(path + ".new", facts.st_uid, facts.st_gid)
        os.rename(path + ".new", path)

    def reload(self):
        pid = self.postmaster()
        if pid is not None:
            os.kill(pid, signal.SIGHUP)


class Writer(threading.Thread):
    """Runs transactions one after the other; a lost connection is made again, a failed transaction is left."""

    def __init__(self, database, transactions, pause):
        super().__init__(daemon=True)
        self.database = database
        self.transactions = transactions
        self.pause = pause
        self.done = 0
        self.give_up = time.monotonic() + 120

    def run(self):
        waiting = queue.SimpleQueue()
        for transaction in self.transactions:
            waiting.put(transaction)
        while not waiting.empty() and time.monotonic() < self.give_up:
            psql = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True, bufsize=1)
            try:
                psql.stdin.write("SET lock_timeout = 300;\nSET client_min_messages = error;\n\\echo done\n")
                psql.stdin.flush()
                if psql.stdout.readline() == "":
                    raise BrokenPipeError
                while not waiting.empty():
                    psql.stdin.write(waiting.get() + "\nROLLBACK;\n\\echo done\n")
                    psql.stdin.flush()
                    while (line := psql.stdout.readline()) not in ("done\n", ""):
                        pass
                    if line == "":
                        raise BrokenPipeError
                    self.done += 1
                    time.sleep(self.pause)
                psql.stdin.close()
                psql.wait()
            except (BrokenPipeError, ValueError, OSError):
                psql.kill()
                psql.wait()
                self.database.ensure_running()
                time.sleep(0.1)
