"""Writes the cases RE2 itself answers: `oracle.py curated > cases.tsv`, or `oracle.py random COUNT SEED` for a
larger comparison (`HEARTH_RE2_CASES=file cargo test -p policy --test re2`). Needs `pip install google-re2`.

A line is a kind and JSON fields, separated by tabs:
  match   pattern text full partial
  error   pattern message
  replace pattern rewrite text result
"""

import json
import random
import sys

from re2 import _re2

OPTIONS = _re2.RE2.Options()
OPTIONS.log_errors = False
ANCHOR = _re2.RE2.Anchor


def emit(*fields):
    kind, *values = fields
    print(kind, *(json.dumps(value, ensure_ascii=True) for value in values), sep="\t")


def spans(regex, anchor, text, start):
    found = regex.Match(anchor, text, start, len(text))
    return found if found and found[0][0] >= 0 else None


def rewritten(rewrite, text, groups):
    out, i = b"", 0
    while i < len(rewrite):
        if rewrite[i : i + 1] == b"\\":
            i += 1
            if rewrite[i : i + 1] == b"\\":
                out += b"\\"
            else:
                begin, end = groups[int(rewrite[i : i + 1])]
                out += text[begin:end] if begin >= 0 else b""
        else:
            out += rewrite[i : i + 1]
        i += 1
    return out


def replaced(regex, text, rewrite):
    """RE2's GlobalReplace, which the wheel does not expose; None when it cuts a character in two."""
    out, at, last_end = b"", 0, None
    boundaries = {0}
    for char in text.decode():
        boundaries.add(max(boundaries) + len(char.encode()))
    while at <= len(text):
        groups = spans(regex, ANCHOR.UNANCHORED, text, at)
        if groups is None:
            break
        begin, end = groups[0]
        if begin not in boundaries or end not in boundaries:
            return None
        out += text[at:begin]
        if begin == end == last_end:
            step = 1
            while at + step not in boundaries and at + step < len(text):
                step += 1
            out += text[at : at + step]
            at += step
            continue
        out += rewritten(rewrite, text, groups)
        at = last_end = end
    return (out + text[at:]).decode()


def answer(pattern, texts, rewrites=()):
    try:
        encoded = pattern.encode()
    except UnicodeEncodeError:
        return
    regex = _re2.RE2(encoded, OPTIONS)
    if not regex.ok():
        emit("error", pattern, regex.error().decode(errors="replace"))
        return
    for text in texts:
        data = text.encode()
        full = spans(regex, ANCHOR.ANCHOR_BOTH, data, 0) is not None
        partial = spans(regex, ANCHOR.UNANCHORED, data, 0) is not None
        emit("match", pattern, text, full, partial)
        for rewrite in rewrites:
            if any(f"\\{n}" in rewrite for n in range(regex.NumberOfCapturingGroups() + 1, 10)):
                continue
            result = replaced(regex, data, rewrite.encode())
            if result is not None:
                emit("replace", pattern, rewrite, text, result)


