"""Cloud Storage attacked: 10,000 uploads left open, slow uploads and downloads, range and metadata bombs, names that are paths,
headers in metadata.
"""

import http.client
import json
import socket
import time

RULES = """
rules_version = '2';
service firebase.storage {
  match /b/{bucket}/o { match /public/{rest=**} { allow read, write: if true; } }
}
"""
BUCKET = "demo-attack.appspot.com"
# A transfer has 512 KiB at most; 64 slow uploads and 512 slow downloads come to 96 MiB, the rest is the server's.
MEMORY_MIB_MAX = 512
SESSION_KIB_MAX = 8
OPEN_MAX, OPEN_OF_ADDRESS_MAX = 10_000, 500
RECEIVING_OF_ADDRESS_MAX, SENDING_OF_ADDRESS_MAX = 64, 512
ATTACKERS, NEIGHBOUR = "127.0.0.3", "127.0.0.2"
SLOW_S_MAX = 30
OBJECT_BYTES = 8 << 20


def run(server, full):
    (server.folder / "storage.rules").write_text(RULES)
    project = json.loads((server.folder / "firebase.json").read_text())
    (server.folder / "firebase.json").write_text(json.dumps({**project, "storage": {"rules": "storage.rules"}}))
    running = server.start()
    running.forget_peak()
    figures = [
        names(running, server.data),
        headers(running),
        ranges(running),
        metadata(running),
        sessions(running, server, full),
        slow_uploads(running),
        slow_downloads(running, full),
    ]
    peak = running.status_mib("VmHWM")
    assert peak <= MEMORY_MIB_MAX, f"{peak} MiB"
    return "; ".join(figures) + f"; peak {peak} MiB"


def connect(running, source=ATTACKERS):
    return http.client.HTTPConnection("127.0.0.1", running.port, timeout=60, source_address=(source, 0))


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def upload(connection, name, body, headers=None):
    return ask(connection, "POST", f"/v0/b/{BUCKET}/o?name=public/{name}", body, headers)


def neighbour(running, what):
    """Somebody else uploads and downloads. Returns how long that took, milliseconds."""
    begun, connection = time.monotonic(), connect(running, NEIGHBOUR)
    status, answer, _ = upload(connection, "neighbour", b"hello")
    assert status == 200, f"{what}: the neighbour's upload: {status} {answer[:200]}"
    status, answer, _ = ask(connection, "GET", f"/v0/b/{BUCKET}/o/public%2Fneighbour?alt=media")
    assert (status, answer) == (200, b"hello"), f"{what}: the neighbour's download: {status} {answer[:200]}"
    return (time.monotonic() - begun) * 1000


def names(running, data):
    """Names that are paths to somebody: they are names, or refused, and no file appears anywhere else."""
    before = {path for path in data.rglob("*") if path.is_file() and "blobs" not in path.parts}
    connection, tried = connect(running), 0
    for name in ("../x", "..%2F..%2Fx", "%2e%2e/x", "..", ".", "%00x", "a%0d%0ab", "/etc/passwd", "%5C..%5Cx", "x" * 3000):
        for path in (f"/v0/b/{BUCKET}/o?name=public/{name}", f"/v0/b/{name}/o?name=public/x"):
            status, answer, _ = ask(connection, "POST", path, b"bytes")
            assert status in (200, 400, 403, 404, 414, 431), f"{path}: {status} {answer[:100]}"
            tried += 1
    files = {path for path in data.rglob("*") if path.is_file() and "blobs" not in path.parts}
    strange = [path for path in files - before if not path.name.startswith(("store", "access", "journal", "admin"))]
    assert not strange, f"files appeared: {strange}"
    blobs = [path for path in (data / "blobs").rglob("*") if path.is_file()]
    assert all(len(path.name) == 64 or path.parent.name == "drafts" for path in blobs), blobs
    return f"{tried} path tricks: no file"


def headers(running):
    """Metadata with line ends, and types that browsers run."""
    connection = connect(running)
    for field in ("contentType", "contentDisposition", "contentEncoding", "contentLanguage", "cacheControl"):
        body = json.dumps({field: "a\r\nset-cookie: stolen=1"})
        upload(connection, "h", b"x")
        kind = {"content-type": "application/json"}
        status, answer, _ = ask(connection, "PATCH", f"/v0/b/{BUCKET}/o/public%2Fh", body, kind)
        assert status == 400, f"{field}: {status} {answer[:100]}"
    for kind in ("text/html", "image/svg+xml", "text/xml", "application/javascript", "TEXT/HTML; charset=x", "multipart/x"):
        upload(connection, "page", b"<script>alert(1)</script>", {"content-type": kind})
        body = json.dumps({"contentDisposition": "inline"})
        ask(connection, "PATCH", f"/v0/b/{BUCKET}/o/public%2Fpage", body, {"content-type": "application/json"})
        status, _, got = ask(connection, "GET", f"/v0/b/{BUCKET}/o/public%2Fpage?alt=media")
        assert status == 200 and got["content-disposition"].startswith("attachment"), f"{kind}: {got}"
        assert got["x-content-type-options"] == "nosniff" and "sandbox" in got["content-security-policy"], f"{kind}: {got}"
    return "headers in metadata refused, what runs is an attachment"


