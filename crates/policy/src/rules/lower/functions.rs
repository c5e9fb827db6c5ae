//! Functions: their names and scopes, what they hold, and that none can reach itself.

use std::collections::HashMap;

use base::Value;

use super::super::ast::{self, Version};
use super::super::names::{Function, Rules};
use super::{Declared, Local, Lowering};
use crate::diagnostic::Diagnostic;
use crate::ir::{self, Expr, Kind};
use crate::source::Span;

/// Parameters of a function.
const PARAMETERS_MAX: usize = 7;
/// `let`s of a function; the message says one less.
const LETS_MAX: usize = 11;

fn placeholder(span: Span) -> Expr<Rules> {
    Expr { kind: Kind::Constant(Value::Null), span, at: span }
}

impl Lowering<'_> {
    /// Declares functions, lowers them and what is in their scope, and tells which were not used.
    pub(super) fn scope(&mut self, functions: &[ast::Function], within: impl FnOnce(&mut Self)) {
        let mut names = HashMap::new();
        let first = self.declared.len();
        for function in functions {
            let index = self.declared.len();
            let name = &function.name;
            // The first of its name is the one that is called.
            let earlier = *names.entry(name.text.clone()).or_insert(index);
            if earlier != index {
                let message = format!("Function {} is already defined.", name.text);
                let mut diagnostic = Diagnostic::error("duplicate-function", name.span, message);
                if let Some(earlier) = self.declared.get(earlier) {
                    diagnostic = diagnostic.label(earlier.name.span, "first here");
                }
                self.tell(diagnostic);
            }
            if Function::named(&name.text).is_some_and(|builtin| builtin.is_in(self.service)) {
                let message = format!("Invalid function name: {}.", name.text);
                let help = "it hides the built-in function of this name";
                self.tell(Diagnostic::warning("shadows-reserved", name.span, message).help(help));
            }
            let parameters = function.parameters.len();
            self.declared.push(Declared { name: name.clone(), parameters, used: false });
            self.out.functions.push(ir::Function {
                name: name.text.as_str().into(),
                parameters,
                lets: Vec::new(),
                body: placeholder(name.span),
            });
        }
        self.scopes.push(names);
        for (offset, function) in functions.iter().enumerate() {
            self.function(first + offset, function);
        }
        within(self);
        self.scopes.pop();
        for index in first..first + functions.len() {
            let unused = self
                .declared
                .get(index)
                .filter(|declared| !declared.used)
                .map(|declared| declared.name.clone());
            if let Some(name) = unused {
                let message = format!("Unused function: {}.", name.text);
                self.tell(Diagnostic::warning("unused-function", name.span, message));
            }
        }
    }

    fn function(&mut self, index: usize, function: &ast::Function) {
        let name = &function.name;
        if function.parameters.len() > PARAMETERS_MAX {
            let message = format!(
                "Maximum allowed function arguments of {PARAMETERS_MAX} for function {} is reached.",
                name.text
            );
            self.tell(Diagnostic::error("too-many-parameters", name.span, message));
        }
        if let Some((last, _)) = function.lets.get(LETS_MAX) {
            // The official compiler points behind it: at the next one, or at what is returned.
            let next = function
                .lets
                .get(LETS_MAX + 1)
                .map(|(name, _)| Span { start: name.span.start.saturating_sub(4), ..name.span });
            let body = function.body.as_ref().map(|body| body.span);
            let place = next.or(body).unwrap_or(last.span);
            let message = format!(
                "Maximum allowed variable count of {} for a given function has been reached.",
                LETS_MAX - 1
            );
            self.tell(Diagnostic::error("too-many-variables", place, message));
        }
        if let Some((name, _)) = function.lets.first().filter(|_| self.version == Version::One) {
            let message = "Let bindings are not allowed in rules_version=\"1\";";
            self.tell(Diagnostic::error("let-in-version-one", name.span, message));
        }
        self.current = Some(index);
        self.locals.clear();
        for parameter in function.parameters.iter().take(PARAMETERS_MAX) {
            self.declare(parameter, false);
        }
        let mut lets = Vec::new();
        for (name, value) in function.lets.iter().take(LETS_MAX) {
            lets.push(self.expr(value));
            self.declare(name, true);
        }
        let body = function.body.as_ref().map(|body| self.expr(body));
        self.current = None;
        for local in std::mem::take(&mut self.locals) {
            if !local.used {
                let message = format!("Unused variable: {}.", local.name);
                self.tell(Diagnostic::warning("unused-variable", local.span, message));
            }
        }
        if let (Some(lowered), Some(body)) = (self.out.functions.get_mut(index), body) {
            lowered.lets = lets;
            lowered.body = body;
        }
    }

    fn declare(&mut self, name: &ast::Name, is_let: bool) {
        self.check_variable_name(name);
        if self.locals.iter().any(|local| local.name == name.text) {
            let message = if is_let {
                format!("The identifier [{}] is already bound in the current scope.", name.text)
            } else {
                format!("Variable {} is already defined.", name.text)
            };
            self.tell(Diagnostic::error("duplicate-variable", name.span, message));
        }
        self.locals.push(Local { name: name.text.clone(), span: name.span, used: false });
    }

    pub(super) fn check_variable_name(&mut self, name: &ast::Name) {
        if self.is_namespace(&name.text) {
            let message = format!("{} is a package and cannot be used as variable name.", name.text);
            self.tell(Diagnostic::error("package-name", name.span, message));
        }
        if ["request", "resource"].contains(&name.text.as_str()) {
            let message = format!("Invalid variable name: {}.", name.text);
            let help = "it hides the built-in variable of this name";
            self.tell(Diagnostic::warning("shadows-reserved", name.span, message).help(help));
        }
    }
}
