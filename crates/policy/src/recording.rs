//! What an observed evaluation leaves: every expression with its outcome as the evaluator had it. Nothing of it is text
//! before somebody reads it; a denial's reason reads one expression and its operands.

use crate::source::Span;
use crate::trace::{Ending, Evaluated, Node, Shape};

/// How an evaluator's outcome looks from outside.
pub trait Ended {
    /// How it ended.
    fn ending(&self) -> Ending;
    /// Its type, or `error`.
    fn kind(&self) -> &'static str;
}

/// Who watches an evaluation, whose outcomes are `T`s. It is a type, not a switch: an evaluator that nobody watches is
/// compiled without anything of watching.
pub trait Observer<T>: Default {
    /// Whether it wants to know.
    const OBSERVES: bool;

    /// An expression begins: its number.
    fn enter(&mut self) -> usize;
    /// The expression of that number ends.
    fn exit(&mut self, number: usize, span: Span, shape: Shape, outcome: &T);
    /// What was recorded.
    fn recording(&mut self) -> Option<&mut Recording<T>>;
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl<T> Observer<T> for Unobserved {
    const OBSERVES: bool = false;

    fn enter(&mut self) -> usize {
        0
    }

    fn exit(&mut self, _: usize, _: Span, _: Shape, _: &T) {}

    fn recording(&mut self) -> Option<&mut Recording<T>> {
        None
    }
}

/// Expressions recorded at once for which there is room from the beginning.
const ENTRIES_USUAL: usize = 16;

/// Expressions in the order they began in, those within one right after it.
#[derive(Clone, Debug)]
pub struct Recording<T> {
    entries: Vec<Entry<T>>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    span: Span,
    shape: Shape,
    /// `None` while it runs.
    outcome: Option<T>,
    /// The number after the last of those within it.
    end: usize,
}

impl<T> Default for Recording<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Clone> Observer<T> for Recording<T> {
    const OBSERVES: bool = true;

    fn enter(&mut self) -> usize {
        if self.entries.is_empty() {
            self.entries.reserve(ENTRIES_USUAL);
        }
        let number = self.entries.len();
        let (span, shape) = (Span::default(), Shape::Other);
        self.entries.push(Entry { span, shape, outcome: None, end: number + 1 });
        number
    }

    fn exit(&mut self, number: usize, span: Span, shape: Shape, outcome: &T) {
        let end = self.entries.len();
        if let Some(entry) = self.entries.get_mut(number) {
            *entry = Entry { span, shape, outcome: Some(outcome.clone()), end };
        }
    }

    fn recording(&mut self) -> Option<&mut Recording<T>> {
        Some(self)
    }
}

impl<T: Ended> Recording<T> {
    /// The outermost expression, `None` when not even that began. `show` appends an outcome as people read it.
    pub fn root<'r>(&'r self, show: &'r dyn Fn(&mut String, &T)) -> Option<Recorded<'r, T>> {
        (!self.entries.is_empty()).then_some(Recorded { entries: &self.entries, number: 0, show })
    }

    /// Every expression that ended, and how.
    pub fn endings(&self) -> impl Iterator<Item = (Span, Ending)> {
        self.entries.iter().filter_map(|entry| Some((entry.span, entry.outcome.as_ref()?.ending())))
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// A recorded expression and a way to read it.
pub struct Recorded<'r, T> {
    entries: &'r [Entry<T>],
    number: usize,
    show: &'r dyn Fn(&mut String, &T),
}

impl<T> Clone for Recorded<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Recorded<'_, T> {}

impl<'r, T> Recorded<'r, T> {
    fn entry(self) -> Option<&'r Entry<T>> {
        self.entries.get(self.number)
    }

    /// Its outcome.
    pub fn outcome(self) -> Option<&'r T> {
        self.entry()?.outcome.as_ref()
    }
}

impl<T: Ended> Evaluated for Recorded<'_, T> {
    fn span(self) -> Span {
        self.entry().map(|entry| entry.span).unwrap_or_default()
    }

    fn shape(self) -> Shape {
        self.entry().map_or(Shape::Other, |entry| entry.shape)
    }

    fn ending(self) -> Ending {
        self.outcome().map_or(Ending::Error, T::ending)
    }

    fn kind(self) -> &'static str {
        self.outcome().map_or("error", T::kind)
    }

    fn show(self, out: &mut String) {
        if let Some(outcome) = self.outcome() {
            (self.show)(out, outcome);
        }
    }

    fn children(self) -> impl Iterator<Item = Self> {
        let end = self.entry().map_or(self.number, |entry| entry.end);
        let mut next = self.number + 1;
        std::iter::from_fn(move || {
            let child = Self { number: next, ..self };
            next = child.entry().filter(|_| next < end)?.end;
            Some(child)
        })
    }
}

impl<T: Ended> Recorded<'_, T> {
    /// It and all within it as a trace has them. Recursion is bounded by the nesting of the evaluation. `value` is its
    /// text where the trace wants one, and `reported` its value in the form of reports.
    pub fn node<F>(self, text: &mut F) -> Node
    where
        F: FnMut(&T) -> (String, Option<Box<serde_json::Value>>),
    {
        let (value, reported) = self.outcome().map(&mut *text).unwrap_or_default();
        let mut children = Vec::with_capacity(self.children().count());
        children.extend(self.children().map(|child| child.node(text)));
        let (span, shape, ending, kind) = (self.span(), self.shape(), self.ending(), self.kind());
        Node { span, shape, ending, value, kind, reported, children }
    }
}
