//! Finds rules in a document: fenced blocks of markdown, and snippets that stand in plain text without a fence.
//!
//! A block is rules when its language says so or when it begins like rules; data, programs and shell commands are left
//! alone. Of operations for Data Connect only the expressions are taken.

use std::ops::Range;

use policy::Source;
use prove::Language;
use prove::cases::{Block, blocks};

use super::bracket::{Lines, Style, end_of_statement};
use super::fragment::{self, Statement};
use super::language;
use super::{DOCUMENT_TEXTS_MAX, Snippet, Text};

/// Stands for dots in an expression.
const LEFT_OUT: &str = "___";

/// Names of arguments in Data Connect's operations whose text is an expression.
const EXPRESSION_ARGUMENTS: &[&str] = &["expr", "condition"];

/// Bytes of plain text that are read to find out where statements end. A document on which this is not enough is made
/// to be slow; its fenced blocks are still found.
const PLAIN_BYTES_READ_MAX: usize = 4 << 20;

/// The texts of rules in a document, in its order.
pub fn texts(document: &Source) -> Vec<Text> {
    let lines = Lines::new(&document.text);
    let mut blocks = blocks(&document.text).into_iter().peekable();
    let (mut texts, mut line, mut read_bytes) = (Vec::new(), 0, 0);
    while line < lines.count() && texts.len() <= DOCUMENT_TEXTS_MAX {
        if let Some(block) = blocks.next_if(|block| block.line == line + 1) {
            texts.extend(of_block(document, &block));
            line = lines.line_at(block.whole.end).max(line + 1);
            continue;
        }
        // What stands in a fence is no plain text, nor what stands around it.
        let limit = blocks.peek().map_or(lines.count(), |block| block.line - 1);
        let group = (read_bytes < PLAIN_BYTES_READ_MAX)
            .then(|| group(&document.text, &lines, line, limit, &mut read_bytes))
            .flatten();
        if let Some((language, next)) = group {
            texts.push(snippet(document, lines.start(line)..lines.start(next), language));
            line = next;
        } else {
            texts.extend(expressions(document, lines.start(line)..lines.start(line + 1)));
            line += 1;
        }
    }
    texts
}

fn of_block(document: &Source, block: &Block) -> Vec<Text> {
    let body = document.text.get(block.body.clone()).unwrap_or_default();
    let first = block.info.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase();
    let language = match first.as_str() {
        "bolt" => Some(Language::Bolt),
        "rules" | "firestore" | "firestore-rules" | "firestore.rules" | "storage" | "firerules" => {
            let storage = block.info.contains("storage");
            Some(if storage { Language::Storage } else { fragment::service(body) })
        }
        "graphql" | "gql" => return expressions(document, block.body.clone()),
        "cel" if body.trim().lines().count() == 1 => Some(Language::Cel),
        // Blocks of our case files that hold no rules.
        "cases" | "diagnostics" | "upload" | "explain" | "text" | "console" | "sh" | "bash" | "shell" => {
            return Vec::new();
        }
        _ => language::of_text(body),
    };
    match language {
        Some(_) if body.trim().is_empty() => Vec::new(),
        Some(language) => vec![snippet(document, block.body.clone(), language)],
        None => expressions(document, block.body.clone()),
    }
}

/// A run of statements that begins at a line of plain text: its language and the line after it.
fn group(
    text: &str,
    lines: &Lines<'_>,
    first: usize,
    limit: usize,
    read_bytes: &mut usize,
) -> Option<(Language, usize)> {
    let is_comment = |line: &str| line.starts_with("/*") || line.starts_with("//");
    let opening = lines.get(first).trim_start();
    let (mut line, mut end) = (first, first);
    match fragment::statement(opening) {
        Some(Statement::Json) => end = end_of_statement(lines, first, limit, Style::Json, read_bytes),
        None if !is_comment(opening) => return None,
        _ => {
            while line < limit {
                let opening = lines.get(line).trim_start();
                let goes_on = match fragment::statement(opening) {
                    Some(Statement::Json) | None => is_comment(opening),
                    Some(_) => true,
                };
                if goes_on {
                    line = end_of_statement(lines, line, limit, Style::Code, read_bytes);
                    end = line;
                } else if opening.is_empty() {
                    line += 1;
                } else {
                    break;
                }
            }
        }
    }
    let body = text.get(lines.start(first)..lines.start(end)).unwrap_or_default();
    *read_bytes += body.len();
    language::of_text(body).map(|language| (language, end))
}

