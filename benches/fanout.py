"""One document and many who listen to it: what the server spends on each delivery.

The listeners are bare sockets that speak as little HTTP/2 as they must, so that most of the work is the server's.
"""

import http.client
import json
import os
import selectors
import socket
import struct
import time

ROUND_S_MAX = 60


def measure(port, pid, root, listeners, rounds):
    """Microseconds of the server's CPU for each delivery, and deliveries in a second (the clients' own cost is in that)."""
    database = root.removesuffix("/documents")
    name = f"{root}/things/fan"
    write(port, root, name, 0)
    selector = selectors.DefaultSelector()
    sockets = [Listener(port, database, name) for _ in range(listeners)]
    try:
        for listener in sockets:
            selector.register(listener.socket, selectors.EVENT_READ, listener)
        until(selector, sockets, 1)
        spent, begun = cpu_us(pid), time.monotonic()
        for number in range(1, rounds + 1):
            write(port, root, name, number)
            until(selector, sockets, number + 1)
        deliveries = listeners * rounds
        return (cpu_us(pid) - spent) / deliveries, deliveries / (time.monotonic() - begun)
    finally:
        for listener in sockets:
            listener.socket.close()


def write(port, root, name, number):
    fields = {f"f{index}": {"stringValue": "x" * 80} for index in range(8)} | {"n": {"integerValue": str(number)}}
    body = json.dumps({"writes": [{"update": {"name": name, "fields": fields}}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ROUND_S_MAX)
    headers = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
    connection.request("POST", f"/v1/{root}:commit", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    connection.close()


def until(selector, sockets, changes):
    """Reads until every listener has had so many documents."""
    missing = sum(listener.changes < changes for listener in sockets)
    late = time.monotonic() + ROUND_S_MAX
    while missing:
        assert time.monotonic() < late, f"{missing} listeners wait for document {changes}"
        for key, _ in selector.select(1):
            before = key.data.changes
            key.data.read()
            missing -= before < changes <= key.data.changes


def cpu_us(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000 / os.sysconf("SC_CLK_TCK")


class Listener:
    """A stream that listens to one document, and counts how often it comes."""

    def __init__(self, port, database, name):
        self.buffer, self.messages, self.changes = b"", b"", 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/google.firestore.v1.Firestore/Listen",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
            "authorization": "Bearer owner",
            "google-cloud-resource-prefix": database,
        }
        block = b"".join(b"\0" + text(key) + text(value) for key, value in headers.items())
        settings = struct.pack(">HI", 4, 2**31 - 1)
        window = struct.pack(">I", 2**31 - 1 - 65_535)
        target = field(3, field(2, name.encode())) + varint(5 << 3) + varint(1)
        request = field(1, database.encode()) + field(2, target)
        hello = frame(4, 0, 0, settings) + frame(8, 0, 0, window) + frame(1, 4, 1, block)
        request = frame(0, 0, 1, b"\0" + struct.pack(">I", len(request)) + request)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hello + request)
        self.socket.setblocking(False)

    def read(self):
        data = self.socket.recv(1 << 16)
        assert data, "the server has closed a stream"
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags, payload = self.buffer[3], self.buffer[4], self.buffer[9 : 9 + length]
            self.buffer = self.buffer[9 + length :]
            if kind == 4 and not flags:
                self.socket.sendall(frame(4, 1, 0, b""))
            if kind == 0:
                self.take(payload)

    def take(self, payload):
        """Counts the messages that are document changes: field 3 of a ListenResponse."""
        self.messages += payload
        while len(self.messages) >= 5:
            length = int.from_bytes(self.messages[1:5], "big")
            if len(self.messages) < 5 + length:
                return
            self.changes += self.messages[5:6] == b"\x1a"
            self.messages = self.messages[5 + length :]


def field(number, content):
    """A sized field of a protocol message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def text(string):
    return bytes([len(string)]) + string.encode()


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
