//! No text makes the compiler or the evaluator panic, overflow the stack or run long.

use std::time::{Duration, Instant};

use policy::Source;
use policy::fuzz;
use policy::rtdb::{SOURCE_BYTES_MAX, compile};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

/// Pieces that together often make something almost right.
fn soup() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "auth",
        "now",
        "root",
        "data",
        "newData",
        "query",
        "$a",
        "$b",
        ".uid",
        ".token",
        ".provider",
        ".length",
        ".val()",
        ".child('a')",
        ".child('a/b')",
        ".child($a)",
        ".child(",
        ".parent()",
        ".exists()",
        ".hasChildren()",
        ".hasChildren(['a', $a])",
        ".isString()",
        ".contains('a')",
        ".replace('a', 'aa')",
        ".matches(/^a[b-d]*\\d{1,2}$/i)",
        ".matches(/(/)",
        "['a']",
        "[$a]",
        "[",
        "]",
        "(",
        ")",
        ",",
        " && ",
        " || ",
        " ? ",
        " : ",
        "!",
        "-",
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
        " == ",
        " !== ",
        " < ",
        " >= ",
        " = ",
        "true",
        "false",
        "null",
        "1",
        "1.5e3",
        "0x1f",
        "'a'",
        "\"b\"",
        "'",
        "\\",
        "\\u0041",
        "//",
        "/*",
        "*/",
        "\n",
        "ß",
        "\u{1F600}",
        "\0",
        ";",
        "query.orderByChild == 'a'",
        "query.limitToFirst",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn json_soup() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"rules\"",
        "\"a\"",
        "\"$a\"",
        "\"$b\"",
        "\".read\"",
        "\".write\"",
        "\".validate\"",
        "\".indexOn\"",
        "\".x\"",
        "true",
        "false",
        "null",
        "1",
        "\"auth != null\"",
        "\"\\u00e4\"",
        "\"",
        "\\",
        "//",
        "/*",
        "*/",
        "\n",
        "\t",
        "ß",
        "x",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn rule(expression: &str) -> String {
    let rules = json!({".read": expression, ".write": expression, ".validate": expression});
    json!({"rules": {"$a": {"$b": rules}, "a": rules}}).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        fuzz::rtdb(&text);
        fuzz::rtdb(&rule(&text));
    }

    #[test]
    fn any_soup_of_tokens_is_survived(text in soup()) {
        fuzz::rtdb(&rule(&text));
    }

    #[test]
    fn any_soup_of_json_is_survived(text in json_soup()) {
        fuzz::rtdb(&text);
        fuzz::rtdb(&format!("{{\"rules\": {{{text}}}}}"));
    }
}

#[test]
fn nesting_is_bounded_in_every_construct() {
    let many = 20_000;
    let expressions = [
        "(".repeat(many),
        "!".repeat(many),
        "-".repeat(many),
        "[".repeat(many),
        "1 ? ".repeat(many),
        "root.child(".repeat(many / 4),
        format!("root{}", ".child('a')".repeat(many / 4)),
        format!("auth{}", "['a']".repeat(many)),
        format!("1{}", " + 1".repeat(many)),
        format!("true{}", " && true".repeat(many / 4)),
        format!("true{}", " || true".repeat(many / 4)),
        format!("'a'.matches(/{}/)", "(".repeat(many)),
        format!("'a'.matches(/{}/)", "a{1000}".repeat(many / 4)),
    ];
    let begun = Instant::now();
    for text in expressions {
        fuzz::rtdb(&rule(&text));
    }
    for text in [
        "{\"a\":".repeat(many),
        "[".repeat(many),
        "{".repeat(many),
        format!("{{\"rules\":{}", "{\"$a\":".repeat(many)),
    ] {
        fuzz::rtdb(&text);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "takes {:?}", begun.elapsed());
}

#[test]
fn the_deepest_rules_run_and_larger_sources_are_refused() {
    let deep = format!("{}true{}", "!(".repeat(49), ")".repeat(49));
    assert!(compile(Source::new("deep", rule(&deep))).ruleset.is_some());
    fuzz::rtdb(&rule(&deep));
    let chain = vec!["auth != null"; 60].join(" && ");
    assert!(compile(Source::new("chain", rule(&chain))).ruleset.is_some());
    let refused = compile(Source::new("large", " ".repeat(SOURCE_BYTES_MAX + 1)));
    assert!(refused.ruleset.is_none() && refused.diagnostics[0].code == "source-too-large");
}

#[test]
fn large_sources_compile_in_time() {
    let rule = |index: usize| {
        format!(
            "\"k{index}\": {{\".read\": \"root.child('r{index}').val() == true || data.val() == 'x{index}'\"}}"
        )
    };
    let rules: Vec<String> = (0..2700).map(rule).collect();
    let broken: Vec<String> = (0..25_000).map(|index| format!("\"{index}\":1")).collect();
    for members in [rules, broken] {
        let text = format!("{{\"rules\": {{{}}}}}", members.join(","));
        assert!(text.len() < SOURCE_BYTES_MAX && text.len() > 200_000, "{}", text.len());
        let begun = Instant::now();
        fuzz::rtdb(&text);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
