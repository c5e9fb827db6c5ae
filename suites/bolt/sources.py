"""Makes Bolt files by chance, the same for the same seed: every construct of the language, alone and in others.

`generate(seed, count)` gives pairs of a name and a text. Most are whole, so that there are rules to compare; in each third one
something is missing, doubled or replaced, so that there are messages to compare. `CONSTRUCTS` says what must occur.
"""

import random
import re

# What every generated set must contain, as patterns of the text.
CONSTRUCTS = {
    "path statement": r"\bpath /",
    "path without its keyword": r"(?m)^/[a-z]",
    "nested path": r"\{\s*(path )?/\w",
    "capture in braces": r"/\{\w+\}",
    "capture with a star": r"/\{\w+\s*=\s*\*\}",
    "capture with a dollar": r"/\$\w+",
    "path of a type": r" is [A-Z]",
    "path ended by a semicolon": r"(?m)^path [^{}\n]*;",
    "read": r"read\(\)", "write": r"write\(\)", "validate": r"validate\(\)", "index": r"index\(\)",
    "create": r"create\(\)", "update": r"update\(\)", "delete": r"delete\(\)",
    "old form of a method": r"\) = ",
    "return": r"\breturn ",
    "function with its keyword": r"\bfunction \w+\(",
    "function of several arguments": r"(?m)^\w+\(\w+, \w+",
    "call with several arguments": r"\w+\([^()]+, [^()]+\)",
    "type": r"\btype [A-Z]",
    "extends": r"\bextends [A-Z]",
    "generic type": r"\btype \w+<\w+",
    "generic type of two parameters": r"\btype \w+<\w+, \w+>",
    "generic use": r"(?<!Map)<(String|Number|[A-Z]\w+)[,>]",
    "union": r"[A-Za-z>\]] \| [A-Z]",
    "nullable": r"\| Null",
    "list type": r"\w\[\]",
    "map type": r"Map<",
    "wild property": r"\$\w+: ",
    "quoted property": r"'[^'\n]*': [A-Z]",
    "this": r"\bthis\b",
    "prior": r"\bprior\(",
    "key": r"\bkey\(\)",
    "root": r"\broot\b",
    "parent": r"\.parent\(\)",
    "now": r"\bnow\b",
    "auth": r"\bauth\b",
    "index by an expression": r"\[(?:\w+|this[^\]]*)\]",
    "length": r"\.length", "includes": r"\.includes\(", "startsWith": r"\.startsWith\(", "endsWith": r"\.endsWith\(",
    "replace": r"\.replace\(", "test": r"\.test\(/", "toLowerCase": r"\.toLowerCase\(", "toUpperCase": r"\.toUpperCase\(",
    "contains": r"\.contains\(", "beginsWith": r"\.beginsWith\(", "matches": r"\.matches\(",
    "regular expression with a modifier": r"/i\)",
    "hasChildren": r"hasChildren\(",
    "isString": r"isString\(", "isNumber": r"isNumber\(", "isBoolean": r"isBoolean\(",
    "child": r"\.child\(", "val": r"\.val\(\)",
    "ternary": r" \? ",
    "and as a word": r" and ", "or as a word": r" or ",
    "&&": r"&&", "||": r"\|\|", "!": r"!\w|!\(", "==": r"[^=]==[^=]", "===": r"===", "!=": r"!=[^=]", "!==": r"!==",
    "<": r" < ", "<=": r" <= ", ">": r" > ", ">=": r" >= ",
    "+": r" \+ ", "-": r" - ", "*": r" \* ", "/": r" / ", "%": r" % ", "sign": r"[ (]-\w",
    "unary plus": r"[ (]\+\w",
    "hexadecimal": r"0x[0-9a-f]+", "fraction": r"\d\.\d", "exponent": r"\de[+-]?\d",
    "text in double quotes": r'"', "escape": r"\\[ntbfrux'\"\\]",
    "line comment": r"//", "block comment": r"/\*",
    "single equals": r" = ",
    "separator after a method": r"\}[,;]\n",
    "line end of two characters": r"\r\n", "tab": r"\t",
}

