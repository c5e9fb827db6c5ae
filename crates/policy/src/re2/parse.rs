//! From RE2 pattern text to the expression tree the matcher is built from.
//!
//! One pass from left to right with an explicit stack of open groups, so that the first error reported is the one
//! RE2 reports and nesting costs no call stack.

use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::class::{self, Set};
use super::unicode::{self, Groups};
use super::{CLASS_RANGES_MAX, NEST_LEVELS_MAX, PatternError, REPEAT_COUNT_MAX};

const BAD_OPERATOR: &str = "invalid perl operator";
const BAD_NAME: &str = "invalid named capture group";

/// What `(?flags)` switches.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    /// `i`: letters match in either case.
    pub(super) fold: bool,
    /// `m`: `^` and `$` match at line ends too.
    multi_line: bool,
    /// `s`: `.` matches a line feed too.
    dot_newline: bool,
    /// `U`: repetitions are lazy, and greedy with `?`.
    lazy: bool,
}

/// A finished piece of the tree, with what the limits need to know about it.
struct Node {
    hir: Hir,
    /// Nesting of groups and repetitions within.
    levels: u32,
    /// The largest product of repeat counts along any path within.
    repeats: u32,
}

impl Node {
    fn leaf(hir: Hir) -> Self {
        Self { hir, levels: 0, repeats: 1 }
    }
}

/// A group not closed yet; the bottom one is the pattern itself.
#[derive(Default)]
struct Frame {
    /// Number of the capture, if the group captures.
    capture: Option<u32>,
    /// The flags to return to when it closes.
    outer_flags: Flags,
    /// Alternatives already complete.
    alternatives: Vec<Node>,
    /// The alternative being read.
    items: Vec<Node>,
}

impl Frame {
    fn end_alternative(&mut self) {
        let items = std::mem::take(&mut self.items);
        self.alternatives.push(join(items, Hir::concat));
    }

    fn finish(mut self) -> Node {
        self.end_alternative();
        join(self.alternatives, Hir::alternation)
    }
}

fn join(nodes: Vec<Node>, how: impl Fn(Vec<Hir>) -> Hir) -> Node {
    let levels = nodes.iter().map(|node| node.levels).max().unwrap_or(0);
    let repeats = nodes.iter().map(|node| node.repeats).max().unwrap_or(1);
    Node { hir: how(nodes.into_iter().map(|node| node.hir).collect()), levels, repeats }
}

/// Reads a whole pattern: the tree and how many capturing groups were opened. The tree may hold fewer, as it keeps
/// nothing of what is repeated zero times.
pub(super) fn parse(pattern: &str) -> Result<Parsed, PatternError> {
    let mut parser = Parser {
        cursor: Cursor::new(pattern),
        flags: Flags::default(),
        outer: Vec::new(),
        frame: Frame::default(),
        captures: 0,
        names: Vec::new(),
        groups: Groups::default(),
        ranges: 0,
    };
    let hir = parser.run()?;
    Ok(Parsed { hir, groups: parser.captures as usize, names: parser.names })
}

/// A pattern that was read.
pub(super) struct Parsed {
    pub hir: Hir,
    /// How many capturing groups it has.
    pub groups: usize,
    /// Those that have names, in the order of the text.
    pub names: Vec<(String, usize)>,
}

/// The text and how far it has been read.
pub(super) struct Cursor<'p> {
    pattern: &'p str,
    pub(super) at: usize,
    /// Where the last `:]` is: looking for one at every `[:` would take quadratic time.
    last_posix_close: usize,
}

impl<'p> Cursor<'p> {
    fn new(pattern: &'p str) -> Self {
        Self { pattern, at: 0, last_posix_close: pattern.rfind(":]").unwrap_or(0) }
    }

    /// Whether the `[:` the cursor stands on has its `:]`.
    pub(super) fn posix_closes(&self) -> bool {
        self.at + 2 <= self.last_posix_close
    }

    pub(super) fn rest(&self) -> &'p str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// An error that quotes the text from `start` up to where reading stands.
    pub(super) fn error(&self, what: &str, start: usize) -> PatternError {
        self.error_at(what, start, self.at)
    }

    pub(super) fn error_at(&self, what: &str, start: usize, end: usize) -> PatternError {
        let quoted = self.pattern.get(start..end).unwrap_or_default();
        let message = if quoted.is_empty() { what.to_owned() } else { format!("{what}: {quoted}") };
        PatternError { offset: start, message }
    }

    pub(super) fn end(&self) -> usize {
        self.pattern.len()
    }
}

