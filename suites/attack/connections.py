"""One address opens thousands of HTTP/2 connections, asks once on each and keeps them: others get in all the same."""

import resource
import socket

from house import Missing
from share import ATTACKERS_ADDRESS, Figure

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, SETTINGS_ACK = b"\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\1\0\0\0\0"
# GET http://localhost/ in HPACK's static table and a literal authority.
HEADERS = b"\x82\x86\x84\x41\x09localhost"
REQUEST = len(HEADERS).to_bytes(3, "big") + b"\1\5\0\0\0\1" + HEADERS
MEMORY_MIB_MAX = 256


def run(server, full):
    count = 5000 if full else 4200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 200:
        raise Missing(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    running = server.start()
    figure = Figure(running, 60 if full else 3, full, MEMORY_MIB_MAX)
    figure.beside(1, keep, running.port, count, steps_min=count)
    return f"{count} connections kept idle: {figure.text()}"


def keep(ended, _number, port, count):
    held = []
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port), 20, (ATTACKERS_ADDRESS, 0))
        stream.sendall(PREFACE + SETTINGS + SETTINGS_ACK + REQUEST)
        held.append(stream)
        yield
    ended.wait()
