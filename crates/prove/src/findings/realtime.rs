//! Warnings about rules that mean something else than their author probably wants.
//!
//! Source: rules found in published guides and in questions people ask.

use std::collections::HashMap;

use base::Value;

use super::shape;
use crate::readers::realtime::abstraction::{Abstract, Caller, evaluate};
use crate::readers::realtime::reader as meaning;
use policy::rtdb::lowered::{Condition, Global, Method, Node, Rule, RuleKind};
use crate::findings::never_holds::Parts;
use crate::logic::solver::{Errors, Facts, Formula, Kind as Logic, Solver, Test};
use crate::logic::types::Types;
use policy::diagnostic::Diagnostic;
use policy::ir::{Binary, Kind};
use policy::source::Source;

/// Comparisons with text that are remembered to find comparisons of the same value with a boolean.
const TEXTS_COMPARED_MAX: usize = 1000;

/// Looks at all rules.
pub fn lint(source: &Source, nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) {
    let mut texts = Vec::new();
    for rule in nodes.iter().flat_map(Node::rules) {
        each(&rule.condition, &mut |expr| {
            let Kind::Binary(Binary::Equal | Binary::NotEqual, left, right) = &expr.kind else { return };
            for (value, text) in [(left, right), (right, left)] {
                if is_val(value) && matches!(text.kind, Kind::Constant(Value::String(_))) {
                    texts.push((&**value, &**text));
                }
            }
        });
    }
    texts.truncate(TEXTS_COMPARED_MAX);
    let mut reader = meaning::Reader::new(source);
    let mut formulas = HashMap::new();
    let mut written = HashMap::new();
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
    let places = reader.told.iter().map(|told| told.span).collect();
    diagnostics.append(&mut reader.told);
    let solver = Solver { terms: &reader.terms, errors: Errors::Fatal };
    let know = |term, types| solver.with(&Facts::default(), term, &Test::Is(types), true).unwrap_or_default();
    let (signed_in, signed_out) = (know(auth, Types::MAP), know(auth, Types::NULL));
    // What is deleted is not validated.
    let written =
        written.into_iter().map(|(span, value)| (span, know(value, Types::ANY.but(Types::NULL)))).collect();
    let parts = Parts::new(&solver, source, places);
    let logic = Logics { solver: &solver, formulas, written, signed_in, signed_out };
    let mut linter = Linter { source, nodes, texts, logic: &logic, parts, diagnostics };
    if let Some(root) = nodes.first() {
        linter.node(root, &mut Vec::new());
    }
    let told = linter.parts.told();
    diagnostics.extend(told);
}

/// The conditions as logic.
struct Logics<'s> {
    solver: &'s Solver<'s>,
    /// By path and kind of rule.
    formulas: HashMap<&'s str, HashMap<&'static str, Formula>>,
    /// What is so where the `.validate` of a path is evaluated.
    written: HashMap<&'s str, Facts>,
    signed_in: Facts,
    signed_out: Facts,
}

impl Logics<'_> {
    fn of(&self, node: &Node, rule: &Rule) -> Option<&Formula> {
        self.formulas.get(node.path.as_str())?.get(rule.kind.name())
    }
}

