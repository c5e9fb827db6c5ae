"""A disk that is full: uploads are refused clearly, nothing that was acknowledged is lost, and it goes on when there is room."""

import hashlib
import http.client
import json
import subprocess
import time

from house import Missing
from objects import BUCKET, RULES, ask, upload

DISK_MIB = 24
OBJECT_BYTES = 1 << 20
COLLECTED_S_MAX = 60


def run(server, full):
    (server.folder / "storage.rules").write_text(RULES)
    project = json.loads((server.folder / "firebase.json").read_text())
    (server.folder / "firebase.json").write_text(json.dumps({**project, "storage": {"rules": "storage.rules"}}))
    disk = server.data / "blobs"
    disk.mkdir(parents=True)
    server.data.chmod(0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        raise Missing("a small disk needs the right to mount one")
    try:
        return fill(server)
    finally:
        for process in server.processes:
            process.kill()
            process.wait()
        subprocess.run(["umount", str(disk)], check=False)


def body(number):
    return hashlib.sha256(str(number).encode()).digest() * (OBJECT_BYTES // 32)


def fill(server):
    running = server.start()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    kept, refused = {}, 0
    for number in range(2 * DISK_MIB):
        status, answer, _ = upload(connection, f"f{number}", body(number))
        if status == 200:
            kept[number] = body(number)
        else:
            assert status == 402 and b"disk is full" in answer, f"{status} {answer[:200]}"
            refused += 1
    assert kept and refused, f"{len(kept)} taken, {refused} refused"
    # Overwriting fails, too, and leaves what was there.
    first = next(iter(kept))
    status, _, _ = upload(connection, f"f{first}", body("new"))
    assert status == 402, status
    check(connection, kept)
    running.stop()
    running = server.start()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    check(connection, kept)
    status, answer, _ = ask(connection, "DELETE", f"/v0/b/{BUCKET}/o/public%2Ff{first}")
    assert status == 204, answer
    del kept[first]
    until = time.monotonic() + COLLECTED_S_MAX
    while (status := upload(connection, "again", body("again"))[0]) != 200:
        assert status == 402 and time.monotonic() < until, f"there is room again: {status}"
        time.sleep(1)
    check(connection, kept)
    return f"{DISK_MIB} MiB: {len(kept) + 1} objects kept, {refused} refused (402), none lost, room again after a delete"


def check(connection, kept):
    for number, expected in kept.items():
        status, answer, _ = ask(connection, "GET", f"/v0/b/{BUCKET}/o/public%2Ff{number}?alt=media")
        assert status == 200 and answer == expected, f"f{number}: {status}, {len(answer)} bytes"