# Patterns by subject, each with the texts worth asking about.
CURATED = [
    # ASCII classes and boundaries.
    (r"^\d$ \d \D ^\w$ \w+ \W \W+ ^\s$ \s \S \b\w+\b \bé \Bé \B \b é\b [\d] [\D] [^\d] [\w-] [^\W] [\s\S] (?i)\w (?i)\W (?i)[\w] (?i)[^\w]",
     ["", "5", "\u0663", "é", "a", "_", "\u00a0", " ", "\t\n\f\r", "\v", "ſ", "\u212a", "aé", "éa", "a b", "aéa", "日本"]),
    (r"[[:alnum:]] [[:alpha:]]+ [[:ascii:]]+ [[:blank:]] [[:cntrl:]] [[:digit:]] [[:graph:]] [[:lower:]] [[:print:]] [[:punct:]] [[:space:]] [[:upper:]] [[:word:]] [[:xdigit:]] [[:^alpha:]] [^[:^alpha:]] [[:alpha:][:digit:]]+ (?i)[[:upper:]] (?i)[[:^upper:]]",
     ["a", "Z", "5", "_", " ", "\t", "\v", "\x7f", "~", "é", "ſ", "a1", "\u212a"]),
    (r"\pL \p{L}+ \PL \pN \p{Lu} \p{Ll} \P{Lu} \p{^Lu} \P{^Lu} \p{Greek} \p{^Greek} [\p{Greek}x] [^\p{Greek}x] \p{Han}+ \p{Latin}+ \p{Any} \P{Any} \pZ \p{Zl} \p{Zs} \pC \p{Cc} \p{Co} \p{Cs} \p{Sc} (?i)\p{Lu} (?i)\P{Lu} (?i)[^\p{Lu}] (?i)\p{Greek} \p{Yi} \p{Nd}",
     ["a", "A", "é", "α", "Σ", "ς", "x", "5", "\u0663", "²", "日本", "$", "\u2028", "\u00a0", "\ue000", "\u0378", "", "ǅ", "ꀀ"]),
    # Escapes.
    (r"\Qa.b*\E \Qa.b \Q\E a\Q+\E+ \Qab\E* \Q\\E \Q\é\E \101 \012 \12 \0 \08 \377 \400 \777 \1011 \x41 \x{41} \x{0041} \x{1F600} \xe9 \x{e9} \a\f\n\r\t\v \. \- \_ \/ \@ \  \~ \^ \$ \! \< \] \} [\.\-\]] [\x41-\x43] [\101-\103] [\n] \C \C\C ^\C$ .\C \C+",
     ["a.b*", "ab", "abb", "A", "\n", "\0", "\x008", "ÿ", "\u0100", "\u01ff", "A1", "😀", "é", "\a\f\n\r\t\v", ".", "-", "_", "/", "]", "}", "a+", "a++", "\\", "\\é", "aé", "", "^", "$"]),
    (r"\x{D800} [\x{D800}] [\x{D800}-\x{DFFF}] [\x{D7FF}-\x{E000}] [^\x{D800}] [\x{D800}-\x{FFFF}] x|\x{DFFF} (?i)\x{D800}",
     ["\ufffd", "\ud7ff", "\ue000", "x", "", "\U00010000"]),
    # Classes.
    (r"[a] []a] []] [^]a] [^]] [a-] [-a] [a-c-e] [a&&b] [[a] [[a]] [a[b] [a\]] [^a] [^^] [a^] [[:alpha] [[:] [:alpha:] [[.a.]] [[=a=]] [*+?.|(){}^$] [^a-zA-Z0-9] [\pL\d_]+ [\\] [^\x00-\x{10FFFF}] [^\s\S] [a-a] [,--] [+--] [--/] [é-ü] (?i)[k] (?i)[^k] (?i)[a-z]+ (?i)[ſ] (?i)[^ſ]",
     ["a", "b", "]", "-", "&", "&&", "[", "[a", "a]", "[]", "^", "d", ":", "l", "_", "\\", "", ",", ".", "/", "é", "ê", "k", "K", "\u212a", "s", "S", "ſ", "abc", ".]", "=]"]),
    # Case.
    (r"(?i)abc (?i)k (?i)straße (?i)ς (?i:a)b a(?i)b a(?i:b)c (?i)a(?-i)b (?i)[α-ω] (?i)ß (?i)ǆ (?i)İ (?i)ı (?i)i (?-i)a (?i)\101 (?i)\QaB\E",
     ["abc", "ABC", "aBc", "K", "\u212a", "k", "STRASSE", "STRAẞE", "straße", "Σ", "σ", "ς", "Ab", "AB", "ab", "aB", "aBc", "ẞ", "ǅ", "i", "I", "İ", "ı", "A", "a", "Ω"]),
    # Anchors, lines, dots.
    (r"^a$ ^ $ ^$ a^ $a (?m)^a$ (?m)^$ (?m)a$\nb \Aa\z \z\A (?m)\Aa (?m)a\z . .* a.b (?s). (?s)a.b (?s).* (?-s). (?s-s:.) (?ms)^.*$ (?m)$ (?m)^ (?m)a$. (?ms)a$. (^a|b)c (a$|b) ^* ^+ $? (?:^)* (?:$)+ \b* (?:\b)+a ^^a a$$",
     ["", "a", "a\n", "\na", "a\nb", "\n", "b\na\nc", "ab", "a\rb", "bc", "ac", "\r\n", "é", "\n\n"]),
    # Repetition.
    (r"a* a+ a? a*? a+? a?? a{2} a{2,} a{2,3} a{0} a{0,} a{0,0} a{1} a{2}? a{,2} a{ a{} a{a} a{1 a{1, a{1,2 {  {1 {} {,} { } } a{1}b{2} a{02} a{2,03} a{1000} a{100000000000} a{2 } a{-1} a{1,2,3} (a*)* (a+)+ (a|b)* (|a)* (|a)+ (a|)+ (a*)+ (a*){2} ((a)|b)* (?U)a+ (?U)a+? a*(?i)* a+(?i)? a*\Q\E+ (a{31}){32} (a{10}){100} ((a{10}){10}){10} (a{0}){1000} (a{0,5}){1,200} (?:){1000} a(?i){2} (a*){3}",
     ["", "a", "aa", "aaa", "aaaa", "ab", "ba", "{", "}", "{}", "a{", "a{,2}", "a{1", "a{1,", "abb", "a{02}", "{1}", "{,}", "a{2 }", "a{-1}", "a{}", "a{a}"]),
    # Groups and alternatives.
    (r"() (a) (?:a) (a|b) a| |a | || a||b (a|) (|) (a)(b) (?P<n>a) (?<n>a) (?P<n>a)(?P<m>b) (?P<é>a) (?P<1a>a) (?P<_>a) (?<日本>a) a|ab ab|a (a|ab)(c|bcd) (?i)(a)b ((?i)a)b (?i)(?:(?-i)a)b (?:) (?i) (?i)(?s) (?is) (?i-s) (?-is) (?U) (?i-s:a) (?-:a) (?i-:a) (?:a|b|c)+ ((((a)))) a(b(c)?)?",
     ["", "a", "b", "ab", "abc", "abcd", "A", "aB", "AB", "ba", "aa"]),
    # Common in rules.
    (r"^[a-z0-9_-]{3,16}$ .*@domain[.]com [^@]+@[^@]+\.[^@]+ ^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$ https?://.* ^(https?://)?[^/]+(/.*)?$ image/.* (image|video)/.* ^\w+$ \w+ ^\d{4}-\d{2}-\d{2}$ [0-9a-fA-F]{8}-[0-9a-fA-F]{4} ^#(?:[0-9a-fA-F]{3}){1,2}$ ^\+?[1-9]\d{1,14}$ ^$|^.{1,5}$ [^\s]+ .*[.](jpg|png) ^(?i)(admin|owner)$ [\p{L}\p{N} '-]+",
     ["user_1", "é", "user@domain.com", "banana", "a@b.co", "a@b", "http://x.y/z", "https://", "image/png", "image", "video/mp4\n", "2020-01-31", "2020-1-31", "٢٠٢٠-٠١-٣١", "#fff", "#ffff", "+12025550100", "x.jpg", "x.jpeg", "ADMIN", "owner ", "Zoë O'Hara-1", "", "a b"]),
]

