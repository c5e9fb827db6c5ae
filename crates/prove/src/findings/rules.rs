//! What follows from the conditions of a ruleset: who gets in for sure, what can never be, which rule never matters.

use base::Value;

use crate::readers::rules::needs as budget;
use crate::readers::rules::reader::Reader;
use super::overlap;
use crate::findings::never_holds::Parts;
use crate::logic::solver::{Errors, Facts, Formula, Kind as Logic, Solver, Test, Truth};
use crate::logic::types::Types;
use policy::diagnostic::Diagnostic;
use policy::ir::{self, Binary, Kind};
use policy::request::Method as Verb;
use policy::rules::lowered::{Rule, method_bit};
use policy::rules::lowered::{Function, Global, Rules};
use policy::rules::{Ruleset, Service};
use policy::source::Span;

/// Rules whose conditions are looked at; production's limits of size are far below.
const RULES_MAX: usize = 2_000;

/// A rule and what it asks.
pub struct Grant<'r> {
    pub rule: &'r Rule,
    pub condition: Formula,
    /// Whether the condition is written as `false`, or calls a function that is only that.
    pub refuses: bool,
    /// The methods for which it can never be true, as bits.
    pub dead: u8,
}

/// All that is found.
pub fn findings(ruleset: &Ruleset) -> Vec<Diagnostic> {
    let mut reader = Reader::new(ruleset);
    let mut found = Vec::new();
    let mut grants: Vec<Grant> = Vec::new();
    for rule in ruleset.lowered().rules.iter().take(RULES_MAX) {
        let condition = match &rule.condition {
            Some(condition) => reader.condition(condition, rule.pattern),
            None => Formula::new(Logic::Known(true), rule.span),
        };
        let refuses = matches!(condition.kind, Logic::Known(false));
        grants.push(Grant { rule, condition, refuses, dead: 0 });
    }
    let scene = Scene::new(ruleset, &mut reader);
    let places = reader.places_told();
    found.extend(reader.told());
    let solver = Solver { terms: &reader.terms, errors: Errors::Absorbed };
    let parts = Parts::new(&solver, ruleset.source(), places);
    let mut critic = Critic { ruleset, solver: &solver, scene: &scene, found, parts };
    for grant in &mut grants {
        critic.grant(grant);
    }
    let mut found = critic.found;
    found.extend(critic.parts.told());
    found.extend(overlap::findings(ruleset, &solver, &scene, &grants));
    found.extend(budget::findings(ruleset));
    found
}

/// What is so for a request of each method.
pub struct Scene {
    methods: Vec<(Verb, Facts)>,
    pub signed_out: Facts,
    pub signed_in: Facts,
    auth: crate::logic::terms::Term,
}

impl Scene {
    fn new(ruleset: &Ruleset, reader: &mut Reader<'_>) -> Self {
        let (auth, method) = (reader.auth(), reader.method_of_request());
        let (existing, new) = (reader.existing(), reader.new_resource());
        let solver = Solver { terms: &reader.terms, errors: Errors::Absorbed };
        let know = |facts: Facts, term, test: Test| solver.with(&facts, term, &test, true).unwrap_or(facts);
        let (map, null) = (Test::Is(Types::MAP), Test::Is(Types::NULL));
        let scene = |verb: Verb| {
            let name = Value::String(verb.name().to_owned());
            let mut facts = know(Facts::default(), method, Test::Equals(name));
            let firestore = ruleset.service() == Service::Firestore;
            facts = match verb {
                // In Storage an upload over an object is a `create` too.
                Verb::Create if firestore => know(facts, existing, null.clone()),
                Verb::Update | Verb::Delete => know(facts, existing, map.clone()),
                _ => facts,
            };
            match verb {
                Verb::Create | Verb::Update => know(facts, new, map.clone()),
                Verb::Get | Verb::List | Verb::Delete => know(facts, new, null.clone()),
            }
        };
        Self {
            methods: Verb::ALL.into_iter().map(|verb| (verb, scene(verb))).collect(),
            signed_out: know(Facts::default(), auth, null.clone()),
            signed_in: know(Facts::default(), auth, map.clone()),
            auth,
        }
    }

    /// What is so for the methods of a rule.
    pub fn of(&self, methods: u8) -> impl Iterator<Item = (Verb, &Facts)> {
        let wanted = self.methods.iter().filter(move |(verb, _)| methods & method_bit(*verb) != 0);
        wanted.map(|(verb, facts)| (*verb, facts))
    }

