#!/usr/bin/env python3
"""Asks Hearth and the official Firestore emulator the same questions and compares verdict, status and words of denial.

    differential.py [--only RULESET] [--show N]

Rulesets are in rulesets.py, documents, callers and requests in questions.py. A difference that is meant, or that cannot be
helped, is in explained.json with its reason; any other fails, and so does an explanation that explains nothing any more.
Skipped, and said so, where Java or Google's emulator is not there. Only Python's standard library is used.
"""

import argparse
import collections
import fnmatch
import json
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from questions import CALLERS, DOCUMENTS, requests, writes
from rulesets import RULESETS
from servers import emulator_jar, start_hearth, start_official

PROJECT = "demo-differential"
ROOT = f"projects/{PROJECT}/databases/(default)/documents"


def seed(server):
    server.clear()
    server.store(DOCUMENTS)


def outcome(status, answer):
    """What is compared: the status, the words of a denial, the documents that were found."""
    first = answer[0] if isinstance(answer, list) and answer else answer
    error = first.get("error") if isinstance(first, dict) else None
    if error:
        return {"status": status, "message": error.get("message", "").strip() if status == 403 else None}
    found = []
    for item in answer if isinstance(answer, list) else [answer or {}]:
        found += [document["name"] for document in item.get("documents", [])]
        found += [item[key]["name"] for key in ("document", "found") if key in item]
        found += [item["result"]["aggregateFields"]["n"]["integerValue"]] if "result" in item else []
    return {"status": status, "found": sorted(found)}


def kind(ours, theirs):
    """What differs, the gravest first."""
    if (ours["status"] == 403) != (theirs["status"] == 403):
        return "verdict"
    if ours["status"] != theirs["status"]:
        return "status"
    if ours.get("found") != theirs.get("found"):
        return "result"
    if not reasons(ours.get("message")) <= reasons(theirs.get("message")):
        return "message"
    return None


def reasons(message):
    """A denial's reasons. The official emulator evaluates a rule more than once and says so each time, tells that it did
    (`evaluation error at …`), and tries a write as `create` and as `update`; Hearth gives each rule's reason once, for the
    verb that it is. So Hearth's reasons have to be among the official ones."""
    text = re.sub(r"\s*([{}\[\]])\s*", r"\1", re.sub(r"\s+", " ", message or ""))
    found = re.findall(r"(.*?for '\w+' @ L\d+)(?:, |$)", text) or [text]
    return {reason for reason in found if not reason.startswith("evaluation error at")}


def explains(entry, case, what):
    fields = ("ruleset", "request", "caller")
    return entry["kind"] == what and all(fnmatch.fnmatchcase(case[field], entry.get(field, "*")) for field in fields)


def compare(ours, theirs, only):
    """Yields a case with both outcomes, ruleset by ruleset."""
    asked = requests(ROOT)
    for ruleset, text in RULESETS.items():
        if only and only not in ruleset:
            continue
        rules = f"rules_version = '2';\nservice cloud.firestore {{\nmatch /databases/{{database}}/documents {{\n{text}\n}}\n}}\n"
        loaded = [server.load(rules) for server in (ours, theirs)]
        case = {"ruleset": ruleset, "request": "load", "caller": "-"}
        yield case, {"status": loaded[0][0]}, {"status": loaded[1][0]}
        if loaded[0][0] != 200 or loaded[1][0] != 200:
            continue
        for server in (ours, theirs):
            seed(server)
        for name, (method, path, body) in asked.items():
            for caller, token in CALLERS.items():
                outcomes = [outcome(*server.ask(method, f"/v1/{ROOT}{path}", body, token)) for server in (ours, theirs)]
                yield {"ruleset": ruleset, "request": name, "caller": caller}, *outcomes
                if writes(name) and any(found["status"] == 200 for found in outcomes):
                    for server in (ours, theirs):
                        seed(server)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="rulesets whose name has this in it")
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    options = parser.parse_args()
    jar = emulator_jar()
    if not jar:
        print("differential: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    explained = json.loads((HERE / "explained.json").read_text())
    used = collections.Counter()
    same, unexplained = 0, []
    with tempfile.TemporaryDirectory(prefix="hearth-differential-") as folder:
        servers = []
        try:
            servers.append(start_hearth(folder, PROJECT))
            servers.append(start_official(jar, PROJECT))
            for case, ours, theirs in compare(*servers, options.only):
                what = kind(ours, theirs)
                if what is None:
                    same += 1
                    continue
                reasons = [index for index, entry in enumerate(explained) if explains(entry, case, what)]
                if reasons:
                    used[reasons[0]] += 1
                else:
                    unexplained.append((what, case, ours, theirs))
        finally:
            for server in servers:
                server.stop()
    by_kind = collections.Counter(what for what, *_ in unexplained)
    for what, case, ours, theirs in unexplained[: options.show]:
        print(f"{what}: {case['ruleset']} / {case['request']} / {case['caller']}\n    hearth   {ours}\n    official {theirs}")
    stale = [] if options.only else [entry for index, entry in enumerate(explained) if not used[index]]
    for entry in stale:
        print(f"explains nothing any more: {entry}")
    print(f"differential: {same} the same, {sum(used.values())} explained, {len(unexplained)} not {dict(by_kind)}")
    print(f"{same + sum(used.values())} passed, {len(unexplained) + len(stale)} failed")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