struct Parser<'p> {
    cursor: Cursor<'p>,
    flags: Flags,
    outer: Vec<Frame>,
    frame: Frame,
    captures: u32,
    names: Vec<(String, usize)>,
    groups: Groups,
    /// Code point ranges of all classes so far.
    ranges: usize,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<Hir, PatternError> {
        // Where the repetition operator just read began, if one was: `a**` is an error.
        let mut operator = None;
        while let Some(c) = self.cursor.peek() {
            let start = self.cursor.at;
            let mut repeated = false;
            match c {
                '(' => self.open_group()?,
                ')' => self.close_group()?,
                '|' => {
                    self.cursor.next();
                    self.frame.end_alternative();
                }
                '*' => repeated = self.repeat(operator, 0, None)?,
                '+' => repeated = self.repeat(operator, 1, None)?,
                '?' => repeated = self.repeat(operator, 0, Some(1))?,
                '{' => match read_counts(self.cursor.rest()) {
                    Some(counts) => {
                        self.cursor.at += counts.len.saturating_sub(1);
                        repeated = self.repeat_counted(operator, start, &counts)?;
                    }
                    None => self.push_literal_next(),
                },
                '^' => {
                    self.cursor.next();
                    self.push(Hir::look(if self.flags.multi_line { Look::StartLF } else { Look::Start }));
                }
                '$' => {
                    self.cursor.next();
                    self.push(Hir::look(if self.flags.multi_line { Look::EndLF } else { Look::End }));
                }
                '.' => {
                    self.cursor.next();
                    let mut set = Set::default();
                    if !self.flags.dot_newline {
                        set.add('\n', '\n');
                    }
                    set.negate();
                    self.push_set(set)?;
                }
                '[' => {
                    let set = class::parse(&mut self.cursor, self.flags, &mut self.groups)?;
                    self.push_set(set)?;
                }
                '\\' => self.escape()?,
                _ => self.push_literal_next(),
            }
            operator = repeated.then_some(start);
        }
        if !self.outer.is_empty() {
            return Err(self.cursor.error("missing )", 0));
        }
        Ok(std::mem::take(&mut self.frame).finish().hir)
    }

    fn push(&mut self, hir: Hir) {
        self.frame.items.push(Node::leaf(hir));
    }

    fn push_set(&mut self, set: Set) -> Result<(), PatternError> {
        let class = set.into_class();
        self.ranges += class.ranges().len();
        if self.ranges > CLASS_RANGES_MAX {
            return Err(PatternError::too_large());
        }
        self.push(Hir::class(Class::Unicode(class)));
        Ok(())
    }

    fn push_literal_next(&mut self) {
        if let Some(c) = self.cursor.next() {
            self.push_literal(c);
        }
    }

    fn push_literal(&mut self, c: char) {
        if self.flags.fold {
            let mut set = Set::default();
            set.add(c, c);
            set.fold();
            self.push(Hir::class(Class::Unicode(set.into_class())));
        } else {
            self.push(Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes()));
        }
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        for (text, look) in [
            ("\\b", Look::WordAscii),
            ("\\B", Look::WordAsciiNegate),
            ("\\A", Look::Start),
            ("\\z", Look::End),
        ] {
            if self.cursor.eat(text) {
                self.push(Hir::look(look));
                return Ok(());
            }
        }
        if self.cursor.eat("\\C") {
            let any = ClassBytes::new([ClassBytesRange::new(0, u8::MAX)]);
            self.push(Hir::class(Class::Bytes(any)));
            return Ok(());
        }
        if self.cursor.eat("\\Q") {
            while self.cursor.peek().is_some() && !self.cursor.eat("\\E") {
                self.push_literal_next();
            }
            return Ok(());
        }
        let mut set = Set::default();
        if class::parse_named(&mut self.cursor, self.flags, &mut self.groups, &mut set)? {
            return self.push_set(set);
        }
        match class::parse_escape(&mut self.cursor)? {
            Some(c) => self.push_literal(c),
            // A surrogate: no text has one.
            None => self.push(Hir::fail()),
        }
        Ok(())
    }

    fn open_group(&mut self) -> Result<(), PatternError> {
        if self.cursor.rest().starts_with("(?") {
            return self.open_special();
        }
        self.cursor.next();
        self.open(true);
        Ok(())
    }

    fn open(&mut self, captures: bool) {
        let capture = captures.then(|| {
            self.captures += 1;
            self.captures
        });
        let frame = Frame { capture, outer_flags: self.flags, ..Frame::default() };
        self.outer.push(std::mem::replace(&mut self.frame, frame));
    }

    fn close_group(&mut self) -> Result<(), PatternError> {
        let Some(outer) = self.outer.pop() else {
            return Err(self.cursor.error_at("unexpected )", 0, self.cursor.end()));
        };
        let start = self.cursor.at;
        self.cursor.next();
        let inner = std::mem::replace(&mut self.frame, outer);
        self.flags = inner.outer_flags;
        let capture = inner.capture;
        let mut node = inner.finish();
        node.levels = self.deeper(node.levels, start)?;
        if let Some(index) = capture {
            node.hir = Hir::capture(Capture { index, name: None, sub: Box::new(node.hir) });
        }
        self.frame.items.push(node);
        Ok(())
    }

    fn deeper(&self, levels: u32, start: usize) -> Result<u32, PatternError> {
        if levels >= NEST_LEVELS_MAX {
            return Err(PatternError { offset: start, message: "expression nests too deeply".to_owned() });
        }
        Ok(levels + 1)
    }

    /// What begins with `(?`: a named group, or flags with or without a group.
    fn open_special(&mut self) -> Result<(), PatternError> {
        let start = self.cursor.at;
        let rest = self.cursor.rest();
        if rest.len() > 4 && (rest.starts_with("(?<=") || rest.starts_with("(?<!")) {
            return Err(self.cursor.error_at(BAD_OPERATOR, start, start + 4));
        }
        // RE2 takes this for a name only when something follows the bracket.
        let prefix = if rest.len() > 4 && rest.starts_with("(?P<") {
            Some("(?P<")
        } else if rest.len() > 3 && rest.starts_with("(?<") {
            Some("(?<")
        } else {
            None
        };
        if let Some(prefix) = prefix {
            let Some(end) = rest.find('>') else {
                return Err(self.cursor.error_at(BAD_NAME, start, self.cursor.end()));
            };
            let name = rest.get(prefix.len()..end).unwrap_or_default();
            self.cursor.at += end + 1;
            if name.is_empty() || !name.chars().all(unicode::is_name_char) {
                return Err(self.cursor.error(BAD_NAME, start));
            }
            // A name may occur twice; it is the first group's.
            self.names.push((name.to_owned(), self.captures as usize + 1));
            self.open(true);
            return Ok(());
        }
        self.cursor.at += 2;
        let mut flags = self.flags;
        let mut on = true;
        let mut flag_seen = false;
        loop {
            match self.cursor.next() {
                Some('i') => flags.fold = on,
                Some('m') => flags.multi_line = on,
                Some('s') => flags.dot_newline = on,
                Some('U') => flags.lazy = on,
                Some('-') if on => {
                    on = false;
                    flag_seen = false;
                    continue;
                }
                Some(c @ (':' | ')')) if on || flag_seen => {
                    if c == ':' {
                        self.open(false);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(self.cursor.error(BAD_OPERATOR, start)),
            }
            flag_seen = true;
        }
    }

    fn repeat(&mut self, before: Option<usize>, min: u32, max: Option<u32>) -> Result<bool, PatternError> {
        self.repeat_counted(before, self.cursor.at, &Counts { min, max, len: 1 })
    }

    /// The cursor stands on the operator's last character.
    fn repeat_counted(
        &mut self,
        before: Option<usize>,
        start: usize,
        counts: &Counts,
    ) -> Result<bool, PatternError> {
        self.cursor.next();
        let lazy = self.cursor.eat("?");
        if let Some(before) = before {
            return Err(self.cursor.error("bad repetition operator", before));
        }
        let Counts { min, max, .. } = *counts;
        if min > REPEAT_COUNT_MAX || max.is_some_and(|max| max < min || max > REPEAT_COUNT_MAX) {
            return Err(self.cursor.error("invalid repetition size", start));
        }
        let Some(mut node) = self.frame.items.pop() else {
            return Err(self.cursor.error("no argument for repetition operator", start));
        };
        node.repeats = node.repeats.saturating_mul(max.unwrap_or(min).max(1));
        if node.repeats > REPEAT_COUNT_MAX {
            return Err(self.cursor.error("invalid repetition size", start));
        }
        node.levels = self.deeper(node.levels, start)?;
        let greedy = lazy == self.flags.lazy;
        node.hir = Hir::repetition(Repetition { min, max, greedy, sub: Box::new(node.hir) });
        self.frame.items.push(node);
        Ok(true)
    }
}

/// `{n}`, `{n,}` or `{n,m}`.
struct Counts {
    min: u32,
    max: Option<u32>,
    len: usize,
}

/// What is not exactly a count is literal text.
fn read_counts(text: &str) -> Option<Counts> {
    let inner = text.get(1..text.bytes().take(COUNTS_BYTES_MAX).position(|byte| byte == b'}')?)?;
    let (min, max) = match inner.split_once(',') {
        None => {
            let n = read_count(inner)?;
            (n, Some(n))
        }
        Some((min, "")) => (read_count(min)?, None),
        Some((min, max)) => (read_count(min)?, Some(read_count(max)?)),
    };
    Some(Counts { min, max, len: inner.len() + 2 })
}

/// Two counts of nine digits, a comma and the braces.
const COUNTS_BYTES_MAX: usize = 21;

/// Digits without leading zeros, nine at most.
fn read_count(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if !plain || leading_zero || digits.len() > 9 {
        return None;
    }
    digits.parse().ok()
}
