//! What a URL's path names: a resource and perhaps a method on it.

use base::{Code, Status};
use percent_encoding::percent_decode_str;

use crate::status;

/// A resource below a database, its segments decoded but not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    project: String,
    database: String,
    segments: Vec<String>,
    /// The custom method: what follows the last colon of the last segment of a `POST`.
    pub verb: Option<String>,
}

/// The custom methods. A colon before anything else belongs to the id.
const VERBS: [&str; 12] = [
    "batchGet",
    "batchWrite",
    "beginTransaction",
    "commit",
    "executePipeline",
    "listCollectionIds",
    "listen",
    "partitionQuery",
    "rollback",
    "runAggregationQuery",
    "runQuery",
    "write",
];

/// Reads `/v1/projects/P/databases/D/documents[/…][:verb]`. Segments are decoded one by one, after the path is split,
/// so that an encoded slash or colon is part of an id.
pub fn read(path: &str) -> Result<Target, Status> {
    let no_such = || Status::new(Code::NotFound, "There is no such resource.");
    let (path, verb) = match path.rsplit_once(':') {
        Some((path, verb)) if VERBS.contains(&verb) => (path, Some(verb.to_owned())),
        _ => (path, None),
    };
    let below = path.strip_prefix("/v1/projects/").or_else(|| path.strip_prefix("/v1beta1/projects/"));
    let mut segments = below.ok_or_else(no_such)?.split('/').map(decode);
    let mut next = || segments.next().ok_or_else(no_such)?;
    let (project, databases, database, documents) = (next()?, next()?, next()?, next()?);
    if databases != "databases" || documents != "documents" {
        return Err(no_such());
    }
    Ok(Target { project, database, segments: segments.collect::<Result<_, _>>()?, verb })
}

fn decode(segment: &str) -> Result<String, Status> {
    let decoded = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| status::bad_payload("The path is not UTF-8."))?;
    if decoded.contains('/') {
        // No id holds a slash, and the name would come apart differently.
        return Err(Status::invalid(base::name::NameError::BadId.to_string()));
    }
    Ok(decoded.into_owned())
}

impl Target {
    /// The database's name.
    pub fn database(&self) -> String {
        format!("projects/{}/databases/{}", self.project, self.database)
    }

    /// The resource's name.
    pub fn name(&self) -> String {
        self.name_of(&self.segments)
    }

    fn name_of(&self, segments: &[String]) -> String {
        let mut name = format!("{}/documents", self.database());
        for segment in segments {
            name.push('/');
            name.push_str(segment);
        }
        name
    }

    /// What is answered where a document is meant and it names a collection.
    pub fn no_document(&self) -> Status {
        status::lacks_slash("Document name", &self.name())
    }

    /// What is answered where a parent is meant and it names a collection.
    pub fn no_parent(&self) -> Status {
        status::lacks_slash("Document parent name", &self.name())
    }

    /// What is answered where a collection is meant and it names a document: what is above it is no parent.
    pub fn no_parent_above(&self) -> Status {
        let above = self.segments.split_last().map(|(_, above)| above).unwrap_or_default();
        status::lacks_slash("Document parent name", &self.name_of(above))
    }

    /// Whether it names the root of the database.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether it names a document.
    pub fn is_document(&self) -> bool {
        !self.segments.is_empty() && self.segments.len().is_multiple_of(2)
    }

    /// The parent's name and the id of a collection; `None` when it names none.
    pub fn collection(&self) -> Option<(String, String)> {
        if self.segments.len().is_multiple_of(2) {
            return None;
        }
        let (id, parent) = self.segments.split_last()?;
        Some((self.name_of(parent), id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_apart_before_they_are_decoded() {
        let name = |path: &str| read(path).map(|target| (target.name(), target.verb));
        let root = "projects/p/databases/(default)/documents";
        for (path, expected, verb) in [
            ("/v1/projects/p/databases/(default)/documents", root.to_owned(), None),
            ("/v1/projects/p/databases/%28default%29/documents:commit", root.to_owned(), Some("commit")),
            ("/v1/projects/p/databases/(default)/documents/a/b%20c%C3%A9", format!("{root}/a/b cé"), None),
            ("/v1/projects/p/databases/(default)/documents/a/b:c", format!("{root}/a/b:c"), None),
            (
                "/v1/projects/p/databases/(default)/documents/a/b%3ArunQuery",
                format!("{root}/a/b:runQuery"),
                None,
            ),
            (
                "/v1/projects/p/databases/(default)/documents/a/b:runQuery",
                format!("{root}/a/b"),
                Some("runQuery"),
            ),
        ] {
            assert_eq!(name(path).unwrap(), (expected, verb.map(str::to_owned)), "{path}");
        }
        for path in [
            "/v1/projects/p/databases/d",
            "/v1/projects/p/databases/d/indexes",
            "/v1/projects/p/databases/d/documents/a/b%2Fc",
            "/v1/projects/p/databases/d/documents/a/%FF",
            "/v2/projects/p/databases/d/documents",
        ] {
            assert!(name(path).is_err(), "{path}");
        }
    }

    #[test]
    fn parity_tells_documents_from_collections() {
        let target = |path: &str| read(&format!("/v1/projects/p/databases/d/documents{path}")).unwrap();
        assert!(target("").is_root() && !target("").is_document());
        assert!(target("/a/b").is_document());
        assert_eq!(target("").collection(), None);
        let parent = "projects/p/databases/d/documents".to_owned();
        assert_eq!(target("/a").collection(), Some((parent, "a".to_owned())));
    }
}
