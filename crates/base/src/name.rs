//! Resource names: `projects/P/databases/D/documents/…`.
//!
//! A name is checked once, where it enters; the types here prove it. Messages are those of the real service.

use std::fmt;

use crate::key::numeric_id;
use crate::limits::{COLLECTION_DEPTH_MAX, ID_BYTES_MAX, NAME_BYTES_MAX};

/// Why a text is not a name. The text of each is what a client sees, with code INVALID_ARGUMENT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum NameError {
    #[error(
        "Invalid resource name \"{0}\": expected projects/{{project}}/databases/{{database}}/documents/…"
    )]
    Shape(String),
    #[error("Document name \"{0}\" lacks \"/\" at index {1}.")]
    NotADocument(String, usize),
    #[error("Resource id \"{0}\" is invalid because it is reserved.")]
    Reserved(String),
    #[error("Resource id is invalid: it is empty, \".\", \"..\" or contains \"/\".")]
    BadId,
    #[error("The key path element name is longer than {ID_BYTES_MAX} bytes.")]
    IdTooLong,
    #[error("The name is longer than {NAME_BYTES_MAX} bytes.")]
    NameTooLong,
    #[error("The path is nested deeper than {COLLECTION_DEPTH_MAX} collections.")]
    TooDeep,
}

/// A database: `projects/P/databases/D`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseName {
    /// The project's id.
    pub project: String,
    /// The database's id, usually `(default)`.
    pub database: String,
}

impl DatabaseName {
    /// The default database of a project.
    pub fn default_of(project: impl Into<String>) -> Self {
        Self { project: project.into(), database: "(default)".into() }
    }

    /// Whether it is its project's default one.
    pub fn is_default(&self) -> bool {
        self.database == "(default)"
    }

    /// Reads `projects/P/databases/D`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Self::split(text)? {
            (name, "") => Ok(name),
            _ => Err(NameError::Shape(text.to_owned())),
        }
    }

    /// Splits a longer name into its database and what follows (with its leading slash).
    fn split(text: &str) -> Result<(Self, &str), NameError> {
        let shape = || NameError::Shape(text.to_owned());
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::NameTooLong);
        }
        let rest = text.strip_prefix("projects/").ok_or_else(shape)?;
        let (project, rest) = rest.split_once('/').ok_or_else(shape)?;
        let rest = rest.strip_prefix("databases/").ok_or_else(shape)?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (database, rest) = rest.split_at_checked(end).ok_or_else(shape)?;
        if project.is_empty() || database.is_empty() {
            return Err(shape());
        }
        Ok((Self { project: project.to_owned(), database: database.to_owned() }, rest))
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/databases/{}", self.project, self.database)
    }
}

/// The segments below `documents`: empty for the root, odd for a collection, even for a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ResourcePath(Vec<String>);

impl ResourcePath {
    /// The root of a database.
    pub const ROOT: ResourcePath = ResourcePath(Vec::new());

    /// Checks segments that came apart already (a decoded URL, say).
    pub fn from_segments(segments: Vec<String>) -> Result<Self, NameError> {
        if segments.len() > 2 * COLLECTION_DEPTH_MAX {
            return Err(NameError::TooDeep);
        }
        segments.iter().try_for_each(|segment| check_id(segment))?;
        Ok(Self(segments))
    }

