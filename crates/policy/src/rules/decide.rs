//! Decides requests: finds the `allow` statements about a path and method and evaluates them until one grants.
//!
//! A list query is decided once per alternative of its filter, never per document; each alternative needs an `allow`
//! that is true for every document it admits. An alternative that names its document is decided as that document.

use crate::cause::Said;
use crate::decision::{Cause, Decision, Dependence, RulePosition, Step};
use crate::document::{DocumentPath, Needed};
use crate::eval::Machine;
use crate::meter::{Cost, Limits, Meter};
use crate::recording::{Ended, Observer, Recording, Unobserved};
use crate::request::{Document, Documents, Lookup, Method, Request};
use crate::source::Span;
use crate::trace::{Candidate, Detail, Ending, Trace};
use crate::value::{Facts, FaultKind, Outcome, Val};

use super::context::{Context, ReadSet};
use super::environment::Environment;
use super::lower::{Rule, method_bit};
use super::proof::Alternative;
use super::target::{PREFIX_LEN, Segment};
use super::{Ruleset, Service, Version, advice, proof};

/// Readings of equalities with numbers, in all alternatives of a query together.
const READINGS_PER_DECISION_MAX: usize = 256;

/// What one alternative came to.
enum Verdict {
    Granted(usize),
    Denied(Vec<Cause>),
    Pending,
}

/// One decision in progress.
struct Deciding<'r, 'd> {
    ruleset: &'r Ruleset,
    documents: &'d dyn Documents,
    limits: &'d Limits,
    read_set: ReadSet,
    depends: Dependence,
    expressions: u32,
    /// Readings of equalities with numbers that may still be tried.
    readings: usize,
    /// Whether one of the alternatives is allowed only as it is written.
    exact_match_only: bool,
    trace: Option<&'d mut Trace>,
}

impl Ruleset {
    /// Decides a request, or names the documents that must be known first. `trace`, when given, gets every
    /// candidate with every expression; then nothing is skipped after the first grant.
    pub fn decide(
        &self,
        request: &Request<'_>,
        documents: &dyn Documents,
        limits: &Limits,
        trace: Option<&mut Trace>,
    ) -> Step {
        let mut deciding = Deciding {
            ruleset: self,
            documents,
            limits,
            read_set: ReadSet::default(),
            depends: Dependence::default(),
            expressions: 0,
            readings: READINGS_PER_DECISION_MAX,
            exact_match_only: false,
            trace,
        };
        if let Some(text) = self.refusal(request) {
            return deciding.denied(vec![Cause::plain(text, true)]);
        }
        let Some(query) = request.query else {
            let verdict = deciding.evaluate(request, None, 0);
            return deciding.conclude(verdict);
        };
        let Some(mut alternatives) = proof::alternatives(query, request.path, limits.query_alternatives_max)
        else {
            let text = format!("The query has more than {} alternatives.", limits.query_alternatives_max);
            return deciding.denied(vec![Cause::plain(text, true)]);
        };
        if alternatives.is_empty() {
            // A filter that nothing can meet proves nothing worth having.
            alternatives.push(Alternative::default());
        }
        let mut conclusion = None;
        for (count, alternative) in alternatives.iter().enumerate() {
            match deciding.alternative(request, alternative, count) {
                Verdict::Denied(causes) => return deciding.denied(causes),
                Verdict::Pending => conclusion = Some(Verdict::Pending),
                Verdict::Granted(rule) => {
                    conclusion.get_or_insert(Verdict::Granted(rule));
                }
            }
        }
        deciding.conclude(conclusion.unwrap_or(Verdict::Denied(Vec::new())))
    }

    /// What is refused whatever the rules say.
    fn refusal(&self, request: &Request<'_>) -> Option<&'static str> {
        (self.service == Service::Storage && self.version == Version::One && request.method == Method::List)
            .then_some("Permission denied. List operations are only allowed for rules_version='2'.")
    }
}

impl<'r, 'd> Deciding<'r, 'd> {
    fn conclude(&mut self, verdict: Verdict) -> Step {
        match verdict {
            Verdict::Granted(index) => {
                let by = self.ruleset.lowered.rules.get(index).map(|rule| rule.position);
                self.decided(true, by, Vec::new())
            }
            Verdict::Denied(causes) => self.denied(causes),
            Verdict::Pending => Step::Needs(self.read_set.take_needs()),
        }
    }

