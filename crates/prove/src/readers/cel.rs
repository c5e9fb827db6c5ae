//! What a condition can never be, and whether it is true for who is not signed in.
//!
//! `auth` is null when nobody is signed in, and what looks into null is an error, which denies.

use base::Value;

use policy::cel::ast::{Expr, Kind};
use policy::cel::Constant;
use crate::findings::never_holds::Parts;
use crate::logic::solver::{Errors, Facts, Formula, Kind as Logic, Order, Solver, Test, Truth};
use crate::logic::terms::{About, Need, Term, Terms};
use crate::logic::types::Types;
use policy::diagnostic::Diagnostic;
use policy::source::{Source, Span};

/// Looks at an expression that compiles.
pub fn findings(source: &Source) -> Vec<Diagnostic> {
    let (expr, _) = policy::cel::parse(&source.text);
    let condition = matches!(&expr.kind, Kind::And(_) | Kind::Or(_))
        || matches!(&expr.kind, Kind::Operator(name, _) if ORDERS.iter().any(|(order, _)| order == name)
            || ["!_", "_==_", "_!=_", "@in", "_?_:_"].contains(name));
    // A value of another kind, or one word that says it all.
    if !condition {
        return Vec::new();
    }
    let mut reader = Reader { source, terms: Terms::default() };
    let formula = reader.formula(&expr);
    let auth = reader.auth();
    let solver = Solver { terms: &reader.terms, errors: Errors::Absorbed };
    let mut parts = Parts::new(&solver, source, Vec::new());
    let know = |types| solver.with(&Facts::default(), auth, &Test::Is(types), true).unwrap_or_default();
    let (signed_in, signed_out) = (know(Types::MAP), know(Types::NULL));
    let truth = solver.truth(&formula, &Facts::default());
    let help = "if that is meant, fine; otherwise ask for something, such as `auth != null`";
    if truth == Truth::True {
        let message = "this condition is always true: it lets everybody in, signed in or not";
        return vec![Diagnostic::warning("open-access", expr.span, message).help(help)];
    }
    if solver.refutes(&[&formula], &Facts::default()) {
        return parts.contradiction(&[], &formula).into_iter().collect();
    }
    parts.look(&formula);
    let mut found = parts.told();
    let asks = formula.asks_for_null(auth, true);
    if solver.refutes(&[&formula], &signed_in) && !solver.refutes(&[&formula], &signed_out) {
        let message = "this lets in only those who are not signed in";
        found.push(
            Diagnostic::warning("only-when-signed-out", expr.span, message)
                .help("to let in those who are, write `auth != null`"),
        );
    } else if !asks && solver.truth(&formula, &signed_out) == Truth::True {
        let message = "this is true when nobody is signed in: then `auth` is null";
        found.push(
            Diagnostic::warning("true-when-signed-out", expr.span, message)
                .help("begin with `auth != null &&`"),
        );
    }
    found
}

const ORDERS: [(&str, Order); 4] = [
    ("_<_", Order::Less),
    ("_<=_", Order::LessOrEqual),
    ("_>_", Order::Greater),
    ("_>=_", Order::GreaterOrEqual),
];

/// What an expression stands for.
enum Meaning {
    Constant(Value),
    Value(Term),
    Condition(Formula),
}

struct Reader<'s> {
    source: &'s Source,
    terms: Terms,
}

