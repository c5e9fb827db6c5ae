//! The way back from the rules that Bolt prints to the Bolt text, and the printing that knows it.
//!
//! Every place and rule of the JSON, and every expression in a rule, is an [`Entry`]; they lie within each other as the
//! JSON does. What the compiler adds by itself (`create`'s `data.val() == null`, a type's `isString()`) belongs to the
//! method or the type that stands for it; what an inlined function does, to the function.

use std::rc::Rc;

use super::print::Piece;
use super::tree::{Json, JsonKind};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// From places in the printed rules to places in the Bolt text.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// In the order of the JSON, outer ones before inner ones.
    entries: Vec<Entry>,
}

/// One part of the JSON.
#[derive(Clone, Copy, Debug)]
struct Entry {
    json: Span,
    bolt: Span,
    /// The part it lies in.
    parent: Option<usize>,
}

impl Map {
    /// Where in the Bolt text a place of the JSON comes from: the smallest part that contains it. Empty at the very
    /// beginning when nothing in the Bolt text stands for it, such as for `"rules"` itself.
    pub fn locate(&self, json: Span) -> Span {
        let begins = self.entries.partition_point(|entry| entry.json.start <= json.start);
        let mut candidate = begins.checked_sub(1);
        while let Some(entry) = candidate.and_then(|index| self.entries.get(index)) {
            if entry.json.end >= json.end {
                return entry.bolt;
            }
            candidate = entry.parent;
        }
        Span::default()
    }

    /// A remark about the JSON as one about the Bolt text.
    pub fn diagnostic(&self, found: &Diagnostic) -> Diagnostic {
        let mut found = found.clone();
        found.relocate(&|span| self.locate(span));
        found
    }
}

/// The rules as `JSON.stringify(rules, null, 2)` prints them, and the way back.
pub(super) fn print(json: &Json) -> (String, Map) {
    let mut printer = Printer { out: String::new(), map: Map::default(), parent: None };
    printer.json(json, 0);
    printer.out.push('\n');
    (printer.out, printer.map)
}

struct Printer {
    out: String,
    map: Map,
    parent: Option<usize>,
}

impl Printer {
    fn json(&mut self, json: &Json, level: usize) {
        match &json.kind {
            JsonKind::Rule(text, pieces) => self.rule(text, pieces),
            JsonKind::List(names) => self.list(names, level),
            JsonKind::Object(object) => {
                if object.is_empty() {
                    self.out.push_str("{}");
                    return;
                }
                self.out.push('{');
                for (index, (key, below)) in object.iter().enumerate() {
                    self.line(index, level + 1);
                    let entry = self.begin(below.origin);
                    push_quoted(&mut self.out, key);
                    self.out.push_str(": ");
                    self.json(below, level + 1);
                    self.end(entry);
                }
                self.line(0, level);
                self.out.push('}');
            }
        }
    }

    fn list(&mut self, names: &[Rc<str>], level: usize) {
        if names.is_empty() {
            self.out.push_str("[]");
            return;
        }
        self.out.push('[');
        for (index, name) in names.iter().enumerate() {
            self.line(index, level + 1);
            push_quoted(&mut self.out, name);
        }
        self.line(0, level);
        self.out.push(']');
    }

    /// A new line, after a comma if it is not the first.
    fn line(&mut self, index: usize, level: usize) {
        if index > 0 {
            self.out.push(',');
        }
        self.out.push('\n');
        (0..level).for_each(|_| self.out.push_str("  "));
    }

    fn rule(&mut self, text: &str, pieces: &[Piece]) {
        let begin = Span::new(self.out.len() + 1, 0).start;
        let offsets = if is_plain(text) { Vec::new() } else { offsets(text, self.out.len() + 1) };
        let at = |offset: u32| match offsets.get(offset as usize) {
            Some(at) => *at,
            None => begin.saturating_add(offset),
        };
        let outermost = self.parent;
        for piece in pieces {
            let json = Span { start: at(piece.printed.start), end: at(piece.printed.end) };
            while self.parent != outermost
                && self.get(self.parent).is_some_and(|open| open.json.end < json.end)
            {
                self.parent = self.get(self.parent).and_then(|open| open.parent);
            }
            let around = self.get(self.parent).map(|open| open.bolt).unwrap_or_default();
            let bolt = match piece.written {
                Some(Span { start: 0, end: 0 }) => Span { start: around.start, end: around.start },
                Some(written) => written,
                None => around,
            };
            self.map.entries.push(Entry { json, bolt, parent: self.parent });
            self.parent = Some(self.map.entries.len() - 1);
        }
        self.parent = outermost;
        push_quoted(&mut self.out, text);
    }

    fn get(&self, index: Option<usize>) -> Option<&Entry> {
        index.and_then(|index| self.map.entries.get(index))
    }

    fn begin(&mut self, origin: Span) -> usize {
        let around = self.get(self.parent).map(|open| open.bolt).unwrap_or_default();
        let bolt = if origin == Span::default() { around } else { origin };
        let start = Span::new(self.out.len(), self.out.len());
        self.map.entries.push(Entry { json: start, bolt, parent: self.parent });
        let index = self.map.entries.len() - 1;
        self.parent = Some(index);
        index
    }

    fn end(&mut self, index: usize) {
        let end = Span::new(self.out.len(), self.out.len()).end;
        if let Some(entry) = self.map.entries.get_mut(index) {
            entry.json.end = end;
            self.parent = entry.parent;
        }
    }
}

/// Whether JSON writes a text as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
}

/// Appends a text in JSON's quotes.
fn push_quoted(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&quoted(text));
    }
}

/// A text in JSON's quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where the bytes of a text are once it is between quotes, from the first byte after the opening one on.
fn offsets(text: &str, begin: usize) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(text.len() + 1);
    let mut at = u32::try_from(begin).unwrap_or(u32::MAX);
    for byte in text.bytes() {
        offsets.push(at);
        at = at.saturating_add(match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
            0..=0x1f => 6,
            _ => 1,
        });
    }
    offsets.push(at);
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_printed_text() {
        let text = "a\"b\\c\u{1}é\n'";
        let printed = quoted(text);
        let offsets = offsets(text, 1);
        for (at, character) in text.char_indices() {
            let next = at + character.len_utf8();
            let part = &printed[offsets[at] as usize..offsets[next] as usize];
            assert_eq!(format!("\"{part}\""), quoted(&character.to_string()));
        }
    }
}
