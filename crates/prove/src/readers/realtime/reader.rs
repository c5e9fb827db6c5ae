//! Conditions of Realtime Database rules as logic. Places of the database have names from the root, so that rules of
//! different places can be compared: `data` at `/rooms/$room` is the same as `root.child('rooms').child($room)`.

use base::Value;
use policy::ir::{Binary, Kind};
use policy::rtdb::lowered::{Condition, Global};
use policy::{Source, Span};

use super::place::{Place, keys, written};
use crate::logic::meaning::KEY_BYTES_MAX;
use crate::logic::{self, About, Formula, Kind as Logic, Meanings, Need, Order, Subject, Term, Terms, Types};

/// What has members; of everything else they are null.
const HAS_MEMBERS: Types = Types::MAP.or(Types::LIST);

/// What an expression of the language stands for.
pub(super) type Meaning = logic::Meaning<Thing>;

/// A value, or a place of the database, which is none.
#[derive(Clone, Debug)]
pub(super) enum Thing {
    Value(Term),
    Place(Place),
}

impl Subject for Thing {
    fn of(term: Term) -> Self {
        Thing::Value(term)
    }

    fn types(&self, terms: &Terms) -> Types {
        match self {
            Thing::Value(term) => term.types(terms),
            Thing::Place(_) => Types::ANY,
        }
    }

    fn key(&self, terms: &Terms) -> String {
        match self {
            Thing::Value(term) => term.key(terms),
            Thing::Place(place) => format!("{place:?}"),
        }
    }

    fn term(&self, terms: &mut Terms) -> Term {
        match self {
            Thing::Value(term) => *term,
            Thing::Place(place) => place.value(terms),
        }
    }
}

/// A comparison that can only have one outcome.
#[derive(Clone, Debug)]
pub struct Unlike {
    /// The comparison.
    pub span: Span,
    /// What one side can be.
    pub left: Types,
    /// What the other can be.
    pub right: Types,
    /// Whether it is `==`.
    pub positive: bool,
}

/// Turns conditions into logic.
pub(super) struct Reader<'s> {
    pub(super) source: &'s Source,
    pub(super) meanings: Meanings,
    pub(super) here: Vec<String>,
    /// Comparisons that can only have one outcome.
    pub(super) unlike: Vec<Unlike>,
}

impl<'s> Reader<'s> {
    pub fn new(source: &'s Source) -> Self {
        Self { source, meanings: Meanings::default(), here: Vec::new(), unlike: Vec::new() }
    }

    /// The condition of a rule at a place such as `/rooms/$room`.
    pub fn condition(&mut self, expr: &Condition, path: &str) -> Formula {
        self.here = keys(path);
        self.formula(expr)
    }

    /// `auth`
    pub fn auth(&mut self) -> Term {
        let about = About { caller: true, ..About::given("auth", Types::MAP.or(Types::NULL)) };
        self.meanings.terms.add(about)
    }

    /// The value at a place after the write.
    pub fn value_after(&mut self, path: &str) -> Term {
        Place { after: true, keys: written(keys(path)) }.value(&mut self.meanings.terms)
    }

    fn formula(&mut self, expr: &Condition) -> Formula {
        match self.read(expr) {
            Meaning::Value(Thing::Place(_)) => Formula::new(Logic::Fails, expr.span),
            meaning => self.meanings.holds(meaning, expr.span),
        }
    }

    fn formulas(&mut self, exprs: &[Condition]) -> Vec<Formula> {
        exprs.iter().map(|expr| self.formula(expr)).collect()
    }

    /// Recursion is bounded by the parser.
    pub(super) fn read(&mut self, expr: &Condition) -> Meaning {
        let span = expr.span;
        match &expr.kind {
            Kind::Constant(value) => Meaning::Constant(value.clone()),
            Kind::Global(global) => self.global(*global),
            Kind::Capture(index) => {
                let key = self.here.get(*index).cloned().unwrap_or_default();
                self.meanings.value(About::given(format!("key {key}"), Types::TEXT))
            }
            Kind::Member(object, name) => {
                let object = self.read(object);
                self.field(&object, name)
            }
            Kind::Index(object, index) => {
                let (object, index) = (self.read(object), self.read(index));
                if let Meaning::Constant(Value::String(name)) = &index {
                    return self.field(&object, name);
                }
                let key = format!("{}[{}]", self.meanings.key(&object), self.meanings.key(&index));
                let mut needs = self.meanings.needs([&object], Types::ANY);
                // Lists have numbers.
                needs.extend(self.meanings.need(&index, Types::TEXT.or(Types::NUMBER)));
                self.meanings.made(key, Types::ANY, needs)
            }
            Kind::Not(operand) => {
                let operand = self.formula(operand);
                Meaning::condition(Logic::Not(Box::new(operand)), span)
            }
            Kind::Negate(operand) => {
                let operand = self.read(operand);
                let needs = self.meanings.needs([&operand], Types::NUMBER);
                self.meanings.made(format!("-({})", self.meanings.key(&operand)), Types::NUMBER, needs)
            }
            Kind::And(parts) => Meaning::condition(Logic::And(self.formulas(parts)), span),
            Kind::Or(parts) => Meaning::condition(Logic::Or(self.formulas(parts)), span),
            Kind::Condition(test, yes, no) => {
                let test = self.formula(test);
                let (one, two) = (self.read(yes), self.read(no));
                if self.meanings.types(&one) == Types::BOOL || self.meanings.types(&two) == Types::BOOL {
                    let (yes, no) = (self.formula(yes), self.formula(no));
                    return Meaning::condition(Logic::If(Box::new(test), Box::new(yes), Box::new(no)), span);
                }
                self.meanings.anything()
            }
            Kind::Binary(op, left, right) => {
                let (one, two) = (self.read(left), self.read(right));
                self.binary(*op, span, &one, &two)
            }
            Kind::Method(receiver, method, arguments, _) => self.method(expr, receiver, *method, arguments),
            _ => self.meanings.anything(),
        }
    }

