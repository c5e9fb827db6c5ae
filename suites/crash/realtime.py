#!/usr/bin/env python3
"""Kills Hearth with SIGKILL again and again while clients write to the Realtime Database, and checks after each start what
it promised.

    realtime.py [--kills 20] [--writers 6] [--seed N]

- A write that was acknowledged is there, and those of one client are there without gaps: sets, updates, transactions.
- An update of several places is whole.
- What clients left to be written when they go is written, once, after the start.

Only Python's standard library is used. Each kill survived counts as one test.
"""

import base64
import hashlib
import json
import struct
import sys
import threading
import time

from lives import PROJECT, Suite, arguments
from realtime import Client  # the wire's client, beside this folder

NAMESPACE = f"{PROJECT}-default-rtdb"
DEPARTED_S_MAX = 10
# Writes that one client sends without waiting.
IN_FLIGHT = 16


def connect(server):
    return Client(server.port, NAMESPACE)


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
                    f"slots/{n % 7}": {"n": n, "deep": {"x": [n, None, n]}},
                },
            },
        )

    def run(self, server, stopping, failures):
        try:
            client = connect(server)
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


class Turner:
    """Transactions on one counter that all of them share, each on the value that it has read."""

    turns = 0
    lock = threading.Lock()

    def run(self, server, stopping, failures):
        try:
            client = connect(server)
            while not stopping.is_set():
                value = client.ok("g", {"p": "turns", "q": {}})
                body = {"p": "turns", "d": (value or 0) + 1, "h": number_hash(value)}
                status, data = client.ask("p", body)
                if status == "ok":
                    with Turner.lock:
                        Turner.turns += 1
                elif status != "datastale":
                    failures.append(f"a transaction answered {status}: {data}")
                    return
        except AssertionError as failure:
            failures.append(str(failure))
        except (OSError, json.JSONDecodeError):
            return


def number_hash(value):
    """The hash of a number as clients make it; of null it is empty."""
    if value is None:
        return ""
    text = "number:" + struct.pack(">d", float(value)).hex()
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def check_turns(server, turners):
    client = connect(server)
    there = client.ok("g", {"p": "turns", "q": {}}) or 0
    assert Turner.turns <= there <= Turner.turns + len(turners), f"{Turner.turns} transactions acknowledged, {there} counted"
    Turner.turns = there
    client.close()


def check(server, writers):
    """What the last life promised. Sets each writer to go on from what is there."""
    client = connect(server)
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


class Writes(Suite):
    name = "crash of the Realtime Database"
    service = "database"
    files = {
        "firebase.json": '{"database": {"rules": "database.rules.json"}}',
        "database.rules.json": '{"rules": {".read": true, ".write": true}}',
    }

    def __init__(self, writers):
        self.updates = [Writer(number) for number in range(writers)]
        self.turners = [Turner(), Turner()]
        self.writers = self.updates + self.turners

    def check(self, server):
        check(server, self.updates)
        check_turns(server, self.turners)

    def finish(self, folder):
        total = sum(writer.acknowledged for writer in self.updates)
        assert total > self.kills, f"only {total} writes: the writers were idle"
        return f"{total} updates and {Turner.turns} transactions acknowledged, none lost"


if __name__ == "__main__":
    given = arguments(kills=20, start_seconds=10, writers=6)
    sys.exit(Writes(given.writers).run(given))
