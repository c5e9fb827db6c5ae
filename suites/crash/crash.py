#!/usr/bin/env python3
"""Kills Hearth with SIGKILL again and again while writers commit, and checks after each start what it promised.

    crash.py [--kills 100] [--writers 6] [--seed N] [--start-seconds 5]

- A write that was acknowledged is there; one that was not is there whole or not at all.
- The documents of one commit agree: the two of a pair, the writer's counter and the number of entries it wrote.
- A start needs no repair: it is ready within seconds, whatever was cut off.
- The access log has every acknowledged write.

Only Python's standard library is used. Each kill survived counts as one test.
"""

import datetime
import http.client
import json
import subprocess
import sys

from lives import BINARY, PROJECT, Server, Suite, arguments

ROOT = f"projects/{PROJECT}/databases/(default)/documents"
OWNER = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
BATCH_GET_MAX = 300


def ask(connection, method, body):
    connection.request("POST", f"/v1/{ROOT}:{method}", json.dumps(body), OWNER)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


class Writer:
    """Commits, each bigger by one than the last: a pair of documents, an entry, a counter."""

    def __init__(self, number):
        self.number = number
        self.next = 1  # the commit to try
        self.acknowledged = 0
        self.versions = []

    def commit(self, connection):
        me, n = self.number, {"integerValue": str(self.next)}
        document = lambda path, fields: {"update": {"name": f"{ROOT}/{path}", "fields": fields}}
        count = {
            "transform": {
                "document": f"{ROOT}/counters/w{me}",
                "fieldTransforms": [{"fieldPath": "n", "increment": {"integerValue": "1"}}],
            }
        }
        writes = [
            document(f"left/w{me}", {"n": n}),
            document(f"entries/w{me}-{self.next}", {"n": n, "writer": {"integerValue": str(me)}}),
            count,
            document(f"right/w{me}", {"n": n}),
        ]
        status, answer = ask(connection, "commit", {"writes": writes})
        if status == 200:
            self.acknowledged = self.next
            self.versions.append(micros(answer["commitTime"]))
            self.next += 1
        elif status not in (409, 503):  # a conflict or a stop: not acknowledged, tried again
            raise AssertionError(f"commit answered {status}: {answer}")

    def run(self, server, stopping, failures):
        connection = server.connect()
        while not stopping.is_set():
            try:
                self.commit(connection)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                return  # the server died under it
            except AssertionError as failure:
                failures.append(str(failure))
                return


def micros(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)


def fetch(connection, paths):
    """The `n` of each document; None where there is none."""
    found = {}
    for start in range(0, len(paths), BATCH_GET_MAX):
        names = [f"{ROOT}/{path}" for path in paths[start : start + BATCH_GET_MAX]]
        status, answers = ask(connection, "batchGet", {"documents": names})
        assert status == 200, f"batchGet answered {status}: {answers}"
        for answer in answers:
            if "found" in answer:
                document = answer["found"]
                found[document["name"][len(ROOT) + 1 :]] = int(document["fields"]["n"]["integerValue"])
    return [found.get(path) for path in paths]


def check(server, writers, acknowledged_before):
    """What the last life promised. Sets each writer to go on from what is there."""
    connection = server.connect()
    for writer in writers:
        me = writer.number
        left, right, counter = (value or 0 for value in fetch(connection, [f"{kind}/w{me}" for kind in ("left", "right", "counters")]))
        assert left == right == counter, f"writer {me}: a torn commit: {left}, {right}, {counter}"
        assert writer.acknowledged <= left <= writer.next, f"writer {me}: {writer.acknowledged} acknowledged, {left} found"
        recent = range(acknowledged_before[me] + 1, left + 2)
        entries = fetch(connection, [f"entries/w{me}-{n}" for n in recent])
        assert entries == [n if n <= left else None for n in recent], f"writer {me}: entries {entries} up to {left}"
        writer.acknowledged = left
        writer.next = left + 1


def count_entries(connection, number):
    query = {
        "structuredAggregationQuery": {
            "structuredQuery": {
                "from": [{"collectionId": "entries"}],
                "where": {
                    "fieldFilter": {
                        "field": {"fieldPath": "writer"},
                        "op": "EQUAL",
                        "value": {"integerValue": str(number)},
                    }
                },
            },
            "aggregations": [{"alias": "n", "count": {}}],
        }
    }
    status, answer = ask(connection, "runAggregationQuery", query)
    assert status == 200, f"the count answered {status}: {answer}"
    return int(answer[0]["result"]["aggregateFields"]["n"]["integerValue"])


def logged_versions(folder):
    command = [BINARY, "log", "--data", str(folder / ".hearth"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {json.loads(line).get("version") for line in done.stdout.splitlines()}


class Commits(Suite):
    name = "crash"

    def __init__(self, writers):
        self.writers = [Writer(number) for number in range(writers)]

    def before(self):
        self.acknowledged_before = {writer.number: writer.acknowledged for writer in self.writers}

    def check(self, server):
        check(server, self.writers, self.acknowledged_before)

    def finish(self, folder):
        total = sum(writer.acknowledged for writer in self.writers)
        server = Server(folder)
        try:
            connection = server.connect()
            for writer in self.writers:
                assert count_entries(connection, writer.number) == writer.acknowledged, f"entries of writer {writer.number}"
        finally:
            server.stop()
        acknowledged = {version for writer in self.writers for version in writer.versions}
        missing = acknowledged - logged_versions(folder)
        assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged writes are not in the access log"
        assert total > self.kills, f"only {total} commits: the writers were idle"
        return f"{total} commits acknowledged, none lost, all in the access log"


if __name__ == "__main__":
    given = arguments(kills=100, writers=6)
    sys.exit(Commits(given.writers).run(given))
