#!/usr/bin/env python3
"""Writes, listens and releases rules in random order with Hearth and with the official Firestore emulator, and compares what
listeners see.

    streams.py [--full] [--seed N] [--show N]

Both are asked the same over WebChannel and REST. After each step both are waited for until every listener is up to date, and
then each target's documents are compared: a sequence of snapshots. A target that is denied must be denied by both. When an open
listener is decided again differs on purpose: the official emulator does so for the next change only, Hearth at once; so after
a release of rules every target is listened to anew.
Skipped, and said so, where Java or Google's emulator is not there. Only Python's standard library is used.
"""

import argparse
import pathlib
import queue
import random
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from servers import OWNER, emulator_jar, fields, start_hearth, start_official, token  # noqa: E402
from webchannel import OVER, Channel, Listening, Target  # noqa: E402

PROJECT = "demo-streams"
SCHEDULES = {False: 6, True: 120}
STEPS = 30
UP_TO_DATE_S_MAX = 20
CALLERS = {"nobody": None, "ann": token({"sub": "ann"}), "mod": token({"sub": "mod", "mod": True})}
RULES = [
    "match /c/{d} { allow read, write; } match /own/{d} { allow read; } match /c/{d}/sub/{e} { allow read; }",
    "match /c/{d} { allow read: if resource.data.n < 4; allow get: if true; } match /{p=**}/sub/{e} { allow read; }",
    "match /c/{d} { allow read: if request.auth.token.mod == true; } match /own/{d} { allow get: if request.auth.uid == d; }",
    "match /{p=**} { allow read: if exists(/databases/(default)/documents/own/open); }",
    "match /{p=**} { allow read: if request.auth != null; }",
    "match /{p=**} { allow read, write; }",
]


def where(field, operator, value):
    from servers import value as wire

    return {"fieldFilter": {"field": {"fieldPath": field}, "op": operator, "value": wire(value)}}


def order(field, direction="ASCENDING"):
    return {"field": {"fieldPath": field}, "direction": direction}


COLLECTION = [{"collectionId": "c"}]
QUERIES = [
    {"from": COLLECTION},
    {"from": COLLECTION, "where": where("n", "EQUAL", 2)},
    {"from": COLLECTION, "where": where("n", "LESS_THAN", 4)},
    {"from": COLLECTION, "where": where("n", "GREATER_THAN_OR_EQUAL", 3)},
    {"from": COLLECTION, "where": where("t", "ARRAY_CONTAINS", "a")},
    {"from": COLLECTION, "where": where("n", "IN", [1, 5])},
    {"from": COLLECTION, "where": where("n", "NOT_EQUAL", 1)},
    {"from": COLLECTION, "orderBy": [order("n")], "limit": 3},
    {"from": COLLECTION, "orderBy": [order("n", "DESCENDING")], "limit": 2},
    {"from": COLLECTION, "where": where("n", "LESS_THAN", 4), "orderBy": [order("n")], "limit": 2},
    {"from": COLLECTION, "orderBy": [order("n")], "startAt": {"values": [{"integerValue": "2"}], "before": True}},
    {"from": [{"collectionId": "sub", "allDescendants": True}]},
]
DOCUMENTS = ["c/d1", "c/d5", "own/ann", "own/open", "c/none"]


class Side:
    """One server, and its listeners by caller."""

    def __init__(self, server):
        self.server, self.streams = server, {}

    def listen(self, caller, number, what):
        stream = self.streams.get(caller)
        request = {"database": self.server.root.removesuffix("/documents"), "addTarget": {"targetId": number} | self.named(what)}
        if stream is None:
            channel = Channel(self.server.port, PROJECT, "Listen", request, CALLERS[caller])
            stream = self.streams[caller] = (channel, Listening())
        else:
            stream[0].send(request)
        stream[1].targets[number] = Target()

    def named(self, what):
        if isinstance(what, list):
            return {"documents": {"documents": [f"{self.server.root}/{path}" for path in what]}}
        return {"query": {"parent": self.server.root, "structuredQuery": what}}

    def leave(self, caller, number):
        channel, listening = self.streams[caller]
        channel.send({"database": self.server.root.removesuffix("/documents"), "removeTarget": number})
        del listening.targets[number]
        if not listening.targets:
            channel.close()
            del self.streams[caller]

    def leave_all(self):
        for channel, _ in self.streams.values():
            channel.close()
        self.streams = {}

    def commit(self, writes):
        written = [
            {"delete": f"{self.server.root}/{path}"}
            if plain is None
            else {"update": {"name": f"{self.server.root}/{path}", "fields": fields(plain)}}
            for path, plain in writes
        ]
        status, answer = self.server.ask("POST", f"/v1/{self.server.root}:commit", {"writes": written}, OWNER)
        assert status == 200, f"{self.server.name}: {answer}"

    def take(self):
        """Takes what has come."""
        for channel, listening in self.streams.values():
            try:
                while (message := channel.messages.get_nowait()) is not OVER:
                    listening.take(message)
            except queue.Empty:
                pass

    def seen(self):
        """What each target shows: names and the number in each document; or that it was denied."""
        self.take()
        found = {}
        for caller, (_, listening) in self.streams.items():
            for number, target in listening.targets.items():
                if target.lost:
                    found[caller, number] = f"lost {target.lost['code']}"
                elif target.is_current:
                    show = lambda document: document["fields"].get("n", {}).get("integerValue")
                    documents = {name.rsplit("/documents/")[1]: show(body) for name, body in target.stable.items()}
                    found[caller, number] = str(sorted(documents.items()))
        return found


