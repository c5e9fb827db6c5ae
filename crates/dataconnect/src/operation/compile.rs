//! From a valid document to an operation.

use std::sync::Arc;

use apollo_compiler::ast::{Directive, DirectiveList, OperationType, Type as GraphqlType, Value};
use apollo_compiler::executable::{Operation as Parsed, VariableDefinition};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node};
use indexmap::IndexMap;
use policy::cel::{self, Environment, Guard, Level, Place as CelPlace, Type};
use policy::{Policy as _, Source};

use super::{Allowed, Api, Check, Expression, Kind, Operation, Selected, Template, Variable};
use crate::diagnostic::{Diagnostic, Place};

/// Fields of one operation, which bound what one request costs.
pub(super) const FIELDS_MAX: usize = 2_000;
/// Rows of one list, unless `@allow` says otherwise.
const ALLOWED_MAX: u32 = 100;

/// Compiles one operation.
pub(super) struct Compiler<'c> {
    pub(super) api: &'c Api,
    pub(super) document: &'c Valid<ExecutableDocument>,
    diagnostics: &'c mut Vec<Diagnostic>,
    variables: Vec<(String, Type)>,
    pub(super) expressions: Vec<Expression>,
    pub(super) fields: usize,
    /// Whether it was said that this is too much.
    pub(super) bounded: bool,
    failed: bool,
}

