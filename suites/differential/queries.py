#!/usr/bin/env python3
"""Asks Hearth and the official Firestore emulator random queries and aggregations and compares what they find, in order, and
the words of what they refuse.

    queries.py [--full] [--seed N] [--show N]

Values of every type meet every operator, with orders, cursors, offsets, limits, disjunctions, collection groups and vectors. Where the
emulator is known to differ from production, the question is not asked (`AVOIDED` in the code says what and why). Skipped, and
said so, where Java or Google's emulator is not there.
"""

import argparse
import collections
import json
import math
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from servers import OWNER, emulator_jar, start_hearth, start_official

PROJECT = "demo-queries"
ROOT = f"projects/{PROJECT}/databases/(default)/documents"
ASKED, ASKED_FULL = 2_500, 25_000

integer = lambda number: {"integerValue": str(number)}
double = lambda number: {"doubleValue": number}
text = lambda string: {"stringValue": string}
array = lambda *items: {"arrayValue": {"values": list(items)} if items else {}}
mapping = lambda **fields: {"mapValue": {"fields": fields}}
vector = lambda *numbers: mapping(__type__=text("__vector__"), value=array(*map(double, numbers)))
NULL, NAN, TRUE, FALSE = {"nullValue": None}, double("NaN"), {"booleanValue": True}, {"booleanValue": False}

VALUES = [
    NULL, FALSE, TRUE, NAN, double(-1.5), double(0), double(-0.0), integer(0), integer(1), double(1), double(1.5), integer(2), integer(3),
    integer(2**53), integer(2**53 + 1), double("Infinity"), {"timestampValue": "2021-03-04T05:06:07Z"}, text(""), text("a"), text("b"),
    text("é"), text("\uff5e"), text("\U0001f600"), {"bytesValue": "AAE="}, {"referenceValue": f"{ROOT}/q/d01"},
    {"geoPointValue": {"latitude": 1, "longitude": 2}}, array(), array(integer(1)), array(integer(1), text("a")), vector(1, 2), mapping(),
    mapping(a=integer(1)),
]
NUMBERS = [value for value in VALUES if "integerValue" in value or "doubleValue" in value]
SMALL = [integer(n) for n in range(4)]
FIELDS = ["any", "n", "few", "m.k", "tags"]
COLLECTIONS = ["q", "p/1/q", "p/2/q"]


def documents(rng):
    """Names and fields. `n` is a small number, `few` one of four, `any` anything; each is missing now and then."""
    made = {}
    for number in range(60):
        fields = {"few": rng.choice(SMALL)}
        if rng.random() < 0.9:
            fields["any"] = VALUES[number % len(VALUES)]
        if rng.random() < 0.8:
            fields["n"] = rng.choice([*SMALL, double(2), double(2.5), NULL, text("x")])
        if rng.random() < 0.7:
            fields["m"] = mapping(k=rng.choice([*SMALL, text("a")]))
        if rng.random() < 0.8:
            fields["tags"] = array(*rng.sample([*SMALL, text("a"), NULL], rng.randrange(4)))
        if rng.random() < 0.8:
            fields["e"] = vector(*(rng.randrange(-4, 5) or 1 for _ in range(rng.choice([2, 2, 2, 3]))))
        made[f"{COLLECTIONS[number % 3]}/d{number:02}"] = fields
    return made


def condition(rng):
    """A filter on one field."""
    field = rng.choice(FIELDS)
    operand = rng.choice(VALUES) if field == "any" else rng.choice([*SMALL, text("a")])
    some = lambda most: array(*(rng.choice(VALUES if field == "any" else SMALL) for _ in range(rng.randint(1, most))))
    op = rng.choice(
        ["EQUAL"] * 4
        + ["LESS_THAN", "LESS_THAN_OR_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL"] * 2
        + ["NOT_EQUAL", "IN", "IN", "NOT_IN", "ARRAY_CONTAINS", "ARRAY_CONTAINS", "ARRAY_CONTAINS_ANY", "IS_NULL", "IS_NAN", "IS_NOT_NULL", "IS_NOT_NAN"]
    )
    reference = {"fieldPath": field}
    if op.startswith("IS_"):
        return {"unaryFilter": {"field": reference, "op": op}}
    if op.startswith("ARRAY"):
        reference = {"fieldPath": rng.choice(["tags", "any"])}
        operand = rng.choice([*SMALL, text("a"), NULL, NAN])
    if op in ("IN", "NOT_IN", "ARRAY_CONTAINS_ANY"):
        operand = some(4)
    return {"fieldFilter": {"field": reference, "op": op, "value": operand}}


def filters(rng, depth=0):
    if depth == 2 or rng.random() < 0.5:
        return condition(rng)
    parts = [filters(rng, depth + 1) for _ in range(rng.randint(1, 3))]
    return {"compositeFilter": {"op": rng.choice(["AND", "AND", "OR"]), "filters": parts}}


def cursor(rng, orders):
    values = [
        {"referenceValue": f"{ROOT}/{rng.choice(COLLECTIONS)}/d{rng.randrange(70):02}"} if field == "__name__" else rng.choice(VALUES)
        for field in orders[: rng.randint(1, len(orders))]
    ]
    return {"values": values, "before": rng.random() < 0.5}


