//! No Bolt file makes the compiler panic, overflow the stack or run long.

use std::time::{Duration, Instant};

use policy::{Source, bolt, fuzz};
use proptest::prelude::*;
use proptest::sample::select;

/// Pieces that together often make something almost right.
fn soup() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "path ",
        "/a",
        "/{b}",
        "/$c",
        "/",
        " is ",
        "type ",
        "T",
        "T<A>",
        "<",
        ">",
        " extends ",
        "String",
        "Number",
        "Object",
        "Any",
        "Null",
        "Map<String, T>",
        "[]",
        "|",
        "function ",
        "f",
        "f(x)",
        "(",
        ")",
        "{",
        "}",
        "{ ",
        " }",
        ";",
        ",",
        ":",
        "p: String,",
        "$w: T",
        "read() { ",
        "write() {",
        "validate() {",
        "create() {",
        "delete() {",
        "index() { ['a'] }",
        "this",
        "prior(this)",
        "key()",
        "root",
        "auth",
        "now",
        ".a",
        ".length",
        ".test(/a/)",
        ".includes('x')",
        ".parent()",
        "['a']",
        "[x]",
        "&&",
        "||",
        "and",
        "or",
        "!",
        "-",
        "+",
        "==",
        "=",
        "?",
        "!=",
        "<=",
        "true",
        "false",
        "null",
        "1",
        ".5",
        "0x1F",
        "1e9",
        "'text'",
        "\"",
        "'",
        "\\u0041",
        "\\ud800",
        "/*",
        "*/",
        "//",
        "\n",
        "return ",
        "ß",
        "\u{1F600}",
        "\0",
    ]);
    prop::collection::vec(piece, 0..50).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        fuzz::bolt(&text);
    }

    #[test]
    fn any_soup_of_tokens_is_survived(text in soup()) {
        fuzz::bolt(&text);
        fuzz::bolt(&format!("path /p is T {{ read() {{ {text} }} }} type T {{ {text} }}"));
    }
}

/// Test threads have 2 MiB of stack, as the server's have.
#[test]
fn nesting_and_growth_are_bounded_in_every_construct() {
    let many = 20_000;
    let within = |exp: &str| format!("path /a {{ read() {{ {exp} }} }}");
    let doubling: String = (0..60).map(|n| format!("f{}(x) {{ f{n}(x) && f{n}(x) }}\n", n + 1)).collect();
    let wide: String = (0..60).map(|n| format!("type T{} {{ a: T{n}, b: T{n} }}\n", n + 1)).collect();
    let calls: String = (0..3000).map(|n| format!("g{}(x) {{ !g{n}(x) }}\n", n + 1)).collect();
    let texts = [
        within(&"(".repeat(many)),
        within(&"[".repeat(many)),
        within(&"!".repeat(many)),
        within(&"- ".repeat(many)),
        within(&"f(".repeat(many)),
        within(&"1 ? ".repeat(many)),
        within(&format!("a{}", ".b".repeat(many))),
        within(&format!("a{}", "()".repeat(many))),
        within(&format!("1{}", " + 1".repeat(many))),
        within(&format!("a{}", " && a".repeat(many))),
        within(&format!("a{}", " or a".repeat(190))),
        within(&"a + b * ".repeat(many / 10)),
        within(&"(a + ".repeat(50)),
        "path /a { ".repeat(many),
        "path /a { x; ".repeat(many),
        "/a".repeat(many),
        "type T { a: ".repeat(many),
        format!("type T {{ a: {} }}", "Map<String, ".repeat(many)),
        format!("{doubling} f0(x) {{ x }} {}", within("f60(auth.a)")),
        format!("f(x) {{ x && x }} {}", within(&format!("{}a{}", "f(".repeat(50), ")".repeat(50)))),
        format!("{wide} type T0 extends String {{}} path /a is T60;"),
        format!("{calls} g0(x) {{ x }} {}", within("g3000(true)")),
        "type T<X> { a: T<P<X, X>> } type P<X, Y> {} path /a is T<String>;".to_owned(),
        "type T<X> { a: T<X | X> } path /a is T<String>;".to_owned(),
        "type A extends B {} type B extends A {} type C extends A { p: String } path /a is C;".to_owned(),
        "type A extends A { p: String } path /a is A;".to_owned(),
        "/*".repeat(many),
    ];
    for text in texts {
        let begun = Instant::now();
        fuzz::bolt(&text);
        let beginning: String = text.chars().take(60).collect();
        assert!(begun.elapsed() < Duration::from_secs(15), "`{beginning}…` takes {:?}", begun.elapsed());
    }
}

#[test]
fn what_is_within_the_limits_compiles() {
    let chain = vec!["auth != null"; 190].join(" && ");
    assert!(fuzz::bolt(&format!("path /a {{ read() {{ {chain} }} }}")));
    let nested = format!("{}auth != null{}", "!(".repeat(25), ")".repeat(25));
    assert!(fuzz::bolt(&format!("path /a {{ read() {{ {nested} }} }}")));
    let many: String =
        (0..2000).map(|n| format!("path /c{n}/{{id}} {{ read() {{ auth.uid == id }} }}\n")).collect();
    assert!(fuzz::bolt(&many));
}

#[test]
fn larger_sources_are_refused() {
    let text = " ".repeat(bolt::SOURCE_BYTES_MAX + 1);
    let refused = bolt::compile(Source::new("large.bolt", text));
    assert!(refused.json.is_none() && refused.diagnostics[0].code == "source-too-large");
}
