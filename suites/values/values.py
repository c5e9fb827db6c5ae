#!/usr/bin/env python3
"""Gives the same random values of a Realtime Database to the JavaScript SDK's own code and to Hearth and compares the answers.

    values.py [--seed N] [--count N] [--show N]

Compared are, of trees: the hash, both JSON forms and the order of children by every index; of sets: the tree after them; of
queries, in the wire's form and in REST's: what they select; of server values: what they resolve to; of onDisconnect writes:
what is left of them; push ids. sdk.js asks the npm package that suites/node installs. Only Python's standard library is used.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NODE = ROOT / "suites/node"
SEED = 11
COUNT = 20000


def install():
    """The package of suites/node, once: with the mark that `./x setup` leaves too."""
    marker = NODE / "node_modules/.installed-from"
    with open(NODE / "package-lock.json", "rb") as lock:
        sum = subprocess.run(["cksum"], stdin=lock, text=True, check=True, stdout=subprocess.PIPE).stdout
    if marker.exists() and marker.read_text() == sum:
        return
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE, check=True, stdout=sys.stderr)
    marker.write_text(sum)


def ask_sdk(seed, count):
    command = ["node", str(HERE / "sdk.js"), str(NODE), str(seed), str(count)]
    done = subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE)
    return done.stdout.splitlines()


def ask_hearth(lines):
    command = ["cargo", "run", "--quiet", "--locked", "-p", "realtime", "--example", "value_answers"]
    done = subprocess.run(command, input="\n".join(lines), text=True, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return done.stdout.splitlines()


def numbers_are_doubles(text):
    return json.loads(text, parse_int=float)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--show", type=int, default=5, help="differences that are shown")
    options = parser.parse_args()
    install()
    lines = ask_sdk(options.seed, options.count)
    answers = ask_hearth(lines)
    passed = collections.Counter()
    failed = collections.Counter()
    if len(answers) != len(lines):
        failed["answers missing"] = abs(len(lines) - len(answers)) or 1
    for line, answer in zip(lines, answers):
        asked = numbers_are_doubles(line)
        theirs, ours = asked["answer"], numbers_are_doubles(answer)
        kind = asked["question"]["kind"]
        if theirs == ours:
            passed[kind] += 1
            continue
        failed[kind] += 1
        if sum(failed.values()) <= options.show:
            print(f"\n{line}")
            for name in sorted({*theirs, *ours}):
                if theirs.get(name) != ours.get(name):
                    print(f"  {name}\n    SDK:    {json.dumps(theirs.get(name))}\n    Hearth: {json.dumps(ours.get(name))}")
    for kind in sorted({*passed, *failed}):
        print(f"  {kind:<16} {passed[kind]:>6} equal, {failed[kind]} different")
    print(f"{sum(passed.values())} passed, {sum(failed.values())} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
