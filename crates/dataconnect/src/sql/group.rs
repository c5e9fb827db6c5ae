//! Aggregates, `having` and `distinct`.
//!
//! An aggregate beside plain fields groups by those. Source: the reference, §6.

use serde_json::{Map, Value as Json};

use super::output::output;
use super::{Builder, Failure, column_of, items, object, quoted, source};
use crate::generated::Aggregate;
use crate::operation::Selected;
use crate::schema::values::LEVELS_MAX;
use crate::schema::{Base, ColumnType, Scalar, Table};

/// An aggregate's expression and type, by its field's name.
pub(super) fn aggregate(
    table: &Table,
    alias: &str,
    name: &str,
    distinct: bool,
) -> Option<(String, ColumnType)> {
    let of = |scalar, required| ColumnType { base: Base::Scalar(scalar), list: None, required };
    if name == "_count" {
        return Some(("count(*)::int4".to_owned(), of(Scalar::Int, true)));
    }
    let (field, suffix) = name.rsplit_once('_')?;
    let (_, column) = table.column(field)?;
    let aggregate = Aggregate::ALL.into_iter().find(|aggregate| aggregate.suffix() == suffix)?;
    aggregate.of(column)?;
    let (value, word) = (column_of(alias, column), if distinct { "DISTINCT " } else { "" });
    let scalar = column.ty.base.scalar();
    Some(match aggregate {
        Aggregate::Count => (format!("count({word}{value})::int4"), of(Scalar::Int, true)),
        Aggregate::Avg => (format!("avg({word}{value})::float8"), of(Scalar::Float, false)),
        Aggregate::Sum => {
            let scalar = scalar?;
            (format!("sum({word}{value})::{}", super::cast_of(&Base::Scalar(scalar))), of(scalar, false))
        }
        Aggregate::Min | Aggregate::Max => {
            let ty = ColumnType { required: false, ..column.ty.clone() };
            // jsonb has an order, and no aggregate of it.
            let call = match (scalar, suffix) {
                (Some(Scalar::Any), "min") => {
                    format!("(array_agg({value} ORDER BY {value} ASC NULLS LAST))[1]")
                }
                (Some(Scalar::Any), _) => format!("(array_agg({value} ORDER BY {value} DESC NULLS LAST))[1]"),
                _ => format!("{suffix}({value})"),
            };
            (call, ty)
        }
    })
}

/// Whether a list is of groups and not of rows.
pub(super) fn is_grouped(table: &Table, arguments: &Map<String, Json>, selection: &[Selected]) -> bool {
    arguments.get("distinct").and_then(Json::as_bool) == Some(true)
        || arguments.get("having").is_some_and(|having| !having.is_null())
        || selection.iter().any(|field| aggregate(table, "t", &field.name, false).is_some())
}

impl Builder<'_> {
    /// A list of groups as one JSON value.
    pub(super) fn groups(
        &mut self,
        at: usize,
        arguments: &Map<String, Json>,
        selection: &[Selected],
        scope: Option<&dyn Fn(&str) -> String>,
    ) -> Result<String, Failure> {
        let table = self.table(at)?;
        let alias = self.alias();
        let (mut columns, mut by, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        let group = self.alias();
        for field in selection.iter().filter(|field| self.given.includes(field)) {
            let key = quoted(&field.key);
            let own = self.given.arguments(field)?;
            let distinct = own.get("distinct").and_then(Json::as_bool).unwrap_or(false);
            if let Some((_, column)) = table.column(&field.name) {
                let name = quoted(&field.key);
                columns.push(format!("{} AS {name}", column_of(&alias, column)));
                by.push(column_of(&alias, column));
                outputs.push(format!("{} AS {key}", output(&format!("{group}.{name}"), &column.ty)));
            } else if let Some((term, ty)) = aggregate(table, &alias, &field.name, distinct) {
                columns.push(format!("{term} AS {key}"));
                outputs.push(format!("{} AS {key}", output(&format!("{group}.{key}"), &ty)));
            } else if field.name == "__typename" {
                let name = super::text_literal(&table.name);
                outputs.push(format!("{name}::text AS {key}"));
            } else {
                let what = format!("`{}` beside an aggregate or `distinct`", field.name);
                return Err(Failure::Unsupported(what));
            }
        }
        let mut conditions: Vec<String> = scope.map(|scope| scope(&alias)).into_iter().collect();
        if let Some(condition) = arguments.get("where") {
            conditions.extend(self.condition(at, &alias, condition)?);
        }
        let mut text = format!("SELECT {} FROM {} {alias}", columns.join(", "), source(table));
        if !conditions.is_empty() {
            text.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        if !by.is_empty() {
            text.push_str(&format!(" GROUP BY {}", by.join(", ")));
        }
        if let Some(having) = arguments.get("having") {
            let having = self.having(table, &alias, having, LEVELS_MAX)?;
            text.push_str(&having.map(|having| format!(" HAVING {having}")).unwrap_or_default());
        }
        text.push_str(&self.order(at, &alias, arguments.get("orderBy"), false)?);
        text.push_str(&self.page(arguments)?);
        let rows = self.alias();
        Ok(format!(
            "(SELECT coalesce(json_agg(row_to_json({rows})), '[]'::json) FROM (SELECT {} FROM ({text}) {group}) {rows})",
            outputs.join(", ")
        ))
    }

    fn having(
        &mut self,
        table: &Table,
        alias: &str,
        value: &Json,
        levels: usize,
    ) -> Result<Option<String>, Failure> {
        let too_deep = || Failure::Bound(format!("`having` nests deeper than {LEVELS_MAX} levels"));
        let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
        if value.is_null() {
            return Ok(None);
        }
        let path = format!("{}_Having", table.name);
        let having = object(value, &path)?;
        let distinct = having.get("_distinct").and_then(Json::as_bool).unwrap_or(false);
        let mut parts = Vec::new();
        for (name, value) in having {
            match name.as_str() {
                "_distinct" => {}
                "_and" | "_or" => {
                    let mut inner = Vec::new();
                    for item in items(value) {
                        inner.extend(self.having(table, alias, item, levels)?);
                    }
                    if !inner.is_empty() {
                        let word = if name == "_and" { " AND " } else { " OR " };
                        parts.push(format!("({})", inner.join(word)));
                    }
                }
                "_not" => {
                    let inner = self.having(table, alias, value, levels)?;
                    parts.extend(inner.map(|inner| format!("NOT ({inner})")));
                }
                name => {
                    let (term, ty) = aggregate(table, alias, name, distinct)
                        .ok_or_else(|| Failure::Field { path: path.clone(), name: name.to_owned() })?;
                    if !value.is_null() {
                        parts.extend(self.operators(&term, &ty, object(value, name)?, name)?);
                    }
                }
            }
        }
        Ok((!parts.is_empty()).then(|| parts.join(" AND ")))
    }
}
