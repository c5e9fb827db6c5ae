"""Small requests that decode to very much: they are weighed before they are decoded, and others do not wait for them.

Over gRPC, compressed: maps of one field, empty elements, and the same just below the limit of one message. Over REST: lists in
lists, lists of objects, and a deep one.
"""

import gzip
import itertools
import socket
import struct

from share import ATTACKERS_ADDRESS, Figure

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
DATABASE = b"projects/demo-attack/databases/(default)"
NAME = DATABASE + b"/documents/public/bomb"
MESSAGE_BYTES, SHORT_MESSAGE_BYTES = (17 << 20) - 1024, 5 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# A window of 16 MiB for the answers of a connection.
SETTINGS, SETTINGS_ACK = b"\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\1\0\0\0\0"
MEMORY_MIB_MAX = 1536
COMMIT = "/google.firestore.v1.Firestore/Commit"


def run(server, full):
    running = server.start()
    figure = Figure(running, 30 if full else 3, full, MEMORY_MIB_MAX)
    size = MESSAGE_BYTES if full else SHORT_MESSAGE_BYTES
    bombs = [*map(compressed, messages(size)), *texts(size)]
    sent = figure.beside(8 if full else 4, throw, running.port, bombs, steps_min=len(bombs) if full else 4)
    return f"{sent} requests of {sum(map(len, bombs)) // len(bombs) >> 10} KiB: {figure.text()}"


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def commit(element, size):
    """A commit of one document whose array has this element until the message has this size."""
    array = element * ((size - 200) // len(element))
    value = field(9, array)
    entry = field(2, field(1, b"a") + field(2, value))
    return field(1, DATABASE) + field(2, field(1, field(1, NAME) + entry))


def messages(size):
    one_field = field(1, field(6, field(1, field(1, b"a") + field(2, b"\x58\0"))))
    yield commit(one_field, size)
    yield commit(field(1, b""), size)
    yield commit(field(1, field(6, b"")), size)
    # What one message may take: these are decoded.
    yield commit(one_field, size // 5)
    yield commit(field(1, b"\x10\1"), size // 2)


def texts(size):
    """Bodies of REST: Firestore's, and identity's, of which a tree is made."""
    path = f"{ROOT}:commit"
    sign_in = "/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=k"
    yield rest(path, b'{"writes":[' + b"{}," * (size // 4) + b"{}]}")
    values = b'{"mapValue":{"fields":{"a":{}}}},' * (size // 40)
    write = b'{"writes":[{"update":{"name":"%s","fields":{"a":{"arrayValue":{"values":[%s{}]}}}}}]}'
    yield rest(path, write % (NAME, values))
    yield rest(path, b"[" * (1 << 20))
    yield rest(sign_in, b"[" + b"[]," * (size // 20) + b"[]]")
    yield rest(sign_in, b"[" + b'{"":0},' * (size // 30) + b"0]")


def rest(path, body):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def compressed(message):
    """A gRPC request as the bytes of an HTTP/2 connection."""
    packed = gzip.compress(message, 9)
    body = b"\1" + struct.pack(">I", len(packed)) + packed
    headers = b"\x83\x86" + literal(b":path", COMMIT.encode()) + literal(b":authority", b"localhost")
    headers += literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers")
    headers += literal(b"grpc-encoding", b"gzip")
    frames = PREFACE + SETTINGS + SETTINGS_ACK + frame(1, 4, headers)
    pieces = [body[at : at + 16384] for at in range(0, len(body), 16384)]
    for at, piece in enumerate(pieces):
        frames += frame(0, int(at == len(pieces) - 1), piece)
    assert len(body) <= 65_535, "it does not fit into the window"
    return frames


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind, flags, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + (1).to_bytes(4, "big") + payload


def throw(ended, number, port, bombs):
    """Sends one after another, beginning with another one in each process, and waits for each answer."""
    for bomb in itertools.islice(itertools.cycle(bombs), number, None):
        try:
            with socket.create_connection(("127.0.0.1", port), 30, (ATTACKERS_ADDRESS, 0)) as stream:
                stream.settimeout(60)
                stream.sendall(bomb)
                wait(stream, bomb.startswith(PREFACE))
        except OSError:
            ended.wait(0.1)
        yield


def wait(stream, is_http2):
    """Reads until the answer's end."""
    data = b""
    while True:
        piece = stream.recv(65536)
        if not piece:
            return
        data += piece
        if not is_http2:
            data = b""
            continue
        while len(data) >= 9:
            length = int.from_bytes(data[:3], "big")
            kind, flags = data[3], data[4]
            if len(data) < 9 + length:
                break
            # The end of a stream's headers or data, its reset, the connection's end.
            if (kind in (0, 1) and flags & 1) or kind in (3, 7):
                return
            data = data[9 + length :]