    /// Whether a condition asks by itself for somebody who is not signed in.
    fn asks_signed_out(&self, condition: &Formula) -> bool {
        condition.asks_for_null(self.auth, true)
    }
}

struct Critic<'r, 's> {
    ruleset: &'r Ruleset,
    solver: &'s Solver<'s>,
    scene: &'s Scene,
    found: Vec<Diagnostic>,
    parts: Parts<'s>,
}

impl Critic<'_, '_> {
    fn grant(&mut self, grant: &mut Grant<'_>) {
        let (rule, condition) = (grant.rule, &grant.condition);
        if grant.refuses {
            // `if false` is a way to say no; anything else that comes to the same is not.
            if let Some(written) = &rule.condition {
                self.constant(written);
            }
            return;
        }
        if self.solver.truth(condition, &Facts::default()) == Truth::True {
            self.open(rule);
            return;
        }
        for (verb, facts) in self.scene.of(rule.methods) {
            if self.solver.refutes(&[condition], facts) {
                grant.dead |= method_bit(verb);
            }
        }
        if grant.dead == rule.methods {
            self.never(rule, condition);
            return;
        }
        self.dead_verbs(rule, grant.dead);
        self.parts.look(condition);
        self.signed_out(rule, condition);
    }

    fn verbs(&self, rule: &Rule) -> String {
        let text = self.ruleset.source().slice(rule.span);
        let verbs = text.strip_prefix("allow").unwrap_or("").split([':', ';']).next().unwrap_or("");
        verbs.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The words of an `allow` and the methods they stand for.
    fn words(&self, rule: &Rule) -> Vec<(String, u8)> {
        let bit = method_bit;
        let verbs = self.verbs(rule);
        let word = |word: &str| match word {
            "read" => bit(Verb::Get) | bit(Verb::List),
            "write" => bit(Verb::Create) | bit(Verb::Update) | bit(Verb::Delete),
            other => Verb::ALL.into_iter().find(|verb| verb.name() == other).map_or(0, bit),
        };
        verbs.split(',').map(|name| (name.trim().to_owned(), word(name.trim()))).collect()
    }

    fn open(&mut self, rule: &Rule) {
        let verbs = self.verbs(rule);
        let how = match &rule.condition {
            None => format!("`allow {verbs}` without a condition"),
            Some(condition) if matches!(condition.kind, Kind::Constant(_)) => {
                format!("`allow {verbs}: if true`")
            }
            Some(_) => format!("`allow {verbs}` with a condition that is always true"),
        };
        let message = format!("{how} lets everybody in, signed in or not");
        let writes =
            Verb::ALL.into_iter().any(|verb| verb.is_write() && rule.methods & method_bit(verb) != 0);
        let help = "if that is meant, fine; otherwise ask for something, such as `request.auth != null`";
        self.found.push(if writes {
            Diagnostic::warning("open-access", rule.span, message).help(help)
        } else {
            Diagnostic::note("open-read", rule.span, message).help(help)
        });
    }

    /// A condition that is false without being written so.
    fn constant(&mut self, condition: &ir::Expr<Rules>) {
        let literal = |expr: &ir::Expr<Rules>| {
            self.ruleset.source().slice(expr.span).trim_matches(['(', ')', ' ']) == "false"
        };
        if literal(condition) || matches!(condition.kind, Kind::Call(..)) {
            return;
        }
        let message = "this condition is never true";
        self.found.push(
            Diagnostic::warning("constant-condition", condition.span, message)
                .help("write `if false` if that is meant"),
        );
    }

    fn never(&mut self, rule: &Rule, condition: &Formula) {
        let nothing = Facts::default();
        let span = rule.condition.as_ref().map_or(rule.span, |condition| condition.span);
        if self.solver.refutes(&[condition], &nothing) {
            self.found.extend(self.parts.contradiction(&[], condition));
            return;
        }
        if self.parts.switched_off(condition) {
            return;
        }
        let verbs = self.verbs(rule);
        let message = format!("this is never true for `{verbs}`: {}", self.absent(rule.methods));
        let mut diagnostic = Diagnostic::warning("never-holds", span, message);
        if let Some(help) = self.other_resource(rule.methods) {
            diagnostic = diagnostic.help(help);
        }
        self.found.push(diagnostic);
    }

    /// Why a condition cannot be true for a method although it can be for others.
    fn absent(&self, methods: u8) -> &'static str {
        let only = |verbs: &[Verb]| {
            let bits = verbs.iter().map(|verb| method_bit(*verb)).fold(0, |all, bit| all | bit);
            methods & !bits == 0
        };
        if only(&[Verb::Get, Verb::List]) {
            "`request.resource` is the document to be written, and nothing is written"
        } else if only(&[Verb::Delete]) {
            "after a delete there is no `request.resource`"
        } else if only(&[Verb::Create]) && self.ruleset.service() == Service::Firestore {
            "before a create there is no `resource`"
        } else {
            "it asks for another method, or for a document that is not there then"
        }
    }

