//! The regular expressions of `matches`: checked against the service's own small grammar, then handed to [`re2`].
//!
//! Literals, `.`, sets with ranges, groups, alternatives, `* + ? {n} {n,} {n,m}`, `\s \w \d \S \W \D`; `^` only as the
//! first and `$` only as the last character; the flag `i`. No look-around, no references, no `(?:`. A quantifier with
//! nothing before it, and a `}` alone, are themselves.
//!
//! Source: verdicts of the live service on what it accepts. [`re2`]: crate::re2

use crate::re2::Regex;
use crate::syntax::cursor::Cursor;

/// Deepest nesting of groups.
const GROUP_LEVELS_MAX: u32 = 50;

/// Checks and compiles a pattern. The error is one sentence.
pub fn compile(pattern: &str, flags: &str) -> Result<Regex, String> {
    if !matches!(flags, "" | "i") {
        return Err(format!("Invalid regular expression flags `{flags}`: only i is supported."));
    }
    let mut reader =
        Reader { cursor: Cursor::new(pattern), out: String::with_capacity(pattern.len() + 8), level: 0 };
    if flags == "i" {
        reader.out.push_str("(?i)");
    }
    if reader.cursor.eat("^") {
        reader.out.push('^');
    }
    reader.alternatives()?;
    if reader.cursor.eat("$") {
        reader.out.push('$');
    }
    match reader.cursor.peek() {
        None => Regex::new(&reader.out).map_err(|error| format!("Invalid regular expression: {error}.")),
        Some(found) => Err(format!("Invalid regular expression: unexpected `{found}`.")),
    }
}

struct Reader<'p> {
    cursor: Cursor<'p>,
    /// The same in RE2's syntax.
    out: String,
    level: u32,
}

type Read = Result<(), String>;

fn invalid(reason: &str) -> String {
    format!("Invalid regular expression: {reason}.")
}

