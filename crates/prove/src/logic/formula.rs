//! A condition as logic, and where each part of it is written.

use base::Value;
use policy::Span;

use super::order::Order;
use super::terms::Term;
use super::types::Types;

/// A condition and where it is written.
#[derive(Clone, Debug)]
pub struct Formula {
    pub kind: Kind,
    pub span: Span,
}

/// What a condition says.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It is this.
    Known(bool),
    /// It is an error.
    Fails,
    And(Vec<Formula>),
    Or(Vec<Formula>),
    Not(Box<Formula>),
    If(Box<Formula>, Box<Formula>, Box<Formula>),
    /// Something about one value.
    Test(Term, Test),
}

/// Something that a value can be tested for.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is true.
    Holds,
    /// `== value`
    Equals(Value),
    /// `== other`
    Same(Term),
    /// `in [values]`
    Among(Vec<Value>),
    /// `is type`
    Is(Types),
    /// `< value` and so on.
    Compares(Order, Value),
}

impl Formula {
    pub fn new(kind: Kind, span: Span) -> Self {
        Self { kind, span }
    }

    /// A text that is equal for equal conditions, wherever they are written.
    pub fn key(&self) -> String {
        let all = |parts: &[Formula]| parts.iter().map(Formula::key).collect::<Vec<_>>().join(",");
        match &self.kind {
            Kind::Known(value) => value.to_string(),
            Kind::Fails => "fails".to_owned(),
            Kind::And(parts) => format!("and({})", all(parts)),
            Kind::Or(parts) => format!("or({})", all(parts)),
            Kind::Not(part) => format!("not({})", part.key()),
            Kind::If(test, yes, no) => format!("if({},{},{})", test.key(), yes.key(), no.key()),
            Kind::Test(term, test) => format!("{term:?}{test:?}"),
        }
    }

    /// The same, with one part known.
    pub fn with(&self, part: Span, value: bool) -> Formula {
        if self.span == part {
            return Formula::new(Kind::Known(value), part);
        }
        let one = |inner: &Formula| Box::new(inner.with(part, value));
        let all = |parts: &[Formula]| parts.iter().map(|inner| inner.with(part, value)).collect();
        let kind = match &self.kind {
            Kind::And(parts) => Kind::And(all(parts)),
            Kind::Or(parts) => Kind::Or(all(parts)),
            Kind::Not(inner) => Kind::Not(one(inner)),
            Kind::If(test, yes, no) => Kind::If(one(test), one(yes), one(no)),
            other => other.clone(),
        };
        Formula::new(kind, self.span)
    }

    /// Whether any part says this.
    pub fn any(&self, wanted: &dyn Fn(&Formula) -> bool) -> bool {
        let found = match &self.kind {
            Kind::And(parts) | Kind::Or(parts) => parts.iter().any(|part| part.any(wanted)),
            Kind::Not(part) => part.any(wanted),
            Kind::If(test, yes, no) => test.any(wanted) || yes.any(wanted) || no.any(wanted),
            Kind::Known(_) | Kind::Fails | Kind::Test(..) => false,
        };
        found || wanted(self)
    }

    /// Whether a value is asked for being null, as opposed to not being null.
    pub fn asks_for_null(&self, value: Term, positive: bool) -> bool {
        match &self.kind {
            Kind::And(parts) | Kind::Or(parts) => {
                parts.iter().any(|part| part.asks_for_null(value, positive))
            }
            Kind::Not(part) => part.asks_for_null(value, !positive),
            // `value != null ? … : …` says something about both.
            Kind::If(test, yes, no) => {
                test.asks_for_null(value, true)
                    || test.asks_for_null(value, false)
                    || yes.asks_for_null(value, positive)
                    || no.asks_for_null(value, positive)
            }
            Kind::Test(term, Test::Equals(Value::Null)) => positive && *term == value,
            _ => false,
        }
    }

    /// The parts that must all be true for it to be true.
    pub fn conjuncts(&self) -> Vec<&Formula> {
        match &self.kind {
            Kind::And(parts) => parts.iter().flat_map(Formula::conjuncts).collect(),
            _ => vec![self],
        }
    }
}
