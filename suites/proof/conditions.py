"""Seeded conditions of `allow list`, each with what a query would have to say for it to hold, or not to hold.

A condition is a tree of `Condition`; `text` is what stands in the rule, `yes(rng)` and `no(rng)` are demands of a query
(`("where", field, op, value)`, `("limit", n)`, `("offset", n)`, `("order", field, direction)`). Demands are a guess that is
mostly right: which verdict is right is for the two servers to say.
"""

import dataclasses
import random
from typing import Callable

UID = "alice"
TIMES = ["@2019-01-01T00:00:00Z", "@2021-06-01T00:00:00Z", "@2024-01-01T00:00:00Z", "@2100-01-01T00:00:00Z"]
DOMAINS = {
    "n": [-1, 1, 2, 3, 5, 7, 1.5, 2.0],
    "k": [0, 1, 4, 9],
    "s": ["a", "b", "c", "alice", "bob"],
    "o": ["a", "alice", "bob", ""],
    "b": [True, False],
    "t": TIMES,
    "m.x": [1, 2, 3],
    "m.s": ["a", "b", "alice"],
    "m.in.d": [1, 2],
    "z": [None, 1, "a", True],
}
LISTS = {"tags": ["red", "green", "blue", "alice"], "nums": [1, 2, 3]}
PEOPLE = ["alice", "bob", "nobody"]