impl Reader<'_> {
    fn alternatives(&mut self) -> Read {
        loop {
            let mut any = false;
            while self.piece(!any)? {
                any = true;
            }
            let more = self.cursor.rest().starts_with('|');
            if !any && (more || self.level > 0 || self.out.ends_with('|')) {
                return Err(invalid("an alternative is empty"));
            }
            if !more {
                return Ok(());
            }
            self.cursor.bump();
            self.out.push('|');
        }
    }

    /// One atom with its quantifier; false where the sequence ends.
    fn piece(&mut self, first: bool) -> Result<bool, String> {
        match self.cursor.peek() {
            None | Some('|' | ')') => return Ok(false),
            Some('$') => {
                let last = self.level == 0 && self.cursor.rest() == "$";
                return if last { Ok(false) } else { Err(invalid("`$` may only be the last character")) };
            }
            Some('^') => return Err(invalid("`^` may only be the first character")),
            Some('(') => {
                self.cursor.bump();
                if self.level >= GROUP_LEVELS_MAX {
                    return Err(invalid("groups nest too deeply"));
                }
                if self.cursor.rest().starts_with("?:")
                    || self.cursor.rest().starts_with("?=")
                    || self.cursor.rest().starts_with("?!")
                    || self.cursor.rest().starts_with("?<")
                {
                    return Err(invalid("`(?` is not supported"));
                }
                self.level += 1;
                self.out.push('(');
                self.alternatives()?;
                if !self.cursor.eat(")") {
                    return Err(invalid("a group is never closed"));
                }
                self.out.push(')');
                self.level -= 1;
            }
            Some('[') => self.set()?,
            Some('\\') => self.escape(false)?,
            Some('.') => {
                self.cursor.bump();
                self.out.push('.');
            }
            Some(quantifier @ ('*' | '+' | '?' | '{')) => {
                if !first {
                    return Err(invalid(&format!("there is nothing that `{quantifier}` repeats")));
                }
                self.literal();
            }
            Some(_) => self.literal(),
        }
        self.quantifier()?;
        Ok(true)
    }

    fn literal(&mut self) {
        if let Some(character) = self.cursor.bump() {
            self.push_literal(character);
        }
    }

    fn push_literal(&mut self, character: char) {
        if character.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(character);
    }

    fn quantifier(&mut self) -> Read {
        let start = self.cursor.offset();
        match self.cursor.peek() {
            Some('*' | '+' | '?') => {
                self.cursor.bump();
            }
            Some('{') => {
                self.cursor.bump();
                let digit = |character: char| character.is_ascii_digit();
                let least = !self.cursor.eat_while(digit).is_empty();
                if self.cursor.eat(",") {
                    self.cursor.eat_while(digit);
                }
                if !least || !self.cursor.eat("}") {
                    return Err(invalid("a repetition is `{n}`, `{n,}` or `{n,m}`"));
                }
            }
            _ => return Ok(()),
        }
        let written = self.cursor.since(start);
        self.out.push_str(written);
        Ok(())
    }

    fn set(&mut self) -> Read {
        self.cursor.bump();
        self.out.push('[');
        if self.cursor.eat("^") {
            self.out.push('^');
        }
        let mut empty = true;
        // Whether a `-` now makes a range: after a single character that does not end one.
        let mut range = false;
        loop {
            match self.cursor.peek() {
                None => return Err(invalid("a set is never closed")),
                Some(']') if empty => return Err(invalid("a set is empty")),
                Some(']') => {
                    self.cursor.bump();
                    self.out.push(']');
                    return Ok(());
                }
                Some('-') if range && !self.cursor.rest().starts_with("-]") => {
                    self.cursor.bump();
                    self.out.push('-');
                    self.member()?;
                    range = false;
                }
                Some(_) => range = self.member()?,
            }
            empty = false;
        }
    }

    /// A member of a set; whether it is a single character.
    fn member(&mut self) -> Result<bool, String> {
        if !self.cursor.rest().starts_with('\\') {
            self.literal();
            return Ok(true);
        }
        let class = self.cursor.rest().get(1..2).is_some_and(|letter| "swdSWD".contains(letter));
        self.escape(true)?;
        Ok(!class)
    }

    fn escape(&mut self, in_set: bool) -> Read {
        self.cursor.bump();
        match self.cursor.bump() {
            None => return Err(invalid("a backslash ends it")),
            // RE2's `\s` has no vertical tab.
            Some('s') => self.out.push_str(if in_set { "\\s\\x0b" } else { "[\\s\\x0b]" }),
            Some('S') if in_set => return Err(invalid("`\\S` in a set is not supported")),
            Some('S') => self.out.push_str("[^\\s\\x0b]"),
            Some(class @ ('w' | 'W' | 'd' | 'D' | 't' | 'n' | 'r' | 'f' | 'v')) => {
                self.out.push('\\');
                self.out.push(class);
            }
            Some(character) if character.is_alphanumeric() => {
                return Err(invalid(&format!("`\\{character}` is not supported")));
            }
            Some(character) => self.push_literal(character),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subset_matches_anywhere_unless_anchored() {
        for (pattern, flags, text, expected) in [
            ("bar", "", "a bar b", true),
            ("^bar", "", "a bar", false),
            ("BAR", "i", "a bar", true),
            ("^(a|b)+$", "", "abba", true),
            ("^a|b$", "", "xb", true),
            ("^a|b$", "", "b", true),
            ("^[a-z0-9._%+-]+@x\\.y$", "", "a.b-c@x.y", true),
            ("^\\d{4}-\\d{2}$", "", "2026-11", true),
            ("^\\w{2,}$", "", "é!", false),
            ("^[\\s]$", "", "\u{b}", true),
            ("\\{foo}", "", "{foo}", true),
            ("*a", "", "x*a", true),
            ("(+a)", "", "+a", true),
            ("^$", "", "", true),
            ("", "", "anything", true),
            ("a.c", "", "a\nc", false),
        ] {
            assert_eq!(
                compile(pattern, flags).unwrap().is_match(text),
                expected,
                "/{pattern}/{flags} on {text:?}"
            );
        }
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        for pattern in [
            "^(foo|)$", "(^a$|b)", "a^", "a$b", "(?:a)", "a(?=b)", "(a)\\1", "a**", "(", "[", "a{,2}", "|a",
            "a|",
        ] {
            assert!(compile(pattern, "").is_err(), "/{pattern}/");
        }
        assert!(compile("a", "g").is_err());
    }
}