def agree(sides, targets):
    """Waits until both show every target alike; what they show."""
    until = time.monotonic() + UP_TO_DATE_S_MAX
    while True:
        ours, theirs = (side.seen() for side in sides)
        if ours == theirs and len(ours) == targets:
            return ours, theirs
        if time.monotonic() > until:
            return ours, theirs | {("all", 0): f"{targets} targets"}
        time.sleep(0.005)


def document(chance):
    plain = {"n": chance.randrange(7)}
    if chance.random() < 0.5:
        plain["t"] = chance.sample(["a", "b", "c"], 2)
    return plain


def schedule(sides, seed):
    """Yields, step by step, what was done and what both sides show."""
    chance, open_targets, next_target = random.Random(seed), {}, 2
    rules = chance.choice(RULES)
    release(sides, rules)
    for _ in range(STEPS):
        what = chance.random()
        if what < 0.5:
            writes = {}
            for _ in range(chance.randrange(1, 4)):
                path = chance.choice([f"c/d{chance.randrange(8)}", f"c/d1/sub/e{chance.randrange(3)}", "own/ann", "own/open"])
                writes[path] = None if chance.random() < 0.3 else document(chance)
            step = f"commit {writes}"
            for side in sides:
                side.commit(list(writes.items()))
            # An open listener that depends on another document is decided again by Hearth only.
            if "own/open" in writes and "exists" in rules:
                listen_again(sides, open_targets)
        elif what < 0.8 or not open_targets:
            caller, asked = chance.choice(list(CALLERS)), chance.choice([*QUERIES, chance.sample(DOCUMENTS, 1)])
            step = f"listen {caller} {next_target} {asked}"
            open_targets[next_target] = caller, asked
            for side in sides:
                side.listen(caller, next_target, asked)
            next_target += 2
        elif what < 0.92:
            number = chance.choice(list(open_targets))
            caller, _ = open_targets.pop(number)
            step = f"leave {caller} {number}"
            for side in sides:
                side.leave(caller, number)
        else:
            rules = chance.choice(RULES)
            step = f"release {rules}"
            release(sides, rules)
            listen_again(sides, open_targets)
        yield step, *agree(sides, len(open_targets))
    for side in sides:
        side.leave_all()


def release(sides, text):
    for side in sides:
        status, answer = side.server.load(
            f"rules_version = '2';\nservice cloud.firestore {{ match /databases/{{database}}/documents {{ {text} }} }}"
        )
        assert status == 200, f"{side.server.name}: {answer}"


def listen_again(sides, open_targets):
    for side in sides:
        side.leave_all()
        for number, (caller, asked) in open_targets.items():
            side.listen(caller, number, asked)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=10, help="how many differences to print")
    options = parser.parse_args()
    jar = emulator_jar()
    if not jar:
        print("interleavings: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    same, different = 0, []
    with tempfile.TemporaryDirectory(prefix="hearth-interleavings-") as folder:
        servers = []
        try:
            servers.append(start_hearth(folder, PROJECT))
            servers.append(start_official(jar, PROJECT))
            for seed in range(options.seed, options.seed + SCHEDULES[options.full]):
                sides = [Side(server) for server in servers]
                for server in servers:
                    server.clear()
                steps = []
                for step, ours, theirs in schedule(sides, seed):
                    steps.append(step)
                    if ours == theirs:
                        same += 1
                        continue
                    different.append(seed)
                    if len(different) <= options.show:
                        print(f"seed {seed}:", *steps, sep="\n    ")
                        for target in sorted({*ours, *theirs}):
                            if ours.get(target) != theirs.get(target):
                                print(f"  {target}\n    hearth   {ours.get(target)}\n    official {theirs.get(target)}")
                    break
                for side in sides:
                    side.leave_all()
        finally:
            for server in servers:
                server.stop()
    print(f"interleavings: {same} snapshots the same, {len(different)} schedules differ {different[:20]}")
    print(f"{same} passed, {len(different)} failed")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
