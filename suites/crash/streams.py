#!/usr/bin/env python3
"""Kills Hearth with SIGKILL again and again while clients listen and write over streams, and checks what each of them saw.

    streams.py [--kills 6] [--clients 50] [--seed N]

Clients are those of WebChannel, as in browsers. Each writes documents one after the other over a `Write` stream, and what it
does not know to be done again after a kill, as SDKs do. Each listens to what its group writes, and to a document that says how
far it is itself. After a kill each resumes with its token. At every snapshot:

- each writer's documents are seen from the first on without a gap, so in their order;
- no document has come twice, and none in vain: nothing is loaded again that was seen before;
- the document of one's own agrees with what was seen of one's own documents: a commit is seen whole.

After each start, whatever was acknowledged is seen. Only Python's standard library is used. Each kill survived is one test.
"""

import json
import sys
import threading
import time

from crash import ROOT, ask
from lives import PROJECT, Server, Suite, arguments
from webchannel import OVER, Channel, Listening, Refused, Target

GROUP = 5
ENTRIES, OWN = 2, 4
RULES = """rules_version = '2';
service cloud.firestore { match /databases/{database}/documents { match /{path=**} { allow read, write; } } }"""
CATCH_UP_S_MAX = 60
# Between two commits of a client.
PAUSE_S = 0.08


class Client:
    def __init__(self, number):
        self.number, self.group = number, number // GROUP
        self.lock, self.failures = threading.Lock(), []
        # The last document that was acknowledged; the one being written.
        self.acknowledged, self.writing = 0, 0
        self.listening = Listening()
        # The last document that was seen of each writer of the group.
        self.last_seen = {number: 0 for number in range(self.group * GROUP, self.group * GROUP + GROUP)}

    # --- listening -------------------------------------------------------------------------------------------------

    def connect(self, port, stopping):
        """Begins a life: both streams, each with a thread."""
        before = self.listening
        self.listening = Listening()
        requests = []
        where = {"field": {"fieldPath": "group"}, "op": "EQUAL", "value": {"integerValue": str(self.group)}}
        query = {"from": [{"collectionId": "entries"}], "where": {"fieldFilter": where}}
        asked = {
            ENTRIES: {"query": {"parent": ROOT, "structuredQuery": query}},
            OWN: {"documents": {"documents": [f"{ROOT}/own/w{self.number}"]}},
        }
        for number, what in asked.items():
            target = self.listening.targets[number] = Target()
            seen = before.targets.get(number)
            if seen and seen.token:
                # What came after the last snapshot is forgotten.
                target.documents, target.stable, target.token = dict(seen.stable), dict(seen.stable), seen.token
                what |= {"resumeToken": seen.token, "expectedCount": len(target.documents)}
            requests.append({"database": ROOT.removesuffix("/documents"), "addTarget": {"targetId": number} | what})
        self.listen = Channel(port, PROJECT, "Listen", requests[0])
        self.listen.send(requests[1])
        hello = {"database": ROOT.removesuffix("/documents")}
        self.write = Channel(port, PROJECT, "Write", hello)
        self.threads = [threading.Thread(target=self.follow), threading.Thread(target=self.commit, args=[stopping])]
        for thread in self.threads:
            thread.start()

    def follow(self):
        while (message := self.listen.messages.get()) is not OVER:
            with self.lock:
                snapshots = self.listening.snapshots
                self.listening.take(message)
                if self.listening.snapshots > snapshots:
                    self.check()

    def check(self):
        """What must hold at a snapshot."""
        entries, own = (self.listening.targets[number] for number in (ENTRIES, OWN))
        came = [(name.rsplit("/w", 1)[1], count) for (target, name), count in self.listening.delivered.items() if target == ENTRIES]
        for writer, number, count in sorted((*map(int, name.split("-")), count) for name, count in came):
            if count != 1 or number != self.last_seen[writer] + 1:
                self.fail(f"document {number} of writer {writer} came {count} times, after {self.last_seen[writer]}")
            self.last_seen[writer] = number
        said = [int(document["fields"]["n"]["integerValue"]) for document in own.documents.values()]
        # A target that the server has not heard of yet is no part of a snapshot.
        if entries.is_current and own.is_current and (said or [0]) != [self.last_seen[self.number]]:
            self.fail(f"a commit is seen in part: {said} and {self.last_seen[self.number]}")
        for what in ("resets", "filters"):
            if getattr(entries, what):
                self.fail(f"there was one of {what}")
        if entries.lost or own.lost:
            self.fail(f"a target was lost: {entries.lost or own.lost}")

    def fail(self, what):
        self.failures.append(f"client {self.number}: {what}")

    def seen(self, writer):
        """The last document of a writer that a snapshot had; None before the first snapshot of this life."""
        with self.lock:
            return self.last_seen[writer] if self.listening.targets[ENTRIES].is_current else None

    # --- writing ---------------------------------------------------------------------------------------------------

    def commit(self, stopping):
        """Writes until the server is gone or enough is written; what was not acknowledged in the last life first."""
        try:
            while (message := self.write.messages.get()) is not OVER:
                if "commitTime" in message:
                    self.acknowledged = self.writing
                if stopping.is_set() and self.acknowledged == self.writing:
                    return
                if self.acknowledged == self.writing:
                    self.writing += 1
                time.sleep(PAUSE_S)
                n = {"integerValue": str(self.writing)}
                fields = {"n": n, "writer": {"integerValue": str(self.number)}, "group": {"integerValue": str(self.group)}}
                writes = [
                    {"update": {"name": f"{ROOT}/entries/w{self.number}-{self.writing}", "fields": fields}},
                    {"update": {"name": f"{ROOT}/own/w{self.number}", "fields": {"n": n}}},
                ]
                self.write.send({"streamToken": message["streamToken"], "writes": writes})
        except (OSError, Refused, ValueError, AttributeError):
            pass
        except Exception as error:
            if "http" not in type(error).__module__:
                self.fail(f"{type(error).__name__}: {error}")

    def disconnect(self):
        self.listen.close()
        self.write.close()
        for thread in self.threads:
            thread.join(20)


