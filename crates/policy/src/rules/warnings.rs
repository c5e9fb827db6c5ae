//! What compiling warns of and production does not: rules that mean something else than their author probably wants.
//!
//! What is here needs no more than the expression at hand. What needs all of the ruleset is not told when compiling but
//! by static checks, which are no part of this crate.

use base::Value;

use super::ast::{self, Kind};
use super::names::{Function, Method, argument_count as count_of, method_signatures, signatures};
use crate::diagnostic::Diagnostic;
use crate::ir::Binary;
use crate::re2::PatternError;
use crate::source::Span;
use crate::syntax::nearest;

/// `exists()` and `get()` of something that can never be a path.
///
/// The seed of this warning is a widespread guide: `exists(request.auth.token.role)` reads like a test for a claim, and
/// denies everybody.
pub fn path_argument(function: Function, arguments: &[ast::Expr]) -> Option<Diagnostic> {
    let [argument] = arguments else { return None };
    if !function.reads() {
        return None;
    }
    let name = function.name();
    let message = match &argument.kind {
        _ if is_claim(argument) => format!("{name}() takes a document path; a claim is never one"),
        Kind::Literal(Value::String(_)) => format!("{name}() takes a document path; text is not one"),
        Kind::Literal(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Not(_)
        | Kind::Is(..)
        | Kind::And(_)
        | Kind::Or(_) => {
            format!("{name}() takes a document path; this is never one")
        }
        _ => return None,
    };
    let diagnostic = Diagnostic::warning("exists-takes-a-path", argument.span, message);
    Some(match claim_key(argument) {
        Some(claim) => {
            diagnostic.help(format!("to test for a claim, write `'{claim}' in request.auth.token`"))
        }
        None => diagnostic
            .help(format!("write a path: `{name}(/databases/$(database)/documents/collection/$(id))`")),
    })
}

/// Whether an expression is `request.auth` or something of it.
fn is_claim(expr: &ast::Expr) -> bool {
    match &expr.kind {
        Kind::Member(object, name) => {
            is_claim(object)
                || (name.text == "auth" && matches!(&object.kind, Kind::Variable(name) if name == "request"))
        }
        Kind::Index(object, _) => is_claim(object),
        _ => false,
    }
}

/// The claim's name, when the expression is `request.auth.token.name`.
fn claim_key(expr: &ast::Expr) -> Option<&str> {
    let (object, key) = match &expr.kind {
        Kind::Member(object, name) => (object, name.text.as_str()),
        Kind::Index(object, index) => match &index.kind {
            Kind::Literal(Value::String(key)) => (object, key.as_str()),
            _ => return None,
        },
        _ => return None,
    };
    match &object.kind {
        Kind::Member(auth, token) if token.text == "token" && is_claim(auth) => Some(key),
        _ => None,
    }
}

/// A condition that is a constant, and not a boolean.
pub fn not_boolean(condition: &ast::Expr) -> Option<Diagnostic> {
    match &condition.kind {
        Kind::Literal(value) if !matches!(value, Value::Bool(_)) => {
            let message = "this condition is not a boolean: it never grants";
            Some(Diagnostic::warning("constant-condition", condition.span, message))
        }
        _ => None,
    }
}

/// `x in null`
pub fn membership(op: Binary, right: &ast::Expr) -> Option<Diagnostic> {
    let received = match (&right.kind, op) {
        (Kind::Literal(Value::Null), Binary::In) => "null",
        (Kind::Literal(Value::Bool(_)), Binary::In) => "bool",
        (Kind::Literal(Value::Integer(_)), Binary::In) => "int",
        (Kind::Literal(Value::Double(_)), Binary::In) => "float",
        (Kind::Literal(Value::String(_)), Binary::In) => "string",
        _ => return None,
    };
    let message = format!("Invalid type. Received one of [{received}]. Expected one of [list, map].");
    Some(Diagnostic::warning("invalid-type", right.span, message))
}

/// A word after `allow` that is no method.
pub fn method(word: &ast::Name) -> Diagnostic {
    let message = format!("Invalid method name: {}.", word.text);
    let words = ["read", "write", "get", "list", "create", "update", "delete"];
    let help = match nearest(&word.text, words.into_iter()) {
        Some(near) if near != word.text => format!("did you mean `{near}`?"),
        _ => "nothing is granted by it".to_owned(),
    };
    Diagnostic::warning("unknown-method-word", word.span, message).help(help)
}

/// A call with another number of arguments than there is.
pub fn argument_count(name: &str, span: Span) -> Diagnostic {
    let message = format!("Incorrect number of arguments supplied to function: {name}.");
    Diagnostic::warning("wrong-argument-count", span, message)
}

/// The number of arguments of a function of the language.
pub fn call(whole: &str, name: &ast::Name, arguments: usize) -> Option<Diagnostic> {
    counts(whole, name, arguments, &signatures(whole).collect::<Vec<_>>())
}

/// The number of arguments of a method, whatever the type.
pub fn method_call(name: &ast::Name, arguments: usize) -> Option<Diagnostic> {
    counts(&name.text, name, arguments, &method_signatures(&name.text).collect::<Vec<_>>())
}

fn counts(whole: &str, name: &ast::Name, arguments: usize, signatures: &[&str]) -> Option<Diagnostic> {
    let fits = signatures.iter().any(|signature| count_of(signature) == arguments);
    (!fits && !signatures.is_empty()).then(|| {
        let help = format!("there is {}: the call fails and denies", signatures.join(", "));
        argument_count(whole, name.span).help(help)
    })
}

/// A pattern that is no regular expression. The official compiler does not look at what `replace` is given.
pub fn pattern(method: Method, span: Span, pattern: &str, error: &PatternError) -> Diagnostic {
    let message = format!("Invalid regular expression pattern. Pattern: {pattern}.");
    let diagnostic = match method {
        Method::Replace => Diagnostic::warning("invalid-regex", span, message),
        _ => Diagnostic::error("invalid-regex", span, message),
    };
    diagnostic.help(error.to_string())
}
