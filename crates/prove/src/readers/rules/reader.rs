//! Conditions as logic: calls are replaced by what is called, names by the values they stand for.
//!
//! What cannot be so (`request.auth.email`, text in place of a boolean) is told on the way. A place inside a function is
//! told only if it is wrong in every call that is looked at.

use std::collections::BTreeMap;

use base::Value;

use super::shapes::{self, Shape};
use crate::claims::one_slip_apart;
use crate::logic::solver::{Formula, Kind as Logic, Order, Test};
use crate::logic::terms::{About, Need, Term, Terms};
use crate::logic::types::Types;
use policy::diagnostic::Diagnostic;
use policy::ir::{Binary, Expr, Kind, Part};
use policy::request::Method as Verb;
use policy::rules::lowered::Lowered;
use policy::rules::lowered::{Function, Global, Method, Rules, Type};
use policy::rules::{Ruleset, Service};
use policy::source::Span;

/// Expressions of one condition, those of called functions included, before the rest is taken to be anything.
const EXPRESSIONS_MAX: usize = 4_000;
/// Expressions within each other, over all calls.
const NEST_LEVELS_MAX: usize = 300;
/// Fields that are listed in a message.
const NAMES_SHOWN_MAX: usize = 6;
/// Letters of an expression that is shown whole in a message.
const SHOWN_BYTES_MAX: usize = 50;
/// Letters of a value's key.
const KEY_BYTES_MAX: usize = 2_000;

type Condition = Expr<Rules>;

/// What an expression stands for.
#[derive(Clone, Debug)]
pub enum Meaning {
    Constant(Value),
    Value(Term, Shape),
    Condition(Formula),
}

/// What is told about a place, and how often it was found right and wrong.
#[derive(Default)]
struct Verdict {
    told: Option<Diagnostic>,
    right: bool,
}

/// Turns the conditions of one ruleset into logic.
pub struct Reader<'r> {
    ruleset: &'r Ruleset,
    lowered: &'r Lowered,
    service: Service,
    pub terms: Terms,
    /// The variables of the pattern at hand: which segment, and whether it may be several.
    captures: Vec<(String, bool)>,
    expressions: usize,
    level: usize,
    unknowns: usize,
    verdicts: BTreeMap<(Span, &'static str), Verdict>,
}

/// Parameters and `let`s of the function at hand.
struct Frame<'r> {
    parameters: Vec<Meaning>,
    lets: &'r [Condition],
}

impl<'r> Reader<'r> {
    pub fn new(ruleset: &'r Ruleset) -> Self {
        Self {
            ruleset,
            lowered: ruleset.lowered(),
            service: ruleset.service(),
            terms: Terms::default(),
            captures: Vec::new(),
            expressions: 0,
            level: 0,
            unknowns: 0,
            verdicts: BTreeMap::new(),
        }
    }

    /// The condition of a rule.
    pub fn condition(&mut self, expr: &'r Condition, pattern: usize) -> Formula {
        self.expressions = 0;
        self.captures = self.lowered.patterns.get(pattern).map_or_else(Vec::new, |pattern| {
            let place = |at: usize| match pattern.glob {
                Some(glob) if glob == at => (format!("/**{at}"), true),
                // Behind a glob, what counts is how far from the end it is.
                Some(glob) if glob < at => (format!("/-{}", pattern.segments.len() - at), false),
                _ => (format!("/{at}"), false),
            };
            pattern.captures.iter().map(|(at, _)| place(*at)).collect()
        });
        let frame = Frame { parameters: Vec::new(), lets: &[] };
        self.formula(expr, &frame)
    }

    /// What was found wrong wherever it was looked at.
    pub fn told(&mut self) -> Vec<Diagnostic> {
        let verdicts = std::mem::take(&mut self.verdicts).into_values();
        verdicts.filter(|verdict| !verdict.right).filter_map(|verdict| verdict.told).collect()
    }

    /// Where something was found wrong.
    pub fn places_told(&self) -> Vec<Span> {
        let wrong = self.verdicts.iter().filter(|(_, verdict)| !verdict.right && verdict.told.is_some());
        wrong.map(|((span, _), _)| *span).collect()
    }

    fn verdict(&mut self, span: Span, code: &'static str, told: Option<Diagnostic>) -> bool {
        let verdict = self.verdicts.entry((span, code)).or_default();
        let wrong = told.is_some();
        match told {
            Some(told) => verdict.told = Some(told),
            None => verdict.right = true,
        }
        wrong
    }

