//! What an evaluation did, expression by expression: the one record behind explanations, coverage,
//! the Rules Test API and denial texts. Recorded only on request.

use std::collections::BTreeMap;

use serde::Serialize;
use smallvec::SmallVec;

use crate::source::{Source, Span};

/// How an expression ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The value true.
    True,
    /// The value false.
    False,
    /// Any other value.
    Value,
    /// An error.
    Error,
    /// A document is missing to tell.
    Pending,
}

/// What kind of expression it is, as far as a reader of the trace needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// `&&`
    And,
    /// `||`
    Or,
    /// `? :`
    Condition,
    /// A call of a function of the policy.
    Call,
    /// A name: explained by its value alone.
    Name,
    /// Anything else.
    Other,
}

/// One evaluated expression.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Its text.
    pub span: Span,
    /// Its kind.
    pub shape: Shape,
    /// How it ended.
    pub ending: Ending,
    /// Its value or its error, as people read it.
    pub value: String,
    /// Its type, or `error`: what may be told where values may not.
    pub kind: &'static str,
    /// Its value in the form of coverage reports, where the trace asks for it. Errors have none.
    #[serde(skip)]
    pub reported: Option<Box<serde_json::Value>>,
    /// The expressions it evaluated, in order. Operands that were skipped are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

/// One candidate `allow` and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// What the rule is called: `allow`, or `.read`, `.write`, `.validate`.
    pub rule: &'static str,
    /// The `allow` statement, or the rule.
    pub span: Span,
    /// Which alternative of a list query, from 0.
    pub alternative: usize,
    /// Whether it granted.
    pub granted: bool,
    /// Its condition; `None` when it has none.
    pub condition: Option<Node>,
}

/// Everything one decision evaluated.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trace {
    /// The candidates in order of evaluation.
    pub candidates: Vec<Candidate>,
    /// Every expression and how it ended, where that is all the trace records.
    #[serde(skip)]
    pub endings: Vec<(Span, Ending)>,
    /// How much is recorded of values.
    #[serde(skip)]
    pub detail: Detail,
}

/// How much a trace records of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// As people read them.
    #[default]
    Shown,
    /// Whole, too: for reports that machines read. It is slow.
    Whole,
    /// Not at all: how expressions ended, and the texts of errors. It is quick.
    Endings,
}

/// How often an expression had a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// The expression.
    pub span: Span,
    /// Its value or error.
    pub value: String,
    /// How often.
    pub count: u32,
}

impl Trace {
    /// A trace that records every value whole.
    pub fn reporting() -> Self {
        Self { detail: Detail::Whole, ..Self::default() }
    }

    /// A trace that records how expressions ended and no more: candidates have no conditions, and those after the one
    /// that grants are not evaluated.
    pub fn counting() -> Self {
        Self { detail: Detail::Endings, ..Self::default() }
    }

    /// Leaves out what was evaluated only to be seen: candidates after the one that granted, for each alternative.
    pub fn end_at_grants(&mut self) {
        let mut granted: Vec<usize> = Vec::new();
        self.candidates.retain(|candidate| {
            if granted.contains(&candidate.alternative) {
                return false;
            }
            if candidate.granted {
                granted.push(candidate.alternative);
            }
            true
        });
    }

    /// Values and how often they occurred, by place: what coverage adds up.
    pub fn observations(&self) -> Vec<Observation> {
        fn walk(node: &Node, counts: &mut BTreeMap<(Span, String), u32>) {
            *counts.entry((node.span, node.value.clone())).or_default() += 1;
            node.children.iter().for_each(|child| walk(child, counts));
        }
        let mut counts = BTreeMap::new();
        for condition in self.candidates.iter().filter_map(|candidate| candidate.condition.as_ref()) {
            walk(condition, &mut counts);
        }
        counts.into_iter().map(|((span, value), count)| Observation { span, value, count }).collect()
    }

    /// The explanation: every candidate with every sub-expression and its value.
    pub fn explain(&self, source: &Source) -> String {
        let mut out = String::new();
        for candidate in &self.candidates {
            let (line, column) = source.line_column(candidate.span.start);
            let verdict = match (candidate.rule, candidate.granted) {
                (".validate", true) => "accepts",
                (".validate", false) => "rejects",
                (_, true) => "grants",
                (_, false) => "does not grant",
            };
            out.push_str(&format!("{}:{line}:{column}: {} {verdict}\n", source.name, candidate.rule));
            if let Some(condition) = &candidate.condition {
                explain_node(&mut out, source, condition, 1);
            }
        }
        out
    }
}