def literal(value):
    """A value as an expression of the rules language."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{key}': {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and value.startswith("@"):
        year, month, day = value[1:11].split("-")
        return f"timestamp.date({int(year)}, {int(month)}, {int(day)})"
    return f"'{value}'" if isinstance(value, str) else str(value)


@dataclasses.dataclass
class Condition:
    text: str
    yes: Callable[[random.Random], list]
    no: Callable[[random.Random], list]
    parts: tuple = ()
    # Makes the same of other parts, to make a difference smaller.
    remake: Callable = None


def place(rng, field):
    """A field as a rule reaches it."""
    if rng.random() < 0.1:
        return "resource.data" + "".join(f"['{name}']" for name in field.split("."))
    return f"resource.data.{field}"


def other(rng, values, *besides):
    left = [value for value in values if not any(type(value) is type(item) and value == item for item in besides)]
    return rng.choice(left or values)


def where(*filters):
    return [("where", *one) for one in filters]


def comparison(rng):
    field = rng.choice([name for name in DOMAINS if name != "b"])
    values = DOMAINS[field]
    value = rng.choice(values)
    op = rng.choice(["==", "==", "==", "!=", "!=", "<", "<=", ">", ">="])
    if op in ("<", "<=", ">", ">=") and (value is None or isinstance(value, bool)):
        op = "=="
    constant = literal(value)
    if value == UID and rng.random() < 0.7:
        constant = "request.auth.uid"
    mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
    text = f"{place(rng, field)} {op} {constant}" if rng.random() < 0.8 else f"{constant} {mirrored} {place(rng, field)}"
    return Condition(text, lambda rng: holds(rng, field, op, value, values), lambda rng: holds(rng, field, NEGATED[op], value, values))


NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def holds(rng, field, op, value, values):
    """What makes `field op value` hold."""
    like = [item for item in values if type(item) is type(value) or {type(item), type(value)} == {int, float}]
    if op == "==":
        return where(rng.choice([(field, "==", value)] * 3 + [(field, "in", [value])]))
    if op == "!=":
        different = [item for item in values if item is not None and item != value]
        ways = [(field, "!=", value)] * 2
        if different:
            ways += [(field, "==", rng.choice(different)), (field, "in", rng.sample(different, min(2, len(different))))]
            if value is not None:
                ways += [(field, "not-in", [value, rng.choice(different)])]
        if value is not None and not isinstance(value, bool):
            ways += [(field, rng.choice("<>"), value)]
        return where(rng.choice(ways))
    fits = {"<": lambda x: x < value, "<=": lambda x: x <= value, ">": lambda x: x > value, ">=": lambda x: x >= value}[op]
    inside = [item for item in like if fits(item)]
    ways = [(field, op, value), (field, op, value)]
    if inside:
        chosen = rng.choice(inside)
        ways += [(field, op, chosen), (field, "==", chosen), (field, "in", inside[:3]), (field, op[0], chosen)]
        ways += [(field, op[0] + "=", chosen)]
    return where(rng.choice(ways))


def member_of_list(rng):
    field = rng.choice(["n", "s", "o", "m.s", "k", "z"])
    values = DOMAINS[field]
    chosen = rng.sample(values, rng.randint(1, 3))
    text = f"{place(rng, field)} in {literal(chosen)}" + (".toSet()" if rng.random() < 0.1 else "")
    proper = [item for item in chosen if item is not None] or ["q"]
    yes = lambda rng: where(rng.choice([(field, "==", rng.choice(chosen)), (field, "in", rng.sample(proper, rng.randint(1, len(proper))))]))
    no = lambda rng: where(rng.choice([(field, "==", other(rng, values, *chosen)), (field, "not-in", chosen), (field, "!=", chosen[0])]))
    return Condition(text, yes, no)


def contains(rng):
    field = rng.choice(list(LISTS))
    values = LISTS[field]
    value = rng.choice(values)
    constant = "request.auth.uid" if value == UID else literal(value)
    yes = lambda rng: where(
        rng.choice([(field, "array-contains", value)] * 3 + [(field, "array-contains-any", [value]), (field, "==", [value, other(rng, values, value)])])
    )
    no = lambda rng: where(rng.choice([(field, "==", [other(rng, values, value)]), (field, "array-contains", other(rng, values, value))]))
    return Condition(f"{constant} in {place(rng, field)}", yes, no)


def has(rng):
    field = rng.choice(list(LISTS))
    values = LISTS[field]
    method = rng.choice(["hasAny", "hasAll", "hasOnly"])
    chosen = rng.sample(values, rng.randint(1, 3))
    yes = lambda rng: where(
        rng.choice(
            [
                (field, "array-contains", rng.choice(chosen)),
                (field, "array-contains-any", rng.sample(chosen, rng.randint(1, len(chosen)))),
                (field, "==", chosen),
                (field, "in", [chosen, list(reversed(chosen))]),
            ]
        )
    )
    no = lambda rng: where(rng.choice([(field, "array-contains", other(rng, values, *chosen)), (field, "==", [other(rng, values, *chosen)])]))
    text = f"{place(rng, field)}.{method}({literal(chosen)})"
    if rng.random() < 0.15:
        text = f"{place(rng, field)}.toSet().{method}({literal(chosen)})"
    elif rng.random() < 0.15:
        text = f"{literal(chosen)}.{method}({place(rng, field)})"
    elif rng.random() < 0.1 and field == "tags":
        text = f"{literal(chosen)}.{method}([{place(rng, 's')}])"
    return Condition(text, yes, no)


TYPES = {
    "int": [("n", 1), ("k", 4)], "float": [("n", 1.5)], "number": [("n", 1), ("n", 1.5)], "string": [("s", "a"), ("m.s", "a")],
    "bool": [("b", True)], "timestamp": [("t", TIMES[1])], "list": [("tags", ["red"])], "map": [("m", {"x": 1})], "null": [("z", None)],
}


def of_type(rng):
    name = rng.choice([name for name in TYPES if name != "null"])
    field, value = rng.choice(TYPES[name]) if rng.random() < 0.8 else ("z", rng.choice([None, 1, "a"]))
    def yes(rng):
        ways = [(field, "==", value)] * 2 + [(field, "in", [value])]
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            ways += [(field, rng.choice(["<", "<=", ">", ">="]), value)]
        if isinstance(value, list):
            ways += [(field, "array-contains", value[0])]
        return where(rng.choice(ways))
    no = lambda rng: where(rng.choice([(field, "==", "other"), (field, "!=", value), (field, "==", 7)]))
    return Condition(f"{place(rng, field)} is {name}", yes, no)


def null(rng):
    field = rng.choice(["z", "s", "n", "m", "missing"])
    op = rng.choice(["==", "!="])
    is_null = lambda rng: where(rng.choice([(field, "==", None), (field, "null", None)]))
    is_not = lambda rng: where(rng.choice([(field, "!=", None), (field, "not-null", None), (field, "==", "a"), (field, "!=", 1), (field, ">", 1)]))
    yes, no = (is_null, is_not) if op == "==" else (is_not, is_null)
    return Condition(f"{place(rng, field)} {op} null", yes, no)


def key(rng):
    field = rng.choice(["n", "s", "tags", "missing", "m"])
    data = "resource.data"
    text = rng.choice(
        [f"'{field}' in {data}"] * 3
        + [f"'{field}' in {data}.keys()", f"{data}.keys().hasAll(['{field}'])", f"{data}.keys().hasAny(['{field}', 'zz'])"]
        + [f"{data}.keys().hasOnly(['{field}'])", f"{data}.keys().toSet().hasAll(['{field}'])", f"{data}.size() > 0", f"{data}.keys().size() > 0"]
        + ["'x' in resource.data.m", "resource.data.m.keys().hasAny(['x'])", "resource.data.m.size() > 0"]
    )
    yes = lambda rng: where(rng.choice([(field, "==", DOMAINS.get(field, ["a"])[0]), (field, "!=", "zz"), ("m.x", "==", 1)])) if rng.random() < 0.8 else [("order", field, "ASCENDING")]
    no = lambda rng: where((other(rng, ["k", "o"], field), "==", 1))
    return Condition(text, yes, no)


def with_default(rng):
    field = rng.choice(["n", "s", "m.x", "missing"])
    values = DOMAINS.get(field, ["a", 1])
    value, default = rng.choice(values), rng.choice(values)
    name = f"'{field}'" if "." not in field and rng.random() < 0.7 else literal(field.split("."))
    text = f"resource.data.get({name}, {literal(default)}) == {literal(value)}"
    yes = lambda rng: [] if default == value and rng.random() < 0.4 else where((field, "==", value))
    no = lambda rng: where((field, "==", other(rng, values, value)))
    return Condition(text, yes, no)


def whole_map(rng):
    value = rng.choice([{"x": 1}, {"x": 2, "s": "a"}])
    field = rng.choice(["resource.data.m", "resource.data.m"])
    text = rng.choice([f"{field} == {literal(value)}", f"{field}.x == {value['x']}", f"{field}.get('x', 0) == {value['x']}", f"{field} != {literal(value)}"])
    yes = lambda rng: where(rng.choice([("m", "==", value), ("m.x", "==", value["x"]), ("m", "in", [value])]))
    no = lambda rng: where(rng.choice([("m", "==", {"x": 9}), ("m.x", "==", 9), ("m", "!=", value)]))
    return Condition(text, yes, no)


def caller(rng):
    nothing = lambda rng: []
    text = rng.choice(
        ["request.auth != null"] * 3
        + ["request.auth.uid == 'alice'", "request.auth.token.role == 'editor'", "request.auth.token.level > 5", "request.auth.uid in ['alice', 'bob']"]
        + ["'role' in request.auth.token", "request.auth.token.get('moderator', false) == true", "request.auth == null", "request.auth.token.nope == 1"]
    )
    return Condition(text, nothing, nothing)


def of_query(rng):
    n = rng.choice([1, 2, 10, 50])
    limit = lambda rng: [("limit", n if rng.random() < 0.7 else max(1, n - 1))]
    more = lambda rng: rng.choice([[], [("limit", n + 1)]])
    ordered = lambda rng: [("order", "n", "ASCENDING")]
    ways = [
        (f"request.query.limit <= {n}", limit, more),
        (f"request.query.limit == {n}", limit, more),
        (f"request.query.limit < {n + 1} && request.query.limit > 0", limit, more),
        ("request.query.limit != null", limit, lambda rng: []),
        ("request.query.limit == null", lambda rng: [], limit),
        ("'limit' in request.query", limit, lambda rng: []),
        ("request.query.offset == 0", lambda rng: rng.choice([[], [("offset", 0)]]), lambda rng: [("offset", 2)]),
        ("request.query.offset == null", lambda rng: [], lambda rng: [("offset", 2)]),
        ("request.query.offset < 3", lambda rng: rng.choice([[], [("offset", 2)]]), lambda rng: [("offset", 3)]),
        ("request.query.orderBy.n == 'ASC'", ordered, lambda rng: rng.choice([[], [("order", "n", "DESCENDING")]])),
        ("request.query.orderBy['n'] == 'DESC'", lambda rng: [("order", "n", "DESCENDING")], ordered),
        ("'n' in request.query.orderBy", ordered, lambda rng: []),
        ("request.query.orderBy.size() == 0", lambda rng: [], ordered),
        ("request.query.orderBy.keys().hasOnly(['n'])", ordered, lambda rng: [("order", "s", "ASCENDING")]),
        ("request.query.orderBy == {}", lambda rng: [], ordered),
        ("request.query.orderBy.get('n', 'no') != 'no'", ordered, lambda rng: []),
        ("request.query.orderBy.__name__ == 'ASC'", lambda rng: [("order", "__name__", "ASCENDING")], lambda rng: []),
        ("request.query.orderBy['m.x'] == 'ASC'", lambda rng: [("order", "m.x", "ASCENDING")], lambda rng: []),
        ("request.method == 'list'", lambda rng: [], lambda rng: []),
        ("request.query.limit is int", limit, lambda rng: []),
    ]
    return Condition(*rng.choice(ways))


def time(rng):
    op = rng.choice(["<", "<=", ">", ">="])
    now = f"{place(rng, 't')} {op} request.time"
    past, future = where(("t", "<", TIMES[1])), where(("t", ">", TIMES[3]))
    exact = where(("t", "==", TIMES[0] if op[0] == "<" else TIMES[3]))
    yes, no = (past, future) if op[0] == "<" else (future, past)
    if rng.random() < 0.3:
        return Condition(f"request.time {op} {literal(rng.choice(TIMES))}", lambda rng: [], lambda rng: [])
    return Condition(now, lambda rng: rng.choice([yes, yes, exact]), lambda rng: no)


def identity(rng):
    name = rng.choice(["d1", "d2", "alice"])
    text = rng.choice(
        [f"id == '{name}'"] * 3
        + [f"resource.id == '{name}'", "id == request.auth.uid", f"resource.__name__ == /databases/$(database)/documents/COLLECTION/{name}"]
        + [f"id in ['{name}', 'd3']", f"id != '{name}'", "id is string", "'id' in resource", "resource.__name__ is path", "id.size() > 0"]
    )
    wanted = "alice" if "uid" in text else name
    yes = lambda rng: where(rng.choice([("__name__", "==", wanted), ("__name__", "in", [wanted]), ("__name__", "in", [wanted, "d3"])]))
    no = lambda rng: where(rng.choice([("__name__", "==", "d9"), ("__name__", ">", wanted), ("__name__", ">=", wanted)]))
    return Condition(text, yes, no)


def read(rng):
    field = rng.choice(["s", "o"])
    by, yes, no = rng.choice(
        [
            ("alice", lambda rng: [], lambda rng: []),
            ("$(request.auth.uid)", lambda rng: [], lambda rng: []),
            ("nobody", lambda rng: [], lambda rng: []),
            (f"$(resource.data.{field})", lambda rng: where(rng.choice([(field, "==", "alice"), (field, "==", "bob"), (field, "in", ["alice", "bob"])])), lambda rng: where((field, "==", "nobody"))),
            ("$(id)", lambda rng: where(("__name__", "==", "alice")), lambda rng: where(("__name__", "==", "d1"))),
            ("$(resource.id)", lambda rng: where(("__name__", "==", "alice")), lambda rng: where(("__name__", "==", "d1"))),
        ]
    )
    path = f"/databases/$(database)/documents/people/{by}"
    text = rng.choice(
        [f"exists({path})"] * 2
        + [f"get({path}).data.rank > 1", f"get({path}).data.rank == 1", f"get({path}).data.rank >= 1", f"resource.data.n <= get({path}).data.rank"]
        + [f"resource.data.s in get({path}).data.friends", f"get({path}).data.friend == {place(rng, 's')}", f"existsAfter({path})", f"get({path}).id == 'alice'"]
    )
    if "resource.data.n" in text:
        yes = joined(yes, lambda rng: where(("n", rng.choice(["==", "<", "<="]), 1)))
    if "friends" in text or "friend " in text:
        yes = joined(yes, lambda rng: where(("s", "==", rng.choice(["bob", "a"]))))
    return Condition(text, yes, no)


def joined(first, second):
    return lambda rng: first(rng) + second(rng)


def flag(rng):
    text = rng.choice([place(rng, "b"), f"{place(rng, 'b')} == true", f"{place(rng, 'b')} != false", f"true == {place(rng, 'b')}", f"{place(rng, 'b')} is bool && {place(rng, 'b')}"])
    return Condition(
        text,
        lambda rng: where(rng.choice([("b", "==", True), ("b", "in", [True]), ("b", "!=", False), ("b", ">", False)])),
        lambda rng: where(rng.choice([("b", "==", False), ("b", "in", [True, False]), ("b", "!=", True)])),
    )


def computed(rng):
    """What only an exact value can prove."""
    text, field, value = rng.choice(
        [
            ("resource.data.n + 1 > 2", "n", 2), ("resource.data.n * 2 == 2", "n", 1), ("-resource.data.n < 0", "n", 1), ("resource.data.n % 2 == 1", "n", 1),
            ("resource.data.s.size() == 1", "s", "a"), ("resource.data.s.matches('a.*')", "s", "alice"), ("resource.data.s.lower() == 'a'", "s", "a"),
            ("resource.data.s + 'x' == 'ax'", "s", "a"), ("resource.data.s[0] == 'a'", "s", "a"), ("resource.data.s.split('l')[0] == 'a'", "s", "alice"),
            ("resource.data.tags.size() == 1", "tags", ["red"]), ("resource.data.tags[0] == 'red'", "tags", ["red"]), ("resource.data.tags.join(',') == 'red'", "tags", ["red"]),
            ("resource.data.tags == ['red']", "tags", ["red"]), ("resource.data.tags.concat(['x']).size() == 2", "tags", ["red"]),
            ("resource.data.tags.toSet() == ['red'].toSet()", "tags", ["red"]), ("resource.data.t.year() == 2021", "t", TIMES[1]),
            ("resource.data.n == resource.data.k", "n", 1), ("resource.data.s == resource.data.o", "s", "a"), ("int(resource.data.n) == 1", "n", 1),
            ("string(resource.data.n) == '1'", "n", 1), ("[resource.data.n] == [1]", "n", 1), ("{'a': resource.data.s} == {'a': 'a'}", "s", "a"),
            ("math.abs(resource.data.n) == 1", "n", 1), ("resource.data.m.x + 1 == 2", "m.x", 1), ("resource.data.m.keys().hasAll(['x'])", "m", {"x": 1}),
            ("resource.data.tags[0:1] == ['red']", "tags", ["red"]), ("resource.data.m.values().size() == 1", "m", {"x": 1}),
            ("{'a': 1}[resource.data.s] == 1", "s", "a"), ("resource.data.s in {'a': 1, 'b': 2}", "s", "a"), ("resource.data.tags.removeAll(['red']).size() == 0", "tags", ["red"]),
            ("resource.data.diff({}).addedKeys().hasAny(['n'])", "n", 1), ("resource.data.keys().size() == 1", "n", 1), ("resource != null", "n", 1),
            ("resource.data != null", "n", 1), ("resource.data is map", "n", 1), ("resource == null", "n", 1),
        ]
    )
    twin = {"resource.data.n == resource.data.k": ("k", "==", value), "resource.data.s == resource.data.o": ("o", "==", value)}.get(text)
    def yes(rng):
        ways = [(field, "==", value)] * 3 + [(field, "in", [value])]
        if isinstance(value, (int, str)) and value not in TIMES:
            ways += [(field, ">=", value)]
        return where(rng.choice(ways), *([twin] if twin else []))
    return Condition(text, yes, lambda rng: where((field, "==", "other")))


def constant(rng):
    nothing = lambda rng: []
    return Condition(rng.choice(["true", "true", "false", "1 / 0 == 1", "resource.data.missing == 1"]), nothing, nothing)


ATOMS = [
    (comparison, 24), (member_of_list, 8), (contains, 8), (has, 7), (of_type, 6), (null, 5), (key, 5), (with_default, 4), (whole_map, 3),
    (caller, 7), (of_query, 6), (time, 4), (identity, 5), (read, 7), (flag, 5), (computed, 9), (constant, 3),
]


def atom(rng):
    make = rng.choices([make for make, _ in ATOMS], [weight for _, weight in ATOMS])[0]
    return make(rng)


def both(a, b):
    return Condition(f"({a.text} && {b.text})", joined(a.yes, b.yes), lambda rng: rng.choice([a, b]).no(rng), (a, b), both)


def either(a, b):
    return Condition(f"({a.text} || {b.text})", lambda rng: rng.choice([a, b]).yes(rng), joined(a.no, b.no), (a, b), either)


def denied(a):
    return Condition(f"!({a.text})", a.no, a.yes, (a,), denied)


def chosen(a, b, c):
    yes = lambda rng: a.yes(rng) + b.yes(rng) if rng.random() < 0.5 else a.no(rng) + c.yes(rng)
    no = lambda rng: a.yes(rng) + b.no(rng) if rng.random() < 0.5 else a.no(rng) + c.no(rng)
    return Condition(f"({a.text} ? {b.text} : {c.text})", yes, no, (a, b, c), chosen)


def is_true(a):
    return Condition(f"({a.text}) == true", a.yes, a.no, (a,), is_true)


def is_not_false(a):
    return Condition(f"({a.text}) != false", a.yes, a.no, (a,), is_not_false)


def grow(rng, depth):
    if depth == 0 or rng.random() < 0.35:
        return atom(rng)
    inner = lambda: grow(rng, depth - 1)
    way = rng.random()
    if way < 0.40:
        return both(inner(), inner())
    if way < 0.70:
        return either(inner(), inner())
    if way < 0.84:
        return denied(inner())
    if way < 0.94:
        return chosen(inner(), inner(), inner())
    return rng.choice([is_true, is_not_false])(inner())
