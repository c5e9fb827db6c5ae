//! Operations: validated against the generated API and compiled once.
//!
//! [`Api::new`] makes the API of a schema; [`Api::compile`] reads the operation files of one connector. An operation
//! has everything that is decided about it (its level or expression, its checks) and everything that is run.
//!
//! Source: the reference, §8 and §10.

mod compile;
mod expression;
mod native;
mod response;
mod selection;
mod template;
mod validate;
mod variables;

use indexmap::IndexMap;
use policy::cel::Guard;

use crate::diagnostic::{Diagnostic, Place, Text};
use crate::schema::Schema;

pub use expression::{Expression, ExpressionFault, Scope, stored};
pub use native::{Native, NativeFault, Use};
pub use response::Evaluation;
pub use template::{Template, TemplateFault};
pub use validate::Api;
pub use variables::VariableFault;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Query,
    /// It writes.
    Mutation,
}

impl Kind {
    /// The word in a document.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Query => "query",
            Kind::Mutation => "mutation",
        }
    }
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, as GraphQL writes it.
    pub ty: String,
    /// The name of the type without lists.
    pub named: String,
    /// `Some` for lists: whether the items are non-null.
    pub list: Option<bool>,
    /// Whether it is non-null.
    pub required: bool,
    /// Its default.
    pub default: Option<serde_json::Value>,
    /// The fields that `@allow` names, and how many rows.
    pub allowed: Option<Allowed>,
    /// Where.
    pub place: Place,
}

/// What `@allow` admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Fields, with those of nested rows.
    pub fields: IndexMap<String, Allowed>,
    /// Rows of one list.
    pub max: u32,
}

/// A condition on a value of the response.
#[derive(Debug)]
pub struct Check {
    /// The expression.
    pub guard: Guard,
    /// What the client reads when it fails.
    pub message: String,
    /// Whether it may be reached zero times.
    pub optional: bool,
    /// Whether it is about each object and not about the field's value: a fragment's check.
    pub each: bool,
    /// Where.
    pub place: Place,
}

/// A field that is asked for.
#[derive(Debug)]
pub struct Selected {
    /// Its key in the response.
    pub key: String,
    /// Its name.
    pub name: String,
    /// The type without lists: a table, a scalar.
    pub named: String,
    /// Whether it is a list.
    pub list: bool,
    /// What it is given.
    pub arguments: IndexMap<String, Template>,
    /// When it is there: variables or constants of `@include` and, negated, `@skip`.
    pub conditions: Vec<(Template, bool)>,
    /// Checks, outer ones first.
    pub checks: Vec<Check>,
    /// Whether the client does not see it.
    pub redacted: bool,
    /// What is asked of it.
    pub selection: Vec<Selected>,
    /// Where.
    pub place: Place,
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// Who may call it.
    pub guard: Guard,
    /// Whether all of it happens or nothing.
    pub transaction: bool,
    /// Conditions on the whole response.
    pub checks: Vec<Check>,
    /// Its fields, in order.
    pub selection: Vec<Selected>,
    /// Its `_expr` texts, compiled; templates have their positions.
    pub expressions: Vec<Expression>,
    /// Whether new SDKs leave it out.
    pub retired: bool,
    /// Where.
    pub place: Place,
}

/// A connector's operations by name.
pub type Operations = IndexMap<String, Operation>;

impl Api {
    /// Compiles the operation files of one connector. Operations that have errors are left out.
    pub fn compile(&self, texts: &[Text]) -> (Operations, Vec<Diagnostic>) {
        let (document, mut diagnostics) = self.validate(texts, true);
        let mut operations = Operations::new();
        if let Some(document) = document {
            for (name, operation) in &document.operations.named {
                let mut compiler = compile::Compiler::new(self, &document, &mut diagnostics);
                if let Some(compiled) = compiler.operation(name, operation) {
                    operations.insert(name.to_string(), compiled);
                }
            }
        }
        diagnostics.sort_by(|a, b| (a.severity, &a.place).cmp(&(b.severity, &b.place)));
        (operations, diagnostics)
    }

    /// Compiles the operation of a text that an administrator sends; `name` chooses among several. `Err`: what is wrong with it.
    pub fn compile_one(&self, text: &Text, name: Option<&str>) -> Result<Operation, Vec<Diagnostic>> {
        let (document, mut diagnostics) = self.validate(std::slice::from_ref(text), false);
        let Some(document) = document else { return Err(diagnostics) };
        let operations = &document.operations;
        let said = |message: String| Err(vec![Diagnostic::error(Place::file(&text.name), message)]);
        let (name, parsed) = match (name, operations.named.len(), &operations.anonymous) {
            (Some(name), ..) => match operations.named.get(name) {
                Some(parsed) => (name, parsed),
                None => return said(format!("the text has no operation `{name}`")),
            },
            (None, 0, Some(parsed)) => ("", parsed),
            (None, 1, None) => match operations.named.first() {
                Some((name, parsed)) => (name.as_str(), parsed),
                None => return said("the text has no operation".to_owned()),
            },
            (None, 0, None) => return said("the text has no operation".to_owned()),
            (None, ..) => {
                return said("operationName is required: the text has several operations".to_owned());
            }
        };
        let mut compiler = compile::Compiler::new(self, &document, &mut diagnostics);
        let compiled = compiler.operation(name, parsed);
        compiled.ok_or(diagnostics)
    }

    /// The schema.
    pub fn tables(&self) -> &Schema {
        &self.schema
    }
}
