#!/usr/bin/env python3
"""Replays production's recorded Firestore verdicts over a live server: real documents, real requests, unsigned tokens.

    oracle.py [--only RULESET] [--show N]

The record is rulesets with requests and the verdict that the hosted service gave (`firestore-rules.json` in the folder
that HEARTH_ORACLE names, or beside the repository); without it the suite is skipped, and says so. What was mocked for the
hosted service is stored here before the request. A case that a live server cannot be asked as it stands is in
exceptions.json with its reason and with the verdict that a live server gives instead (null where the request cannot even
be made); an exception whose verdict differs, or that is no longer needed, fails. Only Python's standard library is used.
"""

import argparse
import base64
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ.get("HEARTH_BIN", str(HERE.parents[1] / "target/debug/hearth"))
RECORD = pathlib.Path(os.environ.get("HEARTH_ORACLE", HERE.parents[2] / "shared/oracle")) / "firestore-rules.json"
PROJECT = "demo-oracle"
DOCUMENTS = f"projects/{PROJECT}/databases/(default)/documents"
OWNER = "owner"


def value(plain):
    """A Firestore value. A number without a fraction is an integer, as in the record."""
    if plain is None:
        return {"nullValue": None}
    if isinstance(plain, bool):
        return {"booleanValue": plain}
    if isinstance(plain, int):
        return {"integerValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, str):
        return {"stringValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(item) for item in plain]}}
    return {"mapValue": {"fields": fields(plain)}}


def fields(plain):
    return {name: value(item) for name, item in plain.items()}


def token(auth):
    """An unsigned token, as the emulators take it: the recorded `request.auth`."""
    if auth is None:
        return None
    now = int(time.time())
    claims = {"sub": auth["uid"], "user_id": auth["uid"], "aud": PROJECT, "iat": now, "auth_time": now, "exp": now + 3600}
    claims |= {"iss": f"https://securetoken.google.com/{PROJECT}"} | auth.get("token", {})
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


class Server:
    """Hearth, and a connection that stays open."""

    def __init__(self, folder):
        command = [BINARY, "dev", folder, "--only", "firestore", "--ephemeral", "--ports", "firestore=0,hub=0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = json.loads(self.process.stdout.readline())["ports"]["firestore"]
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, path, body=None, bearer=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def sure(self, *question):
        status, answer = self.ask(*question)
        assert status == 200, f"{question[:2]}: {status} {answer}"

    def store(self, path, plain):
        self.sure("PATCH", f"/v1/{DOCUMENTS}/{path}", {"fields": fields(plain)}, OWNER)

    def exists(self, path):
        return self.ask("GET", f"/v1/{DOCUMENTS}/{path}", None, OWNER)[0] == 200

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


def prepare(server, case):
    """The world the recorded request met: nothing but the document it is about and what was mocked."""
    server.sure("DELETE", f"/emulator/v1/projects/{PROJECT}/databases/(default)/documents")
    if isinstance(case.get("resource"), dict):
        server.store(case["path"], case["resource"])
    for mock in case.get("functionMocks", []):
        if mock["result"] is not False:
            server.store(mock["path"], mock["result"] if isinstance(mock["result"], dict) else {})


def send(server, case):
    """The request as a client makes it. Gives the verdict; any other answer is a failure of the suite."""
    method, path, bearer = case["method"], case["path"], token(case.get("auth"))
    name = f"{DOCUMENTS}/{path}"
    if method == "get":
        status, answer = server.ask("GET", f"/v1/{name}", None, bearer)
    elif method == "list":
        parent, _, collection = path.rpartition("/")[0].rpartition("/")
        query = {"structuredQuery": {"from": [{"collectionId": collection}]}}
        status, answer = server.ask("POST", f"/v1/{DOCUMENTS}{'/' + parent if parent else ''}:runQuery", query, bearer)
    else:
        write = {"delete": name} if method == "delete" else {"update": {"name": name, "fields": fields(case["data"] or {})}}
        if method != "delete":
            write["currentDocument"] = {"exists": method == "update"}
        status, answer = server.ask("POST", f"/v1/{DOCUMENTS}:commit", {"writes": [write]}, bearer)
        done = status == 200 and server.exists(path) == (method != "delete")
        assert done or status != 200, f"{method} {path} was acknowledged and did not happen"
        if status == 403 and method == "create":
            assert not server.exists(path), f"{method} {path} was denied and happened"
    if status == 200:
        return "ALLOW"
    # A get of a document that is not there is allowed, and finds nothing.
    error = (answer[0] if isinstance(answer, list) else answer)["error"]
    if status == 404 and method == "get":
        return "ALLOW"
    return "DENY" if error["status"] == "PERMISSION_DENIED" else f"{status} {error['message']}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="rulesets whose name has this in it")
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    options = parser.parse_args()
    if not RECORD.exists():
        print("oracle: skipped: there is no recorded behaviour of production here (HEARTH_ORACLE)")
        return 0
    exceptions = {entry["case"]: entry for entry in json.loads((HERE / "exceptions.json").read_text())}
    passed, failures, excepted = 0, [], set()
    with tempfile.TemporaryDirectory(prefix="hearth-oracle-") as folder:
        server = Server(folder)
        try:
            for ruleset in json.loads(RECORD.read_text()):
                if options.only and options.only not in ruleset["id"]:
                    continue
                rules = {"rules": {"files": [{"name": "firestore.rules", "content": ruleset["rules"]}]}}
                server.sure("PUT", f"/emulator/v1/projects/{PROJECT}:securityRules", rules)
                for case in ruleset["cases"]:
                    label = f"{ruleset['id']}: {case['description']}"
                    entry = exceptions.get(label)
                    if entry:
                        excepted.add(label)
                    if entry and entry["live"] is None:
                        passed += 1
                        continue
                    prepare(server, case)
                    verdict = send(server, case)
                    expected = entry["live"] if entry else case["observed"]
                    if verdict != expected:
                        failures.append(f"{label}: {verdict}, expected {expected}")
                    elif entry and verdict == case["observed"]:
                        failures.append(f"{label}: is no longer an exception")
                    else:
                        passed += 1
        finally:
            server.stop()
    # More cases of the same kind may be replayed: an exception for a case that is not among them is no fault.
    for failure in failures[: options.show]:
        print(failure)
    print(f"oracle: {passed - len(excepted)} as production, {len(excepted)} exceptions with a reason")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
