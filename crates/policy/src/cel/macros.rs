//! Macros: calls whose arguments are not evaluated as they stand.

use super::ast::{Expr, Kind};
use super::check::Checker;
use super::program::{Access, Comprehension, Node, Op, Over};
use super::types::Type;
use super::value::Constant;

impl Checker<'_> {
    /// What a call of a macro means; `None` when it is not one.
    pub(super) fn expand(
        &mut self,
        expr: &Expr,
        receiver: Option<&Expr>,
        name: &str,
        arguments: &[Expr],
    ) -> Option<(Node, Type)> {
        let Some(receiver) = receiver else {
            let [argument] = arguments else { return None };
            return (name == "has").then(|| self.has(expr, argument));
        };
        if matches!(&receiver.kind, Kind::Name(cel, false) if cel == "cel") && !self.is_local("cel") {
            return self.expand_cel(expr, name, arguments);
        }
        let (kind, two, filtered, variables, rest) = match (name, arguments) {
            ("all", [v, body]) => (Over::All, false, false, vec![v], vec![body]),
            ("exists", [v, body]) => (Over::Exists, false, false, vec![v], vec![body]),
            ("exists_one" | "existsOne", [v, body]) => (Over::ExistsOne, false, false, vec![v], vec![body]),
            ("filter", [v, body]) => (Over::Filter, false, false, vec![v], vec![body]),
            ("map", [v, body]) => (Over::List, false, false, vec![v], vec![body]),
            ("map", [v, filter, body]) => (Over::List, false, true, vec![v], vec![filter, body]),
            ("all", [k, v, body]) => (Over::All, true, false, vec![k, v], vec![body]),
            ("exists", [k, v, body]) => (Over::Exists, true, false, vec![k, v], vec![body]),
            ("exists_one" | "existsOne", [k, v, body]) => {
                (Over::ExistsOne, true, false, vec![k, v], vec![body])
            }
            ("transformList", [k, v, body]) => (Over::List, true, false, vec![k, v], vec![body]),
            ("transformList", [k, v, filter, body]) => {
                (Over::List, true, true, vec![k, v], vec![filter, body])
            }
            ("transformMap", [k, v, body]) => (Over::Map, true, false, vec![k, v], vec![body]),
            ("transformMap", [k, v, filter, body]) => (Over::Map, true, true, vec![k, v], vec![filter, body]),
            ("transformMapEntry", [k, v, body]) => (Over::Entries, true, false, vec![k, v], vec![body]),
            ("transformMapEntry", [k, v, filter, body]) => {
                (Over::Entries, true, true, vec![k, v], vec![filter, body])
            }
            ("optMap", [v, body]) => return Some(self.unwrapped(expr, receiver, v, body, false)),
            ("optFlatMap", [v, body]) => return Some(self.unwrapped(expr, receiver, v, body, true)),
            _ => return None,
        };
        let mut names = Vec::new();
        for variable in variables {
            match variable_name(variable) {
                Some(name) => names.push(name),
                None => return Some(self.refuse(variable, "argument must be a simple name")),
            }
        }
        if names.len() == 2 && names.first() == names.last() {
            return Some(self.refuse(expr, "the two variables must have different names"));
        }
        let filter = if filtered { rest.first().copied() } else { None };
        let body = *rest.last()?;
        Some(self.comprehension(expr, receiver, kind, two, names, filter, body))
    }

    fn has(&mut self, expr: &Expr, argument: &Expr) -> (Node, Type) {
        match &argument.kind {
            Kind::Field { object, name, .. } => {
                let (node, _) = self.field(argument, object, name, Access::Test);
                (Node { span: expr.span, ..node }, Type::Bool)
            }
            _ => self.refuse(argument, "invalid argument to has() macro"),
        }
    }

    fn expand_cel(&mut self, expr: &Expr, name: &str, arguments: &[Expr]) -> Option<(Node, Type)> {
        let span = expr.span;
        match (name, arguments) {
            ("bind", [variable, value, body]) => {
                let Some(name) = variable_name(variable) else {
                    return Some(
                        self.refuse(variable, "cel.bind() variable names must be simple identifiers"),
                    );
                };
                let (value, of) = self.expr(value);
                self.locals.push((name, of));
                let (body, of) = self.expr(body);
                self.locals.pop();
                Some((Node { span, op: Op::Bind(vec![value], Box::new(body)) }, of))
            }
            ("block", [Expr { kind: Kind::List(items), .. }, body]) => {
                let before = self.locals.len();
                let mut values = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let (value, of) = self.expr(&item.expr);
                    values.push(value);
                    self.locals.push((format!("@index{index}"), of));
                }
                let (body, of) = self.expr(body);
                self.locals.truncate(before);
                Some((Node { span, op: Op::Bind(values, Box::new(body)) }, of))
            }
            ("index" | "iterVar" | "accuVar", _) => {
                let name = variable_name(expr)?;
                let name = Expr { kind: Kind::Name(name, false), ..expr.clone() };
                Some(self.expr(&name))
            }
            _ => None,
        }
    }

    fn unwrapped(
        &mut self,
        expr: &Expr,
        receiver: &Expr,
        variable: &Expr,
        body: &Expr,
        flat: bool,
    ) -> (Node, Type) {
        let Some(name) = variable_name(variable) else {
            return self.refuse(variable, "optMap() variable name must be a simple identifier");
        };
        let (object, of) = self.expr(receiver);
        let inner = self.bindings.fresh();
        if !self.bindings.assignable(&Type::optional(inner.clone()), &of) {
            let message = format!("found no matching overload for 'optMap' applied to '{of}'");
            return self.error(expr.span, expr.at, "overload", message);
        }
        self.locals.push((name, self.bindings.resolve(&inner)));
        let (body, of) = self.expr(body);
        self.locals.pop();
        let of = if flat { of } else { Type::optional(of) };
        (Node { span: expr.span, op: Op::Unwrap(Box::new((object, body)), flat) }, of)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one macro, used once")]
    fn comprehension(
        &mut self,
        expr: &Expr,
        receiver: &Expr,
        kind: Over,
        two: bool,
        names: Vec<String>,
        filter: Option<&Expr>,
        body: &Expr,
    ) -> (Node, Type) {
        let (range, range_type) = self.expr(receiver);
        let range_type = match self.bindings.resolve(&range_type) {
            Type::Nullable(inner) => *inner,
            other => other,
        };
        let (key, value) = match &range_type {
            Type::List(item) => (Type::Int, (**item).clone()),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Record(_) => (Type::String, Type::Dyn),
            Type::Dyn | Type::Error => (Type::Dyn, Type::Dyn),
            Type::Param(_) => {
                self.bindings.assignable(&range_type, &Type::Dyn);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                return self.error(receiver.span, receiver.at, "range", message);
            }
        };
        let is_map = matches!(range_type, Type::Map(..) | Type::Record(_));
        let before = self.locals.len();
        let mut names = names.into_iter();
        match (names.next(), names.next()) {
            (Some(first), Some(second)) => {
                self.locals.extend([(first, key.clone()), (second, value.clone())])
            }
            (Some(only), None) => self.locals.push((only, if is_map { key.clone() } else { value.clone() })),
            _ => {}
        }
        let filter = filter.map(|filter| self.boolean(filter));
        let (body, of) = match kind {
            Over::All | Over::Exists | Over::ExistsOne | Over::Filter => (self.boolean(body), Type::Bool),
            Over::List | Over::Map | Over::Entries => self.expr(body),
        };
        self.locals.truncate(before);
        let of = match kind {
            Over::All | Over::Exists | Over::ExistsOne => Type::Bool,
            Over::Filter => Type::list(if is_map { key } else { value }),
            Over::List => Type::list(of),
            Over::Map => Type::map(key, of),
            Over::Entries => of,
        };
        let comprehension = Comprehension { kind, range, two, filter, body };
        (Node { span: expr.span, op: Op::Comprehension(Box::new(comprehension)) }, of)
    }

    fn boolean(&mut self, expr: &Expr) -> Node {
        let (node, of) = self.expr(expr);
        if self.bindings.assignable(&Type::Bool, &of) {
            return node;
        }
        let message = format!("expected type 'bool' but found '{}'", self.bindings.resolve(&of));
        self.error(expr.span, expr.at, "type", message).0
    }
}

/// The name a macro gives a variable: plain, or one that an optimiser has made.
fn variable_name(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Name(name, false) => Some(name.clone()),
        Kind::Call { receiver: Some(receiver), name, arguments } => {
            if !matches!(&receiver.kind, Kind::Name(cel, false) if cel == "cel") {
                return None;
            }
            let mut numbers = Vec::new();
            for argument in arguments {
                let Kind::Literal(Constant::Int(number)) = &argument.kind else { return None };
                numbers.push(number.to_string());
            }
            match (name.as_str(), numbers.len()) {
                ("index", 1) => Some(format!("@index{}", numbers.concat())),
                ("iterVar" | "accuVar", 2) => Some(format!("@{name}:{}", numbers.join(":"))),
                _ => None,
            }
        }
        _ => None,
    }
}
