#!/usr/bin/env python3
"""Compiles generated rulesets with Hearth and with the official Firestore emulator and compares what becomes of them.

    compile.py [--full] [--seed N] [--show N]

Compared are: whether a ruleset compiles, and if not, whether the official compiler's first error, with its place and words, is
among those that Hearth reports. A difference that is meant is in compile.json by its kind, a pattern of the official words and
one of Hearth's; one in whether it compiles never is. The short form asks some hundred different rulesets, `--full` more than
5,000; then an entry that explains nothing any more fails, too.
Skipped, and said so, where Java or Google's emulator is not there. Only Python's standard library is used.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from servers import emulator_jar, start_official

PROJECT = "demo-compile"
ROOT = HERE.parents[1]
COUNT = {False: 400, True: 5200}
# Codes of Hearth's errors that are about what a text means. All others are about its grammar.
MEANING = {"unknown-version", "package-name", "duplicate-variable", "duplicate-function", "duplicate-service", "duplicate-capture",
           "too-many-variables", "too-many-parameters", "let-in-version-one", "recursion", "calls-too-deep", "invalid-regex",
           "bad-literal", "number-too-large", "glob-not-last", "two-globs", "pattern-too-long", "too-many-captures"}

ATOMS = """a b request resource request.auth request.auth.uid resource.data.x database null true false 1 0 010 1.5 .5 1. 1e3
9223372036854775807 9223372036854775808 -9223372036854775808 'a' "b" 'it\\'s' '\\x41' '\\u0041' '\\101' '\\d' '\\/' '\\8'
b'x' b'\\xff' b'\\u0041' B"y" [] [1] [1,] [,] [1,,2] {} {'a': 1} {a: 1} {1: 2} {'a': 1,} {,} /a /a/b /a/$(b) /a/{x} /a/{x=**}
/(default)/a /a%20b /a@b /a/ / /a!b duration math $a a-b x[0] x[1:] x[:2] x[1:2] x[:] x[] f() f(1) f(1,) f(,) f(a b) a.b()
a.match a.service a.1 'a'.size() [1].size() exists(/a/b) exists() get(/a/b).data math.abs(1) math.foo(1) debug(1)
timestamp.date(1,2,3) if in let service match (a) (a ()""".split()
OPERATORS = "+ - * / % == != < <= > >= && || in is ? : = ** -- & | . , ; ?: === !".split()
STATEMENTS = """allow read;|allow read: if true;|allow read, write: if true|allow read|allow get, lst: if true;|allow READ: if true;
allow: if true;|allow read, : if true;|allow read if true;|allow read: true;|allow read: if ;|allow read write: if true;|;|junk
match /c/{d} { allow read; }|match /c/{d} { }|match /c {|match c { allow read; }|match /c/ { allow read; }|match / { allow read; }
match /c/{d}/{d} { allow read; }|match /c/{in} { allow read; }|match /c/{d=*} { allow read; }|match /c/{d=**} { allow read; }
match /c/{d=x} { allow read; }|match /c/{math} { allow read; }|match /c /{d} { allow read; }|match /{x=**}/{y=**} { allow read; }
/c/{d} { allow read; }|function f() { return true; }|function f(a) { return a; }|function f(a,) { return a; }|function f() { }
function f() { let a = 1; return a; }|function f() { let a = 1 return a; }|function f() { let if = 1; return 1; }
function f() { return f(); }|function g() { return h(); } function h() { return g(); }|function match() { return 1; }
function f() { return 1 }|function f() { let a = 1; let a = 2; return a; }|function f(a, a) { return a; }|function f { return 1; }
function f(a,b,c,d,e,f,g,h) { return 1; }|function f() { return 1; return 2; }|function f() { let duration = 1; return 1; }
service a.b { allow read; }|import 'a';|allow get: if 'a'.matches('(');|/* c */|// c|allow read: if a // c|allow delete: if x/1024 < 5;"""
STATEMENTS = [part for line in STATEMENTS.split("\n") for part in line.split("|")]


def expression(random, depth):
    if depth == 0 or random.random() < 0.25:
        return random.choice(ATOMS)
    inner = lambda: expression(random, depth - 1)
    space = random.choice([" ", " ", " ", ""])
    return random.choice([
        lambda: f"{inner()}{space}{random.choice(OPERATORS)}{space}{inner()}",
        lambda: f"{inner()} && {inner()}",
        lambda: f"({inner()})",
        lambda: f"!{inner()}",
        lambda: f"-{inner()}",
        lambda: f"{inner()} ? {inner()} : {inner()}",
        lambda: f"[{inner()}, {inner()}]",
        lambda: f"{{{inner()}: {inner()}}}",
        lambda: f"f({inner()}, {inner()})",
        lambda: f"{inner()}.g({inner()})",
        lambda: f"{inner()}[{inner()}]",
        lambda: f"{inner()} is {random.choice(['int', 'string', 'map_diff', 'foo', 'null', 'set'])}",
        lambda: f"/a/$({inner()})/b",
    ])()


def limits():
    """The same thing, one time less and one time more than allowed, or so."""
    body = lambda text: f"rules_version = '2';\nservice cloud.firestore {{ match /databases/{{database}}/documents {{\n{text}\n}} }}\n"
    rule = lambda condition: body(f"match /a/{{b}} {{ allow get: if {condition}; }}")
    for count in (10, 11, 12, 13):
        lets = "".join(f"let a{at} = {at}; " for at in range(count))
        yield body(f"function f() {{ {lets}return a0; }} match /a {{ allow read: if f(); }}")
        yield body("".join(f"match /a{at} {{ " for at in range(count)) + "allow read;" + " }" * count)
    for count in (19, 20, 21, 22):
        chain = "".join(f"function f{at}() {{ return f{at + 1}(); }}\n" for at in range(count))
        yield body(f"{chain}function f{count}() {{ return true; }} match /a {{ allow read: if f0(); }}")
    for count in range(94, 103):
        yield rule(" && ".join(["true"] * count))
        yield rule(" || ".join(["b == 'x'"] * count))
        yield rule("(" * count + "true" + ")" * count)
        yield rule("!" * count + "b.c.d")
        yield rule("[" * count + "]" * count + " == 1")
        yield rule("true ? true : " * count + "true")
        yield rule("debug(" * count + "true" + ")" * count)
        yield rule("+".join(["1"] * count) + " == 1")


def rulesets(count, seed):
    """So many different ones, and those about limits."""
    seen = set(limits())
    yield from sorted(seen)
    source = random.Random(seed)
    wanted = len(seen) + count
    while len(seen) < wanted:
        text = ruleset(source, len(seen) % 3 == 2)
        if text not in seen:
            seen.add(text)
            yield text


def ruleset(source, of_statements):
    if of_statements:
        inner = " ".join(source.choice(STATEMENTS) for _ in range(source.randint(1, 3)))
        text = f"match /a/{{b}} {{\n{inner}\n}}" if source.random() < 0.7 else f"{inner}\nmatch /a {{ allow read; }}"
    else:
        text = f"match /a/{{b}} {{ allow get: if {expression(source, source.randint(0, 3))}; }}"
    version = source.choice(["rules_version = '2';"] * 9 + ["", "rules_version = '1';", "rules_version = '3';", "junk"])
    return f"{version}\nservice cloud.firestore {{\nmatch /databases/{{database}}/documents {{\n{text}\n}}\n}}\n"


def official(server, text):
    """The errors of the official compiler: line, column, words."""
    status, answer = server.load(text, ignore_errors=True)
    assert status == 200, f"{answer}\n{text}"
    issues = [(issue["severity"], issue["sourcePosition"], issue["description"]) for issue in answer.get("issues", [])]
    return [[place.get("line", 0), place.get("column", 0), words] for severity, place, words in issues if severity == "ERROR"]


def ours(texts):
    """Hearth's errors, those of the grammar first: behind one of them the official compiler looks for no others."""
    command = ["cargo", "run", "--quiet", "--locked", "-p", "policy", "--example", "rules_answers"]
    run = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=ROOT)
    for answer in json.loads(run.stdout):
        yield [error[:3] for error in sorted(answer["errors"], key=lambda error: error[3] in MEANING)]


def difference(mine, theirs):
    """`guess`: both report the same error, the official compiler one before it. `words`: the same place."""
    if bool(mine) != bool(theirs):
        return "verdict"
    if not theirs or theirs[0] in mine:
        return None
    if mine[0] in theirs:
        return "guess"
    return "words" if theirs[0][:2] == mine[0][:2] else "place"


def explains(entry, what, text, mine, theirs):
    return (what == entry["kind"] and re.search(entry["official"], theirs[0][2]) and re.search(entry["hearth"], mine[0][2])
            and re.search(entry.get("text", ""), text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="more than 5,000 rulesets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    options = parser.parse_args()
    jar = emulator_jar()
    if not jar:
        print("compile: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    explained = json.loads((HERE / "compile.json").read_text())
    texts = list(rulesets(COUNT[options.full], options.seed))
    server = start_official(jar, PROJECT)
    try:
        theirs = [official(server, text) for text in texts]
    finally:
        server.stop()
    same, unexplained, used = 0, [], collections.Counter()
    for text, mine, other in zip(texts, ours(texts), theirs):
        what = difference(mine, other)
        entry = what and next((at for at, entry in enumerate(explained) if explains(entry, what, text, mine, other)), None)
        if what is None:
            same += 1
        elif entry is None:
            unexplained.append((what, text, mine, other))
        else:
            used[entry] += 1
    counts = collections.Counter(what for what, *_ in unexplained)
    for what, text, mine, other in sorted(unexplained, key=lambda found: found[0], reverse=True)[: options.show]:
        print(f"\n{what}:\n{text}  ours: {mine}\n  official: {other}")
    for at, entry in enumerate(explained):
        print(f"explained {used[at]}: {entry['kind']}: {entry['reason']}")
    stale = sum(options.full and options.seed == 1 and not used[at] for at in range(len(explained)))
    print(f"{same} the same, {sum(used.values())} explained, {dict(counts)} of {len(texts)}; {stale} entries explain nothing any more")
    print(f"{same + sum(used.values())} passed, {len(unexplained) + stale} failed")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
