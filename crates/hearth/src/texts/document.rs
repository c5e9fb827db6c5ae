//! Finds rules in a document: fenced blocks of markdown, and snippets that stand in plain text without a fence.
//!
//! A block is rules when its language says so or when it begins like rules; data, programs and shell commands are left
//! alone. Of operations for Data Connect only the expressions are taken.

use std::ops::Range;

use policy::Source;
use policy::check::Language;

use super::bracket::{Lines, Style, end_of_statement};
use super::fragment::{self, Statement};
use super::language;
use super::{Snippet, Text};

/// Names of arguments in Data Connect's operations whose text is an expression.
const EXPRESSION_ARGUMENTS: &[&str] = &["expr", "condition"];

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The words after the opening fence.
    pub info: String,
    /// What stands between the fences.
    pub body: Range<usize>,
}

/// The texts of rules in a document, in its order.
pub fn texts(document: &Source) -> Vec<Text> {
    let lines = Lines::new(&document.text);
    let (mut texts, mut line) = (Vec::new(), 0);
    while line < lines.count() {
        if let Some((block, next)) = block(&lines, line) {
            texts.extend(of_block(document, &block));
            line = next;
        } else if let Some((language, next)) = group(&document.text, &lines, line) {
            texts.push(snippet(document, lines.start(line)..lines.start(next), language));
            line = next;
        } else {
            let range = lines.start(line)..lines.start(line + 1);
            texts.extend(expressions(document, range));
            line += 1;
        }
    }
    texts
}

/// The fenced block that begins at a line, and the line after it.
fn block(lines: &Lines<'_>, line: usize) -> Option<(Block, usize)> {
    let opening = lines.get(line).trim_start();
    let mark = opening.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
    let length = opening.chars().take_while(|character| *character == mark).count();
    if length < 3 {
        return None;
    }
    let info = opening.get(length..).unwrap_or_default().trim();
    let closes = |line: &str| {
        let line = line.trim();
        line.len() >= length && line.chars().all(|character| character == mark)
    };
    let last = (line + 1..lines.count()).find(|at| closes(lines.get(*at))).unwrap_or(lines.count());
    let body = lines.start(line + 1)..lines.start(last);
    Some((Block { info: info.to_owned(), body }, last + 1))
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
fn group(text: &str, lines: &Lines<'_>, first: usize) -> Option<(Language, usize)> {
    let opening = lines.get(first).trim_start();
    let comment = opening.starts_with("/*") || opening.starts_with("//");
    let style = match fragment::statement(opening) {
        Some(Statement::Json) => Style::Json,
        Some(_) => Style::Code,
        None if comment => Style::Code,
        None => return None,
    };
    if style == Style::Json {
        let end = end_of_statement(lines, first, style);
        let body = text.get(lines.start(first)..lines.start(end)).unwrap_or_default();
        return language::of_text(body).map(|language| (language, end));
    }
    let (mut line, mut end) = (first, first);
    while line < lines.count() {
        let opening = lines.get(line).trim_start();
        let comment = opening.starts_with("/*") || opening.starts_with("//");
        let goes_on = match fragment::statement(opening) {
            Some(Statement::Json) | None => comment,
            Some(_) => true,
        };
        if goes_on {
            line = end_of_statement(lines, line, style);
            end = line;
        } else if opening.is_empty() && line > first {
            line += 1;
        } else {
            break;
        }
    }
    let body = text.get(lines.start(first)..lines.start(end)).unwrap_or_default();
    language::of_text(body).map(|language| (language, end))
}

/// A snippet, made whole.
fn snippet(document: &Source, range: Range<usize>, language: Language) -> Text {
    let body = document.text.get(range.clone()).unwrap_or_default();
    let body = fragment::blank(body, &ellipses(body));
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

/// Lines that only say that something was left out.
fn ellipses(body: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in body.split_inclusive('\n') {
        if matches!(line.trim().trim_end_matches(','), "..." | "…") {
            found.push(at..at + line.len());
        }
        at += line.len();
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
    let before = document.text.get(..range.start).unwrap_or_default();
    let lines_before = before.matches('\n').count();
    let compiled = format!("{}{body}", "\n".repeat(lines_before));
    Text {
        file: document.clone(),
        language: Language::Cel,
        compiled: Source::new(document.name.clone(), compiled),
        snippet: Some(Snippet {
            start: range.start,
            end: range.end,
            compiled_start: lines_before,
            fragment: false,
        }),
    }
}
