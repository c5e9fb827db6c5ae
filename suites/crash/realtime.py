#!/usr/bin/env python3
"""Kills Hearth with SIGKILL again and again while clients write to the Realtime Database, and checks after each start what
it promised.

    realtime.py [--kills 20] [--writers 6] [--seed N]

- A write that was acknowledged is there, and those of one client are there without gaps: sets, updates, transactions.
- An update of several places is whole.
- What clients left to be written when they go is written, once, after the start.

Only Python's standard library is used. Each kill survived counts as one test.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "suites"))
from realtime import Client  # noqa: E402
from servers import BINARY  # noqa: E402

PROJECT = "demo-crash"
NAMESPACE = f"{PROJECT}-default-rtdb"
START_S_MAX = 10
DEPARTED_S_MAX = 10
# Writes that one client sends without waiting.
IN_FLIGHT = 16


class Server:
    """One life of the binary."""

    def __init__(self, folder):
        command = [BINARY, "dev", str(folder), "--only", "database", "--ports", "database=0,hub=0", "--json"]
        begun = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watchdog = threading.Timer(START_S_MAX, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise AssertionError(f"did not start within {START_S_MAX} s: exit code {self.process.wait()}")
        self.port = json.loads(line)["ports"]["database"]
        self.start_s = time.monotonic() - begun

    def connect(self):
        return Client(self.port, NAMESPACE)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0, "a stop that was asked for is clean"


class Writer:
    """Writes, each with a number one larger than the last: an entry; a pair in one update; a counter; a transaction."""

    def __init__(self, number):
        self.number, self.next, self.acknowledged = number, 1, 0
        self.lives, self.left = 0, set()

    def write(self, client, n):
        me = self.number
        return client.send(
            "m",
            {
                "p": f"w{me}",
                "d": {
                    f"entries/{n}": n,
                    "left": n,
                    "right": {"n": n, "x": "x" * (n % 50)},
                    "count": {".sv": {"increment": 1}},
                },
            },
        )

    def run(self, server, stopping, failures):
        try:
            client = server.connect()
            self.lives += 1
            status, data = client.ask("o", {"p": f"w{self.number}/departures/{self.lives}", "d": {".sv": {"increment": 1}}})
            assert status == "ok", f"onDisconnect answered {status}: {data}"
            self.left.add(self.lives)
            waiting = []
            while not stopping.is_set():
                while len(waiting) < IN_FLIGHT:
                    waiting.append((self.write(client, self.next), self.next))
                    self.next += 1
                request, n = waiting.pop(0)
                status, data = client.answer(request)
                if status != "ok":
                    failures.append(f"a write answered {status}: {data}")
                    return
                self.acknowledged = n
        except AssertionError as failure:
            failures.append(str(failure))
        except (OSError, json.JSONDecodeError):
            return  # the server died under it


def check(server, writers):
    """What the last life promised. Sets each writer to go on from what is there."""
    client = server.connect()
    for writer in writers:
        me = writer.number
        there = client.ok("g", {"p": f"w{me}", "q": {}}) or {}
        left = there.get("left", 0)
        right, count = there.get("right", {}).get("n", 0), there.get("count", 0)
        assert left == right == count, f"writer {me}: a torn update: {left}, {right}, {count}"
        assert writer.acknowledged <= left < writer.next, f"writer {me}: {writer.acknowledged} acknowledged, {left} found"
        entries = there.get("entries", {})
        assert len(entries) == left and all(entries[str(n)] == n for n in range(1, left + 1)), f"writer {me}: {left}, {len(entries)} entries"
        writer.acknowledged, writer.next = left, left + 1
        waited = time.monotonic()
        while True:
            departures = client.ok("g", {"p": f"w{me}/departures", "q": {}}) or {}
            if all(departures.get(str(life)) == 1 for life in writer.left):
                break
            assert not any(count > 1 for count in departures.values()), f"writer {me}: done twice: {departures}"
            assert time.monotonic() - waited < DEPARTED_S_MAX, f"writer {me}: left {sorted(writer.left)}, departures {departures}"
            time.sleep(0.02)
        # The next lives begin with little to read.
        if left > 2_000:
            client.ok("p", {"p": f"w{me}/entries", "d": None})
            client.ok("m", {"p": f"w{me}", "d": {"left": None, "right": None, "count": None, "departures": None}})
            writer.acknowledged, writer.next, writer.lives, writer.left = 0, 1, 0, set()
    client.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"crash of the Realtime Database: seed {options.seed}")
    survived, starts, total = 0, [], 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hearth-crash-") as name:
        folder = pathlib.Path(name)
        (folder / "firebase.json").write_text('{"database": {"rules": "database.rules.json"}}')
        (folder / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
        (folder / "database.rules.json").write_text('{"rules": {".read": true, ".write": true}}')
        writers = [Writer(number) for number in range(options.writers)]
        server = None
        try:
            for _ in range(options.kills):
                server = Server(folder)
                stopping, failures = threading.Event(), []
                threads = [threading.Thread(target=writer.run, args=(server, stopping, failures)) for writer in writers]
                before = sum(writer.acknowledged for writer in writers)
                for thread in threads:
                    thread.start()
                time.sleep(chance.uniform(0.05, 0.35))
                server.kill()
                stopping.set()
                for thread in threads:
                    thread.join()
                assert not failures, failures[0]
                total += sum(writer.acknowledged for writer in writers) - before
                server = Server(folder)
                starts.append(server.start_s)
                check(server, writers)
                server.stop() if chance.random() < 0.5 else server.kill()
                server = None
                survived += 1
            assert total > options.kills, f"only {total} writes: the writers were idle"
        except AssertionError as failure:
            print(f"crash of the Realtime Database: after {survived} kills: {failure}")
            print(f"{survived} passed, 1 failed")
            return 1
        finally:
            if server:
                server.kill()
    starts.sort()
    print(
        f"crash of the Realtime Database: {total} updates acknowledged, none lost; start after a kill: median "
        f"{starts[len(starts) // 2] * 1000:.0f} ms, slowest {starts[-1] * 1000:.0f} ms; {time.monotonic() - begun:.0f} s in all"
    )
    print(f"{survived} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
