#!/usr/bin/env python3
"""Damages the data folder of a killed or stopped Hearth at random, and checks that the next start has every acknowledged document
or is refused with a cause.

    damage.py [--damages 60] [--seed N] [--full]

- Files: the data file, its write-ahead log, the two journals, the mark, the access log. Damages: a flipped bit, zeroed bytes, cut
  short, an older copy, emptied, removed.
- A start either serves every acknowledged document as it was written, or ends with exit code 3 and names the damaged file.
  A document that cannot be read is an error of the server (5xx), never a denial and never missing.
- A backup of the running server is restored to its newest state and to an earlier one.
- A full disk refuses commits and loses none.
- What was refused is what `hearth verify` calls damaged, and `hearth verify` leaves the folder as it was.

Only Python's standard library is used. Each damage survived counts as one test.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEARTH_BIN", str(REPOSITORY / "target/debug/hearth"))
PROJECT = "demo-damage"
ROOT = f"projects/{PROJECT}/databases/(default)/documents"
OWNER = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
START_S_MAX = 20
DAMAGED = 3
STORE_FILES = ["store.sqlite", "store.sqlite-wal", "store.journal-0", "store.journal-1", "store.mark"]
FILES = STORE_FILES + ["access.log"]


class Refused(Exception):
    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason


class Server:
    """One life of the binary on a project folder."""

    def __init__(self, folder):
        command = [BINARY, "dev", str(folder), "--only", "firestore", "--ports", "firestore=0,hub=0", "--json"]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        watchdog = threading.Timer(START_S_MAX, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        said = json.loads(line) if line else {}
        if "ports" not in said:
            code = self.process.wait()
            self.errors.seek(0)
            # With `--json` an error is JSON, too.
            raise Refused(code, said.get("error", {}).get("message") or self.errors.read().decode())
        self.connection = http.client.HTTPConnection("127.0.0.1", said["ports"]["firestore"], timeout=20)

    def ask(self, method, body):
        self.connection.request("POST", f"/v1/{ROOT}:{method}", json.dumps(body), OWNER)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()


def fields(text):
    return {"text": {"stringValue": text}}


def write(server, documents, chance, commits):
    """Commits documents of all sizes; keeps what was acknowledged."""
    for _ in range(commits):
        size = chance.choice([20, 300, 1500, 9000, 40_000])
        text = f"{chance.random()}:" + "v" * chance.randrange(size)
        names = [f"rooms/r{chance.randrange(150)}" for _ in range(chance.choice([1, 1, 3]))]
        writes = [{"update": {"name": f"{ROOT}/{name}", "fields": fields(text)}} for name in names]
        status, answer = server.ask("commit", {"writes": writes})
        assert status == 200, f"commit answered {status}: {answer}"
        documents.update((name, text) for name in names)


def copy_of(folder):
    data = folder / ".hearth"
    return {name: (data / name).read_bytes() for name in FILES if (data / name).exists()}


def make(folder, chance, how):
    """The files after a kill or a stop, older copies of them, and the acknowledged documents."""
    (folder / "firebase.json").write_text("{}")
    (folder / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
    documents, older = {}, []
    for life in range(3):
        server = Server(folder)
        write(server, documents, chance, 70)
        if life % 2 == 0:
            time.sleep(1.3)  # rows are moved into the data file
            write(server, documents, chance, 15)
        server.end(signal.SIGKILL if life < 2 or how == "kill" else signal.SIGTERM)
        older.append(copy_of(folder))
    return older.pop(), older, documents


def damage(files, older, chance):
    """One damage: what it is and the files with it; None if it changes nothing."""
    name = chance.choice(sorted(files))
    content = bytearray(files[name])
    used = len(content.rstrip(b"\0"))
    kind = chance.choice(["flip", "flip", "flip", "zero", "cut", "older", "empty", "remove"])
    damaged = dict(files)
    if kind == "remove":
        del damaged[name]
    elif kind == "empty":
        damaged[name] = b""
    elif kind == "older":
        damaged[name] = chance.choice(older).get(name, files[name])
    elif used == 0:
        return None
    elif kind == "flip":
        at = chance.randrange(used)
        content[at] ^= 1 << chance.randrange(8)
        damaged[name], kind = bytes(content), f"flip of byte {at} of {used}"
    elif kind == "zero":
        begin = chance.randrange(used)
        end = min(used, begin + chance.randrange(1, 20_000))
        content[begin:end] = bytes(end - begin)
        damaged[name], kind = bytes(content), f"zeros from byte {begin} to {end} of {used}"
    else:
        length = chance.randrange(used)
        damaged[name], kind = bytes(content[:length]), f"cut to {length} of {used} bytes"
    return None if damaged == files else (name, kind, damaged)


def put(folder, files):
    data = folder / ".hearth"
    data.mkdir()
    for name, content in files.items():
        (data / name).write_bytes(content)


def read_all(server, documents):
    """How many documents are as they were written; the others are errors of the server."""
    names = sorted(documents)
    right = 0
    for name in names:
        status, answer = server.ask("batchGet", {"documents": [f"{ROOT}/{name}"]})
        if status >= 500:
            continue
        assert status == 200, f"{name}: {status} {answer}"
        found = answer[0].get("found")
        assert found, f"{name} is missing"
        assert found["fields"] == fields(documents[name]), f"{name} is wrong"
        right += 1
    return right


def check(folder, name, documents):
    """Starts on the damaged folder. Gives what came of it."""
    data = folder / ".hearth"
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    verified = subprocess.run([BINARY, "verify", "--data", str(data)], capture_output=True, text=True)
    after = {path.name: path.read_bytes() for path in data.iterdir() if path.name not in ("store.lock", "store.sqlite-shm")}
    assert before == after, "verify changed the folder"
    try:
        server = Server(folder)
    except Refused as refused:
        assert refused.code == DAMAGED, f"ended with {refused.code}: {refused.reason}"
        assert "store." in refused.reason and "damaged" in refused.reason, refused.reason
        assert verified.returncode == DAMAGED, f"refused ({refused.reason}), yet verify says: {verified.stdout}"
        now = {path.name: path.read_bytes() for path in data.iterdir() if path.name in before}
        kept = [name for name in STORE_FILES if before.get(name) != now.get(name)]
        assert not kept, f"a refused start changed {kept}"
        return "refused"
    try:
        right = read_all(server, documents)
        server.end(signal.SIGTERM)
        return "right" if right == len(documents) else "errors"
    finally:
        server.process.kill()


def backup_and_restore(place, chance):
    """Restores a backup that was made while the server was written to: its newest state and an earlier one."""
    app = place / "backed-up"
    app.mkdir()
    (app / "firebase.json").write_text("{}")
    (app / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))

    def hearth(*arguments, code=0):
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    server, documents = Server(app), {}
    write(server, documents, chance, 40)
    marker = [{"update": {"name": f"{ROOT}/rooms/marker", "fields": fields("earlier")}}]
    status, answer = server.ask("commit", {"writes": marker})
    assert status == 200, answer
    documents["rooms/marker"] = "earlier"
    earlier, time_of = dict(documents), answer["commitTime"]
    write(server, documents, chance, 40)
    backup = place / "backup"
    made = json.loads(hearth("backup", "--data", app / ".hearth", "--to", backup, "--json"))
    assert made["oldest"] < time_of < made["newest"], (made, time_of)
    newest = dict(documents)
    write(server, documents, chance, 10)
    hearth("backup", "--data", app / ".hearth", "--to", backup, code=1)
    server.end(signal.SIGTERM)
    for name, expected, at in [("newest", newest, []), ("earlier", earlier, ["--at", time_of])]:
        folder = place / name
        folder.mkdir()
        shutil.copy(app / "firebase.json", folder)
        shutil.copy(app / ".firebaserc", folder)
        hearth("restore", "--from", backup, "--to", folder / ".hearth", *at)
        hearth("restore", "--from", backup, "--to", folder / ".hearth", code=2)
        restored = Server(folder)
        assert read_all(restored, expected) == len(expected), f"{name}: documents are missing"
        for gone in sorted(set(documents) - set(expected)):
            status, answer = restored.ask("batchGet", {"documents": [f"{ROOT}/{gone}"]})
            assert status == 200 and "missing" in answer[0], f"{name}: {gone} is there"
        restored.end(signal.SIGTERM)
        hearth("verify", "--data", folder / ".hearth")
    content = bytearray((backup / "store.sqlite").read_bytes())
    content[chance.randrange(len(content))] ^= 1
    (backup / "store.sqlite").write_bytes(content)
    hearth("restore", "--from", backup, "--to", place / "never", code=DAMAGED)
    assert not (place / "never").exists()
    print(f"damage: a backup of the running server, restored to two times: {len(newest)} and {len(earlier)} documents, as they were")


def full_disk(place, chance):
    """Fills a small disk: commits fail, reads go on, and commits again once there is room. Needs the right to mount one."""
    disk = place / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(disk)], capture_output=True).returncode:
        print("damage: a full disk: skipped, no right to mount one")
        return
    try:
        filler = disk / "filler"
        filler.write_bytes(bytes(88 << 20))
        (disk / "firebase.json").write_text("{}")
        (disk / ".firebaserc").write_text(json.dumps({"projects": {"default": PROJECT}}))
        server, documents, failed = Server(disk), {}, 0
        for n in range(400):
            name, text = f"rooms/r{n}", f"{n}:" + "v" * 200_000
            status, answer = server.ask("commit", {"writes": [{"update": {"name": f"{ROOT}/{name}", "fields": fields(text)}}]})
            if status == 200:
                documents[name] = text
            else:
                assert status >= 500, f"commit answered {status}: {answer}"
                failed += 1
                if failed == 20:
                    break
        assert failed == 20, f"{len(documents)} commits fitted on the disk"
        assert read_all(server, documents) == len(documents), "documents cannot be read on a full disk"
        filler.unlink()
        write = {"update": {"name": f"{ROOT}/rooms/last", "fields": fields("room again")}}
        for _ in range(50):
            status, _ = server.ask("commit", {"writes": [write]})
            if status == 200:
                break
            time.sleep(0.2)
        assert status == 200, f"there is room again, and a commit answered {status}"
        documents["rooms/last"] = "room again"
        server.end(signal.SIGKILL)
        server = Server(disk)
        assert read_all(server, documents) == len(documents), "documents are missing after a full disk"
        server.end(signal.SIGTERM)
        print(f"damage: a full disk: {len(documents)} commits acknowledged, all there; {failed} refused")
    finally:
        subprocess.run(["umount", "-l", str(disk)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--damages", type=int)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    wanted = options.damages or (200 if options.full else 40)
    chance = random.Random(options.seed)
    print(f"damage: seed {options.seed}")
    survived, outcomes, begun = 0, {}, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hearth-damage-") as place:
        place = pathlib.Path(place)
        try:
            backup_and_restore(place, chance)
            full_disk(place, chance)
        except AssertionError as failure:
            print(f"damage: {failure}")
            print("0 passed, 1 failed")
            return 1
        kinds = []
        for how in ("kill", "stop"):
            (place / how).mkdir()
            kinds.append(make(place / how, chance, how))
        while survived < wanted:
            files, older, documents = chance.choice(kinds)
            damaged = damage(files, older, chance)
            if not damaged:
                continue
            name, kind, files = damaged
            folder = place / "damaged"
            folder.mkdir()
            shutil.copy(place / "kill" / "firebase.json", folder)
            shutil.copy(place / "kill" / ".firebaserc", folder)
            put(folder, files)
            try:
                outcome = check(folder, name, documents)
            except AssertionError as failure:
                print(f"damage: {name}, {kind}: {failure}")
                print(f"{survived} passed, 1 failed")
                return 1
            outcomes.setdefault(outcome, {}).setdefault(name, 0)
            outcomes[outcome][name] += 1
            shutil.rmtree(folder)
            survived += 1
    for outcome, of in sorted(outcomes.items()):
        print(f"damage: {outcome}: {sum(of.values())} ({', '.join(f'{name} {n}' for name, n in sorted(of.items()))})")
    print(f"damage: no document lost or wrong; {time.monotonic() - begun:.0f} s in all")
    print(f"{survived} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
