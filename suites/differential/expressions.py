#!/usr/bin/env python3
"""Evaluates expressions of rules with Hearth and with the official Firestore emulator and compares what comes of each.

    expressions.py [--full | --all] [--only TEXT] [--seed N] [--show N]

Each expression is in `debug(EXPRESSION) == 'zz'`, in a function of its own that a `get` evaluates; what it came to is read from
`…:ruleCoverage`, of both servers in the same way. Compared is the value or that there is none. A difference that is meant is in
expressions.json, by function or operator and kinds of operands; any other fails, and so does, with `--all`, an entry that explains
nothing. The short form asks some thousand, `--full` more than 20,000. Skipped, and said so, where Java or Google's emulator is not
there. Only Python's standard library is used.
"""

import argparse
import collections
import fnmatch
import json
import pathlib
import random
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from servers import OWNER, emulator_jar, start_hearth, start_official, token
from vocabulary import DOCUMENT, expressions

PROJECT = "demo-expressions"
ROOT = f"projects/{PROJECT}/databases/(default)/documents"
# Of one ruleset: all its expressions together stay below the thousand that a request may evaluate.
TOGETHER = 40
SHORT = 3000
FULL = 24000
CALLER = token({"sub": "alice"})


def ruleset(texts):
    # A value is found by its line.
    functions = "".join(f"function f{at}() {{ return debug({text}) == 'zz'; }}\n" for at, text in enumerate(texts))
    calls = " || ".join(f"f{at}()" for at in range(len(texts)))
    return ("rules_version = '2';\nservice cloud.firestore { match /databases/{database}/documents {\n"
            f"{functions}match /a/{{b}} {{ allow get: if {calls}; }}\n}} }}\n")


def plain(value):
    """A reported value, comparable: sets have no order, an error is an error whatever its words."""
    if not value:
        return "not evaluated"
    kind, inner = next(iter(value.items()))
    if kind == "undefined":
        return "error"
    if kind == "setValue":
        return {kind: sorted((json.dumps(plain(item), sort_keys=True) for item in inner.get("values", [])))}
    if kind == "listValue":
        return {kind: [plain(item) for item in inner.get("values", [])]}
    if kind == "mapValue":
        return {kind: {name: plain(item) for name, item in inner.get("fields", {}).items()}}
    if kind == "pathValue":
        return {kind: [step for segment in inner.get("segments", []) for step in steps(segment)]}
    if kind == "latlngValue":
        return {kind: [inner.get("latitude", 0.0), inner.get("longitude", 0.0)]}
    if kind == "floatValue":
        # Also tells -0.0 from 0.0, which are equal.
        return {kind: repr(float(inner))}
    return value


def steps(segment):
    """A segment of a path, whether it was written, bound to a variable or is one."""
    if "simple" in segment:
        return [segment["simple"]]
    variable = segment.get("capture") or segment.get("globCapture")
    bound = variable.get("boundValue", {"variable": variable["variableName"]})
    if "globCapture" in segment and "variable" not in bound:
        return [step for inner in bound.get("segments", []) for step in steps(inner)]
    return [bound]


def came(server, texts):
    """What each expression of one ruleset came to; all `refused` when it does not compile."""
    status, answer = server.load(ruleset(texts))
    # The official emulator answers 500 where it does not expect what its compiler or its regular expressions say of an
    # expression: it has no value.
    alone = "refused" if status == 400 else "error"
    if status == 200:
        status, answer = server.ask("GET", f"/v1/{ROOT}/a/x", None, CALLER)
        alone = "error"
    if status in (400, 500):
        if len(texts) == 1:
            return [(alone, answer["error"].get("message", ""))]
        # One of them spoils the others, which have values all the same.
        half = len(texts) // 2
        return came(server, texts[:half]) + came(server, texts[half:])
    _, answer = server.ask("GET", f"/emulator/v1/projects/{PROJECT}:ruleCoverage")
    found = {}
    for root in answer["report"]:
        call = (root.get("children") or [{}])[0]
        # Where it waits for a document, the emulator evaluates twice: the last value counts.
        value = (call.get("values") or [{}])[-1].get("value")
        found[root["sourcePosition"]["line"]] = (plain(value), message(value))
    return [found.get(3 + at, ("not evaluated", "")) for at in range(len(texts))]


