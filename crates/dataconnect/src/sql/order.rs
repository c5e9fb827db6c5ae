//! `orderBy` as SQL.

use serde_json::Value as Json;

use super::{Builder, Failure, column_of, items, object, source};
use crate::schema::values::LEVELS_MAX;

impl Builder<'_> {
    /// The terms of an order; with the key last when rows are single rows, so that pages are stable.
    pub(super) fn order(
        &mut self,
        at: usize,
        alias: &str,
        value: Option<&Json>,
        by_key: bool,
    ) -> Result<String, Failure> {
        let table = self.table(at)?;
        let mut terms: Vec<String> = Vec::new();
        for item in value.map(items).unwrap_or_default() {
            if item.is_null() {
                continue;
            }
            for (name, direction) in object(item, &format!("{}_Order", table.name))? {
                terms.extend(self.term(at, alias, name, direction, LEVELS_MAX)?);
            }
        }
        if by_key {
            for column in table.key_columns() {
                let term = column_of(alias, column);
                if !terms.iter().any(|known| known.starts_with(&format!("{term} "))) {
                    terms.push(format!("{term} ASC"));
                }
            }
        }
        Ok(match terms.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", terms.join(", ")),
        })
    }

    fn term(
        &mut self,
        at: usize,
        alias: &str,
        name: &str,
        value: &Json,
        levels: usize,
    ) -> Result<Option<String>, Failure> {
        let too_deep = || Failure::Bound(format!("an order nests deeper than {LEVELS_MAX} levels"));
        let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
        if value.is_null() {
            return Ok(None);
        }
        let table = self.table(at)?;
        let path = format!("{}_Order", table.name);
        if let Some(reference) = table.reference(name) {
            let target = self.alias();
            let joined = self.joined(table, alias, reference, &target)?;
            let of = source(self.table(reference.table)?);
            let mut found = None;
            for (name, value) in object(value, name)? {
                // A row has one value to be ordered by: the direction comes after the subselect.
                if let Some(term) = self.term(reference.table, &target, name, value, levels)? {
                    let (term, direction) = term.rsplit_once(' ').unwrap_or((&term, "ASC"));
                    found = Some(format!("(SELECT {term} FROM {of} {target} WHERE {joined}) {direction}"));
                }
            }
            return Ok(found);
        }
        let direction = match value.as_str() {
            Some("ASC") => "ASC",
            Some("DESC") => "DESC",
            _ => {
                let misfit = crate::schema::values::Misfit::Type {
                    observed: crate::schema::values::shown(value),
                    wanted: "`ASC` or `DESC`".to_owned(),
                };
                return Err(Failure::Value { path: format!("{path}.{name}"), misfit });
            }
        };
        if let Some((_, column)) = table.column(name) {
            return Ok(Some(format!("{} {direction}", column_of(alias, column))));
        }
        match super::group::aggregate(table, alias, name, false) {
            Some((term, _)) => Ok(Some(format!("{term} {direction}"))),
            None => Err(Failure::Field { path, name: name.to_owned() }),
        }
    }
}
