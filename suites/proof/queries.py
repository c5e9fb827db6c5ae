"""Queries from the demands of a condition, changed a little: so that some prove it, some nearly, and some not at all."""

import copy

from conditions import DOMAINS, LISTS
from servers import value

OPERATORS = {
    "==": "EQUAL",
    "!=": "NOT_EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "in": "IN",
    "not-in": "NOT_IN",
    "array-contains": "ARRAY_CONTAINS",
    "array-contains-any": "ARRAY_CONTAINS_ANY",
}
UNARY = {"null": "IS_NULL", "not-null": "IS_NOT_NULL", "nan": "IS_NAN", "not-nan": "IS_NOT_NAN"}
NEGATIVE = ("not-in", "!=", "not-null", "not-nan")
RANGES = ("<", "<=", ">", ">=")


def any_filter(rng):
    if rng.random() < 0.2:
        field = rng.choice(list(LISTS))
        return ("where", field, "array-contains", rng.choice(LISTS[field]))
    if rng.random() < 0.1:
        return ("where", rng.choice(["n", "z"]), rng.choice(list(UNARY)), None)
    field = rng.choice(list(DOMAINS))
    chosen = rng.choice([item for item in DOMAINS[field] if item is not None])
    op = rng.choice(["==", "==", "!=", *RANGES])
    return ("where", field, op, chosen)


def change(rng, demands):
    """One change of one demand, or one demand less."""
    if not demands:
        return [any_filter(rng)]
    demands = list(demands)
    at = rng.randrange(len(demands))
    kind, *rest = demands[at]
    if kind != "where" or rng.random() < 0.3:
        del demands[at]
        return demands
    field, op, operand = rest
    values = DOMAINS.get(field) or LISTS.get(field) or ["zz", 1]
    way = rng.random()
    if op in RANGES and way < 0.6:
        op = rng.choice(RANGES)
    elif op in ("in", "not-in", "array-contains-any"):
        operand = list(operand)[:3] + [rng.choice([item for item in values if item is not None])]
    elif op == "==" and way < 0.3 and field not in LISTS and not isinstance(operand, (bool, dict)) and operand is not None:
        op = rng.choice(["!=", *RANGES])
    else:
        operand = rng.choice(values) if not isinstance(operand, list) else [rng.choice(values)]
    demands[at] = ("where", field, op, operand)
    return demands


def make(rng, condition):
    """A query: `alternatives` of filters, and what stands beside them."""
    way = rng.random()
    if way < 0.42:
        branches = [condition.yes(rng)]
    elif way < 0.56:
        branches = [condition.yes(rng) + [any_filter(rng)]]
    elif way < 0.70:
        branches = [condition.yes(rng), condition.yes(rng)]
    elif way < 0.86:
        branches = [change(rng, condition.yes(rng))]
    elif way < 0.94:
        branches = [condition.no(rng)]
    else:
        branches = [[any_filter(rng)] if rng.random() < 0.7 else []]
    query = {"alternatives": [], "limit": None, "offset": None, "order": [], "cursor": False}
    for branch in branches:
        filters = []
        for kind, *rest in branch:
            if kind == "where":
                if tuple(rest) not in filters:
                    filters.append(tuple(rest))
            elif kind == "order":
                if rest[0] not in [field for field, _ in query["order"]]:
                    query["order"].append(tuple(rest))
            else:
                query[kind] = rest[0]
        query["alternatives"].append(valid(filters))
    if len(query["alternatives"]) > 1:
        # What holds for both, or else one alternative that says nothing makes the rest pointless.
        query["alternatives"] = [[one for one in filters if one[1] != "not-in"] for filters in query["alternatives"]]
        if any(field == "__name__" for filters in query["alternatives"] for field, _, _ in filters):
            query["alternatives"] = [valid([*filters, ("__name__", "==", "")])[:-1] for filters in query["alternatives"]]
        if any(not filters for filters in query["alternatives"]):
            query["alternatives"] = query["alternatives"][:1]
    if rng.random() < 0.1:
        query["limit"] = query["limit"] or rng.choice([1, 3, 20])
    if rng.random() < 0.1 and not query["order"]:
        field = rng.choice(["n", "s", "__name__", "m.x"])
        query["order"].append((field, "ASCENDING" if field == "__name__" else rng.choice(["ASCENDING", "DESCENDING"])))
    if any(field == "__name__" for field, _ in query["order"]):
        # Nothing may be ordered after the name, and what is compared comes first.
        query["order"] = query["order"][:1]
        if any(op in NEGATIVE or op in RANGES for filters in query["alternatives"] for _, op, _ in filters):
            query["order"] = []
    query["cursor"] = bool(query["order"]) and query["order"][0][0] in DOMAINS and rng.random() < 0.3
    query["kind"] = "query" if rng.random() < 0.85 else "count"
    return query


