"""Expressions of the rules language: every operator, method and function over every kind of value.

A value is spelled so that it is one in both compilers; an error is a kind of its own. `expressions()` is all of them,
in an order that never changes.
"""

import itertools
import random

VALUES = {
    "null": ["null"],
    "bool": ["true", "false"],
    "int": ["0", "1", "2", "-7", "9223372036854775807", "-9223372036854775808"],
    "float": ["0.5", "1.0", "-0.0", "-7.25", "(0.0 / 0.0)", "(1.0 / 0.0)", "(-1.0 / 0.0)", "9223372036854775808.0"],
    "string": ["''", "'a'", "'1'", "'-1.5'", "' bC d '", "'\U0001F600\u00e9'", "'a/b'", "'a,b,,'", "'2024-01-31'"],
    "bytes": ["b''", "b'a'", "b'\\xff\\x00'"],
    "timestamp": ["timestamp.date(2024, 2, 29)", "timestamp.value(1500)", "timestamp.value(-1)"],
    "duration": ["duration.value(0, 's')", "duration.value(1, 's')", "duration.time(1, 2, 3, 4)", "duration.value(-1500, 'ms')"],
    "latlng": ["latlng.value(0.0, 0.0)", "latlng.value(1.5, -2.5)"],
    "path": ["/a", "/a/b", "path('a/{x}')", "path('{y=**}')", "/a/$('b c/d')", "request.path"],
    "list": ["[]", "[1, 2]", "['a', 'b', 'a']", "[1.0, null]", "[[1], {'a': 1}, true]", "[/a/b, 1.5, 'x']", "[0.0 / 0.0]"],
    "set": ["[].toSet()", "[1, 2].toSet()", "['a', 'b', 'a'].toSet()", "[1, 1.0].toSet()", "[null].toSet()"],
    "map": ["{}", "{'a': 1}", "{'a': 1.0, 'b': 'x'}", "{'x': 'y', 'a': {'b': [1]}}", "{'y': /c/d}"],
    "map_diff": ["{}.diff({})", "{'a': 1, 'b': 2}.diff({'b': 2.0, 'c': 3})"],
    "error": ["(1 / 0 )", "[0][7]"],
}
# What a document has: the same kinds, not written in the rules.
FIELDS = {"null": "resource.data.n", "bool": "resource.data.b", "int": "resource.data.i", "float": "resource.data.nan",
          "string": "resource.data.s", "bytes": "resource.data.y", "timestamp": "resource.data.t", "latlng": "resource.data.g",
          "path": "resource.data.r", "list": "resource.data.l", "map": "resource.data.m", "error": "resource.data.missing"}
DOCUMENT = {"n": {"nullValue": None}, "b": {"booleanValue": True}, "i": {"integerValue": "7"}, "nan": {"doubleValue": "NaN"},
            "s": {"stringValue": "a,B\u00e9"}, "y": {"bytesValue": "AP8="}, "t": {"timestampValue": "2024-02-29T12:30:15.123456Z"},
            "g": {"geoPointValue": {"latitude": 1.5, "longitude": -2.5}},
            "l": {"arrayValue": {"values": [{"integerValue": "1"}, {"doubleValue": 1.0}, {"stringValue": "a"}]}},
            "m": {"mapValue": {"fields": {"a": {"integerValue": "1"}, "b": {"mapValue": {"fields": {"c": {"nullValue": None}}}}}}}}
BINARY = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||"]
TYPES = "bool bytes constraint duration float int latlng list map map_diff number path set string timestamp vector".split()
NAMESPACES = ["math", "timestamp", "duration", "latlng", "hashing"]
FUNCTIONS = """path int float string debug bool get exists math.abs math.ceil math.floor math.round math.sqrt math.pow math.isNaN
math.isInfinite math.max timestamp.date timestamp.value timestamp.toMillis duration.value duration.time duration.abs
duration.seconds latlng.value latlng.distance hashing.md5 hashing.sha256 hashing.crc32 hashing.crc32c""".split()
METHODS = """size lower upper trim split replace matches toUtf8 toBase64 toHexString concat hasAll hasAny hasOnly join removeAll toSet
union intersection difference keys values get diff addedKeys removedKeys changedKeys affectedKeys unchangedKeys bind year
month day hours minutes seconds nanos dayOfWeek dayOfYear date time toMillis latitude longitude distance contains""".split()
# Arguments that functions make something of, beside one of each kind.
UNITS = ["w", "d", "h", "m", "s", "ms", "ns", "S", "us", ""]
NUMBERS = ["'0'", "'1'", "'-1'", "'+1'", "'01'", "' 1'", "'1.5'", "'.5'", "'1.'", "'1e3'", "'1E-3'", "'0x10'", "'NaN'", "'nan'", "'Infinity'",
           "'-Infinity'", "'inf'", "'1f'", "'1d'", "'9223372036854775808'", "'-9223372036854775808'", "'1_000'", "''", "' '", "'\u0661'",
           "'true'", "0.1 + 0.2", "100000000000000000000.0", "0.0001", "0.001", "12345678.9", "123456789012345680.0",
           "1.5", "2.5", "-1.5", "-2.5", "-0.5", "0.49999999999999994", "4503599627370497.5", "2147483647.5", "9223372036854775807.0"]
