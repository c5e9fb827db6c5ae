//! Conditions of Firestore and Storage rules as logic: calls are replaced by what is called, names by the values they
//! stand for.
//!
//! What cannot be right (`request.auth.email`, text in place of a boolean) is noted on the way. A place inside a function
//! is odd only if it is in every call that is looked at.

use std::collections::BTreeMap;

use base::Value;
use policy::ir::{Expr, Kind};
use policy::rules::lowered::{Global, Lowered, Rules, Type};
use policy::{Method as Verb, Ruleset, Service, Span};

use super::oddity::{Odd, Oddity, Question};
use super::shapes::Shape;
use crate::logic::{self, About, Formula, Kind as Logic, Meanings, Subject, Term, Terms, Test, Types};

/// Expressions of one condition, those of called functions included, before the rest is taken to be anything.
const EXPRESSIONS_MAX: usize = 4_000;
/// Expressions within each other, over all calls.
const NEST_LEVELS_MAX: usize = 300;

pub(super) type Condition = Expr<Rules>;
pub(super) type Meaning = logic::Meaning<Shaped>;

/// A value, and what is known of its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shaped(pub Term, pub Shape);

impl Subject for Shaped {
    fn of(term: Term) -> Self {
        Self(term, Shape::Other)
    }

    fn types(&self, terms: &Terms) -> Types {
        self.0.types(terms)
    }

    fn key(&self, terms: &Terms) -> String {
        self.0.key(terms)
    }

    fn term(&self, _: &mut Terms) -> Term {
        self.0
    }
}

/// What was odd about a place, and whether it was not in another use.
#[derive(Default)]
struct Verdict {
    odd: Option<Oddity>,
    right: bool,
}

/// Turns the conditions of one ruleset into logic.
pub(super) struct Reader<'r> {
    pub(super) lowered: &'r Lowered,
    pub(super) service: Service,
    pub(super) meanings: Meanings,
    /// The variables of the pattern at hand: which segment, and whether it may be several.
    captures: Vec<(String, bool)>,
    expressions: usize,
    level: usize,
    verdicts: BTreeMap<(Span, Question), Verdict>,
}

/// Parameters and `let`s of the function at hand.
pub(super) struct Frame<'r> {
    pub parameters: Vec<Meaning>,
    pub lets: &'r [Condition],
}

