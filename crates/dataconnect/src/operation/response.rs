//! What is done with an answer before a client sees it: checks, and what is redacted.
//!
//! A check is decided by whoever calls: it is a decision like any other. Source: the reference, §10.

use base::Value as Stored;
use serde_json::{Map, Value as Json};

use super::{Check, Operation, Selected, stored};

/// A check that is to be decided.
#[derive(Debug)]
pub struct Evaluation<'o> {
    /// The check.
    pub check: &'o Check,
    /// The keys to its field.
    pub path: Vec<&'o str>,
    /// The value. `None`: no value was reached, and the check fails.
    pub this: Option<Stored>,
}

fn fields_of(selection: &[Selected], fields: &Map<String, Json>) -> Stored {
    let of = |(key, value): (&String, &Json)| {
        let field = selection.iter().find(|field| field.key == *key);
        (key.clone(), field.map_or_else(|| stored(value), |field| field.stored(value)))
    };
    Stored::Map(fields.iter().map(of).collect())
}

/// A field's values: one for each time that it is reached.
type Reached<'v> = Vec<&'v Stored>;

impl Selected {
    /// The checks of a root field and of all below it on the field's value, in the order in which they are decided:
    /// outer ones first. The first that does not hold refuses the field. `is_there` says whether a field was not
    /// skipped.
    pub fn evaluations<'o>(
        &'o self,
        value: &Stored,
        is_there: &dyn Fn(&Selected) -> bool,
    ) -> Vec<Evaluation<'o>> {
        let (mut path, mut found) = (Vec::new(), Vec::new());
        walk(self, &vec![value], &mut path, is_there, &mut found);
        found
    }

    /// Whether a check is on it or below it.
    pub fn has_checks(&self) -> bool {
        !self.checks.is_empty() || self.selection.iter().any(Selected::has_checks)
    }

    /// Its value as expressions see it: a number of 64 bits, which is text in an answer, is a number.
    pub fn stored(&self, value: &Json) -> Stored {
        match value {
            Json::Array(items) => Stored::Array(items.iter().map(|item| self.stored(item)).collect()),
            Json::Object(fields) if !self.selection.is_empty() => fields_of(&self.selection, fields),
            Json::String(text) if self.named == "Int64" => {
                text.parse().map_or_else(|_| Stored::String(text.clone()), Stored::Integer)
            }
            value => stored(value),
        }
    }

    /// Whether something of it is redacted.
    pub fn has_redactions(&self) -> bool {
        self.redacted || self.selection.iter().any(Selected::has_redactions)
    }

    /// Takes out of its value what is redacted below it.
    pub fn redact(&self, value: &mut Json) {
        match value {
            Json::Array(items) => items.iter_mut().for_each(|item| self.redact(item)),
            Json::Object(fields) => {
                for field in &self.selection {
                    if field.redacted {
                        fields.shift_remove(&field.key);
                    } else if let Some(inner) = fields.get_mut(&field.key) {
                        field.redact(inner);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Operation {
    /// An answer as expressions see it.
    pub fn stored(&self, data: &Map<String, Json>) -> Stored {
        fields_of(&self.selection, data)
    }

    /// The checks of the operation itself, on the whole answer.
    pub fn evaluations(&self, data: &Stored) -> Vec<Evaluation<'_>> {
        let whole = |check| Evaluation { check, path: Vec::new(), this: Some(data.clone()) };
        self.checks.iter().map(whole).collect()
    }
}

fn walk<'o>(
    field: &'o Selected,
    values: &Reached<'_>,
    path: &mut Vec<&'o str>,
    is_there: &dyn Fn(&Selected) -> bool,
    found: &mut Vec<Evaluation<'o>>,
) {
    if !is_there(field) {
        return;
    }
    path.push(&field.key);
    for check in &field.checks {
        let mut objects = Reached::new();
        if check.each {
            values.iter().for_each(|value| objects_of(value, &mut objects));
        }
        let about = if check.each { &objects } else { values };
        if about.is_empty() && !check.optional {
            found.push(Evaluation { check, path: path.clone(), this: None });
        }
        let one = |value: &&Stored| Evaluation { check, path: path.clone(), this: Some((*value).clone()) };
        found.extend(about.iter().map(one));
    }
    for inner in field.selection.iter().filter(|inner| inner.has_checks()) {
        let mut reached = Reached::new();
        values.iter().for_each(|value| reach(value, &inner.key, &mut reached));
        walk(inner, &reached, path, is_there, found);
    }
    path.pop();
}

/// The object, or each object of a list.
fn objects_of<'v>(value: &'v Stored, found: &mut Reached<'v>) {
    match value {
        Stored::Map(_) => found.push(value),
        Stored::Array(items) => items.iter().for_each(|item| objects_of(item, found)),
        _ => {}
    }
}

/// The values of a key in an object, or in each object of a list.
fn reach<'v>(value: &'v Stored, key: &str, found: &mut Reached<'v>) {
    match value {
        Stored::Map(fields) => found.extend(fields.get(key)),
        Stored::Array(items) => items.iter().for_each(|item| reach(item, key, found)),
        _ => {}
    }
}