PATHS = ["''", "'/'", "'a'", "'/a'", "'a/'", "'//a'", "'a//b'", "'a b'", "'a%20b'", "'a%2Fb'", "'%zz'", "'{x}'", "'a/{x=**}'", "'{x'", "'a/{x=*}'",
         "'\u00e9'", "'a?b'", "'..'", "'(default)'", "'/databases/(default)/documents/a/b'", "'$(x)'", "'a:b@c'", "'a*'", "'{}'", "'a{x}'"]
PATTERNS = ["''", "'a'", "'.*'", "'a|b'", "'(a)(b)?'", "'^a$'", "'[a-z]+'", "'\\\\d+'", "','", "'x*'", "'(?i)A'", "'\\\\pL'", "'(?P<n>a)'",
            "'a{2}'", "'\\\\b'", "'('", "'[z-a]'", "'(?=a)'", "'\\\\1'", "'a**'", "'\u00e9'", "'.'", "'\\\\s'", "'/'"]
SUBJECTS = ["''", "'a'", "'ab'", "'a,b,,'", "',a'", "'A1b2'", "'\U0001F600a\u00e9'", "'a b\\nc'", "'aXbXc'", "'2024-01-02'"]
REWRITES = ["''", "'x'", "'$0'", "'$1'", "'$2$1'", "'$9'", "'$'", "'\\\\'", "'\\\\1'", "'${n}'", "'$n'", "'$1x'", "'\\\\$1'", "'$$'"]
DATES = [("2024", "2", "29"), ("2023", "2", "29"), ("0", "1", "1"), ("1", "1", "1"), ("-1", "1", "1"), ("9999", "12", "31"), ("10000", "1", "1"),
         ("2024", "0", "1"), ("2024", "13", "1"), ("2024", "1", "0"), ("2024", "4", "31"), ("1969", "12", "31"), ("999999999", "1", "1"),
         ("1000000000", "1", "1"), ("2024", "1", "1.0"), ("'2024'", "1", "1")]
MOMENTS = ["0", "1", "-1", "999", "1000", "-1500", "1709164800123", "253402300799999", "253402300800000", "-62135596800000",
           "-62135596800001", "9223372036854775807", "-9223372036854775808", "1.5", "'1500'", "'2024-01-31'", "'2024-01-31T00:00:00Z'",
           "'2024-01-31T12:00:00.5Z'", "' 2024-01-31T12:00:00+02:00'", "'2024-01-31t00:00:00z'", "'2024-01-31 00:00:00Z'",
           "'2024-02-30T00:00:00Z'", "'2024-01-31T00:00:00'", "'2024-01-31T00:00Z'", "'9999-12-31T23:59:59.999999999Z'"]
AMOUNTS = ["0", "1", "-1", "1500", "315576000000", "9223372036854775807", "-9223372036854775808", "10000000000", "1.5"]
INDEXES = ["0", "1", "2", "3", "-1", "1.0", "'a'", "null", "true", "9223372036854775807"]
SEQUENCES = ["[]", "[1, 2]", "['a', 'b', 'c']", "''", "'ab'", "'abc'", "'\U0001F600\u00e9'", "/a", "/a/b/c", "{'a': 1}", "{}", "null", "b'ab'",
             "[1, 2].toSet()", "1", "request.path"]
TIMES = ["timestamp.date(2024, 2, 29)", "timestamp.date(1969, 12, 31)", "timestamp.date(2023, 12, 31)", "timestamp.value(1709164800123)",
         "timestamp.value(-1)", "timestamp.value(-86400001)", "timestamp.date(1, 1, 1)", "timestamp.date(9999, 12, 31)",
         "timestamp.date(2021, 1, 3)", "timestamp.value(951827696789)"]