fn explain_node(out: &mut String, source: &Source, node: &Node, level: usize) {
    let text = source.on_one_line(node.span);
    out.push_str(&"  ".repeat(level));
    out.push_str(&format!("{text}  →  {}", node.value));
    let (made_of, node) = steps(node);
    made_of.iter().for_each(|value| out.push_str(&format!(", from {value}")));
    out.push('\n');
    // What a name is made of (`request.auth.token` in `request.auth.token.role`) matters only when it failed.
    if node.shape != Shape::Name || node.ending == Ending::Error {
        written(node).iter().for_each(|child| explain_node(out, source, child, level + 1));
    }
}

/// What one written expression was compiled to stands at one place: the values it is made of, and the innermost of these
/// expressions.
pub fn steps(node: &Node) -> (Vec<&str>, &Node) {
    let (mut values, mut node) = (Vec::new(), node);
    while let [only] = &*written(node)
        && only.span == node.span
    {
        node = only;
        let value = node.value.as_str();
        // A place that tells its value says the same as the value before it.
        let told = |before: &&str| value.strip_suffix(*before).is_some_and(|rest| rest.ends_with("= "));
        if values.last().is_some_and(told) {
            values.pop();
        }
        values.push(value);
    }
    (values, node)
}

/// An evaluated expression: of a trace, or as the evaluator left it.
pub trait Evaluated: Copy {
    /// Its text.
    fn span(self) -> Span;
    /// Its kind.
    fn shape(self) -> Shape;
    /// How it ended.
    fn ending(self) -> Ending;
    /// Its type, or `error`.
    fn kind(self) -> &'static str;
    /// Appends its value or its error, as people read it.
    fn show(self, out: &mut String);
    /// The expressions it evaluated, in order.
    fn children(self) -> impl Iterator<Item = Self>;
}

impl Evaluated for &Node {
    fn span(self) -> Span {
        self.span
    }

    fn shape(self) -> Shape {
        self.shape
    }

    fn ending(self) -> Ending {
        self.ending
    }

    fn kind(self) -> &'static str {
        self.kind
    }

    fn show(self, out: &mut String) {
        out.push_str(&self.value);
    }

    fn children(self) -> impl Iterator<Item = Self> {
        self.children.iter()
    }
}

/// Parts of an expression; most have few.
pub type Parts<E> = SmallVec<[E; 4]>;

/// The parts of an expression that somebody wrote: a compiler puts its own at empty places. Each once.
pub fn written<E: Evaluated>(node: E) -> Parts<E> {
    let shown = |part: E| {
        let mut out = String::new();
        part.show(&mut out);
        out
    };
    let mut parts: Parts<E> = node.children().filter(|child| child.span().start < child.span().end).collect();
    parts.dedup_by(|part, before| part.span() == before.span() && shown(*part) == shown(*before));
    parts
}

/// The first expression at a place that ended with an error.
pub fn failure_at<E: Evaluated>(node: E, span: Span) -> Option<E> {
    if node.span() == span && node.ending() == Ending::Error {
        return Some(node);
    }
    node.children().find_map(|child| failure_at(child, span))
}

/// The smallest expression that explains why this one is not true, as a reader would point at it.
pub fn blame<E: Evaluated>(node: E) -> E {
    let mut node = node;
    loop {
        let same = |child: &E| child.ending() == node.ending();
        let next = match (node.shape(), node.ending()) {
            (Shape::And, Ending::False) => node.children().find(|child| child.ending() == Ending::False),
            (Shape::Call | Shape::Condition, _) => node.children().last().filter(same),
            (Shape::Name, _) => None,
            (_, Ending::Error) => node.children().find(|child| child.ending() == Ending::Error),
            _ => None,
        };
        match next {
            Some(next) => node = next,
            None => return node,
        }
    }
}

/// What was looked at in a blamed expression: its operands, or itself.
pub fn seen<E: Evaluated>(node: E) -> Parts<E> {
    let mut parts = if node.shape() == Shape::Name { Parts::new() } else { written(node) };
    if parts.is_empty() {
        parts.push(node.children().next().unwrap_or(node));
    }
    parts
}

/// Appends what was seen there: each expression with what `what` appends for it.
pub fn push_seen<E: Evaluated>(out: &mut String, seen: &[E], source: &Source, what: impl Fn(E, &mut String)) {
    for (index, part) in seen.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        source.push_on_one_line(out, part.span());
        out.push_str(" is ");
        what(*part, out);
    }
}
