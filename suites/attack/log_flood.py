"""Denied reads as fast as they are answered: the access log keeps every act of administrators and every write, and grows little."""

import itertools
import json
import subprocess
import time

import clock
from house import BINARY, IDENTITY, PROJECT, Client
from share import ATTACKERS_ADDRESS, Figure

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
MEMORY_MIB_MAX = 512
# A second's denials of one caller are eight lines of a kind and a count.
BYTES_PER_DENIAL_MAX = 40


def run(server, full):
    key = server.service_account()
    running = server.start()
    client = running.client()
    bearer = {"Authorization": f"Bearer {clock.exchange(client, key)}"}
    acts = 0

    def act():
        """Administrators act and clients write while the flood lasts."""
        nonlocal acts
        until = time.monotonic() + (60 if full else 4)
        while time.monotonic() < until:
            account = {"localId": f"act{acts}"}
            status, answer = client.ask("POST", f"{IDENTITY}/v1/projects/{PROJECT}/accounts", account, bearer)
            assert status == 200, answer
            status, answer = client.ask("PATCH", f"{ROOT}/public/act{acts}", {"fields": {}})
            assert status == 200, answer
            acts += 1
            time.sleep(0.1)

    figure = Figure(running, 60 if full else 4, full, MEMORY_MIB_MAX)
    before = log_bytes(server)
    denied = figure.beside(4, flood, running.port, during=act)
    time.sleep(2)
    # The neighbour's own lines are about 500 bytes each, those of the acts a little more.
    own = 800 * (2 * len(figure.attacked.times_ms) + 3 * acts)
    grown = log_bytes(server) - before - own
    text = f"{denied} denials took {max(0, grown) / max(1, denied):.0f} bytes of log each, {acts} acts and writes are in it"
    assert grown <= BYTES_PER_DENIAL_MAX * denied + (1 << 20), text
    running.stop()
    written = [line for line in lines(server, "--path", "/public/*") if line["path"].startswith("/public/act")]
    for name, found in (("writes", written), ("acts", lines(server, "--verdict", "admin"))):
        assert len(found) >= acts, f"{len(found)} of {acts} {name} are in the log"
    return f"{text}; {figure.text()}"


def log_bytes(server):
    return sum(file.stat().st_size for file in server.data.glob("access*.log*"))


def lines(server, *filters):
    command = [BINARY, "log", "--data", str(server.data), "--json", *filters]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in found.splitlines()]


def flood(ended, number, port):
    client = Client(port, ATTACKERS_ADDRESS)
    for denied in itertools.count():
        try:
            status, _ = client.ask("GET", f"{ROOT}/users/u{number}-{denied}")
        except OSError:
            client = Client(port, ATTACKERS_ADDRESS)
            continue
        assert status in (403, 503), status
        yield