def operators():
    every = [(kind, text) for kind, texts in VALUES.items() for text in texts]
    for operator, (left_kind, left), (right_kind, right) in itertools.product(BINARY, every, every):
        yield (operator, left_kind, right_kind), f"{left} {operator} {right}"
    for operator, (left_kind, left), (right_kind, right) in itertools.product(BINARY, FIELDS.items(), one_of_each()):
        yield (operator, left_kind, right_kind), f"{left} {operator} {right}"
        yield (operator, right_kind, left_kind), f"{right} {operator} {left}"
    for kind, text in every + list(FIELDS.items()):
        yield ("!", kind), f"!{text}"
        yield ("-", kind), f"-{text}" if not text.startswith("-") else f"-({text})"
        for other in ("true", "1", "(1 / 0 )"):
            yield ("?:", kind), f"{text} ? {other} : 'no'"
        for name in TYPES:
            yield ("is", kind), f"{text} is {name}"
        yield ("$()", kind), f"/a/$({text})"
        yield ("key", kind), f"{{{text}: 1}}"
        yield ("list", kind), f"[{text}, 1]"
        yield (".member", kind), f"({text}).a"
        for index_kind, index in every:
            yield ("[]", kind, index_kind), f"{text}[{index}]"
            yield ("[:]", kind, index_kind), f"{text}[{index}:]"
    for text, start, end in itertools.product(SEQUENCES, ["", *INDEXES], ["", *INDEXES]):
        if start or end:
            yield ("[:]", "sequence"), f"{text}[{start}:{end}]"


def one_of_each():
    return [(kind, texts[min(1, len(texts) - 1)]) for kind, texts in VALUES.items()]


def methods():
    every = [(kind, text) for kind, texts in VALUES.items() for text in texts] + list(FIELDS.items())
    for method, (kind, text) in itertools.product(METHODS, every):
        of = f"({text})" if text.startswith(("-", "request.")) or text[0].isdigit() or text.startswith(("/", "path")) else text
        yield (f".{method}", kind), f"{of}.{method}()"
        for argument_kind, argument in one_of_each():
            yield (f".{method}", kind, argument_kind), f"{of}.{method}({argument})"
        yield (f".{method}", kind, "2"), f"{of}.{method}('a', 'b')"
        yield (f".{method}", kind, "3"), f"{of}.{method}('a', 'b', 1)"
    has = ["hasAll", "hasAny", "hasOnly", "concat", "removeAll", "union", "intersection", "difference"]
    for method, left, right in itertools.product(has, VALUES["list"] + VALUES["set"], VALUES["list"] + VALUES["set"]):
        yield (f".{method}", "collection"), f"{left}.{method}({right})"
    for text, pattern in itertools.product(SUBJECTS, PATTERNS):
        yield (".matches", "string"), f"{text}.matches({pattern})"
        yield (".split", "string"), f"{text}.split({pattern})"
        for rewrite in REWRITES:
            yield (".replace", "string"), f"{text}.replace({pattern}, {rewrite})"
    for text in SUBJECTS + NUMBERS[:25] + PATHS:
        for method in ("size", "lower", "upper", "trim", "toUtf8"):
            yield (f".{method}", "string"), f"{text}.{method}()"
        for method in ("md5", "sha256", "crc32", "crc32c"):
            yield (f"hashing.{method}", "string"), f"hashing.{method}({text})"
    for text, method in itertools.product(TIMES, "year month day hours minutes seconds nanos dayOfWeek dayOfYear date time toMillis".split()):
        yield (f".{method}", "timestamp"), f"{text}.{method}()"
    for map_text, other in itertools.product(VALUES["map"] + ["{'a': {'b': 1}}", "{'a': [1]}", "{'a': null}"], repeat=2):
        yield (".diff", "map"), f"{map_text}.diff({other})"
        for method in ("addedKeys", "removedKeys", "changedKeys", "affectedKeys", "unchangedKeys"):
            yield (f".{method}", "map_diff"), f"{map_text}.diff({other}).{method}()"
    for key, default in itertools.product(["'a'", "'z'", "['a']", "['a', 'b']", "['a', 'b', 'c']", "[]", "[1]", "['a', 1]", "1", "null"],
                                          ["0", "null", "(1 / 0)", "'d'"]):
        for map_text in VALUES["map"] + ["{'a': null}"]:
            yield (".get", "map"), f"{map_text}.get({key}, {default})"
    for path, bound in itertools.product(["path('a/{x}')", "path('{x}/{y}')", "path('{x=**}/a')", "/a/b", "path('a/{x}b')"],
                                         ["{}", "{'x': 'v'}", "{'x': 1}", "{'x': 'a/b'}", "{'x': /a/b}", "{'x': 'v', 'y': 'w'}", "{'x': null}",
                                          "{'x': true}", "{'x': 1.0}", "{'x': ['a']}", "{'x': ''}", "{'z': 'v'}"]):
        yield (".bind", "path"), f"{path}.bind({bound})"