ERRORS = r"""a** a*+ a+* a?* a??? a*?* a{2}{3} a{2}* a*{2} x{2}{3} a{1001} a{1001,} a{1,1001} a{2,1} a{1000,1001} (a{32}){32} (a{1000}){2} ((a{11}){10}){10} (a{2,}){501} (a{501}){2,} (a{0,501}){2}
* + ? {1} {1,2} (*) (+a) (?) |* a|* (a|*) ^** (?i)* (?:*) \Q\E* a(|*) (?:{2})
( (a (a|(b) (?:a (?i:a (?P<n>a ((a) ) a) a)b (a)) )( [ [a [^ [] []a [^] [^]a [[:alpha:] [a-z [\] [a- [a-\
[b-a] [z-a] [a--b] [--+] [é-a] [a-\d] [\d-z-a] [a-[:digit:]] [[:foo:]] [[:ALPHA:]] [[:^foo:]] [[::]] [[:alpha:x:]] [\x{10}-\x{5}]
\ a\ [\ \8 \9 \1 \7 \18 \19 \x \x4 \xg \x{ \x{} \x{g} \x{41 \x{4 \x{110000} \x{FFFFFFFFFF} \x{41x} \xé \x4é \Z \E \R \X \G \K \h \H \N \cA \e \u0041 \U00000041 \L \é \日 \y \i \_\c [\Q] [\b] [\B] [\A] [\z] [\C] [\Z] [\8] [\1] [\pé] [\é]
\p \P \p{ \p{} \p{^} \p^L \p{foo} \p{greek} \p{Grek} \p{GREEK} \p{Letter} \p{Cn} \p{LC} \p{L&} \p{gc=L} \p{sc=Greek} \p{Script=Greek} \p{IsGreek} \p{Alphabetic} \pé \p{é} \p{any} \p{Greek \pq [\p [\p{ [\p{foo}] [\P{foo}] [\p] \p{Garay}
(?=a) (?!a) (?<=a) (?<!a) (?<= (?<! (?= (?! (?<=)) (?>a) (?#a) (?P=n) (?P>n) (?P (?P< (?P<n (?P<> (?P<>a) (?P<n>a (?P<n-m>a) (?P<n>a)(?P<n>b) (?<n>a)(?P<n>b) (?< (?<n (?<>a) (?<n m>a) (?'n'a) (?P<n!>a) (?P<😀>a)
(? (?i (?i- (?- (?-) (?--i) (?i-i-s) (?i-) (?-: (?x)a (?a) (?u) (?L) (?é) (?i<n>a) (?i<=a) (?i=a) (?s (?iP<n>a) (?1) (?R) (?&n) (?|a) (?(1)a) (?^i) (?+i) (?i*) (?ii (?I)
(?i)[ a[ (?s)( é( é* é** **  a|** (a)** (a)*{2} (?:a*)** a{1}{1} a{1}? a{2}?? a{2}?+ x*? x*?? x+?* x??+""".split("\n")

