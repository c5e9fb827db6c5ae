//! Character classes: `[…]`, `\d`, `[:alpha:]`, `\p{Greek}`, and the escapes that name one character.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::PatternError;
use super::parse::{Cursor, Flags};
use super::unicode::Groups;

const BAD_ESCAPE: &str = "invalid escape sequence";
pub(super) const BAD_RANGE: &str = "invalid character class range";
const MISSING_BRACKET: &str = "missing ]";

/// A set of characters being collected; put in order only once, when complete.
#[derive(Clone, Default)]
pub(super) struct Set {
    ranges: Vec<ClassUnicodeRange>,
}

impl Set {
    pub(super) fn add(&mut self, first: char, last: char) {
        self.ranges.push(ClassUnicodeRange::new(first, last));
    }

    pub(super) fn add_class(&mut self, class: &ClassUnicode) {
        self.ranges.extend_from_slice(class.ranges());
    }

    /// Adds every other case of what is in the set.
    pub(super) fn fold(&mut self) {
        let mut class = ClassUnicode::new(std::mem::take(&mut self.ranges));
        // Fails only without case tables, which are compiled in.
        if class.try_case_fold_simple().is_ok() {
            self.add_class(&class);
        }
    }

    pub(super) fn negate(&mut self) {
        let mut class = ClassUnicode::new(std::mem::take(&mut self.ranges));
        class.negate();
        self.add_class(&class);
    }

    pub(super) fn into_class(self) -> ClassUnicode {
        ClassUnicode::new(self.ranges)
    }
}

/// Reads `[…]`; the cursor stands on the bracket.
pub(super) fn parse(cursor: &mut Cursor<'_>, flags: Flags, groups: &mut Groups) -> Result<Set, PatternError> {
    let start = cursor.at;
    cursor.next();
    let negated = cursor.eat("^");
    let mut single = Set::default();
    let mut set = Set::default();
    let mut named = Vec::new();
    let mut first = true;
    while cursor.peek().is_some_and(|c| c != ']' || first) {
        first = false;
        if let Some(group) = named_group(cursor, true)? {
            // A class may name the same group thousands of times.
            if !named.contains(&group) {
                set.add_class(groups.get(group, flags.fold));
                named.push(group);
            }
            continue;
        }
        let range_start = cursor.at;
        let low = parse_member(cursor, start)?;
        let mut high = low;
        if cursor.rest().starts_with('-') && cursor.rest().len() > 1 && !cursor.rest().starts_with("-]") {
            cursor.next();
            high = parse_member(cursor, start)?;
            if high < low {
                return Err(cursor.error(BAD_RANGE, range_start));
            }
        }
        add_scalars(&mut single, low, high);
    }
    if !cursor.eat("]") {
        return Err(cursor.error(MISSING_BRACKET, start));
    }
    if flags.fold {
        single.fold();
    }
    set.ranges.append(&mut single.ranges);
    if negated {
        set.negate();
    }
    Ok(set)
}

/// Reads `\d` and its like or `\p{…}`; without one of them nothing is read.
pub(super) fn parse_named(
    cursor: &mut Cursor<'_>,
    flags: Flags,
    groups: &mut Groups,
    set: &mut Set,
) -> Result<bool, PatternError> {
    let Some(group) = named_group(cursor, false)? else { return Ok(false) };
    set.add_class(groups.get(group, flags.fold));
    Ok(true)
}

/// A group of characters with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Named {
    pub(super) name: GroupName,
    pub(super) negated: bool,
}

/// Which table a name is looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GroupName {
    /// `\d`, `\s`, `\w` and `[:alpha:]`: ranges of ASCII.
    Ascii(&'static [(u8, u8)]),
    /// `\p{…}`: a name of the Unicode tables.
    Unicode(&'static str),
}

fn named_group(cursor: &mut Cursor<'_>, in_class: bool) -> Result<Option<Named>, PatternError> {
    let start = cursor.at;
    let rest = cursor.rest();
    // Without a closing part somewhere this is a bracket like any other.
    if in_class && rest.starts_with("[:") && cursor.posix_closes() {
        let Some(end) = rest.get(2..).and_then(|inner| inner.find(":]")).map(|at| at + 2) else {
            return Ok(None);
        };
        let name = rest.get(2..end).unwrap_or_default();
        cursor.at += end + 2;
        let (negated, name) = name.strip_prefix('^').map_or((false, name), |name| (true, name));
        let Some(ranges) = posix_ranges(name) else { return Err(cursor.error(BAD_RANGE, start)) };
        return Ok(Some(Named { name: GroupName::Ascii(ranges), negated }));
    }
    if rest.starts_with("\\p") || rest.starts_with("\\P") {
        if in_class && rest.len() == 2 {
            return Ok(None);
        }
        let mut negated = rest.starts_with("\\P");
        cursor.at += 2;
        let name = if cursor.eat("{") {
            let Some(len) = cursor.rest().find('}') else {
                return Err(cursor.error_at(BAD_RANGE, start, cursor.end()));
            };
            let name = cursor.rest().get(..len).unwrap_or_default();
            cursor.at += len + 1;
            name
        } else {
            let len = cursor.peek().map_or(0, char::len_utf8);
            let name = cursor.rest().get(..len).unwrap_or_default();
            cursor.at += len;
            name
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name,
        };
        let Some(name) = super::unicode::find(name) else { return Err(cursor.error(BAD_RANGE, start)) };
        return Ok(Some(Named { name: GroupName::Unicode(name), negated }));
    }
    let mut chars = rest.chars();
    let (Some('\\'), Some(letter)) = (chars.next(), chars.next()) else { return Ok(None) };
    let ranges: &[(u8, u8)] = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => PERL_SPACE,
        'w' => WORD,
        _ => return Ok(None),
    };
    cursor.at += 2;
    Ok(Some(Named { name: GroupName::Ascii(ranges), negated: letter.is_ascii_uppercase() }))
}