impl Reader<'_> {
    fn auth(&mut self) -> Term {
        self.terms.add(About { caller: true, ..About::given("auth", Types::MAP.or(Types::NULL)) })
    }

    fn formula(&mut self, expr: &Expr) -> Formula {
        let kind = match self.read(expr) {
            Meaning::Constant(Value::Bool(value)) => Logic::Known(value),
            Meaning::Constant(_) => Logic::Fails,
            Meaning::Value(term) if self.terms.about(term).types.meets(Types::BOOL) => {
                Logic::Test(term, Test::Holds)
            }
            Meaning::Value(_) => Logic::Fails,
            Meaning::Condition(formula) => formula.kind,
        };
        Formula::new(kind, expr.span)
    }

    /// Something of which only its text is known, and what it needs.
    fn opaque(&mut self, span: Span, types: Types, needs: Vec<Need>) -> Meaning {
        let text: String = self.source.slice(span).split_whitespace().collect();
        let caller = text.contains("auth");
        Meaning::Value(self.terms.add(About { caller, needs, ..About::maybe(format!("text {text}"), types) }))
    }

    fn key(&self, meaning: &Meaning) -> String {
        match meaning {
            Meaning::Constant(value) => format!("{value:?}"),
            Meaning::Value(term) => self.terms.about(*term).key.clone(),
            Meaning::Condition(formula) => formula.key(),
        }
    }

    fn term(&mut self, meaning: &Meaning) -> Option<Term> {
        match meaning {
            Meaning::Value(term) => Some(*term),
            Meaning::Constant(_) => None,
            Meaning::Condition(formula) => {
                let key = format!("condition {}", formula.key());
                Some(self.terms.add(About { caller: true, ..About::maybe(key, Types::BOOL) }))
            }
        }
    }

    /// Recursion is bounded by the parser.
    fn read(&mut self, expr: &Expr) -> Meaning {
        let span = expr.span;
        match &expr.kind {
            Kind::Literal(constant) => match constant {
                Constant::Null => Meaning::Constant(Value::Null),
                Constant::Bool(value) => Meaning::Constant(Value::Bool(*value)),
                Constant::Int(value) => Meaning::Constant(Value::Integer(*value)),
                Constant::Double(value) => Meaning::Constant(Value::Double(*value)),
                Constant::Str(text) => Meaning::Constant(Value::String(text.to_string())),
                _ => self.opaque(span, Types::ANY, Vec::new()),
            },
            Kind::Name(name, _) => match name.as_str() {
                "nil" => Meaning::Constant(Value::Null),
                "auth" => Meaning::Value(self.auth()),
                name => Meaning::Value(self.terms.add(About::maybe(name, Types::ANY))),
            },
            Kind::Field { object, name, .. } => {
                let object = self.read(object);
                self.field(&object, name, span)
            }
            Kind::And(parts) => {
                let parts = parts.iter().map(|part| self.formula(part)).collect();
                Meaning::Condition(Formula::new(Logic::And(parts), span))
            }
            Kind::Or(parts) => {
                let parts = parts.iter().map(|part| self.formula(part)).collect();
                Meaning::Condition(Formula::new(Logic::Or(parts), span))
            }
            Kind::Operator(name, operands) => self.operator(name, operands, span),
            Kind::Call { receiver, .. } => {
                let receiver = receiver.as_ref().map(|receiver| self.read(receiver));
                let term = receiver.and_then(|receiver| self.term(&receiver));
                let needs = term.map(|term| Need::Strict(term, Types::ANY.but(Types::NULL)));
                self.opaque(span, Types::ANY, needs.into_iter().collect())
            }
            _ => self.opaque(span, Types::ANY, Vec::new()),
        }
    }

    fn field(&mut self, object: &Meaning, name: &str, span: Span) -> Meaning {
        let Meaning::Value(of) = object else { return self.opaque(span, Types::ANY, Vec::new()) };
        let about = self.terms.about(*of);
        if about.key == "request" && name == "auth" {
            return Meaning::Value(self.auth());
        }
        let (key, caller) = (format!("{}.{name}", about.key), about.caller);
        let (types, always) = match key.as_str() {
            "auth.uid" => (Types::TEXT.or(Types::NULL), true),
            "auth.token" => (Types::MAP, true),
            "auth.token.email" | "auth.token.phone_number" | "auth.token.name" => (Types::TEXT, false),
            "auth.token.email_verified" => (Types::BOOL, false),
            _ => (Types::ANY, false),
        };
        let needs = vec![Need::Strict(*of, Types::ANY.but(Types::NULL))];
        Meaning::Value(self.terms.add(About { needs, caller, always, ..About::given(key, types) }))
    }

    fn operator(&mut self, name: &str, operands: &[Expr], span: Span) -> Meaning {
        let kind = match (name, operands) {
            ("!_", [operand]) => Logic::Not(Box::new(self.formula(operand))),
            ("_==_", [one, two]) => self.equal(one, two, span),
            ("_!=_", [one, two]) => {
                let equal = self.equal(one, two, span);
                Logic::Not(Box::new(Formula::new(equal, span)))
            }
            ("_?_:_", [test, yes, no]) => {
                let (test, yes, no) = (self.formula(test), self.formula(yes), self.formula(no));
                Logic::If(Box::new(test), Box::new(yes), Box::new(no))
            }
            ("@in", [one, two]) => {
                let subject = self.read(one);
                let (term, values) = (self.term(&subject), literals(two));
                match (term, values) {
                    (Some(term), Some(values)) => Logic::Test(term, Test::Among(values)),
                    (term, _) => {
                        let need = term.map(|term| Need::Strict(term, Types::ANY));
                        return self.opaque(span, Types::BOOL, need.into_iter().collect());
                    }
                }
            }
            (name, [one, two]) => {
                let (left, right) = (self.read(one), self.read(two));
                let order = ORDERS.iter().find(|(order, _)| *order == name).map(|(_, order)| *order);
                let (subject, value, order) = match (left, right, order) {
                    (subject, Meaning::Constant(value), Some(order)) => (subject, value, order),
                    (Meaning::Constant(value), subject, Some(order)) => (subject, value, order.mirrored()),
                    (left, right, _) => {
                        let terms = [self.term(&left), self.term(&right)];
                        let needs = terms.into_iter().flatten();
                        let needs =
                            needs.map(|term| Need::Strict(term, Types::ANY.but(Types::NULL))).collect();
                        return self.opaque(span, Types::ANY, needs);
                    }
                };
                match self.term(&subject) {
                    Some(term) => Logic::Test(term, Test::Compares(order, value)),
                    None => return self.opaque(span, Types::BOOL, Vec::new()),
                }
            }
            _ => return self.opaque(span, Types::ANY, Vec::new()),
        };
        Meaning::Condition(Formula::new(kind, span))
    }

    fn equal(&mut self, one: &Expr, two: &Expr, span: Span) -> Logic {
        let (left, right) = (self.read(one), self.read(two));
        match (&left, &right) {
            (Meaning::Constant(a), Meaning::Constant(b)) => Logic::Known(crate::logic::solver::equal(a, b)),
            (Meaning::Condition(formula), Meaning::Constant(Value::Bool(value)))
            | (Meaning::Constant(Value::Bool(value)), Meaning::Condition(formula)) => match value {
                true => formula.kind.clone(),
                false => Logic::Not(Box::new(formula.clone())),
            },
            (subject, Meaning::Constant(value)) | (Meaning::Constant(value), subject) => {
                match self.term(subject) {
                    Some(term) => Logic::Test(term, Test::Equals(value.clone())),
                    None => Logic::Fails,
                }
            }
            _ => match (self.term(&left), self.term(&right)) {
                (Some(one), Some(two)) => Logic::Test(one, Test::Same(two)),
                _ => {
                    let key = format!("{} {} {span:?}", self.key(&left), self.key(&right));
                    Logic::Test(self.terms.add(About::maybe(key, Types::BOOL)), Test::Holds)
                }
            },
        }
    }
}

/// The items of a list that is written out.
fn literals(list: &Expr) -> Option<Vec<Value>> {
    let Kind::List(items) = &list.kind else { return None };
    let value = |expr: &Expr| match &expr.kind {
        Kind::Literal(Constant::Str(text)) => Some(Value::String(text.to_string())),
        Kind::Literal(Constant::Int(value)) => Some(Value::Integer(*value)),
        Kind::Literal(Constant::Bool(value)) => Some(Value::Bool(*value)),
        _ => None,
    };
    items.iter().map(|item| value(&item.expr).filter(|_| !item.optional)).collect()
}
