"""Readers that do not read: streams of a public collection that are left unread take nothing from others."""

import json
import socket
import time

DOCUMENTS = 600
BODY = "x" * 8_000


def run(server, full):
    streams, seconds = (300, 20) if full else (48, 4)
    running = server.start()
    neighbour = running.client()
    path = "/v1/projects/demo-attack/databases/(default)/documents"
    for at in range(DOCUMENTS):
        body = {"fields": {"text": {"stringValue": BODY}}}
        status, answer = neighbour.ask("PATCH", f"{path}/public/{at}", body)
        assert status == 200, answer
    quiet = measure(neighbour, path, seconds)
    query = json.dumps({"structuredQuery": {"from": [{"collectionId": "public"}]}})
    head = f"POST {path}:runQuery HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(query)}\r\n\r\n"
    sockets = []
    for _ in range(streams):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", running.port))
        reader.sendall((head + query).encode())
        sockets.append(reader)
    time.sleep(1)
    under = measure(neighbour, path, seconds)
    for reader in sockets:
        reader.close()
    assert under <= 3 * quiet + 0.05, f"p99 {under * 1000:.0f} ms, quiet {quiet * 1000:.0f} ms"
    return f"{streams} unread streams: a neighbour's p99 {under * 1000:.1f} ms, quiet {quiet * 1000:.1f} ms"


def measure(client, path, seconds):
    """The 99th percentile of a neighbour's reads (and one write in five), in seconds; all are served."""
    times, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        if len(times) % 5:
            status, answer = client.ask("GET", f"{path}/public/{len(times) % DOCUMENTS}")
        else:
            status, answer = client.ask("PATCH", f"{path}/public/own", {"fields": {"n": {"integerValue": str(len(times))}}})
        assert status == 200, answer
        times.append(time.monotonic() - begun)
        time.sleep(0.015)
    return sorted(times)[int(len(times) * 0.99)]
