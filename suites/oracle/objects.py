#!/usr/bin/env python3
"""Replays production's recorded Cloud Storage verdicts over a live server: real objects, real requests, unsigned tokens.

    objects.py [--only RULESET] [--show N]

The record is rulesets with requests and the verdict that the hosted service gave (`storage-rules.json` in the folder that
HEARTH_ORACLE names, or beside the repository); without it the suite is skipped, and says so. What was mocked of Firestore is
stored as documents, and the object that is written really has its size. A case that a live server cannot be asked as it
stands is in objects.json with its reason and with the verdict of a live server (null where the request cannot be made); an
exception whose verdict differs, or that is no longer needed, fails. Only Python's standard library is used.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.parse
from http.client import HTTPConnection

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import replay  # noqa: E402
from servers import BINARY, Server, token  # noqa: E402

RECORD = pathlib.Path(os.environ.get("HEARTH_ORACLE", HERE.parents[2] / "shared/oracle")) / "storage-rules.json"
PROJECT = "demo-oracle"
BUCKET = f"{PROJECT}.appspot.com"
KNOWN = ("contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl", "metadata")


class Objects:
    """The storage port of a server."""

    def __init__(self, port):
        self.connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, path, body=None, headers=()):
        self.connection.request(method, path, body, dict(headers))
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def load(self, rules):
        body = json.dumps({"rules": {"files": [{"name": "storage.rules", "content": rules}]}})
        return self.ask("PUT", "/internal/setRules", body, {"content-type": "application/json"})

    def clear(self):
        assert self.ask("POST", "/internal/reset")[0] == 200

    def write(self, path, resource, auth):
        """An object with this metadata and of this size, in two parts."""
        known = {name: resource[name] for name in KNOWN if name in resource}
        boundary = "a7b3c9"
        content_type = known.get("contentType", "application/octet-stream")
        head = f"--{boundary}\r\ncontent-type: application/json\r\n\r\n{json.dumps(known)}\r\n"
        head += f"--{boundary}\r\ncontent-type: {content_type}\r\n\r\n"
        body = head.encode() + bytes(resource.get("size", 0)) + f"\r\n--{boundary}--".encode()
        headers = {
            "x-goog-upload-protocol": "multipart",
            "content-type": f"multipart/related; boundary={boundary}",
            **authorization(auth),
        }
        name = urllib.parse.quote(path, safe="")
        return self.ask("POST", f"/v0/b/{BUCKET}/o?name={name}", body, headers)


def authorization(auth):
    if auth == "owner":
        return {"authorization": "Bearer owner"}
    if not auth:
        return {}
    claims = {"sub": auth["uid"], "aud": PROJECT, **(auth.get("token") or {})}
    return {"authorization": f"Firebase {token(claims)}"}


def prepare(objects, documents, case):
    objects.clear()
    documents.clear()
    if isinstance(case.get("existingResource"), dict):
        status, answer = objects.write(case["path"], case["existingResource"], "owner")
        assert status == 200, answer
    stored = {}
    for mock in case.get("functionMocks", []):
        if isinstance(mock["result"], dict):
            stored[mock["path"]] = mock["result"]
        elif mock["result"]:
            stored.setdefault(mock["path"], {})
    if stored:
        documents.store(stored, lambda text: {"stringValue": text})


def send(objects, case):
    """The request as a client makes it. Gives the verdict; any other answer is a failure of the suite."""
    method, auth, name = case["method"], case.get("auth"), urllib.parse.quote(case["path"], safe="")
    at, headers = f"/v0/b/{BUCKET}/o/{name}", authorization(auth)
    if method == "create":
        status, answer = objects.write(case["path"], case.get("resource") or {}, auth)
        there = objects.ask("GET", at, None, authorization("owner"))[0] == 200
        assert status == 200 or there == isinstance(case.get("existingResource"), dict), f"{case['path']} was denied and happened"
    elif method == "update":
        known = {key: value for key, value in (case.get("resource") or {}).items() if key in KNOWN}
        status, answer = objects.ask("PATCH", at, json.dumps(known), {**headers, "content-type": "application/json"})
    elif method == "list":
        prefix = urllib.parse.quote(case["path"].rstrip("/") + "/", safe="")
        status, answer = objects.ask("GET", f"/v0/b/{BUCKET}/o?prefix={prefix}", None, headers)
    else:
        status, answer = objects.ask({"get": "GET", "delete": "DELETE"}[method], at, None, headers)
    if status in (200, 204, 404):
        return "ALLOW"
    return "DENY" if status == 403 else f"{status} {answer[:200]}"


class World:
    """A server with the objects and the documents that a case is about."""

    def __init__(self, folder):
        command = [BINARY, "dev", folder, "--project", PROJECT, "--ephemeral", "--only", "firestore,storage"]
        command += ["--ports", "all=0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ports = json.loads(process.stdout.readline())["ports"]
        self.documents, self.objects = Server("hearth", process, ports["firestore"], PROJECT), Objects(ports["storage"])
        self.load, self.stop = self.objects.load, self.documents.stop

    def verdict(self, case):
        prepare(self.objects, self.documents, case)
        return send(self.objects, case)


if __name__ == "__main__":
    sys.exit(replay.main("objects", RECORD, HERE / "objects.json", World, __doc__))
