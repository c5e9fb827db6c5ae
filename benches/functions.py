#!/usr/bin/env python3
"""`./x bench functions`: how long a function waits for its event, from the write's answer to the handler's first line.

    functions.py [--writes 300] [--burst 500] [--documents 50]

Hearth writes to disk and waits for it. Three figures: one write at a time (the latency), a burst of writes to many documents (how
many events a second, and the latency under load), and what a triggered write costs beside one that nobody listens to. The handler
notes its time in the same machine's clock; the write's time is when its answer is read.
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
BINARY = os.environ.get("HEARTH_BIN") or str(TARGET / "release/hearth")
PROJECT = "demo-bench"
DOCUMENTS = f"projects/{PROJECT}/databases/(default)/documents"
OWNER = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
CODE = """
const fs = require("node:fs");
const { onDocumentWritten } = require("firebase-functions/v2/firestore");
exports.told = onDocumentWritten("heard/{id}", (event) => {
  fs.appendFileSync(process.env.EVENTS_FILE, `${event.data.after.data().n} ${performance.timeOrigin + performance.now()}\\n`);
});
"""


def project():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench-"))
    source = folder / "functions"
    source.mkdir()
    (folder / "firebase.json").write_text('{"functions": {"source": "functions"}}')
    (folder / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
    (folder / "events").write_text("")
    (source / "index.js").write_text(CODE)
    (source / "package.json").write_text('{"main": "index.js"}')
    (source / ".env").write_text(f"EVENTS_FILE={folder}/events\n")
    (source / "node_modules").symlink_to(REPOSITORY / "suites/node/node_modules")
    return folder


class Hearth:
    def __init__(self, folder):
        command = [BINARY, "dev", str(folder), "--ports", "all=0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = threading.Event()

        def listen():
            for line in self.process.stderr:
                if "triggers are in force" in line:
                    said.set()

        threading.Thread(target=listen, daemon=True).start()
        self.port = json.loads(self.process.stdout.readline())["ports"]["firestore"]
        assert said.wait(60), "the functions were not loaded"

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)


def write(connection, path, n):
    """Writes and returns when the answer came, in milliseconds."""
    name = f"{DOCUMENTS}/{path}"
    body = {"writes": [{"update": {"name": name, "fields": {"n": {"integerValue": str(n)}}}}]}
    begun = time.perf_counter()
    connection.request("POST", f"/v1/{DOCUMENTS}:commit", json.dumps(body), OWNER)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    return time.time() * 1000, (time.perf_counter() - begun) * 1000


def heard(folder, count, seconds=120):
    until = time.time() + seconds
    while True:
        lines = (folder / "events").read_text().splitlines()
        if len(lines) >= count:
            return {int(n): float(at) for n, at in (line.split() for line in lines)}
        assert time.time() < until, f"{len(lines)} of {count} events were told"
        time.sleep(0.02)


def shown(name, values):
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(len(values) * share))]
    print(f"{name:<44} p50 {statistics.median(values):8.2f} ms   p99 {at(0.99):8.2f} ms   max {values[-1]:8.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=300)
    parser.add_argument("--burst", type=int, default=500)
    parser.add_argument("--documents", type=int, default=50)
    options = parser.parse_args()
    folder = project()
    hearth = Hearth(folder)
    try:
        connection = hearth.connect()
        for n in range(20):
            write(connection, "heard/warm", n)
        heard(folder, 20)
        written = {}
        alone = []
        for n in range(1000, 1000 + options.writes):
            written[n], took = write(connection, f"heard/d{n % options.documents}", n)
            alone.append(took)
            time.sleep(0.005)
        told = heard(folder, 20 + options.writes)
        shown("event, one write at a time: answer to handler", [told[n] - at for n, at in written.items()])
        unheard = [write(connection, f"unheard/d{n % options.documents}", n)[1] for n in range(options.writes)]
        shown("a write with a trigger", alone)
        shown("a write without", unheard)

        before, burst, threads = 20 + options.writes, {}, []
        begun = time.time()

        def writer(first):
            own = hearth.connect()
            for n in range(first, 100_000 + options.burst, 8):
                burst[n], _ = write(own, f"heard/d{n % options.documents}", n)

        for first in range(100_000, 100_008):
            threads.append(threading.Thread(target=writer, args=(first,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        told = heard(folder, before + options.burst)
        took = max(told[n] for n in burst) / 1000 - begun
        shown(f"event, 8 writers, {options.documents} documents", [told[n] - at for n, at in burst.items()])
        print(f"{'events told in a second':<44} {options.burst / took:12.0f}")
    finally:
        hearth.process.terminate()
        hearth.process.wait()


if __name__ == "__main__":
    main()
