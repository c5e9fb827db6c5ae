//! Decides operations: walks the rules along the path, from the root down.
//!
//! - The first `.read` or `.write` that is true grants; what is below cannot take it back.
//! - Every `.validate` from the root to what is written, and everywhere in what is written, must be true where something
//!   will be; where nothing will be it does not matter.
//! - An update is allowed when all its changes are. Rules see all of them done.
//!
//! A denial is decided once more, observed, to say why. The outcome is the same.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::Ruleset;
use super::merge::Merged;
use super::request::{AuthVariable, Change, Observe, Operation, Query, Request};
use super::structure::{Node, Rule};
use super::tree::Tree;
use super::values::{Context, RulePath, type_name};
use crate::cause::Said;
use crate::decision::{Cause, Decision, RulePosition};
use crate::eval::Machine;
use crate::meter::{Cost, Limits, Meter};
use crate::recording::{Ended, Observer, Recording, Unobserved};
use crate::trace::{Candidate, Ending, Trace};
use crate::value::{FaultKind, Outcome, Str, Val};

/// Places of one operation that `.validate` rules may be looked for at.
pub const PLACES_VALIDATED_MAX: u32 = 1_000_000;
/// Reasons that one denial tells.
const CAUSES_MAX: usize = 20;
/// Bytes of a reason for which there is room from the beginning.
const TEXT_BYTES_USUAL: usize = 128;
/// Rules along a read's path for which a decision allocates nothing.
const RULES_TRIED_USUAL: usize = 4;

/// The limits of a Realtime Database decision: the service names none, so they only guard the machine.
pub fn limits() -> Limits {
    Limits { expressions_max: 5_000_000, work_units_max: 256 << 20, ..Limits::default() }
}

/// One pass over the rules.
///
/// Observed, every expression is recorded and every reason collected.
struct Pass<'v, 'm, 'o, 'c, O: Observer<Outcome<'v>>> {
    ruleset: &'v Ruleset,
    machine: Machine<'v, 'm, &'c mut Context<'v>, O>,
    trace: Option<&'o mut Trace>,
    touched: Option<&'o mut BTreeSet<String>>,
    causes: Vec<Cause>,
    by: Option<RulePosition>,
    places: u32,
    /// The rules of a read that nobody observes: each with the place of `data` and how far on the way it is.
    tried: SmallVec<[(&'v Rule, u32, usize); RULES_TRIED_USUAL]>,
}

impl Ruleset {
    /// Decides an operation on a database. `None` is a database with nothing in it.
    pub fn decide(
        &self,
        request: &Request<'_>,
        tree: Option<&dyn Tree>,
        limits: &Limits,
        observe: Observe<'_>,
    ) -> Decision {
        let Request { operation, auth, now_ms } = request;
        let asking = Asking { operation, auth: auth.map(AuthVariable::Whole), now_ms: *now_ms };
        self.decide_for(asking, tree, limits, observe, &|| true)
    }

    /// The same with `auth` as a view. Whether the answer `counts` is asked before its reasons are looked for.
    pub(super) fn decide_for(
        &self,
        asking: Asking<'_>,
        tree: Option<&dyn Tree>,
        limits: &Limits,
        observe: Observe<'_>,
        counts: &dyn Fn() -> bool,
    ) -> Decision {
        let single;
        let changes = match asking.operation {
            Operation::Read { .. } => &[],
            Operation::Write(change) => {
                single = [*change];
                &single[..]
            }
            Operation::Update(changes) => *changes,
        };
        let merged = (!changes.is_empty()).then(|| Merged::new(tree, changes));
        let Observe { trace, touched } = observe;
        let asked = Asked { ruleset: self, asking, tree, limits, changes, merged: merged.as_ref() };
        if trace.is_some() {
            return asked.decide::<Recording<_>>(trace, touched);
        }
        let decision = asked.decide::<Unobserved>(None, touched);
        let has_reasons = matches!(asking.operation, Operation::Read { .. });
        if decision.allowed || has_reasons || !counts() {
            return decision;
        }
        Decision { cost: decision.cost, ..asked.decide::<Recording<_>>(None, None) }
    }
}

/// An operation, with who wants it as rules see them.
#[derive(Clone, Copy)]
pub(super) struct Asking<'r> {
    pub operation: &'r Operation<'r>,
    pub auth: Option<AuthVariable<'r>>,
    pub now_ms: i64,
}