def message(value):
    return (value or {}).get("undefined", {}).get("causeMessage", "")


def explains(entry, about, text, ours, theirs):
    """Every part of an entry must fit: the operator or function with the kinds of its operands, the text, what came of it."""
    if entry.get("only") == "order" and (name(ours) != name(theirs) or ordered(ours) != ordered(theirs)):
        return False
    return (fnmatch.fnmatchcase(" ".join(about), entry["about"]) and re.search(entry.get("text", ""), text)
            and entry["hearth"] == name(ours) and entry["official"] == name(theirs))


def ordered(value):
    return sorted(json.dumps(item, sort_keys=True) for item in value.get("listValue", []))


def name(outcome):
    """An outcome without its value."""
    return outcome if isinstance(outcome, str) else next(iter(outcome))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="more than 20,000 expressions")
    parser.add_argument("--all", action="store_true", help="all expressions: more than 150,000")
    parser.add_argument("--only", help="those that contain this text")
    parser.add_argument("--seed", type=int, default=1, help="which ones the short form asks")
    parser.add_argument("--show", type=int, default=40, help="how many differences to print")
    options = parser.parse_args()
    jar = emulator_jar()
    if not jar:
        print("expressions: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    explained = json.loads((HERE / "expressions.json").read_text())
    asked = [(about, text) for about, text in expressions() if not options.only or options.only in text]
    count = len(asked) if options.all or options.only else FULL if options.full else SHORT
    asked = random.Random(options.seed).sample(asked, min(count, len(asked)))
    with tempfile.TemporaryDirectory() as folder:
        hearth, official = start_hearth(folder, PROJECT), start_official(jar, PROJECT)
        try:
            for server in (hearth, official):
                store(server)
            outcomes = list(compare(hearth, official, [text for _, text in asked]))
        finally:
            hearth.stop()
            official.stop()
    return report(options, explained, asked, outcomes)


def store(server):
    """The document that the expressions are evaluated for."""
    reference = {"referenceValue": f"{ROOT}/c/d"}
    written = {"update": {"name": f"{ROOT}/a/x", "fields": {**DOCUMENT, "r": reference}}}
    status, answer = server.ask("POST", f"/v1/{ROOT}:commit", {"writes": [written]}, OWNER)
    assert status == 200, f"{server.name}: {answer}"


def compare(hearth, official, texts):
    groups = [texts[at : at + TOGETHER] for at in range(0, len(texts), TOGETHER)]
    for group in groups:
        yield from zip(came(hearth, group), came(official, group))


def report(options, explained, asked, outcomes):
    same, unexplained, used = 0, [], collections.Counter()
    for (about, text), (ours, theirs) in zip(asked, outcomes):
        if ours[0] == theirs[0] and ours[0] != "not evaluated":
            same += 1
            continue
        entry = next((at for at, entry in enumerate(explained) if explains(entry, about, text, ours[0], theirs[0])), None)
        if entry is None:
            unexplained.append((about, text, ours, theirs))
        else:
            used[entry] += 1
    for about, text, ours, theirs in unexplained[: options.show]:
        print(f"\n{' '.join(about)}:  {text}\n  hearth:   {ours}\n  official: {theirs}")
    stale = [entry for at, entry in enumerate(explained) if options.all and not options.only and not used[at]]
    for at, entry in enumerate(explained):
        print(f"explained {used[at]}: {entry['about']}: {entry['reason']}")
    for entry in stale:
        print(f"explains nothing any more: {entry['about']}")
    print(f"{same + sum(used.values())} passed, {len(unexplained) + len(stale)} failed")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