/// A snippet, made whole.
fn snippet(document: &Source, range: Range<usize>, language: Language) -> Text {
    let body = document.text.get(range.clone()).unwrap_or_default();
    // What was left out of an expression is a name that nobody knows, as long as the dots.
    let body = fragment::blank(body, &ellipses(body)).replace("...", LEFT_OUT).replace('…', LEFT_OUT);
    let frame = fragment::frame(&body, language);
    let lines_before = document.text.get(..range.start).unwrap_or_default().matches('\n').count();
    let compiled_start = frame.before.len() + lines_before;
    // The frame stands in the first line, the snippet in its own.
    let compiled = format!("{}{}{body}{}", frame.before, "\n".repeat(lines_before), frame.after);
    let snippet = Snippet { start: range.start, end: range.end, compiled_start, fragment: !frame.is_empty() };
    Text {
        file: document.clone(),
        language,
        compiled: Source::new(document.name.clone(), compiled),
        snippet: Some(snippet),
    }
}

/// What only says that something was left out: lines of dots, bodies of dots, and functions with such a body.
fn ellipses(body: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in body.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let is_dots = |text: &str| matches!(text.trim().trim_end_matches(','), "..." | "…");
        let braced = line
            .rsplit_once('{')
            .and_then(|(before, rest)| Some((before.len() + 1, rest.split_once('}')?.0)));
        match braced {
            _ if is_dots(line) => found.push(start..end),
            Some((_, inner)) if is_dots(inner) && line.trim_start().starts_with("function ") => {
                found.push(start..end);
            }
            Some((open, inner)) if is_dots(inner) => found.push(start + open..start + open + inner.len()),
            _ => {}
        }
    }
    found
}

/// The expressions in operations for Data Connect: `@auth(expr: "…")`, `@check(expr: "…")`, `uid_expr: "…"`.
pub fn expressions(document: &Source, range: Range<usize>) -> Vec<Text> {
    let text = document.text.get(range.clone()).unwrap_or_default();
    let mut found = Vec::new();
    for (colon, _) in text.match_indices(':') {
        let before = text.get(..colon).unwrap_or_default().trim_end();
        let name = before.rsplit(|character: char| !character.is_alphanumeric() && character != '_').next();
        let name = name.unwrap_or_default();
        if !EXPRESSION_ARGUMENTS.contains(&name) && !name.ends_with("_expr") {
            continue;
        }
        let rest = text.get(colon + 1..).unwrap_or_default();
        let value = rest.trim_start();
        if !value.starts_with('"') || value.starts_with("\"\"") {
            continue;
        }
        let start = range.start + text.len() - value.len() + 1;
        let Some(end) = closing_quote(document.text.get(start..range.end).unwrap_or_default()) else {
            continue;
        };
        found.push(expression(document, start..start + end));
    }
    found
}

/// Where a string of one line ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\n' => return None,
            '"' if !escaped => return Some(at),
            _ => escaped = character == '\\' && !escaped,
        }
    }
    None
}

fn expression(document: &Source, range: Range<usize>) -> Text {
    // An escaped quote is as long as a space and a quote, so that places stay.
    let body = document.text.get(range.clone()).unwrap_or_default().replace("\\\"", " \"");
    // What is told of expressions names no lines, so that they need not be those of the document.
    let snippet = Snippet { start: range.start, end: range.end, compiled_start: 0, fragment: false };
    Text {
        file: document.clone(),
        language: Language::Cel,
        compiled: Source::new(document.name.clone(), body),
        snippet: Some(snippet),
    }
}

