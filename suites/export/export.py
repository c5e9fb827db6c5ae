#!/usr/bin/env python3
"""Exports of Hearth and of the official Firestore emulator, read by the other one.

Documents of every kind of value are written to each, exported and imported by the other, and must be the same; the records
must be the same bytes, but for the order of documents and of fields, which neither promises. Skipped, and said so, where
Java or Google's emulator is not there. Only Python's standard library is used.
"""

import base64
import json
import pathlib
import struct
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from servers import OWNER, emulator_jar, start_hearth, start_official

PROJECT = "demo-export"
DATABASE = f"projects/{PROJECT}/databases/(default)"
ROOT = f"{DATABASE}/documents"
BLOCK = 32 << 10


def vector(*numbers):
    values = [{"doubleValue": number} for number in numbers]
    return {"mapValue": {"fields": {
        "__type__": {"stringValue": "__vector__"}, "value": {"arrayValue": {"values": values}}}}}


def array(*values):
    return {"arrayValue": {"values": list(values)}}


def mapped(**fields):
    return {"mapValue": {"fields": fields}}


VALUES = {
    "null": {"nullValue": None},
    "yes": {"booleanValue": True},
    "no": {"booleanValue": False},
    "int": {"integerValue": "-42"},
    "most": {"integerValue": "9223372036854775807"},
    "least": {"integerValue": "-9223372036854775808"},
    "double": {"doubleValue": 1.5},
    "whole": {"doubleValue": 3.0},
    "nan": {"doubleValue": "NaN"},
    "infinite": {"doubleValue": "-Infinity"},
    "text": {"stringValue": "hé\u0000\U0001F600"},
    "empty": {"stringValue": ""},
    "long": {"stringValue": "x" * 20000},
    "bytes": {"bytesValue": base64.b64encode(bytes(range(256))).decode()},
    "nobytes": {"bytesValue": ""},
    "time": {"timestampValue": "2026-01-02T03:04:05.123456Z"},
    "oldest": {"timestampValue": "0001-01-01T00:00:00Z"},
    "newest": {"timestampValue": "9999-12-31T23:59:59.999999Z"},
    "point": {"geoPointValue": {"latitude": 1.5, "longitude": -2.5}},
    "zero": {"geoPointValue": {"latitude": 0, "longitude": 0}},
    "reference": {"referenceValue": f"{ROOT}/a/b/c/d"},
    "numeric": {"referenceValue": f"{ROOT}/a/__id-5__"},
    "elsewhere": {"referenceValue": f"projects/{PROJECT}/databases/other/documents/a/b"},
    "vector": vector(1.0, 2.5, -3.0),
    "vectors": mapped(deep=mapped(v=vector(1.0))),
    "noitems": {"arrayValue": {}},
    "nofields": {"mapValue": {}},
    "one": array({"integerValue": "1"}),
    "onlynull": array({"nullValue": None}),
    "mixed": array(
        {"integerValue": "1"}, {"stringValue": "x"}, {"nullValue": None}, {"doubleValue": 2.5}, {"booleanValue": True},
        {"bytesValue": "AA=="}, {"geoPointValue": {"latitude": 3, "longitude": 4}}, {"referenceValue": f"{ROOT}/a/b"},
        {"timestampValue": "2026-01-02T03:04:05Z"}, {"mapValue": {}}, mapped(q={"integerValue": "7"}, l=array(mapped())),
    ),
    "nested": mapped(x={"integerValue": "1"}, y=mapped(z=array({"stringValue": "deep"}), e=mapped(), l={"arrayValue": {}})),
    "we.ird `name`": {"integerValue": "1"},
}

DOCUMENTS = {
    "all/values": VALUES,
    "all/values/below/x": {"n": {"integerValue": "1"}},
    "all/__id7__": {},
    "all/__id-9223372036854775808__": {"n": {"integerValue": "2"}},
    "missing/parent/deep/er": {"a": {"stringValue": "b"}},
    "é/\U0001F600": {"n": {"integerValue": "3"}},
    "large/1": {"text": {"stringValue": "y" * 900_000}},
}
GROUPS = ("all", "below", "deep", "é", "large", "many")


class Tally:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, what, ok, detail=""):
        self.passed, self.failed = self.passed + bool(ok), self.failed + (not ok)
        if not ok:
            print(f"failed: {what} {str(detail)[:1000]}")


def store(server, documents):
    items = list(documents.items())
    for at in range(0, len(items), 400):
        writes = [{"update": {"name": f"{ROOT}/{path}", "fields": fields}} for path, fields in items[at : at + 400]]
        status, answer = server.ask("POST", f"/v1/{ROOT}:commit", {"writes": writes}, OWNER)
        assert status == 200, f"{server.name}: {answer}"


def read(server, database=DATABASE):
    """Every document by its path. Numbers are read as numbers: `3` and `3.0` are the same double."""
    found = {}
    for group in GROUPS:
        query = {"structuredQuery": {"from": [{"collectionId": group, "allDescendants": True}]}}
        status, answer = server.ask("POST", f"/v1/{database}/documents:runQuery", query, OWNER)
        assert status == 200, f"{server.name}: {answer}"
        for item in answer:
            if "document" in item:
                document = item["document"]
                found[document["name"].split("/documents/")[1]] = normal(document.get("fields", {}))
    return found


