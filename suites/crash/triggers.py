#!/usr/bin/env python3
"""Kills Hearth, or only the worker, while documents with triggers are written: every event is told at least once, in order.

    triggers.py [--kills 20] [--writers 4] [--seed N] [--start-seconds 30]

- A write that was acknowledged is told, whatever was killed between its commit and its trigger.
- What is told of one document comes in the order of its writes; an event that is told again comes before the next.
- A codebase that ends at once, again and again, keeps no other waiting and costs no core.

The functions append a line to a file for each event. Each kill survived counts as one test, and the looping codebase as one.
Needs Node.js and the packages of suites/node.
"""

import argparse
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEARTH_BIN", str(ROOT / "target/debug/hearth"))
PROJECT = "demo-crash"
DOCUMENTS = f"projects/{PROJECT}/databases/(default)/documents"
OWNER = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
LIFE_S = (0.3, 2.0)
CATCH_UP_S = 60
LOOP_S = 8
LOOP_CPU_MAX = 0.5  # of one core

CODE = """
const fs = require("node:fs");
const { onDocumentWritten } = require("firebase-functions/v2/firestore");
fs.writeFileSync(process.env.PID_FILE, String(process.pid));
exports.told = onDocumentWritten("counted/{id}", async (event) => {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
  fs.appendFileSync(process.env.EVENTS_FILE, `${event.params.id} ${event.data.after.data().n}\\n`);
});
"""
LOOPING = """
const { onDocumentWritten } = require("firebase-functions/v2/firestore");
exports.never = onDocumentWritten("counted/{id}", () => process.exit(7));
setTimeout(() => process.exit(7), 1500);
"""


def project(codebases):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-triggers-"))
    functions = [{"source": name, "codebase": name} for name in codebases]
    (folder / "firebase.json").write_text(json.dumps({"functions": functions}))
    (folder / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
    for name, code in codebases.items():
        source = folder / name
        source.mkdir()
        (source / "index.js").write_text(code)
        (source / "package.json").write_text('{"main": "index.js"}')
        (source / ".env").write_text(f"EVENTS_FILE={folder}/events\nPID_FILE={folder}/pid\n")
        (source / "node_modules").symlink_to(ROOT / "suites/node/node_modules")
    (folder / "events").write_text("")
    return folder


class Hearth:
    """One life of the server."""

    def __init__(self, folder, seconds):
        command = [BINARY, "dev", str(folder), "--ports", "all=0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = []
        threading.Thread(target=lambda: self.said.extend(iter(self.process.stderr.readline, "")), daemon=True).start()
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        for line in self.process.stdout:
            if line.startswith("{") and json.loads(line).get("ready"):
                self.port = json.loads(line)["ports"]["firestore"]
                break
        else:
            raise AssertionError(f"it was not ready: {self.said[-10:]}")
        timer.cancel()

    def serves(self, codebase, seconds=30):
        until = time.time() + seconds
        while not any("triggers are in force" in line and codebase in line for line in list(self.said)):
            assert time.time() < until, f"{codebase} was not loaded: {self.said[-10:]}"
            time.sleep(0.02)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Writer:
    """Counts up in a document of its own."""

    def __init__(self, number):
        self.id, self.acknowledged = f"w{number}", 0

    def run(self, port, stopping):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not stopping.is_set():
            n = self.acknowledged + 1
            name = f"{DOCUMENTS}/counted/{self.id}"
            body = {"writes": [{"update": {"name": name, "fields": {"n": {"integerValue": str(n)}}}}]}
            try:
                connection.request("POST", f"/v1/{DOCUMENTS}:commit", json.dumps(body), OWNER)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 200:
                self.acknowledged = n
            time.sleep(0.005)


def told(folder):
    events = {}
    for line in (folder / "events").read_text().splitlines():
        name, n = line.split()
        events.setdefault(name, []).append(int(n))
    return events


def check(folder, writers):
    """All that was acknowledged is told, soon, and in order."""
    until = time.time() + CATCH_UP_S
    while True:
        events = told(folder)
        late = [writer for writer in writers if writer.acknowledged not in events.get(writer.id, [0])]
        if not late:
            break
        assert time.time() < until, f"{late[0].id}: {late[0].acknowledged} acknowledged, told {events.get(late[0].id, [])[-3:]}"
        time.sleep(0.05)
    for writer in writers:
        numbers = events.get(writer.id, [])
        seen = 0
        for n in numbers:
            # The one before may come again; nothing is left out, and nothing older comes back.
            assert n in (seen, seen + 1), f"{writer.id}: {n} was told after {seen}"
            seen = n
    return sum(len(numbers) for numbers in events.values())


def lives(options):
    folder = project({"counted": CODE})
    servers = []
    try:
        return kills(options, folder, servers)
    finally:
        for server in servers:
            server.kill()


def kills(options, folder, servers):
    writers = [Writer(number) for number in range(options.writers)]
    server = Hearth(folder, options.start_seconds)
    servers.append(server)
    server.serves("counted")
    passed = 0
    for number in range(options.kills):
        stopping = threading.Event()
        threads = [threading.Thread(target=writer.run, args=(server.port, stopping)) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(*LIFE_S))
        if number % 2 == 0:
            try:
                os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it is being started again
            time.sleep(random.uniform(0, 0.5))
        else:
            server.kill()
        stopping.set()
        for thread in threads:
            thread.join()
        if number % 2 == 1:
            # An unacknowledged write may be there: go on from what is.
            server = Hearth(folder, options.start_seconds)
            servers.append(server)
            for writer in writers:
                writer.acknowledged = max(writer.acknowledged, stored(server, writer))
        count = check(folder, writers)
        passed += 1
        print(f"kill {number + 1}: {'worker' if number % 2 == 0 else 'Hearth'}, {count} events told", flush=True)
    return passed


def stored(server, writer):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", f"/v1/{DOCUMENTS}/counted/{writer.id}", headers=OWNER)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    return int(body["fields"]["n"]["integerValue"]) if answer.status == 200 else 0


def cpu_seconds(pid):
    """Of a process and its children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def looping(options):
    """A codebase that ends at once beside one that works."""
    folder = project({"counted": CODE, "looping": LOOPING})
    server = Hearth(folder, options.start_seconds)
    try:
        server.serves("counted")
        server.serves("looping")
        writer, stopping = Writer(0), threading.Event()
        thread = threading.Thread(target=writer.run, args=(server.port, stopping))
        thread.start()
        time.sleep(1)
        stopping.set()
        thread.join()
        check(folder, [writer])
        # What waits for the looping one goes on waiting, quietly.
        before, began = cpu_seconds(server.process.pid), time.time()
        time.sleep(LOOP_S)
        used = (cpu_seconds(server.process.pid) - before) / (time.time() - began)
        assert used < LOOP_CPU_MAX, f"a codebase that ends again and again takes {used:.2f} of a core"
        print(f"a looping codebase takes {used:.2f} of a core, and the other was told {writer.acknowledged} events", flush=True)
        return 1
    finally:
        server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--start-seconds", type=float, default=30)
    options = parser.parse_args()
    random.seed(options.seed)
    if not (ROOT / "suites/node/node_modules/firebase-functions").exists():
        print("triggers: skipped: the packages of suites/node are not installed (`./x setup`)")
        return 0
    print(f"triggers: seed {options.seed}", flush=True)
    passed, failed = 0, 0
    for part in (lives, looping):
        try:
            passed += part(options)
        except AssertionError as failure:
            print(f"triggers: {part.__name__}: {failure}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