def valid(filters):
    """Without what Firestore refuses to combine."""
    kept, negative, lists = [], False, False
    named = any(field == "__name__" and op in ("==", "in") for field, op, _ in filters)
    for field, op, operand in filters:
        if op in ("in", "not-in", "array-contains-any"):
            operand = [item for item in operand if item is not None]
            if not operand:
                op, operand = ("==", None) if op == "in" else ("!=", None)
        if any(field.startswith(f"{other}.") or other.startswith(f"{field}.") for other, _, _ in kept):
            continue  # a map and its member: mostly a contradiction
        if field != "__name__" and named and (op in RANGES or op in NEGATIVE):
            continue
        if op in NEGATIVE:
            if negative and (op == "not-in" or negative == "not-in") or op == "not-in" and any(one[1] in ("in", "array-contains-any") for one in kept):
                continue
            negative = op
        if op in ("array-contains", "array-contains-any"):
            if lists:
                continue
            lists = True
        if negative == "not-in" and op in ("in", "array-contains-any"):
            continue
        kept.append((field, op, operand))
    return kept


def operand_value(field, operand, name_of):
    if field != "__name__":
        return value(operand)
    if isinstance(operand, list):
        return {"arrayValue": {"values": [value("->" + name_of(item)) for item in operand]}}
    return value("->" + name_of(operand))


def clause(field, op, operand, name_of):
    path = {"fieldPath": field}
    if operand is None and op in ("==", "!="):
        op = "null" if op == "==" else "not-null"  # as every SDK writes it
    if op in UNARY:
        return {"unaryFilter": {"field": path, "op": UNARY[op]}}
    return {"fieldFilter": {"field": path, "op": OPERATORS[op], "value": operand_value(field, operand, name_of)}}


def composite(op, filters):
    return filters[0] if len(filters) == 1 else {"compositeFilter": {"op": op, "filters": filters}}


def wire(query, collection, everywhere, name_of):
    """The `structuredQuery`."""
    asked = {"from": [{"collectionId": collection, "allDescendants": everywhere}]}
    branches = [composite("AND", [clause(*one, name_of) for one in filters]) for filters in query["alternatives"] if filters]
    if branches:
        asked["where"] = composite("OR", branches)
    if query["limit"] is not None:
        asked["limit"] = query["limit"]
    if query["offset"]:
        asked["offset"] = query["offset"]
    if query["order"]:
        asked["orderBy"] = [{"field": {"fieldPath": field}, "direction": direction} for field, direction in query["order"]]
        if query["cursor"]:
            first = next(item for item in DOMAINS[query["order"][0][0]] if item is not None)
            asked["startAt"] = {"values": [value(first)], "before": True}
    return asked


def smaller(query):
    """Queries with one thing less."""
    for at in range(len(query["alternatives"])):
        if len(query["alternatives"]) > 1:
            less = copy.deepcopy(query)
            del less["alternatives"][at]
            yield less
        for inner in range(len(query["alternatives"][at])):
            less = copy.deepcopy(query)
            del less["alternatives"][at][inner]
            yield less
    for name, nothing in (("limit", None), ("offset", None), ("order", []), ("cursor", False), ("kind", "query")):
        if query[name] != nothing:
            less = copy.deepcopy(query)
            less[name] = nothing
            if name == "order":
                less["cursor"] = False
            yield less


def show(query):
    """The query in one line."""
    words = [" or ".join(" and ".join(f"{field} {op}" + ("" if op in UNARY else f" {operand!r}") for field, op, operand in filters) or "anything" for filters in query["alternatives"])]
    words += [f"{name} {query[name]}" for name in ("limit", "offset") if query[name]]
    words += [f"order by {field} {direction[:-6].lower()}" for field, direction in query["order"]]
    words += ["start at"] if query["cursor"] else []
    words += [query["kind"]] if query["kind"] != "query" else []
    return ", ".join(words)
