//! Replays what RE2 itself answered (`re2/cases.tsv`, written by `re2/oracle.py`) against our front end, and checks
//! what RE2 has no say in: offsets, splitting, limits and time.
//!
//! `HEARTH_RE2_CASES` names another file to replay, for comparisons larger than what belongs in the repository.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use policy::re2::{NEST_LEVELS_MAX, PATTERN_BYTES_MAX, PatternError, Regex, RewriteError};
use serde_json::Value;

/// What we answer to the question of a case, in the form the file has it.
fn answer(regex: &Result<Regex, PatternError>, kind: &str, question: &[Value]) -> Vec<Value> {
    let text = |i: usize| question[i].as_str().expect("a text field");
    match (regex, kind) {
        (Err(error), _) => vec![error.message.as_str().into()],
        (Ok(regex), "match") => vec![regex.is_full_match(text(1)).into(), regex.is_match(text(1)).into()],
        (Ok(regex), "replace") => vec![regex.replace_all(text(2), text(1)).expect("a valid rewrite").into()],
        (Ok(_), _) => vec!["accepted".into()],
    }
}

#[test]
fn answers_as_re2_does() {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/re2/cases.tsv");
    let path = std::env::var_os("HEARTH_RE2_CASES").map_or_else(own, PathBuf::from);
    let cases = std::fs::read_to_string(path).expect("the cases");
    let mut wrong = Vec::new();
    let mut count = 0;
    // Cases of one pattern follow each other.
    let mut pattern = Value::Null;
    let mut regex = Regex::new("");
    for (number, line) in cases.lines().enumerate() {
        let (kind, rest) = line.split_once('\t').expect("a kind");
        let fields: Vec<Value> =
            rest.split('\t').map(|field| serde_json::from_str(field).expect("JSON")).collect();
        let (question, expected) = fields.split_at(match kind {
            "match" => 2,
            "replace" => 3,
            "error" => 1,
            _ => panic!("line {}: unknown kind {kind}", number + 1),
        });
        if question[0] != pattern {
            pattern = question[0].clone();
            regex = Regex::new(pattern.as_str().expect("a pattern"));
        }
        let ours = answer(&regex, kind, question);
        if ours != expected {
            wrong.push(format!("{line}\n    ours: {ours:?}"));
        }
        count += 1;
    }
    assert!(count >= 400, "only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(50)].join("\n")
    );
}

#[test]
fn offsets_point_at_what_the_message_quotes() {
    for (pattern, offset, message) in [
        ("ab**", 2, "bad repetition operator: **"),
        ("é**", 2, "bad repetition operator: **"),
        ("ab{2}{3}", 2, "bad repetition operator: {2}{3}"),
        ("x[b-a]", 2, "invalid character class range: b-a"),
        ("x[a", 1, "missing ]: [a"),
        ("x(a", 0, "missing ): x(a"),
        ("x)", 0, "unexpected ): x)"),
        ("ab\\q", 2, "invalid escape sequence: \\q"),
        ("ab\\", 2, "trailing \\"),
        ("a(?=b)", 1, "invalid perl operator: (?="),
        ("a(?P<n-m>b)", 1, "invalid named capture group: (?P<n-m>"),
        ("a|*", 2, "no argument for repetition operator: *"),
        ("aa{1001}", 2, "invalid repetition size: {1001}"),
        ("a\\p{foo}", 1, "invalid character class range: \\p{foo}"),
    ] {
        let error = Regex::new(pattern).expect_err(pattern);
        assert_eq!((error.offset, error.message.as_str()), (offset, message), "{pattern}");
    }
}

#[test]
fn split_keeps_every_piece() {
    for (pattern, text, pieces) in [
        (",", "a,b,,c", vec!["a", "b", "", "c"]),
        (",", "a", vec!["a"]),
        (",", "", vec![""]),
        (",", ",", vec!["", ""]),
        (",", ",a,", vec!["", "a", ""]),
        ("/", "a/b/c", vec!["a", "b", "c"]),
        (" *, *", "a , b,c", vec!["a", "b", "c"]),
        ("", "abc", vec!["a", "b", "c"]),
        ("", "日é", vec!["日", "é"]),
        ("", "", vec![""]),
        ("x*", "axbc", vec!["a", "b", "c"]),
        ("x*", "xa", vec!["", "a"]),
        ("\\b", "a b", vec!["a", " ", "b"]),
        ("\\C", "é", vec!["é"]),
        ("\\B", "aéa", vec!["aéa"]),
        ("(,)(;)?", "a,b,;c", vec!["a", "b", "c"]),
    ] {
        assert_eq!(Regex::new(pattern).expect(pattern).split(text), pieces, "{pattern} on {text}");
    }
}

