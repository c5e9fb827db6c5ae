#!/usr/bin/env python3
"""Query proof: Hearth and the official Firestore emulator are given generated rules and queries, and their verdicts compared.

    proof.py [--seed N] [--pairs N] [--show N] [--details]

Conditions come from conditions.py, queries derived from them from queries.py; one seed gives one run, always the same. What
Hearth allows is also checked against documents: each one found must be allowed by `get` under the same condition. A
difference that is meant is in explained.json with its reason; any other fails, and so does an explanation that explains
nothing any more (of the seed that the project runs). Skipped, and said so, where Java or Google's emulator is not there.
Only Python's standard library is used.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import conditions
import queries
from servers import emulator_jar, start_hearth, start_official, token

PROJECT = "demo-proof"
SEED = 2
PAIRS = 6000
RULES_PER_RULESET = 100
QUERIES_PER_RULE = 5
CONNECTIONS = 3
SMALLER_STEPS_MAX = 60

CALLERS = {
    "signed out": None,
    "alice": token({"sub": "alice", "role": "editor", "level": 7}),
    "bob": token({"sub": "bob", "role": "partner", "level": 5, "moderator": True}),
}
PEOPLE = {
    "people/alice": {"rank": 2, "friends": ["a", "bob"], "friend": "bob"},
    "people/bob": {"rank": 1, "friends": [], "friend": "a"},
}


def collection_documents(rng):
    """Documents that most queries find some of: the same values as in rules and queries, each also in its other types."""
    documents = {}
    for name in ("d1", "d2", "d3", "alice"):
        plain = {}
        for field in ("n", "k", "s", "o", "b", "t", "z"):
            if rng.random() < 0.85:
                plain[field] = rng.choice(conditions.DOMAINS[field])
        for field, values in conditions.LISTS.items():
            plain[field] = rng.sample(values, rng.randint(0, 2))
        plain["m"] = {"x": rng.choice([1, 2, 1.0]), "s": "a", "in": {"d": 1}} if rng.random() < 0.8 else {"x": 1}
        if isinstance(plain.get("n"), int) and rng.random() < 0.3:
            plain["n"] = float(plain["n"])
        documents[name] = plain
    return documents


class Shape:
    """Where a rule and its queries look."""

    def __init__(self, name, pattern, asks):
        self.name, self.pattern, self.asks = name, pattern, asks


# What a query asks: the parent's path, and whether it looks everywhere below.
SHAPES = [
    (Shape("collection", "/{c}/{{id}}", [("", False)]), 12),
    (Shape("below", "/p/{{pid}}/{c}/{{id}}", [("/p/alice", False)]), 3),
    (Shape("group", "/{{path=**}}/{c}/{{id}}", [("", True), ("/p/alice", True), ("", False), ("/p/alice", False)]), 3),
    (Shape("glob", "/{c}/{{id=**}}", [("", False)]), 1),
    (Shape("all", "/{{all=**}}/{c}/{{id}}", [("", True), ("", False)]), 1),
    (Shape("wrong", "/{c}/{{id}}", [("", True), ("/p/alice", False), ("/p/alice", True)]), 1),
    (Shape("one", "/{c}/d1", [("", False)]), 1),
]


def body(rng, text):
    """The condition as functions and variables would have it: (functions, condition)."""
    way = rng.random()
    if way < 0.6:
        return "", text
    if way < 0.72:
        return f"function f(data) {{ return {text.replace('resource.data', 'data')}; }}", "f(resource.data)"
    if way < 0.82:
        return f"function f() {{ let data = resource.data; return {text.replace('resource.data', 'data')}; }}", "f()"
    if way < 0.9:
        return f"function f() {{ let holds = {text}; return holds; }}", "f()"
    if way < 0.95:
        named = re.findall(r"resource\.data\.[a-z]\b(?![.(\[])", text)
        if named:
            chosen = rng.choice(named)
            inner = re.sub(re.escape(chosen) + r"\b", "v", text)
            return f"function f(v) {{ return {inner}; }}", f"f({chosen})"
    return f"function g() {{ return {text}; }} function f(x) {{ return g() && x; }}", "f(true)"


# Asked whatever the seed: one for each difference that is explained, and what is proven beside it.
FIXED = [
    ("resource.data.n is int", ("n", "==", 7)),
    ("resource.data.n is number", ("n", "==", 7)),
    ("!('k' in resource.data)", ("n", "==", 7)),
    ("'n' in resource.data", ("n", "==", 7)),
    ("!(resource.data.s is string)", ("s", "!=", "a")),
    ("!(resource.data.n is string)", ("n", ">", 1)),
    ("!(resource.data.s in ['a', 'b'])", ("s", "!=", "a")),
    ("!(resource.data.s in ['a', 'b'])", ("s", "not-in", ["a", "b"])),
    ("resource.data.m.values().size() == 1", ("m.x", "==", 1)),
    ("resource.data.m.values().size() == 1", ("m", "==", {"x": 1})),
    ("!resource.data.tags.hasAny(['blue'])", ("tags", "array-contains", "red")),
    ("resource.data.tags.hasAny(['blue', 'red'])", ("tags", "array-contains", "red")),
    ("!([resource.data.n] == [1])", ("n", "!=", 5)),
    ("!(id is string)", ("n", "==", 7)),
    ("id is string", ("__name__", "==", "d1")),
]


class Rule:
    """One `match` with its condition and the queries about it."""

    def __init__(self, rng, index):
        self.collection = f"c{index}"
        shapes = [shape for shape, _ in SHAPES]
        self.shape = rng.choices(shapes, [weight for _, weight in SHAPES])[0]
        self.condition = conditions.grow(rng, rng.choice([0, 1, 1, 2, 2, 3]))
        while self.shape.name == "one" and re.search(r"(?<![.'])\bid\b(?!')", self.condition.text):
            self.condition = conditions.grow(rng, 1)
        self.form = rng.random()
        self.asked = []
        for _ in range(QUERIES_PER_RULE):
            query = queries.make(rng, self.condition)
            caller = rng.choices(list(CALLERS), [1, 8, 1])[0]
            self.asked.append((query, rng.choice(self.shape.asks), caller))

    @classmethod
    def fixed(cls, index, text, *filters):
        """A rule and a query that are written down."""
        rule = cls.__new__(cls)
        nothing = lambda rng: []
        rule.collection, rule.shape, rule.form = f"c{index}", SHAPES[0][0], None
        rule.condition = conditions.Condition(text, nothing, nothing)
        query = {"alternatives": [list(filters)], "limit": None, "offset": None, "order": [], "cursor": False, "kind": "query"}
        rule.asked = [(query, ("", False), "alice")]
        return rule

    def text(self, condition=None):
        text = (condition or self.condition).text.replace("COLLECTION", self.collection)
        functions, text = body(random.Random(self.form), text) if condition is None and self.form is not None else ("", text)
        return f"match {self.shape.pattern.format(c=self.collection)} {{ {functions} allow read: if {text}; }}"


def ruleset(matches):
    inner = "\n".join(matches)
    return f"rules_version = '2';\nservice cloud.firestore {{\nmatch /databases/{{database}}/documents {{\n{inner}\n}}\n}}\n"


def ask(server, rule, query, look, caller):
    parent, everywhere = look
    name_of = lambda name: f"{server.root}{parent}/{rule.collection}/{name}"
    asked = queries.wire(query, rule.collection, everywhere, name_of)
    if query["kind"] == "count":
        counted = {"structuredAggregationQuery": {"structuredQuery": asked, "aggregations": [{"alias": "n", "count": {}}]}}
        return server.ask("POST", f"/v1/{server.root}{parent}:runAggregationQuery", counted, CALLERS[caller])
    return server.ask("POST", f"/v1/{server.root}{parent}:runQuery", {"structuredQuery": asked}, CALLERS[caller])


def words(answer):
    first = answer[0] if isinstance(answer, list) and answer else answer
    error = first.get("error") if isinstance(first, dict) else None
    return re.sub(r"\s+", " ", error.get("message", "")).strip() if error else ""


def found(answer):
    return [item["document"]["name"] for item in answer or [] if isinstance(item, dict) and "document" in item]


class Difference:
    def __init__(self, rule, query, look, caller, ours, theirs):
        self.rule, self.query, self.look, self.caller = rule, query, look, caller
        self.ours, self.theirs = ours, theirs
        self.condition = rule.condition
        self.whole = True

    def kind(self):
        if 403 in (self.ours[0], self.theirs[0]) and 200 in (self.ours[0], self.theirs[0]):
            return "hearth denies" if self.ours[0] == 403 else "hearth allows"
        return f"status {self.ours[0]} / {self.theirs[0]}"

    def lines(self):
        where = f"{self.rule.shape.name} {self.look[0] or '/'}{' group' if self.look[1] else ''}, {self.caller}"
        yield f"{self.kind()} ({where})"
        yield f"    rule     {self.rule.text(None if self.whole else self.condition)}"
        yield f"    query    {queries.show(self.query)}"
        yield f"    hearth   {self.ours[0]} {words(self.ours[1])}"
        yield f"    official {self.theirs[0]} {words(self.theirs[1])[:300]}"


class Run:
    def __init__(self, servers, options):
        self.servers, self.options = servers, options
        self.same, self.allowed, self.refused, self.checked = 0, 0, 0, 0
        self.differences, self.leaks, self.unloaded = [], [], []
        self.lock = threading.Lock()

    def pair(self, servers, rule, asked):
        query, look, caller = asked
        ours, theirs = (ask(server, rule, query, look, caller) for server in servers)
        leaks = []
        if ours[0] == 200:
            for name in found(ours[1]):
                status, answer = servers[0].ask("GET", f"/v1/{name}", None, CALLERS[caller])
                if status != 200 and not mentions_the_query(rule.condition.text):
                    leaks.append((rule, query, name, words(answer)))
        with self.lock:
            self.checked += len(found(ours[1])) if ours[0] == 200 else 0
            self.leaks += leaks
            if ours[0] == theirs[0]:
                self.same += 1
                self.allowed += ours[0] == 200
                self.refused += ours[0] not in (200, 403)
            else:
                self.differences.append(Difference(rule, query, look, caller, ours, theirs))

    def ruleset(self, rules):
        text = ruleset([rule.text() for rule in rules])
        for server in self.servers:
            status, answer = server.load(text)
            if status != 200:
                if len(rules) == 1:
                    self.unloaded.append((server.name, rules[0].text(), words(answer) or answer))
                    return
                middle = len(rules) // 2
                self.ruleset(rules[:middle])
                self.ruleset(rules[middle:])
                return
        work = [(rule, asked) for rule in rules for asked in rule.asked]
        def some(part):
            servers = [server.connect() for server in self.servers]
            for rule, asked in part:
                self.pair(servers, rule, asked)
        threads = [threading.Thread(target=some, args=(work[at::CONNECTIONS],)) for at in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def smaller(self, difference):
        """The same difference with less: conditions and filters are taken away while it stays."""
        steps = 0
        kind = difference.kind()
        def stays(condition, query):
            nonlocal steps
            steps += 1
            text = ruleset([difference.rule.text(condition)])
            if any(server.load(text)[0] != 200 for server in self.servers):
                return False
            ours, theirs = (ask(server, difference.rule, query, difference.look, difference.caller) for server in self.servers)
            made = Difference(difference.rule, query, difference.look, difference.caller, ours, theirs)
            if ours[0] == theirs[0] or made.kind() != kind:
                return False
            difference.ours, difference.theirs = ours, theirs
            difference.condition, difference.query, difference.whole = condition, query, False
            return True
        if not stays(difference.condition, difference.query):
            return
        progress = True
        while progress and steps < SMALLER_STEPS_MAX:
            progress = False
            for less in less_of(difference.condition):
                if stays(less, difference.query):
                    progress = True
                    break
            else:
                progress = any(stays(difference.condition, less) for less in queries.smaller(difference.query))


def mentions_the_query(text):
    """What only a list has, or has in another way."""
    return "request.query" in text or "request.method" in text


def less_of(condition):
    yield from condition.parts
    for at, part in enumerate(condition.parts):
        for less in less_of(part):
            yield condition.remake(*condition.parts[:at], less, *condition.parts[at + 1 :])


def explains(entry, difference):
    return (
        entry["kind"] == difference.kind()
        and re.search(entry.get("rule", ""), difference.rule.text(None if difference.whole else difference.condition))
        and re.search(entry.get("query", ""), queries.show(difference.query))
        and re.search(entry.get("hearth", ""), words(difference.ours[1]))
        and re.search(entry.get("official", ""), words(difference.theirs[1]))
    )


def read_explained():
    return json.loads((HERE / "explained.json").read_text())


def compare(servers, options):
    run = Run(servers, options)
    for server in servers:
        server.clear()
        server.store(PEOPLE)
        for index in range(RULES_PER_RULESET):
            rng = random.Random(index)
            for base in (f"c{index}", f"p/alice/c{index}"):
                server.store({f"{base}/{name}": plain for name, plain in collection_documents(rng).items()})
    rng = random.Random(options.seed)
    run.ruleset([Rule.fixed(index, *pair) for index, pair in enumerate(FIXED)])
    left = options.pairs
    while left > 0:
        count = min(RULES_PER_RULESET, -(-left // QUERIES_PER_RULE))
        rules = [Rule(rng, index) for index in range(count)]
        left -= count * QUERIES_PER_RULE
        run.ruleset(rules)
    explained = read_explained()
    for difference in run.differences:
        if not any(explains(entry, difference) for entry in explained):
            run.smaller(difference)
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    parser.add_argument("--details", action="store_true", help="print explained differences too")
    options = parser.parse_args()
    jar = emulator_jar()
    if not jar:
        print("proof: skipped: Java or Google's Firestore emulator is not installed")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hearth-proof-") as folder:
        servers = []
        try:
            servers.append(start_hearth(folder, PROJECT))
            servers.append(start_official(jar, PROJECT))
            run = compare(servers, options)
        finally:
            for server in servers:
                server.stop()
    explained = read_explained()
    used, unexplained = collections.Counter(), []
    for difference in run.differences:
        reasons = [index for index, entry in enumerate(explained) if explains(entry, difference)]
        if reasons:
            used[reasons[0]] += 1
        if not reasons or options.details:
            unexplained.append(difference) if not reasons else print("\n".join([f"[{reasons[0]}]", *difference.lines()]))
    shown = {}
    for difference in unexplained:
        lines = list(difference.lines())
        shown.setdefault((difference.kind(), re.sub(r"\bc\d+\b", "c", "".join(lines[1:3]))), lines)
    for lines in list(shown.values())[: options.show]:
        print("\n".join(lines))
    for rule, query, name, text in run.leaks:
        print(f"leak: {rule.text()}\n    query {queries.show(query)} returned {name}, which get refuses: {text}")
    for name, text, message in run.unloaded:
        print(f"{name} does not load {text}\n    {message}")
    stale = [entry for index, entry in enumerate(explained) if not used[index]] if (options.seed, options.pairs) == (SEED, PAIRS) else []
    for entry in stale:
        print(f"explains nothing any more: {entry}")
    for index, count in used.most_common():
        print(f"{count:5} explained: {explained[index]['kind']}: {explained[index]['reason']}")
    compared = run.same + len(run.differences)
    official = run.allowed + sum(difference.theirs[0] == 200 for difference in run.differences)
    by_kind = collections.Counter(difference.kind() for difference in unexplained)
    print(f"proof: {compared} pairs in {time.monotonic() - started:.0f} s, {run.refused} of them no valid queries, {run.allowed} allowed by both, {official} by the official service ({100 * official // max(1, compared - run.refused)} %)")
    print(f"proof: {run.checked} documents found by allowed queries, each asked for with get; {len(run.leaks)} refused")
    print(f"proof: {run.same} the same, {sum(used.values())} explained, {len(unexplained)} not {dict(by_kind)}")
    print(f"{run.same + sum(used.values())} passed, {len(unexplained) + len(stale) + len(run.leaks) + len(run.unloaded)} failed")
    return 1 if unexplained or stale or run.leaks or run.unloaded else 0


if __name__ == "__main__":
    sys.exit(main())
