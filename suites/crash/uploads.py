#!/usr/bin/env python3
"""Kills Hearth with SIGKILL again and again during uploads, overwrites, deletes and collection, and checks after each start.

    uploads.py [--kills 100] [--writers 4] [--seed N] [--start-seconds 5]

- An object that was acknowledged is there with all its bytes; one whose answer was cut off is as before or as after.
- A resumable upload goes on where a sync has left it, never behind what was acknowledged.
- At the end, when everything is collected, there are as many files as there are different contents, and no drafts.

Only Python's standard library is used. Each kill survived counts as one test.
"""

import argparse
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEARTH_BIN", str(REPOSITORY / "target/debug/hearth"))
PROJECT = "demo-crash"
BUCKET = f"{PROJECT}.appspot.com"
OWNER = {"Authorization": "Bearer owner"}
# So few that contents are shared, left and used again.
CONTENTS = [bytes([65 + n]) * size for n, size in enumerate([0, 10, 70_000, 400_000, 1_500_000])]
NAMES = 4
COLLECTED_S_MAX = 60


class Server:
    """One life of the binary."""

    start_s_max = 5

    def __init__(self, folder):
        command = [BINARY, "dev", str(folder), "--only", "storage", "--ports", "storage=0,hub=0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watchdog = threading.Timer(self.start_s_max, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        assert line, f"did not start within {self.start_s_max} s: exit code {self.process.wait()}"
        self.port = json.loads(line)["ports"]["storage"]

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0, "a stop that was asked for is clean"


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--start-seconds", type=float, default=5, help="for a busy machine")
    options = parser.parse_args()
    Server.start_s_max = options.start_seconds
    chance = random.Random(options.seed)
    print(f"uploads: seed {options.seed}")
    survived = 0
    with tempfile.TemporaryDirectory(prefix="hearth-uploads-") as name:
        folder = pathlib.Path(name)
        (folder / "firebase.json").write_text("{}")
        (folder / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
        writers = [Writer(number, random.Random(chance.random())) for number in range(options.writers)]
        server, there, collected = None, set(), 0
        try:
            for _ in range(options.kills):
                server = Server(folder)
                stopping, failures = threading.Event(), []
                threads = [threading.Thread(target=writer.run, args=(server, stopping, failures)) for writer in writers]
                for thread in threads:
                    thread.start()
                time.sleep(chance.uniform(0.02, chance.choice((0.6, 1.5))))
                server.kill()
                stopping.set()
                for thread in threads:
                    thread.join()
                assert not failures, failures[0]
                # Files that went since the kill before: collection, which begins at each start, was under way.
                now = {path.name for path in files_in(folder)[0]}
                collected, there = collected + len(there - now), now
                server = Server(folder)
                connection = server.connect()
                for writer in writers:
                    writer.check(connection)
                server.stop() if chance.random() < 0.5 else server.kill()
                server = None
                survived += 1
            total = sum(writer.acknowledged for writer in writers)
            assert total > options.kills, f"only {total} writes: the writers were idle"
            assert collected >= options.kills // 20, f"only {collected} files were collected: nothing was put to the test"
            server = Server(folder)
            check_files(folder, writers)
            server.stop()
            server = None
        except AssertionError as failure:
            print(f"uploads: after {survived} kills: {failure}")
            print(f"{survived} passed, 1 failed")
            return 1
        finally:
            if server:
                server.kill()
    print(f"uploads: {total} writes acknowledged, none lost or torn; {collected} files collected; no file too many")
    print(f"{survived} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