#[cfg(test)]
mod tests {
    use policy::Span;
    use proptest::prelude::*;
    use proptest::sample::select;
    use prove::check::check;

    use super::*;

    fn found(document: &str) -> Vec<(Language, String, bool)> {
        let source = Source::new("doc.md", document);
        let texts = texts(&source).into_iter().map(|text| {
            let snippet = text.snippet.unwrap();
            (text.language, document[snippet.start..snippet.end].trim().to_owned(), snippet.fragment)
        });
        texts.collect()
    }

    #[test]
    fn snippets_are_found_where_they_stand() {
        let of = |language, text: &str, fragment| (language, text.to_owned(), fragment);
        for (document, expected) in [
            (
                "Prose.\n\nallow read: if true;\nMore prose.",
                vec![of(Language::Firestore, "allow read: if true;", true)],
            ),
            ("```\n$ firebase deploy\n```\n", vec![]),
            ("```js\nfunction f(a) { return a.b; }\n```", vec![]),
            (
                "function f() { return request.auth.uid; }\nconst x = 1;",
                vec![of(Language::Firestore, "function f() { return request.auth.uid; }", true)],
            ),
            ("```json\n{\"create\": true}\n```\n{\n  \"a\": 1\n}\n", vec![]),
            (
                "  ```storage\n  match /a { allow read; }\n  ```",
                vec![of(Language::Storage, "match /a { allow read; }", true)],
            ),
            ("```cases\nann get /a/b -> allow\n```\n```rules file=x.rules\n```", vec![]),
            (
                "path / {\n read() { true }\n}\n// end\nProse.",
                vec![of(Language::Bolt, "path / {\n read() { true }\n}\n// end", false)],
            ),
            ("The match /rooms is open (allow all).\n// just words\n", vec![]),
            (
                "{a_expr: \"auth.uid\", b: {c_expr: \"x\\\"y\"}}",
                vec![of(Language::Cel, "auth.uid", false), of(Language::Cel, "x\\\"y", false)],
            ),
            (
                "match /a/{b} {\n```\nallow read;\n```",
                vec![
                    of(Language::Firestore, "match /a/{b} {", true),
                    of(Language::Firestore, "allow read;", true),
                ],
            ),
        ] {
            assert_eq!(found(document), expected, "{document}");
        }
    }

    #[test]
    fn a_document_made_to_be_slow_is_read_in_time() {
        for line in
            ["\"a\": {\n", "match /a {\n", "/*\n", "```\n", "{\n", "f() {\n\n", "a_expr: \"\n", "path /a {\n"]
        {
            let begun = std::time::Instant::now();
            texts(&Source::new("slow.md", line.repeat((1 << 19) / line.len())));
            assert!(begun.elapsed().as_secs() < 30, "{line:?}: {:?}", begun.elapsed());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_document_is_survived(pieces in prop::collection::vec(select(vec![
            "```", "~~~", "rules", "bolt", "json", "\n", "\n\n", "  ", "match /a/{b} {", "allow read: if true;",
            "}", "{", "\"rules\": {", "\".read\": \"$a == auth.uid\"", "service cloud.firestore {",
            "function f() {", "return request.auth.uid;", "path /a/{b} {", "type A {", "read() { true }", "/*", "*/",
            "*//", "//", "'", "\"", "@auth(expr: \"auth.uid\")", "_expr: \"", "\\", "\u{1F600}", "\u{df}", "...", ",", "Prose goes on",
        ]), 0..40)) {
            let document = Source::new("doc.md", pieces.concat());
            for text in texts(&document) {
                let told = text.told(check(text.compiled.clone(), text.language).diagnostics);
                for diagnostic in &told {
                    let Span { start, end } = diagnostic.span;
                    prop_assert!(start <= end && end as usize <= document.text.len());
                }
                policy::diagnostic::render(&document, &told, false);
            }
        }
    }
}