def functions():
    every = [(kind, text) for kind, texts in VALUES.items() for text in texts] + list(FIELDS.items())
    for function in FUNCTIONS:
        yield (function, "0"), f"{function}()"
        for kind, text in every:
            yield (function, kind), f"{function}({text})"
        for (left_kind, left), (right_kind, right) in itertools.product(one_of_each(), repeat=2):
            yield (function, left_kind, right_kind), f"{function}({left}, {right})"
        yield (function, "3"), f"{function}(1, 2, 3)"
        yield (function, "4"), f"{function}(1, 2, 3, 4)"
        yield (function, "5"), f"{function}(1, 2, 3, 4, 5)"
    for text in NUMBERS:
        for function in ("int", "float", "string", "math.abs", "math.ceil", "math.floor", "math.round", "math.sqrt", "math.isNaN"):
            yield (function, "number"), f"{function}({text})"
    numbers = ["0", "1", "2", "-1", "-2", "0.5", "-0.5", "(0.0 / 0.0)", "(1.0 / 0.0)", "(-1.0 / 0.0)", "-0.0", "1000"]
    for base, exponent in itertools.product(numbers, repeat=2):
        yield ("math.pow", "number"), f"math.pow({base}, {exponent})"
    for text in PATHS:
        yield ("path", "string"), f"path({text})"
        yield ("path", "string"), f"string(path({text}))"
        yield ("$()", "string"), f"/a/$({text})/b"
    for amount, unit in itertools.product(AMOUNTS, UNITS):
        yield ("duration.value", "int", "string"), f"duration.value({amount}, '{unit}')"
        yield ("duration.abs", "duration"), f"duration.abs(duration.value({amount}, '{unit}'))"
        yield (".seconds", "duration"), f"duration.value({amount}, '{unit}').seconds()"
        yield (".nanos", "duration"), f"duration.value({amount}, '{unit}').nanos()"
    for parts in itertools.product(["0", "1", "-1", "25"], ["0", "61", "-1"], ["0", "1", "-61"], ["0", "1000000001", "-1"]):
        yield ("duration.time", "int"), f"duration.time({', '.join(parts)})"
    for date in DATES:
        yield ("timestamp.date", "int"), f"timestamp.date({', '.join(date)})"
    for moment in MOMENTS:
        yield ("timestamp.value", "int"), f"timestamp.value({moment})"
        yield (".nanos", "timestamp"), f"timestamp.value({moment}).nanos()"
        yield (".toMillis", "timestamp"), f"timestamp.value({moment}).toMillis()"
    degrees = ["0", "0.0", "90.0", "-90.0", "90.1", "180.0", "-180.0", "180.1", "1", "(0.0 / 0.0)", "'1'"]
    for latitude, longitude in itertools.product(degrees, repeat=2):
        yield ("latlng.value", "number"), f"latlng.value({latitude}, {longitude})"
        yield (".distance", "latlng"), f"latlng.value({latitude}, {longitude}).distance(latlng.value(1.5, -2.5)) > 1000.0"


def nested(count, seed):
    """Random expressions of expressions: how errors and types travel."""
    source = random.Random(seed)
    every = [text for texts in VALUES.values() for text in texts] + ["request.auth.uid", "request.auth.token", "resource", "request.x"]

    def expression(depth):
        if depth == 0:
            return source.choice(every)
        inner = lambda: expression(depth - 1)
        return source.choice([
            lambda: f"({inner()} {source.choice(BINARY)} {inner()})",
            lambda: f"({inner()} && {inner()} && {inner()})",
            lambda: f"({inner()} || {inner()} || {inner()})",
            lambda: f"({inner()} ? {inner()} : {inner()})",
            lambda: f"!({inner()})",
            lambda: f"[{inner()}, {inner()}]",
            lambda: f"({inner()}).{source.choice(METHODS)}({inner()})",
            lambda: f"({inner()}).{source.choice(METHODS)}()",
            lambda: f"{source.choice(FUNCTIONS)}({inner()})",
            lambda: f"({inner()})[{inner()}]",
            lambda: f"({inner()} is {source.choice(TYPES)})",
        ])()

    for _ in range(count):
        yield ("nested",), expression(source.randint(2, 3))


def expressions():
    """Each once: what it is about (a function or operator, and kinds) and its text."""
    seen = set()
    for about, text in itertools.chain(operators(), methods(), functions(), nested(4000, 1)):
        if text not in seen:
            seen.add(text)
            yield about, text