    fn denied(&mut self, causes: Vec<Cause>) -> Step {
        self.decided(false, None, causes)
    }

    fn decided(&mut self, allowed: bool, by: Option<RulePosition>, causes: Vec<Cause>) -> Step {
        let reads = u32::try_from(self.read_set.reads()).unwrap_or(u32::MAX);
        let documents = self.read_set.take_documents();
        let cost = Cost { expressions: self.expressions, reads };
        let exact_match_only = allowed && self.exact_match_only;
        Step::Decided(Decision {
            allowed,
            exact_match_only,
            by,
            causes,
            documents,
            depends: self.depends,
            cost,
        })
    }

    /// Decides one alternative of a query.
    fn alternative(&mut self, request: &Request<'_>, alternative: &Alternative<'_>, count: usize) -> Verdict {
        if let Some(path) = alternative.document() {
            return self.named(request, path, count);
        }
        let whole = self.evaluate(request, Some(&alternative.facts), count);
        let Verdict::Denied(causes) = whole else { return whole };
        let readings = alternative.readings(self.readings);
        self.readings -= readings.len();
        let mut conclusion = None;
        for (index, reading) in readings.iter().enumerate() {
            match self.evaluate(request, Some(&proof::read(&alternative.facts, reading)), count) {
                // What the query says literally tells more than that it is not determined.
                Verdict::Denied(literal) if index == 0 => return Verdict::Denied(literal),
                // What the query finds beside it is for whoever runs it to look at.
                Verdict::Denied(_) => {
                    self.exact_match_only = true;
                    break;
                }
                Verdict::Pending => conclusion = Some(Verdict::Pending),
                Verdict::Granted(rule) => {
                    conclusion.get_or_insert(Verdict::Granted(rule));
                }
            }
        }
        conclusion.unwrap_or(Verdict::Denied(causes))
    }

    /// Decides a query's alternative that is about one document, as that document.
    fn named(&mut self, request: &Request<'_>, path: DocumentPath, count: usize) -> Verdict {
        let documents = self.documents;
        let need = Needed { path, after: false };
        let resource = match documents.document(&need) {
            Lookup::Unknown => {
                self.read_set.need(need);
                return Verdict::Pending;
            }
            Lookup::Missing => None,
            Lookup::Found(fields) => Some(Document { fields }),
        };
        self.read_set.name(&need.path);
        let path: Vec<String> = need.path.segments().map(str::to_owned).collect();
        let request = Request { path: &path, resource, ..*request };
        self.evaluate(&request, None, count)
    }

    /// Decides about one document, or about all that an alternative's facts admit.
    fn evaluate(&mut self, request: &Request<'_>, facts: Option<&Facts<'_>>, count: usize) -> Verdict {
        let ruleset = self.ruleset;
        self.read_set.begin();
        let environment = Environment::new(ruleset.service, request, facts);
        let first = match environment.target.get(PREFIX_LEN) {
            Some(Segment::Known(first)) => Some(first),
            _ => None,
        };
        let bit = method_bit(request.method);
        let mut expressions = 0;
        let mut granted = None;
        let mut pending = false;
        let mut failures: Vec<Failure> = Vec::new();
        for index in ruleset.index.candidates(first) {
            let Some(rule) = ruleset.lowered.rules.get(index).filter(|rule| rule.methods & bit != 0) else {
                continue;
            };
            let Some(pattern) = ruleset.lowered.patterns.get(rule.pattern) else { continue };
            if !pattern.matches(&environment.target) {
                continue;
            }
            let before = expressions;
            let ending = self.ask(&environment, rule, count, &mut expressions);
            match ending {
                Ending::True => {
                    granted.get_or_insert(index);
                    if self.trace.is_none() || self.only_counts() {
                        break;
                    }
                }
                Ending::Pending => pending = true,
                _ => failures.push(Failure { index, before }),
            }
        }
        self.expressions += expressions;
        // Telling causes looks at more than deciding did.
        self.depends = self.depends.or(environment.seen());
        match granted {
            Some(index) => Verdict::Granted(index),
            None if pending => Verdict::Pending,
            None if self.only_counts() => Verdict::Denied(Vec::new()),
            None => Verdict::Denied(
                failures.iter().filter_map(|failure| self.cause(&environment, failure)).collect(),
            ),
        }
    }