def query(rng, by_name=True):
    asked = {"from": [{"collectionId": "q", "allDescendants": rng.random() < 0.4}]}
    if rng.random() < 0.8:
        asked["where"] = filters(rng)
    orders = rng.sample(FIELDS[:4], rng.choice([0, 0, 1, 1, 2]))
    if rng.random() < 0.2 and by_name:
        orders.append("__name__")
    if orders:
        # AVOIDED: the emulator does not walk names alone from the end.
        directions = ["ASCENDING"] if orders == ["__name__"] else ["ASCENDING", "DESCENDING"]
        asked["orderBy"] = [{"field": {"fieldPath": field}, "direction": rng.choice(directions)} for field in orders]
        for side in ("startAt", "endAt"):
            if rng.random() < 0.2:
                asked[side] = cursor(rng, orders)
    if rng.random() < 0.3:
        asked["limit"] = rng.randint(1, 12)
    if rng.random() < 0.2:
        asked["offset"] = rng.randint(1, 8)
    if rng.random() < 0.1:
        asked["select"] = {"fields": [{"fieldPath": rng.choice(["n", "m.k", "__name__"])}]}
    return asked


def aggregation(rng):
    made = []
    for _ in range(rng.randint(1, 3)):
        field = {"fieldPath": rng.choice(["n", "any", "few", "m.k"])}
        made.append(rng.choice([{"count": {}}, {"count": {"upTo": str(rng.randint(1, 5))}}, {"sum": {"field": field}}, {"avg": {"field": field}}]))
    return made


def nearest(rng):
    """A search for vectors, behind a filter of equality: the emulator knows no other."""
    asked = {"from": [{"collectionId": "q", "allDescendants": rng.random() < 0.4}]}
    if rng.random() < 0.5:
        asked["where"] = {"fieldFilter": {"field": {"fieldPath": "few"}, "op": "EQUAL", "value": rng.choice(SMALL)}}
    asked["findNearest"] = {
        "vectorField": {"fieldPath": "e"},
        "queryVector": vector(*(rng.randrange(-4, 5) + 0.5 for _ in range(rng.choice([2, 2, 3])))),
        "distanceMeasure": rng.choice(["EUCLIDEAN", "COSINE", "DOT_PRODUCT"]),
        "limit": rng.randint(1, 1000),
        **({"distanceThreshold": rng.choice([0.5, 1, 3])} if rng.random() < 0.3 else {}),
    }
    return asked


def question(rng):
    chosen = rng.random()
    if chosen < 0.7:
        return ":runQuery", {"structuredQuery": query(rng)}
    if chosen < 0.9:
        # AVOIDED: of two reasons to refuse a sum that is ordered by name, either may be said first.
        structured = query(rng, by_name=False)
        structured.pop("select", None)
        return ":runAggregationQuery", {"structuredAggregationQuery": {"structuredQuery": structured, "aggregations": aggregation(rng)}}
    return ":runQuery", {"structuredQuery": nearest(rng)}


def plain(value):
    """A value to compare: doubles without their last digits, which depend on the order of a sum."""
    if "doubleValue" in value:
        number = float(value["doubleValue"])
        return "double", "NaN" if math.isnan(number) else f"{number:.9g}"
    return tuple(*value.items())


def outcome(status, answer):
    first = answer[0] if isinstance(answer, list) and answer else answer
    if isinstance(first, dict) and "error" in first:
        return {"status": first["error"]["status"], "message": first["error"]["message"]}
    if status != 200:
        return {"status": status, "message": str(answer)}
    if "result" in first:
        return {"aggregates": {name: plain(value) for name, value in first["result"]["aggregateFields"].items()}}
    found = [item["document"] for item in answer if "document" in item]
    return {"found": [(document["name"].removeprefix(ROOT), sorted(document.get("fields", {}))) for document in found]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=10)
    options = parser.parse_args()
    jar = emulator_jar()
    if not jar:
        print("queries: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    made = documents(random.Random(options.seed))
    same, differences = 0, []
    with tempfile.TemporaryDirectory(prefix="hearth-queries-") as folder:
        servers = []
        try:
            servers = [start_hearth(folder, PROJECT), start_official(jar, PROJECT)]
            for server in servers:
                writes = [{"update": {"name": f"{ROOT}/{path}", "fields": fields}} for path, fields in made.items()]
                status, answer = server.ask("POST", f"/v1/{ROOT}:commit", {"writes": writes}, OWNER)
                assert status == 200, f"{server.name}: {answer}"
            for number in range(ASKED_FULL if options.full else ASKED):
                verb, body = question(random.Random(f"{options.seed} {number}"))
                ours, theirs = (outcome(*server.ask("POST", f"/v1/{ROOT}{verb}", body, OWNER)) for server in servers)
                if ours == theirs:
                    same += 1
                else:
                    differences.append((number, body, ours, theirs))
        finally:
            for server in servers:
                server.stop()
    for number, body, ours, theirs in differences[: options.show]:
        print(f"--- {number}: {json.dumps(body)}\n  hearth:   {ours}\n  official: {theirs}")
    kinds = collections.Counter(str(theirs.get("message", "result"))[:80] + " | " + str(ours.get("message", ""))[:80] for _, _, ours, theirs in differences)
    for what, count in kinds.most_common(20):
        print(f"{count} × {what}")
    print(f"{same} passed, {len(differences)} failed")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
