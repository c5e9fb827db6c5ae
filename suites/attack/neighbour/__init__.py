"""An ordinary client beside an attack: 50 reads and 10 writes a second, and how long they take."""

import threading
import time

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
READS_PER_S, WRITES_PER_S = 50, 10


class Neighbour:
    """Asks from an address of its own, on fresh and on kept connections, while the `with` block runs."""

    def __init__(self, running, source="127.0.0.2"):
        self.running, self.source = running, source
        self.times_ms, self.failures, self.ended = [], [], threading.Event()
        self.threads = [
            threading.Thread(target=self.go, args=(method, per_s))
            for method, per_s in (("GET", READS_PER_S), ("PATCH", WRITES_PER_S))
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join(70)

    def go(self, method, per_s):
        body = {"fields": {"n": {"integerValue": "1"}}} if method == "PATCH" else None
        client, asked, due = None, 0, time.monotonic()
        while not self.ended.is_set():
            begun = time.monotonic()
            try:
                if asked % 10 == 0:
                    if client:
                        client.connection.close()
                    client = self.running.client(self.source)
                status, _ = client.ask(method, f"{ROOT}/public/neighbour", body)
            except OSError as error:
                status, client, asked = f"{type(error).__name__}: {error}", None, -1
            self.times_ms.append((time.monotonic() - begun) * 1000)
            if status not in (200, 404):
                self.failures.append(f"{method} {status}")
            asked += 1
            due = max(due + 1 / per_s, time.monotonic() - 1)
            self.ended.wait(max(0, due - time.monotonic()))

    def p99_ms(self):
        times = sorted(self.times_ms)
        return times[int(len(times) * 0.99)]


def quiet(running, seconds):
    """The neighbour without an attack."""
    with Neighbour(running) as neighbour:
        time.sleep(seconds)
    return neighbour


def memory_mib(running):
    """The server's resident memory."""
    return running.status_mib("VmRSS")


def figure(before, during, memory):
    """The figure of an attack; raises AssertionError when the neighbour was refused."""
    assert not during.failures, f"{len(during.failures)} of {len(during.times_ms)} refused, first {during.failures[0]}"
    return f"neighbour's p99 {during.p99_ms():.0f} ms (quiet {before.p99_ms():.0f}), none refused; server {memory} MiB"
