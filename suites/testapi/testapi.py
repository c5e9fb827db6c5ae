#!/usr/bin/env python3
"""Replays what production's Rules Test API was asked, through Hearth's own `:test`, and compares the whole answers.

    testapi.py [--only RULESET] [--show N]

The record is rulesets with test cases, the verdict production gave and what its API told of it (`firestore-rules.json` and
`storage-rules.json` in the folder that HEARTH_ORACLE names, or beside the repository); without it the suite is skipped, and
says so. Compared are the verdict and, where more than it was recorded, the messages, the error's position, the calls of
document functions and the permissions visited, each in full. Only Python's standard library is used.
"""

import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ.get("HEARTH_BIN", str(HERE.parents[1] / "target/debug/hearth"))
RECORD = pathlib.Path(os.environ.get("HEARTH_ORACLE", HERE.parents[2] / "shared/oracle"))
PROJECT = "demo-testapi"
DOCUMENTS = "/databases/(default)/documents"
OBJECTS = "/b/demo-pyric.appspot.com/o"
TIME = "2026-07-21T00:00:00Z"


class Server:
    """Hearth, and a connection that stays open."""

    def __init__(self, folder):
        command = [BINARY, "dev", folder, "--only", "firestore", "--ephemeral", "--ports", "firestore=0,hub=0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = json.loads(self.process.stdout.readline())["ports"]["firestore"]
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def test(self, body):
        headers = {"Content-Type": "application/json", "Authorization": "Bearer owner"}
        self.connection.request("POST", f"/v1/projects/{PROJECT}:test", json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{answer.status} {text.decode()}"
        return json.loads(text)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


def firestore_case(case):
    """A recorded case as the API takes it: a document's fields are in `data`."""
    document = lambda key: {"data": case[key]} if isinstance(case.get(key), dict) else None
    mocks = [
        mock | {"result": mock["result"] if isinstance(mock["result"], bool) else {"data": mock["result"]}}
        for mock in case.get("functionMocks", [])
    ]
    return whole(case, DOCUMENTS, document("resource"), document("data"), mocks, "", "NONE")


def storage_case(case):
    """The same for Storage: metadata as it is, Firestore's functions by their long names, what was visited."""
    mocks = [
        mock | {"result": mock["result"] if isinstance(mock["result"], bool) else {"data": mock["result"]}}
        for mock in case.get("functionMocks", [])
    ]
    metadata = lambda key: case[key] if isinstance(case.get(key), dict) else None
    return whole(case, OBJECTS, metadata("existingResource"), metadata("resource"), mocks, "firestore.", "VISITED")


def whole(case, root, existing, new, mocks, prefix, level):
    request = {"method": case["method"], "path": f"{root}/{case['path']}", "time": case.get("requestTime") or TIME}
    if case.get("auth"):
        request["auth"] = case["auth"]
    if new is not None:
        request["resource"] = new
    return {
        "expectation": case["observed"],
        "request": request,
        "resource": existing,
        "pathEncoding": "PLAIN",
        "expressionReportLevel": level,
        "functionMocks": [
            {
                "function": prefix + mock["function"],
                "args": [{"exactValue": f"{DOCUMENTS}/{mock['path']}"}],
                "result": {"value": mock["result"]},
            }
            for mock in mocks
        ],
    }


def differences(case, result):
    """What the answer and the record do not agree on. Of many cases only the verdict was recorded."""
    pairs = {"state": (result["state"], "SUCCESS")}
    recorded = case.get("api")
    if recorded is not None:
        pairs |= {
            "debugMessages": (result.get("debugMessages", []), case.get("notes") or []),
            "errorPosition": (result.get("errorPosition"), recorded.get("errorPosition")),
            "functionCalls": (result.get("functionCalls", []), recorded.get("functionCalls") or []),
            "visitedExpressions": (result.get("visitedExpressions", []), recorded.get("visitedExpressions") or []),
        }
    return [f"{name} is {ours}, was {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="rulesets whose name has this in it")
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    options = parser.parse_args()
    records = [("firestore", firestore_case), ("storage", storage_case)]
    if not all((RECORD / f"{name}-rules.json").exists() for name, _ in records):
        print("testapi: skipped: there is no recorded behaviour of production here (HEARTH_ORACLE)")
        return 0
    passed, failures = 0, []
    with tempfile.TemporaryDirectory(prefix="hearth-testapi-") as folder:
        server = Server(folder)
        try:
            for name, of in records:
                for ruleset in json.loads((RECORD / f"{name}-rules.json").read_text()):
                    if options.only and options.only not in ruleset["id"]:
                        continue
                    source = {"files": [{"name": f"{name}.rules", "content": ruleset["rules"]}]}
                    cases = ruleset["cases"]
                    answer = server.test({"source": source, "testSuite": {"testCases": [of(case) for case in cases]}})
                    results = answer.get("testResults", [])
                    assert len(results) == len(cases), f"{ruleset['id']}: {answer.get('issues')}"
                    for case, result in zip(cases, results):
                        found = differences(case, result)
                        passed += not found
                        failures += [f"{name} {ruleset['id']}: {case['description']}: {text}" for text in found[:1]]
        finally:
            server.stop()
    for failure in failures[: options.show]:
        print(failure)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
