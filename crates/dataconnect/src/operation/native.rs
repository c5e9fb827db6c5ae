//! SQL that an operation has as text: `_select`, `_execute` and their kin.
//!
//! The text is read to see that it is one statement of an admitted kind whose brackets and quotes close, because it
//! becomes a part of a statement. What it may touch is not decided here: queries run in read-only transactions, and the
//! role of the connection has no right to change tables.
//!
//! Source: the reference, §9.4; PostgreSQL's manual, 4.1 (lexical structure).

use std::ops::Range;

/// Bytes of one text.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The largest number of a parameter.
const PARAMETER_MAX: usize = 1_000;

/// What a field does with its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// `_select`, `_selectFirst`
    Select,
    /// `_execute`
    Execute,
    /// `_executeReturning`, `_executeReturningFirst`
    Returning,
}

impl Use {
    /// What a root field does with SQL.
    pub fn of(field: &str) -> Option<Self> {
        Some(match field {
            "_select" | "_selectFirst" => Use::Select,
            "_execute" => Use::Execute,
            "_executeReturning" | "_executeReturningFirst" => Use::Returning,
            _ => return None,
        })
    }
}

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NativeFault {
    /// Too long.
    #[error("the SQL has {0} bytes; at most {TEXT_BYTES_MAX}")]
    Long(usize),
    /// A comment that ends with its line, which would comment out what follows.
    #[error("the SQL has a `--` comment: write `/* … */`")]
    LineComment,
    /// A quote or a comment that does not end.
    #[error("{0} of the SQL does not end")]
    Open(&'static str),
    /// Brackets that do not match.
    #[error("the brackets of the SQL do not match")]
    Brackets,
    /// More than one statement.
    #[error("the SQL has a `;`: it is one statement")]
    Several,
    /// A statement of another kind.
    #[error("the SQL begins with `{word}`: {admitted}")]
    Kind {
        /// The first word.
        word: String,
        /// What it may begin with.
        admitted: &'static str,
    },
    /// A parameter with a name.
    #[error("the SQL has a named parameter `{0}`: parameters are `$1`, `$2`, …")]
    Named(String),
    /// `$0`, or too many.
    #[error("the SQL has the parameter `${0}`: they are `$1` to `${PARAMETER_MAX}`")]
    Number(usize),
    /// A write inside of `WITH`.
    #[error("the SQL writes inside of `WITH`, which only `_execute` may")]
    WritesWithin,
    /// Nothing is returned.
    #[error("the SQL has no `RETURNING`: use `_execute`, or return what is wanted")]
    NoReturning,
    /// A parameter without a value.
    #[error("the SQL has the parameter `${0}`, and `params` has no value for it")]
    Missing(usize),
    /// A value without a parameter.
    #[error("unused parameter: ${0}")]
    Unused(usize),
}

/// A text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    text: String,
    /// Where parameters are, with their numbers.
    parameters: Vec<(Range<usize>, usize)>,
    /// Where the main statement begins: after the parts of `WITH`.
    main: usize,
    /// Whether it begins with `WITH`.
    with: bool,
    /// Whether the main statement returns rows.
    returns: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Parameter(usize),
    Sign(u8),
}

struct Token {
    kind: Kind,
    range: Range<usize>,
    depth: usize,
}