    fn text(&self, span: Span) -> String {
        self.ruleset.source().slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `request.auth`
    pub fn auth(&mut self) -> Term {
        let about = About { caller: true, ..About::given("request.auth", Types::MAP.or(Types::NULL)) };
        self.terms.add(about)
    }

    /// `request.method`
    pub fn method_of_request(&mut self) -> Term {
        let among = Verb::ALL.into_iter().map(|verb| Value::String(verb.name().to_owned())).collect();
        self.terms.add(About { among: Some(among), ..About::given("request.method", Types::TEXT) })
    }

    /// `resource`
    pub fn existing(&mut self) -> Term {
        self.terms.add(About::given("resource", Types::MAP.or(Types::NULL)))
    }

    /// `request.resource`
    pub fn new_resource(&mut self) -> Term {
        self.terms.add(About::given("request.resource", Types::MAP.or(Types::NULL)))
    }

    fn global(&mut self, global: Global) -> Meaning {
        let document = match self.service {
            Service::Firestore => Shape::Document,
            Service::Storage => Shape::Object,
        };
        match global {
            Global::Request => {
                Meaning::Value(self.terms.add(About::given("request", Types::MAP)), Shape::Request)
            }
            Global::RequestAuth => Meaning::Value(self.auth(), Shape::Auth),
            Global::Resource => Meaning::Value(self.existing(), document),
            Global::RequestResource => Meaning::Value(self.new_resource(), document),
        }
    }

    /// Something of which nothing is known, and which is like nothing else.
    fn anything(&mut self) -> Meaning {
        self.unknowns += 1;
        let key = format!("anything {}", self.unknowns);
        // It might as well be about the caller: nothing is proven by it.
        Meaning::Value(self.terms.add(About { caller: true, ..About::maybe(key, Types::ANY) }), Shape::Other)
    }

    fn fails(span: Span) -> Meaning {
        Meaning::Condition(Formula::new(Logic::Fails, span))
    }

    /// A value made of others.
    fn made(&mut self, key: String, types: Types, needs: Vec<Need>) -> Meaning {
        if key.len() > KEY_BYTES_MAX {
            return self.anything();
        }
        let fails = |need: &Need| match need {
            Need::Strict(term, _) | Need::Lenient(term, _) => self.terms.about(*term).types.is_empty(),
        };
        if needs.iter().any(fails) {
            return Self::fails(Span::default());
        }
        let caller = needs.iter().any(|need| {
            let (Need::Strict(term, _) | Need::Lenient(term, _)) = need;
            self.terms.about(*term).caller
        });
        Meaning::Value(self.terms.add(About { needs, caller, ..About::maybe(key, types) }), Shape::Other)
    }

    fn types(&self, meaning: &Meaning) -> Types {
        match meaning {
            Meaning::Constant(value) => match value {
                Value::Integer(_) => Types::INT,
                Value::Double(_) => Types::FLOAT,
                other => Types::of(other),
            },
            Meaning::Value(term, _) => self.terms.about(*term).types,
            // Why it fails was told; nothing is said about it again.
            Meaning::Condition(Formula { kind: Logic::Fails, .. }) => Types::ANY,
            Meaning::Condition(_) => Types::BOOL,
        }
    }

    fn key(&self, meaning: &Meaning) -> String {
        match meaning {
            Meaning::Constant(value) => format!("{value:?}"),
            Meaning::Value(term, _) => self.terms.about(*term).key.clone(),
            Meaning::Condition(formula) => formula.key(),
        }
    }

    /// A condition as a value, so that it can be compared.
    fn term(&mut self, meaning: &Meaning) -> Option<Term> {
        match meaning {
            Meaning::Value(term, _) => Some(*term),
            Meaning::Constant(_) => None,
            Meaning::Condition(Formula { kind: Logic::Fails, .. }) => {
                Some(self.terms.add(About::maybe("an error", Types::NONE)))
            }
            Meaning::Condition(formula) => {
                let caller = formula.any(&|part| match &part.kind {
                    Logic::Test(term, _) => self.terms.about(*term).caller,
                    _ => false,
                });
                let key = format!("condition {}", formula.key());
                Some(self.terms.add(About { caller, ..About::maybe(key, Types::BOOL) }))
            }
        }
    }

    fn need(&mut self, meaning: &Meaning, types: Types) -> Option<Need> {
        self.term(meaning).map(|term| Need::Strict(term, types))
    }

    /// An expression that must be a boolean.
    fn formula(&mut self, expr: &'r Condition, frame: &Frame<'r>) -> Formula {
        let meaning = self.read(expr, frame);
        let types = self.types(&meaning);
        let told = (!types.meets(Types::BOOL)).then(|| self.not_boolean(expr, types));
        let literal = matches!(meaning, Meaning::Constant(_));
        self.verdict(expr.span, "not-a-boolean", told.filter(|_| !literal));
        match meaning {
            Meaning::Constant(Value::Bool(value)) => Formula::new(Logic::Known(value), expr.span),
            Meaning::Constant(_) => Formula::new(Logic::Fails, expr.span),
            Meaning::Value(term, _) if types.meets(Types::BOOL) => {
                Formula::new(Logic::Test(term, Test::Holds), expr.span)
            }
            Meaning::Value(..) => Formula::new(Logic::Fails, expr.span),
            Meaning::Condition(formula) => Formula::new(formula.kind, expr.span),
        }
    }

    fn not_boolean(&self, expr: &Condition, types: Types) -> Diagnostic {
        let text = self.text(expr.span);
        let message = format!("`{text}` is {}, not a boolean: the condition fails and denies", types.name());
        let help = format!("to ask whether it is there, write `{text} != null`");
        Diagnostic::warning("not-a-boolean", expr.span, message).help(help)
    }

    fn read(&mut self, expr: &'r Condition, frame: &Frame<'r>) -> Meaning {
        self.expressions += 1;
        if self.expressions > EXPRESSIONS_MAX || self.level >= NEST_LEVELS_MAX {
            return self.anything();
        }
        self.level += 1;
        let meaning = self.read_kind(expr, frame);
        self.level -= 1;
        meaning
    }

    /// Recursion is bounded by the levels that are counted.
    fn read_kind(&mut self, expr: &'r Condition, frame: &Frame<'r>) -> Meaning {
        let span = expr.span;
        match &expr.kind {
            Kind::Constant(value) => Meaning::Constant(value.clone()),
            Kind::Global(global) => self.global(*global),
            Kind::Local(slot) => match frame.parameters.get(*slot) {
                Some(meaning) => meaning.clone(),
                // A `let` sees the parameters and the earlier ones, as the body does.
                None => match frame.lets.get(slot - frame.parameters.len()) {
                    Some(value) => self.read(value, frame),
                    None => self.anything(),
                },
            },
            Kind::Capture(index) => self.capture(*index),
            Kind::Member(object, name) => {
                let object_meaning = self.read(object, frame);
                self.member(&object_meaning, name, expr, object)
            }
            Kind::Index(object, index) => {
                let object_meaning = self.read(object, frame);
                let index_meaning = self.read(index, frame);
                self.index(&object_meaning, &index_meaning)
            }
            Kind::Slice(object, start, end) => {
                let parts = [object, start, end].map(|part| self.read(part, frame));
                let keys: Vec<String> = parts.iter().map(|part| self.key(part)).collect();
                let types = self.types(&parts[0]).and(Types::LIST.or(Types::TEXT));
                let need = parts.first().and_then(|object| self.need(object, Types::LIST.or(Types::TEXT)));
                self.made(format!("slice({})", keys.join(",")), types, need.into_iter().collect())
            }
            Kind::Not(operand) => {
                let operand = self.formula(operand, frame);
                Meaning::Condition(Formula::new(Logic::Not(Box::new(operand)), span))
            }
            Kind::Negate(operand) => {
                let operand = self.read(operand, frame);
                let need = self.need(&operand, Types::NUMBER);
                self.made(format!("-({})", self.key(&operand)), Types::NUMBER, need.into_iter().collect())
            }
            Kind::Binary(op, left, right) => self.binary(*op, expr, left, right, frame),
            Kind::And(operands) => {
                let parts = operands.iter().map(|operand| self.formula(operand, frame)).collect();
                Meaning::Condition(Formula::new(Logic::And(parts), span))
            }
            Kind::Or(operands) => {
                let parts = operands.iter().map(|operand| self.formula(operand, frame)).collect();
                Meaning::Condition(Formula::new(Logic::Or(parts), span))
            }
            Kind::Condition(test, yes, no) => self.choice(expr, test, yes, no, frame),
            Kind::Is(value, kind) => {
                let value = self.read(value, frame);
                let types = asked(*kind);
                match self.term(&value) {
                    Some(term) => {
                        // A whole number from a document may be a double, and the other way round.
                        Meaning::Condition(Formula::new(Logic::Test(term, Test::Is(types)), span))
                    }
                    None => {
                        let known = self.types(&value).within(types);
                        Meaning::Condition(Formula::new(Logic::Known(known), span))
                    }
                }
            }
            Kind::List(items) => {
                let items: Vec<Meaning> = items.iter().map(|item| self.read(item, frame)).collect();
                let constants: Option<Vec<Value>> = items.iter().map(constant).collect();
                match constants {
                    Some(values) => Meaning::Constant(Value::Array(values)),
                    None => self.gathered("list", &items, Types::LIST),
                }
            }
            Kind::Map(entries) => {
                let values: Vec<Meaning> = entries.iter().map(|(_, value)| self.read(value, frame)).collect();
                let names: Vec<&str> = entries.iter().map(|(name, _)| &**name).collect();
                self.gathered(&format!("map {names:?} "), &values, Types::MAP)
            }
            Kind::Path(parts) => self.path(parts, frame),
            Kind::Call(function, arguments) => {
                let parameters = arguments.iter().map(|argument| self.read(argument, frame)).collect();
                match self.lowered.functions.get(*function) {
                    Some(called) => {
                        let frame = Frame { parameters, lets: &called.lets };
                        let meaning = self.read(&called.body, &frame);
                        match meaning {
                            // A comparison is where it is written; a whole body is where it is called.
                            Meaning::Condition(formula) => Meaning::Condition(formula),
                            other => other,
                        }
                    }
                    None => self.anything(),
                }
            }
            Kind::Function(function, arguments) => self.function(*function, arguments, frame),
            Kind::Method(receiver, method, arguments, _) => {
                self.method(expr, receiver, *method, arguments, frame)
            }
            Kind::UnknownFunction(_, arguments) => {
                arguments.iter().for_each(|argument| drop(self.read(argument, frame)));
                Self::fails(span)
            }
            Kind::UnknownMethod(receiver, _, arguments) => {
                self.read(receiver, frame);
                arguments.iter().for_each(|argument| drop(self.read(argument, frame)));
                Self::fails(span)
            }
            Kind::UnknownVariable(_) => Self::fails(span),
        }
    }

    fn capture(&mut self, index: usize) -> Meaning {
        match self.captures.get(index).cloned() {
            Some((key, is_glob)) => {
                let types = if is_glob { Types::PATH } else { Types::TEXT };
                Meaning::Value(self.terms.add(About::given(key, types)), Shape::Other)
            }
            None => self.anything(),
        }
    }

    fn gathered(&mut self, name: &str, items: &[Meaning], types: Types) -> Meaning {
        let keys: Vec<String> = items.iter().map(|item| self.key(item)).collect();
        let needs = items.iter().filter_map(|item| self.need(item, Types::ANY)).collect();
        self.made(format!("{name}({})", keys.join(",")), types, needs)
    }

    fn member(&mut self, object: &Meaning, name: &str, expr: &'r Condition, written: &Condition) -> Meaning {
        let Meaning::Value(of, shape) = object else {
            // A member of what is no value fails; why is told elsewhere.
            return match object {
                Meaning::Constant(Value::Map(_)) => self.anything(),
                _ => Self::fails(expr.span),
            };
        };
        let holders = Types::MAP.or(Types::PATH);
        let types = self.types(object);
        if !types.meets(holders) {
            let text = self.text(written.span);
            let message = format!("`{text}` is {}, which has no fields: this fails and denies", types.name());
            self.verdict(
                expr.span,
                "no-such-field",
                Some(Diagnostic::warning("no-such-field", expr.span, message)),
            );
            return Self::fails(expr.span);
        }
        if *shape == Shape::Request && name == "method" {
            self.verdict(expr.span, "no-such-field", None);
            return Meaning::Value(self.method_of_request(), Shape::Other);
        }
        let Some(field) = shape.field(name, self.service) else {
            let told = self.no_such_field(*shape, name, expr, written);
            self.verdict(expr.span, "no-such-field", Some(told));
            return Self::fails(expr.span);
        };
        self.verdict(expr.span, "no-such-field", None);
        let about = self.terms.about(*of);
        let key = format!("{}.{name}", about.key);
        let about = About {
            caller: about.caller,
            needs: vec![Need::Strict(*of, holders)],
            always: field.always,
            ..About::given(key, field.types)
        };
        if about.key.len() > KEY_BYTES_MAX {
            return self.anything();
        }
        Meaning::Value(self.terms.add(about), field.shape)
    }

    fn no_such_field(&self, shape: Shape, name: &str, expr: &Condition, written: &Condition) -> Diagnostic {
        let mut of = self.text(written.span);
        if of.len() > SHOWN_BYTES_MAX {
            of = format!("{}…)", of.split('(').next().map_or("(".to_owned(), |name| format!("{name}(")));
        }
        let names = shape.names(self.service).unwrap_or_default();
        let message = if names.len() > NAMES_SHOWN_MAX {
            format!("`{of}` has no field `{name}`: this fails and denies")
        } else {
            let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("`{of}` has no field `{name}`, only {known}: this fails and denies")
        };
        let near = names.iter().find(|known| one_slip_apart(name, known));
        let help = match (shape, near) {
            (_, Some(near)) => format!("did you mean `{of}.{near}`?"),
            (Shape::Document, _) => {
                format!("the fields of the document are in its `data`: write `{of}.data.{name}`")
            }
            (Shape::Auth, _) => format!("claims are in the token: write `{of}.token.{name}`"),
            (Shape::Object, _) if name == "timeUpdated" => format!("it is `{of}.updated`"),
            (Shape::Object, _) => format!("what the app stores with a file is in `{of}.metadata`"),
            (Shape::Request, _) if name == "data" => {
                "the document to be written is `request.resource.data`".to_owned()
            }
            (Shape::Request, _) if ["user", "uid", "token"].contains(&name) => {
                "who asks is `request.auth`, with `uid` and `token`".to_owned()
            }
            _ => return Diagnostic::warning("no-such-field", expr.span, message),
        };
        Diagnostic::warning("no-such-field", expr.span, message).help(help)
    }

    fn index(&mut self, object: &Meaning, index: &Meaning) -> Meaning {
        if let (Meaning::Value(of, shape), Meaning::Constant(Value::String(name))) = (object, index)
            && *shape != Shape::Request
            && let Some(field) = shape.field(name, self.service)
        {
            let key = format!("{}.{name}", self.terms.about(*of).key);
            let about = About {
                caller: self.terms.about(*of).caller,
                needs: vec![Need::Strict(*of, Types::MAP.or(Types::PATH))],
                always: field.always,
                ..About::given(key, field.types)
            };
            return Meaning::Value(self.terms.add(about), field.shape);
        }
        let key = format!("{}[{}]", self.key(object), self.key(index));
        let holders = Types::MAP.or(Types::LIST).or(Types::TEXT).or(Types::PATH);
        let needs: Vec<Need> =
            [self.need(object, holders), self.need(index, Types::ANY)].into_iter().flatten().collect();
        self.made(key, Types::ANY, needs)
    }

    fn choice(
        &mut self,
        expr: &'r Condition,
        test: &'r Condition,
        yes: &'r Condition,
        no: &'r Condition,
        frame: &Frame<'r>,
    ) -> Meaning {
        let test = self.formula(test, frame);
        let (yes_meaning, no_meaning) = (self.read(yes, frame), self.read(no, frame));
        let both = self.types(&yes_meaning).or(self.types(&no_meaning));
        let boolean = |meaning: &Meaning, span: Span| match meaning {
            Meaning::Condition(formula) => Some(formula.clone()),
            Meaning::Constant(Value::Bool(value)) => Some(Formula::new(Logic::Known(*value), span)),
            Meaning::Value(term, _) => Some(Formula::new(Logic::Test(*term, Test::Holds), span)),
            Meaning::Constant(_) => None,
        };
        // As soon as one side surely is a boolean, the whole is meant as a condition.
        let is_condition =
            [&yes_meaning, &no_meaning].into_iter().any(|meaning| self.types(meaning) == Types::BOOL);
        if is_condition
            && let (Some(yes), Some(no)) = (boolean(&yes_meaning, yes.span), boolean(&no_meaning, no.span))
        {
            let kind = Logic::If(Box::new(test), Box::new(yes), Box::new(no));
            return Meaning::Condition(Formula::new(kind, expr.span));
        }
        let key = format!("if({},{},{})", test.key(), self.key(&yes_meaning), self.key(&no_meaning));
        let test = self.term(&Meaning::Condition(test)).map(|term| Need::Strict(term, Types::BOOL));
        self.made(key, both, test.into_iter().collect())
    }

    fn binary(
        &mut self,
        op: Binary,
        expr: &'r Condition,
        left: &'r Condition,
        right: &'r Condition,
        frame: &Frame<'r>,
    ) -> Meaning {
        let (one, two) = (self.read(left, frame), self.read(right, frame));
        let span = expr.span;
        match op {
            Binary::Equal | Binary::NotEqual => {
                let equal = self.equal(expr, &one, &two, op == Binary::Equal);
                let kind = if op == Binary::Equal { equal.kind } else { Logic::Not(Box::new(equal)) };
                Meaning::Condition(Formula::new(kind, span))
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                let order = match op {
                    Binary::Less => Order::Less,
                    Binary::LessOrEqual => Order::LessOrEqual,
                    Binary::Greater => Order::Greater,
                    _ => Order::GreaterOrEqual,
                };
                self.ordered(order, expr, &one, &two)
            }
            Binary::In => self.contained(expr, &one, &two),
            _ => self.computed(op, expr, &one, &two),
        }
    }

    fn equal(&mut self, expr: &'r Condition, one: &Meaning, two: &Meaning, positive: bool) -> Formula {
        let span = expr.span;
        let (left, right) = (self.types(one), self.types(two));
        let numbers = left.meets(Types::NUMBER) && right.meets(Types::NUMBER);
        let unlike = !left.meets(right) && !numbers;
        let null = left == Types::NULL || right == Types::NULL;
        // `uid != null` fails where nobody is signed in, which is what it is for.
        let told = unlike && (positive || !null) && constant(one).is_none_or(|_| constant(two).is_none());
        let told = told.then(|| {
            let message = if null {
                let other = if left == Types::NULL { right } else { left };
                format!("what is compared with null here is {}, or an error: it is never equal", other.name())
            } else {
                format!("{} is compared with {}, which is never equal", left.name(), right.name())
            };
            Diagnostic::warning("never-equal", span, message)
        });
        self.verdict(span, "never-equal", told);
        let (subject, other) = match (one, two) {
            (Meaning::Constant(a), Meaning::Constant(b)) => {
                return Formula::new(Logic::Known(crate::logic::solver::equal(a, b)), span);
            }
            (Meaning::Constant(_), _) => (two, one),
            _ => (one, two),
        };
        match (subject, other) {
            (Meaning::Condition(formula), Meaning::Constant(Value::Bool(true))) => formula.clone(),
            (Meaning::Condition(formula), Meaning::Constant(Value::Bool(false))) => {
                Formula::new(Logic::Not(Box::new(formula.clone())), span)
            }
            (_, Meaning::Constant(value)) => match self.term(subject) {
                Some(term) => Formula::new(Logic::Test(term, Test::Equals(value.clone())), span),
                None => Formula::new(Logic::Fails, span),
            },
            _ => match (self.term(subject), self.term(other)) {
                (Some(one), Some(two)) => Formula::new(Logic::Test(one, Test::Same(two)), span),
                _ => Formula::new(Logic::Fails, span),
            },
        }
    }

    fn ordered(&mut self, order: Order, expr: &'r Condition, one: &Meaning, two: &Meaning) -> Meaning {
        let span = expr.span;
        let comparable = Types::NUMBER.or(Types::TEXT).or(Types::TIME).or(Types::SPAN);
        let (left, right) = (self.types(one).and(comparable), self.types(two).and(comparable));
        let fits = left.meets(right) || left.meets(Types::NUMBER) && right.meets(Types::NUMBER);
        let told = (!fits).then(|| {
            let message = format!(
                "{} and {} cannot be compared: this fails and denies",
                self.types(one).name(),
                self.types(two).name()
            );
            let diagnostic = Diagnostic::warning("operands-do-not-fit", span, message);
            let kinds = self.types(one).or(self.types(two));
            if kinds.meets(Types::TIME) && kinds.meets(Types::NUMBER) {
                diagnostic.help("a number of milliseconds becomes a timestamp with `timestamp.value(…)`")
            } else {
                diagnostic
            }
        });
        if self.verdict(span, "operands-do-not-fit", told) {
            return Self::fails(span);
        }
        let kind = match (one, two) {
            (subject, Meaning::Constant(value)) => match self.term(subject) {
                Some(term) => Logic::Test(term, Test::Compares(order, value.clone())),
                None => return self.anything(),
            },
            (Meaning::Constant(value), subject) => match self.term(subject) {
                Some(term) => Logic::Test(term, Test::Compares(order.mirrored(), value.clone())),
                None => return self.anything(),
            },
            _ => {
                let key = format!("{order:?}({},{})", self.key(one), self.key(two));
                let needs = [self.need(one, comparable), self.need(two, comparable)];
                return self.made(key, Types::BOOL, needs.into_iter().flatten().collect());
            }
        };
        Meaning::Condition(Formula::new(kind, span))
    }

    fn contained(&mut self, expr: &'r Condition, one: &Meaning, two: &Meaning) -> Meaning {
        let span = expr.span;
        let holders = Types::LIST.or(Types::SET).or(Types::MAP);
        let types = self.types(two);
        let literal = matches!(two, Meaning::Constant(_));
        let told = (!types.meets(holders) && !literal).then(|| {
            let message = format!("`in` looks into a list or a map; this is {}", types.name());
            Diagnostic::warning("operands-do-not-fit", span, message)
        });
        if self.verdict(span, "operands-do-not-fit", told) {
            return Self::fails(span);
        }
        if let (Meaning::Constant(Value::Array(values)), Some(term)) = (two, self.term(one)) {
            return Meaning::Condition(Formula::new(Logic::Test(term, Test::Among(values.clone())), span));
        }
        let key = format!("in({},{})", self.key(one), self.key(two));
        let needs = [self.need(one, Types::ANY), self.need(two, holders)].into_iter().flatten().collect();
        self.made(key, Types::BOOL, needs)
    }

    fn computed(&mut self, op: Binary, expr: &'r Condition, one: &Meaning, two: &Meaning) -> Meaning {
        let (left, right) = (self.types(one), self.types(two));
        let number = left.meets(Types::NUMBER) && right.meets(Types::NUMBER);
        let mut types = if number { Types::NUMBER } else { Types::NONE };
        if op == Binary::Add {
            if left.meets(Types::TEXT) && right.meets(Types::TEXT) {
                types = types.or(Types::TEXT);
            }
            if left.meets(Types::TIME) && right.meets(Types::SPAN)
                || left.meets(Types::SPAN) && right.meets(Types::TIME)
            {
                types = types.or(Types::TIME);
            }
        }
        if op == Binary::Subtract && left.meets(Types::TIME) {
            if right.meets(Types::SPAN) {
                types = types.or(Types::TIME);
            }
            if right.meets(Types::TIME) {
                types = types.or(Types::SPAN);
            }
        }
        if matches!(op, Binary::Add | Binary::Subtract) && left.meets(Types::SPAN) && right.meets(Types::SPAN)
        {
            types = types.or(Types::SPAN);
        }
        let told = types.is_empty().then(|| {
            let message = format!(
                "`{}` does not take {} and {}: this fails and denies",
                op.text(),
                left.name(),
                right.name()
            );
            let diagnostic = Diagnostic::warning("operands-do-not-fit", expr.span, message);
            if op == Binary::Add && left.or(right).meets(Types::TEXT) {
                diagnostic.help("turn the other one into text with `string(…)`")
            } else {
                diagnostic
            }
        });
        if self.verdict(expr.span, "operands-do-not-fit", told) {
            return Self::fails(expr.span);
        }
        let key = format!("{}({},{})", op.text(), self.key(one), self.key(two));
        let needs = [self.need(one, Types::ANY), self.need(two, Types::ANY)].into_iter().flatten().collect();
        self.made(key, types, needs)
    }

    fn path(&mut self, parts: &'r [Part<Rules>], frame: &Frame<'r>) -> Meaning {
        let mut key = String::from("path ");
        let mut needs = Vec::new();
        for part in parts {
            key.push('/');
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Value(value) => {
                    let meaning = self.read(value, frame);
                    key.push_str(&format!("$({})", self.key(&meaning)));
                    needs.extend(self.need(&meaning, Types::ANY.but(Types::NULL)));
                }
            }
        }
        self.made(key, Types::PATH, needs)
    }

