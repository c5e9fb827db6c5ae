//! Conditions as logic. Places of the database have names from the root, so that rules of different places can be
//! compared: `data` at `/rooms/$room` is the same as `root.child('rooms').child($room)`.

use base::Value;

use crate::logic::solver::{Formula, Kind as Logic, Order, Test};
use crate::logic::terms::{About, Need, Term, Terms};
use crate::logic::types::Types;
use policy::diagnostic::Diagnostic;
use policy::ir::{Binary, Kind};
use policy::rtdb::lowered::{Condition, Global, Method};
use policy::source::{Source, Span};

/// Letters of a value's name.
const KEY_BYTES_MAX: usize = 2_000;
/// What can be in the database.
const STORED: Types = Types::NULL.or(Types::BOOL).or(Types::NUMBER).or(Types::TEXT).or(Types::MAP);

/// A place of the database before or after the write.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    after: bool,
    /// A key that is computed must be text.
    keys: Vec<(String, Option<Term>)>,
}

/// What an expression stands for.
#[derive(Clone, Debug)]
enum Meaning {
    Constant(Value),
    Value(Term),
    Place(Place),
    Condition(Formula),
}

/// Turns conditions into logic.
pub struct Reader<'s> {
    source: &'s Source,
    pub terms: Terms,
    here: Vec<String>,
    unknowns: usize,
    /// Comparisons that can only have one outcome.
    pub told: Vec<Diagnostic>,
}

impl<'s> Reader<'s> {
    pub fn new(source: &'s Source) -> Self {
        Self { source, terms: Terms::default(), here: Vec::new(), unknowns: 0, told: Vec::new() }
    }

    /// The condition of a rule at a place such as `/rooms/$room`.
    pub fn condition(&mut self, expr: &Condition, path: &str) -> Formula {
        self.here = keys(path);
        self.formula(expr)
    }

    /// `auth`
    pub fn auth(&mut self) -> Term {
        let about = About { caller: true, ..About::given("auth", Types::MAP.or(Types::NULL)) };
        self.terms.add(about)
    }

    /// The value at a place after the write.
    pub fn value_after(&mut self, path: &str) -> Term {
        self.value(&Place { after: true, keys: written(keys(path)) })
    }

    fn anything(&mut self) -> Meaning {
        self.unknowns += 1;
        let key = format!("anything {}", self.unknowns);
        Meaning::Value(self.terms.add(About { caller: true, ..About::maybe(key, Types::ANY) }))
    }

    /// The value at a place. What has a child is not a value itself, so a child that is there tells about its parents.
    fn value(&mut self, place: &Place) -> Term {
        let mut above: Option<Term> = None;
        let mut name = String::from(if place.after { "new:" } else { "old:" });
        let mut caller = false;
        let mut computed = Vec::new();
        let root = (String::new(), None);
        for (key, term) in std::iter::once(&root).chain(&place.keys) {
            name.push('/');
            name.push_str(key);
            caller |= key.starts_with('[');
            computed.extend(term.map(|term| Need::Strict(term, Types::TEXT)));
            let parent = above.map(|above| Need::Lenient(above, Types::MAP));
            let needs = parent.into_iter().chain(computed.iter().copied()).collect();
            above = Some(self.terms.add(About { needs, caller, ..About::given(name.clone(), STORED) }));
        }
        above.unwrap_or_else(|| self.terms.add(About::given(name, STORED)))
    }

    fn made(&mut self, key: String, types: Types, needs: Vec<Need>) -> Meaning {
        if key.len() > KEY_BYTES_MAX {
            return self.anything();
        }
        let caller = needs.iter().any(|need| {
            let (Need::Strict(term, _) | Need::Lenient(term, _)) = need;
            self.terms.about(*term).caller
        });
        Meaning::Value(self.terms.add(About { needs, caller, ..About::maybe(key, types) }))
    }

    fn types(&self, meaning: &Meaning) -> Types {
        match meaning {
            Meaning::Constant(value) => Types::of(value),
            Meaning::Value(term) => self.terms.about(*term).types,
            Meaning::Place(_) => Types::ANY,
            Meaning::Condition(_) => Types::BOOL,
        }
    }

