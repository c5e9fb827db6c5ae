//! CEL expressions as logic. `auth` is null when nobody is signed in, and what looks into null is an error, which denies.

use base::Value;
use policy::cel::Constant;
use policy::cel::ast::{Expr, Kind};
use policy::{Source, Span};

use crate::logic::{
    self, About, Callers, Errors, Formula, Kind as Logic, Meanings, Need, Order, Solver, Term,
};
use crate::logic::{Test, Types};

type Meaning = logic::Meaning<Term>;

/// An expression as logic.
pub struct Reading {
    /// Where it is.
    pub span: Span,
    /// What it says.
    pub condition: Formula,
    meanings: Meanings,
    auth: Term,
}

/// Reads an expression that compiles; `None` for a value of another kind, and for one word that says it all.
pub fn read(source: &Source) -> Option<Reading> {
    let (expr, _) = policy::cel::parse(&source.text);
    let is_condition = match &expr.kind {
        Kind::And(_) | Kind::Or(_) => true,
        Kind::Operator(name, _) => {
            ORDERS.iter().any(|(order, _)| order == name)
                || ["!_", "_==_", "_!=_", "@in", "_?_:_"].contains(name)
        }
        _ => false,
    };
    if !is_condition {
        return None;
    }
    let mut reader = Reader { source, meanings: Meanings::default() };
    let condition = reader.formula(&expr);
    let auth = reader.auth();
    Some(Reading { span: expr.span, condition, meanings: reader.meanings, auth })
}

impl Reading {
    /// What can be proven of it.
    pub fn solver(&self) -> Solver<'_> {
        Solver { terms: &self.meanings.terms, errors: Errors::Absorbed }
    }

    /// Those who are signed in, and those who are not.
    pub fn callers(&self, solver: &Solver<'_>) -> Callers {
        Callers::new(solver, self.auth)
    }
}

const ORDERS: [(&str, Order); 4] = [
    ("_<_", Order::Less),
    ("_<=_", Order::LessOrEqual),
    ("_>_", Order::Greater),
    ("_>=_", Order::GreaterOrEqual),
];

struct Reader<'s> {
    source: &'s Source,
    meanings: Meanings,
}

impl Reader<'_> {
    fn auth(&mut self) -> Term {
        self.meanings.terms.add(About { caller: true, ..About::given("auth", Types::MAP.or(Types::NULL)) })
    }

    fn formula(&mut self, expr: &Expr) -> Formula {
        let meaning = self.read(expr);
        self.meanings.holds(meaning, expr.span)
    }

    fn formulas(&mut self, exprs: &[Expr]) -> Vec<Formula> {
        exprs.iter().map(|expr| self.formula(expr)).collect()
    }

    /// Something of which only its text is known, and what it needs.
    fn opaque(&mut self, span: Span, types: Types, needs: Vec<Need>) -> Meaning {
        // As it is written: blanks may be part of a text.
        let text = self.source.slice(span).trim();
        let caller = text.contains("auth");
        self.meanings.value(About { caller, needs, ..About::maybe(format!("text {text}"), types) })
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
                name => self.meanings.value(About::maybe(name, Types::ANY)),
            },
            Kind::Field { object, name, .. } => {
                let object = self.read(object);
                self.field(&object, name, span)
            }
            Kind::And(parts) => Meaning::condition(Logic::And(self.formulas(parts)), span),
            Kind::Or(parts) => Meaning::condition(Logic::Or(self.formulas(parts)), span),
            Kind::Operator(name, operands) => self.operator(name, operands, span),
            Kind::Call { receiver, .. } => {
                let receiver = receiver.as_ref().map(|receiver| self.read(receiver));
                let needs = self.meanings.needs(&receiver, Types::ANY.but(Types::NULL));
                self.opaque(span, Types::ANY, needs)
            }
            _ => self.opaque(span, Types::ANY, Vec::new()),
        }
    }

    fn field(&mut self, object: &Meaning, name: &str, span: Span) -> Meaning {
        let Meaning::Value(of) = object else { return self.opaque(span, Types::ANY, Vec::new()) };
        let about = self.meanings.terms.about(*of);
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
        self.meanings.value(About { needs, caller, always, ..About::given(key, types) })
    }

    fn operator(&mut self, name: &str, operands: &[Expr], span: Span) -> Meaning {
        let kind = match (name, operands) {
            ("!_", [operand]) => Logic::Not(Box::new(self.formula(operand))),
            ("_==_", [one, two]) => self.equal(one, two),
            ("_!=_", [one, two]) => Logic::Not(Box::new(Formula::new(self.equal(one, two), span))),
            ("_?_:_", [test, yes, no]) => {
                let (test, yes, no) = (self.formula(test), self.formula(yes), self.formula(no));
                Logic::If(Box::new(test), Box::new(yes), Box::new(no))
            }
            ("@in", [one, two]) => {
                let subject = self.read(one);
                match (self.meanings.term(&subject), literals(two)) {
                    (Some(term), Some(values)) => Logic::Test(term, Test::Among(values)),
                    (term, _) => {
                        let need = term.map(|term| Need::Strict(term, Types::ANY));
                        return self.opaque(span, Types::BOOL, need.into_iter().collect());
                    }
                }
            }
            (name, [one, two]) => {
                let (one, two) = (self.read(one), self.read(two));
                let order = ORDERS.iter().find(|(order, _)| *order == name).map(|(_, order)| *order);
                match order.and_then(|order| self.meanings.ordered(order, &one, &two)) {
                    Some(kind) => kind,
                    None => return self.computed(order, &one, &two, span),
                }
            }
            _ => return self.opaque(span, Types::ANY, Vec::new()),
        };
        Meaning::condition(kind, span)
    }

    /// What is made of two values and is no test of one of them.
    fn computed(&mut self, order: Option<Order>, one: &Meaning, two: &Meaning, span: Span) -> Meaning {
        let constant = one.constant().is_some() || two.constant().is_some();
        if order.is_some() && constant {
            return self.opaque(span, Types::BOOL, Vec::new());
        }
        let needs = self.meanings.needs([one, two], Types::ANY.but(Types::NULL));
        self.opaque(span, Types::ANY, needs)
    }

    fn equal(&mut self, one: &Expr, two: &Expr) -> Logic {
        let (one, two) = (self.read(one), self.read(two));
        self.meanings.equal(&one, &two)
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
