"""Queries at a time long ago: what the rules deny costs nothing, and looking back far is bounded.

Eight clients ask at once for the state before thousands of changes, of a collection that is denied and of a public one.
"""

import json

from house import Client
from share import ATTACKERS_ADDRESS, Figure

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
NAME = ROOT.removeprefix("/v1/")
WRITES_PER_COMMIT = 500
DOCUMENTS = 1000
MEMORY_MIB_MAX = 512


def run(server, full):
    running = server.start()
    client = running.client()
    for at in range(DOCUMENTS // WRITES_PER_COMMIT):
        commit(client, at)
    past = commit(client, 0)["commitTime"]
    changes = 120_000 if full else 8_000
    for at in range(changes // WRITES_PER_COMMIT):
        commit(client, at % (DOCUMENTS // WRITES_PER_COMMIT))
    figure = Figure(running, 30 if full else 3, full, MEMORY_MIB_MAX)
    asked = figure.beside(8, look_back, running.port, past)
    return f"{asked} queries behind {changes} changes: {figure.text()}"


def commit(client, part):
    """Changes one part of the documents."""
    first = part * WRITES_PER_COMMIT
    writes = [
        {"update": {"name": f"{NAME}/public/p{first + n}", "fields": {"n": {"integerValue": "1"}}}, "updateTransforms": [
            {"fieldPath": "t", "setToServerValue": "REQUEST_TIME"}]}
        for n in range(WRITES_PER_COMMIT)
    ]
    status, answer = client.ask("POST", f"{ROOT}:commit", {"writes": writes})
    assert status == 200, answer
    return answer


def look_back(ended, number, port, past):
    """Asks again and again; half of the clients for what they may not see."""
    collection = "users" if number % 2 else "public"
    query = {"structuredQuery": {"from": [{"collectionId": collection}], "limit": 1}, "readTime": past}
    client = Client(port, ATTACKERS_ADDRESS)
    while not ended.is_set():
        try:
            status, answer = client.ask("POST", f"{ROOT}:runQuery", query)
        except OSError:
            client = Client(port, ATTACKERS_ADDRESS)
            continue
        if collection == "users":
            assert status == 403, f"{status} {json.dumps(answer)[:200]}"
        yield
