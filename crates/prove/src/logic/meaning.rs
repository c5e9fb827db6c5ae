//! What expressions stand for, whatever language they are written in: the kit that every language's reader is made of.
//!
//! Two expressions that must come to the same have one [`Term`]: that is what can be reasoned about.

use base::Value;
use policy::Span;

use super::order::equal;
use super::{About, Formula, Kind, Need, Order, Term, Terms, Test, Types};

/// Letters of a value's key. What is longer is taken to be anything.
pub const KEY_BYTES_MAX: usize = 2_000;

/// A value that a language speaks of, with what the language's reader knows of it besides.
pub trait Subject: Clone {
    /// A value of which nothing more is known.
    fn of(term: Term) -> Self;
    /// What it can be.
    fn types(&self, terms: &Terms) -> Types;
    /// A text that is equal for equal values.
    fn key(&self, terms: &Terms) -> String;
    /// The value itself.
    fn term(&self, terms: &mut Terms) -> Term;
}

impl Subject for Term {
    fn of(term: Term) -> Self {
        term
    }

    fn types(&self, terms: &Terms) -> Types {
        terms.about(*self).types
    }

    fn key(&self, terms: &Terms) -> String {
        terms.about(*self).key.clone()
    }

    fn term(&self, _: &mut Terms) -> Term {
        *self
    }
}

/// What an expression stands for.
#[derive(Clone, Debug)]
pub enum Meaning<S> {
    /// A constant.
    Constant(Value),
    /// A value that is known when something is asked.
    Value(S),
    /// Something that is true or false.
    Condition(Formula),
}

impl<S> Meaning<S> {
    /// A condition.
    pub fn condition(kind: Kind, span: Span) -> Self {
        Meaning::Condition(Formula::new(kind, span))
    }

    /// The constant, if it is one.
    pub fn constant(&self) -> Option<&Value> {
        match self {
            Meaning::Constant(value) => Some(value),
            _ => None,
        }
    }
}

/// The values met so far.
#[derive(Debug, Default)]
pub struct Meanings {
    /// All of them.
    pub terms: Terms,
    unknowns: usize,
}

impl Meanings {
    /// Something of which nothing is known, and which is like nothing else.
    pub fn anything<S: Subject>(&mut self) -> Meaning<S> {
        self.unknowns += 1;
        let key = format!("anything {}", self.unknowns);
        // It might as well be about the caller: nothing is proven by it.
        self.value(About { caller: true, ..About::maybe(key, Types::ANY) })
    }

    /// A value.
    pub fn value<S: Subject>(&mut self, about: About) -> Meaning<S> {
        Meaning::Value(S::of(self.terms.add(about)))
    }

    /// A value made of others.
    pub fn made<S: Subject>(&mut self, key: String, types: Types, needs: Vec<Need>) -> Meaning<S> {
        if key.len() > KEY_BYTES_MAX {
            return self.anything();
        }
        let of = |need: &Need| match need {
            Need::Strict(term, _) | Need::Lenient(term, _) => self.terms.about(*term),
        };
        if needs.iter().any(|need| of(need).types.is_empty()) {
            return Meaning::condition(Kind::Fails, Span::default());
        }
        let caller = needs.iter().any(|need| of(need).caller);
        self.value(About { needs, caller, ..About::maybe(key, types) })
    }

    /// What it can be.
    pub fn types<S: Subject>(&self, meaning: &Meaning<S>) -> Types {
        match meaning {
            Meaning::Constant(Value::Integer(_)) => Types::INT,
            Meaning::Constant(Value::Double(_)) => Types::FLOAT,
            Meaning::Constant(other) => Types::of(other),
            Meaning::Value(subject) => subject.types(&self.terms),
            // Why it fails was told; nothing is said about it again.
            Meaning::Condition(Formula { kind: Kind::Fails, .. }) => Types::ANY,
            Meaning::Condition(_) => Types::BOOL,
        }
    }

