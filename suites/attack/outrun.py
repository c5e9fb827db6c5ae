"""A token in the head, the body when the account has been disabled, deleted or its sessions ended: the write does not count.

A stream that runs at that moment ends, too.
"""

import json
import socket
import time

import clock
from house import IDENTITY, PROJECT, is_signed_in

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
NAME = ROOT.removeprefix("/v1/")
PASSWORD = "hunter22"
RULES = """
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /ours/{id} { allow read, write: if request.auth != null; }
  }
}
"""
DOCUMENTS, TEXT = 400, "x" * 20_000


def run(server, full):
    (server.folder / "firestore.rules").write_text(RULES)
    key = server.service_account()
    running = server.start()
    client = running.client()
    admin = {"Authorization": f"Bearer {clock.exchange(client, key)}"}

    def act(verb, body):
        status, answer = client.ask("POST", f"{IDENTITY}/v1/projects/{PROJECT}/accounts:{verb}", body, admin)
        assert status == 200, answer

    ends = {
        "disabled": lambda uid: act("update", {"localId": uid, "disableUser": True}),
        "deleted": lambda uid: act("delete", {"localId": uid}),
        "revoked": lambda uid: act("update", {"localId": uid, "validSince": str(int(time.time()) + 1)}),
    }
    for at in range(DOCUMENTS):
        status, answer = client.ask("PATCH", f"{ROOT}/ours/{at}", {"fields": {"t": {"stringValue": TEXT}}}, admin)
        assert status == 200, answer
    told = []
    for name, end in ends.items():
        for way in (late_body, whole_stream):
            signed = client.call("signUp", {"email": f"{name}-{way.__name__}@x.com", "password": PASSWORD})
            assert is_signed_in(signed), signed
            told.append(f"{name}: {way(running, client, admin, signed, end, 5 if full else 0.3)}")
    return "; ".join(told)


def late_body(running, client, admin, signed, end, seconds):
    """Writes with a body that comes late."""
    document = f"{ROOT}/ours/late-{signed['localId']}"
    body = json.dumps({"fields": {}}).encode()
    with socket.create_connection(("127.0.0.1", running.port), 30) as stream:
        stream.sendall(head("PATCH", document, signed, len(body)) + body[:3])
        time.sleep(seconds)
        end(signed["localId"])
        stream.sendall(body[3:])
        answer = stream.recv(65536).decode()
    status = answer.split(" ")[1]
    assert status in ("401", "403"), f"a late body is answered {answer}"
    found, _ = client.ask("GET", document, None, admin)
    assert found == 404, f"the late write counts: {found}"
    return f"a late body {status}"


def whole_stream(running, _client, _admin, signed, end, _seconds):
    """Reads a query's answer slowly: it does not come to its end."""
    query = json.dumps({"structuredQuery": {"from": [{"collectionId": "ours"}]}}).encode()
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.connect(("127.0.0.1", running.port))
    stream.settimeout(30)
    stream.sendall(head("POST", f"{ROOT}:runQuery", signed, len(query)) + query)
    data = stream.recv(20_000)
    assert data.startswith(b"HTTP/1.1 200"), data[:200]
    end(signed["localId"])
    time.sleep(0.3)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    while piece := stream.recv(1 << 20):
        data += piece
        if data.endswith(b"0\r\n\r\n"):
            break
    stream.close()
    found = data.count(b'"document"')
    assert found < DOCUMENTS, f"all of {found} documents came"
    return f"a stream ended after {found} of {DOCUMENTS} documents"


def head(method, path, signed, length):
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {signed['idToken']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
