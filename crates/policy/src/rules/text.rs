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
    regex.each_match(text, &mut |group| {
        if let Some(found) = group(0) {
            pieces.push(text.get(begin..found.start).unwrap_or_default());
            begin = found.end;
        }
    });
    pieces.push(text.get(begin..).unwrap_or_default());
    while pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    pieces
}

/// The text with every match replaced: `$1` is a group, `${name}` a named one, a backslash makes what follows plain. `None`
/// for a replacement that is none, if something matches.
pub fn replace(regex: &Regex, text: &str, rewrite: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut begin = 0;
    let mut good = true;
    regex.each_match(text, &mut |group| {
        if let Some(found) = group(0) {
            out.push_str(text.get(begin..found.start).unwrap_or_default());
            begin = found.end;
            good = good && append(&mut out, regex, text, rewrite, group).is_some();
        }
    });
    out.push_str(text.get(begin..).unwrap_or_default());
    good.then_some(out)
}

fn append(out: &mut String, regex: &Regex, text: &str, rewrite: &str, group: Group<'_>) -> Option<()> {
    let mut rest = rewrite.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => out.push(rest.next().unwrap_or('\\')),
            '$' => {
                let number = match rest.next()? {
                    '{' => {
                        let name: String = rest.by_ref().take_while(|next| *next != '}').collect();
                        regex.group_named(&name)?
                    }
                    digit => {
                        let mut number = digit.to_digit(10)? as usize;
                        // More digits belong to it as long as there is such a group.
                        while let Some(digit) = rest.peek().and_then(|next| next.to_digit(10)) {
                            let longer = number * 10 + digit as usize;
                            if longer > regex.group_count() {
                                break;
                            }
                            number = longer;
                            rest.next();
                        }
                        number
                    }
                };
                if number > regex.group_count() {
                    return None;
                }
                let found = group(number).and_then(|range| text.get(range));
                out.push_str(found.unwrap_or_default());
            }
            plain => out.push(plain),
        }
    }
    Some(())
}
