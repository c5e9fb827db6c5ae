#!/usr/bin/env python3
"""Measures Hearth beside its peers on this machine, in one run, and prints numbers, ratios and aims.

    bench.py [--seconds 3] [--documents 100000] [--without hidane,official]

Hearth is built as it ships (profile `dist`) and keeps its data on disk; the peers keep theirs in memory. Peers: hidane, from
its crate, built into benches/.cache once; Google's Firestore emulator where Java and the emulator are installed. A machine
this small is noisy: trust ratios of one run, not numbers of two.
"""

import argparse
import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent
CACHE = HERE / ".cache"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
sys.path[:0] = [str(REPOSITORY / "suites"), str(HERE)]
import fanout  # noqa: E402
from servers import emulator_jar, free_port  # noqa: E402

PROJECT = "demo-bench"
ROOT = f"projects/{PROJECT}/databases/(default)/documents"
START_S_MAX = 60
STARTS = 5
PER_GROUP = 20
INDEX_S = 4
SETTLE_S = 3
RULES = """rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /things/{id} {
      allow read, write: if request.auth != null && request.auth.token.get('role', '') == 'editor';
    }
    match /guarded/{id} {
      allow read: if exists(/databases/$(database)/documents/roles/$(request.auth.uid));
    }
  }
}
"""