    fn key(&self, meaning: &Meaning) -> String {
        match meaning {
            Meaning::Constant(value) => format!("{value:?}"),
            Meaning::Value(term) => self.terms.about(*term).key.clone(),
            Meaning::Place(place) => format!("{place:?}"),
            Meaning::Condition(formula) => formula.key(),
        }
    }

    fn term(&mut self, meaning: &Meaning) -> Option<Term> {
        match meaning {
            Meaning::Value(term) => Some(*term),
            Meaning::Constant(_) => None,
            Meaning::Place(place) => Some(self.value(place)),
            Meaning::Condition(formula) => {
                let key = format!("condition {}", formula.key());
                let caller = formula.any(&|part| match &part.kind {
                    Logic::Test(term, _) => self.terms.about(*term).caller,
                    _ => false,
                });
                Some(self.terms.add(About { caller, ..About::maybe(key, Types::BOOL) }))
            }
        }
    }

    fn need(&mut self, meaning: &Meaning, types: Types) -> Option<Need> {
        self.term(meaning).map(|term| Need::Strict(term, types))
    }

    fn formula(&mut self, expr: &Condition) -> Formula {
        let kind = match self.read(expr) {
            Meaning::Constant(Value::Bool(value)) => Logic::Known(value),
            Meaning::Constant(_) | Meaning::Place(_) => Logic::Fails,
            Meaning::Value(term) if self.terms.about(term).types.meets(Types::BOOL) => {
                Logic::Test(term, Test::Holds)
            }
            Meaning::Value(_) => Logic::Fails,
            Meaning::Condition(formula) => formula.kind,
        };
        Formula::new(kind, expr.span)
    }

    /// Recursion is bounded by the parser.
    fn read(&mut self, expr: &Condition) -> Meaning {
        let span = expr.span;
        match &expr.kind {
            Kind::Constant(value) => Meaning::Constant(value.clone()),
            Kind::Global(Global::Auth) => Meaning::Value(self.auth()),
            Kind::Global(Global::Now) => Meaning::Value(self.terms.add(About::given("now", Types::NUMBER))),
            Kind::Global(Global::Root) => Meaning::Place(Place { after: false, keys: Vec::new() }),
            Kind::Global(Global::Data) => {
                Meaning::Place(Place { after: false, keys: written(self.here.clone()) })
            }
            Kind::Global(Global::NewData) => {
                Meaning::Place(Place { after: true, keys: written(self.here.clone()) })
            }
            Kind::Global(Global::Query) => Meaning::Value(self.terms.add(About::given("query", Types::MAP))),
            Kind::Capture(index) => {
                let key = self.here.get(*index).cloned().unwrap_or_default();
                Meaning::Value(self.terms.add(About::given(format!("key {key}"), Types::TEXT)))
            }
            Kind::Member(object, name) => self.member(object, name),
            Kind::Index(object, index) => {
                let (object, index) = (self.read(object), self.read(index));
                if let Meaning::Constant(Value::String(name)) = &index {
                    return self.field(&object, name);
                }
                let key = format!("{}[{}]", self.key(&object), self.key(&index));
                let needs = [self.need(&object, Types::ANY), self.need(&index, Types::TEXT)];
                self.made(key, Types::ANY, needs.into_iter().flatten().collect())
            }
            Kind::Not(operand) => {
                let operand = self.formula(operand);
                Meaning::Condition(Formula::new(Logic::Not(Box::new(operand)), span))
            }
            Kind::Negate(operand) => {
                let operand = self.read(operand);
                let need = self.need(&operand, Types::NUMBER);
                self.made(format!("-({})", self.key(&operand)), Types::NUMBER, need.into_iter().collect())
            }
            Kind::And(parts) => {
                let parts = parts.iter().map(|part| self.formula(part)).collect();
                Meaning::Condition(Formula::new(Logic::And(parts), span))
            }
            Kind::Or(parts) => {
                let parts = parts.iter().map(|part| self.formula(part)).collect();
                Meaning::Condition(Formula::new(Logic::Or(parts), span))
            }
            Kind::Condition(test, yes, no) => {
                let test = self.formula(test);
                let (one, two) = (self.read(yes), self.read(no));
                if self.types(&one) == Types::BOOL || self.types(&two) == Types::BOOL {
                    let (yes, no) = (self.formula(yes), self.formula(no));
                    let kind = Logic::If(Box::new(test), Box::new(yes), Box::new(no));
                    return Meaning::Condition(Formula::new(kind, span));
                }
                self.anything()
            }
            Kind::Binary(op, left, right) => self.binary(*op, span, left, right),
            Kind::Method(receiver, method, arguments, _) => self.method(expr, receiver, *method, arguments),
            _ => self.anything(),
        }
    }

