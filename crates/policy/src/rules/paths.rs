//! Paths as values: from text, to text, and to the document they name.

use std::fmt::Write;

use smallvec::SmallVec;

use crate::document::DocumentName;
use crate::eval::Computed;
use crate::meter::Meter;
use crate::value::{FaultKind, Map, Step, Str, Val, path_text};

use super::functions::string_of;
use super::lexer::decode;
use super::text::trim;

/// `path('a/b')`: what is between slashes, without blanks around it. A segment in braces is a variable.
pub fn parse<'v>(text: &Str<'v>) -> Computed<'v> {
    let whole = text.as_str();
    if whole.is_empty() {
        return Err(message("Empty Path Template is not allowed."));
    }
    let refused = |why: &str| message(format!("Invalid Path Template {whole}. {why}"));
    let mut steps: Vec<Step<'v>> = Vec::new();
    for segment in whole.strip_prefix('/').unwrap_or(whole).split('/').map(trim) {
        if segment.is_empty() {
            return Err(refused("Empty segment is not allowed."));
        }
        let Some(inner) = segment.strip_prefix('{') else {
            steps.push(Step::Text(decoded(segment)?));
            continue;
        };
        let variable =
            inner.strip_suffix('}').ok_or_else(|| refused("The capture segment is not closed."))?;
        let (name, glob) = match variable.split_once('=') {
            Some((name, "**")) => (name, true),
            Some((name, "*")) => (name, false),
            _ => (variable, false),
        };
        if !is_variable(name) {
            return Err(refused(&format!(
                "[Identifier [{name}] should start with letter, dollar sign, or underscore and should not start with digit \
                 and must not contain spaces."
            )));
        }
        let again =
            |step: &Step<'_>| matches!(step, Step::Variable { name: known, .. } if known.as_str() == name);
        if steps.iter().any(again) {
            return Err(message(format!("Variable {name} already exists in the PathTemplate.")));
        }
        steps.push(Step::Variable { name: Str::from(name.to_owned()), glob });
    }
    Ok(path_of(steps))
}

/// A path where there are no variables.
fn path_of<'v>(steps: Vec<Step<'v>>) -> Val<'v> {
    let texts: Option<Vec<Str<'v>>> = steps
        .iter()
        .map(|step| match step {
            Step::Text(text) => Some(text.clone()),
            Step::Variable { .. } => None,
        })
        .collect();
    texts.map_or_else(|| Val::Template(steps.into()), |texts| Val::Path(texts.into()))
}

fn message<'v>(text: impl Into<String>) -> FaultKind<'v> {
    FaultKind::Message(text.into())
}

fn is_variable(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|first| first.is_alphabetic() || matches!(first, '$' | '_'));
    first && characters.all(|next| next.is_alphanumeric() || matches!(next, '$' | '_'))
}

/// A segment of a written path, decoded as in a URL.
fn decoded<'v>(segment: &str) -> Result<Str<'v>, FaultKind<'v>> {
    let refused =
        |why: String| message(format!("Unable to decode {segment} to url. Error: URLDecoder: {why}"));
    for (at, _) in segment.match_indices('%') {
        let Some(digits) = segment.as_bytes().get(at + 1..at + 3) else {
            return Err(refused("Incomplete trailing escape (%) pattern".to_owned()));
        };
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            let digits = String::from_utf8_lossy(digits);
            return Err(refused(format!(
                "Illegal hex characters in escape (%) pattern - Error at index 0 in: \"{digits}\""
            )));
        }
    }
    Ok(Str::from(decode(segment)))
}

/// `path.bind(map)`: what stands for `{name}` and `{name=**}`. A variable that the map has nothing for is left out.
pub fn bind<'v>(steps: &[Step<'v>], map: &Map<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
    let mut unknown = map.keys();
    let mut bound: Vec<Str<'v>> = Vec::with_capacity(steps.len());
    for step in steps {
        let (name, glob) = match step {
            Step::Text(text) => {
                bound.push(text.clone());
                continue;
            }
            Step::Variable { name, glob } => (name.as_str(), *glob),
        };
        unknown.retain(|key| key.as_str() != name);
        match map.get(name) {
            None => {}
            Some(Val::Path(inner)) if glob => {
                meter.work(inner.len())?;
                bound.extend(inner.iter().cloned());
            }
            Some(other) if glob => {
                return Err(FaultKind::Type { received: other.type_name(), expected: "path" });
            }
            Some(other) => {
                let text = string_of(&other, meter)?;
                if text.as_str().is_empty() {
                    return Err(message(format!(
                        "Cannot bind empty value to path template variable {name}."
                    )));
                }
                bound.push(text);
            }
        }
    }
    if unknown.is_empty() {
        return Ok(Val::Path(bound.into()));
    }
    let names: Vec<&str> = unknown.iter().map(Str::as_str).collect();
    Err(message(format!("Variable(s) {} do not exist in the path template.", names.join(","))))
}

/// The error of whoever looks into a path with variables.
pub fn unbound<'v>(steps: &[Step<'v>]) -> FaultKind<'v> {
    let name = steps.iter().find_map(|step| match step {
        Step::Variable { name, .. } => Some(name.as_str()),
        Step::Text(_) => None,
    });
    message(format!("Variable {} is not bound in path template.", name.unwrap_or_default()))
}

/// The text form of a path with variables, which have none.
pub fn template_text(steps: &[Step<'_>]) -> String {
    path_text(steps.iter().map(|step| match step {
        Step::Text(text) => text.as_str(),
        Step::Variable { .. } => "",
    }))
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
