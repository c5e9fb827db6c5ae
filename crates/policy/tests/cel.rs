//! CEL by the cases in `cases/cel`, and the bounds on what any text can do.

#![expect(clippy::panic, reason = "tests stop at the first surprise")]

use std::time::{Duration, Instant};

use policy::cel::{Environment, Inputs, Place, STEPS_MAX, Type, Value, compile, fuzz, limits, report};
use policy::source::Source;
use proptest::prelude::*;
use proptest::sample::select;

fn environment() -> Environment {
    let of = |text| Type::from_graphql(text, |_| false);
    let variables = [
        ("id", "String!"),
        ("status", "String"),
        ("note", "String"),
        ("n", "Int!"),
        ("f", "Float!"),
        ("tags", "[String!]!"),
    ];
    let variables = variables.into_iter().map(|(name, text)| (name.to_owned(), of(text))).collect();
    Environment::data_connect(Place::Check, variables)
}

#[test]
fn messages_look_like_cel_go() {
    let source = Source::new("<input>", "true &&\n  auth.uuid == 'a'");
    let compiled = compile(source.clone(), &environment());
    let wanted = "ERROR: <input>:2:7: undefined field 'uuid'\n |   auth.uuid == 'a'\n | ......^\n | did you mean `uid`?";
    assert_eq!(report(&source, &compiled.diagnostics), wanted);
}

#[test]
fn a_declared_type_is_found_through_nulls_and_lists() {
    let of = |text: &str| Type::from_graphql(text, |name| name == "Status").to_string();
    assert_eq!(of("String!"), "string");
    assert_eq!(of("[Int!]"), "wrapper(list(int))");
    assert_eq!(of("[[Status]!]!"), "list(list(wrapper(string)))");
    assert_eq!(of("Post_Data!"), "dyn");
    assert_eq!(of("[Post_Data!]!"), "list(dyn)");
    assert_eq!(of("[String"), "dyn");
}

#[test]
fn functions_are_declared_and_supplied() {
    let environment = Environment::new().function("twice", "(int) int").unwrap();
    assert!(Environment::new().function("twice", "int").is_err());
    let program = compile(Source::new("x", "twice(21) == 42"), &environment).program.unwrap();
    let twice = |_: &str, arguments: &[Value<'_>]| match arguments {
        [Value::Int(value)] => Some(Value::Int(value * 2)),
        _ => None,
    };
    assert!(program.allows(&Inputs { variables: &[], supplied: Some(&twice) }, &limits()));
    assert!(
        !program.allows(&Inputs { variables: &[], supplied: None }, &limits()),
        "an error does not allow"
    );
    assert!(compile(Source::new("x", "twice('a')"), &environment).program.is_none());
}

/// Evaluates without variables; the error's text when there is one.
fn error_of(text: &str) -> Option<String> {
    let compiled = compile(Source::new("x", text), &Environment::new());
    let program = compiled.program.unwrap_or_else(|| panic!("{:?} in {text}", compiled.diagnostics.first()));
    let evaluation = program.evaluate(&Inputs { variables: &[], supplied: None }, &limits(), None);
    assert!(evaluation.steps <= STEPS_MAX);
    evaluation.outcome.err().map(|fault| fault.to_string())
}

/// Values that share parts are far larger than the memory they take.
fn doubled(levels: usize, first: &str, step: impl Fn(usize) -> String, last: &str) -> String {
    let binds: String = (0..levels).map(|i| format!("cel.bind(a{}, {}, ", i + 1, step(i))).collect();
    format!(
        "cel.bind(a0, {first}, {binds}{}{})",
        last.replace('@', &format!("dyn(a{levels})")),
        ")".repeat(levels)
    )
}

