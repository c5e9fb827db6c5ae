"""One address begins large bodies and ends none of them: small requests never wait for them."""

import socket
import threading
import time

from neighbour import ROOT, Neighbour, figure, memory_mib, quiet

BYTES = 16 << 20


def run(server, full):
    running = server.start()
    before = quiet(running, 10 if full else 3)
    ended = threading.Event()
    with Neighbour(running) as during, Neighbour(running, "127.0.0.3") as beside:
        threads = [threading.Thread(target=hold, args=(running.port, ended)) for _ in range(40 if full else 24)]
        for thread in threads:
            thread.start()
        memory = 0
        for _ in range(60 if full else 15):
            time.sleep(1)
            memory = max(memory, memory_mib(running))
        ended.set()
        for thread in threads:
            thread.join(30)
    assert not beside.failures, f"small requests of the attacker's own address fail: {beside.failures[0]}"
    return f"{len(threads)} unfinished bodies of 16 MiB: {figure(before, during, memory)}"


def hold(port, ended):
    """Sends all but the last byte of a body, again whenever the server has enough of it."""
    head = f"POST {ROOT}:commit HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BYTES}\r\n\r\n".encode()
    while not ended.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.3", 0)) as stream:
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
