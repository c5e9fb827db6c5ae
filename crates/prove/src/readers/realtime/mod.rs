//! Realtime Database rules as logic.

pub mod abstraction;
mod methods;
mod place;
mod reader;
pub mod syntax;

use std::collections::HashMap;

use base::Value;
use policy::Source;
use policy::ir::{Binary, Kind, walk};
use policy::rtdb::lowered::{Condition, Node, Rule, RuleKind};

use crate::logic::{Callers, Errors, Facts, Formula, Solver, Term, Terms, Test, Truth, Types};
use abstraction::{Caller, evaluate};
use reader::Reader;
use syntax::{asks_sign_in, conjuncts, is_false, is_val, same};

pub use reader::Unlike;

/// Comparisons with text that are remembered to find comparisons of the same value with a boolean.
const TEXTS_COMPARED_MAX: usize = 1000;

/// Rules as logic, those of a broken text too.
pub struct Reading<'s> {
    pub source: &'s Source,
    pub nodes: &'s [Node],
    /// Comparisons that can only have one outcome.
    pub unlike: Vec<Unlike>,
    /// Values that are compared with text anywhere, and the text.
    pub texts: Vec<(&'s Condition, &'s Condition)>,
    terms: Terms,
    auth: Term,
    /// By path and kind of rule.
    formulas: HashMap<&'s str, HashMap<&'static str, Formula>>,
    /// The value at a place after the write.
    written: HashMap<&'s str, Term>,
}

/// A rule where it stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub reading: &'a Reading<'a>,
    pub solver: &'a Solver<'a>,
    pub callers: &'a Callers,
    pub node: &'a Node,
    pub rule: &'a Rule,
    /// The places on the way, from the root.
    pub above: &'a [&'a Node],
}

/// Reads rules.
pub fn read<'s>(source: &'s Source, nodes: &'s [Node]) -> Reading<'s> {
    let mut reader = Reader::new(source);
    let (mut formulas, mut written) = (HashMap::new(), HashMap::new());
    for node in nodes {
        for rule in node.rules() {
            let formula = reader.condition(&rule.condition, &node.path);
            if rule.kind == RuleKind::Validate {
                written.insert(node.path.as_str(), reader.value_after(&node.path));
            }
            let of_path: &mut HashMap<_, _> = formulas.entry(node.path.as_str()).or_default();
            of_path.insert(rule.kind.name(), formula);
        }
    }
    let auth = reader.auth();
    let (terms, unlike) = (reader.meanings.terms, reader.unlike);
    Reading { source, nodes, unlike, texts: texts_compared(nodes), terms, auth, formulas, written }
}

fn texts_compared(nodes: &[Node]) -> Vec<(&Condition, &Condition)> {
    let mut texts = Vec::new();
    for rule in nodes.iter().flat_map(Node::rules) {
        walk::each(&rule.condition, &mut |expr| {
            let Kind::Binary(Binary::Equal | Binary::NotEqual, left, right) = &expr.kind else { return };
            for (value, text) in [(left, right), (right, left)] {
                if is_val(value) && matches!(text.kind, Kind::Constant(Value::String(_))) {
                    texts.push((&**value, &**text));
                }
            }
        });
    }
    texts.truncate(TEXTS_COMPARED_MAX);
    texts
}

impl Reading<'_> {
    /// What can be proven of it.
    pub fn solver(&self) -> Solver<'_> {
        Solver { terms: &self.terms, errors: Errors::Fatal }
    }

    /// Those who are signed in, and those who are not.
    pub fn callers(&self, solver: &Solver<'_>) -> Callers {
        Callers::new(solver, self.auth)
    }

    /// A condition as logic.
    pub fn formula(&self, node: &Node, rule: &Rule) -> Option<&Formula> {
        self.formulas.get(node.path.as_str())?.get(rule.kind.name())
    }

    /// The text of an expression on one line.
    pub fn text(&self, condition: &Condition) -> String {
        crate::wording::on_one_line(self.source, condition.span)
    }
}

impl<'a> Place<'a> {
    /// The condition as logic.
    pub fn formula(&self) -> Option<&'a Formula> {
        self.reading.formula(self.node, self.rule)
    }

    /// Whether the condition is true whatever is asked.
    pub fn always(&self) -> bool {
        let proven = |formula| self.solver.truth(formula, &Facts::default()) == Truth::True;
        evaluate(&self.rule.condition, Caller::Any).is_true() || self.formula().is_some_and(proven)
    }

    /// What is so where the rule is evaluated: what is deleted is not validated.
    pub fn facts(&self) -> Facts {
        let written = self.reading.written.get(self.node.path.as_str());
        let there = |value: &Term| {
            let something = Test::Is(Types::ANY.but(Types::NULL));
            self.solver.with(&Facts::default(), *value, &something, true).unwrap_or_default()
        };
        written.filter(|_| self.rule.kind == RuleKind::Validate).map(there).unwrap_or_default()
    }

    /// The rules of the same kind above that may grant, from the root.
    pub fn granting_above(&self) -> impl Iterator<Item = (&'a Node, &'a Rule)> {
        let kind = self.rule.kind;
        let of = move |node: &'a Node| match kind {
            RuleKind::Read => node.read.as_ref(),
            RuleKind::Write => node.write.as_ref(),
            RuleKind::Validate => None,
        };
        let above = self.above.iter().filter_map(move |node| Some((*node, of(node)?)));
        above.filter(|(_, granting)| !is_false(&granting.condition))
    }

    /// The first rule above that grants whenever this one would.
    pub fn granted_by(&self) -> Option<(&'a Node, &'a Rule)> {
        self.granting_above().find(|(node, granting)| {
            self.implies(&granting.condition) || self.follows(self.reading.formula(node, granting))
        })
    }

    /// Whether a condition, at a place above, is true whenever this one is.
    fn implies(&self, above: &Condition) -> bool {
        if evaluate(above, Caller::Any).is_true() {
            return true;
        }
        let rule = &self.rule.condition;
        let parts = conjuncts(rule);
        let has = |wanted: &Condition| parts.iter().any(|part| same(self.reading.source, part, wanted, true));
        if conjuncts(above).into_iter().all(has) {
            return true;
        }
        // Whoever gets through below is signed in.
        asks_sign_in(above) && evaluate(rule, Caller::SignedOut).never_grants()
    }

    /// The same, by logic: whenever this rule is true the other is.
    fn follows(&self, above: Option<&Formula>) -> bool {
        let (Some(below), Some(above)) = (self.formula(), above) else { return false };
        let nothing = Facts::default();
        !self.solver.refutes(&[below], &nothing) && self.solver.implies(&[below], above, &nothing)
    }
}
