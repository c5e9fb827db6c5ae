"""One address begins large bodies and ends none of them: small requests never wait for them."""

import socket
import threading

from neighbour import ROOT, Neighbour
from share import ATTACKERS_ADDRESS, Figure

BYTES = 16 << 20
BODIES_PER_PROCESS = 10
MEMORY_MIB_MAX = 512


def run(server, full):
    running = server.start()
    figure = Figure(running, 60 if full else 5, full, MEMORY_MIB_MAX)
    processes = 4 if full else 3
    with Neighbour(running, ATTACKERS_ADDRESS) as beside:
        figure.beside(processes, begin, running.port)
    assert not beside.failures, f"small requests of the attacker's own address fail: {beside.failures[0]}"
    return f"{processes * BODIES_PER_PROCESS} unfinished bodies of 16 MiB: {figure.text()}"


def begin(ended, _number, port):
    threads = [threading.Thread(target=hold, args=(port, ended)) for _ in range(BODIES_PER_PROCESS)]
    for thread in threads:
        thread.start()
    yield
    ended.wait()


def hold(port, ended):
    """Sends all but the last byte of a body, again whenever the server has enough of it."""
    head = f"POST {ROOT}:commit HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BYTES}\r\n\r\n".encode()
    while not ended.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), 20, (ATTACKERS_ADDRESS, 0)) as stream:
                stream.sendall(head)
                stream.sendall(b" " * (BYTES - 1))
                stream.settimeout(1)
                while not ended.is_set():
                    try:
                        stream.recv(4096)
                        break
                    except TimeoutError:
                        pass
        except OSError:
            pass
        ended.wait(0.2)
