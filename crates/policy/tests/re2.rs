//! Replays what RE2 itself answered (`re2/cases.tsv`, written by `re2/oracle.py`) against our front end, and checks
//! what RE2 has no say in: offsets, splitting, limits and time.
//!
//! `HEARTH_RE2_CASES` names another file to replay, for comparisons larger than what belongs in the repository.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use policy::re2::{NEST_LEVELS_MAX, PATTERN_BYTES_MAX, PatternError, Regex};
use serde_json::Value;

/// What we answer to the question of a case, in the form the file has it.
fn answer(regex: &Result<Regex, PatternError>, kind: &str, question: &[Value]) -> Vec<Value> {
    let text = |i: usize| question[i].as_str().expect("a text field");
    match (regex, kind) {
        (Err(error), _) => vec![error.message.as_str().into()],
        (Ok(regex), "match") => vec![regex.is_full_match(text(1)).into(), regex.is_match(text(1)).into()],
        (Ok(regex), "replace") => vec![replaced(regex, text(2), text(1)).into()],
        (Ok(_), _) => vec!["accepted".into()],
    }
}

/// The text with every match replaced as RE2 does: `\\0` is the match, `\\1` to `\\9` its groups, `\\\\` a backslash; nothing
/// is not found again where a match has just ended.
fn replaced(regex: &Regex, text: &str, rewrite: &str) -> String {
    let (mut out, mut copied, mut last_end) = (String::new(), 0, None);
    regex.each_match(text, &mut |group| {
        let at = group(0).expect("the match itself");
        if at.is_empty() && last_end == Some(at.start) {
            return;
        }
        out.push_str(&text[copied..at.start]);
        let mut rest = rewrite.chars();
        while let Some(next) = rest.next() {
            match (next, (next == '\\').then(|| rest.next()).flatten()) {
                (_, Some(digit)) if digit.is_ascii_digit() => {
                    let number = digit.to_digit(10).expect("a digit") as usize;
                    out.push_str(group(number).map_or("", |range| &text[range]));
                }
                (_, Some(escaped)) => out.push(escaped),
                (plain, None) => out.push(plain),
            }
        }
        (copied, last_end) = (at.end, Some(at.end));
    });
    out.push_str(&text[copied..]);
    out
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
