"""Listeners that do not read, and one that wants everything: they take nothing from others."""

import socket
import struct

from share import ATTACKERS_ADDRESS, Figure
from slow_readers import BODY, DOCUMENTS, fill

DATABASE = "projects/demo-attack/databases/(default)"
TARGETS = 10_000
MEMORY_MIB_MAX = 400


def run(server, full):
    running = server.start()
    fill(running.client(), DOCUMENTS, BODY)
    figure = Figure(running, 20 if full else 3, full, MEMORY_MIB_MAX)
    streams = 200 if full else 40
    done = figure.beside(1, listen, running.port, streams, steps_min=streams + 2)
    return f"{streams} unread listeners and one of {done - streams - 1} targets: {figure.text()}"


def listen(ended, _number, port, streams):
    """Listens to all of the collection, so that every write of the neighbour is for every listener. One more adds target after
    target, and takes no answer.
    """
    held = []
    for _ in range(streams):
        held.append(Listener(port))
        held[-1].send(target(1, "public"))
        yield
    held.append(Listener(port))
    yield
    for number in range(TARGETS):
        if not held[-1].send(target(number + 1, f"public{number % 50}"), wait=False):
            break
        yield
    ended.wait()


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
        self.socket.bind((ATTACKERS_ADDRESS, 0))
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


def text(string):
    return bytes([len(string)]) + string.encode()


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
