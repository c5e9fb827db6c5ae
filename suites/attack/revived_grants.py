"""A grant that was taken back is not revived by reading at the time when it held, nor by a transaction that was begun then."""

from urllib.parse import urlencode

import clock
from house import is_signed_in

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
NAME = ROOT.removeprefix("/v1/")
RULES = """
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function isMember() { return get(/databases/$(database)/documents/members/$(request.auth.uid)).data.on; }
    match /members/{uid} { allow read, write: if true; }
    match /secrets/{id} { allow read: if isMember(); allow write: if true; }
    match /owned/{id} { allow read: if resource.data.owner == request.auth.uid; allow write: if true; }
  }
}
"""


def run(server, full):
    (server.folder / "firestore.rules").write_text(RULES)
    running = server.start()
    client = running.client()
    signed = client.call("signUp", {"email": "a@x.com", "password": "hunter22"})
    assert is_signed_in(signed), signed
    uid, bearer = signed["localId"], {"Authorization": f"Bearer {signed['idToken']}"}
    write(client, f"members/{uid}", {"on": {"booleanValue": True}})
    write(client, "secrets/s", {"n": {"integerValue": "1"}})
    write(client, "owned/o", {"owner": {"stringValue": uid}})
    asks = [(path, ask) for path in ("secrets/s", "owned/o") for ask in (get, batch_get, query, count)]
    begun = {(path, ask): begin(client, bearer) for path, ask in asks}
    for (path, ask), transaction in begun.items():
        # The transaction's snapshot is taken by a read of its own while the grant holds.
        status, answer = ask(client, bearer, path, {"transaction": transaction})
        assert status == 200, f"{ask.__name__} of {path} while it is allowed: {status} {answer}"
    past = read_time(batch_get(client, bearer, "secrets/s", {})[1])
    for path, ask in asks:
        assert ask(client, bearer, path, {"readTime": past})[0] == 200, f"{ask.__name__} of {path} at {past}"

    write(client, f"members/{uid}", {"on": {"booleanValue": False}})
    write(client, "owned/o", {"owner": {"stringValue": "somebody else"}})
    refused = 0
    for path, ask in asks:
        reader = {"options": {"readOnly": {"readTime": past}}}
        at = (
            {},
            {"readTime": past},
            {"transaction": begun[path, ask]},
            {"transaction": begin(client, bearer, reader)},
        )
        for selector in at:
            status, answer = ask(client, bearer, path, selector)
            assert is_nothing(status, answer), f"{ask.__name__} of {path} with {list(selector)}: {status} {answer}"
            refused += 1
    return f"{refused} of {refused} reads get nothing: now, at a time, in transactions begun before and for a time"


def is_nothing(status, answer):
    """A denial; or, of a query for one's own, that nothing is one's own any more."""
    if status == 200 and isinstance(answer, list):
        counts = [part["result"]["aggregateFields"]["field_1"] for part in answer if "result" in part]
        return not any("document" in part or "found" in part for part in answer) and counts in ([], [{"integerValue": "0"}])
    return status == 403


def write(client, path, fields):
    status, answer = client.ask("PATCH", f"{ROOT}/{path}", {"fields": fields})
    assert status == 200, answer


def begin(client, bearer, options=None):
    status, answer = client.ask("POST", f"{ROOT}:beginTransaction", options or {}, bearer)
    assert status == 200, answer
    return answer["transaction"]


def read_time(answer):
    return answer[0]["readTime"]


def get(client, bearer, path, selector):
    return client.ask("GET", f"{ROOT}/{path}?{urlencode(selector)}", None, bearer)


def batch_get(client, bearer, path, selector):
    status, answer = client.ask("POST", f"{ROOT}:batchGet", {"documents": [f"{NAME}/{path}"], **selector}, bearer)
    return status, answer


def structured(bearer, path):
    """A query of the path's collection; of what has an owner, for the caller's own."""
    query = {"from": [{"collectionId": path.split("/")[0]}]}
    if path.startswith("owned"):
        uid = clock.claims(bearer["Authorization"])["user_id"]
        query["where"] = {
            "fieldFilter": {"field": {"fieldPath": "owner"}, "op": "EQUAL", "value": {"stringValue": uid}}
        }
    return query


def query(client, bearer, path, selector):
    return client.ask("POST", f"{ROOT}:runQuery", {"structuredQuery": structured(bearer, path), **selector}, bearer)


def count(client, bearer, path, selector):
    inner = {"structuredQuery": structured(bearer, path), "aggregations": [{"count": {}}]}
    return client.ask("POST", f"{ROOT}:runAggregationQuery", {"structuredAggregationQuery": inner, **selector}, bearer)