def normal(value):
    if isinstance(value, dict):
        if "geoPointValue" in value:
            point = value["geoPointValue"]
            return {"geoPointValue": [float(point.get("latitude", 0)), float(point.get("longitude", 0))]}
        if value in ({"arrayValue": {}}, {"arrayValue": {"values": []}}):
            return {"arrayValue": {"values": []}}
        if value in ({"mapValue": {}}, {"mapValue": {"fields": {}}}):
            return {"mapValue": {"fields": {}}}
        return {name: normal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def export(server, folder, name, database=DATABASE):
    body = {"database": database, "export_directory": str(folder), "export_name": name}
    return server.ask("POST", f"/emulator/v1/projects/{PROJECT}:export", body)


def import_(server, folder, name, database=DATABASE):
    metadata = folder / name / f"{name}.overall_export_metadata"
    body = {"database": database, "export_directory": str(metadata)}
    return server.ask("POST", f"/emulator/v1/projects/{PROJECT}:import", body)


def log_records(path):
    data, at, whole = path.read_bytes(), 0, b""
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def parts(record):
    """The top-level fields of a record as `(number, bytes)`: all of them have a length."""
    at = 0
    while at < len(record):
        tag, at = varint(record, at)
        length, at = varint(record, at)
        yield tag >> 3, record[at : at + length]
        at += length


def canonical(record):
    """A record with its fields in an order of its own; maps in it, too, and the elements of an array as they were."""
    def name_of(part):
        number, bytes_ = part
        if number not in (14, 15):
            return (number, b"")
        at = 2 if bytes_[:1] == b"\x08" else 0
        length, at = varint(bytes_, at + 1)
        return (number, bytes_[at : at + length])

    def inner(part):
        number, bytes_ = part
        if number in (14, 15) and bytes_[:2] == b"\x08\x13":
            length, at = varint(bytes_, 3)
            head, rest = bytes_[: at + length + 2], bytes_[at + length + 2 :]
            _, at = varint(rest, 1)
            _, at = varint(rest, at + 1)
            return number, head, canonical(rest[at:])
        return number, bytes_

    return tuple(inner(part) for part in sorted(parts(record), key=name_of))


def records(folder, name):
    outputs = (folder / name / "all_namespaces/all_kinds").glob("output-*")
    return {canonical(record) for output in outputs for record in log_records(output)}


def both_ways(tally, ours, theirs, folder, name, documents):
    """Each exports what it has, the other one imports that."""
    servers = {"hearth": ours, "official": theirs}
    for server in servers.values():
        server.clear()
        store(server, documents)
    first = {of: read(server) for of, server in servers.items()}
    tally.check(f"{name}: the same documents before", first["hearth"] == first["official"], difference(*first.values()))
    for of, server in servers.items():
        tally.check(f"{name}: {of} exports", export(server, folder, f"{name}-{of}")[0] == 200)
    for of, other in (("official", ours), ("hearth", theirs)):
        other.clear()
        status, answer = import_(other, folder, f"{name}-{of}")
        tally.check(f"{name}: {other.name} imports {of}'s", status == 200, answer)
        after = read(other)
        tally.check(f"{name}: {other.name} has {of}'s documents", after == first[of], difference(after, first[of]))
    if documents:
        one, two = records(folder, f"{name}-hearth"), records(folder, f"{name}-official")
        tally.check(f"{name}: the same records", one == two, [sorted(one - two)[:1], sorted(two - one)[:1]])
    else:
        files = [folder / f"{name}-{of}" / f"{name}-{of}.overall_export_metadata" for of in servers]
        tally.check(f"{name}: the same bytes", files[0].read_bytes() == files[1].read_bytes())


def difference(one, two):
    for path in sorted(set(one) | set(two)):
        if one.get(path) != two.get(path):
            fields = set(one.get(path, {})) | set(two.get(path, {}))
            differ = [f for f in sorted(fields) if one.get(path, {}).get(f) != two.get(path, {}).get(f)]
            return path, path in one, path in two, differ
    return None


def damaged(tally, ours, folder):
    """Nothing of a damaged export is taken; the answer says where the damage is."""
    output = folder / "values-official" / "all_namespaces/all_kinds/output-0"
    whole = output.read_bytes()
    for at in (3, 100, len(whole) // 2, len(whole) - 1):
        output.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        ours.clear()
        status, answer = import_(ours, folder, "values-official")
        says = isinstance(answer, dict) and answer["error"]["message"]
        tally.check(f"damage at {at} is refused", status == 400 and "record at byte" in says, answer)
        tally.check(f"damage at {at} changes nothing", read(ours) == {})
    output.write_bytes(whole)


def main():
    jar = emulator_jar()
    if not jar:
        print("export: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="hearth-export-") as folder:
        folder = pathlib.Path(folder)
        servers = []
        try:
            servers.append(start_hearth(folder, PROJECT))
            servers.append(start_official(jar, PROJECT))
            ours, theirs = servers
            both_ways(tally, ours, theirs, folder, "values", DOCUMENTS)
            both_ways(tally, ours, theirs, folder, "empty", {})
            many = {f"many/{at}": {"n": {"integerValue": str(at)}, "text": {"stringValue": "z" * 50}} for at in range(10_000)}
            both_ways(tally, ours, theirs, folder, "many", many)
            damaged(tally, ours, folder)
            other = f"projects/{PROJECT}/databases/other"
            tally.check("into another database", import_(ours, folder, "values-official", other)[0] == 200)
            tally.check("that database has them", len(read(ours, other)) == len(DOCUMENTS))
            status, _ = export(ours, folder, "other", other)
            theirs.clear()
            tally.check("its export is read", status == 200 and import_(theirs, folder, "other", other)[0] == 200)
            # A reference says its database; those to the default one stay where they were.
            tally.check("the official emulator has them", len(read(theirs, other)) == len(DOCUMENTS))
        finally:
            for server in servers:
                server.stop()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