impl Native {
    /// Reads the SQL of a field.
    pub fn read(text: &str, of: Use) -> Result<Self, NativeFault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NativeFault::Long(text.len()));
        }
        let trimmed = text.trim().trim_end_matches(';').trim_end();
        let tokens = Tokens { text: trimmed, at: 0, depth: 0, brackets: Vec::new() }.all()?;
        let word = |token: &Token| match token.kind {
            Kind::Word => trimmed.get(token.range.clone()).unwrap_or_default().to_ascii_uppercase(),
            _ => String::new(),
        };
        let first = tokens.first().map(word).unwrap_or_default();
        let (admitted, says): (&[&str], _) = match of {
            Use::Select => (&["SELECT", "TABLE", "WITH"], "queries begin with SELECT, TABLE or WITH"),
            _ => (
                &["INSERT", "UPDATE", "DELETE", "WITH"],
                "mutations begin with INSERT, UPDATE, DELETE or WITH",
            ),
        };
        if !admitted.contains(&first.as_str()) {
            let word = if first.is_empty() { trimmed.chars().take(20).collect() } else { first };
            return Err(NativeFault::Kind { word, admitted: says });
        }
        let with = first == "WITH";
        let starts = ["SELECT", "INSERT", "UPDATE", "DELETE", "TABLE", "VALUES", "MERGE"];
        let is_main = |token: &&Token| token.depth == 0 && starts.contains(&word(token).as_str());
        let main_at = if with { tokens.iter().position(|token| is_main(&token)) } else { Some(0) };
        let Some(main_at) = main_at else {
            return Err(NativeFault::Kind { word: "WITH".to_owned(), admitted: "no statement follows it" });
        };
        let main_word = tokens.get(main_at).map(word).unwrap_or_default();
        let writes = |word: &str| ["INSERT", "UPDATE", "DELETE", "MERGE"].contains(&word);
        let opened = tokens.windows(2).filter(|pair| matches!(pair, [a, _] if a.kind == Kind::Sign(b'(')));
        let within = opened.filter_map(|pair| pair.get(1)).any(|token| writes(&word(token)));
        if within && of != Use::Execute {
            return Err(NativeFault::WritesWithin);
        }
        if (of == Use::Select && writes(&main_word)) || main_word == "MERGE" {
            return Err(NativeFault::Kind { word: main_word, admitted: says });
        }
        let rest = tokens.get(main_at..).unwrap_or_default();
        let returning = rest.iter().any(|token| token.depth == 0 && word(token) == "RETURNING");
        let returns = returning || !writes(&main_word);
        if of == Use::Returning && !returns {
            return Err(NativeFault::NoReturning);
        }
        let main = tokens.get(main_at).map_or(0, |token| token.range.start);
        let parameters = tokens.into_iter().filter_map(|token| match token.kind {
            Kind::Parameter(number) => Some((token.range, number)),
            _ => None,
        });
        let parameters = parameters.collect();
        Ok(Self { text: trimmed.to_owned(), parameters, main, with, returns })
    }

    /// Whether so many values are what it needs.
    pub fn fits(&self, values: usize) -> Result<(), NativeFault> {
        let used = |number: usize| self.parameters.iter().any(|(_, used)| *used == number);
        if let Some(unused) = (1..=values).find(|number| !used(*number)) {
            return Err(NativeFault::Unused(unused));
        }
        match self.parameters.iter().map(|(_, number)| *number).find(|number| *number > values) {
            Some(missing) => Err(NativeFault::Missing(missing)),
            None => Ok(()),
        }
    }

    /// The text with other words for its parameters.
    pub fn query(&self, parameter: &dyn Fn(usize) -> String) -> String {
        self.part(0..self.text.len(), parameter)
    }

    /// The text as a part of `WITH` called `name`, with the word `WITH`; the statement that reads it follows. A
    /// statement that returns nothing returns a 1 for each row.
    pub fn named(&self, name: &str, parameter: &dyn Fn(usize) -> String) -> String {
        let main = self.part(self.main..self.text.len(), parameter);
        let returning = if self.returns { "" } else { " RETURNING 1" };
        let before = match self.with {
            true => format!("{}, ", self.part(0..self.main, parameter).trim_end()),
            false => "WITH ".to_owned(),
        };
        format!("{before}{name} AS ({main}{returning})")
    }

    fn part(&self, range: Range<usize>, parameter: &dyn Fn(usize) -> String) -> String {
        let (mut out, mut at) = (String::new(), range.start);
        let within =
            self.parameters.iter().filter(|(place, _)| range.start <= place.start && place.end <= range.end);
        for (place, number) in within {
            out.push_str(self.text.get(at..place.start).unwrap_or_default());
            out.push_str(&parameter(*number));
            at = place.end;
        }
        out.push_str(self.text.get(at..range.end).unwrap_or_default());
        out
    }
}

struct Tokens<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    brackets: Vec<u8>,
}