/// What is to be decided.
struct Asked<'r> {
    ruleset: &'r Ruleset,
    asking: Asking<'r>,
    tree: Option<&'r dyn Tree>,
    limits: &'r Limits,
    changes: &'r [Change<'r>],
    merged: Option<&'r Merged<'r>>,
}

impl Asked<'_> {
    fn decide<'v, O: Observer<Outcome<'v>>>(
        &'v self,
        trace: Option<&mut Trace>,
        touched: Option<&mut BTreeSet<String>>,
    ) -> Decision {
        let mut context = self.context();
        let mut pass = Pass {
            ruleset: self.ruleset,
            machine: Machine::new(&mut context, &[], Meter::new(self.limits), O::default()),
            trace,
            touched,
            causes: Vec::new(),
            by: None,
            places: 0,
            tried: SmallVec::new(),
        };
        let allowed = match (self.asking.operation, self.merged) {
            (Operation::Read { path, .. }, _) if O::OBSERVES => pass.read(path),
            (Operation::Read { path, .. }, _) => {
                let allowed = pass.read(path);
                return if allowed { pass.decision(true) } else { pass.denied_read(path) };
            }
            (_, Some(merged)) => pass.write(self.changes, merged),
            // An update of nothing.
            (_, None) => true,
        };
        pass.decision(allowed)
    }

    #[inline]
    fn context(&self) -> Context<'_> {
        let query = match self.asking.operation {
            Operation::Read { query: Some(query), .. } => **query,
            _ => Query::default(),
        };
        let mut context = Context {
            auth: self.asking.auth.map(AuthVariable::map),
            #[expect(clippy::cast_precision_loss, reason = "the language has doubles only")]
            now: self.asking.now_ms as f64,
            query,
            frames: SmallVec::new(),
            data: 0,
            new_data: 0,
            way: RulePath::default(),
            looked_at: None,
        };
        context.push_root(self.tree);
        context
    }
}

impl<'v, O: Observer<Outcome<'v>>> Pass<'v, '_, '_, '_, O> {
    fn decision(self, allowed: bool) -> Decision {
        Decision {
            exact_match_only: false,
            allowed,
            by: self.by.filter(|_| allowed),
            causes: if allowed { Vec::new() } else { self.causes },
            documents: crate::document::DocumentPaths::new(),
            depends: crate::Dependence { auth: true, time: self.ruleset.reads_tell_time },
            cost: Cost { expressions: self.machine.meter.expressions, reads: 0 },
        }
    }

