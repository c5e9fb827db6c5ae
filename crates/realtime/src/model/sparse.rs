//! What a client leaves to be written when it goes: values at places, none above another.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::path::Path;

/// Values at places.
#[derive(Clone, Debug, Default)]
pub struct Sparse(BTreeMap<Path, Draft>);

impl Sparse {
    /// Puts a value at a place: into the value above it where there is one, instead of those below it.
    pub fn remember(&mut self, path: &Path, value: Draft) {
        let above = path.with_ancestors().skip(1).find(|above| self.0.contains_key(above));
        if let Some(above) = above
            && let (Some(whole), Some(rest)) = (self.0.get(&above), path.relative_to(&above))
        {
            let whole = whole.with(rest.keys(), value);
            self.0.insert(above, whole);
            return;
        }
        self.0.retain(|other, _| !other.starts_with(path));
        self.0.insert(path.clone(), value);
    }

    /// Takes back what is at a place and below it.
    pub fn forget(&mut self, path: &Path) {
        self.0.retain(|other, _| !other.starts_with(path));
    }

    /// The values by their places.
    pub fn entries(&self) -> impl Iterator<Item = (Path, &Draft)> {
        self.0.iter().map(|(path, value)| (path.clone(), value))
    }
}
