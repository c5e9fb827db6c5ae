//! Queries: one statement for all root fields, whose answer is one JSON text.
//!
//! A page of rows comes first, in a derived table of its own; what hangs on a row is a subselect of it. So nothing is
//! computed for rows that an order or an offset discards, and rows keep their order.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::group::is_grouped;
use super::output::output;
use super::{
    Builder, Failure, Given, LIMIT_DEFAULT, LIMIT_MAX, Statement, column_of, object, quoted, source,
    text_literal,
};
use crate::operation::{Selected, Use};
use crate::schema::values::{Misfit, shown};
use crate::schema::{Reverse, ReverseKind, Schema, Table};

/// The statement that answers root fields of a query: one row with one text.
pub fn query(schema: &Schema, roots: &[Selected], given: &Given<'_>) -> Result<Statement, Failure> {
    all(Builder::new(schema, given), roots)
}

/// The same within a mutation that is decided by what is read: the rows cannot be changed before its transaction ends.
/// `written` are the tables that it writes: two that hold a row of theirs together would wait for one another.
pub fn query_held<'q>(
    schema: &'q Schema,
    roots: &[Selected],
    given: &'q Given<'q>,
    written: &'q [usize],
) -> Result<Statement, Failure> {
    all(Builder { held: Some(written), ..Builder::new(schema, given) }, roots)
}

fn all(mut builder: Builder<'_>, roots: &[Selected]) -> Result<Statement, Failure> {
    let given = builder.given;
    let mut columns = Vec::new();
    for root in roots.iter().filter(|root| given.includes(root)) {
        let value = builder.root(root)?;
        columns.push(format!("{value} AS {}", quoted(&root.key)));
    }
    let text = match columns.is_empty() {
        true => "SELECT '{}'::text".to_owned(),
        false => format!("SELECT row_to_json(r)::text FROM (SELECT {}) r", columns.join(", ")),
    };
    Ok(builder.statement(text))
}

/// How one row is found.
pub(super) enum Found {
    /// By its key.
    Key(Map<String, Json>),
    /// The first that fits.
    First(Map<String, Json>),
}

/// Reads `id`, `key` and `first`.
pub(super) fn found(table: &Table, arguments: &Map<String, Json>) -> Result<Option<Found>, Failure> {
    if let Some(first) = arguments.get("first").filter(|first| !first.is_null()) {
        return Ok(Some(Found::First(object(first, "first")?.clone())));
    }
    if let Some(key) = arguments.get("key").filter(|key| !key.is_null()) {
        return Ok(Some(Found::Key(object(key, &format!("{}_Key", table.name))?.clone())));
    }
    let id = ["id", "id_expr"].iter().find_map(|name| Some((*name, arguments.get(*name)?)));
    Ok(id.map(|(name, value)| Found::Key([(name.to_owned(), value.clone())].into_iter().collect())))
}

