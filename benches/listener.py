"""A `Listen` stream over HTTP/2, as little of it as is needed to count what comes: most of the work is the server's."""

import http.client
import json
import selectors
import socket
import struct
import time

WAIT_S_MAX = 120
# Fields of a ListenResponse, as the first byte of a message.
TARGET_CHANGE, DOCUMENT_CHANGE = 0x12, 0x1A
CURRENT, REMOVE = 3, 2


class Listener:
    """A connection with a stream, or some. It counts document changes, and targets that are complete or have ended, of all of
    them; it keeps the newest token."""

    opened = 0

    def __init__(self, port, database, token="owner", streams=1):
        self.buffer, self.streams = b"", streams
        # What has come of the next message, by stream.
        self.messages = dict.fromkeys(range(1, 2 * streams, 2), b"")
        self.changes = self.current = self.removed = 0
        self.token = b""
        self.database = database
        # An address has a share of a server's connections.
        Listener.opened += 1
        self.socket = socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{2 + Listener.opened % 8}", 0))
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/google.firestore.v1.Firestore/Listen",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
            "authorization": f"Bearer {token}",
            "google-cloud-resource-prefix": database,
        }
        block = b"".join(b"\0" + string(key.encode()) + string(value.encode()) for key, value in headers.items())
        settings = struct.pack(">HI", 4, 2**31 - 1)
        window = struct.pack(">I", 2**31 - 1 - 65_535)
        hello = frame(4, 0, 0, settings) + frame(8, 0, 0, window)
        hello += b"".join(frame(1, 4, stream, block) for stream in self.messages)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hello)

    def listen(self, *targets):
        """Adds targets to each stream, each as bytes (see `documents` and `query`)."""
        requests = b""
        for target in targets:
            request = field(1, self.database.encode()) + field(2, target)
            requests += b"\0" + struct.pack(">I", len(request)) + request
        self.socket.setblocking(True)
        for stream in self.messages:
            for at in range(0, len(requests), 16_000):
                self.socket.sendall(frame(0, 0, stream, requests[at : at + 16_000]))
        self.socket.setblocking(False)

    def read(self):
        data = self.socket.recv(1 << 18)
        assert data, "the server has closed a stream"
        self.buffer += data
        at = 0
        while len(self.buffer) >= at + 9:
            length = int.from_bytes(self.buffer[at : at + 3], "big")
            if len(self.buffer) < at + 9 + length:
                break
            kind, flags = self.buffer[at + 3], self.buffer[at + 4]
            if kind == 4 and not flags:
                self.socket.sendall(frame(4, 1, 0, b""))
            if kind == 6 and not flags:
                self.socket.sendall(frame(6, 1, 0, self.buffer[at + 9 : at + 9 + length]))
            if kind == 0:
                stream = int.from_bytes(self.buffer[at + 5 : at + 9], "big")
                self.messages[stream] = self.take(self.messages[stream] + self.buffer[at + 9 : at + 9 + length])
            at += 9 + length
        self.buffer = self.buffer[at:]

    def take(self, messages):
        """Takes whole messages; returns what is left."""
        at = 0
        while len(messages) >= at + 5:
            length = int.from_bytes(messages[at + 1 : at + 5], "big")
            if len(messages) < at + 5 + length:
                break
            kind = messages[at + 5] if length else 0
            if kind == DOCUMENT_CHANGE:
                self.changes += 1
            elif kind == TARGET_CHANGE:
                self.take_targets(messages[at + 5 : at + 5 + length])
            at += 5 + length
        return messages[at:]

    def take_targets(self, message):
        body = dict(fields(dict(fields(message))[2]))
        numbers = body.get(2, b"")
        count = len(list(varints(numbers))) if isinstance(numbers, bytes) else 1
        self.current += count if body.get(1) == CURRENT else 0
        self.removed += count if body.get(1) == REMOVE else 0
        self.token = body.get(4, self.token)

    def close(self):
        self.socket.close()


def documents(number, *names, token=b""):
    """A target of documents."""
    return field(3, b"".join(field(2, name.encode()) for name in names)) + ending(number, token)


def query(number, parent, collection, where=None, token=b""):
    """A target of a collection; with `where`, the name of a field and the integer that it is."""
    structured = field(2, field(2, collection.encode()))
    if where:
        name, value = where
        # EQUAL is 5; an integer value is field 2.
        condition = field(1, field(2, name.encode())) + number_field(2, 5) + field(3, number_field(2, value))
        structured += field(3, field(2, condition))
    return field(2, field(1, parent.encode()) + field(2, structured)) + ending(number, token)


def ending(number, token):
    return (field(4, token) if token else b"") + number_field(5, number)


def wait(listeners, selector, holds):
    """Reads until a condition holds of each of these."""
    late, missing = time.monotonic() + WAIT_S_MAX, {listener for listener in listeners if not holds(listener)}
    while missing:
        assert time.monotonic() < late, f"{len(missing)} of {len(listeners)} listeners wait"
        for key, _ in selector.select(1):
            key.data.read()
            if key.data in missing and holds(key.data):
                missing.discard(key.data)


def watching(listeners):
    """A selector of these."""
    selector = selectors.DefaultSelector()
    for listener in listeners:
        selector.register(listener.socket, selectors.EVENT_READ, listener)
    return selector


class Writer:
    """Commits over one connection, as the owner."""

    def __init__(self, port, root):
        self.root = root
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S_MAX)

    def commit(self, *writes):
        headers = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
        request = ("POST", f"/v1/{self.root}:commit", json.dumps({"writes": writes}), headers)
        try:
            self.connection.request(*request)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # An idle connection makes room for others. The same write again changes nothing.
            self.connection.close()
            self.connection.request(*request)
            answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text[:500]

    def set(self, path, number, size=80):
        """A write of nine fields."""
        fields = {f"f{at}": {"stringValue": "x" * size} for at in range(8)} | {"n": {"integerValue": str(number)}}
        return {"update": {"name": f"{self.root}/{path}", "fields": fields}}

    def delete(self, path):
        return {"delete": f"{self.root}/{path}"}


def fields(message):
    """The fields of a protocol message: numbers, and varints or bytes."""
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        if key & 7 == 0:
            value, at = read_varint(message, at)
        else:
            length, at = read_varint(message, at)
            value, at = message[at : at + length], at + length
        yield key >> 3, value


def varints(data):
    at = 0
    while at < len(data):
        value, at = read_varint(data, at)
        yield value


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def field(number, content):
    """A sized field of a protocol message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number, value):
    return varint(number << 3) + varint(value)


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def string(content):
    """A string of HPACK without Huffman's code."""
    length = len(content)
    return (bytes([length]) if length < 127 else b"\x7f" + varint(length - 127)) + content


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