    /// Reads `a/b/c`; the empty text is the root.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Ok(Self::ROOT);
        }
        Self::from_segments(text.split('/').map(str::to_owned).collect())
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether this names a document.
    pub fn is_document(&self) -> bool {
        !self.0.is_empty() && self.0.len().is_multiple_of(2)
    }

    /// Whether this names a collection.
    pub fn is_collection(&self) -> bool {
        !self.0.len().is_multiple_of(2)
    }

    /// This path and one segment more.
    pub fn child(&self, segment: impl Into<String>) -> Result<Self, NameError> {
        let mut segments = self.0.clone();
        segments.push(segment.into());
        Self::from_segments(segments)
    }

    /// The path without its last segment; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, outer) = self.0.split_last()?;
        Some(Self(outer.to_vec()))
    }

    /// The last segment; `None` at the root.
    pub fn id(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// The path of a document: proof of a non-zero even number of checked segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentPath(ResourcePath);

impl DocumentPath {
    /// The proof, or `None` when the path is the root's or a collection's.
    pub fn new(path: ResourcePath) -> Option<Self> {
        path.is_document().then_some(Self(path))
    }

    /// The segments: collection, document, sub-collection, …
    pub fn segments(&self) -> &[String] {
        self.0.segments()
    }

    /// As a plain path.
    pub fn as_path(&self) -> &ResourcePath {
        &self.0
    }

    /// The document's id.
    pub fn id(&self) -> &str {
        self.0.id().unwrap_or_default()
    }

    /// The segments of the collection it is in.
    pub fn collection(&self) -> &[String] {
        self.0.0.split_last().map(|(_, outer)| outer).unwrap_or_default()
    }

    /// The id of the collection it is in: its collection group.
    pub fn collection_id(&self) -> &str {
        self.collection().last().map(String::as_str).unwrap_or_default()
    }

    /// The full resource name in a database.
    pub fn name_in(&self, database: &DatabaseName) -> String {
        format!("{database}/documents/{}", self.0)
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Splits `projects/P/databases/D/documents[/…]` into the database and the path below `documents`.
pub fn parse_resource(name: &str) -> Result<(DatabaseName, ResourcePath), NameError> {
    let (database, rest) = DatabaseName::split(name)?;
    match rest.strip_prefix("/documents") {
        Some("") => Ok((database, ResourcePath::ROOT)),
        Some(rest) => match rest.strip_prefix('/') {
            Some(path) if !path.is_empty() => Ok((database, ResourcePath::parse(path)?)),
            _ => Err(NameError::Shape(name.to_owned())),
        },
        None => Err(NameError::Shape(name.to_owned())),
    }
}

/// Reads the full name of a document.
pub fn parse_document(name: &str) -> Result<(DatabaseName, DocumentPath), NameError> {
    let (database, path) = parse_resource(name)?;
    match DocumentPath::new(path) {
        Some(path) => Ok((database, path)),
        None => Err(NameError::NotADocument(name.to_owned(), name.len())),
    }
}

/// Checks a collection's or document's id.
pub fn check_id(id: &str) -> Result<(), NameError> {
    if id.is_empty() || id == "." || id == ".." || id.contains('/') {
        return Err(NameError::BadId);
    }
    if id.len() > ID_BYTES_MAX {
        return Err(NameError::IdTooLong);
    }
    if is_reserved(id) {
        return Err(NameError::Reserved(id.to_owned()));
    }
    Ok(())
}

/// Whether an id or a map key has the reserved form `__…__` (with something between, so `____` is free), numeric
/// ids `__id7__` excepted.
pub fn is_reserved(id: &str) -> bool {
    id.len() > 4 && id.starts_with("__") && id.ends_with("__") && numeric_id(id).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_into_database_and_path() {
        let (database, path) = parse_document("projects/p/databases/(default)/documents/movies/up").unwrap();
        assert_eq!(database, DatabaseName::default_of("p"));
        assert_eq!((path.collection_id(), path.id()), ("movies", "up"));
        assert_eq!(path.name_in(&database), "projects/p/databases/(default)/documents/movies/up");
        assert!(parse_resource("projects/p/databases/d/documents").unwrap().1.segments().is_empty());
    }

    #[test]
    fn what_is_not_a_document_is_refused() {
        for name in [
            "",
            "movies/up",
            "projects/p/databases/d/documents/movies",
            "projects/p/databases/d/documents/",
            "projects/p/databases/d/documents/movies/",
            "projects/p/databases/d/documents//up",
            "projects//databases/d/documents/a/b",
            "projects/p/databases/d/documents/a/..",
            "projects/p/databases/d/documents/a/__b__",
        ] {
            assert!(parse_document(name).is_err(), "{name}");
        }
        let long = format!("projects/p/databases/d/documents/a/{}", "x".repeat(1501));
        assert_eq!(parse_document(&long), Err(NameError::IdTooLong));
    }

    #[test]
    fn reserved_ids() {
        for id in ["__foo__", "_____", "__idx__"] {
            assert!(is_reserved(id), "{id}");
        }
        for id in ["__foo_", "____", "__id7__", "__id-9223372036854775808__", "a"] {
            assert!(!is_reserved(id), "{id}");
        }
    }
}