    fn node(&self, index: usize) -> Option<&'v Node> {
        self.ruleset.nodes.get(index)
    }

    /// A pass that observes looks at everything; otherwise the first answer is enough.
    fn is_done(&self, granted: bool) -> bool {
        granted && self.trace.is_none()
    }

    fn read(&mut self, path: &'v [&'v str]) -> bool {
        self.machine.dialect.looked_at = self.touched.is_some().then(Vec::new);
        self.machine.dialect.way.begin(path);
        let (mut granted, mut tried) = (false, false);
        let (mut node, mut keys) = (self.node(0), path.iter());
        let mut data = 0;
        while let Some(here) = node {
            if let Some(rule) = &here.read {
                tried = true;
                self.machine.dialect.data = data;
                if !O::OBSERVES {
                    self.tried.push((rule, data, self.machine.dialect.way.len()));
                }
                granted |= self.run(rule) == Ending::True;
                if self.is_done(granted) {
                    break;
                }
            }
            let Some(key) = keys.next() else { break };
            node = here.child(key).and_then(|child| self.node(child));
            data = self.machine.dialect.child(data, Str::Borrowed(key));
            self.machine.dialect.way.advance();
        }
        if !granted && !tried {
            self.no_rule(".read", path);
        }
        granted
    }

    /// A denial with its reasons: the rules that were tried are evaluated once more, observed, without the way to them.
    #[inline(never)]
    fn denied_read(self, path: &'v [&'v str]) -> Decision {
        let Pass { ruleset, machine, tried, .. } = self;
        let (cost, limits, context) = (machine.meter.expressions, machine.meter.limits, machine.dialect);
        context.looked_at = None;
        let mut pass = Pass {
            ruleset,
            machine: Machine::new(context, &[], Meter::new(limits), Recording::default()),
            trace: None,
            touched: None,
            causes: Vec::new(),
            by: None,
            places: 0,
            tried: SmallVec::new(),
        };
        for (rule, data, way_len) in &tried {
            pass.machine.dialect.data = *data;
            pass.machine.dialect.way.go_to(*way_len);
            pass.run(rule);
        }
        if tried.is_empty() {
            pass.no_rule(".read", path);
        }
        pass.machine.meter.expressions = cost;
        pass.decision(false)
    }

    fn write(&mut self, changes: &'v [Change<'v>], merged: &'v Merged<'v>) -> bool {
        let after = self.machine.dialect.push_root(merged.tree());
        let mut granted = true;
        for change in changes {
            granted &= self.granted(change.path, after);
            if !granted && self.trace.is_none() {
                return false;
            }
        }
        let valid = self.validate(0, 0, after, Some(merged));
        granted && valid
    }

    /// Whether a `.write` on the way to a change is true.
    fn granted(&mut self, path: &'v [&'v str], root_after: u32) -> bool {
        let kept = self.machine.dialect.frames.len();
        let (mut granted, mut tried) = (false, false);
        let (mut node, mut keys) = (self.node(0), path.iter());
        let (mut data, mut after) = (0, root_after);
        self.machine.dialect.way.begin(path);
        while let Some(here) = node {
            if let Some(rule) = &here.write {
                tried = true;
                self.machine.dialect.data = data;
                self.machine.dialect.new_data = after;
                granted |= self.run(rule) == Ending::True;
                if self.is_done(granted) {
                    break;
                }
            }
            let Some(key) = keys.next() else { break };
            node = here.child(key).and_then(|child| self.node(child));
            data = self.machine.dialect.child(data, Str::Borrowed(key));
            after = self.machine.dialect.child(after, Str::Borrowed(key));
            self.machine.dialect.way.advance();
        }
        self.machine.dialect.frames.truncate(kept);
        self.machine.dialect.way.begin(&[]);
        if !granted && !tried {
            self.no_rule(".write", path);
        }
        granted
    }

    /// Whether a place, and what is written below it, is valid. Recursion is bounded by the nesting of the rules.
    /// `way` is the place on the way to a change; without it all below is written.
    fn validate(&mut self, node: usize, data: u32, after: u32, way: Option<&'v Merged<'v>>) -> bool {
        let Some(here) = self.node(node).filter(|node| node.validates) else { return true };
        let Some(tree) = self.machine.dialect.tree(after).filter(|tree| tree.exists()) else { return true };
        self.places += 1;
        if self.places > PLACES_VALIDATED_MAX {
            let text = format!("more than {PLACES_VALIDATED_MAX} places to validate");
            self.plain_cause(text);
            return false;
        }
        let mut valid = true;
        if let Some(rule) = &here.validate {
            self.machine.dialect.data = data;
            self.machine.dialect.new_data = after;
            valid = self.run(rule) == Ending::True;
        }
        let goes_on = |valid: bool, pass: &Self| valid || pass.trace.is_some();
        if !goes_on(valid, self) {
            return false;
        }
        match way.filter(|way| !way.whole) {
            Some(way) => {
                for (key, change) in way.changed() {
                    valid &= self.validate_child(here, key, data, after, Some(change));
                    if !goes_on(valid, self) {
                        break;
                    }
                }
            }
            None => {
                let mut visit = |key: &'v str| {
                    let change = way.and_then(|way| way.on_the_way(key));
                    valid &= self.validate_child(here, key, data, after, change);
                    if goes_on(valid, self) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                if here.capture.is_none() {
                    let _ = here.children.iter().try_for_each(|(key, _)| visit(key));
                } else {
                    tree.each_child(&mut |key, _| visit(key));
                }
            }
        }
        valid
    }

    fn validate_child(
        &mut self,
        here: &'v Node,
        key: &'v str,
        data: u32,
        after: u32,
        way: Option<&'v Merged<'v>>,
    ) -> bool {
        let Some(child) = here.child(key) else { return true };
        let kept = self.machine.dialect.frames.len();
        let data = self.machine.dialect.child(data, Str::Borrowed(key));
        let after = self.machine.dialect.child(after, Str::Borrowed(key));
        self.machine.dialect.way.push(key);
        let valid = self.validate(child, data, after, way);
        self.machine.dialect.way.pop();
        self.machine.dialect.frames.truncate(kept);
        valid
    }

    /// Evaluates one rule.
    fn run(&mut self, rule: &'v Rule) -> Ending {
        let kept = self.machine.dialect.frames.len();
        let outcome = self.machine.eval(&rule.condition);
        let ending = outcome.ending();
        if O::OBSERVES {
            self.record(rule, ending);
        }
        if ending == Ending::True {
            self.by.get_or_insert(rule.position);
        }
        if let Some(touched) = &mut self.touched {
            let looked_at = self.machine.dialect.looked_at.replace(Vec::new()).unwrap_or_default();
            touched.extend(looked_at.iter().map(|frame| self.machine.dialect.place(*frame)));
        }
        self.machine.dialect.frames.truncate(kept);
        ending
    }

    #[inline(never)]
    fn record(&mut self, rule: &'v Rule, ending: Ending) {
        if ending != Ending::True && self.causes.len() < CAUSES_MAX {
            let cause = self.cause(rule);
            self.causes.extend(cause);
        }
        if let Some(trace) = &mut self.trace {
            let condition = self.machine.traced(trace.detail, &mut trace.endings);
            trace.candidates.push(Candidate {
                rule: rule.kind.name(),
                span: rule.position.span,
                alternative: 0,
                granted: ending == Ending::True,
                condition,
            });
        }
        if let Some(recording) = self.machine.observer.recording() {
            recording.clear();
        }
    }

    fn cause(&mut self, rule: &Rule) -> Option<Cause> {
        let mut text = String::with_capacity(TEXT_BYTES_USUAL);
        text.extend(["`", rule.kind.name(), "` at /"]);
        for (index, key) in self.machine.dialect.way.keys().enumerate() {
            text.push_str(if index > 0 { "/" } else { "" });
            text.push_str(key);
        }
        self.machine.read_recorded(|condition, outcome| {
            // Writing to a `String` cannot fail.
            let _ = match outcome {
                Ok(Val::Bool(value)) => {
                    text.push_str(if *value { " is true" } else { " is false" });
                    Ok(())
                }
                Ok(other) => write!(text, ": the value is a {}, not a boolean", type_name(other)),
                Err(fault) => match &fault.kind {
                    FaultKind::Expressions(max) => write!(text, ": more than {max} expressions to evaluate"),
                    kind => write!(text, ": {kind}"),
                },
            };
            let fault = outcome.as_ref().err();
            let said = Said {
                text,
                rule_line: rule.position.line,
                at: Some(fault.map_or(rule.condition.span, |fault| fault.at)),
                failed: fault.map(|fault| fault.span),
                error: !matches!(outcome, Ok(Val::Bool(_))),
            };
            Cause::of(&self.ruleset.source, condition, said)
        })
    }

    fn no_rule(&mut self, rule: &str, path: &[&str]) {
        if O::OBSERVES {
            self.plain_cause(format!("no `{rule}` rule at or above /{}", path.join("/")));
        }
    }

    fn plain_cause(&mut self, text: String) {
        if self.causes.len() < CAUSES_MAX {
            self.causes.push(Cause::plain(text, false));
        }
    }
}
