"""Starts the real binary on free ports, one for each module of tests.

With HEARTH_SUITE_AGAINST="auth-host:port,firestore-host:port,project" the tests run against servers that are up already, such
as the official emulators; tests marked `hearth` are skipped then.
"""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading

import firebase_admin
import pytest
import requests

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEARTH_BIN", str(REPOSITORY / "target/debug/hearth"))
PEER = os.environ.get("HEARTH_SUITE_AGAINST")
START_S_MAX = 20


def pytest_configure(config):
    config.addinivalue_line("markers", "hearth: what only Hearth does")


def pytest_collection_modifyitems(items):
    if PEER:
        for item in items:
            if item.get_closest_marker("hearth"):
                item.add_marker(pytest.mark.skip(reason="only Hearth does this"))


class Hearth:
    """A running server and the clients of it."""

    def __init__(self, folder, project, auth, firestore, ready=None, process=None):
        self.folder, self.project, self.auth, self.firestore = folder, project, auth, firestore
        self.ready, self.process = ready or {}, process
        os.environ["FIREBASE_AUTH_EMULATOR_HOST"] = auth
        os.environ["FIRESTORE_EMULATOR_HOST"] = firestore
        os.environ["GOOGLE_CLOUD_PROJECT"] = project
        self.app = firebase_admin.initialize_app(options={"projectId": project}, name=f"app-{firestore}-{id(self)}")

    def stop(self):
        firebase_admin.delete_app(self.app)
        if self.process:
            self.process.terminate()
            assert self.process.wait(timeout=10) == 0

    def put_rules(self, text):
        url = f"http://{self.firestore}/emulator/v1/projects/{self.project}:securityRules"
        answer = requests.put(url, json={"rules": {"files": [{"content": text}]}}, timeout=10)
        assert answer.status_code == 200, answer.text

    def sign_in(self, email, password):
        """An ID token, got as a client gets it."""
        url = f"http://{self.auth}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=any"
        answer = requests.post(url, json={"email": email, "password": password, "returnSecureToken": True}, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["idToken"]

    def rest(self, method, path, token=None, **body):
        """A call of Firestore's REST interface in the name of a token's bearer."""
        url = f"http://{self.firestore}/v1/projects/{self.project}/databases/(default)/documents/{path}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, url, headers=headers, timeout=10, **body)

    def log(self, *question):
        """The access log's events for a question."""
        command = [BINARY, "log", "--data", str(self.folder / ".hearth"), "--json", *question]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


def start(folder, *arguments):
    """`hearth dev` on a folder, when it is ready."""
    command = [BINARY, "dev", str(folder), "--ports", "all=0", "--json", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
    try:
        ready = json.loads(lines.get(timeout=START_S_MAX))
    except Exception:
        process.kill()
        raise
    ports = ready["ports"]
    return Hearth(
        folder, ready["project"], f"127.0.0.1:{ports['auth']}", f"127.0.0.1:{ports['firestore']}", ready, process
    )


@pytest.fixture(scope="module")
def partner_api(tmp_path_factory):
    """Hearth on a copy of examples/partner-api."""
    example = REPOSITORY / "examples/partner-api"
    if PEER:
        auth, firestore, project = PEER.split(",")
        hearth = Hearth(example, project, auth, firestore)
        hearth.put_rules((example / "firestore.rules").read_text())
        yield hearth
        hearth.stop()
        return
    folder = tmp_path_factory.mktemp("partner-api")
    for name in ("firebase.json", ".firebaserc", "firestore.rules", "hearth.toml", "seed-verbatim.rules", "partner.py"):
        shutil.copy(example / name, folder)
    shutil.copytree(example / "functions", folder / "functions", ignore=shutil.ignore_patterns("node_modules"))
    (folder / "functions/node_modules").symlink_to(REPOSITORY / "suites/node/node_modules")
    hearth = start(folder)
    yield hearth
    hearth.stop()
