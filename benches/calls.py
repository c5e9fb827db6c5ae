#!/usr/bin/env python3
"""Calls of functions: `hearth dev` beside the official functions emulator (npm firebase-tools), one after the other.

    calls.py [--peer] [--calls N]

Measures, over plain HTTP with one connection for each caller: the first call of a function (cold), calls one after the other (warm), 8 and 64
in flight (p50, p99), memory of all processes of the codebase with 25 functions that were each called once, and the time from saving a file to
the first answer of the new code. Ratios count; absolute values are this machine's.

Needs `npm ci` in suites/node. `--peer` also needs `npx firebase` (firebase-tools) on the PATH or in benches/.cache/node_modules.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
PACKAGES = REPOSITORY / "suites/node/node_modules"
CACHE = HERE / ".cache"
PROJECT = "demo-bench"
FUNCTIONS = 25
START_S_MAX = 120

CODE = """
const { onCall } = require("firebase-functions/v2/https");
for (let at = 0; at < %d; at++) {
  exports["f" + at] = onCall((request) => ({ version: %d, at: request.data }));
}
"""


def binary():
    for profile in ("release", "debug"):
        path = TARGET / profile / "hearth"
        if path.exists():
            return path, profile
    sys.exit("build Hearth first")


def project(folder):
    functions = folder / "functions"
    functions.mkdir(parents=True)
    (functions / "package.json").write_text('{"main": "index.js", "engines": {"node": "20"}}')
    (functions / "node_modules").symlink_to(PACKAGES)
    save(folder, 1)
    emulators = {"functions": {"port": 5901}, "hub": {"port": 5902}, "logging": {"port": 5903}, "ui": {"enabled": False}}
    (folder / "firebase.json").write_text(json.dumps({"functions": {"source": "functions"}, "emulators": emulators}))


def save(folder, version):
    (folder / "functions/index.js").write_text(CODE % (FUNCTIONS, version))


class Caller:
    """One connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, name="f0"):
        body, headers = '{"data": 1}', {"content-type": "application/json"}
        self.connection.request("POST", f"/{PROJECT}/us-central1/{name}", body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {text[:200]}")
        return json.loads(text)["result"]

    def timed(self, name="f0"):
        begun = time.perf_counter()
        self.call(name)
        return (time.perf_counter() - begun) * 1000


def figures(millis):
    ordered = sorted(millis)
    return {"p50": statistics.median(ordered), "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]}


def in_flight(port, callers, calls):
    def run(caller):
        return [caller.timed() for _ in range(max(1, calls // callers))]

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        millis = [one for some in pool.map(run, [Caller(port) for _ in range(callers)]) for one in some]
    return figures(millis)


def descendants(pid):
    found, rest = [], [pid]
    while rest:
        one = rest.pop()
        try:
            children = pathlib.Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        found += [int(child) for child in children]
        rest += [int(child) for child in children]
    return found


def memory_mib(pid, of):
    """Of the processes below this one that run code."""
    total = 0
    for child in descendants(pid):
        try:
            command = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
            if of.encode() in command:
                lines = pathlib.Path(f"/proc/{child}/status").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
        except (OSError, StopIteration):
            continue
    return total


def until_up(port):
    for end in [time.monotonic() + START_S_MAX]:
        while time.monotonic() < end:
            try:
                Caller(port).call("f1")
                return
            except (OSError, RuntimeError, KeyError, ValueError):
                time.sleep(0.05)
    sys.exit("it does not start")


def measure(name, command, folder, port, worker, calls):
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_up(port)
        found = {"cold": Caller(port).timed("f2")}
        caller = Caller(port)
        caller.call()
        found["warm"] = figures([caller.timed() for _ in range(calls)])
        for callers in (8, 64):
            found[f"{callers} in flight"] = in_flight(port, callers, calls)
        for at in range(FUNCTIONS):
            Caller(port).call(f"f{at}")
        found["memory"] = memory_mib(process.pid, worker)
        begun = time.perf_counter()
        save(folder, 2)
        while Caller(port).call()["version"] != 2:
            time.sleep(0.01)
        found["reload"] = (time.perf_counter() - begun) * 1000
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
    say(name, found)
    return found


def say(name, found):
    print(f"\n{name}")
    for what, value in found.items():
        unit = "MiB" if what == "memory" else "ms"
        text = f"{value:.1f} {unit}" if isinstance(value, float) else ", ".join(f"{key} {one:.1f} ms" for key, one in value.items())
        print(f"  {what:14} {text}")


def firebase():
    for path in (CACHE / "node_modules/.bin/firebase", shutil.which("firebase")):
        if path and pathlib.Path(path).exists():
            return str(path)
    sys.exit(f"firebase-tools is not installed: npm install --prefix {CACHE} firebase-tools")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="store_true", help="measure the official emulator, too")
    parser.add_argument("--calls", type=int, default=1000)
    asked = parser.parse_args()
    if not PACKAGES.exists():
        sys.exit("run `npm ci` in suites/node first")
    program, profile = binary()
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as folder:
        folder = pathlib.Path(folder)
        project(folder)
        command = [program, "dev", folder, "--ephemeral", "--project", PROJECT, "--ports", "all=0,functions=5901"]
        ours = measure(f"Hearth ({profile})", command, folder, 5901, "runner.js", asked.calls)
        if not asked.peer:
            return
        save(folder, 1)
        command = [firebase(), "emulators:start", "--only", "functions", "--project", PROJECT]
        theirs = measure("official emulator", command, folder, 5901, "functionsEmulatorRuntime", min(asked.calls, 200))
    print("\nofficial / Hearth")
    for what, value in ours.items():
        if isinstance(value, float):
            print(f"  {what:14} {theirs[what] / value:.1f} ×")
        else:
            print(f"  {what:14} " + ", ".join(f"{key} {theirs[what][key] / one:.1f} ×" for key, one in value.items()))


if __name__ == "__main__":
    main()
