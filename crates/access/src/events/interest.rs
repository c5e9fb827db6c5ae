//! What somebody wants to be told of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Source;
use super::pattern::Pattern;

/// One trigger, in Eventarc's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest {
    /// Who is told, by a name that is unique.
    pub target: String,
    /// The event's type.
    pub event: String,
    /// Attributes that the event must have.
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    /// Attributes whose values must have these forms.
    #[serde(default)]
    pub patterns: BTreeMap<String, String>,
}

/// The same, with its patterns read.
#[derive(Debug)]
pub struct Watched {
    /// What was said.
    pub interest: Interest,
    patterns: Vec<(String, Pattern)>,
}

impl Watched {
    /// Reads an interest's patterns.
    pub fn new(interest: Interest) -> Self {
        let patterns = interest.patterns.iter().map(|(name, text)| (name.clone(), Pattern::new(text)));
        let patterns = patterns.collect();
        Self { interest, patterns }
    }

    /// The form that an attribute must have.
    pub fn pattern(&self, attribute: &str) -> Option<&Pattern> {
        self.patterns.iter().find(|(name, _)| name == attribute).map(|(_, pattern)| pattern)
    }

    /// Whether an event with these attributes is one. One that is not said does not count against it where it is
    /// passed over.
    pub fn matches<N: AsRef<str>>(&self, attributes: &[(N, String)], passed_over: &[&str]) -> bool {
        let of = |name: &str| {
            attributes.iter().find(|(own, _)| own.as_ref() == name).map(|(_, value)| value.as_str())
        };
        let mut filters =
            self.interest.filters.iter().filter(|(name, _)| !passed_over.contains(&name.as_str()));
        let mut patterns = self.patterns.iter().filter(|(name, _)| !passed_over.contains(&name.as_str()));
        filters.all(|(name, value)| of(name) == Some(value))
            && patterns.all(|(name, pattern)| of(name).is_some_and(|value| pattern.matches(value)))
    }
}

/// All interests, by the source whose events they are about.
#[derive(Debug, Default)]
pub struct Interests {
    by_source: HashMap<&'static str, Arc<[Arc<Watched>]>>,
}

impl Interests {
    /// Sorts interests. What no source has is left out: see [`super::Events::unserved`].
    pub fn new<'a>(all: impl Iterator<Item = &'a Interest>, sources: &[Arc<dyn Source>]) -> Self {
        let mut by_source: HashMap<&'static str, Vec<Arc<Watched>>> = HashMap::new();
        for interest in all {
            if let Some(source) = sources.iter().find(|source| source.serves(&interest.event)) {
                by_source.entry(source.name()).or_default().push(Arc::new(Watched::new(interest.clone())));
            }
        }
        Self { by_source: by_source.into_iter().map(|(name, all)| (name, all.into())).collect() }
    }

    /// Whether nobody wants to know anything.
    pub fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// Those in a source's events.
    pub fn of(&self, source: &str) -> Option<&Arc<[Arc<Watched>]>> {
        self.by_source.get(source)
    }
}
