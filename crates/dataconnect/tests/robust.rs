//! Texts that are damaged or meant to hurt: they get diagnostics, in bounded time and memory.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::{Duration, Instant};

use dataconnect::diagnostic::{Severity, Text};
use dataconnect::operation::Api;
use dataconnect::schema::Schema;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const SCHEMA: &str = r#"
enum Shelf { LOW HIGH }
type Reader @table(key: "uid") { uid: String! name: String @col(name: "n", dataType: "varchar(20)") }
type Book @table(plural: "library") @index(fields: ["title", "shelf"], order: [ASC, DESC]) {
  title: String! @default(value: "x") shelf: Shelf @default(value: LOW) tags: [String!] sequelTo: Book @ref(constraintName: "c")
}
type Loan @table(key: ["book", "reader"]) { book: Book! reader: Reader! until: Date! @default(expr: "request.time") }
"#;

const OPERATIONS: &str = r#"
fragment B on Book { id title loans_on_book(where: {until: {gt_date: {today: true, sub: {days: 3}}}}) { until } }
query Q($t: String, $n: Int = 3) @auth(expr: "auth.uid != nil && has(vars.t)") {
  library(where: {_or: [{title: {eq: $t}}, {_not: {shelf: {in: [LOW]}}}]}, limit: $n) @check { ...B @redact a: title }
}
mutation M($d: Loan_Data! @allow(fields: "bookId until")) @auth(level: USER) @transaction {
  query { loan(key: {bookId_expr: "uuidV4()", readerUid_expr: "auth.uid"}) @check(expr: "this != null", message: "m") { until } }
  loan_insert(data: $d)
}
"#;

/// Reads a schema and, when it can be used, operations. Says whether both can.
fn read(schema: &str, operations: &str) -> bool {
    let text = Text::new("schema.gql", schema);
    let (schema, diagnostics) = Schema::read(std::slice::from_ref(&text));
    if diagnostics.iter().any(|said| said.severity == Severity::Error) {
        return false;
    }
    let _ = dataconnect::migration::create(&schema);
    let Ok(api) = Api::new(schema, &[text]) else { return false };
    let (_, diagnostics) = api.compile(&[Text::new("o.gql", operations)]);
    !diagnostics.iter().any(|said| said.severity == Severity::Error)
}

fn damaged(text: &str, changes: &[(usize, usize, usize)]) -> String {
    const PARTS: [&str; 12] = ["{", "}", "(", ")", "\"", "'", "$", "@", "!", "[", "🦀", "type X @table "];
    let mut text = text.to_owned();
    for (at, length, part) in changes {
        let boundary =
            |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let (from, to) = (boundary(at % (text.len() + 1)), boundary(at % (text.len() + 1) + length));
        text.replace_range(from..to, PARTS.get(*part).copied().unwrap_or_default());
    }
    text
}

#[test]
fn damaged_texts_get_diagnostics() {
    assert!(read(SCHEMA, OPERATIONS));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config { cases: 150, ..Config::default() }, rng);
    let changes = || proptest::collection::vec((0..2_000usize, 0..12usize, 0..14usize), 0..3);
    runner
        .run(&(changes(), changes()), |(schema, operations)| {
            let _ = read(&damaged(SCHEMA, &schema), &damaged(OPERATIONS, &operations));
            Ok(())
        })
        .unwrap_or_else(|failed| panic!("{failed}"));
}

#[test]
fn bombs_are_bounded() {
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    let mut fragments: String =
        (0..24).map(|n| format!("fragment F{n} on Book {{ ...F{} ...F{} }}\n", n + 1, n + 1)).collect();
    fragments.push_str("fragment F24 on Book { id }\nquery Q @auth(level: PUBLIC) { library { ...F0 } }");
    let cycle = "fragment A on Book { ...B }\nfragment B on Book { ...A }\nquery Q @auth(level: PUBLIC) { library { ...A } }";
    let aliases: String = (0..3_000).map(|n| format!("a{n}: title ")).collect();
    let wide = format!("query Q @auth(level: PUBLIC) {{ library {{ {aliases} }} }}");
    let nested = format!(
        "query Q @auth(level: PUBLIC) {{ library {{ {} id {} }} }}",
        "sequelTo { ".repeat(60),
        "} ".repeat(60)
    );
    let conditions =
        format!("query Q @auth(level: PUBLIC) {{ library(where: {}) {{ id }} }}", deep("{_not: ", "}", 150));
    for (name, schema, operations) in [
        ("braces", SCHEMA, deep("query Q { a ", "}", 50_000)),
        ("brackets", SCHEMA, format!("query Q {{ a(b: {}) }}", deep("[", "]", 50_000))),
        ("cycle", SCHEMA, cycle.to_owned()),
        ("aliases", SCHEMA, wide),
        ("nested", SCHEMA, nested),
        ("conditions", SCHEMA, conditions),
        ("types", &format!("type A @table {{ a: {} }}", deep("[", "]", 50_000)), String::new()),
        (
            "key",
            "type A @table(key: [\"b\"]) { b: B! }\ntype B @table(key: [\"a\"]) { a: A! }",
            String::new(),
        ),
    ] {
        let begun = Instant::now();
        assert!(!read(schema, &operations), "{name} is refused");
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
    }
    // One field that is reached often is one field.
    let begun = Instant::now();
    let _ = read(SCHEMA, &fragments);
    assert!(begun.elapsed() < Duration::from_secs(60), "fragments: {:?}", begun.elapsed());
}
