//! Text as the rules language measures it: in UTF-16 units.
//!
//! Source: the official emulator, which runs on the JVM.

use crate::re2::{Group, Regex};

/// How many units a text has.
pub fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Some units of a text. Half a surrogate pair has no text: it is `?`.
pub fn slice(text: &str, from: usize, count: usize) -> String {
    if text.is_ascii() {
        return text.get(from..from.saturating_add(count)).unwrap_or_default().to_owned();
    }
    let units = text.encode_utf16().skip(from).take(count);
    char::decode_utf16(units).map(|unit| unit.unwrap_or('?')).collect()
}

/// Without what is at most a blank at both ends: `trim()` keeps every other space of Unicode.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character <= ' ')
}

/// The pieces between the matches. Every match ends one, an empty one too; empty pieces at the end are left out.
pub fn split<'t>(regex: &Regex, text: &'t str) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    let torn = Torn::new(regex, text);
    // What is left of a character that was taken apart.
    let mut rest = "";
    regex.each_match(text, &mut |group| {
        if let Some(found) = group(0) {
            let piece = text.get(begin..found.start).unwrap_or_default();
            pieces.push(if piece.is_empty() { rest } else { piece });
            (begin, rest) = (found.end, "");
            if let Some(end) = torn.end(&found) {
                pieces.push(HALF);
                (begin, rest) = (end, HALF);
            }
        }
    });
    let piece = text.get(begin..).unwrap_or_default();
    pieces.push(if piece.is_empty() { rest } else { piece });
    while pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    pieces
}

/// Half a surrogate pair, as text.
const HALF: &str = "?";

/// Characters of two UTF-16 units, which a pattern that matches nothing takes apart.
struct Torn<'t> {
    text: &'t str,
    between_units: bool,
}

impl<'t> Torn<'t> {
    fn new(regex: &Regex, text: &'t str) -> Self {
        let mut between_units = false;
        if text.bytes().any(|byte| byte >= 0xF0) {
            // Whether it matches nothing between two characters that are no part of words.
            let middle = '\u{FFFD}'.len_utf8();
            regex.each_match("\u{FFFD}\u{FFFD}", &mut |group| {
                between_units |= group(0).is_some_and(|found| found.start == middle && found.end == middle);
            });
        }
        Self { text, between_units }
    }

    /// Behind a match of nothing: where the character that it takes apart ends.
    fn end(&self, found: &std::ops::Range<usize>) -> Option<usize> {
        let next = self.text.get(found.end..)?.chars().next()?;
        (self.between_units && found.is_empty() && next.len_utf16() == 2).then(|| found.end + next.len_utf8())
    }
}

/// The text with every match replaced: `$1` is a group, `${name}` a named one, another `$` is itself, a backslash makes what
/// follows plain. `None` for a group that there is not, if something matches.
pub fn replace(regex: &Regex, text: &str, rewrite: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut begin = 0;
    let mut good = true;
    let torn = Torn::new(regex, text);
    regex.each_match(text, &mut |group| {
        if let Some(found) = group(0) {
            out.push_str(text.get(begin..found.start).unwrap_or_default());
            begin = found.end;
            let before = out.len();
            good = good && append(&mut out, regex, text, rewrite, group).is_some();
            // With nothing between its units it stays what it is.
            if let Some(end) = torn.end(&found).filter(|_| out.len() > before) {
                let put = out.get(before..).unwrap_or_default().to_owned();
                out.extend([HALF, put.as_str(), HALF]);
                begin = end;
            }
        }
    });
    out.push_str(text.get(begin..).unwrap_or_default());
    good.then_some(out)
}

fn append(out: &mut String, regex: &Regex, text: &str, rewrite: &str, group: Group<'_>) -> Option<()> {
    let mut rest = rewrite.chars().peekable();
    while let Some(character) = rest.next() {
        let number = match (character, rest.peek()) {
            ('\\', _) => {
                out.push(rest.next().unwrap_or('\\'));
                continue;
            }
            ('$', Some('{')) => {
                rest.next();
                let mut closed = false;
                let name: String = rest
                    .by_ref()
                    .take_while(|next| {
                        closed = *next == '}';
                        !closed
                    })
                    .collect();
                if !closed {
                    return None;
                }
                regex.group_named(&name)?
            }
            ('$', Some(digit)) if digit.is_ascii_digit() => numbered(&mut rest, regex.group_count()),
            (plain, _) => {
                out.push(plain);
                continue;
            }
        };
        if number > regex.group_count() {
            return None;
        }
        let found = group(number).and_then(|range| text.get(range));
        out.push_str(found.unwrap_or_default());
    }
    Some(())
}

/// A group's number: more digits belong to it as long as there is such a group.
fn numbered(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, groups: usize) -> usize {
    let mut digit = || rest.next_if(char::is_ascii_digit).and_then(|digit| digit.to_digit(10));
    let mut number = digit().unwrap_or(0) as usize;
    while let Some(next) = rest.peek().and_then(|next| next.to_digit(10)) {
        let longer = number * 10 + next as usize;
        if longer > groups {
            break;
        }
        number = longer;
        rest.next();
    }
    number
}
