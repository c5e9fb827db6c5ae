"""A client of the Realtime Database over its WebSocket, with Python's standard library only: what suites and benches need."""

import base64
import json
import os
import socket
import struct

PIECE = 16_384


class Client:
    """One connection. Requests may be sent without waiting; what comes unasked is kept in `pushed`."""

    def __init__(self, port, namespace, last=None, timeout=30, host="127.0.0.1", source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask = f"/.ws?v=5&ns={namespace}" + (f"&ls={last}" if last else "")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {ask} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = head.split(b"\r\n")[0]
        if b" 101 " not in status:
            raise ConnectionError(status.decode())
        self.number, self.pushed, self.pieces, self.wanted = 0, [], [], 0
        self.answers = {}
        greeting = self.message()
        if greeting["d"]["t"] != "h":
            raise ConnectionError(json.dumps(greeting))
        self.session = greeting["d"]["d"]["s"]

    def close(self):
        self.socket.close()

    def _fill(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self.buffer += data

    def send_text(self, text):
        self.socket.sendall(frame(text))

    def send(self, action, body):
        self.number += 1
        text = json.dumps({"t": "d", "d": {"r": self.number, "a": action, "b": body}}, separators=(",", ":"))
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        frames = frame(str(len(pieces))) if len(pieces) > 1 else b""
        self.socket.sendall(frames + b"".join(frame(piece) for piece in pieces))
        return self.number

    def text(self):
        """The next text message, whole."""
        while True:
            while len(self.buffer) < 2:
                self._fill()
            opcode, length, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
            if length == 126:
                while len(self.buffer) < 4:
                    self._fill()
                length, at = struct.unpack(">H", self.buffer[2:4])[0], 4
            elif length == 127:
                while len(self.buffer) < 10:
                    self._fill()
                length, at = struct.unpack(">Q", self.buffer[2:10])[0], 10
            while len(self.buffer) < at + length:
                self._fill()
            payload, self.buffer = self.buffer[at : at + length], self.buffer[at + length :]
            if opcode == 9:
                self.socket.sendall(frame(payload, opcode=10))
            elif opcode == 8:
                raise ConnectionError("the server has closed the connection")
            elif opcode in (1, 0):
                text = payload.decode()
                if self.wanted:
                    self.pieces.append(text)
                    if len(self.pieces) == self.wanted:
                        whole, self.pieces, self.wanted = "".join(self.pieces), [], 0
                        return whole
                elif len(text) <= 6 and text.isdigit():
                    self.wanted = int(text)
                else:
                    return text

    def message(self):
        return json.loads(self.text())

    def take(self):
        """Takes in one message: an answer or a push."""
        data = self.message()["d"]
        if "r" in data:
            self.answers[data["r"]] = (data["b"]["s"], data["b"]["d"])
        else:
            self.pushed.append(data)

    def answer(self, number):
        while number not in self.answers:
            self.take()
        return self.answers.pop(number)

    def ask(self, action, body):
        return self.answer(self.send(action, body))

    def ok(self, action, body):
        status, data = self.ask(action, body)
        assert status == "ok", f"{action} {body}: {status} {data}"
        return data


def frame(text, opcode=1):
    """A masked frame with a mask of zeroes: what it says is what is on the wire."""
    payload = text if isinstance(text, bytes) else text.encode()
    length = len(payload)
    if length < 126:
        head = struct.pack(">BB", 0x80 | opcode, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length)
    return head + b"\0\0\0\0" + payload
