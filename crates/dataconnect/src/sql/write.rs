//! Mutations: one statement for each root field, whose answer is one JSON text.

use serde_json::{Map, Value as Json};

use super::filter::variants;
use super::output::output;
use super::read::{Found, found};
use super::{Builder, Failure, Given, Statement, column_of, is_uuid, items, object, quoted};
use crate::operation::{Selected, Use};
use crate::schema::values::LEVELS_MAX;
use crate::schema::{Base, Column, Default, Reference, ReverseKind, Scalar, Schema, Table};

/// Rows of one list.
const ROWS_MAX: usize = 10_000;

/// The statement of a mutation's root field: one row with one text, which is `null` when no row was there.
pub fn mutation(schema: &Schema, root: &Selected, given: &Given<'_>) -> Result<Statement, Failure> {
    let mut builder = Builder::new(schema, given);
    if let Some(of) = Use::of(&root.name).filter(|of| *of != Use::Select) {
        let text = builder.native_mutation(root, of)?;
        return Ok(builder.statement(text));
    }
    let arguments = given.arguments(root)?;
    let unsupported = || Failure::Unsupported(root.name.clone());
    let (singular, verb) = root.name.rsplit_once('_').ok_or_else(unsupported)?;
    let at = schema.tables.iter().position(|table| table.singular == singular).ok_or_else(unsupported)?;
    let text = match verb {
        "insert" => builder.insert(at, &arguments, false, false)?,
        "insertMany" => builder.insert(at, &arguments, true, false)?,
        "upsert" => builder.insert(at, &arguments, false, true)?,
        "upsertMany" => builder.insert(at, &arguments, true, true)?,
        "update" => builder.update(at, &arguments)?,
        "updateMany" => builder.update_many(at, &arguments)?,
        "delete" => builder.delete(at, &arguments)?,
        "deleteMany" => builder.delete_many(at, &arguments)?,
        _ => return Err(unsupported()),
    };
    Ok(builder.statement(text))
}

/// A row to insert: columns with their expressions.
struct Row {
    /// By position. `None` is the column's default.
    values: Vec<(usize, String)>,
    /// Those that the author gave: what an upsert overwrites.
    given: Vec<usize>,
}

/// A table's key as a JSON object.
fn key_object(table: &Table, alias: &str) -> String {
    let parts = table.key_columns().map(|column| {
        let value = output(&column_of(alias, column), &column.ty);
        format!("{}, {value}", super::text_literal(&column.name))
    });
    format!("json_build_object({})", parts.collect::<Vec<_>>().join(", "))
}

fn key_list(table: &Table) -> String {
    table.key_columns().map(|column| quoted(&column.sql_name)).collect::<Vec<_>>().join(", ")
}