NAMES = ["name", "age", "owner", "role", "members", "title", "body", "flag", "kind", "at"]
LABELS = ["users", "rooms", "posts", "a", "b1", "x-y", "2019", "7", "été", "snake_case"]
CAPTURES = ["uid", "room", "id", "x", "$y"]
BASES = ["String", "Number", "Boolean", "Object", "Any"]
STRINGS = ["''", "'a'", '"b c"', r"'it\'s'", r"'\n\t\\'", r'"\x41\u00e9"', "'é'", "'10'", r"'\b\f\r'", "'a.b'", "'😀'"]
NUMBERS = ["0", "1", "42", "3.25", ".5", "1e3", "2.5e-7", "0x1f", "1e21", "-3", "123456789012345680000", "0.1", "007", "1."]
REGEXPS = ["/^[a-z]+$/", "/a|b/i", r"/\d{2,3}/", r"/^\/x\/$/", "/[^/]*/", "/é/", r"/\\/", "/./"]
BINARY = ["&&", "||", "and", "or", "==", "!=", "===", "!==", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"]


class Maker:
    def __init__(self, chance):
        self.chance = chance
        self.functions = []
        self.types = []
        self.captures = []
        self.arguments = []
        self.keyed = False

    def some(self, probability):
        return self.chance.random() < probability

    def pick(self, things):
        return self.chance.choice(things)

    # --- expressions ---------------------------------------------------------------------------------------------------

    def atom(self):
        choices = [lambda: "this", lambda: "auth.uid", lambda: "auth", lambda: "now", lambda: "true", lambda: "false",
                   lambda: "null", lambda: self.pick(STRINGS), lambda: self.pick(NUMBERS), lambda: "key()",
                   lambda: "root", lambda: f"this.{self.pick(NAMES)}", lambda: f"root.{self.pick(NAMES)}",
                   lambda: f"auth.token.{self.pick(NAMES)}", lambda: "prior(this)", lambda: "this.parent()"]
        choices += [lambda: self.pick(self.arguments)] * (4 if self.arguments else 0)
        choices += [lambda: self.pick(self.captures)] * (3 if self.captures else 0)
        return self.pick(choices)()

    def place(self, depth):
        text = self.pick(["this", "root", "prior(this)", "this.parent()", "this.parent().parent()", "root.parent()"]
                         + self.arguments)
        for _ in range(self.chance.randint(0, 3)):
            text += self.pick([f".{self.pick(NAMES)}", f"[{self.expression(depth - 2)}]", f"['{self.pick(LABELS)}']",
                               f".child({self.expression(depth - 2)})", ".parent()"])
        return text

    def method(self, depth):
        on = self.pick([self.place, self.place, self.place, lambda _: self.pick(STRINGS), lambda _: "auth.token.email"])
        text = on(depth)
        inner = self.expression(depth - 2)
        return text + self.pick([
            ".length", f".includes({inner})", f".startsWith({inner})", f".endsWith({inner})", f".replace({inner}, 'x')",
            f".test({self.pick(REGEXPS)})", f".test({self.pick(REGEXPS)})", ".toLowerCase()", ".toUpperCase()",
            f".contains({inner})", f".beginsWith({inner})", f".matches({self.pick(REGEXPS)})", ".isString()", ".isNumber()",
            ".isBoolean()", ".hasChildren()", f".hasChildren(['{self.pick(NAMES)}', '{self.pick(NAMES)}'])", ".val()",
            ".length > 3", f".child({inner}).val()",
            ".exists()" if self.some(0.1) else ".isString()",
        ])

    def call(self, depth):
        if not self.functions:
            return self.method(depth)
        name, arity = self.pick(self.functions)
        count = arity if not self.some(0.02) else arity + 1
        return f"{name}({', '.join(self.expression(depth - 2) for _ in range(count))})"

    def expression(self, depth):
        if depth <= 0 or self.some(0.12):
            return self.atom()
        kind = self.chance.random()
        if kind < 0.38:
            sign = self.pick(BINARY) if not self.some(0.004) else "="
            space = self.pick([" ", " ", " ", "\n    ", " /* why */ "])
            return f"{self.expression(depth - 1)}{space}{sign} {self.expression(depth - 1)}"
        if kind < 0.48:
            return f"({self.expression(depth - 1)})"
        if kind < 0.56:
            return self.pick(["!", "-", "!", "+", "!!", "- "]) + self.pick([self.atom, lambda: f"({self.expression(depth - 1)})"])()
        if kind < 0.64:
            return f"{self.expression(depth - 1)} ? {self.expression(depth - 1)} : {self.expression(depth - 1)}"
        if kind < 0.74:
            return self.place(depth)
        if kind < 0.88:
            return self.method(depth)
        if kind < 0.91:
            return f"prior({self.expression(depth - 1)})"
        return self.call(depth)

    def body(self, depth=4):
        text = self.expression(self.chance.randint(1, depth))
        if self.some(0.04):
            return f" = {text};"
        if self.some(0.04):
            return f" {{ return {text}; }}"
        if self.some(0.1):
            return f" {{\n    {text}  // so\n  }}"
        return f" {{ {text}{self.pick(['', '', ';'])} }}"

    # --- types ---------------------------------------------------------------------------------------------------------

    def type(self, depth=2, parameters=()):
        if depth > 0 and self.some(0.18):
            return f"Map<{self.pick(['String', 'String', *(['Key'] if self.keyed or self.some(0.02) else []), *parameters[:self.some(0.1)]])}, {self.type(depth - 1, parameters)}>"
        if depth > 0 and self.some(0.15):
            return f"{self.type(depth - 1, parameters)} | {self.pick(['Null', 'Null', self.type(depth - 1, parameters)])}"
        if self.some(0.12):
            return self.pick(["String", "Number", *[name for name, count in self.types if not count]]) + "[]"
        if self.types and self.some(0.4):
            name, count = self.pick(self.types)
            if count:
                return f"{name}<{', '.join(self.type(depth - 1, parameters) for _ in range(count))}>"
            return name
        return self.pick(BASES + list(parameters) * 3)

    def type_statement(self):
        name = f"T{len(self.types)}"
        parameters = self.pick([(), (), (), ("A",), ("A", "B")])
        shown = f"<{', '.join(parameters)}>" if parameters else ""
        base = ""
        kind = self.chance.random()
        lines = []
        if kind < 0.3:
            base = f" extends {self.type(0, parameters)}"
        else:
            if self.some(0.25) and self.types:
                base = f" extends {self.type(0, parameters)}"
            if self.some(0.12):
                lines.append(f"  ${self.pick(NAMES)}: {self.type(2, parameters)}")
            else:
                for field in self.chance.sample(NAMES, self.chance.randint(0, 4)):
                    shown_field = f"'{field}'" if self.some(0.08) else field
                    lines.append(f"  {shown_field}: {self.type(2, parameters)}{self.pick([',', ',', ';', ''])}")
        for method in self.chance.sample(["validate", "read", "write", "create", "update", "delete"], self.pick([0, 0, 1, 1, 2])):
            if method == "write" and any(re.match(r"  (create|update|delete)\(", line) for line in lines) and self.some(0.9):
                continue
            lines.append(f"  {method}(){self.body(3)}{self.pick(['', '', '', ',', ';'] if self.some(0.1) else [''])}")
        self.types.append((name, len(parameters)))
        if not lines and self.some(0.5):
            return f"type {name}{shown}{base};"
        return f"type {name}{shown}{base} {{\n" + "\n".join(lines) + "\n}"

    # --- functions and paths -------------------------------------------------------------------------------------------

    def function(self):
        name = f"f{len(self.functions)}"
        self.arguments = self.chance.sample(["x", "who", "what", "n"], self.chance.randint(0, 3))
        text = f"{self.pick(['', '', 'function '])}{name}({', '.join(self.arguments)}){self.body()}"
        self.functions.append((name, len(self.arguments)))
        self.arguments = []
        return text

    def template(self):
        parts = []
        for _ in range(self.chance.randint(1, 3)):
            if self.some(0.35):
                name = self.pick(CAPTURES)
                self.captures.append(name)
                parts.append(self.pick([f"{{{name}}}", f"{{{name}}}", f"{{{name}}}", f"{{{name} = *}}",
                                        f"${name.lstrip('$')}" if name.startswith("$") or self.some(0.3) else f"{{ {name} }}"]))
            else:
                parts.append(self.pick(LABELS))
        return "/" + "/".join(parts)

    def path(self, level=0):
        before = list(self.captures)
        template = "/" if level == 0 and self.some(0.08) else self.template()
        shown = ("path " if level == 0 and not self.some(0.1) or self.some(0.5) else "") + template
        if self.some(0.45):
            shown += f" is {self.type()}"
        if self.some(0.15):
            self.captures = before
            return f"{shown};" if " is " in shown or self.some(0.5) else f"{shown} {{}}"
        lines = []
        methods = self.pick([["read"], ["write"], ["read", "write"], ["create", "delete"], ["update"], ["validate"],
                             ["read", "create", "update", "delete"], ["validate", "write"], ["index", "read"], []])
        for method in methods:
            if method == "index":
                names = self.pick(["'name'", "['name', 'age']", "['a/b']", "[]" if self.some(0.1) else "'at'"])
                lines.append(f"  index() {{ {names} }}")
            else:
                lines.append(f"  {method}(){self.body()}{self.pick([',', ';']) if self.some(0.06) else ''}")
        if level < 2 and self.some(0.3):
            lines.insert(self.chance.randint(0, len(lines)), "  " + self.path(level + 1).replace("\n", "\n  "))
        self.captures = before
        return f"{shown} {{\n" + "\n".join(lines) + "\n}"

    def file(self):
        statements = []
        self.keyed = self.some(0.3)
        if self.keyed:
            statements.append("type Key extends String { validate() { this.test(/^[a-z]+$/) } }")
        statements += [self.function() for _ in range(self.chance.randint(0, 3))]
        statements += [self.type_statement() for _ in range(self.chance.randint(0, 3))]
        statements += [self.path() for _ in range(self.chance.randint(1, 4))]
        if self.some(0.3):
            self.chance.shuffle(statements)
        comments = ["", "", "// " + self.pick(["x", "path /a", "it's", "é"]) + "\n", "/* a\n * b */\n", "/**/"]
        return "".join(self.pick(comments) + statement + self.pick(["\n", "\n\n", " \n"]) for statement in statements)


TOKENS = re.compile(r"\s+|\w+|'[^'\n]*'|[^\w\s]")
SPARE = ["{", "}", "(", ")", ";", ",", "/", "'", "path", "type", "is", "extends", "<", ">", "|", ":", "=", "this", "*/", "/*",
         "//", "function", ".", "[", "]", "$x", "Null", "!", "&&", "return", "0x", "\\", "\n", " ", "é", "/i", "1.5"]


def damaged(text, chance):
    """The text with one to three tokens missing, doubled, replaced or added."""
    tokens = TOKENS.findall(text)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(tokens))
        how = chance.randrange(4)
        if how == 0 and len(tokens) > 1:
            del tokens[at]
        elif how == 1:
            tokens.insert(at, tokens[at])
        elif how == 2:
            tokens[at] = chance.choice(SPARE)
        else:
            tokens.insert(at, chance.choice(SPARE))
    return "".join(tokens)


def generate(seed, count):
    sources = []
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        text = Maker(chance).file()
        if number % 3 == 2:
            text = damaged(text, chance)
        ends = chance.random()
        if ends < 0.08:
            text = text.replace("\n", "\r\n" if ends < 0.06 else "\r").replace("  ", "\t")
        sources.append((f"generated {seed}/{number}", text))
    return sources
