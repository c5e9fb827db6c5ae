"""A production server to attack, and clients of it."""

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

BINARY = os.environ.get("HEARTH_BIN", str(pathlib.Path(__file__).resolve().parents[2] / "target/debug/hearth"))
PROJECT = "demo-attack"
START_S_MAX = 30
IDENTITY = "/identitytoolkit.googleapis.com"

RULES = """
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /public/{id} { allow read, write: if true; }
    match /users/{uid} { allow read, write: if request.auth.uid == uid; }
  }
}
"""


class Missing(Exception):
    """This machine lacks something that an attack needs."""


class House:
    """A project's folder and data, and the servers that were started on them. They end with the `with` block."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-attack-"))
        self.data = self.folder / "data"
        (self.folder / "firebase.json").write_text(json.dumps({"firestore": {"rules": "firestore.rules"}}))
        (self.folder / "firestore.rules").write_text(RULES)
        self.processes = []
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def service_account(self, name="admin"):
        """Makes a service account; the server must not run. Returns its key file."""
        command = [BINARY, "service-account", "create", name, "--data", str(self.data), "--project", PROJECT]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    def start(self, *args, verb="serve", env=None):
        """Starts `hearth serve` on the data; returns the server."""
        command = [BINARY, verb, str(self.folder), "--data", str(self.data), "--project", PROJECT, "--json", *args]
        if verb == "serve":
            command += ["--listen", "127.0.0.1:0"]
        log = open(self.folder / "stderr", "a+")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **(env or {})}
        )
        self.processes.append(process)
        watchdog = threading.Timer(START_S_MAX, process.kill)
        watchdog.start()
        line = process.stdout.readline()
        watchdog.cancel()
        assert line, f"the server did not start: {(self.folder / 'stderr').read_text()}"
        return Server(process, json.loads(line))

    def stored_mib(self):
        """What the store's files take."""
        return sum(file.stat().st_size for file in self.data.rglob("*") if file.is_file()) / (1 << 20)

    def said(self):
        """What servers said on standard error."""
        return (self.folder / "stderr").read_text()


class Server:
    """A server that runs."""

    def __init__(self, process, ready):
        self.process, self.ready = process, ready
        self.port = next(iter(ready["ports"].values()))

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def status_mib(self, name):
        """A line of the process's status in MiB: `VmRSS` is its memory now, `VmHWM` the most it has had."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) // 1024
        return 0

    def forget_peak(self):
        """Has `VmHWM` begin anew."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def client(self, source="127.0.0.1"):
        """A client with a connection of its own, from an address of the loopback network."""
        return Client(self.port, source)


class Client:
    """One connection. An answer is `(status, JSON or text)`."""

    def __init__(self, port, source):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))

    def ask(self, method, path, body=None, headers=None):
        kind = "application/json" if isinstance(body, (dict, list)) else "application/x-www-form-urlencoded"
        sent = json.dumps(body) if isinstance(body, (dict, list)) else body
        headers = {"Content-Type": kind, **(headers or {})}
        try:
            self.connection.request(method, path, sent, headers)
        except (BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest):
            self.connection.close()
            self.connection.request(method, path, sent, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def call(self, verb, body, headers=None):
        """A verb of identity: its answer, or the message of its error."""
        path = "/securetoken.googleapis.com/v1/token?key=k" if verb == "token" else f"{IDENTITY}/v1/accounts:{verb}?key=k"
        status, answer = self.ask("POST", path, body, headers)
        return answer if status == 200 else error(status, answer)

    def sign_in(self, email, password, headers=None):
        return self.call("signInWithPassword", {"email": email, "password": password}, headers)


def error(status, answer):
    return answer["error"]["message"] if isinstance(answer, dict) else f"{status} {answer.strip()}"


def is_signed_in(answer):
    return isinstance(answer, dict) and "idToken" in answer
