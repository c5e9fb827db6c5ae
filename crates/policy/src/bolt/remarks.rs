//! Finds what Bolt compiles and Firebase refuses, or accepts and can never fulfil.

use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{Exp, File, Kind, Operator, Part, PathStatement};
use super::print;
use super::tree::Json;
use super::types::TYPE_RECURSION;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Remarks about one file.
const REMARKS_MAX: usize = 200;

/// Names that Firebase knows in an expression.
const KNOWN_NAMES: &[&str] = &["auth", "now", "root", "data", "newData", "query"];

/// What `auth` holds that is a text and never `true`.
const AUTH_TEXTS: &[&str] = &[
    "auth.uid",
    "auth.provider",
    "auth.token.sub",
    "auth.token.email",
    "auth.token.name",
    "auth.token.picture",
    "auth.token.phone_number",
    "auth.token.iss",
    "auth.token.aud",
    "auth.token.firebase.sign_in_provider",
];

/// What an expression is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Anything.
    Value,
    /// A boolean: it is what a rule comes to, or an operand of `&&`, `||`, `!` or `? :`.
    Boolean,
}

/// Remarks collected while the rules are made.
pub struct Remarks<'f> {
    file: &'f File,
    diagnostics: Vec<Diagnostic>,
    /// The path of the rule at hand.
    here: String,
    /// Places whose value is used as a text somewhere, as printed, and where.
    texts: HashMap<String, Span>,
    /// Places whose value must be `true` somewhere.
    truths: Vec<(String, Span)>,
    /// The method or type that the rule at hand comes from.
    origin: Span,
}

impl<'f> Remarks<'f> {
    pub fn new(file: &'f File) -> Self {
        Self {
            file,
            diagnostics: Vec::new(),
            here: String::new(),
            texts: HashMap::new(),
            truths: Vec::new(),
            origin: Span::default(),
        }
    }

