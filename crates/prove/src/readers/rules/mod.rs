//! Firestore and Storage rules as logic.

mod calls;
mod fields;
mod needs;
pub mod oddity;
mod operators;
mod overlap;
mod reader;
pub mod shapes;
mod verbs;

use base::Value;
use policy::Method;
use policy::Ruleset;
use policy::Service;
use policy::rules::lowered::{Rule, method_bit};

use crate::logic::{Callers, Errors, Facts, Formula, Kind, Solver, Terms, Test, Truth, Types};
use oddity::Odd;
use reader::Reader;

pub use needs::{Needs, needs};
pub use overlap::{Overlap, overlaps};

/// Rules whose conditions are looked at; production's limits of size are far below.
const RULES_MAX: usize = 2_000;

/// What a condition comes to, as far as that is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is written as `false`, or calls a function that is only that.
    Refuses,
    /// It is true whatever is asked.
    Open,
    /// It is not true for any method that the rule is about.
    Never,
    /// It can be true.
    Alive,
}

/// A rule and what it asks.
pub struct Grant<'r> {
    pub rule: &'r Rule,
    pub condition: Formula,
    pub standing: Standing,
    /// The methods for which it can never be true, as bits.
    pub dead: u8,
}

impl Grant<'_> {
    /// The methods for which it may be true, as bits.
    pub fn alive(&self) -> u8 {
        self.rule.methods & !self.dead
    }

    /// Where its condition is written; of one without, the rule.
    pub fn span(&self) -> policy::Span {
        self.rule.condition.as_ref().map_or(self.rule.span, |condition| condition.span)
    }

    /// Whether it is about a method that writes.
    pub fn writes(&self) -> bool {
        Method::ALL.into_iter().any(|verb| verb.is_write() && self.rule.methods & method_bit(verb) != 0)
    }
}

/// A ruleset as logic.
pub struct Reading<'r> {
    pub ruleset: &'r Ruleset,
    pub grants: Vec<Grant<'r>>,
    /// What is odd about expressions, wherever they are used.
    pub oddities: Vec<Odd>,
    pub callers: Callers,
    terms: Terms,
    methods: Vec<(Method, Facts)>,
}

/// A rule where it stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub reading: &'a Reading<'a>,
    pub solver: &'a Solver<'a>,
    pub grant: &'a Grant<'a>,
}

impl Place<'_> {
    /// The words before the colon: `read, create`.
    pub fn verbs(&self) -> String {
        self.reading.verbs(self.grant.rule)
    }
}

/// Reads a ruleset.
pub fn read(ruleset: &Ruleset) -> Reading<'_> {
    let mut reader = Reader::new(ruleset);
    let mut grants = Vec::new();
    for rule in ruleset.lowered().rules.iter().take(RULES_MAX) {
        let condition = match &rule.condition {
            Some(condition) => reader.condition(condition, rule.pattern),
            None => Formula::new(Kind::Known(true), rule.span),
        };
        let refuses = matches!(condition.kind, Kind::Known(false));
        let standing = if refuses { Standing::Refuses } else { Standing::Alive };
        grants.push(Grant { rule, condition, standing, dead: 0 });
    }
    let methods = methods(&mut reader);
    let auth = reader.auth();
    let solver = solver(&reader.meanings.terms);
    let callers = Callers::new(&solver, auth);
    for grant in &mut grants {
        stand(grant, &solver, &methods);
    }
    Reading { ruleset, grants, oddities: reader.oddities(), callers, terms: reader.meanings.terms, methods }
}

impl Reading<'_> {
    /// What can be proven of it.
    pub fn solver(&self) -> Solver<'_> {
        solver(&self.terms)
    }

    /// What is so for each of some methods, given as bits.
    pub fn facts(&self, methods: u8) -> impl Iterator<Item = (Method, &Facts)> {
        of(&self.methods, methods)
    }
}

fn solver(terms: &Terms) -> Solver<'_> {
    Solver { terms, errors: Errors::Absorbed }
}

fn of(all: &[(Method, Facts)], methods: u8) -> impl Iterator<Item = (Method, &Facts)> {
    all.iter().filter(move |(verb, _)| methods & method_bit(*verb) != 0).map(|(verb, facts)| (*verb, facts))
}

fn stand(grant: &mut Grant<'_>, solver: &Solver<'_>, methods: &[(Method, Facts)]) {
    if grant.standing == Standing::Refuses {
        return;
    }
    if solver.truth(&grant.condition, &Facts::default()) == Truth::True {
        grant.standing = Standing::Open;
        return;
    }
    for (verb, facts) in of(methods, grant.rule.methods) {
        if solver.refutes(&[&grant.condition], facts) {
            grant.dead |= method_bit(verb);
        }
    }
    if grant.alive() == 0 {
        grant.standing = Standing::Never;
    }
}

/// What is so for a request of each method.
fn methods(reader: &mut Reader<'_>) -> Vec<(Method, Facts)> {
    let firestore = reader.service == Service::Firestore;
    let method = reader.method_of_request();
    let (existing, new) = (reader.existing(), reader.new_resource());
    let solver = solver(&reader.meanings.terms);
    let know = |facts: Facts, term, test: Test| solver.with(&facts, term, &test, true).unwrap_or(facts);
    let (map, null) = (Test::Is(Types::MAP), Test::Is(Types::NULL));
    let facts = |verb: Method| {
        let name = Value::String(verb.name().to_owned());
        let facts = know(Facts::default(), method, Test::Equals(name));
        let facts = match verb {
            // In Storage an upload over an object is a `create` too.
            Method::Create if firestore => know(facts, existing, null.clone()),
            Method::Update | Method::Delete => know(facts, existing, map.clone()),
            _ => facts,
        };
        match verb {
            Method::Create | Method::Update => know(facts, new, map.clone()),
            Method::Get | Method::List | Method::Delete => know(facts, new, null.clone()),
        }
    };
    Method::ALL.into_iter().map(|verb| (verb, facts(verb))).collect()
}
