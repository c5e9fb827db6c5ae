//! No text makes the compiler or the evaluator panic, overflow the stack or run long.

use std::time::{Duration, Instant};

use policy::{Service, Source, fuzz};
use proptest::prelude::*;
use proptest::sample::select;

/// Pieces that together often make something almost right.
fn soup() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "rules_version = '2';",
        "service cloud.firestore {",
        "service firebase.storage {",
        "match /a/{b} {",
        "match /databases/{db}/documents {",
        "match /{x=**} {",
        "allow read",
        "allow write: if ",
        "function f(a) {",
        "let x = ",
        "return ",
        ";",
        "}",
        "{",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        "?",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        " in ",
        " is ",
        "string",
        "int",
        "request",
        "resource",
        ".data",
        ".auth",
        ".token",
        ".a",
        "['a']",
        "[0]",
        "[0:1]",
        "f(1)",
        "x",
        "a",
        "'text'",
        "'(a'",
        "1",
        "1.5",
        "9223372036854775807",
        "null",
        "true",
        "false",
        "get(/a/$(b))",
        "exists(/databases/(default)/documents/a/b)",
        ".matches('a*')",
        ".split('')",
        ".replace('', 'aa')",
        ".size()",
        ".diff(resource.data)",
        ".affectedKeys()",
        "math.pow(2, 0.5)",
        "duration.value(1, 'd')",
        "timestamp.value(99999999999999)",
        "latlng.value(1, 2)",
        "{'k': 1}",
        "/a/b/$(c)",
        "'\\q'",
        "\"",
        "'",
        "//",
        "/*",
        "*/",
        "\n",
        "\u{1F600}",
        "ß",
        "\0",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn within_service(body: &str) -> String {
    format!(
        "rules_version = '2'; service cloud.firestore {{ match /databases/{{d}}/documents {{ {body} }} }}"
    )
}

/// A condition that compiles; most are errors or false, and errors are answers too.
fn condition() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "true",
        "false",
        "null",
        "1",
        "'x'",
        "i",
        "request.auth",
        "request.auth.uid",
        "request.auth.token.c.a",
        "resource.data.role",
        "resource.data.b",
        "resource.data.nothing",
        "exists(/databases/$(d)/documents/a/b)",
        "get(/databases/$(d)/documents/a/x).data.a",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), select(vec!["&&", "||", "==", "!=", "<", "+", "in"]), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|operand| format!("!({operand})")),
            two.prop_map(|(left, op, right)| format!("({left}) {op} ({right})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(test, yes, no)| format!("({test}) ? ({yes}) : ({no})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        fuzz::rules(&text);
    }

    /// An observed evaluation is another instance of the evaluator: both must say the same.
    #[test]
    fn observing_changes_no_answer(seed: u64, text in condition()) {
        fuzz::rules_agree(seed, &text);
    }

    #[test]
    fn any_soup_of_tokens_is_survived(text in soup()) {
        fuzz::rules(&text);
        fuzz::rules(&within_service(&text));
        fuzz::rules(&within_service(&format!("match /a/{{b}} {{ allow read, write: if {text}; }}")));
    }
}

/// Test threads have 2 MiB of stack, as the server's have.
#[test]
fn nesting_is_bounded_in_every_construct() {
    let many = 20_000;
    let texts = [
        "(".repeat(many),
        "[".repeat(many),
        "{'a':".repeat(many),
        "!".repeat(many),
        "-".repeat(many),
        "/a/$(".repeat(many / 2),
        "f(".repeat(many),
        "1 ? ".repeat(many / 2),
        format!("a{}", ".b".repeat(many)),
        format!("a{}", "[0]".repeat(many)),
        format!("a{}", "()".repeat(many)),
        format!("1{}", " + 1".repeat(many)),
        format!("1{}", " == 1".repeat(many / 2)),
        format!("1{}", " is int".repeat(many / 4)),
        format!("true{}", " && true".repeat(many / 4)),
        format!("false{}", " || false".repeat(many / 4)),
        "1 || 1 && 1 == 1 in 1 < 1 + 1 * (".repeat(4_000),
        "match /a { ".repeat(10_000),
    ];
    for text in texts {
        let begun = Instant::now();
        fuzz::rules(&text);
        fuzz::rules(&within_service(&text));
        fuzz::rules(&within_service(&format!("match /a/{{b}} {{ allow get: if {text}; }}")));
        let beginning: String = text.chars().take(20).collect();
        assert!(begun.elapsed() < Duration::from_secs(20), "`{beginning}…` takes {:?}", begun.elapsed());
    }
}

/// The deepest tree that compiles, called through the deepest calls, runs in the same stack.
#[test]
fn the_deepest_rules_run() {
    let deep = |inner: &str| format!("{}{inner}{}", "!(".repeat(45), ")".repeat(45));
    let mut body = String::new();
    for level in 0..19 {
        body.push_str(&format!("function f{level}(a) {{ return {}; }}", deep(&format!("f{}(a)", level + 1))));
    }
    body.push_str(&format!("function f19(a) {{ return {}; }}", deep("a == 1")));
    body.push_str("match /a/{b} { allow get: if f0(1); }");
    let compiled = policy::compile(Source::new("deep", within_service(&body)), Service::Firestore);
    assert!(compiled.ruleset.is_some(), "{:?}", compiled.diagnostics.first());
    fuzz::rules(&within_service(&body));
}

#[test]
fn long_chains_of_and_run() {
    let chain = vec!["request.auth != null"; 98].join(" && ");
    let text = within_service(&format!("match /a/{{b}} {{ allow get: if {chain}; }}"));
    assert_eq!(fuzz::rules(&text), 1);
}

#[test]
fn large_sources_compile_in_time_and_larger_ones_are_refused() {
    let rule = |index: usize| {
        format!(
            "match /c{index}/{{id}} {{ function f{index}() {{ return g{index}x() || usr == 1; }} allow read: if f{index}(); }}\n"
        )
    };
    let body: String = (0..2300).map(rule).collect();
    let text = within_service(&body);
    assert!(text.len() < policy::rules::SOURCE_BYTES_MAX && text.len() > 200_000, "{}", text.len());
    let begun = Instant::now();
    assert!(policy::compile(Source::new("large", text), Service::Firestore).ruleset.is_some());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    let text = within_service(&" ".repeat(policy::rules::SOURCE_BYTES_MAX));
    let refused = policy::compile(Source::new("larger", text), Service::Firestore);
    assert!(refused.ruleset.is_none() && refused.diagnostics[0].code == "source-too-large");
}