impl Tokens<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn all(mut self) -> Result<Vec<Token>, NativeFault> {
        let mut found = Vec::new();
        while self.at < self.text.len() {
            found.extend(self.next()?);
        }
        if self.brackets.is_empty() { Ok(found) } else { Err(NativeFault::Brackets) }
    }

    fn next(&mut self) -> Result<Option<Token>, NativeFault> {
        let (start, depth) = (self.at, self.depth);
        let kind = match (self.byte(0), self.byte(1)) {
            (b'-', b'-') => return Err(NativeFault::LineComment),
            (b'/', b'*') => return self.comment().map(|()| None),
            (b'\'', _) => return self.quoted(b'\'', false, "a text").map(|()| None),
            (b'"', _) => return self.quoted(b'"', false, "a name").map(|()| None),
            (b'E' | b'e', b'\'') => {
                self.at += 1;
                return self.quoted(b'\'', true, "a text").map(|()| None);
            }
            (b'$', digit) if digit.is_ascii_digit() => {
                let digits: String = self.rest().chars().skip(1).take_while(char::is_ascii_digit).collect();
                self.at += 1 + digits.len();
                let number = digits.parse().unwrap_or(usize::MAX);
                if number == 0 || number > PARAMETER_MAX {
                    return Err(NativeFault::Number(number));
                }
                Kind::Parameter(number)
            }
            (b'$', _) => return self.dollar().map(|()| None),
            (byte, _) if is_start(byte) => {
                while is_start(self.byte(0)) || self.byte(0).is_ascii_digit() || self.byte(0) == b'$' {
                    self.at += 1;
                }
                Kind::Word
            }
            (byte, _) if byte.is_ascii_digit() => {
                while self.byte(0).is_ascii_alphanumeric() || self.byte(0) == b'_' {
                    self.at += 1;
                }
                return Ok(None);
            }
            (byte, next) => return self.sign(byte, next, start, depth),
        };
        Ok(Some(Token { kind, range: start..self.at, depth }))
    }

    fn sign(&mut self, byte: u8, next: u8, start: usize, depth: usize) -> Result<Option<Token>, NativeFault> {
        self.at += 1;
        match byte {
            b'(' | b'[' => {
                self.brackets.push(if byte == b'(' { b')' } else { b']' });
                self.depth += 1;
            }
            b')' | b']' => {
                if self.brackets.pop() != Some(byte) {
                    return Err(NativeFault::Brackets);
                }
                self.depth -= 1;
            }
            b';' => return Err(NativeFault::Several),
            b':' if next == b':' => self.at += 1,
            // `a[1:n]` is a part of an array.
            b':' | b'@' if is_start(next) && self.brackets.last() != Some(&b']') => {
                let is_word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
                let name: String = self.rest().chars().take_while(is_word).collect();
                return Err(NativeFault::Named(format!("{}{name}", char::from(byte))));
            }
            _ => {}
        }
        Ok(Some(Token { kind: Kind::Sign(byte), range: start..self.at, depth }))
    }

    /// Comments nest.
    fn comment(&mut self) -> Result<(), NativeFault> {
        let mut levels = 0usize;
        loop {
            match (self.byte(0), self.byte(1)) {
                _ if self.at >= self.text.len() => return Err(NativeFault::Open("a comment")),
                (b'/', b'*') => (levels, self.at) = (levels + 1, self.at + 2),
                (b'*', b'/') => (levels, self.at) = (levels - 1, self.at + 2),
                _ => self.at += 1,
            }
            if levels == 0 {
                return Ok(());
            }
        }
    }

    /// A quote is doubled inside of it.
    fn quoted(&mut self, quote: u8, escapes: bool, what: &'static str) -> Result<(), NativeFault> {
        self.at += 1;
        while self.at < self.text.len() {
            match (self.byte(0), self.byte(1)) {
                (b'\\', _) if escapes => self.at += 2,
                (a, b) if a == quote && b == quote => self.at += 2,
                (a, _) if a == quote => {
                    self.at += 1;
                    return Ok(());
                }
                _ => self.at += 1,
            }
        }
        Err(NativeFault::Open(what))
    }

    /// `$$…$$` and `$tag$…$tag$`.
    fn dollar(&mut self) -> Result<(), NativeFault> {
        let tail = self.rest().get(1..).unwrap_or_default();
        let tag = tail.find('$').and_then(|end| tail.get(..end));
        let is_tag = |tag: &&str| tag.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit());
        let Some(tag) = tag.filter(is_tag) else {
            self.at += 1;
            return Ok(());
        };
        let mark = format!("${tag}$");
        let after = self.rest().get(mark.len()..).unwrap_or_default();
        match after.find(&mark) {
            Some(end) => {
                self.at += mark.len() + end + mark.len();
                Ok(())
            }
            None => Err(NativeFault::Open("a text")),
        }
    }
}

