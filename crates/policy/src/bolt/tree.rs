//! The rules as a tree of places, each with terms that are to be joined.

use std::rc::Rc;

use super::ast::{ByName, Exp, insert_ordered};
use super::expand::Bindings;
use super::print::Piece;
use crate::source::Span;

/// What is said about one place and those below it, in the order it was said.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub entries: ByName<Entry>,
    /// The captures that expressions here may name; `None` takes those from above.
    pub scope: Option<Bindings>,
    /// The statement or property that brought the place here.
    pub origin: Span,
}

/// What is under one key.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The terms of `.read`, `.write` or `.validate`.
    Terms(Vec<Term>),
    /// What `.indexOn` lists, and where.
    Index(Vec<Rc<str>>, Span),
    /// A place below.
    Child(Rules),
}

/// A condition, and the method or the type that demands it.
#[derive(Clone, Debug)]
pub struct Term {
    pub exp: Exp,
    pub origin: Span,
}

impl Term {
    /// The same, of somebody: what nobody wrote is now said to be there.
    fn of(&self, origin: Span) -> Term {
        let unwritten = self.origin == Span::default();
        Term { exp: written_at(&self.exp, origin), origin: if unwritten { origin } else { self.origin } }
    }
}

/// The expression with a place for all parts that have none. Only what the compiler itself made has none at the top.
fn written_at(exp: &Exp, span: Span) -> Exp {
    if exp.span == Span::default() { exp.map(&mut |part| written_at(part, span), span) } else { exp.clone() }
}

impl Rules {
    /// The place below, made if it is not there.
    pub fn child(&mut self, key: &Rc<str>, origin: Span) -> Option<&mut Rules> {
        if !self.entries.contains_key(key) {
            let rules = Rules { origin, ..Rules::default() };
            insert_ordered(&mut self.entries, key.clone(), Entry::Child(rules));
        }
        match self.entries.get_mut(key) {
            Some(Entry::Child(child)) => Some(child),
            _ => None,
        }
    }

    /// Adds a term.
    pub fn add(&mut self, key: &str, exp: Exp, origin: Span) {
        self.add_term(key, Term { exp, origin });
    }

    fn add_term(&mut self, key: &str, term: Term) {
        match self.entries.get_mut(key) {
            Some(Entry::Terms(terms)) => terms.push(term),
            _ => insert_ordered(&mut self.entries, key.into(), Entry::Terms(vec![term])),
        }
    }

    /// Adds all that another says, at a place in the text. Returns how many entries that were.
    pub fn extend(&mut self, other: &Rules, origin: Span) -> usize {
        let mut count = 1;
        for (key, entry) in &other.entries {
            match entry {
                Entry::Terms(terms) => {
                    count += terms.len();
                    for term in terms {
                        self.add_term(key, term.of(origin));
                    }
                }
                Entry::Child(child) => {
                    let below = if child.origin == Span::default() { origin } else { child.origin };
                    if let Some(own) = self.child(key, below) {
                        count += own.extend(child, origin);
                    }
                }
                Entry::Index(..) => {}
            }
        }
        count
    }

    /// Joins the terms of every rule to one.
    pub fn join<E>(&mut self, join: &mut impl FnMut(&[Term]) -> Result<Term, E>) -> Result<(), E> {
        for entry in self.entries.values_mut() {
            match entry {
                Entry::Terms(terms) => *terms = vec![join(terms)?],
                Entry::Child(child) => child.join(join)?,
                Entry::Index(..) => {}
            }
        }
        Ok(())
    }
}

/// The JSON that is printed.
#[derive(Debug)]
pub struct Json {
    pub kind: JsonKind,
    /// What in the text it comes from.
    pub origin: Span,
}

/// What is printed.
#[derive(Debug)]
pub enum JsonKind {
    /// A rule, and where its parts were written.
    Rule(String, Vec<Piece>),
    List(Vec<Rc<str>>),
    Object(ByName<Json>),
}

impl Json {
    /// What is below, of an object.
    pub fn entries(&self) -> impl Iterator<Item = (&Rc<str>, &Json)> {
        let object = match &self.kind {
            JsonKind::Object(object) => Some(object),
            _ => None,
        };
        object.into_iter().flatten()
    }
}
