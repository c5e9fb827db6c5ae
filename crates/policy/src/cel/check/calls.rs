//! Calls: which function is meant, and what its arguments must be.

use super::*;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        expr: &Expr,
        receiver: Option<&Expr>,
        name: &str,
        arguments: &[Expr],
    ) -> (Node, Type) {
        if let Some(expanded) = self.expand(expr, receiver, name, arguments) {
            return expanded;
        }
        let (base, dotted) = name.strip_prefix('.').map_or((name, false), |base| (base, true));
        // `math.abs(x)` is a function with a namespace unless `math` is a variable.
        let prefix = receiver.and_then(qualified_name);
        let namespace = prefix.filter(|(prefix, dotted)| {
            let first = prefix.split('.').next().unwrap_or_default();
            *dotted || !self.is_local(first)
        });
        let global = match (&namespace, receiver) {
            (Some((prefix, _)), _) => Some(format!("{prefix}.{base}")),
            (None, None) => Some(base.to_owned()),
            (None, Some(_)) => None,
        };
        if let Some(global) = global {
            for candidate in self.candidates(&global, dotted) {
                if self.is_function(&candidate) {
                    let (nodes, types): (Vec<_>, Vec<_>) =
                        arguments.iter().map(|argument| self.expr(argument)).unzip();
                    return self.function(expr, &candidate, false, nodes, types);
                }
            }
        }
        let mut nodes = Vec::new();
        let mut types = Vec::new();
        for part in receiver.into_iter().chain(arguments) {
            let (node, of) = self.expr(part);
            nodes.push(node);
            types.push(of);
        }
        if receiver.is_some() && self.is_function(base) {
            return self.function(expr, base, true, nodes, types);
        }
        let message =
            format!("undeclared reference to '{base}' (in container '{}')", self.environment.container);
        let told = self.error(expr.span, expr.at, "undeclared", message);
        let environment = self.environment;
        let mut known: Vec<&str> = library::names().collect();
        known.extend(environment.supplied.iter().map(|(known, _)| known.as_str()));
        self.suggest_from(base, known.into_iter());
        told
    }

    fn is_function(&self, name: &str) -> bool {
        self.environment.supplied.iter().any(|(known, _)| known == name) || library::function(name).is_some()
    }

    fn function(
        &mut self,
        expr: &Expr,
        name: &str,
        receiver: bool,
        nodes: Vec<Node>,
        mut types: Vec<Type>,
    ) -> (Node, Type) {
        let span = expr.span;
        if receiver && let Some(first) = types.first_mut() {
            *first = self.unwrap_null(first);
        }
        let environment = self.environment;
        if let Some(index) = environment.supplied.iter().position(|(known, _)| known == name) {
            let overloads: Vec<Overload> = environment
                .supplied
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, overload)| overload.clone())
                .collect();
            let of = self.resolve_overload(expr, name, &overloads, &types, receiver);
            return (Node { span, op: Op::Supplied(index, nodes) }, of);
        }
        let Some(declared) = library::function(name) else {
            return self.error(span, expr.at, "undeclared", format!("undeclared reference to '{name}'"));
        };
        if matches!(declared.function, Function::Greatest | Function::Least) {
            let of = self.extreme(expr, name, &types);
            return (Node { span, op: Op::Call(declared.function, nodes) }, of);
        }
        let of = self.resolve_overload(expr, name, &declared.overloads, &types, receiver);
        if declared.function == Function::Matches {
            return (self.matches(expr, nodes), of);
        }
        (Node { span, op: Op::Call(declared.function, nodes) }, of)
    }

    /// A pattern that is known is compiled once.
    fn matches(&mut self, expr: &Expr, mut nodes: Vec<Node>) -> Node {
        let span = expr.span;
        if let [_, Node { op: Op::Constant(Constant::Str(pattern)), span: place }] = nodes.as_slice() {
            match Regex::new(pattern) {
                Ok(regex) => {
                    nodes.truncate(1);
                    if let Some(text) = nodes.pop() {
                        return Node { span, op: Op::Matches(Box::new(text), Box::new(regex)) };
                    }
                }
                Err(error) => {
                    let (place, message) = (*place, format!("invalid matches argument: {error}"));
                    return self.error(place, place.start, "pattern", message).0;
                }
            }
        }
        Node { span, op: Op::Call(Function::Matches, nodes) }
    }

    /// `math.greatest` and `math.least`: any numbers, or a list of them.
    fn extreme(&mut self, expr: &Expr, name: &str, types: &[Type]) -> Type {
        let types: Vec<Type> = types.iter().map(|of| self.bindings.resolve(of)).collect();
        let number = |of: &Type| match of {
            Type::Nullable(inner) => (**inner).clone(),
            other => other.clone(),
        };
        let types: Vec<Type> = match types.as_slice() {
            [Type::List(item)] => vec![number(item)],
            many => many.iter().map(number).collect(),
        };
        let fits = |of: &Type| {
            matches!(of, Type::Int | Type::Uint | Type::Double | Type::Dyn | Type::Error | Type::Param(_))
        };
        match types.first() {
            Some(first) if types.iter().all(fits) => {
                if types.iter().all(|of| of == first) {
                    first.clone()
                } else {
                    Type::Dyn
                }
            }
            _ => {
                let shown: Vec<String> = types.iter().map(|of| self.finish(of).to_string()).collect();
                let message = format!("{name}() invalid arguments: ({})", shown.join(", "));
                self.error(expr.span, expr.at, "overload", message).1
            }
        }
    }
}