    fn function(&mut self, function: Function, arguments: &'r [Condition], frame: &Frame<'r>) -> Meaning {
        let meanings: Vec<Meaning> = arguments.iter().map(|argument| self.read(argument, frame)).collect();
        if function == Function::Debug
            && let [only] = &*meanings
        {
            return only.clone();
        }
        if function.reads()
            && let ([meaning], [written]) = (&*meanings, arguments)
        {
            let types = self.types(meaning);
            let fits = types.meets(Types::PATH);
            // What can be seen without following calls was told when compiling.
            let literal = matches!(written.kind, Kind::Constant(_) | Kind::List(_) | Kind::Map(_));
            let told = (!fits && !literal).then(|| {
                let message =
                    format!("{}() takes a document path; this is {}", function.name(), types.name());
                let help = format!(
                    "write a path: `{}(/databases/$(database)/documents/collection/$(id))`",
                    function.name()
                );
                Diagnostic::warning("exists-takes-a-path", written.span, message).help(help)
            });
            if self.verdict(written.span, "exists-takes-a-path", told) || !fits {
                return Self::fails(written.span);
            }
        }
        let (types, shape) = shapes::returned(function);
        let keys: Vec<String> = meanings.iter().map(|meaning| self.key(meaning)).collect();
        let needs = meanings.iter().filter_map(|meaning| self.need(meaning, Types::ANY)).collect();
        match self.made(format!("{}({})", function.name(), keys.join(",")), types, needs) {
            Meaning::Value(term, _) => Meaning::Value(term, shape),
            other => other,
        }
    }

