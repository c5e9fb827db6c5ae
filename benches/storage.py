#!/usr/bin/env python3
"""Measures Cloud Storage beside the official Storage emulator and a plain file server on this machine, in one run.

    storage.py [--sizes 1KiB,1MiB,1GiB] [--objects 10000] [--repeat 5] [--without official,nginx] [--binary PATH]

For each size: MB/s up and down, the server's processor time per MiB, and its peak of memory while that goes on (`VmHWM` above
what it had before). Then a list of so many objects, in pages of 1,000, and the metadata of one object, per second. Hearth keeps
its objects on disk with every write synced; so does the emulator without syncs. Peers that are missing are left out and named:
`firebase` (npm firebase-tools) with its rules runtime, `nginx`.

Only Python's standard library is used. A machine this small is noisy: trust ratios of one run.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
PROJECT = "demo-bench"
BUCKET = f"{PROJECT}.appspot.com"
START_S_MAX = 90
PIECE = b"0123456789abcdef" * 65536
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
TICKS = os.sysconf("SC_CLK_TCK")
MEMORY_MIB_AIM, DOWNLOAD_AIM, UPLOAD_AIM = 32, 0.8, 5.0
RULES = """
rules_version = '2';
service firebase.storage { match /b/{b}/o { match /{all=**} { allow read, write: if true; } } }
"""


def size_of(text):
    unit = next(unit for unit in ("GiB", "MiB", "KiB", "B") if text.endswith(unit))
    return int(text.removesuffix(unit)) * UNITS[unit]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    """A process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                children = pathlib.Path(f"/proc/{one}/task/{thread}/children").read_text()
                waiting += [int(child) for child in children.split()]
        except OSError:
            pass
    return found


class Peer:
    """A server that is measured."""

    def __init__(self, name, process, port, folder):
        self.name, self.process, self.port, self.folder = name, process, port, folder
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                assert process.poll() is None, f"{name} did not start"
                time.sleep(0.1)
        raise SystemExit(f"{name} did not start")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def cpu_s(self):
        total = 0.0
        for pid in descendants(self.process.pid):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / TICKS
            except OSError:
                pass
        return total

    def memory_mib(self, name):
        total = 0
        for pid in descendants(self.process.pid):
            try:
                lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
        return total / 1024

    def forget_peak(self):
        for pid in descendants(self.process.pid):
            try:
                pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
            except OSError:
                pass

    def upload(self, connection, name, size):
        head = {"Content-Length": str(size), "Content-Type": "application/octet-stream", "Authorization": "Bearer owner"}
        connection.request("POST", f"/v0/b/{BUCKET}/o?name={name}", pieces(size), head)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{self.name}: {answer.status} {text[:200]}"

    def path(self, name):
        return f"/v0/b/{BUCKET}/o/{name}?alt=media"

    def download(self, connection, name, size):
        connection.request("GET", self.path(name), headers={"Authorization": "Bearer owner"})
        answer, left = connection.getresponse(), size
        assert answer.status == 200, f"{self.name}: {answer.status}"
        while piece := answer.read(1 << 20):
            left -= len(piece)
        assert left == 0, f"{self.name}: {left} bytes are missing"

    def metadata(self, connection, name):
        connection.request("GET", f"/v0/b/{BUCKET}/o/{name}", headers={"Authorization": "Bearer owner"})
        answer = connection.getresponse()
        assert answer.read() and answer.status == 200

    def listed(self, connection):
        count, token = 0, ""
        while True:
            more = f"&pageToken={token}" if token else ""
            path = f"/v0/b/{BUCKET}/o?prefix=many/&maxResults=1000{more}"
            connection.request("GET", path, headers={"Authorization": "Bearer owner"})
            page = json.loads(connection.getresponse().read())
            count += len(page["items"])
            token = page.get("nextPageToken")
            if not token:
                return count


class Plain(Peer):
    """A file server: downloads of files that are there."""

    def upload(self, connection, name, size):
        with open(self.folder / name, "wb") as file:
            for piece in pieces(size):
                file.write(piece)

    def path(self, name):
        return f"/{name}"


def pieces(size):
    while size > 0:
        yield PIECE[:size]
        size -= len(PIECE)


def start_hearth(folder, binary):
    (folder / "firebase.json").write_text(json.dumps({"storage": {"rules": "storage.rules"}}))
    (folder / "storage.rules").write_text(RULES)
    port = free_port()
    command = [binary, "dev", str(folder), "--project", PROJECT, "--only", "storage", "--ports", f"storage={port},hub=0", "--json"]
    return Peer("hearth", subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), port, folder)


