//! Places of the database, named from the root.

use crate::logic::{About, Need, Term, Terms, Types};

/// What can be in the database.
const STORED: Types = Types::NULL.or(Types::BOOL).or(Types::NUMBER).or(Types::TEXT).or(Types::MAP);

/// A place of the database before or after the write.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub after: bool,
    /// A key that is computed must be text.
    pub keys: Vec<(String, Option<Term>)>,
}

impl Place {
    /// The value at a place. What has a child is not a value itself, so a child that is there tells about its parents.
    pub fn value(&self, terms: &mut Terms) -> Term {
        let mut above: Option<Term> = None;
        let mut name = String::from(if self.after { "new:" } else { "old:" });
        let mut caller = false;
        let mut computed = Vec::new();
        let root = (String::new(), None);
        for (key, term) in std::iter::once(&root).chain(&self.keys) {
            name.push('/');
            name.push_str(key);
            caller |= key.starts_with('[');
            computed.extend(term.map(|term| Need::Strict(term, Types::TEXT)));
            let parent = above.map(|above| Need::Lenient(above, Types::MAP));
            let needs = parent.into_iter().chain(computed.iter().copied()).collect();
            above = Some(terms.add(About { needs, caller, ..About::given(name.clone(), STORED) }));
        }
        above.unwrap_or_else(|| terms.add(About::given(name, STORED)))
    }
}

/// Keys that stand in the text.
pub(super) fn written(keys: Vec<String>) -> Vec<(String, Option<Term>)> {
    keys.into_iter().map(|key| (key, None)).collect()
}

/// The keys of a path.
pub(super) fn keys(path: &str) -> Vec<String> {
    path.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}
