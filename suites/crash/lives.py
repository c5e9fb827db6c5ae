"""Lives of the real binary: started, written to, killed with SIGKILL, started again and checked.

A suite says which service, who writes and what must hold; this is the loop. Only Python's standard library is used.
"""

import argparse
import http.client
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from servers import BINARY  # noqa: E402

PROJECT = "demo-crash"


class Server:
    """One life of the binary, with one service."""

    start_s_max = 5

    def __init__(self, folder, service="firestore"):
        command = [BINARY, "dev", str(folder), "--only", service, "--ports", f"{service}=0,hub=0", "--json"]
        begun = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watchdog = threading.Timer(self.start_s_max, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise AssertionError(f"did not start within {self.start_s_max} s: exit code {self.process.wait()}")
        self.port = json.loads(line)["ports"][service]
        self.start_s = time.monotonic() - begun

    def connect(self, timeout=20):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0, "a stop that was asked for is clean"


def arguments(kills, start_seconds=5, **more):
    """The options of a suite; `more` are further whole numbers with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=kills)
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--start-seconds", type=float, default=start_seconds, help="for a busy machine")
    options = parser.parse_args()
    Server.start_s_max = options.start_seconds
    options.chance = random.Random(options.seed)
    return options


class Suite:
    """A suite of kills. What it overrides raises `AssertionError` where a promise is broken."""

    name = ""
    service = "firestore"
    # How long all write before a kill, at most.
    write_s_max = 0.35
    files = {"firebase.json": "{}"}
    # Whatever has `run(server, stopping, failures)`.
    writers = ()
    # How many there will be: whoever is that seldom written to was idle.
    kills = 0

    def before(self):
        """Called before a life that ends with a kill."""

    def check(self, server):
        """Called after each start behind a kill."""

    def finish(self, folder):
        """Called when all is over and no server runs; gives what there is to say."""

    def life(self, server, chance):
        """Lets all write, and kills."""
        stopping, failures = threading.Event(), []
        threads = [threading.Thread(target=writer.run, args=(server, stopping, failures)) for writer in self.writers]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, self.write_s_max))
        server.kill()
        stopping.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]

    def run(self, options):
        """Runs it and prints what the runner reads. Gives the exit code."""
        print(f"{self.name}: seed {options.seed}")
        self.kills = options.kills
        survived, starts, server = 0, [], None
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hearth-crash-") as name:
            folder = pathlib.Path(name)
            for file, text in {**self.files, ".firebaserc": json.dumps({"projects": {"default": PROJECT}})}.items():
                (folder / file).write_text(text)
            try:
                for _ in range(options.kills):
                    self.before()
                    server = Server(folder, self.service)
                    self.life(server, options.chance)
                    server = Server(folder, self.service)
                    starts.append(server.start_s)
                    self.check(server)
                    # Half of the next lives begin after a clean stop, half after a second kill.
                    server.stop() if options.chance.random() < 0.5 else server.kill()
                    server = None
                    survived += 1
                said = self.finish(folder)
            except AssertionError as failure:
                print(f"{self.name}: after {survived} kills: {failure}")
                print(f"{survived} passed, 1 failed")
                return 1
            finally:
                if server:
                    server.kill()
        starts.sort()
        print(
            f"{self.name}: {said}; start after a kill: median {starts[len(starts) // 2] * 1000:.0f} ms, "
            f"slowest {starts[-1] * 1000:.0f} ms; {time.monotonic() - begun:.0f} s in all"
        )
        print(f"{survived} passed, 0 failed")
        return 0
