//! Paths as values: from text, to text, and to the document they name.

use std::fmt::Write;

use crate::request::DocumentPath;
use crate::value::{Segments, Str, path_text};

/// `path('a/b')`: the segments between slashes.
pub fn parse<'v>(text: &Str<'v>) -> Segments<'v> {
    match text {
        Str::Borrowed(text) => pieces(text).map(Str::Borrowed).collect(),
        Str::Shared(text) => pieces(text).map(|piece| Str::Shared(piece.into())).collect(),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|piece| !piece.is_empty())
}

/// The text form, percent-encoded: `/databases/%28default%29/documents/a/b`.
pub fn text(segments: &[Str<'_>]) -> String {
    path_text(segments.iter().map(Str::as_str))
}

/// The form that errors of service calls show.
pub fn message_text(segments: &[Str<'_>]) -> String {
    let mut out = "path_value {".to_owned();
    for segment in segments {
        let _ = write!(out, " segments {{ simple: {:?} }}", segment.as_str());
    }
    out.push_str(" }");
    out
}

/// The document a path names: `/databases/{database}/documents/` and an even number of segments. A segment with a
/// slash in it names none: what a client wrote into a field must not lead into another collection.
pub fn document(segments: &[Str<'_>]) -> Option<DocumentPath> {
    let [databases, database, documents, rest @ ..] = segments else { return None };
    let proper = |segment: &Str<'_>| !segment.as_str().is_empty() && !segment.as_str().contains('/');
    let fits = databases.as_str() == "databases"
        && documents.as_str() == "documents"
        && !rest.is_empty()
        && rest.len() % 2 == 0
        && rest.iter().all(proper);
    fits.then(|| DocumentPath {
        database: database.as_str().to_owned(),
        segments: rest.iter().map(|segment| segment.as_str().to_owned()).collect(),
    })
}
