//! Recognises statements of rules, and makes a fragment whole: a `match` without a service, rules of one place of a
//! database, an `allow` by itself. What stands around a fragment is what a careful reader would imagine there.

use std::borrow::Cow;
use std::ops::Range;

use prove::Language;

/// What a line of rules begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `rules_version`, `service`, `match` or `allow`.
    Rules,
    /// A function, in rules or in Bolt.
    Function,
    /// A JSON object or member.
    Json,
    /// Bolt's `path`.
    Path,
    /// Bolt's `type`.
    Type,
}

/// What a line begins, when it is one of these.
pub fn statement(line: &str) -> Option<Statement> {
    let line = line.trim();
    let code = line.ends_with(['{', '}', ';', ':', ')', '&', '|', '(']) || line.contains('{');
    if line.starts_with("rules_version") && line.contains('=') {
        return Some(Statement::Rules);
    }
    if (line.starts_with("service cloud.") || line.starts_with("service firebase.")) && line.contains('{') {
        return Some(Statement::Rules);
    }
    if line.starts_with("match /") && code {
        return Some(Statement::Rules);
    }
    if let Some(rest) = line.strip_prefix("allow ") {
        let verb = rest.split([',', ':', ';', ' ']).next().unwrap_or_default();
        let known = ["read", "write", "get", "list", "create", "update", "delete"].contains(&verb);
        return (known && (code || line.contains(" if "))).then_some(Statement::Rules);
    }
    if line.starts_with("path /") && (code || line.contains(" is ")) {
        return Some(Statement::Path);
    }
    if let Some(rest) = line.strip_prefix("type ") {
        let named = rest.starts_with(char::is_uppercase) && !rest.contains(['@', '=']);
        return (named && code).then_some(Statement::Type);
    }
    if is_function(line) {
        return Some(Statement::Function);
    }
    let key = line.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let member = key.is_some_and(|(_, rest)| rest.trim_start().starts_with(':'));
    let object = line == "{" || line.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'));
    (member || object).then_some(Statement::Json)
}

/// `function name(…) {` or, as Bolt has it, `name(…) {`.
fn is_function(line: &str) -> bool {
    let (line, said) = line.strip_prefix("function ").map_or((line, false), |rest| (rest.trim_start(), true));
    let Some((name, rest)) = line.split_once('(') else { return false };
    let name = name.trim_end();
    let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || character == '_');
    let word = ["if", "for", "while", "switch", "catch", "return", "with"].contains(&name);
    let after = rest.split_once(')').map(|(_, after)| after.trim_start());
    let body = after.is_some_and(|after| after.starts_with('{') || (said && after.is_empty()));
    is_name && !word && body
}

/// The first statement of a text, past comments and empty lines.
pub fn first_statement(text: &str) -> Option<Statement> {
    let blank = without_comments(text);
    // What is left of a comment that was closed too early is no beginning.
    let says =
        |line: &&str| line.chars().any(|character| !character.is_whitespace() && !"/*".contains(character));
    statement(blank.lines().find(says)?)
}

/// Whether a text has what only rules of Firestore and Storage have, and nothing of a program.
pub fn has_rules(text: &str) -> bool {
    let plain = without_comments(text);
    let program = ["=>", "await ", "const ", "var ", "async ", "console.", "this."];
    if program.iter().any(|sign| plain.contains(sign)) {
        return false;
    }
    let says = plain.lines().any(|line| statement(line) == Some(Statement::Rules));
    let asks = ["request.auth", "request.resource", "resource.data", "request.time"];
    says || (plain.contains("return ") && asks.iter().any(|name| plain.contains(name)))
}

/// Whether a text has Bolt's `path`.
pub fn has_path(text: &str) -> bool {
    without_comments(text).lines().any(|line| statement(line) == Some(Statement::Path))
}

/// The service that rules are for.
pub fn service(text: &str) -> Language {
    let plain = without_comments(text);
    if plain.contains("service cloud.firestore") {
        return Language::Firestore;
    }
    let signs = [
        "service firebase.storage",
        "match /b/{",
        "resource.contentType",
        "resource.size",
        "firestore.get(",
        "firestore.exists(",
    ];
    if signs.iter().any(|sign| plain.contains(sign)) { Language::Storage } else { Language::Firestore }
}

/// What is put around a snippet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Before it, in one line.
    pub before: String,
    pub after: String,
}

impl Frame {
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }
}

/// What has to stand around a snippet.
pub fn frame(body: &str, language: Language) -> Frame {
    match language {
        Language::Firestore | Language::Storage => rules_frame(body, language),
        Language::Realtime => realtime_frame(body),
        Language::Bolt | Language::Cel => Frame::default(),
    }
}

fn rules_frame(body: &str, language: Language) -> Frame {
    let plain = without_comments(body);
    if plain.contains("service cloud.") || plain.contains("service firebase.") {
        return Frame::default();
    }
    let (service, root) = match language {
        Language::Storage => ("firebase.storage", "match /b/{bucket}/o { "),
        _ => ("cloud.firestore", "match /databases/{database}/documents { "),
    };
    let has_root = plain.contains("match /databases/") || plain.contains("match /b/{");
    let is_allow = plain.trim_start().starts_with("allow ");
    let version = if plain.trim_start().starts_with("rules_version") { "" } else { "rules_version = '2'; " };
    let root = if has_root { "" } else { root };
    // An `allow` by itself is about some document.
    let (place, depth) = if is_allow { ("match /{collection}/{document} { ", 1) } else { ("", 0) };
    let closing = 1 + depth + usize::from(!has_root);
    Frame { before: format!("{version}service {service} {{ {root}{place}"), after: "}".repeat(closing) }
}

