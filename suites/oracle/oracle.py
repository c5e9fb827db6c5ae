#!/usr/bin/env python3
"""Replays production's recorded Firestore verdicts over a live server: real documents, real requests, unsigned tokens.

    oracle.py [--only RULESET] [--show N]

The record is rulesets with requests and the verdict that the hosted service gave (`firestore-rules.json` in the folder
that HEARTH_ORACLE names, or beside the repository); without it the suite is skipped, and says so. What was mocked for the
hosted service is stored here before the request. A case that a live server cannot be asked as it stands is in
exceptions.json with its reason and with the verdict that a live server gives instead (null where the request cannot even
be made); an exception whose verdict differs, or that is no longer needed, fails. Only Python's standard library is used.
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import replay  # noqa: E402
from servers import OWNER, fields, start_hearth, token  # noqa: E402

RECORD = pathlib.Path(os.environ.get("HEARTH_ORACLE", HERE.parents[2] / "shared/oracle")) / "firestore-rules.json"
PROJECT = "demo-oracle"


def as_it_is(text):
    return {"stringValue": text}


def bearer(auth):
    """The recorded `request.auth` as an unsigned token."""
    return auth and token({"sub": auth["uid"], "aud": PROJECT, **auth.get("token", {})})


def prepare(server, case):
    """The world the recorded request met: nothing but the document it is about and what was mocked."""
    server.clear()
    if isinstance(case.get("resource"), dict):
        server.store({case["path"]: case["resource"]}, as_it_is)
    for mock in case.get("functionMocks", []):
        if mock["result"] is not False:
            server.store({mock["path"]: mock["result"] if isinstance(mock["result"], dict) else {}}, as_it_is)


def exists(server, path):
    return server.ask("GET", f"/v1/{server.root}/{path}", None, OWNER)[0] == 200


def send(server, case):
    """The request as a client makes it. Gives the verdict; any other answer is a failure of the suite."""
    method, path, caller = case["method"], case["path"], bearer(case.get("auth"))
    name = f"{server.root}/{path}"
    if method == "get":
        status, answer = server.ask("GET", f"/v1/{name}", None, caller)
    elif method == "list":
        parent, _, collection = path.rpartition("/")[0].rpartition("/")
        query = {"structuredQuery": {"from": [{"collectionId": collection}]}}
        status, answer = server.ask("POST", f"/v1/{server.root}{'/' + parent if parent else ''}:runQuery", query, caller)
    else:
        write = {"delete": name} if method == "delete" else {"update": {"name": name, "fields": fields(case["data"] or {}, as_it_is)}}
        if method != "delete":
            write["currentDocument"] = {"exists": method == "update"}
        status, answer = server.ask("POST", f"/v1/{server.root}:commit", {"writes": [write]}, caller)
        done = status == 200 and exists(server, path) == (method != "delete")
        assert done or status != 200, f"{method} {path} was acknowledged and did not happen"
        if status == 403 and method == "create":
            assert not exists(server, path), f"{method} {path} was denied and happened"
    if status == 200:
        return "ALLOW"
    # A get of a document that is not there is allowed, and finds nothing.
    error = (answer[0] if isinstance(answer, list) else answer)["error"]
    if status == 404 and method == "get":
        return "ALLOW"
    return "DENY" if error["status"] == "PERMISSION_DENIED" else f"{status} {error['message']}"


class World:
    """A server with the documents that a case is about."""

    def __init__(self, folder):
        self.server = start_hearth(folder, PROJECT)
        self.load, self.stop = self.server.load, self.server.stop

    def verdict(self, case):
        prepare(self.server, case)
        return send(self.server, case)


if __name__ == "__main__":
    sys.exit(replay.main("oracle", RECORD, HERE / "exceptions.json", World, __doc__))
