//! Which document: a name that is looked up where it was written, and shared once it is kept.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

/// A document's place: kept, so that cloning shares it.
pub type DocumentPath = DocumentName<'static>;

/// A document's place, perhaps borrowed from whoever looks for it.
#[derive(Clone)]
pub struct DocumentName<'n> {
    /// The database id, and every segment after a slash. Segments have no slashes in them.
    text: Text<'n>,
    /// Bytes of the database id, which may have slashes.
    database_len: usize,
}

#[derive(Clone)]
enum Text<'n> {
    Borrowed(&'n str),
    Shared(Arc<str>),
}

impl DocumentPath {
    /// Of a database id and the segments below `documents`. A segment with a slash in it counts as several.
    pub fn new<S: AsRef<str>>(database: &str, segments: impl IntoIterator<Item = S>) -> Self {
        let mut text = database.to_owned();
        for segment in segments {
            text.push('/');
            text.push_str(segment.as_ref());
        }
        Self { text: Text::Shared(text.into()), database_len: database.len() }
    }
}

impl<'n> DocumentName<'n> {
    /// Of a text that is the database id and every segment after a slash.
    pub(crate) fn borrowed(text: &'n str, database_len: usize) -> Self {
        Self { text: Text::Borrowed(text), database_len }
    }

    /// The same, to be kept.
    pub fn to_kept(&self) -> DocumentPath {
        let text = match &self.text {
            Text::Borrowed(text) => Arc::from(*text),
            Text::Shared(text) => text.clone(),
        };
        DocumentName { text: Text::Shared(text), database_len: self.database_len }
    }

    fn text(&self) -> &str {
        match &self.text {
            Text::Borrowed(text) => text,
            Text::Shared(text) => text,
        }
    }

    /// The database id.
    pub fn database(&self) -> &str {
        self.text().get(..self.database_len).unwrap_or_default()
    }

    /// The segments below `documents`, with slashes between them: `a/b`.
    pub fn path(&self) -> &str {
        self.text().get(self.database_len + 1..).unwrap_or_default()
    }

    /// The segments below `documents`.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.path().split('/')
    }
}

impl PartialEq for DocumentName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.database_len == other.database_len && self.text() == other.text()
    }
}

impl Eq for DocumentName<'_> {}

impl Hash for DocumentName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl Ord for DocumentName<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.database().cmp(other.database()).then_with(|| self.segments().cmp(other.segments()))
    }
}

impl PartialOrd for DocumentName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DocumentName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/databases/{}/documents/{}", self.database(), self.path())
    }
}

impl fmt::Debug for DocumentName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A document that a decision depends on, kept.
pub type Needed = Need<'static>;

/// A document that a decision depends on, perhaps borrowed. A map by [`Needed`] finds it by its [`Need::key`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need<'n> {
    /// Which.
    pub path: DocumentName<'n>,
    /// As it will be after the whole commit, or as it is now.
    pub after: bool,
}

/// What makes two needs the same, kept or borrowed.
pub trait Key {
    /// The name, where the database id ends in it, and whether it is about the time after the commit.
    fn parts(&self) -> (&str, usize, bool);
}

impl Key for Need<'_> {
    fn parts(&self) -> (&str, usize, bool) {
        (self.path.text(), self.path.database_len, self.after)
    }
}

impl PartialEq for dyn Key + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Key + '_ {}

impl Hash for dyn Key + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Hash for Need<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl<'k> Borrow<dyn Key + 'k> for Needed {
    fn borrow(&self) -> &(dyn Key + 'k) {
        self
    }
}

impl Need<'_> {
    /// What a map by [`Needed`] finds it with.
    pub fn key(&self) -> &dyn Key {
        self
    }

    /// The same, to be kept.
    pub fn to_kept(&self) -> Needed {
        Need { path: self.path.to_kept(), after: self.after }
    }
}

impl fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.after { f.write_str(" after the write") } else { Ok(()) }
    }
}

/// Documents, as few as most decisions depend on: those need no allocation.
pub type DocumentPaths = SmallVec<[DocumentPath; 2]>;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_path_is_its_database_and_its_segments() {
        for (database, segments) in [("(default)", ["users", "ä"]), ("a/b", ["c", "d"])] {
            let path = DocumentPath::new(database, segments);
            assert_eq!((path.database(), path.path()), (database, segments.join("/").as_str()));
            assert!(path.segments().eq(segments));
            assert_eq!(path.to_string(), format!("/databases/{database}/documents/{}", segments.join("/")));
        }
        // Equal texts of different databases are different documents.
        let (one, two) =
            (DocumentPath::new("a/b/c", ["d", "e"]), DocumentPath::new("a", ["b", "c", "d", "e"]));
        assert_ne!(one, two);
        assert!(two < one && DocumentPath::new("a", ["b", "c"]) < two);
    }

    #[test]
    fn a_borrowed_name_finds_the_kept_one() {
        let kept = Needed { path: DocumentPath::new("d", ["a", "b"]), after: false };
        let known = HashMap::from([(kept.clone(), 1)]);
        let text = "d/a/b".to_owned();
        let need = |database_len| Need { path: DocumentName::borrowed(&text, database_len), after: false };
        assert_eq!(known.get(need(1).key()), Some(&1));
        assert_eq!(known.get(need(3).key()), None);
        assert_eq!(need(1).to_kept(), kept);
    }
}