    /// All remarks, in the order of the text.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        for (place, span) in std::mem::take(&mut self.truths) {
            let Some(used) = self.texts.get(&place).copied() else { continue };
            self.tell(
                Diagnostic::warning(
                    "bolt-text-as-boolean",
                    span,
                    "this is a text, but it is compared with `true`, which is never so",
                )
                .label(used, "used as a text here")
                .help("to ask whether it is there, write `!= null`"),
            );
        }
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span);
        self.diagnostics
    }

    /// Tells about a rule: of what is in a function, also which rule it is.
    fn tell_of_rule(&mut self, diagnostic: Diagnostic) {
        let span = diagnostic.span;
        let mut functions = self.file.functions.values();
        let shared = functions.any(|function| {
            function.whole.start <= span.start && span.end <= function.whole.end && span.start < span.end
        });
        let known = self.origin != Span::default();
        self.tell(if shared && known { diagnostic.label(self.origin, "used by this") } else { diagnostic });
    }

    fn tell(&mut self, diagnostic: Diagnostic) {
        let told = |old: &Diagnostic| old.span == diagnostic.span && old.message == diagnostic.message;
        if self.diagnostics.len() < REMARKS_MAX && !self.diagnostics.iter().any(told) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// A part of a path that is no key.
    pub fn label(&mut self, part: &Part) {
        let message = format!(
            "`{}` cannot be a key: keys contain none of . $ # [ ] / and no control characters",
            part.label.escape_debug()
        );
        let mut error = Diagnostic::error("bolt-path-part", part.span, message);
        if part.label.contains(['\n', '\r']) {
            error = error.help("a path ends at a space, not at the end of a line");
        }
        self.tell(error);
    }

    /// Looks at a rule as it is printed, and says which one it is of what is found in a function.
    pub fn rule(&mut self, exp: &Exp, path: &[Rc<str>], origin: Span) {
        self.origin = origin;
        self.here = path.join("/");
        self.walk(exp, Wanted::Boolean, path);
    }

    fn walk(&mut self, exp: &Exp, wanted: Wanted, path: &[Rc<str>]) {
        if wanted == Wanted::Boolean {
            self.must_be_boolean(exp);
        }
        match &exp.kind {
            Kind::Operation { operator, operands } => {
                if let (Operator::Equal | Operator::NotEqual, [left, right]) = (operator, &**operands) {
                    self.comparison(left, right);
                    self.comparison(right, left);
                }
                for (index, operand) in operands.iter().enumerate() {
                    let inner = match operator {
                        Operator::And | Operator::Or | Operator::Not => Wanted::Boolean,
                        Operator::Conditional if index == 0 => Wanted::Boolean,
                        Operator::Conditional => wanted,
                        _ => Wanted::Value,
                    };
                    self.walk(operand, inner, path);
                }
            }
            Kind::Variable(name) | Kind::Literal(name) => self.name(exp, name, path),
            Kind::Member { base, accessor } => {
                if accessor.as_text().is_some_and(|name| name != "val") {
                    self.used_as_text(base);
                }
                self.walk(base, Wanted::Value, path);
                self.walk(accessor, Wanted::Value, path);
            }
            Kind::Call { function, arguments } => {
                if exp.method_on_member() == Some("child") {
                    for argument in arguments {
                        self.used_as_text(argument);
                    }
                }
                match &function.kind {
                    Kind::Variable(name) if name.starts_with('@') => self.unexpanded(exp, name),
                    // Whose function this is was looked at while expanding.
                    Kind::Variable(_) => {}
                    _ => self.walk(function, Wanted::Value, path),
                }
                for place in arguments.iter().filter(|argument| argument.snapshot) {
                    self.place_as_value(place);
                }
                for argument in arguments {
                    self.walk(argument, Wanted::Value, path);
                }
            }
            Kind::Array(elements) => {
                for element in elements {
                    self.walk(element, Wanted::Value, path);
                }
            }
            _ => {}
        }
    }

    fn comparison(&mut self, left: &Exp, right: &Exp) {
        if right.as_text().is_some() {
            self.used_as_text(left);
        } else if right.is_boolean(true)
            && let Some(place) = place_of(left)
        {
            let place = self.placed(place);
            self.truths.push((place, left.span));
        }
    }

    /// `newData` is another place at another path.
    fn placed(&self, place: String) -> String {
        if place.starts_with("root") { place } else { format!("{} {place}", self.here) }
    }

    /// Remembers that the value of a place is a text.
    fn used_as_text(&mut self, exp: &Exp) {
        if let Some(place) = place_of(exp) {
            let place = self.placed(place);
            self.texts.entry(place).or_insert(exp.span);
        }
    }

    /// The compiler's own name for a place, left in the rules.
    fn unexpanded(&mut self, exp: &Exp, name: &str) {
        let message = format!(
            "Bolt leaves `{name}()` here, which Firebase does not know: it expands what a method is called on twice"
        );
        self.tell_of_rule(Diagnostic::error("bolt-unexpanded", exp.span, message).help(
            "do not call a method of texts (`length`, `test` and so on) on a place that is found with `root` \
             inside of `prior()`; compare it with `==`, or write the rule in JSON",
        ));
    }

    /// An argument that Bolt should have read the value of.
    fn place_as_value(&mut self, exp: &Exp) {
        let message =
            "this stands for a place in the database, but its value is needed here; Firebase refuses that";
        self.tell_of_rule(
            Diagnostic::error("bolt-place-as-value", exp.span, message)
                .help("add `.val()`: Bolt does not when the place begins with `root` or `prior()`"),
        );
    }

    fn must_be_boolean(&mut self, exp: &Exp) {
        let shown = || print::expression(exp).unwrap_or_default();
        match &exp.kind {
            Kind::Variable(name) if &**name == "auth" => {
                self.not_boolean(
                    exp,
                    "`auth` is an object or null, not a boolean".to_owned(),
                    Some("!= null"),
                );
            }
            Kind::Member { .. } if begins_with_auth(exp) => {
                let shown = shown();
                if AUTH_TEXTS.contains(&&*shown) {
                    let message = format!("`{shown}` is a text or null, not a boolean");
                    self.not_boolean(exp, message, Some("!= null"));
                } else {
                    self.maybe_boolean(exp, &shown);
                }
            }
            // Elsewhere Bolt compares with `true` by itself.
            Kind::Call { .. } if exp.method_on_member() == Some("val") => {
                self.maybe_boolean(exp, "the value here");
            }
            Kind::Number(_) | Kind::Text(_) | Kind::Null | Kind::Array(_) | Kind::Regexp { .. } => {
                self.not_boolean(exp, format!("`{}` is not a boolean", shown()), None);
            }
            Kind::Operation {
                operator:
                    Operator::Add
                    | Operator::Subtract
                    | Operator::Multiply
                    | Operator::Divide
                    | Operator::Remainder
                    | Operator::Negate,
                ..
            } => self.not_boolean(exp, "the result of arithmetic is not a boolean".to_owned(), None),
            _ => {}
        }
    }

    fn not_boolean(&mut self, exp: &Exp, message: String, question: Option<&str>) {
        let mut error = Diagnostic::error("bolt-not-boolean", exp.span, message);
        if let Some(question) = question {
            let shown = print::expression(exp).unwrap_or_default();
            error = error.help(format!("to ask whether it is there, write `{shown} {question}`"));
        }
        self.tell_of_rule(error);
    }

    /// What has no type until the rule runs: Firebase takes it, and the rule fails unless it is a boolean then.
    fn maybe_boolean(&mut self, exp: &Exp, shown: &str) {
        let quoted = if shown.starts_with("auth") { format!("`{shown}`") } else { "this".to_owned() };
        let message = format!("{quoted} may be anything; the rule fails unless it is a boolean");
        self.tell_of_rule(
            Diagnostic::warning("bolt-maybe-boolean", exp.span, message).help("write `== true` after it"),
        );
    }

    fn name(&mut self, exp: &Exp, name: &str, path: &[Rc<str>]) {
        if name == TYPE_RECURSION {
            let message = "this type contains itself; rules cannot describe values of any depth";
            self.tell_of_rule(Diagnostic::error("bolt-type-recursion", exp.span, message));
            return;
        }
        if KNOWN_NAMES.contains(&name) || path.iter().any(|label| label.starts_with('$') && &**label == name)
        {
            return;
        }
        let mut error =
            Diagnostic::error("bolt-unknown-name", exp.span, format!("unknown variable `{name}`"));
        let captured = path.iter().any(|label| label.strip_prefix('$') == Some(name));
        let property = || self.file.schemas.values().any(|schema| schema.properties.contains_key(name));
        if name == "this" {
            error = error.help("a function knows `this` only as an argument: give it one");
        } else if captured {
            error = error.help(format!(
                "only methods of the path itself see its captures: give `{name}` to the function as an argument"
            ));
        } else if property() {
            error = error.help(format!("write `this.{name}`"));
        }
        self.tell_of_rule(error);
    }

    /// Looks at the whole result.
    pub fn tree(&mut self, json: &Json) {
        for (_, rules) in json.entries() {
            self.siblings(rules, &mut Vec::new());
        }
    }

    fn siblings(&mut self, json: &Json, path: &mut Vec<Rc<str>>) {
        let captures: Vec<Sibling<'_>> = json
            .entries()
            .filter(|(key, _)| key.starts_with('$'))
            .map(|(key, below)| Sibling { key, origin: below.origin })
            .collect();
        if let [first, second, ..] = &*captures {
            let error = self.sibling_error(first, second, path);
            self.tell(error);
        }
        for (key, below) in json.entries() {
            path.push(key.clone());
            self.siblings(below, path);
            path.pop();
        }
    }

    fn sibling_error(&self, first: &Sibling<'_>, second: &Sibling<'_>, path: &[Rc<str>]) -> Diagnostic {
        let (one, two) = (self.path_at(first.origin), self.path_at(second.origin));
        let describe = |sibling: &Sibling<'_>, statement: Option<&PathStatement>| match statement {
            Some(statement) => format!("`{}` in `{}`", sibling.key, written(statement)),
            None => format!("`{}` of the type", sibling.key),
        };
        let message = format!(
            "{} and {} both stand for any child of `/{}`; Firebase refuses that: \
             Cannot have multiple default rules ('{}' and '{}').",
            describe(first, one),
            describe(second, two),
            path.join("/"),
            first.key,
            second.key,
        );
        let help = match (one, two) {
            (Some(_), Some(_)) => {
                let name = first.key.trim_start_matches('$');
                format!("give the capture the same name in both paths, such as `{{{name}}}`")
            }
            (None, None) => "a type has either named properties or one `$` property".to_owned(),
            _ => "a place has either named and other properties of a type, or a capture: describe it once"
                .to_owned(),
        };
        Diagnostic::error("bolt-sibling-captures", second.origin, message)
            .label(first.origin, format!("`{}` comes from here", first.key))
            .help(help)
    }

    fn path_at(&self, origin: Span) -> Option<&PathStatement> {
        self.file.paths.iter().find(|statement| statement.span == origin)
    }
}

/// A key that stands for any child, and what brought it.
struct Sibling<'j> {
    key: &'j str,
    origin: Span,
}

/// The `path` statement as text without its body, for a message.
fn written(statement: &PathStatement) -> String {
    let parts: Vec<String> = statement
        .parts
        .iter()
        .map(|part| match &part.variable {
            Some(variable) => format!("{{{variable}}}"),
            None => part.label.to_string(),
        })
        .collect();
    format!("path /{}", parts.join("/"))
}

/// Whether it is a member of `auth`, at any depth.
fn begins_with_auth(exp: &Exp) -> bool {
    match &exp.kind {
        Kind::Variable(name) => &**name == "auth",
        Kind::Member { base, .. } => begins_with_auth(base),
        _ => false,
    }
}

/// The place whose value this is, as printed.
fn place_of(exp: &Exp) -> Option<String> {
    match &exp.kind {
        Kind::Call { function, arguments } if arguments.is_empty() => match &function.kind {
            Kind::Member { base, .. } if function.member_name() == Some("val") => {
                print::expression(base).ok()
            }
            _ => None,
        },
        _ => None,
    }
}