    /// Whether nothing but how expressions end is wanted.
    fn only_counts(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.detail == Detail::Endings)
    }

    /// Evaluates a rule that is about the request, and adds it to the trace.
    fn ask(
        &mut self,
        environment: &Environment<'_>,
        rule: &Rule,
        count: usize,
        expressions: &mut u32,
    ) -> Ending {
        let Some(detail) = self.trace.as_deref().map(|trace| trace.detail) else {
            return match &rule.condition {
                None => Ending::True,
                Some(_) => self.run::<Unobserved, ()>(environment, rule, expressions, |_| None).0,
            };
        };
        let mut endings = Vec::new();
        let (ending, condition) = match &rule.condition {
            None => (Ending::True, None),
            Some(_) => self.run::<Recording<_>, _>(environment, rule, expressions, |machine| {
                machine.traced(detail, &mut endings)
            }),
        };
        if let Some(trace) = &mut self.trace {
            trace.endings.append(&mut endings);
            let granted = ending == Ending::True;
            trace.candidates.push(Candidate {
                rule: "allow",
                span: rule.span,
                alternative: count,
                granted,
                condition,
            });
        }
        ending
    }

    /// Evaluates a rule's condition. `read` gets what an observer has recorded.
    fn run<'v, O: Observer<Outcome<'v>>, R>(
        &mut self,
        environment: &'v Environment<'v>,
        rule: &'v Rule,
        expressions: &mut u32,
        read: impl FnOnce(&mut Machine<'v, '_, Context<'v, '_>, O>) -> Option<R>,
    ) -> (Ending, Option<R>)
    where
        'r: 'v,
        'd: 'v,
    {
        let ruleset: &'v Ruleset = self.ruleset;
        let (Some(condition), Some(pattern)) = (&rule.condition, ruleset.lowered.patterns.get(rule.pattern))
        else {
            return (Ending::Error, None);
        };
        let context = Context {
            environment,
            pattern,
            documents: self.documents,
            read_set: &mut self.read_set,
            absent_keys: self.limits.absent_keys_in_list,
        };
        let mut meter = Meter::new(self.limits);
        meter.expressions = *expressions;
        let mut machine = Machine::new(context, &ruleset.lowered.functions, meter, O::default());
        let ending = machine.eval(condition).ending();
        *expressions = machine.meter.expressions;
        (ending, read(&mut machine))
    }

    /// Why a rule did not grant. It is evaluated again, observed; the outcome is the same.
    fn cause(&mut self, environment: &Environment<'_>, failure: &Failure) -> Option<Cause> {
        let ruleset = self.ruleset;
        let rule = ruleset.lowered.rules.get(failure.index)?;
        let condition = rule.condition.as_ref()?;
        let source = &ruleset.source;
        let (_, cause) =
            self.run::<Recording<_>, _>(environment, rule, &mut failure.before.clone(), |machine| {
                machine.read_recorded(|node, outcome| {
                    let said = said(outcome, condition.span, condition.at, rule.position.line);
                    let undetermined =
                        matches!(outcome, Err(fault) if matches!(fault.kind, FaultKind::Undetermined(_)));
                    let help = undetermined.then(|| match advice::missing_constraint(node, source) {
                        Some(clause) => format!("rules are not filters: add `{clause}` to the query"),
                        None => "rules are not filters: the query must make this true for every document"
                            .to_owned(),
                    });
                    Cause { help, ..Cause::of(source, node, said) }
                })
            });
        cause
    }
}

/// A rule that did not grant, and the expressions counted before it.
struct Failure {
    index: usize,
    before: u32,
}

/// A failed condition in the service's words.
fn said(outcome: &Outcome<'_>, condition: Span, token: Span, rule_line: u32) -> Said {
    let (text, at, failed, error) = match outcome {
        Ok(Val::Bool(value)) => (value.to_string(), condition, None, false),
        Ok(other) => {
            let kind = FaultKind::Type { received: other.type_name(), expected: "bool" };
            (kind.to_string(), token, None, true)
        }
        Err(fault) => (fault.kind.to_string(), fault.at, Some(fault.span), true),
    };
    Said { text, rule_line, at: Some(at), failed, error }
}
