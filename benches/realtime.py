#!/usr/bin/env python3
"""`./x bench realtime`: the Realtime Database beside `firebase-server` (npm) and bare sockets, one after the other.

Hearth writes to disk and waits for it, and decides every write by a rule that looks at the data (`roles`); `firebase-server`
keeps everything in memory and decides nothing. Every client is this script: the deliveries in a second are bounded by it.
"""

import argparse
import json
import os
import pathlib
import re
import selectors
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
CACHE = HERE / ".cache"
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(REPOSITORY / "suites"))
from realtime import Client, frame  # noqa: E402
from servers import free_port  # noqa: E402
from fanout import bare, cpu_us  # noqa: E402

NAMESPACE = "demo-bench-default-rtdb"
# A deep rule with data, as seed 003 has them: who may write is a role in the database.
RULES = {
    "rules": {
        ".read": True,
        "roles": {".write": True},
        "open": {"$a": {"$b": {".write": "root.child('roles').child('writer').child('admin').val() === true"}}},
        "list": {".write": True, ".indexOn": ["n"]},
        "fan": {".write": True},
        "count": {".write": True},
    }
}
CHILDREN = 10_000
IDLE = 1_000
OK = b'"s":"ok"'


class Peer:
    def __init__(self, name, command):
        self.name, self.port = name, free_port()
        self.process = subprocess.Popen(command(self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        while True:
            try:
                Client(self.port, NAMESPACE).close()
                return
            except OSError:
                assert time.monotonic() - begun < 30, f"{name} does not start"
                time.sleep(0.05)

    def connect(self, number=0):
        # An address has a share of a server's connections.
        return Client(self.port, NAMESPACE, source=(f"127.0.0.{2 + number % 8}", 0))

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.kill()
        self.process.wait()


def request(number, action, body):
    return frame(json.dumps({"t": "d", "d": {"r": number, "a": action, "b": body}}, separators=(",", ":")))


def sets(peer, window, seconds, path="open/a/b{}"):
    """Sets in a second with so many in flight, microseconds of the server's CPU each, and the median of milliseconds."""
    client = peer.connect()
    number, sent, done, took = 1_000, 0, 0, []
    buffer, began = b"", time.monotonic()
    spent, waiting = cpu_us(peer.pid), []
    while time.monotonic() - began < seconds:
        batch = b""
        while sent - done < window:
            number, sent = number + 1, sent + 1
            batch += request(number, "p", {"p": path.format(number % 100), "d": {"n": number, "text": "x" * 40}})
            waiting.append(time.monotonic())
        client.socket.sendall(batch)
        data = client.socket.recv(1 << 18)
        assert data, "closed"
        buffer += data
        count = buffer.count(OK)
        buffer = buffer[buffer.rfind(OK) + len(OK) :] if count else buffer
        assert b"permission_denied" not in buffer
        now = time.monotonic()
        took += [now - at for at in waiting[:count]]
        waiting = waiting[count:]
        done += count
    elapsed = time.monotonic() - began
    client.close()
    took.sort()
    return done / elapsed, (cpu_us(peer.pid) - spent) / max(done, 1), took[len(took) // 2] * 1000 if took else None


def fan(peer, listeners, rounds):
    """Deliveries of one leaf to so many listeners in a second, and microseconds of CPU each."""
    held, selector = [], selectors.DefaultSelector()
    for number in range(listeners):
        client = peer.connect(number)
        client.ok("q", {"p": "fan", "h": ""})
        client.socket.setblocking(False)
        held.append(client)
        selector.register(client.socket, selectors.EVENT_READ, client)
    writer = peer.connect()
    counts = dict.fromkeys(held, 0)
    spent, began = cpu_us(peer.pid), time.monotonic()
    for round_ in range(1, rounds + 1):
        writer.ok("p", {"p": "fan", "d": {"n": round_, "text": "x" * 40}})
        missing = {client for client in held if counts[client] < round_}
        while missing:
            for key, _ in selector.select(timeout=10):
                client = key.data
                counts[client] += client.socket.recv(1 << 16).count(b'"a":"d"')
                if counts[client] >= round_:
                    missing.discard(client)
    elapsed = time.monotonic() - began
    result = listeners * rounds / elapsed, (cpu_us(peer.pid) - spent) / (listeners * rounds)
    for client in held + [writer]:
        client.close()
    return result


def leaf_under_many(peer, seconds):
    """One leaf below 10,000 children with a listener above: milliseconds, bytes to the listener, CPU µs of an update."""
    writer, listener = peer.connect(), peer.connect()
    writer.ok("p", {"p": "list", "d": {f"c{n}": {"n": n, "text": "x" * 20} for n in range(CHILDREN)}})
    listener.ok("q", {"p": "list", "h": ""})
    took, size, spent, began, n = [], 0, cpu_us(peer.pid), time.monotonic(), 0
    while time.monotonic() - began < seconds:
        n += 1
        at = time.monotonic()
        writer.ok("p", {"p": f"list/c{n % CHILDREN}/n", "d": n})
        size += len(listener.text())
        took.append(time.monotonic() - at)
    result = statistics.median(took) * 1000, size / n, (cpu_us(peer.pid) - spent) / n
    writer.close()
    listener.close()
    return result


def window(peer, seconds):
    """The same with a query of 10 among the 10,000 that changes with every update."""
    writer, listener = peer.connect(), peer.connect()
    listener.ok("q", {"p": "list", "q": {"i": "n", "l": 10, "vf": "r"}, "t": 1, "h": ""})
    took, began, n = [], time.monotonic(), 10_000_000
    while time.monotonic() - began < seconds:
        n += 1
        at = time.monotonic()
        writer.ok("p", {"p": f"list/c{n % CHILDREN}/n", "d": n})
        listener.text()
        took.append(time.monotonic() - at)
    writer.close()
    listener.close()
    return statistics.median(took) * 1000


def transactions(peer, clients, seconds):
    """Transactions on one counter by several clients that try again, in a second."""
    held = [peer.connect() for _ in range(clients)]
    held[0].ok("p", {"p": "count", "d": 0})
    done, began = 0, time.monotonic()
    values = dict.fromkeys(held, 0)
    for client in held:
        client.ok("q", {"p": "count", "h": ""})
    while time.monotonic() - began < seconds:
        for client in held:
            while client.pushed:
                values[client] = client.pushed.pop(0)["b"]["d"]
            value = values[client] or 0
            status, _ = client.ask("p", {"p": "count", "d": value + 1, "h": number_hash(value)})
            done += status == "ok"
    for client in held:
        client.close()
    return done / (time.monotonic() - began)


def number_hash(value):
    import base64
    import hashlib
    import struct

    text = "number:" + struct.pack(">d", float(value)).hex()
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def idle(peer):
    """KiB of the server's memory for each of 1,000 connections with a listener."""
    before = rss_kib(peer.pid)
    held = [peer.connect(number) for number in range(IDLE)]
    for client in held:
        client.ok("q", {"p": "fan", "h": ""})
    time.sleep(1)
    result = (rss_kib(peer.pid) - before) / IDLE
    for client in held:
        client.close()
    return result


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def measure(peer, seconds):
    found = {}
    client = peer.connect()
    client.ok("p", {"p": "roles/writer/admin", "d": True})
    client.close()
    found["sets1"], found["sets1 cpu"], found["sets1 p50"] = sets(peer, 1, seconds)
    found["sets64"], found["sets64 cpu"], found["sets64 p50"] = sets(peer, 64, seconds)
    found["sets1024"], found["sets1024 cpu"], found["sets1024 p50"] = sets(peer, 1024, seconds)
    found["fan200"], found["fan200 cpu"] = fan(peer, 200, 50)
    found["fan1000"], found["fan1000 cpu"] = fan(peer, 1_000, 20)
    found["leaf"], found["leaf bytes"], found["leaf cpu"] = leaf_under_many(peer, seconds)
    found["transactions"] = transactions(peer, 4, seconds)
    found["idle"] = idle(peer)
    if peer.name == "hearth":
        found["window"] = window(peer, seconds)
    return found


ROWS = [
    ("sets1", "sets, 1 in flight, /s", 0, ""),
    ("sets64", "sets, 64 in flight, /s", 0, "≥ 15000"),
    ("sets64 cpu", "  CPU of each, µs", 1, ""),
    ("sets64 p50", "  median, ms", 1, ""),
    ("sets1024", "sets, 1,024 in flight, /s", 0, ""),
    ("sets1024 cpu", "  CPU of each, µs", 1, ""),
    ("fan200", "one leaf → 200 listeners, /s", 0, ""),
    ("fan200 cpu", "  CPU of each, µs", 1, ""),
    ("fan1000", "one leaf → 1,000 listeners, /s", 0, "≥ half of bare"),
    ("fan1000 cpu", "  CPU of each, µs", 1, ""),
    ("leaf", "leaf below 10,000 children, ms", 2, "≤ 1 beside the disk"),
    ("leaf bytes", "  bytes to the listener above", 0, ""),
    ("leaf cpu", "  CPU of each, µs", 1, ""),
    ("window", "query of 10 of 10,000, ms", 2, ""),
    ("transactions", "transactions on one counter, /s", 0, ""),
    ("idle", "an idle connection, KiB", 1, "≤ 20"),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--without", default="", help="peers to leave out")
    parser.add_argument("--binary", default=str(TARGET / "dist/hearth"))
    options = parser.parse_args()
    if options.binary == str(TARGET / "dist/hearth"):
        subprocess.run(["cargo", "build", "--profile", "dist", "-p", "hearth", "--locked"], cwd=REPOSITORY, check=True)
    results = {}
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as scratch:
        home = pathlib.Path(scratch)
        (home / "firebase.json").write_text(json.dumps({"database": {"rules": "database.rules.json"}}))
        (home / ".firebaserc").write_text(json.dumps({"projects": {"default": "demo-bench"}}))
        (home / "database.rules.json").write_text(json.dumps(RULES))
        commands = {"hearth": lambda port: [options.binary, "dev", home, "--only", "database", "--ports", f"hub=0,database={port}", "--json"]}
        server = CACHE / "firebase-server/node_modules/.bin/firebase-server"
        if "firebase-server" not in options.without:
            if not server.exists() and shutil.which("npm"):
                subprocess.run(["npm", "install", "--silent", "--no-audit", "--prefix", CACHE / "firebase-server", "firebase-server@1.1.0"], check=False)
            if server.exists():
                commands["firebase-server"] = lambda port: [server, "-p", str(port)]
            else:
                print("bench: skipped: firebase-server could not be installed")
        for name, command in commands.items():
            print(f"bench: measuring {name}", flush=True)
            peer = Peer(name, command)
            try:
                results[name] = measure(peer, options.seconds)
            except (AssertionError, OSError) as failure:
                print(f"bench: {name}: {failure!r}")
                results.setdefault(name, {})
            finally:
                peer.stop()
    load = TARGET / "release/load"
    if load.exists():
        _, per_second = bare(load, 1_000)
        print(f"Bare sockets, 1,000: {per_second:.0f} deliveries/s.")
    print(f"\n{'':36}" + "".join(f"{name:>18}" for name in results))
    for key, what, decimals, aim in ROWS:
        numbers = [found.get(key) for found in results.values()]
        print(f"{what:36}" + "".join(f"{'-' if number is None else format(number, f'.{decimals}f'):>18}" for number in numbers) + f"   {aim}")
    return 0 if results.get("hearth") else 1


if __name__ == "__main__":
    sys.exit(main())