    fn other_resource(&self, methods: u8) -> Option<&'static str> {
        let bit = method_bit;
        if methods == bit(Verb::Create) && self.ruleset.service() == Service::Firestore {
            Some("the new document is `request.resource`")
        } else if methods & (bit(Verb::Create) | bit(Verb::Update)) == 0 {
            Some("the document that is there is `resource`")
        } else {
            None
        }
    }

    /// Words of an `allow` that it can never grant.
    fn dead_verbs(&mut self, rule: &Rule, dead: u8) {
        for (word, methods) in self.words(rule) {
            if methods == 0 || methods & !dead != 0 {
                continue;
            }
            let text = self.ruleset.source().slice(rule.span);
            let at = rule.span.start as usize + text.find(&word).unwrap_or(0);
            let span = Span::new(at, at + word.len());
            let message = format!("this never grants `{word}`: {}", self.absent(methods));
            let mut diagnostic = Diagnostic::warning("verb-never-granted", span, message);
            diagnostic = match self.other_resource(methods) {
                Some(help) => diagnostic.help(format!("{help}; give `{word}` a rule of its own")),
                None => diagnostic,
            };
            self.found.push(diagnostic);
        }
    }

    fn signed_out(&mut self, rule: &Rule, condition: &Formula) {
        let span = rule.condition.as_ref().map_or(rule.span, |condition| condition.span);
        let solver = self.solver;
        let verbs = self.verbs(rule);
        if solver.refutes(&[condition], &self.scene.signed_in) {
            if !solver.refutes(&[condition], &self.scene.signed_out) {
                let message = format!("`allow {verbs}` lets in only those who are not signed in");
                self.found.push(
                    Diagnostic::warning("only-when-signed-out", span, message)
                        .help("to let in those who are, write `request.auth != null`"),
                );
            }
            return;
        }
        if solver.truth(condition, &self.scene.signed_out) == Truth::True
            && !self.scene.asks_signed_out(condition)
        {
            let message = "this is true when nobody is signed in: then `request.auth` is null";
            self.found.push(
                Diagnostic::warning("true-when-signed-out", span, message)
                    .help("begin with `request.auth != null &&`"),
            );
            return;
        }
        let writes =
            Verb::ALL.into_iter().any(|verb| verb.is_write() && rule.methods & method_bit(verb) != 0);
        let asks = condition.any(&|part| match &part.kind {
            Logic::Test(term, test) => {
                let caller = |term| solver.terms.about(term).caller;
                caller(*term) || matches!(test, Test::Same(other) if caller(*other))
            }
            _ => false,
        });
        if let Some(until) = rule.condition.as_ref().and_then(only_time) {
            let until = self.ruleset.source().slice(until);
            let message = format!(
                "`allow {verbs}` lets everybody in, signed in or not, as long as the time is right: `{until}`"
            );
            self.found
                .push(Diagnostic::warning("open-access", span, message).help(
                    "this is for first trials; ask for something else, such as `request.auth != null`",
                ));
        } else if writes && !asks {
            let message = format!(
                "`allow {verbs}` asks nothing about the caller: who is not signed in can meet it too"
            );
            self.found.push(
                Diagnostic::note("no-sign-in-check", span, message)
                    .help("if that is meant, fine; otherwise begin with `request.auth != null &&`"),
            );
        }
    }
}

/// The place of a condition that only compares the time with a fixed one.
fn only_time(condition: &ir::Expr<Rules>) -> Option<Span> {
    let Kind::Binary(Binary::Less | Binary::LessOrEqual, left, right) = &condition.kind else { return None };
    let is_time = |expr: &ir::Expr<Rules>| match &expr.kind {
        Kind::Member(request, name) => {
            **name == *"time" && matches!(request.kind, Kind::Global(Global::Request))
        }
        _ => false,
    };
    let is_fixed = |expr: &ir::Expr<Rules>| match &expr.kind {
        Kind::Function(Function::TimestampDate | Function::TimestampValue, arguments) => {
            arguments.iter().all(|argument| matches!(argument.kind, Kind::Constant(_)))
        }
        _ => false,
    };
    (is_time(left) && is_fixed(right)).then_some(condition.span)
}
