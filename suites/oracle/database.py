#!/usr/bin/env python3
"""Replays production's recorded Realtime Database verdicts over a live server: real data, real requests, unsigned tokens.

The record is rulesets with what reads and writes were answered by the live service (`rtdb-rules.json` in the folder that
HEARTH_ORACLE names, or beside the repository); without it the suite is skipped, and says so. Each case is asked twice: over
a WebSocket and over REST. Only Python's standard library is used.
"""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from realtime import Client  # noqa: E402
from servers import BINARY, token  # noqa: E402

RECORD = pathlib.Path(os.environ.get("HEARTH_ORACLE", HERE.parents[2] / "shared/oracle")) / "rtdb-rules.json"
PROJECT = "demo-oracle"
NAMESPACE = f"{PROJECT}-default-rtdb"
UID = "user-1"


class Server:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-oracle-")
        command = [BINARY, "dev", self.folder.name, "--project", PROJECT, "--only", "database", "--ephemeral", "--ports", "all=0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = json.loads(self.process.stdout.readline())["ports"]["database"]
        self.admin = self.client("owner", "gauth")

    def client(self, credential, action="auth"):
        client = Client(self.port, NAMESPACE)
        if credential:
            client.ok(action, {"cred": credential})
        return client

    def rest(self, method, path, body=None, auth=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        query = f"?ns={NAMESPACE}" + (f"&auth={auth}" if auth and auth != "owner" else "")
        headers = {"Authorization": "Bearer owner"} if auth == "owner" else {}
        connection.request(method, f"{path}.json{query}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def filled(value):
    """With the recorded user's id where it is meant."""
    return json.loads(json.dumps(value).replace("<UID>", UID))


def prepare(server, case):
    server.admin.ok("p", {"p": "/", "d": None})
    if "mockData" in case:
        server.admin.ok("p", {"p": filled(case["opPath"]), "d": filled(case["mockData"])})
    for path, value in (case.get("seed") or {}).items():
        server.admin.ok("p", {"p": filled(path), "d": filled(value)})


def over_the_socket(client, case):
    path = filled(case["opPath"])
    if case["operation"] == "read":
        status, _ = client.ask("g", {"p": path, "q": {}})
    else:
        status, _ = client.ask("p", {"p": path, "d": filled(case.get("newData"))})
    return {"ok": "ALLOW", "permission_denied": "DENY"}.get(status, status)


def over_rest(server, case, auth):
    path = filled(case["opPath"])
    if case["operation"] == "read":
        status, _ = server.rest("GET", path, auth=auth)
    else:
        status, _ = server.rest("PUT", path, filled(case.get("newData")), auth)
    return {200: "ALLOW", 401: "DENY"}.get(status, status)


def main():
    if not RECORD.exists():
        print("verdicts: skipped: there is no recorded behaviour of production here (HEARTH_ORACLE)")
        return 0
    passed, failures = 0, []
    server = Server()
    try:
        user = token({"sub": UID, "user_id": UID, "aud": PROJECT, "firebase": {"sign_in_provider": "anonymous"}})
        signed_in, nobody = server.client(user), server.client(None)
        for ruleset in json.loads(RECORD.read_text()):
            status, text = server.rest("PUT", "/.settings/rules", {"rules": json.loads(ruleset["rules"])}, "owner")
            assert status == 200, f"{ruleset['id']}: {text}"
            for case in ruleset["cases"]:
                if case["observed"] is None:
                    continue
                client, auth = (signed_in, user) if case["authPresent"] else (nobody, None)
                for how, ask in (("socket", lambda: over_the_socket(client, case)), ("REST", lambda: over_rest(server, case, auth))):
                    prepare(server, case)
                    verdict = ask()
                    if verdict == case["observed"]:
                        passed += 1
                    else:
                        failures.append(f"{ruleset['id']}: {case['description']} ({how}): {verdict}, production {case['observed']}")
    finally:
        server.stop()
    for failure in failures:
        print(failure)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