impl<'c> Compiler<'c> {
    pub(super) fn new(
        api: &'c Api,
        document: &'c Valid<ExecutableDocument>,
        diagnostics: &'c mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            api,
            document,
            diagnostics,
            variables: Vec::new(),
            expressions: Vec::new(),
            fields: 0,
            bounded: false,
            failed: false,
        }
    }

    pub(super) fn place(&self, span: Option<SourceSpan>) -> Place {
        Place::of(span, &self.document.sources)
    }

    pub(super) fn error(&mut self, span: Option<SourceSpan>, message: impl Into<String>, help: &str) {
        self.failed = true;
        let said = Diagnostic::error(self.place(span), message);
        self.diagnostics.push(if help.is_empty() { said } else { said.help(help) });
    }

    fn warning(&mut self, span: Option<SourceSpan>, message: impl Into<String>, help: &str) {
        self.diagnostics.push(Diagnostic::warning(self.place(span), message).help(help));
    }

    pub(super) fn operation(&mut self, name: &str, parsed: &Node<Parsed>) -> Option<Operation> {
        let at = parsed.name.as_ref().and_then(|name| name.location()).or_else(|| parsed.location());
        let kind = match parsed.operation_type {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => {
                self.error(at, format!("`{name}` is a subscription"), "clients subscribe to queries");
                return None;
            }
        };
        let variables: Vec<Variable> =
            parsed.variables.iter().filter_map(|variable| self.variable(variable)).collect();
        let is_text = |name: &str| matches!(self.api.graphql.types.get(name), Some(ExtendedType::Enum(_)));
        self.variables = parsed
            .variables
            .iter()
            .map(|variable| {
                (variable.name.to_string(), Type::from_graphql(&variable.ty.to_string(), is_text))
            })
            .collect();
        let guard = self.guard(name, at, &parsed.directives)?;
        let mut root = super::selection::Root::default();
        self.select(&parsed.selection_set, &mut root);
        let mut checks = self.checks(&parsed.directives);
        checks.append(&mut root.checks);
        let transaction = parsed.directives.has("transaction");
        let compiled = Operation {
            name: name.to_owned(),
            kind,
            variables,
            guard,
            transaction,
            checks,
            selection: root.fields,
            expressions: std::mem::take(&mut self.expressions),
            retired: parsed.directives.has("retired"),
            insecure_reason: parsed
                .directives
                .get("auth")
                .and_then(|auth| auth.specified_argument_by_name("insecureReason")?.as_str())
                .filter(|reason| !reason.trim().is_empty())
                .map(str::to_owned),
            place: self.place(at),
        };
        self.unused(&compiled);
        (!self.failed).then_some(compiled)
    }

    /// A variable is used as an argument, in a condition, or in an expression.
    fn unused(&mut self, operation: &Operation) {
        let mut used: Vec<String> = Vec::new();
        let mut texts = vec![operation.guard.source().text.to_string()];
        texts.extend(operation.checks.iter().map(|check| check.guard.source().text.to_string()));
        texts.extend(operation.expressions.iter().map(|expression| expression.text().to_owned()));
        let mut waiting: Vec<&Selected> = operation.selection.iter().collect();
        while let Some(field) = waiting.pop() {
            let mut names = Vec::new();
            field.arguments.values().for_each(|template| template.variables(&mut names));
            field.conditions.iter().for_each(|(template, _)| template.variables(&mut names));
            used.extend(names.into_iter().map(str::to_owned));
            texts.extend(field.checks.iter().map(|check| check.guard.source().text.to_string()));
            waiting.extend(&field.selection);
        }
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let words: Vec<&str> = texts.iter().flat_map(|text| text.split(|letter| !is_word(letter))).collect();
        for variable in &operation.variables {
            let name = variable.name.as_str();
            if !used.iter().any(|used| used == name) && !words.contains(&name) {
                self.failed = true;
                let what = format!("the variable `${name}` is never used");
                self.diagnostics.push(Diagnostic::error(variable.place.clone(), what));
            }
        }
    }

    fn variable(&mut self, variable: &Node<VariableDefinition>) -> Option<Variable> {
        let named = variable.ty.inner_named_type().to_string();
        let at = variable.name.location();
        let forbidden = self.api.graphql.types.get(named.as_str()).is_some_and(|ty| {
            ty.directives().iter().any(|directive| directive.name == "fdc_forbiddenAsVariableType")
        });
        if forbidden {
            let what = format!("`${}` has the type `{named}`, which no variable may have", variable.name);
            self.error(at, what, "what it decides is written in the operation");
        }
        let allow = variable.directives.get("allow");
        if named.ends_with("_Data") && allow.is_none() {
            let what = format!("`${}` of the type `{named}` lets a client write every field", variable.name);
            self.error(at, what, "name the fields with `@allow(fields: \"…\")`");
        }
        let allowed = allow.and_then(|allow| self.allowed(allow));
        let default =
            variable.default_value.as_ref().and_then(|value| crate::schema::values::literal(value).ok());
        let list = match &*variable.ty {
            GraphqlType::List(item) | GraphqlType::NonNullList(item) => Some(item.is_non_null()),
            _ => None,
        };
        Some(Variable {
            name: variable.name.to_string(),
            ty: variable.ty.to_string(),
            named,
            list,
            required: variable.ty.is_non_null(),
            default,
            allowed,
            place: self.place(at),
        })
    }

    fn allowed(&mut self, allow: &Node<Directive>) -> Option<Allowed> {
        let text = allow.specified_argument_by_name("fields")?.as_str()?.to_owned();
        let max = allow.specified_argument_by_name("maxCount").and_then(|max| max.to_i32());
        let max = max.and_then(|max| u32::try_from(max).ok()).unwrap_or(ALLOWED_MAX);
        let mut words = text.replace('{', " { ").replace('}', " } ");
        words.push(' ');
        let mut levels = vec![Allowed { fields: IndexMap::new(), max }];
        let mut names: Vec<String> = Vec::new();
        for word in words.split_whitespace() {
            let well = match word {
                "{" => {
                    levels.push(Allowed { fields: IndexMap::new(), max });
                    let named = levels.iter().rev().nth(1).and_then(|outer| outer.fields.keys().last());
                    named.cloned().map(|name| names.push(name)).is_some()
                }
                "}" => match (levels.pop(), names.pop(), levels.last_mut()) {
                    (Some(inner), Some(name), Some(outer)) => {
                        outer.fields.insert(name, inner);
                        true
                    }
                    _ => false,
                },
                field => levels.last_mut().is_some_and(|level| {
                    let none = Allowed { fields: IndexMap::new(), max };
                    level.fields.insert(field.trim_end_matches(',').to_owned(), none);
                    true
                }),
            };
            if !well {
                break;
            }
        }
        match (levels.pop(), levels.is_empty() && names.is_empty()) {
            (Some(allowed), true) => Some(allowed),
            _ => {
                let what = format!("`@allow(fields: \"{text}\")` is no selection of fields");
                self.error(allow.location(), what, "write it as `title genre reviews_on_movie { text }`");
                None
            }
        }
    }

    fn guard(&mut self, name: &str, at: Option<SourceSpan>, directives: &DirectiveList) -> Option<Guard> {
        let Some(auth) = directives.get("auth") else {
            let place = self.place(at);
            let source = Source::new(place.file, Level::NoAccess.name()).placed(place.line, place.column);
            self.warning(
                at,
                format!("`{name}` has no `@auth`: only administrators may call it"),
                "\
                write `@auth(level: NO_ACCESS)` when that is meant, or the level that clients need",
            );
            return Some(Guard::level(source, Level::NoAccess));
        };
        let level = auth.specified_argument_by_name("level").filter(|value| !value.is_null());
        let expr = auth.specified_argument_by_name("expr").filter(|value| !value.is_null());
        match (level, expr) {
            (Some(_), Some(expr)) => {
                let what = format!("`@auth` of `{name}` has both a level and an expression");
                self.error(expr.location(), what, "an expression replaces the level: keep one of them");
                None
            }
            (None, None) => {
                let what = format!("`@auth` of `{name}` has neither a level nor an expression");
                self.error(auth.location(), what, "write `@auth(level: USER)` or `@auth(expr: \"…\")`");
                None
            }
            (Some(level), None) => {
                let (word, value_at) =
                    (level.as_enum().map(ToString::to_string).unwrap_or_default(), level.location());
                let level = Level::named(&word)?;
                let place = self.place(value_at);
                Some(Guard::level(Source::new(place.file, word).placed(place.line, place.column), level))
            }
            (None, Some(expr)) => {
                let text = self.constant_text(expr, "the expression of `@auth`")?;
                self.expression(&format!("guard:{name}"), &text, expr.location(), CelPlace::Auth)
            }
        }
    }

    fn constant_text(&mut self, value: &Node<Value>, what: &str) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.error(value.location(), format!("{what} is not a text"), "it is written in the operation");
        }
        text
    }

    fn environment(&self, place: CelPlace) -> Environment {
        Environment::data_connect(place, self.variables.clone())
    }

    fn expression(
        &mut self,
        name: &str,
        text: &str,
        at: Option<SourceSpan>,
        place: CelPlace,
    ) -> Option<Guard> {
        let written = self.place(at);
        // The quote comes before the text.
        let source = Source::new(written.file, text).placed(written.line, written.column.saturating_add(1));
        match Guard::expression(source, &self.environment(place)) {
            Ok(guard) => Some(guard),
            Err(diagnostics) => {
                self.error(at, cel::report(&Source::new(name, text), &diagnostics), "");
                None
            }
        }
    }

    /// The position of an `_expr` text among the operation's expressions.
    pub(super) fn value_expression(&mut self, value: &Value, at: Option<SourceSpan>) -> Option<Template> {
        let Some(text) = value.as_str() else {
            let what = "an expression comes from a variable";
            self.error(at, what, "expressions are written in the operation: clients must not choose them");
            return Some(Template::Constant(serde_json::Value::Null));
        };
        match Expression::compile(text, "<input>", &self.environment(CelPlace::Value)) {
            Ok(expression) => {
                self.expressions.push(expression);
                Some(Template::Expression(self.expressions.len() - 1))
            }
            Err(report) => {
                self.error(at, report, "");
                Some(Template::Constant(serde_json::Value::Null))
            }
        }
    }

    /// The checks of a place, in order.
    pub(super) fn checks(&mut self, directives: &DirectiveList) -> Vec<Check> {
        let found: Vec<Node<Directive>> = directives.get_all("check").cloned().collect();
        let mut checks = Vec::new();
        for check in found {
            let text = |name: &str| {
                check.specified_argument_by_name(name).and_then(|value| value.as_str()).map(str::to_owned)
            };
            let expr = text("expr").unwrap_or_else(|| "!(this in [null, []])".to_owned());
            let at = check.specified_argument_by_name("expr").map_or(check.location(), Node::location);
            let optional = check.specified_argument_by_name("optional").and_then(|value| value.to_bool());
            let name: Arc<str> = "check".into();
            if let Some(guard) = self.expression(&name, &expr, at, CelPlace::Check) {
                checks.push(Check {
                    guard,
                    message: text("message").unwrap_or_else(|| "permission denied".to_owned()),
                    optional: optional.unwrap_or(false),
                    each: false,
                    place: self.place(check.location()),
                });
            }
        }
        checks
    }
}