    fn member(&mut self, object: &Condition, name: &str) -> Meaning {
        let object = self.read(object);
        self.field(&object, name)
    }

    fn field(&mut self, object: &Meaning, name: &str) -> Meaning {
        let Meaning::Value(of) = object else { return self.anything() };
        let about = self.terms.about(*of);
        let (key, caller) = (format!("{}.{name}", about.key), about.caller);
        let parent = about.key.clone();
        if name == "length" && !parent.starts_with("auth") {
            return self.made(key, Types::NUMBER, vec![Need::Strict(*of, Types::TEXT)]);
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
            return self.anything();
        }
        let needs = vec![Need::Lenient(*of, Types::MAP)];
        Meaning::Value(self.terms.add(About { needs, caller, ..About::given(key, types) }))
    }

    fn binary(&mut self, op: Binary, span: Span, left: &Condition, right: &Condition) -> Meaning {
        let (one, two) = (self.read(left), self.read(right));
        let kind = match op {
            Binary::Equal => self.equal(span, &one, &two, true),
            Binary::NotEqual => {
                let equal = self.equal(span, &one, &two, false);
                Logic::Not(Box::new(Formula::new(equal, span)))
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                let order = match op {
                    Binary::Less => Order::Less,
                    Binary::LessOrEqual => Order::LessOrEqual,
                    Binary::Greater => Order::Greater,
                    _ => Order::GreaterOrEqual,
                };
                match (&one, &two) {
                    (Meaning::Constant(a), Meaning::Constant(b)) => match order.constants(a, b) {
                        Some(value) => Logic::Known(value),
                        None => Logic::Fails,
                    },
                    (subject, Meaning::Constant(value)) | (Meaning::Constant(value), subject) => {
                        let order =
                            if matches!(one, Meaning::Constant(_)) { order.mirrored() } else { order };
                        match self.term(subject) {
                            Some(term) => Logic::Test(term, Test::Compares(order, value.clone())),
                            None => return self.anything(),
                        }
                    }
                    _ => {
                        let comparable = Types::NUMBER.or(Types::TEXT);
                        let needs = [self.need(&one, comparable), self.need(&two, comparable)];
                        let key = format!("{order:?}({},{})", self.key(&one), self.key(&two));
                        return self.made(key, Types::BOOL, needs.into_iter().flatten().collect());
                    }
                }
            }
            _ => {
                let operands = if op == Binary::Add { Types::NUMBER.or(Types::TEXT) } else { Types::NUMBER };
                let needs = [self.need(&one, operands), self.need(&two, operands)];
                let text = self.types(&one) == Types::TEXT || self.types(&two) == Types::TEXT;
                let types = match op {
                    Binary::Add if text => Types::TEXT,
                    Binary::Add => operands,
                    _ => Types::NUMBER,
                };
                let key = format!("{}({},{})", op.text(), self.key(&one), self.key(&two));
                return self.made(key, types, needs.into_iter().flatten().collect());
            }
        };
        Meaning::Condition(Formula::new(kind, span))
    }

    fn equal(&mut self, span: Span, one: &Meaning, two: &Meaning, positive: bool) -> Logic {
        let (left, right) = (self.types(one), self.types(two));
        let constants = matches!((one, two), (Meaning::Constant(_), Meaning::Constant(_)));
        if !left.meets(right) && !constants {
            let outcome = if positive { "never equal" } else { "always different" };
            let message = format!("{} is compared with {}: {outcome}", left.name(), right.name());
            self.told.push(Diagnostic::warning("never-equal", span, message));
        }
        match (one, two) {
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
            _ => match (self.term(one), self.term(two)) {
                (Some(one), Some(two)) => Logic::Test(one, Test::Same(two)),
                _ => Logic::Fails,
            },
        }
    }

