//! Paths as values: from text, to text, and to the document they name.

use std::fmt::Write;

use smallvec::SmallVec;

use crate::document::DocumentName;
use crate::eval::Computed;
use crate::meter::Meter;
use crate::value::{FaultKind, Map, Segments, Str, Val, path_text};

use super::functions::string_of;
use super::lexer::decode;

/// `path('a/b')`: the segments between slashes, none of which is empty.
pub fn parse<'v>(text: &Str<'v>) -> Result<Segments<'v>, FaultKind<'v>> {
    let whole = text.as_str();
    if whole.is_empty() {
        return Err(FaultKind::Message("Empty Path Template is not allowed.".to_owned()));
    }
    if whole.strip_prefix('/').unwrap_or(whole).split('/').any(str::is_empty) {
        let message = format!("Invalid Path Template {whole}. Empty segment is not allowed.");
        return Err(FaultKind::Message(message));
    }
    Ok(match text {
        Str::Borrowed(text) => pieces(text).map(plain).collect(),
        Str::Shared(text) => pieces(text).map(|piece| Str::from(decode(piece))).collect(),
    })
}

fn plain(piece: &str) -> Str<'_> {
    if piece.contains('%') { Str::from(decode(piece)) } else { Str::Borrowed(piece) }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|piece| !piece.is_empty())
}

/// `path.bind(map)`: what stands for `{name}` and `{name=**}`. What the map has nothing for stays.
pub fn bind<'v>(segments: &Segments<'v>, map: &Map<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
    let mut unknown = map.keys();
    let mut bound: Vec<Str<'v>> = Vec::with_capacity(segments.len());
    for segment in segments.iter() {
        let variable = segment.as_str().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(variable) = variable else {
            bound.push(segment.clone());
            continue;
        };
        let (name, glob) = variable.strip_suffix("=**").map_or((variable, false), |name| (name, true));
        unknown.retain(|key| key.as_str() != name);
        match map.get(name) {
            None => bound.push(segment.clone()),
            Some(Val::Path(inner)) if glob => {
                meter.work(inner.len())?;
                bound.extend(inner.iter().cloned());
            }
            Some(other) if glob => {
                return Err(FaultKind::Type { received: other.type_name(), expected: "path" });
            }
            Some(other) => bound.push(string_of(&other, meter)?),
        }
    }
    if unknown.is_empty() {
        return Ok(Val::Path(bound.into()));
    }
    let names: Vec<&str> = unknown.iter().map(Str::as_str).collect();
    let message = format!("Variable(s) {} do not exist in the path template.", names.join(","));
    Err(FaultKind::Message(message))
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

/// A document as a path names it.
#[derive(Clone, Copy)]
pub struct Named<'p, 'v> {
    pub database: &'p str,
    /// Below `documents`.
    pub segments: &'p [Str<'v>],
}

/// Where a document's name is written down to look for it.
pub type NameText = SmallVec<[u8; NAME_BYTES_USUAL]>;

/// Bytes of a document's name that is looked for without an allocation.
const NAME_BYTES_USUAL: usize = 128;

impl Named<'_, '_> {
    /// The name, as it is looked for.
    pub fn write(self, text: &mut NameText) -> DocumentName<'_> {
        let len = self.segments.iter().map(|segment| 1 + segment.as_str().len()).sum::<usize>();
        text.resize(self.database.len() + len, b'/');
        let mut rest = text.as_mut_slice();
        let parts = self.segments.iter().map(Str::as_str);
        for part in std::iter::once(self.database).chain(parts) {
            let Some((here, behind)) = rest.split_at_mut_checked(part.len()) else { break };
            here.copy_from_slice(part.as_bytes());
            rest = behind.get_mut(1..).unwrap_or_default();
        }
        // Made of texts, it is one.
        DocumentName::borrowed(std::str::from_utf8(text).unwrap_or_default(), self.database.len())
    }
}

/// The document a path names: `/databases/{database}/documents/` and an even number of segments. A segment with a
/// slash in it names none: what a client wrote into a field must not lead into another collection.
pub fn document<'p, 'v>(segments: &'p [Str<'v>]) -> Option<Named<'p, 'v>> {
    let [databases, database, documents, rest @ ..] = segments else { return None };
    let proper = |segment: &Str<'_>| !segment.as_str().is_empty() && !segment.as_str().contains('/');
    let fits = databases.as_str() == "databases"
        && documents.as_str() == "documents"
        && !rest.is_empty()
        && rest.len() % 2 == 0
        && rest.iter().all(proper);
    fits.then_some(Named { database: database.as_str(), segments: rest })
}