def start_official(folder):
    firebase = shutil.which("firebase")
    if not firebase:
        return None
    port = free_port()
    emulators = {"storage": {"port": port}, "hub": {"port": free_port()}, "logging": {"port": free_port()}, "ui": {"enabled": False}}
    (folder / "firebase.json").write_text(json.dumps({"storage": {"rules": "storage.rules"}, "emulators": emulators}))
    (folder / "storage.rules").write_text(RULES)
    command = [firebase, "emulators:start", "--project", PROJECT, "--only", "storage"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Peer("official", process, port, folder)


def start_nginx(folder):
    nginx = shutil.which("nginx")
    if not nginx:
        return None
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log /dev/null; events {{}}\n"
        f"http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    process = subprocess.Popen([nginx, "-c", str(conf), "-p", str(folder)], stderr=subprocess.DEVNULL)
    return Plain("nginx", process, port, folder)


def measured(peer, size, repeat, what):
    """MB/s (median), processor ms per MiB, and how much memory it took."""
    connection, rates = peer.connect(), []
    peer.forget_peak()
    before, cpu = peer.memory_mib("VmRSS"), peer.cpu_s()
    for number in range(repeat):
        begun = time.monotonic()
        what(connection, f"o{size}-{number}", size)
        rates.append(size / 1e6 / (time.monotonic() - begun))
    mib = repeat * size / (1 << 20)
    return statistics.median(rates), (peer.cpu_s() - cpu) * 1000 / mib, peer.memory_mib("VmHWM") - before


def per_second(what, seconds=3.0):
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        what()
        done += 1
    return done / (time.monotonic() - begun)


def measure(peer, ask):
    found = {}
    for text in ask.sizes.split(","):
        size = size_of(text)
        repeat = max(1, min(ask.repeat if size >= 1 << 20 else 200, (4 << 30) // size))
        for verb, what in (("up", peer.upload), ("down", peer.download)):
            rate, cpu_ms, memory = measured(peer, size, repeat, what)
            found[f"{text} {verb}"] = rate
            note = "" if peer.name != "hearth" or memory <= MEMORY_MIB_AIM else f"   aim: at most {MEMORY_MIB_AIM} MiB"
            print(f"  {peer.name:<9} {text:>5} {verb:<5} {rate:9.1f} MB/s {cpu_ms:8.1f} ms CPU per MiB {memory:7.1f} MiB{note}", flush=True)
    if isinstance(peer, Plain):
        return found
    connection = peer.connect()
    for number in range(ask.objects):
        peer.upload(connection, f"many%2F{number:06}", 10)
    begun = time.monotonic()
    count = peer.listed(connection)
    assert count == ask.objects, f"{peer.name} lists {count}"
    found["list"] = time.monotonic() - begun
    found["metadata"] = per_second(lambda: peer.metadata(connection, "many%2F000000"))
    print(f"  {peer.name:<9} list of {count}: {found['list'] * 1000:.0f} ms; metadata: {found['metadata']:.0f} per second")
    return found


def ratios(all_found):
    hearth = all_found["hearth"]
    for name, other, verb, aim in (("nginx", all_found.get("nginx"), "down", DOWNLOAD_AIM), ("official", all_found.get("official"), "up", UPLOAD_AIM)):
        for what in [what for what in hearth if what.endswith(verb) and other and other.get(what)]:
            ratio = hearth[what] / other[what]
            print(f"  {what}: {ratio:.2f} times {name} (aim {aim}){'' if ratio >= aim else '  MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1KiB,1MiB,1GiB")
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--without", default="")
    parser.add_argument("--binary", default=str(TARGET / "dist/hearth"))
    ask = parser.parse_args()
    if ask.binary == str(TARGET / "dist/hearth"):
        subprocess.run(["cargo", "build", "--profile", "dist", "-p", "hearth", "--locked"], cwd=REPOSITORY, check=True)
    left_out, all_found = ask.without.split(","), {}
    for name, start in (("hearth", lambda folder: start_hearth(folder, ask.binary)), ("official", start_official), ("nginx", start_nginx)):
        if name in left_out:
            continue
        with tempfile.TemporaryDirectory(prefix=f"storage-bench-{name}-") as folder:
            peer = start(pathlib.Path(folder))
            if peer is None:
                print(f"  {name}: not installed, left out")
                continue
            try:
                all_found[name] = measure(peer, ask)
            finally:
                peer.stop()
    ratios(all_found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