#[test]
fn rewrite_errors() {
    let regex = Regex::new("(a)b").expect("a pattern");
    assert_eq!(regex.replace_all("ab", "x\\"), Err(RewriteError::TrailingBackslash));
    assert_eq!(regex.replace_all("ab", "\\n"), Err(RewriteError::BadEscape));
    assert_eq!(regex.replace_all("ab", "\\2"), Err(RewriteError::NoSuchGroup { requested: 2, groups: 1 }));
    assert_eq!(regex.replace_all("ab", "$1"), Ok("$1".to_owned()));
    assert_eq!(
        RewriteError::NoSuchGroup { requested: 2, groups: 1 }.to_string(),
        "Rewrite schema requests 2 matches, but the regexp only has 1 parenthesized subexpressions."
    );
}

#[test]
fn what_is_too_large_is_refused() {
    let message = |pattern: &str| Regex::new(pattern).err().map(|error| error.message);
    let too_large = Some("pattern too large - compile failed".to_owned());
    assert_eq!(message(&"a".repeat(PATTERN_BYTES_MAX)), None);
    assert_eq!(message(&"a".repeat(PATTERN_BYTES_MAX + 1)), too_large);
    assert_eq!(message(&"\\pL".repeat(1000)), too_large);
    assert_eq!(message("(?:\\pL{100}){10}"), too_large);
    assert_eq!(message(".{1000}"), None);
    // What is just small enough can be searched for too.
    let large = Regex::new("\\pL{1,380}").expect("within the limit");
    assert!(large.is_match("1a2") && large.is_full_match("é") && !large.is_match("12"));

    let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    let deepest = NEST_LEVELS_MAX as usize;
    assert_eq!(message(&nested(deepest)), None);
    assert_eq!(message(&nested(deepest + 1)), Some("expression nests too deeply".to_owned()));
    assert_eq!(message(&nested(8000)), Some("expression nests too deeply".to_owned()));
    // Repetitions nest without a group when flags stand between them.
    assert_eq!(
        message(&format!("a{}", "{1}(?i)".repeat(500))),
        Some("expression nests too deeply".to_owned())
    );
    let deep = Regex::new(&nested(deepest)).expect("within the limit");
    assert!(deep.clone().is_full_match("a") && !deep.is_match("b"));
}

/// Hostile patterns and texts take bounded time: a hang here is the failure, the figures are only generous.
#[test]
fn time_is_bounded() {
    let patterns = [
        "{".repeat(PATTERN_BYTES_MAX),
        "[:".repeat(PATTERN_BYTES_MAX / 2),
        "[[:".repeat(PATTERN_BYTES_MAX / 3),
        "\\p{".repeat(PATTERN_BYTES_MAX / 3),
        "(?i)\\pL".repeat(PATTERN_BYTES_MAX / 7),
        format!("[{}]", "\\pL".repeat(PATTERN_BYTES_MAX / 4)),
        format!("(?i)[{}]", "a-zé".repeat(PATTERN_BYTES_MAX / 6)),
        "(?:".repeat(PATTERN_BYTES_MAX / 3),
        "a|".repeat(PATTERN_BYTES_MAX / 2),
        "(a*)*".repeat(PATTERN_BYTES_MAX / 5),
        "(?:a?){1000}".to_owned(),
        "(?:(?:(?:(?:a{0,5}){0,5}){0,5}){0,5})*".to_owned(),
        "((x{1,1000}|y)*z)".to_owned(),
        "(?i:(\\w+\\s)+[a-c]{1,30}$)".to_owned(),
        "(a|b|ab)*(?:.{0,400})*c".to_owned(),
    ];
    let text = "aab x".repeat(4000);
    for pattern in patterns {
        let start = Instant::now();
        if let Ok(regex) = Regex::new(&pattern) {
            regex.is_full_match(&text);
            regex.is_match(&text);
        }
        let shown: String = pattern.chars().take(30).collect();
        println!("{:>8.1} ms  {shown}", start.elapsed().as_secs_f64() * 1000.0);
        assert!(start.elapsed() < Duration::from_secs(30), "{shown}");
    }
}