impl Builder<'_> {
    fn insert(
        &mut self,
        at: usize,
        arguments: &Map<String, Json>,
        many: bool,
        upsert: bool,
    ) -> Result<String, Failure> {
        let data = arguments.get("data").cloned().unwrap_or_else(|| Json::Object(Map::new()));
        let rows = if many { items(&data) } else { std::slice::from_ref(&data) };
        if rows.is_empty() {
            return Ok("SELECT '[]'::text".to_owned());
        }
        let mut steps = Vec::new();
        let first = self.insert_rows(at, rows, upsert, None, &mut steps, LEVELS_MAX)?;
        let key = key_object(self.table(at)?, &first);
        let answer = match many {
            true => format!("coalesce(json_agg({key}), '[]'::json)"),
            false => key,
        };
        Ok(format!("WITH {} SELECT {answer}::text FROM {first}", steps.join(", ")))
    }

    /// Adds the step that inserts rows, and steps for rows that refer to them. Gives the step's name.
    fn insert_rows(
        &mut self,
        at: usize,
        data: &[Json],
        upsert: bool,
        parent: Option<(&Reference, &str)>,
        steps: &mut Vec<String>,
        levels: usize,
    ) -> Result<String, Failure> {
        let levels = levels.checked_sub(1).ok_or_else(|| Failure::Bound("rows nest too deep".to_owned()))?;
        if data.len() > ROWS_MAX {
            return Err(Failure::Bound(format!("{} rows at once; at most {ROWS_MAX}", data.len())));
        }
        let table = self.table(at)?;
        let mut rows = Vec::new();
        for item in data {
            rows.push(self.row(at, table, object(item, &format!("{}_Data", table.name))?, parent)?);
        }
        let mut columns: Vec<usize> =
            rows.iter().flat_map(|row| row.values.iter().map(|(at, _)| *at)).collect();
        columns.sort_unstable();
        columns.dedup();
        let name = |at: &usize| table.columns.get(*at).map(|column| quoted(&column.sql_name));
        let names: Vec<String> = columns.iter().filter_map(name).collect();
        let values = rows.iter().map(|row| {
            let of = |at: &usize| {
                let found = row.values.iter().find(|(column, _)| column == at);
                found.map_or("DEFAULT", |(_, value)| value.as_str()).to_owned()
            };
            format!("({})", columns.iter().map(of).collect::<Vec<_>>().join(", "))
        });
        let step = self.alias();
        let body = match names.is_empty() {
            true if rows.len() == 1 => "DEFAULT VALUES".to_owned(),
            true => {
                let key =
                    table.key_columns().next().map(|column| quoted(&column.sql_name)).unwrap_or_default();
                let rows: Vec<&str> = rows.iter().map(|_| "(DEFAULT)").collect();
                format!("({key}) VALUES {}", rows.join(", "))
            }
            false => format!("({}) VALUES {}", names.join(", "), values.collect::<Vec<_>>().join(", ")),
        };
        let conflict = if upsert { self.conflict(table, &rows)? } else { String::new() };
        let into = quoted(&table.sql_name);
        steps.push(format!("{step} AS (INSERT INTO {into} {body}{conflict} RETURNING *)"));
        for item in data {
            self.children(at, object(item, "data")?, data.len(), &step, steps, levels)?;
        }
        Ok(step)
    }

    /// `ON CONFLICT`: what was given is overwritten, defaults are for new rows.
    fn conflict(&mut self, table: &Table, rows: &[Row]) -> Result<String, Failure> {
        let same = |row: &Row| rows.first().is_some_and(|first| first.given == row.given);
        if !rows.iter().all(same) {
            return Err(Failure::Unsupported("rows with different fields in one upsertMany".to_owned()));
        }
        let given = rows.first().map(|row| row.given.as_slice()).unwrap_or_default();
        let mut set: Vec<usize> = given.iter().copied().filter(|at| !table.key.contains(at)).collect();
        if set.is_empty() {
            // Something must be written, or nothing is returned.
            set.extend(table.key.first());
        }
        let set = set.iter().filter_map(|at| table.columns.get(*at)).map(|column| {
            let name = quoted(&column.sql_name);
            format!("{name} = EXCLUDED.{name}")
        });
        let set = set.collect::<Vec<_>>().join(", ");
        Ok(format!(" ON CONFLICT ({}) DO UPDATE SET {set}", key_list(table)))
    }

    /// Rows that refer to the row of `data`.
    fn children(
        &mut self,
        at: usize,
        data: &Map<String, Json>,
        rows: usize,
        step: &str,
        steps: &mut Vec<String>,
        levels: usize,
    ) -> Result<(), Failure> {
        for reverse in self.schema.reverses(at) {
            let Some(value) = data.get(&reverse.name).filter(|value| !value.is_null()) else { continue };
            if matches!(reverse.kind, ReverseKind::Via { .. }) {
                return Err(Failure::Field { path: "data".to_owned(), name: reverse.name });
            }
            if rows > 1 {
                return Err(Failure::Unsupported(format!("`{}` in one of several rows", reverse.name)));
            }
            let child = self.table(reverse.table)?;
            let missing = || Failure::Bound(format!("no reference for `{}`", reverse.name));
            let reference = child.references.get(reverse.reference).ok_or_else(missing)?;
            let list = items(value);
            if !list.is_empty() {
                self.insert_rows(reverse.table, list, false, Some((reference, step)), steps, levels)?;
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        at: usize,
        table: &Table,
        data: &Map<String, Json>,
        parent: Option<(&Reference, &str)>,
    ) -> Result<Row, Failure> {
        self.known(at, table, data)?;
        let mut row = Row { values: Vec::new(), given: Vec::new() };
        if let Some((reference, step)) = parent {
            let target = self.table(reference.table)?;
            for (own, matched) in reference.columns.iter().zip(&reference.matches) {
                let matched =
                    target.columns.get(*matched).ok_or_else(|| Failure::Bound("no column".to_owned()))?;
                row.values.push((*own, format!("(SELECT {} FROM {step})", column_of(step, matched))));
            }
        }
        for reference in &table.references {
            let Some(value) = data.get(&reference.name) else { continue };
            for (own, value) in self.reference_values(reference, value)? {
                row.values.push((own, value));
                row.given.push(own);
            }
        }
        for (position, column) in table.columns.iter().enumerate() {
            if row.values.iter().any(|(at, _)| *at == position) {
                continue;
            }
            if data.contains_key(&format!("{}_update", column.name)) {
                return Err(Failure::Unsupported(format!("`{}_update` of a new row", column.name)));
            }
            if let Some(value) = self.column_value(column, data)? {
                row.values.push((position, value));
                row.given.push(position);
            } else if let Some(value) = self.default_value(column)? {
                row.values.push((position, value));
            }
        }
        Ok(row)
    }

    /// Every field of an input must be one: the content of a variable was not validated before.
    fn known(&self, at: usize, table: &Table, data: &Map<String, Json>) -> Result<(), Failure> {
        let suffixes = ["", "_expr", "_time", "_date", "_update", "_embed"];
        for name in data.keys() {
            let is_column = suffixes
                .iter()
                .any(|suffix| name.strip_suffix(suffix).is_some_and(|stem| table.column(stem).is_some()));
            if !is_column && table.reference(name).is_none() && self.schema.reverse(at, name).is_none() {
                return Err(Failure::Field { path: format!("{}_Data", table.name), name: name.clone() });
            }
        }
        Ok(())
    }

    /// `movie: {id: …}` as the columns that refer.
    fn reference_values(
        &mut self,
        reference: &Reference,
        value: &Json,
    ) -> Result<Vec<(usize, String)>, Failure> {
        let target = self.table(reference.table)?;
        let mut values = Vec::new();
        for (own, matched) in reference.columns.iter().zip(&reference.matches) {
            let column =
                target.columns.get(*matched).ok_or_else(|| Failure::Bound("no column".to_owned()))?;
            let bound = match value {
                Json::Null => "NULL".to_owned(),
                value => {
                    let key = object(value, &reference.name)?;
                    let path = format!("{}_Key", target.name);
                    let missing = || Failure::Bound(format!("`{}` has no `{}`", path, column.name));
                    let (_, value) = variants(column, key).ok_or_else(missing)?;
                    self.bind_one(value, &column.ty.base, &format!("{path}.{}", column.name))?
                }
            };
            values.push((*own, bound));
        }
        Ok(values)
    }

    /// What an input says of a column, in any of its forms.
    fn column_value(&mut self, column: &Column, data: &Map<String, Json>) -> Result<Option<String>, Failure> {
        let Some((name, value)) = variants(column, data) else { return Ok(None) };
        Ok(Some(match (name.strip_prefix(column.name.as_str()), value) {
            (_, Json::Null) => "NULL".to_owned(),
            (Some("_time"), value) => self.relative_time(value, &name)?,
            (Some("_date"), value) => self.relative_date(value, &name)?,
            (Some("_expr"), Json::String(text)) if column.ty.base == Base::Scalar(Scalar::Date) => {
                // An expression gives a time; the column has its day.
                let value = Json::String(text.split('T').next().unwrap_or_default().to_owned());
                self.bind_column(&value, &column.ty, &name)?
            }
            (_, value) => self.bind_column(value, &column.ty, &name)?,
        }))
    }

    /// A default that the database does not compute.
    fn default_value(&mut self, column: &Column) -> Result<Option<String>, Failure> {
        match &column.default {
            Some(Default::Expr(expr)) if !is_uuid(expr) => {
                let value = (self.given.default)(expr)?;
                let data = [(format!("{}_expr", column.name), value)].into_iter().collect();
                self.column_value(column, &data)
            }
            _ => Ok(None),
        }
    }

    /// `SET` of an update.
    fn set(&mut self, at: usize, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let table = self.table(at)?;
        let empty = Json::Object(Map::new());
        let data = object(arguments.get("data").unwrap_or(&empty), &format!("{}_Data", table.name))?;
        self.known(at, table, data)?;
        let mut set: Vec<(usize, String)> = Vec::new();
        for reference in &table.references {
            if let Some(value) = data.get(&reference.name) {
                set.extend(self.reference_values(reference, value)?);
            }
        }
        for (position, column) in table.columns.iter().enumerate() {
            if set.iter().any(|(at, _)| *at == position) {
                continue;
            }
            let update = data.get(&format!("{}_update", column.name)).filter(|update| !update.is_null());
            let value = match update {
                Some(update) => Some(self.updated(column, update)?),
                None => self.column_value(column, data)?,
            };
            set.extend(value.map(|value| (position, value)));
        }
        if set.is_empty() {
            // The row is found, and its key is given, all the same.
            let key = table.key_columns().next().map(|column| quoted(&column.sql_name)).unwrap_or_default();
            return Ok(format!("{key} = {}.{key}", quoted(&table.sql_name)));
        }
        let set = set.iter().filter_map(|(at, value)| {
            table.columns.get(*at).map(|column| format!("{} = {value}", quoted(&column.sql_name)))
        });
        Ok(set.collect::<Vec<_>>().join(", "))
    }

    /// `inc`, `dec`, `append`, `prepend`, `add`, `remove`, one after the other.
    fn updated(&mut self, column: &Column, update: &Json) -> Result<String, Failure> {
        let base = &column.ty.base;
        let cast = super::cast_of(base);
        let mut value = quoted(&column.sql_name);
        for step in items(update) {
            for (name, operand) in object(step, &format!("{}_update", column.name))? {
                let path = format!("{}_update.{name}", column.name);
                value = match (name.as_str(), column.ty.list, base) {
                    (_, _, _) if operand.is_null() => value,
                    ("inc" | "dec", None, Base::Scalar(scalar)) if scalar.is_number() => {
                        let sign = if name == "inc" { '+' } else { '-' };
                        let operand = self.bind_one(operand, base, &path)?;
                        format!("(coalesce({value}, 0) {sign} {operand})")
                    }
                    ("inc" | "dec", None, Base::Scalar(Scalar::Timestamp)) => {
                        let sign = if name == "inc" { '+' } else { '-' };
                        let (now, interval) = (self.now()?, self.interval(operand, &path)?);
                        format!(
                            "((coalesce({value}, {now}) AT TIME ZONE 'UTC' {sign} {interval}) AT TIME ZONE 'UTC')"
                        )
                    }
                    ("inc" | "dec", None, Base::Scalar(Scalar::Date)) => {
                        let sign = if name == "inc" { '+' } else { '-' };
                        let (now, interval) = (self.now()?, self.interval(operand, &path)?);
                        format!(
                            "(coalesce({value}, ({now} AT TIME ZONE 'UTC')::date) {sign} {interval})::date"
                        )
                    }
                    ("append" | "prepend" | "add" | "remove", Some(_), base) => {
                        let operand = self.bind_list(operand, base, &path)?;
                        let list = format!("coalesce({value}, '{{}}'::{cast}[])");
                        match name.as_str() {
                            "append" => format!("({list} || {operand})"),
                            "prepend" => format!("({operand} || {list})"),
                            "add" => format!(
                                "({list} || ARRAY(SELECT u.x FROM unnest({operand}) WITH ORDINALITY AS u(x, n) \
                                 WHERE u.x <> ALL({list}) ORDER BY u.n))"
                            ),
                            _ => format!(
                                "ARRAY(SELECT u.x FROM unnest({list}) WITH ORDINALITY AS u(x, n) \
                                 WHERE u.x <> ALL({operand}) ORDER BY u.n)"
                            ),
                        }
                    }
                    _ => return Err(Failure::Field { path, name: name.clone() }),
                };
            }
        }
        Ok(value)
    }

    /// The condition that finds the one row, and the steps before it. `None`: no row is meant.
    fn one_row(
        &mut self,
        at: usize,
        arguments: &Map<String, Json>,
    ) -> Result<Option<(String, String)>, Failure> {
        let table = self.table(at)?;
        let own = quoted(&table.sql_name);
        Ok(match found(table, arguments)? {
            None => None,
            Some(Found::Key(key)) => Some((String::new(), self.key_condition(table, &own, &key)?)),
            Some(Found::First(first)) => {
                let (alias, step) = (self.alias(), self.alias());
                let condition = match first.get("where") {
                    Some(condition) => self.condition(at, &alias, condition)?,
                    None => None,
                };
                let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
                let order = self.order(at, &alias, first.get("orderBy"), true)?;
                let key: Vec<String> = table.key_columns().map(|column| column_of(&alias, column)).collect();
                let select = format!(
                    "{step} AS (SELECT {} FROM {own} {alias}{condition}{order} LIMIT 1 FOR UPDATE), ",
                    key.join(", ")
                );
                let key = key_list(table);
                let own_key: Vec<String> =
                    table.key_columns().map(|column| column_of(&own, column)).collect();
                Some((select, format!("({}) IN (SELECT {key} FROM {step})", own_key.join(", "))))
            }
        })
    }

    fn update(&mut self, at: usize, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let Some((before, condition)) = self.one_row(at, arguments)? else { return Ok(nothing()) };
        let set = self.set(at, arguments)?;
        let table = self.table(at)?;
        let (own, key) = (quoted(&table.sql_name), key_list(table));
        let object = key_object(table, "w");
        Ok(format!(
            "WITH {before}w AS (UPDATE {own} SET {set} WHERE {condition} RETURNING {key}) \
             SELECT coalesce((SELECT {object} FROM w), 'null'::json)::text"
        ))
    }

    fn delete(&mut self, at: usize, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let Some((before, condition)) = self.one_row(at, arguments)? else { return Ok(nothing()) };
        let table = self.table(at)?;
        let (own, key) = (quoted(&table.sql_name), key_list(table));
        let object = key_object(table, "w");
        Ok(format!(
            "WITH {before}w AS (DELETE FROM {own} WHERE {condition} RETURNING {key}) \
             SELECT coalesce((SELECT {object} FROM w), 'null'::json)::text"
        ))
    }

    /// The condition of many rows. `None` is every row, which must be meant: by `all`, or by a `where` in the text.
    fn many_rows(&mut self, at: usize, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let own = quoted(&self.table(at)?.sql_name);
        let all = arguments.get("all").and_then(Json::as_bool) == Some(true);
        let condition = match arguments.get("where") {
            Some(condition) => self.condition(at, &own, condition)?,
            None if all => None,
            None => return Ok(" WHERE false".to_owned()),
        };
        Ok(condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default())
    }

    fn update_many(&mut self, at: usize, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let condition = self.many_rows(at, arguments)?;
        let set = self.set(at, arguments)?;
        let own = quoted(&self.table(at)?.sql_name);
        Ok(format!("WITH w AS (UPDATE {own} SET {set}{condition} RETURNING 1) SELECT count(*)::text FROM w"))
    }

    fn delete_many(&mut self, at: usize, arguments: &Map<String, Json>) -> Result<String, Failure> {
        let condition = self.many_rows(at, arguments)?;
        let own = quoted(&self.table(at)?.sql_name);
        Ok(format!("WITH w AS (DELETE FROM {own}{condition} RETURNING 1) SELECT count(*)::text FROM w"))
    }
}

fn nothing() -> String {
    "SELECT 'null'::text".to_owned()
}