    fn global(&mut self, global: Global) -> Meaning {
        let place = |after, keys| Meaning::Value(Thing::Place(Place { after, keys: written(keys) }));
        match global {
            Global::Auth => Meaning::Value(Thing::Value(self.auth())),
            Global::Now => self.meanings.value(About::given("now", Types::NUMBER)),
            Global::Root => place(false, Vec::new()),
            Global::Data => place(false, self.here.clone()),
            Global::NewData => place(true, self.here.clone()),
            Global::Query => self.meanings.value(About::given("query", Types::MAP)),
        }
    }

    fn field(&mut self, object: &Meaning, name: &str) -> Meaning {
        let Meaning::Value(Thing::Value(of)) = object else { return self.meanings.anything() };
        let about = self.meanings.terms.about(*of);
        let (key, parent, caller) = (format!("{}.{name}", about.key), about.key.clone(), about.caller);
        if name == "length" {
            return self.length(*of, key);
        }
        let types = match (parent.as_str(), name) {
            ("auth", "uid" | "provider")
            | ("auth.token", "email" | "phone_number" | "name" | "sub" | "picture" | "iss" | "aud") => {
                Types::TEXT.or(Types::NULL)
            }
            ("auth.token", "email_verified") => Types::BOOL.or(Types::NULL),
            ("auth", "token") => Types::MAP.or(Types::NULL),
            ("query", "orderByKey" | "orderByValue" | "orderByPriority") => Types::BOOL,
            _ => Types::ANY,
        };
        if key.len() > KEY_BYTES_MAX {
            return self.meanings.anything();
        }
        let needs = vec![Need::Lenient(*of, HAS_MEMBERS)];
        self.meanings.value(About { needs, caller, ..About::given(key, types) })
    }

    /// `length`: of text and of lists; in a claim that is a map it is a member like others. A value of the database that has
    /// members has no length.
    fn length(&mut self, of: Term, key: String) -> Meaning {
        let about = self.meanings.terms.about(of);
        let stored = ["old:", "new:", "key "].iter().any(|begin| about.key.starts_with(begin));
        if stored {
            return self.meanings.made(key, Types::NUMBER, vec![Need::Strict(of, Types::TEXT)]);
        }
        let can_be_map = about.types.meets(Types::MAP);
        let types = if can_be_map { Types::ANY } else { Types::NUMBER };
        self.meanings.made(key, types, vec![Need::Strict(of, HAS_MEMBERS.or(Types::TEXT))])
    }

    fn binary(&mut self, op: Binary, span: Span, one: &Meaning, two: &Meaning) -> Meaning {
        if let Some(order) = Order::of(op) {
            return self.ordered(order, span, one, two);
        }
        match op {
            Binary::Equal => Meaning::condition(self.equal(span, one, two, true), span),
            Binary::NotEqual => {
                let equal = Formula::new(self.equal(span, one, two, false), span);
                Meaning::condition(Logic::Not(Box::new(equal)), span)
            }
            _ => self.computed(op, one, two),
        }
    }

    fn ordered(&mut self, order: Order, span: Span, one: &Meaning, two: &Meaning) -> Meaning {
        if let (Meaning::Constant(one), Meaning::Constant(two)) = (one, two) {
            return Meaning::condition(order.constants(one, two).map_or(Logic::Fails, Logic::Known), span);
        }
        match self.meanings.ordered(order, one, two) {
            Some(kind) => Meaning::condition(kind, span),
            None => {
                let key = format!("{order:?}({},{})", self.meanings.key(one), self.meanings.key(two));
                let needs = self.meanings.needs([one, two], Types::NUMBER.or(Types::TEXT));
                self.meanings.made(key, Types::BOOL, needs)
            }
        }
    }

    fn computed(&mut self, op: Binary, one: &Meaning, two: &Meaning) -> Meaning {
        let operands = if op == Binary::Add { Types::NUMBER.or(Types::TEXT) } else { Types::NUMBER };
        let needs = self.meanings.needs([one, two], operands);
        let text = self.meanings.types(one) == Types::TEXT || self.meanings.types(two) == Types::TEXT;
        let types = match op {
            Binary::Add if text => Types::TEXT,
            Binary::Add => operands,
            _ => Types::NUMBER,
        };
        let key = format!("{}({},{})", op.text(), self.meanings.key(one), self.meanings.key(two));
        self.meanings.made(key, types, needs)
    }

    fn equal(&mut self, span: Span, one: &Meaning, two: &Meaning, positive: bool) -> Logic {
        let (left, right) = (self.meanings.types(one), self.meanings.types(two));
        let constants = one.constant().is_some() && two.constant().is_some();
        if !left.meets(right) && !constants {
            self.unlike.push(Unlike { span, left, right, positive });
        }
        self.meanings.equal(one, two)
    }
}
