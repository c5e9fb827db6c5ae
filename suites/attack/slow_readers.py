"""Readers that do not read: streams of a public collection that are left unread take nothing from others."""

import json
import socket

from neighbour import ROOT
from share import ATTACKERS_ADDRESS, Figure

DOCUMENTS = 600
BODY = "x" * 8_000
# What streams keep for their clients is bounded by 256 MiB.
MEMORY_MIB_MAX = 512


def run(server, full):
    running = server.start()
    fill(running.client(), DOCUMENTS, BODY)
    figure = Figure(running, 20 if full else 3, full, MEMORY_MIB_MAX)
    opened = figure.beside(1, leave_unread, running.port, 300 if full else 40)
    return f"{opened} unread streams: {figure.text()}"


def fill(client, documents, text):
    """Writes a public collection."""
    for at in range(documents):
        status, answer = client.ask("PATCH", f"{ROOT}/public/{at}", {"fields": {"text": {"stringValue": text}}})
        assert status == 200, answer


def leave_unread(ended, _number, port, streams):
    query = json.dumps({"structuredQuery": {"from": [{"collectionId": "public"}]}})
    head = f"POST {ROOT}:runQuery HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(query)}\r\n\r\n{query}".encode()
    held = []
    for _ in range(streams):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.bind((ATTACKERS_ADDRESS, 0))
        reader.connect(("127.0.0.1", port))
        reader.sendall(request)
        held.append(reader)
        yield
    ended.wait()