REPLACES = [
    ("a", ["banana", "", "b"], ["o", "", "\\0\\0", "\\\\", "é"]),
    ("ana", ["banana", "ananana"], ["ee"]),
    (".", ["foo@test.com", "é日", "\n"], ["-", "<\\0>"]),
    ("", ["abc", "", "é", "日本"], ["-"]),
    ("x*", ["abc", "axb", "xx", "axxb", "éxé"], ["-", "[\\0]"]),
    ("a*?", ["aab"], ["-"]),
    ("(a)(b)?", ["ab a b", "ba"], ["[\\1|\\2]", "\\2\\1"]),
    ("(a*)+", ["baac"], ["[\\1]"]),
    ("(|a)*", ["aab"], ["[\\0]"]),
    ("(|a)+", ["aab"], ["[\\0]"]),
    ("(a|ab)(c|bcd)(d*)", ["abcd"], ["[\\1|\\2|\\3]"]),
    ("\\b", ["ab cd", "aé"], ["|"]),
    ("\\B", ["abc"], ["|"]),
    ("(?m)^", ["a\nb\n", "\n\n"], ["> "]),
    ("(?m)$", ["a\nb\n"], ["!"]),
    ("^", ["a\nb"], ["> "]),
    ("$", ["a\nb"], ["!"]),
    ("(?i)k", ["K\u212ak"], ["x"]),
    ("(?U)a+", ["aaa"], ["x"]),
    ("(\\w+)@(\\w+)", ["joe@site, ann@work"], ["\\2 at \\1"]),
    ("\\W", ["aé b"], ["_"]),
]


