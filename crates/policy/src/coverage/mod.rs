//! Coverage: what a ruleset's expressions came to, added up over many decisions.
//!
//! A ruleset gives its [`Sites`]; nothing here knows what a ruleset is. Whoever writes another report of a [`Coverage`] has
//! [`Coverage::each_site`] and [`Coverage::rule_seen`].
//!
//! - Every expression of the ruleset is in every report, evaluated or not; literals are left out.
//! - What is kept is bounded, whatever the traces hold: distinct values of an expression, bytes of all values. Counts are
//!   kept for all.
//! - An expression whose document the decision did not need after all came to nothing: `undefined`.
//!
//! Source: the reports of the official Firestore emulator (`:ruleCoverage`), asked with the rules in `tests/coverage.rs`.
//! Two things differ: places include closing brackets, and `a && b && c` is one expression with three parts.

mod calls;
mod html;
mod issue;
mod json;
mod position;
mod site;
mod visit;

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::source::{Source, Span};
use crate::trace::{Ending, Node, Trace};

pub use calls::{FunctionCall, function_calls};
pub use issue::{Issue, IssueSeverity, issues};
pub use position::{Positions, SourcePosition};
pub use site::{FunctionSite, RuleSite, Site, Sites};
pub use visit::{ExpressionReport, ValueCount, VisitedExpression, expression_reports, visited};

/// Decisions whose values are worth recording whole: of later ones, counts are enough.
pub const DECISIONS_WHOLE_MAX: u64 = 500;
/// Distinct values kept of one expression; the rest is only counted.
const VALUES_KEPT_MAX: usize = 50;
/// Bytes of all values kept, as they are reported.
const VALUES_KEPT_BYTES_MAX: usize = 1 << 20;

/// What an expression came to.
#[derive(Clone, Debug, PartialEq)]
pub enum EvaluationResult {
    /// A value, as reports spell it.
    Value(Json),
    /// An error, and the expression it began in.
    Error {
        /// The service's text.
        text: String,
        /// Where it began.
        from: Span,
    },
}

/// What was seen of one expression.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What it came to and how often, in the order it was first seen.
    pub came: Vec<(EvaluationResult, u64)>,
    /// How often it came to what is not kept.
    pub more: u64,
    /// How often it was true.
    pub true_count: u64,
    /// How often it was false.
    pub false_count: u64,
    /// How often it was evaluated.
    pub count: u64,
}

/// What was seen of one rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuleSeen {
    /// How often it was asked.
    pub count: u64,
    /// How often it granted.
    pub granted: u64,
}

/// How much was covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Expressions there are.
    pub expressions: usize,
    /// Those evaluated at least once.
    pub expressions_evaluated: usize,
    /// Rules there are.
    pub rules: usize,
    /// Those asked at least once.
    pub rules_asked: usize,
    /// Those that granted at least once.
    pub rules_granted: usize,
    /// Conditions there are, each with two ways to go.
    pub conditions: usize,
    /// Those that went both ways.
    pub conditions_both: usize,
}

/// Counted for every expression of every decision in dev: a quick hash matters. Nobody outside chooses spans.
type BySpan<T> = HashMap<Span, T, foldhash::fast::RandomState>;

/// The coverage of one ruleset.
#[derive(Clone, Debug)]
pub struct Coverage {
    positions: Positions,
    sites: Sites,
    seen: BySpan<Seen>,
    rules: BySpan<RuleSeen>,
    kept_bytes: usize,
    decisions: u64,
}

impl Coverage {
    /// Nothing evaluated yet of what a ruleset has.
    pub fn new(sites: Sites) -> Self {
        fn list(site: &Site, seen: &mut BySpan<Seen>) {
            seen.insert(site.span, Seen::default());
            site.children.iter().for_each(|child| list(child, seen));
        }
        let mut seen = BySpan::default();
        sites.roots.iter().for_each(|root| list(root, &mut seen));
        let rules = sites.rules.iter().map(|rule| (rule.span, RuleSeen::default())).collect();
        Self { positions: Positions::new(&sites.source), sites, seen, rules, kept_bytes: 0, decisions: 0 }
    }

    /// Adds what one decision did. The trace is of the step that decided, and of this ruleset; values are reported whole
    /// when it is one of [`Trace::reporting`]. What the real services would not have evaluated is left out by
    /// [`Trace::end_at_grants`].
    pub fn add(&mut self, trace: &Trace) {
        self.decisions += 1;
        for candidate in &trace.candidates {
            if let Some(rule) = self.rules.get_mut(&candidate.span) {
                rule.count += 1;
                rule.granted += u64::from(candidate.granted);
            }
            if let Some(condition) = &candidate.condition {
                self.node(condition);
            }
        }
        for (span, ending) in &trace.endings {
            if let Some(seen) = self.seen.get_mut(span) {
                seen.ended(*ending);
            }
        }
    }

    fn node(&mut self, node: &Node) {
        node.children.iter().for_each(|child| self.node(child));
        let Some(seen) = self.seen.get_mut(&node.span) else { return };
        seen.true_count += u64::from(node.ending == Ending::True);
        seen.false_count += u64::from(node.ending == Ending::False);
        let room = VALUES_KEPT_BYTES_MAX.saturating_sub(self.kept_bytes);
        match came(node) {
            Some(came) => self.kept_bytes += seen.came(came, 1, room),
            None => {
                seen.more += 1;
                seen.count += 1;
            }
        }
    }