    /// A text that is equal for what is equal.
    pub fn key<S: Subject>(&self, meaning: &Meaning<S>) -> String {
        match meaning {
            Meaning::Constant(value) => format!("{value:?}"),
            Meaning::Value(subject) => subject.key(&self.terms),
            Meaning::Condition(formula) => formula.key(),
        }
    }

    /// The keys of several, with commas.
    pub fn keys<S: Subject>(&self, meanings: &[Meaning<S>]) -> String {
        meanings.iter().map(|meaning| self.key(meaning)).collect::<Vec<_>>().join(",")
    }

    /// It as a value, so that it can be compared; constants have none.
    pub fn term<S: Subject>(&mut self, meaning: &Meaning<S>) -> Option<Term> {
        match meaning {
            Meaning::Value(subject) => Some(subject.term(&mut self.terms)),
            Meaning::Constant(_) => None,
            Meaning::Condition(Formula { kind: Kind::Fails, .. }) => {
                Some(self.terms.add(About::maybe("an error", Types::NONE)))
            }
            Meaning::Condition(formula) => {
                let caller = formula.any(&|part| match &part.kind {
                    Kind::Test(term, _) => self.terms.about(*term).caller,
                    _ => false,
                });
                let key = format!("condition {}", formula.key());
                Some(self.terms.add(About { caller, ..About::maybe(key, Types::BOOL) }))
            }
        }
    }

    /// That it must have one of these types.
    pub fn need<S: Subject>(&mut self, meaning: &Meaning<S>, types: Types) -> Option<Need> {
        self.term(meaning).map(|term| Need::Strict(term, types))
    }

    /// That all of them must have one of these types.
    pub fn needs<'m, S: Subject + 'm>(
        &mut self,
        meanings: impl IntoIterator<Item = &'m Meaning<S>>,
        types: Types,
    ) -> Vec<Need> {
        meanings.into_iter().filter_map(|meaning| self.need(meaning, types)).collect()
    }

    /// It as a condition: an error unless it is a boolean.
    pub fn holds<S: Subject>(&mut self, meaning: Meaning<S>, span: Span) -> Formula {
        let kind = match meaning {
            Meaning::Constant(Value::Bool(value)) => Kind::Known(value),
            Meaning::Value(subject) if subject.types(&self.terms).meets(Types::BOOL) => {
                Kind::Test(subject.term(&mut self.terms), Test::Holds)
            }
            Meaning::Constant(_) | Meaning::Value(_) => Kind::Fails,
            Meaning::Condition(formula) => formula.kind,
        };
        Formula::new(kind, span)
    }

    /// `one == two`
    pub fn equal<S: Subject>(&mut self, one: &Meaning<S>, two: &Meaning<S>) -> Kind {
        match (one, two) {
            (Meaning::Constant(one), Meaning::Constant(two)) => Kind::Known(equal(one, two)),
            (Meaning::Condition(formula), Meaning::Constant(Value::Bool(value)))
            | (Meaning::Constant(Value::Bool(value)), Meaning::Condition(formula)) => match value {
                true => formula.kind.clone(),
                false => Kind::Not(Box::new(formula.clone())),
            },
            (subject, Meaning::Constant(value)) | (Meaning::Constant(value), subject) => {
                match self.term(subject) {
                    Some(term) => Kind::Test(term, Test::Equals(value.clone())),
                    None => Kind::Fails,
                }
            }
            _ => match (self.term(one), self.term(two)) {
                (Some(one), Some(two)) => Kind::Test(one, Test::Same(two)),
                _ => Kind::Fails,
            },
        }
    }

    /// `one < two` and so on, where one of them is a constant and the other is not.
    pub fn ordered<S: Subject>(&mut self, order: Order, one: &Meaning<S>, two: &Meaning<S>) -> Option<Kind> {
        let (subject, value, order) = match (one, two) {
            (subject, Meaning::Constant(value)) => (subject, value, order),
            (Meaning::Constant(value), subject) => (subject, value, order.mirrored()),
            _ => return None,
        };
        self.term(subject).map(|term| Kind::Test(term, Test::Compares(order, value.clone())))
    }
}