    fn method(
        &mut self,
        expr: &Condition,
        receiver: &Condition,
        method: Method,
        arguments: &[Condition],
    ) -> Meaning {
        let span = expr.span;
        let object = self.read(receiver);
        let Meaning::Place(place) = object else { return self.text_method(expr, &object, method, arguments) };
        let there = |reader: &mut Self, place: &Place| {
            let empty = Logic::Test(reader.value(place), Test::Equals(Value::Null));
            Logic::Not(Box::new(Formula::new(empty, span)))
        };
        let kind = match method {
            Method::Val => return Meaning::Value(self.value(&place)),
            Method::Child | Method::HasChild => {
                let Some(argument) = arguments.first() else { return self.anything() };
                let child = self.child(&place, argument);
                match method {
                    Method::Child => return Meaning::Place(child),
                    _ => there(self, &child),
                }
            }
            Method::Parent => {
                let mut above = place;
                return match above.keys.pop() {
                    Some(_) => Meaning::Place(above),
                    None => self.anything(),
                };
            }
            Method::Exists => there(self, &place),
            Method::HasChildren if arguments.is_empty() => {
                Logic::Test(self.value(&place), Test::Is(Types::MAP))
            }
            Method::HasChildren => {
                let each = arguments.iter().map(|argument| {
                    let child = self.child(&place, argument);
                    Formula::new(there(self, &child), span)
                });
                Logic::And(each.collect())
            }
            Method::IsString => Logic::Test(self.value(&place), Test::Is(Types::TEXT)),
            Method::IsNumber => Logic::Test(self.value(&place), Test::Is(Types::NUMBER)),
            Method::IsBoolean => Logic::Test(self.value(&place), Test::Is(Types::BOOL)),
            _ => return self.anything(),
        };
        Meaning::Condition(Formula::new(kind, span))
    }

    fn child(&mut self, place: &Place, argument: &Condition) -> Place {
        let mut child = place.clone();
        match self.read(argument) {
            Meaning::Constant(Value::String(path)) => child.keys.extend(written(keys(&path))),
            // A key of the path stands in names as it does in the path of a rule.
            other => {
                let key = self.key(&other);
                let name = key.strip_prefix("key ").filter(|name| self.here.iter().any(|key| key == name));
                match name {
                    Some(name) => child.keys.push((name.to_owned(), None)),
                    None => {
                        let term = self.term(&other);
                        let caller = term.is_some_and(|term| self.terms.about(term).caller);
                        // Marked as the caller's where it is.
                        let key = if caller { format!("[{key}]") } else { format!("({key})") };
                        child.keys.push((key, term));
                    }
                }
            }
        }
        child
    }

    fn text_method(
        &mut self,
        expr: &Condition,
        object: &Meaning,
        method: Method,
        arguments: &[Condition],
    ) -> Meaning {
        let meanings: Vec<Meaning> = arguments.iter().map(|argument| self.read(argument)).collect();
        let mut key = format!("{}.{}(", self.key(object), method.name());
        if method == Method::Matches {
            // The pattern is not among the arguments.
            let text = self.source.slice(expr.span);
            key.push_str(text.rsplit("matches").next().unwrap_or(text));
        }
        let mut needs: Vec<Need> = self.need(object, Types::TEXT).into_iter().collect();
        for meaning in &meanings {
            key.push_str(&format!("{},", self.key(meaning)));
            needs.extend(self.need(meaning, Types::TEXT));
        }
        let types = match method {
            Method::Replace | Method::ToLowerCase | Method::ToUpperCase => Types::TEXT,
            _ => Types::BOOL,
        };
        self.made(key, types, needs)
    }
}

/// Keys that stand in the text.
fn written(keys: Vec<String>) -> Vec<(String, Option<Term>)> {
    keys.into_iter().map(|key| (key, None)).collect()
}

fn keys(path: &str) -> Vec<String> {
    path.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}