impl<'r> Reader<'r> {
    pub fn new(ruleset: &'r Ruleset) -> Self {
        Self {
            lowered: ruleset.lowered(),
            service: ruleset.service(),
            meanings: Meanings::default(),
            captures: Vec::new(),
            expressions: 0,
            level: 0,
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

    /// What was odd wherever it was looked at.
    pub fn oddities(&mut self) -> Vec<Odd> {
        let verdicts = std::mem::take(&mut self.verdicts).into_iter();
        let odd = verdicts.filter(|(_, verdict)| !verdict.right);
        odd.filter_map(|((span, _), verdict)| Some(Odd { span, oddity: verdict.odd? })).collect()
    }

    /// Notes what was found; true if it was odd.
    pub(super) fn note(&mut self, span: Span, question: Question, odd: Option<Oddity>) -> bool {
        let verdict = self.verdicts.entry((span, question)).or_default();
        let is_odd = odd.is_some();
        match odd {
            Some(odd) => verdict.odd = Some(odd),
            None => verdict.right = true,
        }
        is_odd
    }

    /// `request.auth`
    pub fn auth(&mut self) -> Term {
        let about = About { caller: true, ..About::given("request.auth", Types::MAP.or(Types::NULL)) };
        self.meanings.terms.add(about)
    }

    /// `request.method`
    pub fn method_of_request(&mut self) -> Term {
        let among = Verb::ALL.into_iter().map(|verb| Value::String(verb.name().to_owned())).collect();
        self.meanings.terms.add(About { among: Some(among), ..About::given("request.method", Types::TEXT) })
    }

    /// `resource`
    pub fn existing(&mut self) -> Term {
        self.meanings.terms.add(About::given("resource", Types::MAP.or(Types::NULL)))
    }

    /// `request.resource`
    pub fn new_resource(&mut self) -> Term {
        self.meanings.terms.add(About::given("request.resource", Types::MAP.or(Types::NULL)))
    }

    fn global(&mut self, global: Global) -> Meaning {
        let document = match self.service {
            Service::Firestore => Shape::Document,
            Service::Storage => Shape::Object,
        };
        match global {
            Global::Request => Meaning::Value(Shaped(
                self.meanings.terms.add(About::given("request", Types::MAP)),
                Shape::Request,
            )),
            Global::RequestAuth => Meaning::Value(Shaped(self.auth(), Shape::Auth)),
            Global::Resource => Meaning::Value(Shaped(self.existing(), document)),
            Global::RequestResource => Meaning::Value(Shaped(self.new_resource(), document)),
        }
    }

    pub(super) fn fails(span: Span) -> Meaning {
        Meaning::condition(Logic::Fails, span)
    }

    /// An expression that must be a boolean.
    fn formula(&mut self, expr: &'r Condition, frame: &Frame<'r>) -> Formula {
        let meaning = self.read(expr, frame);
        let types = self.meanings.types(&meaning);
        let odd = !types.meets(Types::BOOL) && meaning.constant().is_none();
        self.note(expr.span, Question::IsBoolean, odd.then_some(Oddity::NotBoolean { types }));
        self.meanings.holds(meaning, expr.span)
    }

    fn formulas(&mut self, exprs: &'r [Condition], frame: &Frame<'r>) -> Vec<Formula> {
        exprs.iter().map(|expr| self.formula(expr, frame)).collect()
    }

    pub(super) fn read_all(&mut self, exprs: &'r [Condition], frame: &Frame<'r>) -> Vec<Meaning> {
        exprs.iter().map(|expr| self.read(expr, frame)).collect()
    }

    pub(super) fn read(&mut self, expr: &'r Condition, frame: &Frame<'r>) -> Meaning {
        self.expressions += 1;
        if self.expressions > EXPRESSIONS_MAX || self.level >= NEST_LEVELS_MAX {
            return self.meanings.anything();
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
            Kind::Local(slot) => self.local(*slot, frame),
            Kind::Capture(index) => self.capture(*index),
            Kind::Member(object, name) => {
                let holder = self.read(object, frame);
                self.member(&holder, name, expr, object)
            }
            Kind::Index(object, index) => {
                let (object, index) = (self.read(object, frame), self.read(index, frame));
                self.index(&object, &index)
            }
            Kind::Slice(object, start, end) => {
                let bounds = [start, end].into_iter().flatten().map(|bound| &**bound);
                let parts: Vec<&Condition> = std::iter::once(&**object).chain(bounds).collect();
                self.slice(&parts, frame)
            }
            Kind::Not(operand) => {
                let operand = self.formula(operand, frame);
                Meaning::condition(Logic::Not(Box::new(operand)), span)
            }
            Kind::Negate(operand) => {
                let operand = self.read(operand, frame);
                let signed = Types::NUMBER.or(Types::SPAN);
                let needs = self.meanings.needs([&operand], signed);
                self.meanings.made(format!("-({})", self.meanings.key(&operand)), signed, needs)
            }
            Kind::Binary(op, left, right) => {
                let (one, two) = (self.read(left, frame), self.read(right, frame));
                self.binary(*op, span, &one, &two)
            }
            Kind::And(operands) => Meaning::condition(Logic::And(self.formulas(operands, frame)), span),
            Kind::Or(operands) => Meaning::condition(Logic::Or(self.formulas(operands, frame)), span),
            Kind::Condition(test, yes, no) => self.choice(span, test, yes, no, frame),
            Kind::Is(value, kind) => {
                let value = self.read(value, frame);
                self.is(&value, *kind, span)
            }
            Kind::List(items) => {
                let items = self.read_all(items, frame);
                match items.iter().map(|item| item.constant().cloned()).collect() {
                    Some(values) => Meaning::Constant(Value::Array(values)),
                    None => self.gathered("list", &items, Types::LIST),
                }
            }
            Kind::Map(entries) => {
                let parts: Vec<Meaning> = entries
                    .iter()
                    .flat_map(|(key, value)| [self.read(key, frame), self.read(value, frame)])
                    .collect();
                self.gathered("map", &parts, Types::MAP)
            }
            Kind::Path(parts) => self.path(parts, frame),
            Kind::Call(function, arguments) => self.call(*function, arguments, frame),
            Kind::Function(function, arguments) => self.function(*function, arguments, frame),
            Kind::Method(receiver, method, arguments, _) => {
                self.method(expr, receiver, *method, arguments, frame)
            }
            Kind::UnknownFunction(_, arguments) => self.unknown(None, arguments, span, frame),
            Kind::UnknownMethod(receiver, _, arguments) => {
                self.unknown(Some(receiver), arguments, span, frame)
            }
            Kind::UnknownVariable(_) => Self::fails(span),
        }
    }

    /// What fails after its operands.
    fn unknown(
        &mut self,
        receiver: Option<&'r Condition>,
        arguments: &'r [Condition],
        span: Span,
        frame: &Frame<'r>,
    ) -> Meaning {
        receiver.map(|receiver| self.read(receiver, frame));
        self.read_all(arguments, frame);
        Self::fails(span)
    }

    fn local(&mut self, slot: usize, frame: &Frame<'r>) -> Meaning {
        match frame.parameters.get(slot) {
            Some(meaning) => meaning.clone(),
            // A `let` sees the parameters and the earlier ones, as the body does.
            None => match frame.lets.get(slot - frame.parameters.len()) {
                Some(value) => self.read(value, frame),
                None => self.meanings.anything(),
            },
        }
    }

    fn capture(&mut self, index: usize) -> Meaning {
        match self.captures.get(index).cloned() {
            Some((key, is_glob)) => {
                let types = if is_glob { Types::PATH } else { Types::TEXT };
                self.meanings.value(About::given(key, types))
            }
            None => self.meanings.anything(),
        }
    }

    fn slice(&mut self, parts: &[&'r Condition], frame: &Frame<'r>) -> Meaning {
        let holders = Types::LIST.or(Types::TEXT).or(Types::PATH);
        let parts: Vec<Meaning> = parts.iter().map(|part| self.read(part, frame)).collect();
        let types = parts.first().map_or(holders, |object| self.meanings.types(object).and(holders));
        let needs = self.meanings.needs(parts.first(), holders);
        self.meanings.made(format!("slice({})", self.meanings.keys(&parts)), types, needs)
    }

    /// A whole number from a document may be a double, and the other way round.
    fn is(&mut self, value: &Meaning, kind: Type, span: Span) -> Meaning {
        let types = asked(kind);
        match self.meanings.term(value) {
            Some(term) => Meaning::condition(Logic::Test(term, Test::Is(types)), span),
            None => Meaning::condition(Logic::Known(self.meanings.types(value).within(types)), span),
        }
    }

    fn gathered(&mut self, name: &str, items: &[Meaning], types: Types) -> Meaning {
        let needs = self.meanings.needs(items, Types::ANY);
        self.meanings.made(format!("{name}({})", self.meanings.keys(items)), types, needs)
    }

    fn choice(
        &mut self,
        span: Span,
        test: &'r Condition,
        yes: &'r Condition,
        no: &'r Condition,
        frame: &Frame<'r>,
    ) -> Meaning {
        let test = self.formula(test, frame);
        let (one, two) = (self.read(yes, frame), self.read(no, frame));
        let (first, second) = (self.meanings.types(&one), self.meanings.types(&two));
        let boolean = |meaning: &Meaning, span: Span| match meaning {
            Meaning::Condition(formula) => Some(formula.clone()),
            Meaning::Constant(Value::Bool(value)) => Some(Formula::new(Logic::Known(*value), span)),
            Meaning::Value(value) => Some(Formula::new(Logic::Test(value.0, Test::Holds), span)),
            Meaning::Constant(_) => None,
        };
        // As soon as one side surely is a boolean, the whole is meant as a condition.
        if (first == Types::BOOL || second == Types::BOOL)
            && let (Some(yes), Some(no)) = (boolean(&one, yes.span), boolean(&two, no.span))
        {
            return Meaning::condition(Logic::If(Box::new(test), Box::new(yes), Box::new(no)), span);
        }
        let key = format!("if({},{},{})", test.key(), self.meanings.key(&one), self.meanings.key(&two));
        let needs = self.meanings.needs([&Meaning::Condition(test)], Types::BOOL);
        self.meanings.made(key, first.or(second), needs)
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
        Type::MapDiff => Types::DIFF,
        // The language has the words, and no value that is one: a set is none either.
        Type::Set | Type::Vector | Type::Constraint => Types::NONE,
    }
}
