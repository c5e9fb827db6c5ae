"""What listeners cost the server: for each delivery, at rest, when they begin, resume and lose what they may see."""

import os
import pathlib
import re
import selectors
import statistics
import subprocess
import threading
import time

from listener import Listener, Writer, documents, query, wait, watching

ROUNDS = {1_000: 20, 8_000: 5}
CONNECTIONS_MAX = 2_000
# About what a delivery of the document here takes on the wire.
DELIVERY_BYTES = 950
INITIAL_DOCUMENTS = 10_000
# Of listeners at rest.
IDLE_STREAMS, IDLE_TARGETS = 1_000, 100
IDLE_COMMITS = 400
REVOCATIONS = 100
RESUMED_STREAMS, RESUMED_TARGETS, RESUMED_COMMITS = 100, 100, 10_000


def measure(port, pid, root, listeners, rounds=None):
    """One document and many who listen to it: microseconds of the server's CPU for each delivery, and deliveries in a second
    (the clients' own cost is in that)."""
    rounds = rounds or ROUNDS[listeners]
    writer = Writer(port, root)
    writer.commit(writer.set("things/fan", 0))
    # In development a server takes some thousand connections; a connection may have several streams.
    streams = max(1, listeners // CONNECTIONS_MAX)
    held, selector = begin(port, root, ["things/fan"] * (listeners // streams), streams)
    try:
        before = {id(listener): listener.changes for listener in held}
        spent, begun = cpu_us(pid), time.monotonic()
        for number in range(1, rounds + 1):
            writer.commit(writer.set("things/fan", number))
            wait(held, selector, lambda listener: listener.changes >= before[id(listener)] + number * streams)
        deliveries = listeners * rounds
        return (cpu_us(pid) - spent) / deliveries, deliveries / (time.monotonic() - begun)
    finally:
        close(held)


def begin(port, root, paths, streams=1):
    """Connections whose streams listen to a document each and have it, and a selector of them."""
    held, selector = [], watching([])
    for path in paths:
        held.append(Listener(port, root.removesuffix("/documents"), streams=streams))
        held[-1].listen(documents(1, f"{root}/{path}"))
        selector.register(held[-1].socket, selectors.EVENT_READ, held[-1])
        if len(held) % 200 == 0 or len(held) == len(paths):
            wait(held[-200:], selector, lambda listener: listener.current == streams)
    return held, selector


def bare(load, listeners):
    """The same bytes written to bare sockets, one write for each: as `measure`."""
    rounds = ROUNDS[listeners]
    process = subprocess.Popen(
        [load, "bare", str(listeners), str(DELIVERY_BYTES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    port = int(process.stdout.readline())
    held = [Bare(port) for _ in range(listeners)]
    selector = watching(held)
    try:
        begun = time.monotonic()
        for number in range(1, rounds + 1):
            process.stdin.write("go\n")
            wait(held, selector, lambda listener: listener.bytes >= number * DELIVERY_BYTES)
        took = time.monotonic() - begun
        process.stdin.close()
        return float(process.stdout.readline()) * 1000 / (listeners * rounds), listeners * rounds / took
    finally:
        close(held)
        process.kill()
        process.wait()


class Bare(Listener):
    """A socket that counts bytes."""

    def __init__(self, port):
        import socket

        self.socket, self.bytes = socket.create_connection(("127.0.0.1", port)), 0
        self.socket.setblocking(False)

    def read(self):
        self.bytes += len(self.socket.recv(1 << 16))


def many_documents(port, pid, root, count=1_000, rounds=5):
    """As many documents as listeners, each with one: as `measure`, the commits' own cost included."""
    writer, (held, selector) = Writer(port, root), begin(port, root, [f"things/m{number}" for number in range(count)])
    try:
        spent, begun = cpu_us(pid), time.monotonic()
        for number in range(1, rounds + 1):
            for at in range(0, count, 500):
                writer.commit(*(writer.set(f"things/m{n}", number, 20) for n in range(at, min(at + 500, count))))
            wait(held, selector, lambda listener: listener.changes >= number)
        return (cpu_us(pid) - spent) / (count * rounds), count * rounds / (time.monotonic() - begun)
    finally:
        close(held)


def initial(port, root):
    """Milliseconds until a first result of many documents is complete."""
    writer, took = Writer(port, root), []
    for at in range(0, INITIAL_DOCUMENTS, 500):
        writer.commit(*(writer.set(f"initial/d{n}", n, 20) for n in range(at, at + 500)))
    for _ in range(5):
        held = [Listener(port, root.removesuffix("/documents"))]
        begun = time.monotonic()
        held[0].listen(query(1, root, "initial"))
        wait(held, watching(held), lambda listener: listener.current)
        took.append((time.monotonic() - begun) * 1000)
        assert held[0].changes == INITIAL_DOCUMENTS, held[0].changes
        close(held)
    return statistics.median(took)


def at_rest(port, pid, root):
    """Listeners at rest, each with a query of its own: bytes of the server's memory for each; how much dearer a commit of their
    collection is that none of them is about; the milliseconds until one hears of its document."""
    found, writer = {}, Writer(port, root)
    database = root.removesuffix("/documents")
    held = [Listener(port, database)]
    held[0].listen(query(1, root, "rest", ("n", 1 << 40)))
    wait(held, watching(held), lambda listener: listener.current)
    alone = commits(writer, pid)
    memory = memory_bytes(pid)
    try:
        for stream in range(IDLE_STREAMS):
            held.append(Listener(port, database))
            first = stream * IDLE_TARGETS
            held[-1].listen(*(query(n + 1, root, "rest", ("n", first + n)) for n in range(IDLE_TARGETS)))
            wait(held[-1:], watching(held[-1:]), lambda listener: listener.current == IDLE_TARGETS)
        found["rest bytes"] = (memory_bytes(pid) - memory) / (IDLE_STREAMS * IDLE_TARGETS)
        found["rest commit"] = commits(writer, pid) / alone
        took = []
        for number in range(1, 101):
            listener, before = held[number], held[number].changes
            begun = time.monotonic()
            writer.commit(writer.set("rest/one", (number - 1) * IDLE_TARGETS))
            answered = time.monotonic()
            wait([listener], watching([listener]), lambda listener: listener.changes > before)
            took.append(max(0, time.monotonic() - answered) * 1000 if begun else 0)
        found["rest match"] = statistics.median(took)
    finally:
        close(held)
    return found


def commits(writer, pid):
    """Microseconds of CPU of a commit that nobody watches, the better of three."""
    found = []
    for _ in range(3):
        spent = cpu_us(pid)
        for number in range(IDLE_COMMITS):
            writer.commit(writer.set("rest/unwatched", -1 - number, 10))
        found.append((cpu_us(pid) - spent) / IDLE_COMMITS)
    return min(found)


def revocations(port, root, token):
    """From the answer to the commit that takes a listener's role away to the listener's end: the 99th percentile, in ms."""
    writer, took = Writer(port, root), []
    for _ in range(REVOCATIONS):
        writer.commit(writer.set("roles/maria", 1, 1))
        held = [Listener(port, root.removesuffix("/documents"), token)]
        selector = watching(held)
        held[0].listen(query(1, root, "guarded"))
        wait(held, selector, lambda listener: listener.current)
        writer.commit(writer.delete("roles/maria"))
        answered = time.monotonic()
        wait(held, selector, lambda listener: listener.removed)
        took.append((time.monotonic() - answered) * 1000)
        close(held)
    return sorted(took)[len(took) * 99 // 100]


def resumes(port, root):
    """Seconds until many listeners have resumed over many commits, each of which is about one of them."""
    database, writer = root.removesuffix("/documents"), Writer(port, root)
    total = RESUMED_STREAMS * RESUMED_TARGETS
    target = lambda n, token=b"": query(n % RESUMED_TARGETS + 1, root, "resumed", ("n", n), token)
    first = [Listener(port, database)]
    first[0].listen(query(1, root, "resumed", ("n", 1 << 40)))
    writer.commit(writer.set("resumed/none", -1))
    wait(first, watching(first), lambda listener: listener.current and listener.token)
    token = first[0].token
    threads = [
        threading.Thread(target=write_resumed, args=(port, root, range(at, RESUMED_COMMITS, 8), total)) for at in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [Listener(port, database) for _ in range(RESUMED_STREAMS)]
    selector = watching(held)
    begun = time.monotonic()
    for at, listener in enumerate(held):
        listener.listen(*(target(at * RESUMED_TARGETS + n, token) for n in range(RESUMED_TARGETS)))
    try:
        wait(held, selector, lambda listener: listener.current == RESUMED_TARGETS)
        took = time.monotonic() - begun
        changes = sum(listener.changes for listener in held)
        assert changes == RESUMED_COMMITS, f"{changes} documents came"
        return took
    finally:
        close([*held, *first])


def write_resumed(port, root, numbers, total):
    writer = Writer(port, root)
    for number in numbers:
        writer.commit(writer.set(f"resumed/d{number}", number % total, 10))


def close(listeners):
    for listener in listeners:
        listener.close()


def memory_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def cpu_us(pid):
    with open(f"/proc/{pid}/stat") as stat:
        values = stat.read().rsplit(")", 1)[1].split()
    return (int(values[11]) + int(values[12])) * 1_000_000 / os.sysconf("SC_CLK_TCK")
