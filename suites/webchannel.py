"""A client of WebChannel 8 and of the streams it carries, as little of it as suites need.

Only Python's standard library is used. Texts are ASCII, so that a frame's length is its number of bytes.
"""

import http.client
import json
import queue
import socket
import threading
import urllib.parse

OVER = object()
POLL_S_MAX = 60


class Refused(Exception):
    """The server has ended the stream with an error; the first argument is its body."""


class Channel:
    """One stream: messages go out with `send`, and come in through `messages`, a queue that ends with OVER."""

    def __init__(self, port, project, verb, first, token=None):
        self.port, self.sent, self.rid = port, 0, 1
        self.path = f"/google.firestore.v1.Firestore/{verb}/channel"
        self.query = {"VER": "8", "database": f"projects/{project}/databases/(default)"}
        self.messages, self.error, self.is_closed = queue.Queue(), None, False
        self.posts = http.client.HTTPConnection("127.0.0.1", port, timeout=POLL_S_MAX)
        self.lock = threading.Lock()
        headers = f"Authorization:Bearer {token}\r\n" if token else ""
        text = self.post({"CVER": "22", "X-HTTP-Session-Id": "gsessionid"}, [first], headers)
        self.query["SID"] = json.loads(text.split("\n", 1)[1])[0][1][1]
        # The response's; a reader that waits there is ended by shutting it down.
        self.socket = None
        threading.Thread(target=self.receive, daemon=True).start()

    def post(self, more, messages, headers=""):
        with self.lock:
            form = {"count": len(messages), "ofs": self.sent}
            form |= {f"req{at}___data__": json.dumps(message) for at, message in enumerate(messages)}
            if headers:
                form["headers"] = headers
            self.sent += len(messages)
            self.rid += 1
            query = urllib.parse.urlencode(self.query | more | {"RID": self.rid, "t": 1})
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            request = ("POST", f"{self.path}?{query}", urllib.parse.urlencode(form), kind)
            try:
                self.posts.request(*request)
                answer = self.posts.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # The server has closed a connection that was idle. What arrived is not done twice.
                self.posts.close()
                self.posts.request(*request)
                answer = self.posts.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise Refused(text)
            if session := answer.getheader("X-HTTP-Session-Id"):
                self.query["gsessionid"] = session
            return text

    def send(self, *messages):
        self.post({"AID": 0}, list(messages))

    def receive(self):
        """Reads responses, one after the other, until the stream or the server is gone."""
        received = 0
        try:
            while not self.is_closed:
                back = http.client.HTTPConnection("127.0.0.1", self.port, timeout=POLL_S_MAX)
                query = self.query | {"RID": "rpc", "AID": received, "CI": "0", "TYPE": "xmlhttp", "t": 1}
                back.request("GET", f"{self.path}?{urllib.parse.urlencode(query)}")
                self.socket = back.sock
                answer = back.getresponse()
                if answer.status != 200:
                    return
                text = ""
                while data := answer.read1(1 << 16):
                    text += data.decode()
                    while (frame := self.frame(text)) is not None:
                        arrays, text = frame
                        for number, array in arrays:
                            received = number
                            if not self.take(array):
                                return
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        finally:
            self.is_closed = True
            self.messages.put(OVER)

    def frame(self, text):
        """The first frame of a text and what follows it; None where it is not whole."""
        length, line, rest = text.partition("\n")
        if not line or len(rest) < int(length):
            return None
        return json.loads(rest[: int(length)]), rest[int(length) :]

    def take(self, array):
        for message in array:
            if message in ("noop", "stop"):
                continue
            if message == "close":
                return False
            error = message[0] if isinstance(message, list) and message else message
            if isinstance(error, dict) and "error" in error:
                self.error = error["error"]
                return False
            self.messages.put(message)
        return True

    def close(self):
        self.is_closed = True
        self.posts.close()
        try:
            if self.socket:
                self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Target:
    """What a client has of a target."""

    def __init__(self):
        # By name; and as it was with the last snapshot.
        self.documents, self.stable, self.token = {}, {}, None
        self.is_current, self.lost, self.resets, self.filters = False, None, 0, 0


class Listening:
    """The state of a `Listen` stream's client: call `take` with each message. `snapshots` counts the consistent ones."""

    def __init__(self):
        self.targets, self.snapshots = {}, 0
        # How often each document has come, by target and name: since the last snapshot, and with it.
        self.pending, self.delivered = {}, {}

    def take(self, message):
        for kind, body in message.items():
            getattr(self, f"take_{kind}")(body)

    def take_documentChange(self, change):
        document = change["document"]
        for number in change.get("targetIds", []):
            self.targets[number].documents[document["name"]] = document
            self.pending[number, document["name"]] = self.pending.get((number, document["name"]), 0) + 1
        self.drop(document["name"], change)

    def take_documentDelete(self, change):
        self.drop(change["document"], change)

    def take_documentRemove(self, change):
        self.drop(change["document"], change)

    def drop(self, name, change):
        for number in change.get("removedTargetIds", []):
            if number in self.targets:
                self.targets[number].documents.pop(name, None)

    def take_filter(self, body):
        self.targets[body["targetId"]].filters += 1

    def take_targetChange(self, change):
        kind, numbers = change.get("targetChangeType", "NO_CHANGE"), change.get("targetIds", [])
        for target in (self.targets[number] for number in numbers if number in self.targets):
            if kind == "REMOVE":
                target.lost = change.get("cause", {"code": 0})
            elif kind == "CURRENT":
                target.is_current = True
            elif kind == "RESET":
                target.documents.clear()
                target.resets += 1
        if kind == "NO_CHANGE" and not numbers and change.get("readTime"):
            self.snapshots += 1
            for target in (target for target in self.targets.values() if target.is_current):
                target.stable, target.token = dict(target.documents), change.get("resumeToken", target.token)
            self.delivered, self.pending = self.pending, {}