    /// A trace for the next decision: the first [`DECISIONS_WHOLE_MAX`] report values, later ones only count.
    pub fn next_trace(&self) -> Trace {
        if self.decisions < DECISIONS_WHOLE_MAX { Trace::reporting() } else { Trace::counting() }
    }

    /// Adds what another coverage of the same ruleset saw.
    pub fn absorb(&mut self, other: &Coverage) {
        for (span, theirs) in &other.seen {
            let Some(seen) = self.seen.get_mut(span) else { continue };
            seen.true_count += theirs.true_count;
            seen.false_count += theirs.false_count;
            seen.more += theirs.more;
            seen.count += theirs.more;
            for (came, count) in &theirs.came {
                let room = VALUES_KEPT_BYTES_MAX.saturating_sub(self.kept_bytes);
                self.kept_bytes += seen.came(came.clone(), *count, room);
            }
        }
        for (span, theirs) in &other.rules {
            if let Some(rule) = self.rules.get_mut(span) {
                rule.count += theirs.count;
                rule.granted += theirs.granted;
            }
        }
    }

    /// The text that is covered.
    pub fn source(&self) -> &Source {
        &self.sites.source
    }

    /// Finds places in that text.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// The expressions, rules and functions there are.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// What was seen of an expression.
    pub fn seen(&self, span: Span) -> Option<&Seen> {
        self.seen.get(&span)
    }

    /// What was seen of a rule.
    pub fn rule_seen(&self, span: Span) -> RuleSeen {
        self.rules.get(&span).copied().unwrap_or_default()
    }

    /// How much was covered.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.each_site(&mut |site, seen| {
            totals.expressions += 1;
            totals.expressions_evaluated += usize::from(seen.count > 0);
            totals.conditions += usize::from(site.is_condition);
            let both = seen.true_count > 0 && seen.count > seen.true_count;
            totals.conditions_both += usize::from(site.is_condition && both);
        });
        for rule in &self.sites.rules {
            let seen = self.rule_seen(rule.span);
            totals.rules += 1;
            totals.rules_asked += usize::from(seen.count > 0);
            totals.rules_granted += usize::from(seen.granted > 0);
        }
        totals
    }

    /// Calls for every expression, those that hold others first.
    pub fn each_site<'a>(&'a self, call: &mut dyn FnMut(&'a Site, &'a Seen)) {
        fn walk<'a>(coverage: &'a Coverage, site: &'a Site, call: &mut dyn FnMut(&'a Site, &'a Seen)) {
            if let Some(seen) = coverage.seen.get(&site.span) {
                call(site, seen);
            }
            site.children.iter().for_each(|child| walk(coverage, child, call));
        }
        self.sites.roots.iter().for_each(|root| walk(self, root, call));
    }
}

impl Seen {
    /// Counts an ending, of which nothing is kept but whether it was true or false.
    fn ended(&mut self, ending: Ending) {
        self.count += 1;
        let truth = match ending {
            Ending::True => true,
            Ending::False => false,
            Ending::Value | Ending::Error | Ending::Pending => {
                self.more += 1;
                return;
            }
        };
        *(if truth { &mut self.true_count } else { &mut self.false_count }) += 1;
        let is_known = |came: &EvaluationResult| matches!(came, EvaluationResult::Value(value) if value["boolValue"] == truth);
        match self.came.iter_mut().find(|(came, _)| is_known(came)) {
            Some((_, counted)) => *counted += 1,
            None => self.came.push((EvaluationResult::Value(serde_json::json!({ "boolValue": truth })), 1)),
        }
    }

    /// Counts what it came to. Gives the bytes that are newly kept.
    fn came(&mut self, came: EvaluationResult, count: u64, room_bytes: usize) -> usize {
        self.count += count;
        if let Some((_, counted)) = self.came.iter_mut().find(|(known, _)| *known == came) {
            *counted += count;
            return 0;
        }
        let bytes = match &came {
            EvaluationResult::Value(value) => value.to_string().len(),
            EvaluationResult::Error { text, .. } => text.len(),
        };
        if self.came.len() >= VALUES_KEPT_MAX || bytes > room_bytes {
            self.more += count;
            return 0;
        }
        self.came.push((came, count));
        bytes
    }
}

/// What an expression came to; `None` where the trace does not say.
fn came(node: &Node) -> Option<EvaluationResult> {
    let value = |json| Some(EvaluationResult::Value(json));
    match (node.ending, &node.reported) {
        (Ending::Error, _) => Some(EvaluationResult::Error { text: node.value.clone(), from: origin(node) }),
        (Ending::Pending, _) => value(serde_json::json!({ "undefined": {} })),
        (Ending::True, _) => value(serde_json::json!({ "boolValue": true })),
        (Ending::False, _) => value(serde_json::json!({ "boolValue": false })),
        (Ending::Value, Some(reported)) => value(Json::clone(reported)),
        (Ending::Value, None) if node.value.is_empty() => None,
        (Ending::Value, None) => value(serde_json::json!({ "stringValue": node.value })),
    }
}

/// The innermost expression that an error came from.
fn origin(node: &Node) -> Span {
    let mut node = node;
    let fails = |child: &&Node| child.ending == Ending::Error;
    loop {
        let same = node.children.iter().find(|child| fails(child) && child.value == node.value);
        match same {
            Some(child) => node = child,
            None => return node.span,
        }
    }
}
