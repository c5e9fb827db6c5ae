"""Four ways to take the place of others: transactions begun and left, commits of the same documents, a large document written over
and over, and large answers that nobody reads.
"""

import itertools
import json
import socket
import time

from house import Client
from share import ATTACKERS_ADDRESS, Figure

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
NAME = ROOT.removeprefix("/v1/")
LARGE_BYTES = 900_000
# Transactions and unread answers have 256 MiB each; bodies, decoded commits and the store's caches come on top.
MEMORY_MIB_MAX = 1024
# What the store keeps of documents that were overwritten, whatever was written.
STORE_MIB_MAX = 512


def run(server, full):
    running = server.start()
    client = running.client()
    seconds, unread = (30, 120) if full else (3, 20)
    for at in range(unread):
        status, answer = large(client, f"large{at}", at)
        assert status == 200, answer
    kinds = (
        ("begun", 4, begin, None),
        ("the same documents", 4, contend, 4_000 if full else 400),
        ("rewritten", 1, rewrite, None),
        ("unread", 1, leave_unread, unread),
    )
    texts, figure = [], Figure(running, seconds, full, MEMORY_MIB_MAX)
    for name, count, attack, size in kinds:
        done = figure.beside(count, attack, running.port, *([size] if size else []))
        texts.append(f"{name} ({done}): {figure.text(name)}")
        if name == "rewritten":
            time.sleep(3)
            stored, written = server.stored_mib(), done * LARGE_BYTES / (1 << 20)
            texts[-1] += f", store {stored:.0f} MiB after {written:.0f} MiB"
            assert stored <= STORE_MIB_MAX, texts[-1]
    return "\n    ".join(texts)


def large(client, document, number):
    """Writes a document of 900 KB."""
    fields = {"text": {"stringValue": f"{number:06}" + "x" * LARGE_BYTES}}
    status, answer = client.ask("PATCH", f"{ROOT}/public/{document}", {"fields": fields})
    return status, answer


def repeated(port, ask):
    """Asks on one connection for ever."""
    client = Client(port, ATTACKERS_ADDRESS)
    for asked in itertools.count():
        try:
            ask(client, asked)
        except OSError:
            client = Client(port, ATTACKERS_ADDRESS)
        yield


def begin(_ended, _number, port):
    return repeated(port, lambda client, _: client.ask("POST", f"{ROOT}:beginTransaction", {}))


def contend(_ended, number, port, documents):
    def commit(client, asked):
        fields = {"n": {"integerValue": str(number * 1_000_000 + asked)}}
        names = (f"{NAME}/public/c{at}" for at in range(documents))
        client.ask("POST", f"{ROOT}:commit", {"writes": [{"update": {"name": name, "fields": fields}} for name in names]})

    return repeated(port, commit)


def rewrite(_ended, _number, port):
    return repeated(port, lambda client, asked: large(client, "large", asked))


def leave_unread(ended, _number, port, documents):
    """Asks for all large documents at once (108 MB at full length), again and again, and reads none of it."""
    body = json.dumps({"documents": [f"{NAME}/public/large{at}" for at in range(documents)]}).encode()
    head = f"POST {ROOT}:batchGet HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    held = []
    while not ended.is_set():
        try:
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.bind((ATTACKERS_ADDRESS, 0))
            stream.connect(("127.0.0.1", port))
            stream.sendall(head + body)
            held.append(stream)
            yield
        except OSError:
            pass
        ended.wait(0.2 if len(held) < 40 else 1)
