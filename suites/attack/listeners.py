"""Listeners that do not read, and one that wants everything: they take nothing from others."""

import os
import socket
import struct
import time

from slow_readers import BODY, DOCUMENTS, measure

DATABASE = "projects/demo-attack/databases/(default)"
PATH = "/v1/" + DATABASE + "/documents"
TARGETS = 10_000
MEMORY_MIB_MAX = 400


def run(server, full):
    streams, seconds = (200, 20) if full else (40, 4)
    running = server.start()
    neighbour = running.client()
    for at in range(DOCUMENTS):
        body = {"fields": {"text": {"stringValue": BODY}}}
        status, answer = neighbour.ask("PATCH", f"{PATH}/public/{at}", body)
        assert status == 200, answer
    quiet = measure(neighbour, PATH, seconds)
    # Each listens to all of the collection: every write of the neighbour is for every one of them.
    unread = [Listener(running.port) for _ in range(streams)]
    for listener in unread:
        listener.send(target(1, "public"))
    # One adds target after target, and takes no answer.
    greedy = Listener(running.port)
    for number in range(TARGETS):
        if not greedy.send(target(number + 1, f"public{number % 50}"), wait=False):
            break
    time.sleep(1)
    under = measure(neighbour, PATH, seconds)
    memory = memory_mib(running.process.pid)
    for listener in [*unread, greedy]:
        listener.close()
    assert under <= 3 * quiet + 0.05, f"p99 {under * 1000:.0f} ms, quiet {quiet * 1000:.0f} ms"
    assert memory < MEMORY_MIB_MAX, f"{memory} MiB"
    return (
        f"{streams} unread listeners and one of {number + 1} targets: a neighbour's p99 {under * 1000:.1f} ms, "
        f"quiet {quiet * 1000:.1f} ms; {memory} MiB"
    )


def memory_mib(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // (1 << 20)


def field(number, content):
    """A sized field of a protocol message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def target(number, collection):
    """A ListenRequest that adds a query."""
    query = field(1, (DATABASE + "/documents").encode()) + field(2, field(2, field(2, collection.encode())))
    return field(1, DATABASE.encode()) + field(2, field(2, query) + varint(5 << 3) + varint(number))


class Listener:
    """A Listen stream over HTTP/2, as little of it as is needed to be a nuisance: it sends, and never reads."""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/google.firestore.v1.Firestore/Listen",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        block = b"".join(b"\0" + text(name) + text(value) for name, value in headers.items())
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        self.socket.sendall(preface + frame(4, 0, 0, b"") + frame(1, 4, 1, block))

    def send(self, message, wait=True):
        """Sends a request. Returns whether it went, when it is not waited for."""
        self.socket.settimeout(5 if wait else 0.5)
        try:
            self.socket.sendall(frame(0, 0, 1, b"\0" + struct.pack(">I", len(message)) + message))
            return True
        except OSError:
            return False

    def close(self):
        self.socket.close()


def text(string):
    return bytes([len(string)]) + string.encode()


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
