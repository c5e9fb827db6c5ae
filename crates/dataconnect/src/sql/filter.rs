//! Conditions: `where` as SQL.
//!
//! What was omitted is gone; an explicit null is asked for. Source: the reference, §7.

use serde_json::{Map, Value as Json};

use super::{Builder, Failure, column_of, items, object, source};
use crate::schema::values::LEVELS_MAX;
use crate::schema::{Base, Column, ColumnType, Reference, ReverseKind, Scalar, Table};

impl Builder<'_> {
    /// The condition on a table's row; `None` when nothing is asked.
    pub(super) fn condition(
        &mut self,
        at: usize,
        alias: &str,
        value: &Json,
    ) -> Result<Option<String>, Failure> {
        self.condition_within(at, alias, value, LEVELS_MAX)
    }

    fn condition_within(
        &mut self,
        at: usize,
        alias: &str,
        value: &Json,
        levels: usize,
    ) -> Result<Option<String>, Failure> {
        let too_deep = || Failure::Bound(format!("a condition nests deeper than {LEVELS_MAX} levels"));
        let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
        if value.is_null() {
            return Ok(None);
        }
        let table = self.table(at)?;
        let path = format!("{}_Filter", table.name);
        let mut parts = Vec::new();
        for (name, value) in object(value, &path)? {
            match name.as_str() {
                "_and" | "_or" => {
                    let mut inner = Vec::new();
                    for item in items(value) {
                        inner.extend(self.condition_within(at, alias, item, levels)?);
                    }
                    if !inner.is_empty() {
                        let word = if name == "_and" { " AND " } else { " OR " };
                        parts.push(format!("({})", inner.join(word)));
                    }
                }
                "_not" => {
                    let inner = self.condition_within(at, alias, value, levels)?;
                    parts.extend(inner.map(|inner| format!("NOT ({inner})")));
                }
                name => parts.extend(self.member(at, table, alias, name, value, levels)?),
            }
        }
        Ok((!parts.is_empty()).then(|| parts.join(" AND ")))
    }

    fn member(
        &mut self,
        at: usize,
        table: &Table,
        alias: &str,
        name: &str,
        value: &Json,
        levels: usize,
    ) -> Result<Option<String>, Failure> {
        if let Some((_, column)) = table.column(name) {
            let operators = if value.is_null() { return Ok(None) } else { object(value, name)? };
            return self.operators(&column_of(alias, column), &column.ty, operators, name);
        }
        if let Some(reference) = table.reference(name) {
            let target = self.alias();
            let inner = self.condition_within(reference.table, &target, value, levels)?;
            let Some(inner) = inner else { return Ok(None) };
            let joined = self.joined(table, alias, reference, &target)?;
            let of = source(self.table(reference.table)?);
            return Ok(Some(format!("EXISTS (SELECT 1 FROM {of} {target} WHERE {joined} AND {inner})")));
        }
        if let Some(reverse) = self.schema.reverse(at, name) {
            return self.reverse_condition(alias, &reverse, value, levels).map(Some);
        }
        Err(Failure::Field { path: format!("{}_Filter", table.name), name: name.to_owned() })
    }

    /// `alias.movie_id = target.id`.
    pub(super) fn joined(
        &self,
        table: &Table,
        alias: &str,
        reference: &Reference,
        target: &str,
    ) -> Result<String, Failure> {
        let other = self.table(reference.table)?;
        let pairs = reference.columns.iter().zip(&reference.matches);
        let equal = pairs.filter_map(|(own, matched)| {
            let (own, matched) = (table.columns.get(*own)?, other.columns.get(*matched)?);
            Some(format!("{} = {}", column_of(target, matched), column_of(alias, own)))
        });
        Ok(equal.collect::<Vec<_>>().join(" AND "))
    }

    fn reverse_condition(
        &mut self,
        alias: &str,
        reverse: &crate::schema::Reverse,
        value: &Json,
        levels: usize,
    ) -> Result<String, Failure> {
        let child = self.table(reverse.table)?;
        let reference = child.references.get(reverse.reference);
        let reference =
            reference.ok_or_else(|| Failure::Bound(format!("no reference for `{}`", reverse.name)))?;
        let rows = self.alias();
        let mut from = format!("{} {rows}", source(child));
        let mut condition = self.joined(child, &rows, reference, alias)?;
        let (of, of_alias) = match reverse.kind {
            ReverseKind::Via { forth } => {
                let to = child.references.get(forth);
                let to = to.ok_or_else(|| Failure::Bound(format!("no reference for `{}`", reverse.name)))?;
                let target = self.alias();
                let joined = self.joined(child, &rows, to, &target)?;
                let name = source(self.table(to.table)?);
                from = format!("{from} JOIN {name} {target} ON {joined}");
                (to.table, target)
            }
            _ => (reverse.table, rows.clone()),
        };
        if reverse.kind == ReverseKind::One {
            if let Some(inner) = self.condition_within(of, &of_alias, value, levels)? {
                condition = format!("{condition} AND {inner}");
            }
            return Ok(format!("EXISTS (SELECT 1 FROM {from} WHERE {condition})"));
        }
        let list = object(value, &reverse.name)?;
        if let Some(name) = list.keys().find(|name| !["exist", "count"].contains(&name.as_str())) {
            return Err(Failure::Field { path: reverse.name.clone(), name: name.clone() });
        }
        let inner = match list.get("exist") {
            Some(exist) => self.condition_within(of, &of_alias, exist, levels)?,
            None => None,
        };
        if let Some(inner) = inner {
            condition = format!("{condition} AND {inner}");
        }
        let Some(count) = list.get("count").filter(|count| !count.is_null()) else {
            return Ok(format!("EXISTS (SELECT 1 FROM {from} WHERE {condition})"));
        };
        let counted = format!("(SELECT count(*)::int4 FROM {from} WHERE {condition})");
        let ty = ColumnType { base: Base::Scalar(Scalar::Int), list: None, required: true };
        let operators = object(count, "count")?;
        Ok(self.operators(&counted, &ty, operators, "count")?.unwrap_or_else(|| "true".to_owned()))
    }

    /// Operators on a value.
    pub(super) fn operators(
        &mut self,
        left: &str,
        ty: &ColumnType,
        operators: &Map<String, Json>,
        path: &str,
    ) -> Result<Option<String>, Failure> {
        let mut parts = Vec::new();
        for (name, value) in operators {
            let path = format!("{path}.{name}");
            parts.push(match ty.list {
                Some(_) => self.list_operator(left, &ty.base, name, value, &path)?,
                None => self.operator(left, &ty.base, name, value, &path)?,
            });
        }
        Ok((!parts.is_empty()).then(|| parts.join(" AND ")))
    }

    /// The value of an operator's plain, `_expr`, `_time` or `_date` form; `None` for null.
    fn right(
        &mut self,
        base: &Base,
        name: &str,
        value: &Json,
        path: &str,
    ) -> Result<Option<String>, Failure> {
        Ok(match (name, value) {
            (_, Json::Null) => None,
            (name, value) if name.ends_with("_time") => Some(self.relative_time(value, path)?),
            (name, value) if name.ends_with("_date") => Some(self.relative_date(value, path)?),
            (_, value) => Some(self.bind_one(value, base, path)?),
        })
    }

    fn operator(
        &mut self,
        left: &str,
        base: &Base,
        name: &str,
        value: &Json,
        path: &str,
    ) -> Result<String, Failure> {
        let stem = ["_expr", "_time", "_date"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let comparison = match stem {
            "eq" => Some("="),
            "ne" => Some("<>"),
            "lt" => Some("<"),
            "le" => Some("<="),
            "gt" => Some(">"),
            "ge" => Some(">="),
            _ => None,
        };
        if let Some(sign) = comparison {
            return Ok(match (self.right(base, name, value, path)?, sign) {
                (Some(right), sign) => format!("{left} {sign} {right}"),
                (None, "=") => format!("{left} IS NULL"),
                (None, "<>") => format!("{left} IS NOT NULL"),
                // Nothing compares with null.
                (None, _) => "false".to_owned(),
            });
        }
        match (name, base) {
            ("isNull", _) => Ok(match value.as_bool() {
                Some(true) => format!("{left} IS NULL"),
                Some(false) => format!("{left} IS NOT NULL"),
                None => "true".to_owned(),
            }),
            ("in" | "nin", _) if value.is_null() => Ok("false".to_owned()),
            ("in", _) => Ok(format!("{left} = ANY({})", self.bind_list(value, base, path)?)),
            ("nin", _) => Ok(format!("{left} <> ALL({})", self.bind_list(value, base, path)?)),
            ("contains" | "startsWith" | "endsWith", Base::Scalar(Scalar::String)) => {
                let Some(text) = value.as_str() else { return Ok("false".to_owned()) };
                let text = self.bind_one(&text.into(), base, path)?;
                // Literal: no letter of the text means anything else.
                Ok(match name {
                    "contains" => format!("position({text} in {left}) > 0"),
                    "startsWith" => format!("starts_with({left}, {text})"),
                    _ => format!("right({left}, length({text})) = {text}"),
                })
            }
            ("pattern", Base::Scalar(Scalar::String)) => self.pattern(left, value, path),
            _ => Err(Failure::Field { path: path.to_owned(), name: name.to_owned() }),
        }
    }

    fn pattern(&mut self, left: &str, value: &Json, path: &str) -> Result<String, Failure> {
        let pattern = object(value, path)?;
        let ignore = pattern.get("ignoreCase").and_then(Json::as_bool).unwrap_or(false);
        let text = Base::Scalar(Scalar::String);
        if let Some(like) = pattern.get("like").filter(|like| !like.is_null()) {
            let bound = self.bind_one(like, &text, path)?;
            return Ok(format!("{left} {} {bound}", if ignore { "ILIKE" } else { "LIKE" }));
        }
        if let Some(regex) = pattern.get("regex").filter(|regex| !regex.is_null()) {
            let bound = self.bind_one(regex, &text, path)?;
            return Ok(format!("{left} {} {bound}", if ignore { "~*" } else { "~" }));
        }
        Ok("true".to_owned())
    }

    fn list_operator(
        &mut self,
        left: &str,
        base: &Base,
        name: &str,
        value: &Json,
        path: &str,
    ) -> Result<String, Failure> {
        let stem = ["_expr", "_time", "_date"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        match stem {
            "includes" | "excludes" => {
                let Some(right) = self.right(base, name, value, path)? else { return Ok("false".to_owned()) };
                Ok(match stem {
                    "includes" => format!("{right} = ANY({left})"),
                    _ => format!("{right} <> ALL({left})"),
                })
            }
            "includesAll" | "excludesAll" if value.is_null() => Ok("false".to_owned()),
            "includesAll" => Ok(format!("{left} @> {}", self.bind_list(value, base, path)?)),
            "excludesAll" => Ok(format!("NOT ({left} && {})", self.bind_list(value, base, path)?)),
            _ => Err(Failure::Field { path: path.to_owned(), name: name.to_owned() }),
        }
    }

    /// The condition of a row's key.
    pub(super) fn key_condition(
        &mut self,
        table: &Table,
        alias: &str,
        key: &Map<String, Json>,
    ) -> Result<String, Failure> {
        let mut parts = Vec::new();
        for column in table.key_columns() {
            let (name, value) = variants(column, key).ok_or_else(|| {
                Failure::Bound(format!("the key of `{}` has no `{}`", table.name, column.name))
            })?;
            let path = format!("{}_Key.{name}", table.name);
            let right = self.right(&column.ty.base, &name, value, &path)?;
            let right = right.unwrap_or_else(|| "NULL".to_owned());
            parts.push(format!("{} = {right}", column_of(alias, column)));
        }
        Ok(parts.join(" AND "))
    }
}

/// A column's value in an input, with the name that it has there.
pub(super) fn variants<'v>(column: &Column, input: &'v Map<String, Json>) -> Option<(String, &'v Json)> {
    ["", "_expr", "_time", "_date"].iter().find_map(|suffix| {
        let name = format!("{}{suffix}", column.name);
        input.get(&name).map(|value| (name, value))
    })
}
