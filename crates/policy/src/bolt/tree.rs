//! The rules as a tree of places, each with terms that are to be joined.

use std::rc::Rc;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

use super::ast::{Exp, insert_ordered};
use super::expand::Bindings;

/// What is said about one place and those below it, in the order it was said.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub entries: IndexMap<Rc<str>, Entry>,
    /// The captures that expressions here may name; `None` takes those from above.
    pub scope: Option<Bindings>,
}

/// What is under one key.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The terms of `.read`, `.write` or `.validate`.
    Terms(Vec<Exp>),
    /// What `.indexOn` lists.
    Index(Vec<Rc<str>>),
    /// A place below.
    Child(Rules),
}

impl Rules {
    /// The place below, made if it is not there.
    pub fn child(&mut self, key: &Rc<str>) -> Option<&mut Rules> {
        if !self.entries.contains_key(key) {
            insert_ordered(&mut self.entries, key.clone(), Entry::Child(Rules::default()));
        }
        match self.entries.get_mut(key) {
            Some(Entry::Child(child)) => Some(child),
            _ => None,
        }
    }

    /// Adds a term.
    pub fn add(&mut self, key: &str, term: Exp) {
        match self.entries.get_mut(key) {
            Some(Entry::Terms(terms)) => terms.push(term),
            _ => insert_ordered(&mut self.entries, key.into(), Entry::Terms(vec![term])),
        }
    }

    /// Adds all that another says. Returns how many entries that were.
    pub fn extend(&mut self, other: &Rules) -> usize {
        let mut count = 1;
        for (key, entry) in &other.entries {
            match entry {
                Entry::Terms(terms) => {
                    count += terms.len();
                    for term in terms {
                        self.add(key, term.clone());
                    }
                }
                Entry::Child(child) => {
                    if let Some(own) = self.child(key) {
                        count += own.extend(child);
                    }
                }
                Entry::Index(_) => {}
            }
        }
        count
    }

    /// Joins the terms of every rule to one.
    pub fn join<E>(&mut self, join: &mut impl FnMut(&[Exp]) -> Result<Exp, E>) -> Result<(), E> {
        for entry in self.entries.values_mut() {
            match entry {
                Entry::Terms(terms) => *terms = vec![join(terms)?],
                Entry::Child(child) => child.join(join)?,
                Entry::Index(_) => {}
            }
        }
        Ok(())
    }
}

/// The JSON that is printed.
#[derive(Debug)]
pub enum Json {
    Text(String),
    List(Vec<Rc<str>>),
    Object(IndexMap<Rc<str>, Json>),
}

impl Json {
    /// What is below, of an object.
    pub fn entries(&self) -> impl Iterator<Item = (&Rc<str>, &Json)> {
        let object = match self {
            Json::Object(object) => Some(object),
            _ => None,
        };
        object.into_iter().flatten()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(list) => serializer.collect_seq(list.iter().map(|text| &**text)),
            Json::Object(object) => serializer.collect_map(object.iter().map(|(key, json)| (&**key, json))),
        }
    }
}
