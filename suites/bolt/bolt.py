#!/usr/bin/env python3
"""Gives the same Bolt files to `firebase-bolt` and to Hearth's compiler and compares what they say, byte for byte.

    bolt.py [--seed N] [--count N] [--show N] [--only NUMBER]

The files are crates/policy/cases/bolt and a generated set (sources.py). Compared are the rules, where there are any; otherwise
that both refuse; and all messages with their lines and columns. What `firebase-bolt` finds after parsing it reports at 1:1,
whatever the place: there the text alone is compared. A difference that is meant is in differences.json with its reason; any
other fails, and so does a reason that the usual set does not need any more. Only Python's standard library and `npm ci` are used.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from sources import CONSTRUCTS, generate

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CASES = ROOT / "crates/policy/cases/bolt"
SEED = 3
COUNT = 4000


def install():
    """The package of the lock file, once: with the mark that `./x setup` leaves too."""
    marker = HERE / "node_modules/.installed-from"
    with open(HERE / "package-lock.json", "rb") as lock:
        sum = subprocess.run(["cksum"], stdin=lock, text=True, check=True, stdout=subprocess.PIPE).stdout
    if marker.exists() and marker.read_text() == sum:
        return
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE, check=True, stdout=sys.stderr)
    marker.write_text(sum)


def ask_firebase_bolt(texts):
    done = subprocess.run(["node", str(HERE / "oracle.js"), "--stdin"], input=json.dumps(texts), text=True, check=True,
                          stdout=subprocess.PIPE, env={**os.environ, "NODE_PATH": str(HERE / "node_modules")})
    return json.loads(done.stdout)


def ask_hearth(texts):
    command = ["cargo", "run", "--quiet", "--locked", "-p", "policy", "--example", "bolt_answers"]
    done = subprocess.run(command, input=json.dumps(texts), text=True, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return json.loads(done.stdout)


def said(messages):
    """Messages without what cannot be compared: the place where it is 1:1, and how often something was said."""
    return sorted({re.sub(r"^bolt:1:1: ", "bolt: ", message) for message in messages})


def difference(theirs, ours):
    """What differs: a kind, and both sides. None if nothing does."""
    if ours["limit"]:
        return "limit", f"{len(theirs['json'] or '')} bytes of rules", ours["limit"]
    if (theirs["json"] is None) != (ours["json"] is None):
        return "verdict", theirs, ours
    if theirs["json"] != ours["json"]:
        return "rules", theirs["json"], ours["json"]
    one, two = said(theirs["messages"]), said(ours["messages"])
    if one != two:
        return "messages", [m for m in one if m not in two], [m for m in two if m not in one]
    return None


def reason(kind, theirs, ours, reasons):
    """The index of the reason in the list that explains a difference."""
    texts = {"theirs": json.dumps(theirs, ensure_ascii=False), "ours": json.dumps(ours, ensure_ascii=False)}
    for index, known in enumerate(reasons):
        if known["kind"] == kind and all(re.search(known[side], text) for side, text in texts.items() if side in known):
            return index
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--show", type=int, default=10, metavar="N", help="differences shown in full")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one generated file, printed")
    options = parser.parse_args()
    for tool in ["node", "npm", "cargo"]:
        if not shutil.which(tool):
            print(f"bolt: skipped: {tool} is not installed")
            return 0
    install()
    if options.only is None:
        sources = [(path.name, path.read_text()) for path in sorted(CASES.glob("*.bolt"))]
        generated = generate(options.seed, options.count)
    else:
        sources, generated = [], [generate(options.seed, options.only + 1)[-1]]
        print(generated[0][1])
    sources += generated
    texts = [text for _, text in sources]
    theirs, ours = ask_firebase_bolt(texts), ask_hearth(texts)
    if not len(theirs) == len(ours) == len(sources):
        print(f"asked about {len(sources)} files; firebase-bolt answered {len(theirs)}, Hearth {len(ours)}")
        return 1

    reasons = json.loads((HERE / "differences.json").read_text())
    passed, failed, explained = 0, 0, collections.Counter()
    for (name, text), one, two in zip(sources, theirs, ours):
        found = difference(one, two)
        known = found and reason(*found, reasons)
        if found and known is not None:
            explained[known] += 1
        if not found or known is not None:
            passed += 1
            continue
        failed += 1
        if failed <= options.show:
            kind, left, right = found
            print(f"\n{name}: {kind}\n--- firebase-bolt\n{left}\n--- hearth\n{right}\n--- source\n{text}")

    if options.only is None:
        whole = "\n".join(text for _, text in generated)
        for construct in [name for name, pattern in CONSTRUCTS.items() if not re.search(pattern, whole)]:
            print(f"the generated files contain no {construct}")
            failed += 1
        usual = (options.seed, options.count) == (SEED, COUNT)
        for index, known in enumerate(reasons if usual else []):
            if not explained[index]:
                print(f"differences.json explains nothing any more: {known['reason']}")
                failed += 1
    accepted = sum(answer["json"] is not None for answer in theirs)
    usable = sum(answer["usable"] for answer in ours)
    print(f"\n{len(sources)} files ({len(generated)} generated, seed {options.seed}): firebase-bolt accepts {accepted} "
          f"and refuses {len(sources) - accepted}")
    print(f"of the accepted, Hearth takes {usable} and says of {accepted - usable} what Firebase would not take")
    print(f"{sum(explained.values())} differ for a known reason")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
