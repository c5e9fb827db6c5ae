//! Warnings about rules that mean something else than their author probably wants.
//!
//! Source: rules found in published guides and in questions people ask.

use base::Value;

use super::abstraction::{Abstract, Caller, evaluate};
use super::language::{Condition, Global, Method, RuleKind};
use super::structure::{Node, Rule};
use crate::diagnostic::Diagnostic;
use crate::ir::{Binary, Kind};
use crate::source::Source;

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
    let mut linter = Linter { source, nodes, texts, diagnostics };
    if let Some(root) = nodes.first() {
        linter.node(root, &mut Vec::new());
    }
}

struct Linter<'l, 'd> {
    source: &'l Source,
    nodes: &'l [Node],
    /// Values that are compared with text anywhere, and the text.
    texts: Vec<(&'l Condition, &'l Condition)>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl<'l> Linter<'l, '_> {
    /// `above` are the places on the way, from the root. Recursion is bounded by the nesting of the rules.
    fn node(&mut self, node: &'l Node, above: &mut Vec<&'l Node>) {
        for rule in node.rules() {
            if !self.shadowed(rule, above) {
                self.constant(rule);
            }
            if rule.kind != RuleKind::Validate {
                self.signed_out(rule);
            }
            self.unconverted(rule);
            each(&rule.condition, &mut |expr| self.text_compared_with_true(expr, node));
        }
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
    fn shadowed(&mut self, rule: &Rule, above: &[&'l Node]) -> bool {
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
                        .help("grant less above, and more where it is meant"),
                );
                return true;
            }
            if self.implies(&rule.condition, &granting.condition) {
                let message = format!(
                    "this `{name}` never matters: `{name}` at {place} (line {line}) already grants whenever it would"
                );
                self.warn(
                    Diagnostic::warning("shadowed-grant", rule.position.span, message)
                        .label(granting.position.span, grants)
                        .help("remove the rule above, or move it to where it is meant"),
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
        if let Kind::Or(alternatives) = &above.kind {
            return alternatives.iter().any(|alternative| self.implies(rule, alternative));
        }
        // Whoever gets through below is signed in.
        asks_sign_in(above) && evaluate(rule, Caller::SignedOut).never_grants()
    }

    fn constant(&mut self, rule: &Rule) {
        let literal = matches!(rule.condition.kind, Kind::Constant(_));
        let outcome = evaluate(&rule.condition, Caller::Any);
        let name = rule.kind.name();
        if outcome.is_true() && rule.kind != RuleKind::Validate {
            let message = format!("this `{name}` lets everybody in, signed in or not");
            let span = rule.position.span;
            let told = match rule.kind {
                RuleKind::Read => Diagnostic::note("open-read", span, message),
                _ => Diagnostic::warning("open-access", span, message),
            };
            self.warn(
                told.help("if that is meant, fine; otherwise ask for something, such as `auth != null`"),
            );
        } else if !literal && outcome != Abstract::Unknown {
            let verdict = if outcome.is_true() { "always" } else { "never" };
            let message = format!("this condition is {verdict} true");
            self.warn(
                Diagnostic::warning("constant-condition", rule.condition.span, message)
                    .help(format!("write `{}` if that is meant", outcome.is_true())),
            );
        }
    }

    /// A condition on `auth` that nobody in particular meets best.
    fn signed_out(&mut self, rule: &Rule) {
        let outcome = evaluate(&rule.condition, Caller::SignedOut);
        if outcome.never_grants() || evaluate(&rule.condition, Caller::Any).is_true() {
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

    fn squeezed(&self, span: crate::source::Span) -> String {
        self.source.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `child(x.val())` where the same value is turned into text elsewhere in the rule: it is a number.
    fn unconverted(&mut self, rule: &'l Rule) {
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
            let Some(like) = converted.iter().find(|other| self.same(argument, other, false)) else {
                continue;
            };
            let (line, _) = self.source.line_column(like.span.start);
            let message = format!(
                "child() takes text: on line {line} the same value is turned into text with `+ ''`, here it is not, and a number fails the whole rule"
            );
            self.warn(
                Diagnostic::warning("child-takes-text", argument.span, message)
                    .label(like.span, "turned into text here")
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
fn conjuncts(condition: &Condition) -> Vec<&Condition> {
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
fn demands_text(condition: &Condition) -> bool {
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