def ranges(running):
    """Ranges by the thousand answer with the object once, or not at all."""
    connection = connect(running)
    upload(connection, "ranged", b"x" * 100_000)
    most = 0
    for count in (2, 100, 1_300):
        many = "bytes=" + ",".join(["0-99999"] * count)
        begun = time.monotonic()
        status, body, _ = ask(connect(running), "GET", f"/v0/b/{BUCKET}/o/public%2Franged?alt=media", headers={"Range": many})
        assert status in (200, 206, 416, 431) and len(body) <= 100_000, f"{count} ranges: {status}, {len(body)} bytes"
        most = max(most, time.monotonic() - begun)
    assert most < 5, f"{most:.1f} s"
    return f"1,300 ranges: the object once, {most * 1000:.0f} ms"


def metadata(running):
    """Metadata that is large, deep or many-keyed is refused."""
    bombs = {
        "large": json.dumps({"metadata": {"a": "x" * 8_000_000}}),
        "many keys": json.dumps({"metadata": {str(n): "" for n in range(20_000)}}),
        "deep": '{"metadata":' + '{"a":' * 60_000 + "1" + "}" * 60_001,
        "array": '{"metadata":' + "[" * 60_000 + "]" * 60_000 + "}",
        "a long header": json.dumps({"cacheControl": "x" * 60_000}),
        "tokens": json.dumps({"metadata": {"firebaseStorageDownloadTokens": ",".join(str(n) for n in range(5_000))}}),
    }
    upload(connect(running), "m", b"x")
    for name, bomb in bombs.items():
        try:
            status, answer, _ = ask(
                connect(running), "PATCH", f"/v0/b/{BUCKET}/o/public%2Fm", bomb, {"content-type": "application/json"}
            )
        except (BrokenPipeError, ConnectionResetError):
            continue  # refused before it was read
        assert status in (400, 413), f"{name}: {status} {answer[:100]}"
    return f"{len(bombs)} metadata bombs refused"


def begin(connection, name):
    start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    return ask(connection, "POST", f"/v0/b/{BUCKET}/o?name=public/{name}", b"{}", start)


def sessions(running, server, full):
    """Uploads left open: each address has a bound, and when all places are taken, who holds most gives way."""
    addresses = OPEN_MAX // OPEN_OF_ADDRESS_MAX if full else 2
    before, refused, first = running.status_mib("VmRSS"), 0, None
    for address in range(addresses):
        connection = connect(running, f"127.0.1.{address + 1}")
        for number in range(OPEN_OF_ADDRESS_MAX + 5):
            status, answer, got = begin(connection, f"s{number}")
            assert status in (200, 429), f"{status} {answer[:200]}"
            refused += status == 429
            first = first or got["x-goog-upload-url"]
    assert refused == 5 * addresses, f"{refused} refused"
    kib = (running.status_mib("VmRSS") - before) * 1024 / (addresses * OPEN_OF_ADDRESS_MAX)
    assert kib <= SESSION_KIB_MAX or not full, f"{kib:.1f} KiB each"
    for number in range(10):
        status, answer, _ = begin(connect(running, NEIGHBOUR), f"n{number}")
        assert status == 200, f"a neighbour begins: {status} {answer[:200]}"
    neighbour(running, "uploads left open")
    drafts = [path for path in (server.data / "blobs" / "drafts").iterdir()]
    assert len(drafts) < 10, f"{len(drafts)} drafts"
    return f"{addresses * OPEN_OF_ADDRESS_MAX} uploads left open ({kib:.1f} KiB each), {refused} more refused, neighbours begin theirs"


def slow_uploads(running):
    """Uploads of a byte a second: others go on, and they end."""
    held = []
    head = f"POST /v0/b/{BUCKET}/o?name=public/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    for _ in range(RECEIVING_OF_ADDRESS_MAX):
        held.append(raw(running, head.encode()))
    time.sleep(1)
    status, answer, _ = upload(connect(running), "one-more", b"x")
    assert status == 429, f"one more: {status} {answer[:100]}"
    took_ms = neighbour(running, "slow uploads")
    begun, open_ones = time.monotonic(), set(held)
    while open_ones and time.monotonic() < begun + SLOW_S_MAX:
        for stream in list(open_ones):
            try:
                stream.send(b"x")
            except OSError:
                open_ones.discard(stream)
        time.sleep(1)
    assert not open_ones, f"{len(open_ones)} slow uploads go on after {SLOW_S_MAX} s"
    ended_s = time.monotonic() - begun
    status, answer, _ = upload(connect(running), "again", b"x")
    assert status == 200, f"after them: {status} {answer[:100]}"
    return f"{len(held)} slow uploads ended within {ended_s:.0f} s, a neighbour meanwhile {took_ms:.0f} ms"


def slow_downloads(running, full):
    """Downloads that nobody reads have a bound, and so has what is held of them."""
    connection = connect(running)
    status, answer, _ = upload(connection, "large", b"x" * OBJECT_BYTES)
    assert status == 200, answer
    before, held = running.status_mib("VmRSS"), []
    count = SENDING_OF_ADDRESS_MAX + 8 if full else 100
    head = f"GET /v0/b/{BUCKET}/o/public%2Flarge?alt=media HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(count):
        held.append(raw(running, head.encode()))
    time.sleep(2)
    took_ms = neighbour(running, "slow downloads")
    mib = running.status_mib("VmRSS") - before
    answers = [stream.recv(12) for stream in held]
    refused = sum(answer.endswith(b" 429") for answer in answers)
    assert not full or refused >= 1, f"none of {count} refused"
    for stream in held:
        stream.close()
    return f"{count - refused} unread downloads of 8 MiB hold {mib} MiB, {refused} refused, a neighbour meanwhile {took_ms:.0f} ms"


def raw(running, sent):
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.settimeout(30)
    stream.bind((ATTACKERS, 0))
    stream.connect(("127.0.0.1", running.port))
    stream.sendall(sent)
    return stream
