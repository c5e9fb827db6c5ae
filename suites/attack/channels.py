"""Browsers' channels: thousands are opened and left, some are never read, others send what no client sends."""

import json
import socket
import time
import urllib.parse

from neighbour import Neighbour, figure, memory_mib, quiet
from slow_readers import fill

SOURCE = "127.0.0.3"
ELSEWHERE = "127.0.0.5"
LISTEN = "/google.firestore.v1.Firestore/Listen/channel"
DATABASE = "projects/demo-attack/databases/(default)"
DOCUMENTS, TEXT = 200, "x" * 50_000
SAMPLED = 10


def run(server, full):
    left, unread = (10_000, 200) if full else (3_000, 40)
    running = server.start()
    fill(running.client(), DOCUMENTS, TEXT)
    before = quiet(running, 10 if full else 3)
    with Neighbour(running) as during:
        attacker = running.client(SOURCE)
        opened, answers = [], set()
        for _ in range(left):
            status, names = open_channel(attacker, [])
            answers.add(status)
            opened.append(names)
        sample = [names for names in opened[::SAMPLED] if names]
        kept = SAMPLED * sum(attacker.ask("POST", f"{names}&RID=2&AID=0", "count=0")[0] == 200 for names in sample)
        # From elsewhere: the attacker's own streams are refused by now.
        gaps(running.client(ELSEWHERE), running)
        readers = [stop_reading(running) for _ in range(unread)]
        time.sleep(20 if full else 3)
        memory = memory_mib(running)
        for reader in readers:
            reader.close()
    assert kept <= 2_400, f"one address has about {kept} channels"
    assert answers <= {200, 503}, answers
    assert memory < 700, f"{memory} MiB"
    return f"{left} opened, about {kept} kept; {unread} unread: {figure(before, during, memory)}"


def listen():
    query = {"parent": f"{DATABASE}/documents", "structuredQuery": {"from": [{"collectionId": "public"}]}}
    return json.dumps({"database": DATABASE, "addTarget": {"targetId": 2, "query": query}})


def form(offset, messages):
    maps = "".join(f"&req{at}___data__={urllib.parse.quote(text)}" for at, text in enumerate(messages))
    return f"count={len(messages)}&ofs={offset}{maps}"


def open_channel(client, messages):
    """Opens a channel: the status, and what its URLs begin with."""
    client.connection.request("POST", f"{LISTEN}?VER=8&RID=1&X-HTTP-Session-Id=gsessionid", form(0, messages))
    answer = client.connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        return answer.status, None
    session = json.loads(text.split("\n", 1)[1])[0][1][1]
    return 200, f"{LISTEN}?VER=8&SID={session}&gsessionid={answer.headers['X-HTTP-Session-Id']}"


def gaps(client, running):
    """Messages far ahead, huge numbers, too many: each is refused, and its channel is over."""
    time.sleep(6)  # by then a channel that was left makes room
    huge = str(10**30)
    for body in [f"count=1&ofs={huge}&req0___data__=1", "count=1&ofs=10001&req0___data__=1", f"count={huge}&ofs=0"]:
        status, names = open_channel(client, [])
        assert status == 200, status
        status, answer = client.ask("POST", f"{names}&RID=2&AID=0", body)
        assert status == 400, (status, answer)
    # What waits for a message that never comes is bounded.
    status, names = open_channel(client, [])
    sent, large = 0, "x" * (4 << 20)
    while client.ask("POST", f"{names}&RID=2&AID=0", form(2 + sent, [large]))[0] == 200:
        sent += 1
        assert sent <= 8, f"{sent * 4} MiB wait for a message that never comes"


def stop_reading(running):
    """A channel on all documents, whose response is never read."""
    status, names = open_channel(running.client(SOURCE), [listen()])
    assert status in (200, 503), status
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.bind((SOURCE, 0))
    reader.connect(("127.0.0.1", running.port))
    if names:
        reader.sendall(f"GET {names}&RID=rpc&AID=0&CI=0 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return reader