#[test]
fn work_is_bounded() {
    let limit = Some("operation cancelled: actual cost limit exceeded".to_owned());
    let begun = Instant::now();
    let hundred = format!("[{}]", vec!["1"; 100].join(","));
    let loops = format!("{hundred}.all(a, {hundred}.all(b, {hundred}.all(c, a + b + c > 0)))");
    assert_eq!(error_of(&loops), limit);
    assert_eq!(error_of(&format!("{loops} || true")), limit, "a limit is not absorbed");
    let pair = |i: usize| format!("[a{i}, a{i}]");
    assert_eq!(error_of(&doubled(90, "[1]", pair, "@ == [@[0], @[0]]")), limit);
    assert_eq!(error_of(&doubled(90, "[1]", pair, "'%s'.format([@])")), limit);
    assert_eq!(error_of(&doubled(90, "[1]", pair, "sets.contains(@, [1])")), None);
    assert_eq!(error_of(&doubled(60, "'ab'", |i| format!("a{i} + a{i}"), "@ == ''")), limit);
    assert_eq!(error_of(&doubled(60, "[1]", |i| format!("a{i} + a{i}"), "@.size()")), limit);
    assert_eq!(error_of(&doubled(60, "'ab'", |i| format!("a{i}.replace('', a{i})"), "@ == ''")), limit);
    assert_eq!(error_of(&doubled(90, "{1: 1}", |i| format!("{{1: a{i}, 2: a{i}}}"), "@ == {1: 1}")), None);
    // Types that would double at each step.
    assert_eq!(
        error_of(&doubled(90, "{1: 1}", |i| format!("{{dyn(1): a{i}, a{i}.size(): a{i}}}"), "@.size() > 0")),
        Some("failed with repeated key".to_owned())
    );
    compile(Source::new("x", doubled(90, "{}", |i| format!("{{a{i}: a{i}}}"), "@")), &Environment::new());
    compile(
        Source::new("x", doubled(60, "{}", |i| format!("[a{i}, {{a{i}: {{}}}}][1]"), "@")),
        &Environment::new(),
    );
    // Values nested far deeper than any text.
    let nested = |i: usize| format!("{}a{i}{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(error_of(&doubled(25, "1", nested, "@ == 1")), limit);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Test threads have 2 MiB of stack, as the server's have.
#[test]
fn nesting_is_bounded_in_every_construct() {
    let many = 6_000;
    let texts = [
        "(".repeat(many),
        "[".repeat(many),
        "{1:".repeat(many),
        "!".repeat(many),
        "-".repeat(many),
        "f(".repeat(many),
        "1 ? ".repeat(many),
        "true ? 1 : ".repeat(many),
        format!("a{}", ".b".repeat(many)),
        format!("a{}", "[0]".repeat(many)),
        format!("a{}", ".b()".repeat(many)),
        format!("1{}", " + 1".repeat(many)),
        format!("1{}", " == 1".repeat(many)),
        "1 || 1 && 1 == 1 in 1 < 1 + 1 * (".repeat(1_000),
        "[1].map(x, ".repeat(many),
        "cel.bind(x, 1, ".repeat(many / 2),
        " ".repeat(policy::cel::SOURCE_BYTES_MAX + 1),
    ];
    for text in texts {
        assert!(compile(Source::new("x", &*text), &Environment::new()).program.is_none());
        fuzz::any(&text);
    }
    let deepest = format!("{}true{}", "!(".repeat(60), ")".repeat(60));
    assert_eq!(error_of(&deepest), None);
    let nested = format!("{}1{}", "[1].map(x, ".repeat(60), ")".repeat(60));
    assert_eq!(error_of(&nested), None);
    let chain = vec!["true"; 3_000].join(" && ");
    assert_eq!(error_of(&chain), None);
}

fn soup() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "auth",
        "vars",
        "this",
        ".a",
        ".?a",
        "[0]",
        "[?0]",
        "['k']",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
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
        "1",
        "2u",
        "0x1F",
        "1.5e3",
        "'t'",
        "r'\\'",
        "b'\\377'",
        "\"\"\"q\"\"\"",
        "'\\u00e9'",
        "'\\",
        "`a-b`",
        "null",
        "nil",
        "true",
        "has(",
        "x",
        ".all(x, ",
        ".map(x, ",
        ".exists(k, v, ",
        ".transformMap(k, v, ",
        "cel.bind(x, ",
        "cel.block([",
        "cel.index(0)",
        "optional.of(",
        "optional.none()",
        ".orValue(",
        "math.greatest(",
        "math.bitShiftLeft(",
        "size(",
        "string(",
        "int(",
        "timestamp('2026-01-01T00:00:00Z')",
        "duration('1h')",
        ".getHours('Asia/Tokyo')",
        ".format([",
        ".split('')",
        ".substring(1, 2)",
        ".lastIndexOf('é', 1)",
        ".matches('a*')",
        "ip('::1')",
        "cidr('10.0.0.0/8')",
        "//",
        "\n",
        "\u{1F600}",
        "ß",
        "\0",
        "9223372036854775807",
        "type(",
        "dyn(",
        ".f(1)",
        "A{b: 1}",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in ".{0,100}") {
        fuzz::any(&text);
    }

    #[test]
    fn any_soup_of_tokens_is_survived(text in soup()) {
        fuzz::any(&text);
    }
}
