//! Values that conditions speak of, each known by one number however often it is written.

use std::collections::HashMap;

use base::Value;

use super::types::Types;

/// The number of a value. Equal texts that mean the same have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(usize);

/// What a value needs of another one.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// It is an error unless the other one has one of these kinds.
    Strict(Term, Types),
    /// It is null unless the other one has one of these kinds.
    Lenient(Term, Types),
}

/// What is known about a value before any condition is looked at.
#[derive(Clone, Debug)]
pub struct About {
    /// How it is found again.
    pub key: String,
    /// What it can be.
    pub types: Types,
    /// If it can only be one of these, these.
    pub among: Option<Vec<Value>>,
    /// What must be so for it to have a value.
    pub needs: Vec<Need>,
    /// Whether it has a value as soon as its needs are met.
    pub always: bool,
    /// Whether it depends on who asks.
    pub caller: bool,
}

impl About {
    /// A value that always is there.
    pub fn given(key: impl Into<String>, types: Types) -> Self {
        Self { key: key.into(), types, among: None, needs: Vec::new(), always: true, caller: false }
    }

    /// A value that may not be there.
    pub fn maybe(key: impl Into<String>, types: Types) -> Self {
        Self { always: false, ..Self::given(key, types) }
    }
}

/// All values of the conditions looked at together.
#[derive(Debug, Default)]
pub struct Terms {
    all: Vec<About>,
    known: HashMap<String, Term>,
}

impl Terms {
    /// The number of a value; what was known first about it stays.
    pub fn add(&mut self, about: About) -> Term {
        if let Some(term) = self.known.get(&about.key) {
            return *term;
        }
        let term = Term(self.all.len());
        self.known.insert(about.key.clone(), term);
        self.all.push(about);
        term
    }

    /// What is known about a value.
    pub fn about(&self, term: Term) -> &About {
        static NOTHING: std::sync::OnceLock<About> = std::sync::OnceLock::new();
        self.all.get(term.0).unwrap_or_else(|| NOTHING.get_or_init(|| About::maybe("", Types::ANY)))
    }
}