def token():
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    claims = {"sub": "maria", "user_id": "maria", "iat": 0, "exp": 3600, "role": "editor", "firebase": {}}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def document(name, number):
    """Twelve fields, as documents have."""
    fields = {f"f{index}": {"stringValue": f"value {index} of {number}"} for index in range(8)}
    fields |= {
        "n": {"integerValue": str(number)},
        "group": {"integerValue": str(number // PER_GROUP)},
        "half": {"doubleValue": number / 2},
        "even": {"booleanValue": number % 2 == 0},
    }
    return {"name": name, "fields": fields}


class Peer:
    """A server under measurement: how it is started, and what is asked of it."""

    def __init__(self, name, command):
        self.name, self.command = name, command

    def start(self):
        """Starts it; the seconds until it gave its first answer."""
        self.port = free_port()
        command = self.command(self.port)
        begun = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while time.monotonic() - begun < START_S_MAX:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", f"/v1/{ROOT}/things/none", headers={"Authorization": "Bearer owner"})
                connection.getresponse().read()
                return time.monotonic() - begun
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f"{self.name} ended with {self.process.returncode}: {' '.join(map(str, command))}")
                time.sleep(0.0005)
        raise SystemExit(f"{self.name} did not start")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def seed(self, count):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
        for start in range(0, count, 500):
            numbers = range(start, min(start + 500, count))
            writes = [{"update": document(f"{ROOT}/things/t{number}", number)} for number in numbers]
            connection.request("POST", f"/v1/{ROOT}:commit", json.dumps({"writes": writes}), headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, f"{self.name}: {text[:500]}"

    def once(self, path, body):
        """The milliseconds of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        begun = time.monotonic()
        connection.request("POST", path, body, {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, f"{self.name} answered {answer.status}"
        return (time.monotonic() - begun) * 1000

    def load(self, connections, seconds, request):
        """A measurement of benches/load."""
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(request)
            file.flush()
            command = [TARGET / "release/load", str(self.port), str(self.process.pid), str(connections), str(seconds), file.name]
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 10 + 60)
        if done.returncode != 0:
            raise AssertionError(f"{self.name}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def request(method, path, body="", bearer=None):
    return f"{method} {path}\nBearer {bearer or token()}\n{body}"


def measure(peer, options):
    """Metric → number, in the metric's unit."""
    found = {}
    starts = []
    for _ in range(STARTS):
        starts.append(peer.start() * 1000)
        peer.stop()
    found["start"] = statistics.median(starts)
    peer.start()
    try:
        time.sleep(1)
        found["idle"] = peer.memory_mib()
        peer.seed(options.documents)
        # What a server still does with the seed, such as moving it into its data file, is no part of a get.
        time.sleep(SETTLE_S)
        get = request("GET", f"/v1/{ROOT}/things/t{{n:{options.documents}}}")
        fields = document("", 7)["fields"]
        fields |= {"n": {"integerValue": "{n}"}, "group": {"integerValue": "-{n}"}}  # in no group that is asked for
        write = {"update": {"name": f"{ROOT}/things/w{{n:100000}}", "fields": fields}}
        put = request("POST", f"/v1/{ROOT}:commit", json.dumps({"writes": [write]}))
        for label, asked in (("get", get), ("set", put)):
            for connections in (50, 1):  # the many first, which warms a JVM up
                result = peer.load(connections, options.seconds, asked)
                found[f"{label}/s {connections}"] = result["per_second"]
                found[f"{label} cpu {connections}"] = result["cpu_us"] / 1000
                found[f"{label} p99 {connections}"] = result["p99_us"] / 1000
        groups = options.documents // PER_GROUP
        query = {
            "structuredQuery": {
                "from": [{"collectionId": "things"}],
                "where": {
                    "fieldFilter": {
                        "field": {"fieldPath": "group"},
                        "op": "EQUAL",
                        "value": {"integerValue": f"{{n:{groups}}}"},
                    }
                },
            }
        }
        asked = request("POST", f"/v1/{ROOT}:runQuery", json.dumps(query))
        # The first of its shape may scan, and an index be built beside those that follow: asked long enough to have it.
        found["query first"] = peer.once(f"/v1/{ROOT}:runQuery", json.dumps(query).replace(f"{{n:{groups}}}", "1"))
        peer.load(1, INDEX_S, asked)
        result = peer.load(1, options.seconds, asked)
        found["query p50"] = result["p50_us"] / 1000
        found["query cpu"] = result["cpu_us"] / 1000
        found["full"] = peer.memory_mib()
        listeners(peer, found)
    finally:
        peer.stop()
    return found


def listeners(peer, found):
    """What listeners cost. What a peer cannot do is left out."""
    port, pid = peer.port, peer.process.pid
    found["fan cpu"], found["fan/s"] = fanout.measure(port, pid, ROOT, 1_000)
    found["initial"] = fanout.initial(port, ROOT)
    if peer.name == "official":
        return
    found["fan8 cpu"], found["fan8/s"] = fanout.measure(port, pid, ROOT, 8_000)
    found["many cpu"], found["many/s"] = fanout.many_documents(port, pid, ROOT)
    if peer.name != "hearth":
        return
    for listeners, key in ((1_000, "bare"), (8_000, "bare8")):
        BARE[f"{key} cpu"], BARE[f"{key}/s"] = fanout.bare(TARGET / "release/load", listeners)
    found["revoked"] = fanout.revocations(port, ROOT, token())
    found["resumed"] = fanout.resumes(port, ROOT)
    found |= fanout.at_rest(port, pid, ROOT)


METRICS = [
    # key, what it is, unit, decimals, whether more is better, the aim; several aims are separated by commas. An aim may be
    # a multiple of hidane's figure in the same run, or of the disk's fsync
    ("start", "start to first answer", "ms", 1, False, "≤ 20"),
    ("idle", "idle memory", "MiB", 1, False, "≤ 30"),
    ("get/s 1", "authorised get, 1 in flight", "/s", 0, True, ""),
    ("get cpu 1", "  server CPU", "ms", 3, False, "≤ 0.08"),
    ("get/s 50", "authorised get, 50 in flight", "/s", 0, True, ""),
    ("get cpu 50", "  server CPU", "ms", 3, False, "≤ 0.08, ≤ 0.8 × hidane"),
    ("get p99 50", "  99th percentile", "ms", 2, False, ""),
    ("set/s 1", "set, 1 in flight (ours durable)", "/s", 0, True, ""),
    ("set cpu 1", "  server CPU", "ms", 3, False, "≤ 0.08"),
    ("set/s 50", "set, 50 in flight (ours durable)", "/s", 0, True, "≥ 8000, ≥ 0.9 × hidane"),
    ("set cpu 50", "  server CPU", "ms", 3, False, "≤ 0.08, ≤ 1.0 × hidane"),
    ("set p99 50", "  99th percentile", "ms", 2, False, "≤ 3 × fsync"),
    ("query p50", f"equality query, {PER_GROUP} of many", "ms", 2, False, "< 1"),
    ("query cpu", "  server CPU", "ms", 3, False, ""),
    ("query first", "  the first of its shape", "ms", 0, False, "≤ 300"),
    ("full", "memory after all that", "MiB", 0, False, ""),
    ("fan cpu", "a document → 1,000 streams, CPU each", "µs", 1, False, "≤ 0.5 × hidane"),
    ("fan/s", "  deliveries (their cost included)", "/s", 0, True, "≥ 0.5 × bare"),
    ("fan8 cpu", "a document → 8,000 streams, CPU each", "µs", 1, False, "≤ 0.5 × hidane"),
    ("fan8/s", "  deliveries (their cost included)", "/s", 0, True, "≥ 60000, ≥ 0.5 × bare8"),
    ("many cpu", "1,000 documents → 1,000 listeners", "µs", 1, False, ""),
    ("many/s", "  deliveries (commits included)", "/s", 0, True, ""),
    ("initial", "10,000 documents, a first result", "ms", 0, False, ""),
    ("rest bytes", "100,000 listeners at rest, each", "B", 0, False, "≤ 2500"),
    ("rest commit", "  a commit none watches, to alone", "×", 2, False, "≤ 1.1"),
    ("rest match", "  answer of a commit to its one", "ms", 2, False, "≤ 1"),
    ("revoked", "revocation to REMOVE, 99th pct.", "ms", 2, False, "≤ 10"),
    ("resumed", "10,000 resumes over 10,000 commits", "s", 2, False, "≤ 2"),
]


def met(aims, key, results):
    """What became of a metric's aims."""
    number, said = results["hearth"].get(key), []
    for aim in filter(None, aims.split(", ")):
        sign, bound, *of = aim.split()
        base = base_of(of[-1], key, results) if of else 1
        if number is None or base is None:
            said.append(f"{aim} not measured")
            continue
        bound = float(bound) * base
        good = number >= bound if sign == "≥" else number < bound if sign == "<" else number <= bound
        said.append(f"{aim} {'met' if good else 'MISSED'}")
    return ", ".join(said)


def base_of(of, key, results):
    """What an aim is a multiple of."""
    if of == "fsync":
        return FSYNC["p99"]
    return BARE.get(f"{of}/s") if of.startswith("bare") else results.get(of, {}).get(key)


# Of the disk that holds the data, in milliseconds.
FSYNC = {}
# Of bare sockets: microseconds of CPU, deliveries in a second.
BARE = {}


def measure_fsync(folder):
    """How long the disk takes to make 4 KiB durable."""
    took = []
    with open(pathlib.Path(folder) / "fsync", "wb") as file:
        for _ in range(200):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    FSYNC.update(p50=took[len(took) // 2], p99=took[len(took) * 99 // 100])


def table(results):
    names = list(results)
    head = f"{'':36}" + "".join(f"{name:>12}" for name in names) + "".join(f"{'/' + name:>11}" for name in names[1:])
    print(f"\n{head}   aim")
    for key, what, unit, decimals, more, aim in METRICS:
        numbers = [results[name].get(key) for name in names]
        row = f"{what + ', ' + unit:36}"
        row += "".join(f"{'-' if number is None else format(number, f'.{decimals}f'):>12}" for number in numbers)
        for other in numbers[1:]:
            # How many times better ours is.
            ratio = None if other is None or not other or not numbers[0] else numbers[0] / other if more else other / numbers[0]
            row += f"{'-' if ratio is None else format(ratio, '.2f') + ' ×':>11}"
        print(f"{row}   {met(aim, key, results)}")
    print(f"\nThe disk's fsync: median {FSYNC['p50']:.2f} ms, 99th percentile {FSYNC['p99']:.2f} ms.")
    for key, listeners in (("bare", "1,000"), ("bare8", "8,000")):
        if f"{key}/s" in BARE:
            print(f"Bare sockets, {listeners}: {BARE[f'{key}/s']:.0f} deliveries/s, {BARE[f'{key} cpu']:.1f} µs of CPU each.")
    print("A ratio tells how many times better Hearth is: above 1 better, below 1 worse.")


def build(options):
    """Builds what is measured; the peers that there are."""
    cargo = lambda *arguments: subprocess.run(["cargo", *arguments], cwd=REPOSITORY, check=True)
    cargo("build", "--profile", "dist", "-p", "hearth", "--locked")
    cargo("build", "--release", "--locked", "--manifest-path", HERE / "load/Cargo.toml", "--target-dir", TARGET)
    home = pathlib.Path(options.scratch)
    (home / "firebase.json").write_text(json.dumps({"firestore": {"rules": "firestore.rules"}}))
    (home / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
    (home / "firestore.rules").write_text(RULES)
    peers = [
        Peer(
            "hearth",
            lambda port: [TARGET / "dist/hearth", "dev", home, "--ports", f"all=0,firestore={port}", "--json"],
        )
    ]
    without = options.without.split(",")
    hidane = CACHE / "bin/hidane"
    if "hidane" not in without:
        if not hidane.exists():
            # Cargo keeps to the crate's own versions, and so do repeated runs.
            subprocess.run(["cargo", "install", "hidane", "--version", "0.6.0", "--locked", "--root", CACHE], check=False)
        if hidane.exists():
            peers.append(Peer("hidane", lambda port: [hidane, "--host", "127.0.0.1", "--port", str(port)]))
        else:
            print("bench: skipped: hidane could not be installed")
    jar = emulator_jar()
    if "official" in without:
        pass
    elif jar and shutil.which("java"):
        main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
        rules = str(home / "firestore.rules")
        peers.append(
            Peer(
                "official",
                lambda port: ["java", "-cp", jar, main, "--host", "127.0.0.1", "--port", str(port), "--rules", rules],
            )
        )
    else:
        print("bench: skipped: Java or Google's Firestore emulator is not installed")
    return peers


def rules_in_process():
    """What the policy crate says of itself, where it has such an example."""
    if not (REPOSITORY / "crates/policy/examples/rules_speed.rs").exists():
        print("\nbench: skipped: crates/policy has no example `rules_speed`")
        return
    print("\nRules in process (crates/policy/examples/rules_speed.rs):")
    sys.stdout.flush()
    subprocess.run(["cargo", "run", "--quiet", "--profile", "dist", "--locked", "-p", "policy", "--example", "rules_speed"], cwd=REPOSITORY)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--without", default="", help="peers to leave out")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as options.scratch:
        peers = build(options)
        measure_fsync(options.scratch)
        for peer in peers:
            print(f"bench: measuring {peer.name}", flush=True)
            try:
                results[peer.name] = measure(peer, options)
            except AssertionError as failure:
                print(f"bench: {failure}")
                results[peer.name] = {}
    table(results)
    rules_in_process()
    return 0 if results["hearth"] else 1


if __name__ == "__main__":
    sys.exit(main())
