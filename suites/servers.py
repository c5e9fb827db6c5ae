"""Hearth and Google's Firestore emulator, started side by side and asked the same over REST.

Suites that compare the two import this; only Python's standard library is used.
"""

import base64
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

BINARY = os.environ.get("HEARTH_BIN", str(pathlib.Path(__file__).resolve().parents[1] / "target/debug/hearth"))
START_S_MAX = 60
OWNER = "owner"


def emulator_jar():
    """Google's emulator, where this machine has it (and Java)."""
    gcloud = shutil.which("gcloud")
    homes = [os.environ.get("CLOUDSDK_ROOT_DIR"), "/usr/lib/google-cloud-sdk", "/usr/share/google-cloud-sdk"]
    homes += [str(pathlib.Path(gcloud).resolve().parents[1])] if gcloud else []
    for home in filter(None, homes):
        jar = pathlib.Path(home) / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
        if jar.exists() and shutil.which("java"):
            return jar
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One of the two, for one project, and a connection that stays open."""

    def __init__(self, name, process, port, project):
        self.name, self.process, self.port, self.project = name, process, port, project
        self.root = f"projects/{project}/databases/(default)/documents"
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def connect(self):
        """The same server over another connection."""
        return Server(self.name, self.process, self.port, self.project)

    def ask(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        text = None if body is None else json.dumps(body)
        try:
            answer = self.send(method, path, text, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The server has closed a connection that was idle; the next request opens another.
            self.connection.close()
            answer = self.send(method, path, text, headers)
        text = answer.read()
        try:
            return answer.status, json.loads(text) if text else None
        except json.JSONDecodeError:
            return answer.status, text.decode(errors="replace")

    def send(self, method, path, text, headers):
        self.connection.request(method, path, text, headers)
        return self.connection.getresponse()

    def clear(self):
        path = f"/emulator/v1/projects/{self.project}/databases/(default)/documents"
        assert self.ask("DELETE", path)[0] == 200

    def store(self, documents, text=None):
        """Writes plain documents by path, as an administrator."""
        update = lambda path, plain: {"name": f"{self.root}/{path}", "fields": fields(plain, text or marked)}
        written = [{"update": update(path, plain)} for path, plain in documents.items()]
        status, answer = self.ask("POST", f"/v1/{self.root}:commit", {"writes": written}, OWNER)
        assert status == 200, f"{self.name}: {answer}"

    def load(self, rules, ignore_errors=False):
        body = {"rules": {"files": [{"name": "firestore.rules", "content": rules}]}}
        if ignore_errors:
            # Then the answer has all issues with their severities.
            body["ignoreErrors"] = True
        return self.ask("PUT", f"/emulator/v1/projects/{self.project}:securityRules", body)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start_hearth(folder, project):
    command = [BINARY, "dev", str(folder), "--only", "firestore", "--ephemeral", "--ports", "firestore=0,hub=0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return Server("hearth", process, json.loads(process.stdout.readline())["ports"]["firestore"], project)


def start_official(jar, project):
    port = int(os.environ.get("OFFICIAL_EMULATOR_PORT", 0)) or free_port()
    main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    command = ["java", "-Xmx512m", "-cp", str(jar), main, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + START_S_MAX
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return Server("official", process, port, project)
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("the official emulator did not start")


def token(claims):
    """An unsigned token, as mock users have it."""
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    uid = claims["sub"]
    whole = {"user_id": uid, "iat": 0, "exp": 3600, "firebase": {"identities": {}, "sign_in_provider": "custom"}, **claims}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(whole)}."


def marked(text):
    """Text that begins with `@` is a time, with `->` a reference."""
    if text.startswith("@"):
        return {"timestampValue": text[1:]}
    if text.startswith("->"):
        return {"referenceValue": text[2:]}
    return {"stringValue": text}


def value(plain, text=marked):
    """A plain value as the REST interface writes it. A number without a fraction is an integer."""
    if plain is None:
        return {"nullValue": None}
    if isinstance(plain, bool):
        return {"booleanValue": plain}
    if isinstance(plain, int):
        return {"integerValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(item, text) for item in plain]}}
    if isinstance(plain, dict):
        return {"mapValue": {"fields": fields(plain, text)}}
    return text(plain)


def fields(plain, text=marked):
    return {name: value(item, text) for name, item in plain.items()}