def curated():
    for patterns, texts in CURATED:
        for pattern in patterns.split(" "):
            if pattern.endswith("\\") and not pattern.endswith("\\\\"):
                pattern += " "
            regex = _re2.RE2(pattern.encode(), OPTIONS)
            if not regex.ok():
                answer(pattern, [])
                continue
            asked = [(text, spans(regex, ANCHOR.ANCHOR_BOTH, text.encode(), 0) is not None) for text in texts]
            # A few of each verdict say as much as all of them.
            yes = [text for text, full in asked if full][:4]
            no = [text for text, full in asked if not full][:4]
            answer(pattern, yes + no)
    for line in ERRORS:
        for pattern in line.split(" "):
            answer(pattern, ["", "a"])
    for pattern, texts, rewrites in REPLACES:
        answer(pattern, texts, rewrites)


ATOMS = (
    "a b c k s é ß ſ σ 日 😀 . ^ $ \\b \\B \\A \\z \\d \\D \\w \\W \\s \\S \\C \\pL \\PL \\p{Greek} \\p{^Lu} \\p{Ll} \\pN "
    "\\x41 \\x{e9} \\101 \\Qa.\\E \\Q*\\E \\. \\n \\t [a-c] [^a] [a-cé-ü] [\\d_] [^\\w] [[:alpha:]] [[:^space:]x] []a] "
    "[^]b] [a-] [k] [\\pL] [^\\pL\\s] [a&&b] { } {, a{,2} ] - , _ 1 \\_ - \\x{17f} \\x{212A} [\\x00-\\x{10ffff}]"
).split(" ") + [" ", "\n"]
REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}", "{2,3}?", "{0}", "{1}", "{,2}", "{3"]
OPENS = ["(", "(?:", "(?i:", "(?s:", "(?m:", "(?U:", "(?P<n>", "(?<m>", "(?i-s:", "(?-i:"]
FLAGS = ["(?i)", "(?s)", "(?m)", "(?U)", "(?-i)", "(?i-m)", "(?is)"]
SOUP = list("aaabbk\u00e9()[]{}*+?|^$\\.-,:01<>=!PQEpLxdwsbBAzCimsU&_#\n \u017f") + ["[:alpha:]", "(?", "\\p{", "{2,", "\\x{"]
CHARS = list("aaaabbbcckKsS_1 -.,]{}*") + ["é", "É", "ß", "ſ", "\u212a", "σ", "Σ", "ς", "日", "😀", "\n", "\t", "\v", "A", "\u0663", "\u00a0", "\x85"]


def expression(rng, depth):
    out = []
    for _ in range(rng.randint(0 if depth else 1, 4)):
        roll = rng.random()
        if roll < 0.15 and depth < 4:
            out.append(rng.choice(OPENS) + expression(rng, depth + 1) + ")")
        elif roll < 0.2:
            out.append(rng.choice(FLAGS))
        elif roll < 0.28:
            out.append("|")
        else:
            out.append(rng.choice(ATOMS))
        if rng.random() < 0.3:
            out.append(rng.choice(REPEATS))
    return "".join(out)


def random_cases(count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        roll = rng.random()
        if roll < 0.75:
            pattern = expression(rng, 0)
        else:
            pattern = "".join(rng.choice(SOUP) for _ in range(rng.randint(1, 12)))
        if rng.random() < 0.1 and pattern:
            at = rng.randrange(len(pattern))
            pattern = pattern[:at] + rng.choice(SOUP) + pattern[at + rng.randint(0, 1) :]
        texts = ["".join(rng.choice(CHARS) for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 6, 9]))) for _ in range(3)]
        answer(pattern, texts, [rng.choice(["<\\0>", "-", "[\\1]", "\\2\\1"])] if rng.random() < 0.5 else [])


if sys.argv[1] == "curated":
    curated()
else:
    random_cases(int(sys.argv[2]), int(sys.argv[3]))