def caught_up(clients, acknowledged):
    """Waits until every client has seen what every writer of its group had acknowledged."""
    until = time.monotonic() + CATCH_UP_S_MAX
    for client in clients:
        for writer in range(client.group * GROUP, client.group * GROUP + GROUP):
            while (seen := client.seen(writer)) is None or seen < acknowledged[writer]:
                if client.failures:
                    return
                assert time.monotonic() < until, (
                    f"client {client.number} has {seen} of writer {writer}, who had {acknowledged[writer]} acknowledged; "
                    f"{client.listen.error}"
                )
                time.sleep(0.005)


def failed(clients):
    return next((failure for client in clients for failure in client.failures), None)


class Streams(Suite):
    name = "streams"
    files = {"firebase.json": json.dumps({"firestore": {"rules": "firestore.rules"}}), "firestore.rules": RULES}

    def __init__(self, clients):
        self.clients = [Client(number) for number in range(clients)]
        self.took = []

    def life(self, server, chance):
        try:
            self.connect(server, threading.Event())
            time.sleep(chance.uniform(0.05, 0.9))
        finally:
            server.kill()
            self.disconnect()

    def connect(self, server, stopping):
        acknowledged = [client.acknowledged for client in self.clients]
        begun = time.monotonic()
        for client in self.clients:
            client.connect(server.port, stopping)
        caught_up(self.clients, acknowledged)
        self.took.append(time.monotonic() - begun)

    def disconnect(self):
        for client in self.clients:
            client.disconnect()
        assert not (failure := failed(self.clients)), failure

    def finish(self, folder):
        server, stopping = Server(folder), threading.Event()
        try:
            self.connect(server, stopping)
            stopping.set()
            for client in self.clients:
                client.threads[1].join(20)
            caught_up(self.clients, [client.acknowledged for client in self.clients])
            status, answer = ask(server.connect(), "runQuery", {"structuredQuery": {"from": [{"collectionId": "entries"}]}})
            total = sum(client.acknowledged for client in self.clients)
            found = sum("document" in item for item in answer)
            assert status == 200 and found == total, f"{status}: {found} documents of {total}"
        finally:
            server.kill()
            self.disconnect()
        assert total > self.kills * len(self.clients) / 2, f"only {total} commits: the writers were idle"
        return (
            f"{len(self.clients)} clients, {total} commits acknowledged over streams, each seen once and in order by {GROUP}; "
            f"all caught up within {max(self.took):.1f} s of a start"
        )


if __name__ == "__main__":
    given = arguments(kills=6, start_seconds=30, clients=50)
    sys.exit(Streams(given.clients).run(given))