struct Linter<'l, 'd> {
    source: &'l Source,
    nodes: &'l [Node],
    /// Values that are compared with text anywhere, and the text.
    texts: Vec<(&'l Condition, &'l Condition)>,
    logic: &'l Logics<'l>,
    parts: Parts<'l>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl<'l> Linter<'l, '_> {
    /// `above` are the places on the way, from the root. Recursion is bounded by the nesting of the rules.
    fn node(&mut self, node: &'l Node, above: &mut Vec<&'l Node>) {
        for rule in node.rules() {
            if !self.shadowed(rule, node, above) {
                self.constant(rule, node);
                self.logical(rule, node);
            }
            if rule.kind != RuleKind::Validate {
                self.signed_out(rule, node);
            }
            self.unconverted(rule, node);
            each(&rule.condition, &mut |expr| self.text_compared_with_true(expr, node));
        }
        self.diagnostics.extend(shape::findings(self.source, self.nodes, node));
        above.push(node);
        for child in node.all_children() {
            if let Some(child) = self.nodes.get(child) {
                self.node(child, above);
            }
        }
        above.pop();
    }

    fn warn(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// A rule that only grants what a rule above it grants anyway.
    fn shadowed(&mut self, rule: &Rule, here: &Node, above: &[&'l Node]) -> bool {
        let name = rule.kind.name();
        let of = |node: &'l Node| match rule.kind {
            RuleKind::Read => node.read.as_ref(),
            RuleKind::Write => node.write.as_ref(),
            RuleKind::Validate => None,
        };
        let is_false = |rule: &Rule| matches!(rule.condition.kind, Kind::Constant(Value::Bool(false)));
        for (node, granting) in above.iter().filter_map(|node| Some((node, of(node)?))) {
            if is_false(granting) {
                continue;
            }
            let line = granting.position.line;
            let place = if node.path.is_empty() { "/" } else { &node.path };
            let grants = "this one grants first";
            if is_false(rule) {
                let message = format!(
                    "`{name}: false` takes nothing away: what `{name}` at {place} (line {line}) grants stays granted"
                );
                self.warn(
                    Diagnostic::warning("cannot-revoke", rule.position.span, message)
                        .label(granting.position.span, grants)
                        .help(format!(
                            "a deeper rule cannot take back what `{name}` on line {line} grants: grant less there, and the rest where it is meant"
                        )),
                );
                return true;
            }
            if self.implies(&rule.condition, &granting.condition)
                || self.follows((here, rule), (node, granting))
            {
                let message = format!(
                    "this `{name}` never matters: `{name}` at {place} (line {line}) already grants whenever it would"
                );
                self.warn(
                    Diagnostic::warning("shadowed-grant", rule.position.span, message)
                        .label(granting.position.span, grants)
                        .help(format!(
                            "a deeper rule cannot take back what `{name}` on line {line} grants: make that one as strict as it is meant, or remove this one"
                        )),
                );
                return true;
            }
        }
        false
    }

    /// Whether the second condition, at a place above, is true whenever the first one is.
    fn implies(&self, rule: &Condition, above: &Condition) -> bool {
        if evaluate(above, Caller::Any).is_true() {
            return true;
        }
        let parts = conjuncts(rule);
        let has = |wanted: &Condition| parts.iter().any(|part| self.same(part, wanted, true));
        if conjuncts(above).into_iter().all(has) {
            return true;
        }
        // Whoever gets through below is signed in.
        asks_sign_in(above) && evaluate(rule, Caller::SignedOut).never_grants()
    }

    /// The same, by logic: whenever the first rule is true the second is.
    fn follows(&self, below: (&Node, &Rule), above: (&Node, &Rule)) -> bool {
        let of = |(node, rule)| self.logic.of(node, rule);
        let (Some(below), Some(above)) = (of(below), of(above)) else { return false };
        let (solver, nothing) = (self.logic.solver, Facts::default());
        !solver.refutes(&[below], &nothing) && solver.implies(&[below], above, &nothing)
    }

    /// What a condition can never be, and whom it lets in.
    fn logical(&mut self, rule: &Rule, node: &Node) {
        let logic = self.logic;
        let Some(formula) = logic.of(node, rule) else { return };
        if evaluate(&rule.condition, Caller::Any) != Abstract::Unknown || self.always(rule, node) {
            return;
        }
        let solver = logic.solver;
        let written = logic.written.get(node.path.as_str()).filter(|_| rule.kind == RuleKind::Validate);
        let facts = written.cloned().unwrap_or_default();
        if solver.refutes(&[formula], &facts) {
            self.parts.given(facts);
            self.diagnostics.extend(self.parts.contradiction(&[], formula));
            return;
        }
        // `!newData.exists() ||` says no more than the service does, and does no harm.
        self.parts.given(Facts::default());
        self.parts.look(formula);
        if rule.kind == RuleKind::Validate {
            return;
        }
        let name = rule.kind.name();
        let span = rule.condition.span;
        let without = !solver.refutes(&[formula], &logic.signed_out);
        if solver.refutes(&[formula], &logic.signed_in) {
            if without {
                let message = format!("this `{name}` lets in only those who are not signed in");
                self.warn(
                    Diagnostic::warning("only-when-signed-out", span, message)
                        .help("to let in those who are, write `auth != null`"),
                );
            }
            return;
        }
        let asks = formula.any(&|part| match &part.kind {
            Logic::Test(term, test) => {
                let caller = |term| solver.terms.about(term).caller;
                caller(*term) || matches!(test, Test::Same(other) if caller(*other))
            }
            _ => false,
        });
        if rule.kind == RuleKind::Write && without && !asks {
            let message =
                format!("this `{name}` asks nothing about the caller: who is not signed in can meet it too");
            self.warn(
                Diagnostic::note("no-sign-in-check", span, message)
                    .help("if that is meant, fine; otherwise begin with `auth != null &&`"),
            );
        }
    }

    /// Whether a condition is true whatever is asked.
    fn always(&self, rule: &Rule, node: &Node) -> bool {
        let proven =
            |formula| self.logic.solver.truth(formula, &Facts::default()) == crate::logic::solver::Truth::True;
        evaluate(&rule.condition, Caller::Any).is_true() || self.logic.of(node, rule).is_some_and(proven)
    }

    fn constant(&mut self, rule: &Rule, node: &Node) {
        let literal = matches!(rule.condition.kind, Kind::Constant(_));
        let always = self.always(rule, node);
        let name = rule.kind.name();
        if always && rule.kind != RuleKind::Validate {
            let message = format!("this `{name}` lets everybody in, signed in or not");
            let span = rule.position.span;
            let told = match rule.kind {
                RuleKind::Read => Diagnostic::note("open-read", span, message),
                _ => Diagnostic::warning("open-access", span, message),
            };
            self.warn(
                told.help("if that is meant, fine; otherwise ask for something, such as `auth != null`"),
            );
            return;
        }
        let never = !always && evaluate(&rule.condition, Caller::Any) != Abstract::Unknown;
        if literal || !always && !never || self.parts.told_within(rule.condition.span) {
            return;
        }
        let off = |formula: &Formula| self.parts.switched_off(formula);
        if never && self.logic.of(node, rule).is_some_and(off) {
            return;
        }
        let verdict = if always { "always" } else { "never" };
        let message = format!("this condition is {verdict} true");
        self.warn(
            Diagnostic::warning("constant-condition", rule.condition.span, message)
                .help(format!("write `{always}` if that is meant")),
        );
    }

    /// A condition on `auth` that nobody in particular meets best.
    fn signed_out(&mut self, rule: &Rule, node: &Node) {
        let outcome = evaluate(&rule.condition, Caller::SignedOut);
        let refused = |formula| self.logic.solver.refutes(&[formula], &self.logic.signed_out);
        let never = outcome.never_grants() || self.logic.of(node, rule).is_some_and(refused);
        if never || self.always(rule, node) {
            return;
        }
        let (mut asked, mut suspect) = (false, None);
        each(&rule.condition, &mut |expr| {
            let Kind::Binary(op @ (Binary::Equal | Binary::NotEqual), left, right) = &expr.kind else {
                return;
            };
            let other = match (of_auth(left), of_auth(right)) {
                (true, false) => right,
                (false, true) => left,
                _ => return,
            };
            if matches!(other.kind, Kind::Constant(Value::Null)) {
                asked |= *op == Binary::Equal;
            } else if evaluate(expr, Caller::SignedOut).is_true() {
                suspect.get_or_insert(expr.span);
            }
        });
        if asked {
            return;
        }
        let span = match suspect {
            Some(span) => span,
            None if outcome.is_true() => rule.condition.span,
            None => return,
        };
        let message = "this is true when nobody is signed in: then `auth` and all of it is null";
        self.warn(
            Diagnostic::warning("true-when-signed-out", span, message)
                .help(format!("write `auth != null && {}`", self.squeezed(span))),
        );
    }

    fn squeezed(&self, span: policy::source::Span) -> String {
        self.source.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `child(x.val())` of a number: where the same value is turned into text elsewhere in the rule, or where
    /// `.validate` wants a number there.
    fn unconverted(&mut self, rule: &'l Rule, node: &'l Node) {
        let mut converted: Vec<&Condition> = Vec::new();
        let mut plain: Vec<&Condition> = Vec::new();
        each(&rule.condition, &mut |expr| match &expr.kind {
            Kind::Binary(Binary::Add, left, right) => {
                if matches!(&right.kind, Kind::Constant(Value::String(text)) if text.is_empty()) {
                    converted.push(left);
                }
            }
            Kind::Method(_, Method::Child | Method::HasChild, arguments, _) => {
                plain.extend(arguments.iter().filter(|argument| is_val(argument)));
            }
            _ => {}
        });
        for argument in plain {
            let like = converted.iter().find(|other| self.same(argument, other, false));
            let (message, span, label) = if let Some(like) = like {
                let (line, _) = self.source.line_column(like.span.start);
                let message = format!(
                    "child() takes text: on line {line} the same value is turned into text with `+ ''`, here it is not, and a number fails the whole rule"
                );
                (message, like.span, "turned into text here")
            } else if let Kind::Method(snapshot, ..) = &argument.kind
                && let Some(validate) = self.place(snapshot, node).and_then(|node| node.validate.as_ref())
                && demands_number(&validate.condition)
            {
                let line = validate.position.line;
                let message = format!(
                    "child() takes text: `.validate` on line {line} wants a number there, which fails the whole rule"
                );
                (message, validate.position.span, "a number is wanted here")
            } else {
                continue;
            };
            self.warn(
                Diagnostic::warning("child-takes-text", argument.span, message)
                    .label(span, label)
                    .help("add `+ ''` after `val()`"),
            );
        }
    }

    /// `role == true`
    fn text_compared_with_true(&mut self, expr: &Condition, node: &Node) {
        let Kind::Binary(Binary::Equal | Binary::NotEqual, left, right) = &expr.kind else { return };
        let is_true = |side: &Condition| matches!(side.kind, Kind::Constant(Value::Bool(_)));
        let value = match (is_true(left), is_true(right)) {
            (false, true) => left,
            (true, false) => right,
            _ => return,
        };
        let Some(reason) = self.is_text(value, node) else { return };
        let value = self.squeezed(value.span);
        let message = format!("this compares text with a boolean, which is never equal: {reason}");
        self.warn(
            Diagnostic::warning("text-compared-with-boolean", expr.span, message)
                .help(format!("compare it with the text that is meant: `{value} == 'admin'`")),
        );
    }

    /// Why a value is text, as far as the rules tell.
    fn is_text(&self, value: &Condition, node: &Node) -> Option<String> {
        let is_role = |name: &str| name.eq_ignore_ascii_case("role");
        match &value.kind {
            Kind::Member(_, name) if is_role(name) && of_auth(value) => {
                return Some("a role is usually a name".to_owned());
            }
            Kind::Method(_, Method::Val, ..) => {}
            _ => return None,
        }
        if let Some((_, text)) = self.texts.iter().find(|(known, _)| self.same(known, value, true)) {
            let (line, _) = self.source.line_column(text.span.start);
            return Some(format!(
                "on line {line} the same value is compared with {}",
                self.squeezed(text.span)
            ));
        }
        let Kind::Method(snapshot, ..) = &value.kind else { return None };
        if let Some(validate) = self.place(snapshot, node).and_then(|node| node.validate.as_ref())
            && demands_text(&validate.condition)
        {
            let line = validate.position.line;
            return Some(format!("`.validate` on line {line} wants text there"));
        }
        match &snapshot.kind {
            Kind::Method(_, Method::Child, arguments, _) => match arguments.first().map(|key| &key.kind) {
                Some(Kind::Constant(Value::String(key)))
                    if is_role(key.rsplit('/').next().unwrap_or(key)) =>
                {
                    Some("a role is usually a name".to_owned())
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The place in the tree of rules that a snapshot is of.
    fn place<'n>(&'n self, snapshot: &Condition, here: &'n Node) -> Option<&'n Node> {
        match &snapshot.kind {
            Kind::Global(Global::Root) => self.nodes.first(),
            Kind::Global(Global::Data | Global::NewData) => Some(here),
            Kind::Method(of, Method::Child, arguments, _) => {
                let mut node = self.place(of, here)?;
                match arguments.first().map(|key| &key.kind) {
                    Some(Kind::Constant(Value::String(path))) => {
                        for key in path.split('/').filter(|key| !key.is_empty()) {
                            node = self.nodes.get(node.child(key)?)?;
                        }
                        Some(node)
                    }
                    _ => self.nodes.get(node.capture?),
                }
            }
            _ => None,
        }
    }

    /// Whether two conditions are the same. Between places `data` and `newData` are different things.
    fn same(&self, a: &Condition, b: &Condition, between_places: bool) -> bool {
        let same = |a: &Condition, b: &Condition| self.same(a, b, between_places);
        let all =
            |a: &[Condition], b: &[Condition]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
        match (&a.kind, &b.kind) {
            (Kind::Constant(a), Kind::Constant(b)) => a == b,
            (Kind::Global(a), Kind::Global(b)) => {
                a == b && !(between_places && matches!(a, Global::Data | Global::NewData))
            }
            (Kind::Capture(a), Kind::Capture(b)) => a == b,
            (Kind::Member(a, name), Kind::Member(b, other)) => name == other && same(a, b),
            (Kind::Index(a, index), Kind::Index(b, other)) => same(a, b) && same(index, other),
            (Kind::Not(a), Kind::Not(b)) | (Kind::Negate(a), Kind::Negate(b)) => same(a, b),
            (Kind::Binary(op, a, c), Kind::Binary(other, b, d)) => op == other && same(a, b) && same(c, d),
            (Kind::And(a), Kind::And(b)) | (Kind::Or(a), Kind::Or(b)) => all(a, b),
            (Kind::Condition(a, c, e), Kind::Condition(b, d, f)) => same(a, b) && same(c, d) && same(e, f),
            (Kind::Method(x, method, c, regex), Kind::Method(y, other, d, _)) => {
                method == other
                    && same(x, y)
                    && all(c, d)
                    && (regex.is_none() || self.source.slice(a.span) == self.source.slice(b.span))
            }
            _ => false,
        }
    }
}

/// The parts that must all be true.
pub fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match &condition.kind {
        Kind::And(operands) => operands.iter().collect(),
        _ => vec![condition],
    }
}

/// `auth != null`, also `auth.uid != null`.
fn asks_sign_in(condition: &Condition) -> bool {
    let Kind::Binary(Binary::NotEqual, left, right) = &condition.kind else { return false };
    let null = |side: &Condition| matches!(side.kind, Kind::Constant(Value::Null));
    let auth = |side: &Condition| match &side.kind {
        Kind::Global(Global::Auth) => true,
        Kind::Member(object, name) => **name == *"uid" && matches!(object.kind, Kind::Global(Global::Auth)),
        _ => false,
    };
    auth(left) && null(right) || null(left) && auth(right)
}

/// Whether an expression is `auth` or something of it.
fn of_auth(expr: &Condition) -> bool {
    match &expr.kind {
        Kind::Global(Global::Auth) => true,
        Kind::Member(object, _) | Kind::Index(object, _) => of_auth(object),
        _ => false,
    }
}

fn is_val(expr: &Condition) -> bool {
    matches!(expr.kind, Kind::Method(_, Method::Val, ..))
}

/// Whether a `.validate` lets only text through.
pub fn demands_text(condition: &Condition) -> bool {
    let new = |expr: &Condition| matches!(expr.kind, Kind::Global(Global::NewData));
    let new_value = |expr: &Condition| matches!(&expr.kind, Kind::Method(of, Method::Val, ..) if new(of));
    let text = |expr: &Condition| matches!(expr.kind, Kind::Constant(Value::String(_)));
    match &condition.kind {
        Kind::And(parts) => parts.iter().any(demands_text),
        Kind::Or(parts) => parts.iter().all(demands_text),
        Kind::Method(of, Method::IsString, ..) => new(of),
        Kind::Method(of, Method::Matches, ..) => new_value(of),
        Kind::Binary(Binary::Equal, left, right) => {
            new_value(left) && text(right) || text(left) && new_value(right)
        }
        _ => false,
    }
}

/// Whether a `.validate` lets only numbers through.
pub fn demands_number(condition: &Condition) -> bool {
    let new = |expr: &Condition| matches!(expr.kind, Kind::Global(Global::NewData));
    match &condition.kind {
        Kind::And(parts) => parts.iter().any(demands_number),
        Kind::Or(parts) => parts.iter().all(demands_number),
        Kind::Method(of, Method::IsNumber, ..) => new(of),
        _ => false,
    }
}

/// Shows an expression and all within it.
fn each<'e>(expr: &'e Condition, visit: &mut dyn FnMut(&'e Condition)) {
    visit(expr);
    match &expr.kind {
        Kind::Member(one, _) | Kind::Not(one) | Kind::Negate(one) => each(one, visit),
        Kind::Index(one, two) | Kind::Binary(_, one, two) => {
            each(one, visit);
            each(two, visit);
        }
        Kind::And(all) | Kind::Or(all) => all.iter().for_each(|one| each(one, visit)),
        Kind::Condition(one, two, three) => {
            each(one, visit);
            each(two, visit);
            each(three, visit);
        }
        Kind::Method(receiver, _, arguments, _) => {
            each(receiver, visit);
            arguments.iter().for_each(|one| each(one, visit));
        }
        _ => {}
    }
}