    fn method(
        &mut self,
        expr: &'r Condition,
        receiver: &'r Condition,
        method: Method,
        arguments: &'r [Condition],
        frame: &Frame<'r>,
    ) -> Meaning {
        let object = self.read(receiver, frame);
        let meanings: Vec<Meaning> = arguments.iter().map(|argument| self.read(argument, frame)).collect();
        let types = self.types(&object);
        let (holders, returned) = shapes::method(method);
        let told = (!types.meets(holders)).then(|| {
            let text = self.text(receiver.span);
            let name = method.name();
            let message =
                format!("`{text}` is {}, which has no method `{name}`: this fails and denies", types.name());
            let diagnostic = Diagnostic::warning("no-such-method", expr.at, message);
            match method {
                Method::HasAll | Method::HasAny | Method::HasOnly if types.meets(Types::MAP) => {
                    diagnostic.help(format!("ask its keys: `{text}.keys().{name}(…)`"))
                }
                Method::HasAll | Method::HasAny | Method::HasOnly if types.meets(Types::DIFF) => {
                    diagnostic.help(format!("ask its keys: `{text}.affectedKeys().{name}(…)`"))
                }
                Method::Union | Method::Intersection | Method::Difference if types.meets(Types::LIST) => {
                    diagnostic.help(format!("make it a set first: `{text}.toSet().{name}(…)`"))
                }
                _ => diagnostic,
            }
        });
        if self.verdict(expr.at, "no-such-method", told) {
            return Self::fails(expr.span);
        }
        let keys: Vec<String> = meanings.iter().map(|meaning| self.key(meaning)).collect();
        let key = format!("{}.{}({})", self.key(&object), method.name(), keys.join(","));
        let mut needs: Vec<Need> = self.need(&object, holders).into_iter().collect();
        needs.extend(meanings.iter().filter_map(|meaning| self.need(meaning, Types::ANY)));
        self.made(key, returned, needs)
    }
}

fn constant(meaning: &Meaning) -> Option<Value> {
    match meaning {
        Meaning::Constant(value) => Some(value.clone()),
        _ => None,
    }
}

/// The kinds of values that `is` means.
fn asked(kind: Type) -> Types {
    match kind {
        Type::Bool => Types::BOOL,
        Type::Int => Types::INT,
        Type::Float => Types::FLOAT,
        Type::Number => Types::NUMBER,
        Type::String => Types::TEXT,
        Type::List => Types::LIST,
        Type::Map => Types::MAP,
        Type::Timestamp => Types::TIME,
        Type::Duration => Types::SPAN,
        Type::Path => Types::PATH,
        Type::LatLng => Types::PLACE,
        Type::Bytes => Types::BYTES,
        Type::Set => Types::SET,
    }
}