/// One character within a class, perhaps escaped.
fn parse_member(cursor: &mut Cursor<'_>, class_start: usize) -> Result<u32, PatternError> {
    match cursor.peek() {
        None => Err(cursor.error(MISSING_BRACKET, class_start)),
        Some('\\') => parse_code_point(cursor),
        Some(c) => {
            cursor.next();
            Ok(u32::from(c))
        }
    }
}

/// Reads the escape of one character; `None` is a surrogate, which no text contains.
pub(super) fn parse_escape(cursor: &mut Cursor<'_>) -> Result<Option<char>, PatternError> {
    parse_code_point(cursor).map(char::from_u32)
}

fn parse_code_point(cursor: &mut Cursor<'_>) -> Result<u32, PatternError> {
    let start = cursor.at;
    cursor.next();
    let Some(c) = cursor.next() else { return Err(cursor.error_at("trailing \\", start, start)) };
    match c {
        '0'..='7' => {
            // One digit other than zero alone would be a back-reference.
            let octal = |c: Option<char>| c.and_then(|c| c.to_digit(8));
            if c != '0' && octal(cursor.peek()).is_none() {
                return Err(cursor.error(BAD_ESCAPE, start));
            }
            let mut code = octal(Some(c)).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = octal(cursor.peek()) else { break };
                cursor.next();
                code = code * 8 + digit;
            }
            Ok(code)
        }
        'x' => parse_hex(cursor, start),
        'n' => Ok(0x0A),
        'r' => Ok(0x0D),
        't' => Ok(0x09),
        'a' => Ok(0x07),
        'f' => Ok(0x0C),
        'v' => Ok(0x0B),
        c if c == '_' || (c.is_ascii() && !c.is_ascii_alphanumeric()) => Ok(u32::from(c)),
        _ => Err(cursor.error(BAD_ESCAPE, start)),
    }
}

/// `\x41` or `\x{1F600}`; the cursor stands behind the `x`.
fn parse_hex(cursor: &mut Cursor<'_>, start: usize) -> Result<u32, PatternError> {
    let Some(c) = cursor.next() else { return Err(cursor.error(BAD_ESCAPE, start)) };
    if c != '{' {
        let second = cursor.next();
        let digits = c.to_digit(16).zip(second.and_then(|c| c.to_digit(16)));
        return digits.map(|(high, low)| high * 16 + low).ok_or_else(|| cursor.error(BAD_ESCAPE, start));
    }
    // RE2 reads on without looking whether the pattern has ended.
    let Some(mut c) = cursor.next() else { return Err(cursor.error_at("invalid UTF-8", start, start)) };
    let mut code = 0;
    let mut digits = 0;
    while let Some(digit) = c.to_digit(16) {
        digits += 1;
        code = code * 16 + digit;
        if code > u32::from(char::MAX) {
            return Err(cursor.error(BAD_ESCAPE, start));
        }
        match cursor.next() {
            Some(next) => c = next,
            None => return Err(cursor.error(BAD_ESCAPE, start)),
        }
    }
    if c != '}' || digits == 0 {
        return Err(cursor.error(BAD_ESCAPE, start));
    }
    Ok(code)
}

/// Adds a range of code points without the surrogates in it.
fn add_scalars(set: &mut Set, low: u32, high: u32) {
    let low = char::from_u32(low).unwrap_or('\u{E000}');
    let high = char::from_u32(high).unwrap_or('\u{D7FF}');
    if low <= high {
        set.add(low, high);
    }
}

const DIGIT: &[(u8, u8)] = &[(b'0', b'9')];
const PERL_SPACE: &[(u8, u8)] = &[(b'\t', b'\n'), (0x0C, b'\r'), (b' ', b' ')];
const WORD: &[(u8, u8)] = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];

fn posix_ranges(name: &str) -> Option<&'static [(u8, u8)]> {
    Some(match name {
        "alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        "alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        "ascii" => &[(0, 0x7F)],
        "blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        "cntrl" => &[(0, 0x1F), (0x7F, 0x7F)],
        "digit" => DIGIT,
        "graph" => &[(b'!', b'~')],
        "lower" => &[(b'a', b'z')],
        "print" => &[(b' ', b'~')],
        "punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        "space" => &[(b'\t', b'\r'), (b' ', b' ')],
        "upper" => &[(b'A', b'Z')],
        "word" => WORD,
        "xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    })
}
