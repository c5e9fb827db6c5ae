#!/usr/bin/env python3
"""Kills Hearth with SIGKILL again and again during uploads, overwrites, deletes and collection, and checks after each start.

    uploads.py [--kills 40] [--writers 4] [--seed N] [--start-seconds 5]

- An object that was acknowledged is there with all its bytes; one whose answer was cut off is as before or as after.
- A resumable upload goes on where a sync has left it, never behind what was acknowledged.
- At the end, when everything is collected, there are as many files as there are different contents, and no drafts.

Only Python's standard library is used. Each kill survived counts as one test.
"""

import hashlib
import http.client
import json
import random
import sys
import time

from lives import PROJECT, Server, Suite, arguments

BUCKET = f"{PROJECT}.appspot.com"
OWNER = {"Authorization": "Bearer owner"}
# So few that contents are shared, left and used again.
CONTENTS = [bytes([65 + n]) * size for n, size in enumerate([0, 10, 70_000, 400_000, 1_500_000])]
NAMES = 4
COLLECTED_S_MAX = 60


def ask(connection, method, path, body=None, headers=()):
    connection.request(method, path, body, {**OWNER, **dict(headers)})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


class Writer:
    """Writes, overwrites and deletes a few objects, some in chunks. Knows what each may be after a kill."""

    def __init__(self, number, chance):
        self.number, self.chance, self.made = number, chance, 0
        self.may_be = {f"w{number}/{n}": {None} for n in range(NAMES)}
        self.acknowledged = 0
        self.upload = None  # (address, content, acknowledged bytes)

    def content(self):
        """One that others have, too, or one that goes with its object."""
        if self.chance.random() < 0.5:
            return self.chance.choice(CONTENTS)
        self.made += 1
        return f"{self.number} {self.made} ".encode() * 1000

    def step(self, connection):
        name = f"w{self.number}/{self.chance.randrange(NAMES)}"
        choice = self.chance.random()
        if choice < 0.25:
            after = None
            act = lambda: ask(connection, "DELETE", f"/v0/b/{BUCKET}/o/{name.replace('/', '%2F')}")
        elif choice < 0.7:
            after = self.content()
            act = lambda: ask(connection, "POST", f"/v0/b/{BUCKET}/o?name={name}", after)
        else:
            return self.resumable(connection, name)
        before = self.may_be[name]
        self.may_be[name] = before | {after}
        status, answer, _ = act()
        if status == 503:
            return
        assert status in ((204, 404) if after is None else (200,)), f"{name}: {status} {answer[:200]}"
        self.may_be[name] = {after}
        self.acknowledged += 1

    def resumable(self, connection, name):
        content = self.content()
        start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
        status, answer, headers = ask(connection, "POST", f"/v0/b/{BUCKET}/o?name={name}", b"{}", start)
        if status == 503:
            return
        assert status == 200, f"start: {status} {answer[:200]}"
        address = headers["x-goog-upload-url"].split(str(self.port_of(connection)), 1)[1]
        half = len(content) // 2
        self.upload = (address, content, 0)
        chunk = {"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}
        status, answer, _ = ask(connection, "POST", address, content[:half], chunk)
        assert status in (200, 503), f"chunk: {status} {answer[:200]}"
        if status == 503:
            return
        self.upload = (address, content, half)
        self.may_be[name] = self.may_be[name] | {content}
        last = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": str(half)}
        status, answer, _ = ask(connection, "POST", address, content[half:], last)
        assert status in (200, 503), f"finalize: {status} {answer[:200]}"
        if status == 200:
            self.may_be[name] = {content}
            self.upload = None
            self.acknowledged += 1

    @staticmethod
    def port_of(connection):
        return connection.port

    def run(self, server, stopping, failures):
        connection = server.connect()
        while not stopping.is_set():
            try:
                self.step(connection)
            except (OSError, http.client.HTTPException):
                return  # the server died under it
            except AssertionError as failure:
                failures.append(str(failure))
                return

    def check(self, connection):
        for name, may_be in self.may_be.items():
            path = f"/v0/b/{BUCKET}/o/{name.replace('/', '%2F')}?alt=media"
            status, body, _ = ask(connection, "GET", path)
            found = body if status == 200 else None
            assert status in (200, 404), f"{name}: {status} {body[:200]}"
            shown = lambda content: content if content is None else (len(content), content[:1])
            assert found in may_be, f"{name} is {shown(found)}, may be {[shown(content) for content in may_be]}"
            self.may_be[name] = {found}
        if self.upload:
            address, content, acknowledged = self.upload
            self.upload = None
            status, body, headers = ask(connection, "POST", address, b"", {"x-goog-upload-command": "query"})
            assert status == 200, f"query: {status} {body[:200]}"
            if headers["x-goog-upload-status"] == "active":
                received = int(headers["x-goog-upload-size-received"])
                assert acknowledged <= received <= len(content), f"{acknowledged} acknowledged, {received} received"
                name = next(iter(self.may_be))
                rest = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": str(received)}
                status, body, _ = ask(connection, "POST", address, content[received:], rest)
                assert status == 200, f"the upload does not go on: {status} {body[:200]}"
                made = json.loads(body)
                assert int(made["size"]) == len(content), "the upload lost bytes"
                self.may_be[made["name"]] = {content}


def files_in(folder):
    blobs = folder / ".hearth" / "blobs"
    names = [path for path in blobs.rglob("*") if path.is_file()]
    return [path for path in names if path.parent.name != "drafts"], [path for path in names if path.parent.name == "drafts"]


def check_files(folder, writers):
    """When everything is collected: each content once, named by its digest, and no drafts."""
    kept = {content for writer in writers for may_be in writer.may_be.values() for content in may_be if content is not None}
    until = time.monotonic() + COLLECTED_S_MAX
    while True:
        blobs, drafts = files_in(folder)
        if len(blobs) == len(kept) and not drafts or time.monotonic() > until:
            break
        time.sleep(1)
    assert {path.name for path in blobs} == {hashlib.sha256(content).hexdigest() for content in kept}, f"{len(blobs)} files for {len(kept)} contents"
    assert not drafts, f"{len(drafts)} drafts are left"
    for path in blobs:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, f"{path.name} is damaged"


class Uploads(Suite):
    name = "uploads"
    service = "storage"
    # Long enough for the look through all files that begins at each start.
    write_s_max = 1.2
    there, collected = frozenset(), 0

    def __init__(self, writers, chance):
        self.writers = [Writer(number, random.Random(chance.random())) for number in range(writers)]

    def check(self, server):
        # Files that went since the kill before: collection was under way.
        now = frozenset(path.name for path in files_in(server.folder)[0])
        self.collected, self.there = self.collected + len(self.there - now), now
        connection = server.connect()
        for writer in self.writers:
            writer.check(connection)

    def finish(self, folder):
        total = sum(writer.acknowledged for writer in self.writers)
        assert total > self.kills, f"only {total} writes: the writers were idle"
        assert self.collected >= self.kills // 20, f"only {self.collected} files were collected: nothing was put to the test"
        server = Server(folder, self.service)
        try:
            check_files(folder, self.writers)
        finally:
            server.stop()
        return f"{total} writes acknowledged, none lost or torn; {self.collected} files collected, none too many"


if __name__ == "__main__":
    given = arguments(kills=40, writers=4)
    sys.exit(Uploads(given.writers, given.chance).run(given))
