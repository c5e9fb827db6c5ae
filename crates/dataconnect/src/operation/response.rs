//! What is done with an answer before a client sees it: checks, and what is redacted.
//!
//! A check is decided by whoever calls: it is a decision like any other. Source: the reference, §10.

use base::Value as Stored;
use serde_json::Value as Json;

use super::{Check, Operation, Selected};

/// A check that fails.
#[derive(Debug)]
pub struct Refused<'o> {
    /// The check.
    pub check: &'o Check,
    /// The keys to its field.
    pub path: Vec<&'o str>,
    /// Whether no value was reached.
    pub unreached: bool,
}

/// A field's values: one for each time that it is reached.
type Reached<'v> = Vec<&'v Stored>;

impl Selected {
    /// Runs the checks of a root field and of all below it, outer ones first, on the field's value. `decide` says
    /// whether an expression holds for a value; `is_there` whether a field was not skipped.
    pub fn check<'o>(
        &'o self,
        value: &Stored,
        is_there: &dyn Fn(&Selected) -> bool,
        decide: &mut dyn FnMut(&Check, &Stored) -> bool,
    ) -> Result<(), Refused<'o>> {
        let mut path = Vec::new();
        walk(self, vec![value], &mut path, is_there, decide)
    }

    /// Whether a check is on it or below it.
    pub fn has_checks(&self) -> bool {
        !self.checks.is_empty() || self.selection.iter().any(Selected::has_checks)
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
    /// Runs the checks of the operation itself, on the whole answer.
    pub fn check<'o>(
        &'o self,
        data: &Stored,
        decide: &mut dyn FnMut(&Check, &Stored) -> bool,
    ) -> Result<(), Refused<'o>> {
        match self.checks.iter().find(|check| !decide(check, data)) {
            Some(check) => Err(Refused { check, path: Vec::new(), unreached: false }),
            None => Ok(()),
        }
    }
}

fn walk<'o>(
    field: &'o Selected,
    values: Reached<'_>,
    path: &mut Vec<&'o str>,
    is_there: &dyn Fn(&Selected) -> bool,
    decide: &mut dyn FnMut(&Check, &Stored) -> bool,
) -> Result<(), Refused<'o>> {
    if !is_there(field) {
        return Ok(());
    }
    path.push(&field.key);
    for check in &field.checks {
        let mut objects = Reached::new();
        if check.each {
            values.iter().for_each(|value| objects_of(value, &mut objects));
        }
        let about = if check.each { &objects } else { &values };
        let unreached = about.is_empty() && !check.optional;
        if unreached || about.iter().any(|value| !decide(check, value)) {
            return Err(Refused { check, path: path.clone(), unreached });
        }
    }
    for inner in field.selection.iter().filter(|inner| inner.has_checks()) {
        let mut reached = Reached::new();
        for value in &values {
            reach(value, &inner.key, &mut reached);
        }
        walk(inner, reached, path, is_there, decide)?;
    }
    path.pop();
    Ok(())
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