impl Builder<'_> {
    fn root(&mut self, root: &Selected) -> Result<String, Failure> {
        if root.name == "__typename" {
            return Ok("'Query'::text".to_owned());
        }
        if Use::of(&root.name) == Some(Use::Select) {
            return self.native_query(root);
        }
        let arguments = self.given.arguments(root)?;
        let one = self.schema.tables.iter().position(|table| table.singular == root.name);
        if let Some(at) = one {
            return self.one(at, &arguments, &root.selection);
        }
        let many = self.schema.tables.iter().position(|table| table.plural == root.name);
        match many {
            Some(at) => self.list(at, &arguments, &root.selection, None),
            None => match self.search(root, &arguments)? {
                Some(found) => Ok(found),
                None => Err(Failure::Unsupported(root.name.clone())),
            },
        }
    }

    fn one(
        &mut self,
        at: usize,
        arguments: &Map<String, Json>,
        selection: &[Selected],
    ) -> Result<String, Failure> {
        let table = self.table(at)?;
        let alias = self.alias();
        let (condition, order) = match found(table, arguments)? {
            // Its variable was omitted: no row is meant.
            None => return Ok("NULL::json".to_owned()),
            Some(Found::Key(key)) => (Some(self.key_condition(table, &alias, &key)?), String::new()),
            Some(Found::First(first)) => {
                let condition = match first.get("where") {
                    Some(condition) => self.condition(at, &alias, condition)?,
                    None => None,
                };
                (condition, self.order(at, &alias, first.get("orderBy"), true)?)
            }
        };
        let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        self.single(at, &alias, &format!("{condition}{order} LIMIT 1"), selection)
    }

    /// One row as a JSON value; `rest` is what follows `FROM table alias`.
    fn single(
        &mut self,
        at: usize,
        alias: &str,
        rest: &str,
        selection: &[Selected],
    ) -> Result<String, Failure> {
        let (rows, row) = (self.alias(), self.alias());
        let (columns, needed) = self.columns(at, &rows, selection)?;
        let inner = self.inner(at, alias, &needed, rest)?;
        Ok(format!("(SELECT row_to_json({row}) FROM (SELECT {columns} FROM ({inner}) {rows}) {row})"))
    }

    fn inner(&self, at: usize, alias: &str, needed: &BTreeSet<usize>, rest: &str) -> Result<String, Failure> {
        let table = self.table(at)?;
        let columns = needed.iter().filter_map(|at| table.columns.get(*at));
        let mut columns: Vec<String> = columns.map(|column| column_of(alias, column)).collect();
        if columns.is_empty() {
            columns.push("1 AS one".to_owned());
        }
        let held = match self.held.filter(|_| table.view.is_none()) {
            None => String::new(),
            Some(written) if written.contains(&at) => format!(" FOR NO KEY UPDATE OF {alias}"),
            Some(_) => format!(" FOR SHARE OF {alias}"),
        };
        Ok(format!("SELECT {} FROM {} {alias}{rest}{held}", columns.join(", "), source(table)))
    }

    /// A list as one JSON value.
    pub(super) fn list(
        &mut self,
        at: usize,
        arguments: &Map<String, Json>,
        selection: &[Selected],
        scope: Option<&dyn Fn(&str) -> String>,
    ) -> Result<String, Failure> {
        if is_grouped(self.table(at)?, arguments, selection) {
            return self.groups(at, arguments, selection, scope);
        }
        let (alias, rows, row) = (self.alias(), self.alias(), self.alias());
        let (columns, needed) = self.columns(at, &rows, selection)?;
        let rest = self.rest(at, &alias, arguments, scope)?;
        let inner = self.inner(at, &alias, &needed, &rest)?;
        Ok(format!(
            "(SELECT coalesce(json_agg(row_to_json({row})), '[]'::json) FROM (SELECT {columns} FROM ({inner}) {rows}) {row})"
        ))
    }

    /// What follows `FROM table alias`: conditions, order, page.
    fn rest(
        &mut self,
        at: usize,
        alias: &str,
        arguments: &Map<String, Json>,
        scope: Option<&dyn Fn(&str) -> String>,
    ) -> Result<String, Failure> {
        let mut conditions: Vec<String> = scope.map(|scope| scope(alias)).into_iter().collect();
        if let Some(condition) = arguments.get("where") {
            conditions.extend(self.condition(at, alias, condition)?);
        }
        let mut rest = String::new();
        if !conditions.is_empty() {
            rest.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        rest.push_str(&self.order(at, alias, arguments.get("orderBy"), true)?);
        rest.push_str(&self.page(arguments)?);
        Ok(rest)
    }

    /// `LIMIT` and `OFFSET`.
    pub(super) fn page(&mut self, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let number = |name: &str, default: u64| match arguments.get(name).filter(|value| !value.is_null()) {
            None => Ok(default),
            Some(value) => value.as_u64().ok_or_else(|| Failure::Value {
                path: name.to_owned(),
                misfit: Misfit::Type { observed: shown(value), wanted: "a count of rows".to_owned() },
            }),
        };
        let (limit, offset) = (number("limit", LIMIT_DEFAULT)?, number("offset", 0)?);
        if limit > LIMIT_MAX {
            return Err(Failure::Bound(format!("`limit` is {limit}; at most {LIMIT_MAX} rows come at once")));
        }
        let mut page = format!(" LIMIT {}", self.bind(Some(limit.to_string()), "int8")?);
        if arguments.contains_key("offset") {
            page.push_str(&format!(" OFFSET {}", self.bind(Some(offset.to_string()), "int8")?));
        }
        Ok(page)
    }

    /// The columns of a row's JSON, and which of the table's columns they need.
    pub(super) fn columns(
        &mut self,
        at: usize,
        rows: &str,
        selection: &[Selected],
    ) -> Result<(String, BTreeSet<usize>), Failure> {
        let table = self.table(at)?;
        let mut needed = BTreeSet::new();
        let mut columns = Vec::new();
        for field in selection.iter().filter(|field| self.given.includes(field)) {
            let value = self.value(at, table, rows, field, &mut needed)?;
            columns.push(format!("{value} AS {}", quoted(&field.key)));
        }
        if columns.is_empty() {
            columns.push("NULL::json AS none".to_owned());
        }
        Ok((columns.join(", "), needed))
    }

    fn value(
        &mut self,
        at: usize,
        table: &Table,
        rows: &str,
        field: &Selected,
        needed: &mut BTreeSet<usize>,
    ) -> Result<String, Failure> {
        if let Some((position, column)) = table.column(&field.name) {
            needed.insert(position);
            return Ok(output(&column_of(rows, column), &column.ty));
        }
        if let Some(reference) = table.reference(&field.name) {
            needed.extend(&reference.columns);
            let alias = self.alias();
            let joined = self.joined(table, rows, reference, &alias)?;
            return self.single(
                reference.table,
                &alias,
                &format!(" WHERE {joined} LIMIT 1"),
                &field.selection,
            );
        }
        if let Some(reverse) = self.schema.reverse(at, &field.name) {
            return self.reverse(rows, field, &reverse, needed);
        }
        match field.name.as_str() {
            "__typename" => Ok(format!("{}::text", text_literal(&table.name))),
            "_metadata" => Ok(self.metadata(rows, &field.selection)),
            "_id" => {
                needed.extend(&table.key);
                let key: Vec<String> = table.key_columns().map(|column| column_of(rows, column)).collect();
                let name = text_literal(&table.name);
                Ok(format!(
                    "encode(sha256(convert_to(json_build_array({name}::text, {})::text, 'UTF8')), 'hex')",
                    key.join(", ")
                ))
            }
            name => Err(Failure::Unsupported(format!("{}.{name}", table.name))),
        }
    }

    fn reverse(
        &mut self,
        rows: &str,
        field: &Selected,
        reverse: &Reverse,
        needed: &mut BTreeSet<usize>,
    ) -> Result<String, Failure> {
        let missing = || Failure::Bound(format!("no reference for `{}`", reverse.name));
        let child = self.table(reverse.table)?;
        let reference = child.references.get(reverse.reference).ok_or_else(missing)?;
        needed.extend(&reference.matches);
        let arguments = self.given.arguments(field)?;
        let joined = {
            let parts: Vec<(String, String)> = reference
                .columns
                .iter()
                .zip(&reference.matches)
                .filter_map(|(own, matched)| {
                    let here = self.schema.tables.get(reference.table)?.columns.get(*matched)?;
                    Some((quoted(&child.columns.get(*own)?.sql_name), column_of(rows, here)))
                })
                .collect();
            move |alias: &str| {
                let equal = parts.iter().map(|(own, here)| format!("{alias}.{own} = {here}"));
                equal.collect::<Vec<_>>().join(" AND ")
            }
        };
        match reverse.kind {
            ReverseKind::Many => self.list(reverse.table, &arguments, &field.selection, Some(&joined)),
            ReverseKind::One => {
                let alias = self.alias();
                let rest = format!(" WHERE {} LIMIT 1", joined(&alias));
                self.single(reverse.table, &alias, &rest, &field.selection)
            }
            ReverseKind::Via { forth } => {
                let to = child.references.get(forth).ok_or_else(missing)?;
                let (alias, page, numbered, values) =
                    (self.alias(), self.alias(), self.alias(), self.alias());
                let rest = self.rest(reverse.table, &alias, &arguments, Some(&joined))?;
                let inner =
                    self.inner(reverse.table, &alias, &to.columns.iter().copied().collect(), &rest)?;
                let target = self.alias();
                let join = self.joined(child, &numbered, to, &target)?;
                let row =
                    self.single(to.table, &target, &format!(" WHERE {join} LIMIT 1"), &field.selection)?;
                Ok(format!(
                    "(SELECT coalesce(json_agg({values}.j ORDER BY {values}.n), '[]'::json) FROM \
                     (SELECT {numbered}.n, {row} AS j FROM \
                     (SELECT {page}.*, row_number() OVER () AS n FROM ({inner}) {page}) {numbered}) {values} \
                     WHERE {values}.j IS NOT NULL)"
                ))
            }
        }
    }
}
