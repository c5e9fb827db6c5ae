"""The documents that are there, the callers, and what each of them asks of every ruleset."""

from servers import fields, token, value


CALLERS = {
    "signed out": None,
    "alice": token({"sub": "alice", "role": "editor", "level": 7}),
    "bob": token({"sub": "bob", "role": "partner", "level": 6, "moderator": True}),
}


ITEM_A = {
    "owner": "alice",
    "score": 7,
    "public": True,
    "tags": ["red", "blue"],
    "at": "@2021-03-04T05:06:07Z",
    "deep": {"er": 2},
    "nothing": None,
}
ITEM_B = {"owner": "bob", "score": 4.5, "public": False, "tags": ["green"], "at": "@2021-03-04T05:06:07Z", "deep": {"er": "x"}}
DOCUMENTS = {
    "items/a": ITEM_A,
    "items/b": ITEM_B,
    "items/a/sub/x": {"n": 1},
    "items/b/sub/y": {"n": 2},
    "people/alice": {"rank": 2},
    "people/bob": {"rank": 1},
}

_FILTER = {"==": "EQUAL", ">": "GREATER_THAN", ">=": "GREATER_THAN_OR_EQUAL", "in": "IN", "array-contains": "ARRAY_CONTAINS"}


def query(*filters, collection="items", everywhere=False, limit=None, order=None):
    asked = {"from": [{"collectionId": collection, "allDescendants": everywhere}]}
    clauses = [
        {"fieldFilter": {"field": {"fieldPath": path}, "op": _FILTER[op], "value": value(operand)}} for path, op, operand in filters
    ]
    if len(clauses) == 1:
        asked["where"] = clauses[0]
    elif clauses:
        asked["where"] = {"compositeFilter": {"op": "AND", "filters": clauses}}
    if limit is not None:
        asked["limit"] = limit
    if order:
        asked["orderBy"] = [{"field": {"fieldPath": order}, "direction": "ASCENDING"}]
    return ("POST", ":runQuery", {"structuredQuery": asked})


def count(*filters):
    _, _, body = query(*filters)
    aggregations = [{"alias": "n", "count": {}}]
    return ("POST", ":runAggregationQuery", {"structuredAggregationQuery": {**body, "aggregations": aggregations}})


def commit(*writes):
    return ("POST", ":commit", {"writes": list(writes)})


def put(root, path, plain, mask=None, exists=None):
    write = {"update": {"name": f"{root}/{path}", "fields": fields(plain)}}
    if mask:
        write["updateMask"] = {"fieldPaths": mask}
    if exists is not None:
        write["currentDocument"] = {"exists": exists}
    return write


def requests(root):
    """Name → (method, path below `documents`, body). Those that may write are found by their name's first word."""
    new = {"owner": "alice", "score": 3, "public": True, "tags": ["red"]}
    stamp = {
        **put(root, "items/a", {}, mask=["touched"], exists=True),
        "updateTransforms": [{"fieldPath": "at", "setToServerValue": "REQUEST_TIME"}],
    }
    return {
        "get a": ("GET", "/items/a", None),
        "get b": ("GET", "/items/b", None),
        "get missing": ("GET", "/items/missing", None),
        "get below": ("GET", "/items/a/sub/x", None),
        "get both": ("POST", ":batchGet", {"documents": [f"{root}/items/a", f"{root}/items/b"]}),
        "list": ("GET", "/items", None),
        "query all": query(),
        "query owner alice": query(("owner", "==", "alice")),
        "query owner bob, public": query(("owner", "==", "bob"), ("public", "==", False)),
        "query owner in": query(("owner", "in", ["alice", "bob"])),
        "query public": query(("public", "==", True)),
        "query score > 4": query(("score", ">", 4)),
        "query score > 3": query(("score", ">", 3)),
        "query score == 7": query(("score", "==", 7)),
        "query tags red": query(("tags", "array-contains", "red")),
        "query limit 2": query(limit=2),
        "query limit 3 ordered": query(limit=3, order="score"),
        "query sub everywhere": query(collection="sub", everywhere=True),
        "count": count(),
        "count public": count(("public", "==", True)),
        "create": ("POST", "/items?documentId=new", {"fields": fields(new)}),
        "create odd": ("POST", "/items?documentId=odd", {"fields": fields({"owner": 1, "score": "high", "extra": {}})}),
        "create empty": ("POST", "/items?documentId=empty", {"fields": {}}),
        "set a": commit(put(root, "items/a", {**ITEM_A, "score": 8})),
        "set a as it is": commit(put(root, "items/a", ITEM_A)),
        "set new": commit(put(root, "items/new", new)),
        "update a": commit(put(root, "items/a", {"score": 7}, mask=["score"], exists=True)),
        "update b": commit(put(root, "items/b", {"owner": "alice"}, mask=["owner"], exists=True)),
        "update missing": commit(put(root, "items/missing", {"score": 7}, mask=["score"], exists=True)),
        "update with the time": commit(stamp),
        "write below": commit(put(root, "items/b/sub/x", {"n": 3})),
        "write both": commit(put(root, "items/a", ITEM_A), put(root, "items/new", new)),
        "delete a": ("DELETE", "/items/a", None),
        "delete missing": ("DELETE", "/items/missing", None),
    }


READING = ("get", "list", "query", "count")


def writes(name):
    return name.split()[0] not in READING