fn is_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_statement_of_an_admitted_kind() {
        for (text, of, part) in [
            ("DROP TABLE a", Use::Select, "begins with `DROP`"),
            ("DELETE FROM a", Use::Select, "begins with `DELETE`"),
            ("SELECT 1", Use::Execute, "begins with `SELECT`"),
            ("(SELECT 1)", Use::Select, "begins with"),
            ("", Use::Select, "begins with"),
            ("SELECT 1; DELETE FROM a", Use::Select, "`;`"),
            ("SELECT 1 -- x", Use::Select, "`--`"),
            ("SELECT 'a", Use::Select, "a text of the SQL does not end"),
            ("SELECT $a$ x", Use::Select, "does not end"),
            ("SELECT /* /* */ 1", Use::Select, "a comment"),
            ("SELECT 1) FROM (SELECT 2", Use::Select, "brackets"),
            ("SELECT (1]", Use::Select, "brackets"),
            ("SELECT * FROM a WHERE b = :name", Use::Select, "`:name`"),
            ("SELECT * FROM a WHERE b = @name", Use::Select, "`@name`"),
            ("SELECT $0", Use::Select, "`$0`"),
            ("WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x", Use::Select, "inside of `WITH`"),
            (
                "WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x RETURNING 1",
                Use::Returning,
                "inside",
            ),
            ("WITH x AS (SELECT 1) DELETE FROM a", Use::Select, "begins with `DELETE`"),
            ("DELETE FROM a", Use::Returning, "no `RETURNING`"),
            ("WITH x AS (SELECT 1)", Use::Select, "no statement follows"),
        ] {
            let said =
                Native::read(text, of).map(|_| String::new()).unwrap_or_else(|fault| fault.to_string());
            assert!(said.contains(part), "{text}: {said:?}");
        }
        for (text, of) in [
            (
                "SELECT a::text, b[1:n], '$1 ; --', E'\\';', $$ ; $$, $x$ $$ -- $x$ FROM t /* ; -- */;",
                Use::Select,
            ),
            ("TABLE a", Use::Select),
            ("WITH x AS (SELECT 1) SELECT * FROM x", Use::Select),
            ("WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x", Use::Execute),
            ("UPDATE a SET b = $1 RETURNING *", Use::Returning),
        ] {
            assert_eq!(Native::read(text, of).err(), None, "{text}");
        }
    }

    #[test]
    fn parameters_are_counted_and_renamed() {
        let read = |text| Native::read(text, Use::Select).unwrap();
        assert_eq!(read("SELECT $1, $2").fits(2), Ok(()));
        assert_eq!(read("SELECT $2").fits(2), Err(NativeFault::Unused(1)));
        assert_eq!(read("SELECT $3").fits(0), Err(NativeFault::Missing(3)));
        let renamed = read("SELECT $1, '$1', $2").query(&|number| format!("${}", number + 5));
        assert_eq!(renamed, "SELECT $6, '$1', $7");
        let write =
            Native::read("WITH x AS (DELETE FROM a RETURNING b) INSERT INTO c SELECT $1", Use::Execute);
        assert_eq!(
            write.unwrap().named("n", &|_| "$9".to_owned()),
            "WITH x AS (DELETE FROM a RETURNING b), n AS (INSERT INTO c SELECT $9 RETURNING 1)"
        );
    }
}