fn realtime_frame(body: &str) -> Frame {
    let plain = without_comments(body);
    let trimmed = plain.trim_start();
    let is_object = trimmed.starts_with('{');
    if is_object && has_rules_key(trimmed) {
        return Frame::default();
    }
    if trimmed.starts_with("\"rules\"") {
        return Frame { before: "{".to_owned(), after: "}".to_owned() };
    }
    let (mut before, mut after) = ("{\"rules\": ".to_owned(), "}".to_owned());
    for capture in unbound_captures(&plain) {
        before.push_str(&format!("{{\"{capture}\": "));
        after.push('}');
    }
    if !is_object {
        before.push('{');
        after.push('}');
    }
    Frame { before, after }
}

/// Whether an object's own keys have `rules` among them.
fn has_rules_key(object: &str) -> bool {
    let (mut depth, mut at) = (0, 0);
    while let Some(character) = object.get(at..).and_then(|rest| rest.chars().next()) {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let rest = object.get(at + 1..).unwrap_or_default();
                let end = string_end(rest);
                if depth == 1 && rest.get(..end) == Some("rules") {
                    return true;
                }
                at += end + 1;
            }
            _ => {}
        }
        at += character.len_utf8();
        if depth == 0 {
            return false;
        }
    }
    false
}

/// Where the string ends whose opening quote stands before this text.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    text.char_indices()
        .find(|(_, character)| {
            let ends = *character == '"' && !escaped;
            escaped = *character == '\\' && !escaped;
            ends
        })
        .map_or(text.len(), |(at, _)| at)
}

/// Names such as `$room` that are used and not declared as a key, in the order of the text.
fn unbound_captures(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = text.get(at..).unwrap_or_default();
        let length = rest
            .char_indices()
            .skip(1)
            .find(|(_, character)| !character.is_alphanumeric() && *character != '_')
            .map_or(rest.len(), |(end, _)| end);
        let name = rest.get(..length).unwrap_or_default();
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        // `/^a$/` is no name.
        if length > 1 && before != Some('\\') && !found.contains(&name) {
            found.push(name);
        }
    }
    found.retain(|name| !text.contains(&format!("\"{name}\"")));
    found
}

/// The text with its comments blanked out: same length, same lines.
fn without_comments(text: &str) -> Cow<'_, str> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut quote, mut at) = (None, 0);
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let mut step = character.len_utf8();
        match (quote, character) {
            (Some(_), '\\') => step += rest.chars().nth(1).map_or(0, char::len_utf8),
            (Some(open), close) if open == close => quote = None,
            // A quote left open in a line of prose or code says nothing about the next.
            (Some('\''), '\n') => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '/') if rest.starts_with("//") => {
                step = rest.find('\n').unwrap_or(rest.len());
                ranges.push(at..at + step);
            }
            (None, '/') if rest.starts_with("/*") => {
                step = rest.get(2..).and_then(|rest| rest.find("*/")).map_or(rest.len(), |end| end + 4);
                ranges.push(at..at + step);
            }
            _ => {}
        }
        at += step;
    }
    if ranges.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(blank(text, &ranges)) }
}

/// The text with these parts replaced by spaces, lines kept.
pub fn blank(text: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in ranges {
        for byte in bytes.get_mut(range.clone()).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    // Ranges begin and end between characters, so nothing but whole characters became spaces.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_prose() {
        for (line, expected) in [
            ("match /rooms/{id} {", Some(Statement::Rules)),
            ("match /rooms with the id of the room", None),
            ("allow read: if true;", Some(Statement::Rules)),
            ("allow read access to anyone", None),
            ("allow everyone;", None),
            ("  service cloud.firestore {", Some(Statement::Rules)),
            ("function isPartner() {", Some(Statement::Function)),
            ("isAllowed(obj, entity) {", Some(Statement::Function)),
            ("if (true) {", None),
            ("path /users/{uid} is User;", Some(Statement::Path)),
            ("path / of the database", None),
            ("type User extends Object {", Some(Statement::Type)),
            ("type Movie @table(key: [\"id\"]) {", None),
            ("\".write\": \"", Some(Statement::Json)),
            ("{", Some(Statement::Json)),
            ("{ \"rules\": {} }", Some(Statement::Json)),
            ("\"Quoted\" prose", None),
            ("Prose (with brackets) goes on.", None),
        ] {
            assert_eq!(statement(line), expected, "{line}");
        }
    }

    #[test]
    fn fragments_get_what_is_missing_around_them() {
        let before = |body, language| frame(body, language).before;
        assert_eq!(before("service cloud.firestore {}", Language::Firestore), "");
        assert_eq!(
            before("// x\nallow read;", Language::Firestore),
            "rules_version = '2'; service cloud.firestore { match /databases/{database}/documents { \
             match /{collection}/{document} { "
        );
        assert_eq!(
            before("match /b/{bucket}/o { }", Language::Storage),
            "rules_version = '2'; service firebase.storage { "
        );
        assert_eq!(before("{ // all\n \"rules\": {} }", Language::Realtime), "");
        assert_eq!(before("{ \"a\": {\"rules\": {}} }", Language::Realtime), "{\"rules\": ");
        assert_eq!(
            before("\".read\": \"$a == $b && /x\\$/\", \"$b\": {}", Language::Realtime),
            "{\"rules\": {\"$a\": {"
        );
    }
}
