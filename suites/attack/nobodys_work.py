"""Junk queries of anonymous clients on a public collection: they leave no lasting work behind.

Hundreds of queries, each of another shape. Afterwards the store is no larger than its documents make it, and writes cost what they
cost before.
"""

import itertools
import statistics
import time

from house import Client
from neighbour.share import ATTACKERS_ADDRESS, Figure

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
FIELDS = 20
MEMORY_MIB_MAX = 512
# What writes may cost afterwards, and the store grow by.
TIMES_MAX, GROWTH_MAX = 2.0, 2.0


def run(server, full):
    running = server.start()
    client = running.client()
    documents = 2_000 if full else 300
    for at in range(documents):
        assert write(client, at)[0] == 200
    before_ms, before_mib = timed(client), settled_mib(server)
    figure = Figure(running, 30 if full else 3, full, MEMORY_MIB_MAX)
    asked = figure.beside(4, junk, running.port)
    # The same documents again: what indexes there are is changed with them.
    after_ms = timed(client)
    after_mib = settled_mib(server)
    text = (
        f"{asked} junk queries: a write takes {after_ms:.1f} ms (before {before_ms:.1f}), the store {after_mib:.0f} MiB "
        f"(before {before_mib:.0f}); {figure.text()}"
    )
    assert after_ms <= TIMES_MAX * before_ms + 5, text
    assert after_mib <= GROWTH_MAX * before_mib + 24, text
    return text


def write(client, at):
    fields = {f"f{n}": {"integerValue": str((at * 7919 + n * 104_729) % 1000)} for n in range(FIELDS)}
    return client.ask("PATCH", f"{ROOT}/public/d{at}", {"fields": fields})


def timed(client):
    """What a write takes, in milliseconds."""
    times = []
    for at in range(200):
        begun = time.monotonic()
        assert write(client, at)[0] == 200
        times.append((time.monotonic() - begun) * 1000)
    return statistics.median(times)


def settled_mib(server):
    """What the store takes when it has come to rest."""
    time.sleep(1.5)
    return server.stored_mib()


def junk(ended, number, port):
    """Queries of every pair of fields, with filters and orders."""
    client = Client(port, ATTACKERS_ADDRESS)
    pairs = list(itertools.permutations(range(FIELDS), 2))
    for asked in itertools.count():
        one, other = pairs[(number * 97 + asked) % len(pairs)]
        query = {
            "from": [{"collectionId": "public"}],
            "where": {"fieldFilter": {"field": {"fieldPath": f"f{one}"}, "op": "EQUAL", "value": {"integerValue": "1"}}},
            "orderBy": [{"field": {"fieldPath": f"f{other}"}, "direction": "DESCENDING" if asked % 2 else "ASCENDING"}],
            "limit": 1,
        }
        try:
            status, answer = client.ask("POST", f"{ROOT}:runQuery", {"structuredQuery": query})
            assert status in (200, 400, 429, 503), answer
        except OSError:
            client = Client(port, ATTACKERS_ADDRESS)
        yield
