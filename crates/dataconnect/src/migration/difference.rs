//! From what is wanted and what is there to steps.

use super::catalog::{Catalog, Index, Table};
use super::declared::{declared, shortened};
use super::mark::Mark;
use super::{columns, enums, statement};
use crate::project::Validation;
use crate::schema::{Schema, View};
use crate::sql::{quoted, text_literal};

/// Rows that forbid a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The statement that counts them: one row with one number.
    pub sql: String,
    /// Continues a sentence that begins with their number.
    pub message: String,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The statement.
    pub sql: String,
    /// What it does.
    pub description: String,
    /// Whether data may be lost.
    pub destructive: bool,
    /// What forbids it.
    pub check: Option<Check>,
}

/// How a database differs from a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Run one by one before the transaction: PostgreSQL does not let a transaction use a value that it added to an
    /// enum.
    pub before: Vec<Step>,
    /// Run in one transaction, in order.
    pub steps: Vec<Step>,
    /// What is left as it is, and advice.
    pub notes: Vec<String>,
}

impl Difference {
    /// Whether the database has what the schema needs.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.steps.is_empty()
    }

    /// Every step, in order.
    pub fn all(&self) -> impl Iterator<Item = &Step> {
        self.before.iter().chain(&self.steps)
    }

    /// Whether a step may lose data.
    pub fn is_destructive(&self) -> bool {
        self.all().any(|step| step.destructive)
    }

    pub(super) fn step(&mut self, sql: String, description: String) -> &mut Step {
        self.steps.push(Step { sql, description, destructive: false, check: None });
        let last = self.steps.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was pushed")]
        &mut self.steps[last]
    }
}

/// A table in all its forms.
pub(super) struct Pair<'p> {
    /// As the schema writes it.
    pub(super) declared: &'p Table,
    /// As PostgreSQL writes what the schema says.
    pub(super) wanted: &'p Table,
    /// As it is.
    pub(super) found: &'p Table,
    /// What Hearth made of it.
    pub(super) mark: Option<Mark>,
    pub(super) strict: bool,
}

/// What a database lacks of a schema. `wanted` is the catalog of [`super::shape`]'s tables, `found` that of the
/// database.
pub fn difference(schema: &Schema, wanted: &Catalog, found: &Catalog, mode: Validation) -> Difference {
    let mut out = Difference::default();
    if mode == Validation::None {
        return out;
    }
    let strict = mode == Validation::Strict;
    let declared = declared(schema);
    enums::compare(wanted, found, strict, &mut out);
    for table in declared.tables.iter().filter(|table| found.table(&table.name).is_none()) {
        out.step(statement::create_table(table), format!("creates the table `{}`", table.name));
    }
    let pairs: Vec<Pair<'_>> = declared
        .tables
        .iter()
        .filter_map(|declared| {
            let (wanted, found) = (wanted.table(&declared.name)?, found.table(&declared.name)?);
            Some(Pair { declared, wanted, found, mark: Mark::read(found), strict })
        })
        .collect();
    let rekeyed = columns::rekeyed(&pairs);
    for pair in &pairs {
        drop_references(pair, &rekeyed, &mut out);
        drop_indexes(pair, &mut out);
        columns::compare(pair, &mut out);
    }
    columns::set_keys(&pairs, &mut out);
    for table in &declared.tables {
        add_indexes(table, found, &mut out);
    }
    for table in &declared.tables {
        add_references(table, found, &rekeyed, &mut out);
    }
    unknown_tables(wanted, found, strict, &mut out);
    enums::drop_unknown(wanted, found, strict, &mut out);
    for table in &declared.tables {
        mark(table, found.table(&table.name), &mut out);
    }
    views(schema, found, &mut out);
    out
}

/// Foreign keys that are replaced, that wait for another key, or that the schema no longer has.
fn drop_references(pair: &Pair<'_>, rekeyed: &[String], out: &mut Difference) {
    let table = &pair.found.name;
    for found in &pair.found.references {
        let is_wanted = pair.wanted.references.iter().any(|wanted| wanted.is_like(found));
        let takes_name = pair.wanted.references.iter().any(|wanted| wanted.name == found.name);
        let is_ours = pair.mark.as_ref().is_some_and(|mark| mark.references.contains(&found.name));
        let goes =
            if is_wanted { rekeyed.contains(&found.target) } else { takes_name || (is_ours && pair.strict) };
        if goes {
            let sql = statement::drop_constraint(table, &found.name);
            out.step(sql, format!("drops the foreign key `{}` of `{table}`", found.name));
        } else if !is_wanted {
            out.notes.push(format!(
                "the foreign key `{}` of `{table}` is not in the schema: it is kept",
                found.name
            ));
        }
    }
}

fn drop_indexes(pair: &Pair<'_>, out: &mut Difference) {
    let table = &pair.found.name;
    for found in pair.found.indexes.iter().filter(|index| !index.of_constraint) {
        if pair.wanted.indexes.iter().any(|wanted| wanted.is_like(found)) {
            continue;
        }
        let of_search = found.columns.iter().any(|column| column.name == crate::sql::SEARCH_COLUMN);
        if of_search && pair.wanted.column(crate::sql::SEARCH_COLUMN).is_none() {
            // It goes with its column.
            continue;
        }
        let is_ours = pair.mark.as_ref().is_some_and(|mark| mark.indexes.contains(&found.name));
        let takes_name = pair.wanted.indexes.iter().any(|wanted| wanted.name == found.name);
        if is_ours && (pair.strict || takes_name || found.unique) {
            let sql = format!("DROP INDEX {}", quoted(&found.name));
            out.step(sql, format!("drops the index `{}` of `{table}`", found.name));
        } else {
            out.notes
                .push(format!("the index `{}` of `{table}` is not in the schema: it is kept", found.name));
        }
    }
}

/// A name for an index that no kept index has.
fn free_name(index: &Index, found: &Catalog, out: &Difference) -> String {
    let is_taken = |name: &str| {
        let dropped = format!("DROP INDEX {}", quoted(name));
        found.tables.iter().flat_map(|table| &table.indexes).any(|other| other.name == name)
            && !out.steps.iter().any(|step| step.sql == dropped)
    };
    let names = (0..).map(|n| if n == 0 { index.name.clone() } else { format!("{}_{n}", index.name) });
    names.take(100).find(|name| !is_taken(name)).map_or_else(|| index.name.clone(), |name| shortened(&name))
}

fn add_indexes(table: &Table, found: &Catalog, out: &mut Difference) {
    let there = found.table(&table.name);
    for index in &table.indexes {
        let has = there.is_some_and(|there| there.indexes.iter().any(|found| index.is_like(found)));
        if has {
            continue;
        }
        let index = Index { name: free_name(index, found, out), ..index.clone() };
        let what = if index.unique { "unique index" } else { "index" };
        let description = format!("creates the {what} `{}` on `{}`", index.name, table.name);
        let step = out.step(statement::create_index(&table.name, &index), description);
        let is_counted = index.unique
            && there
                .is_some_and(|there| index.columns.iter().all(|column| there.column(&column.name).is_some()));
        if is_counted {
            let names: Vec<&str> = index.columns.iter().map(|column| column.name.as_str()).collect();
            step.check = Some(Check {
                sql: statement::count_duplicates(&table.name, &index),
                message: format!(
                    "values of `{}` in `{}` occur more than once",
                    names.join("`, `"),
                    table.name
                ),
            });
        }
    }
}

fn add_references(table: &Table, found: &Catalog, rekeyed: &[String], out: &mut Difference) {
    let there = found.table(&table.name);
    for reference in &table.references {
        let like = there.is_some_and(|there| there.references.iter().any(|found| reference.is_like(found)));
        if like && !rekeyed.contains(&reference.target) {
            continue;
        }
        let description = format!("`{}` refers to `{}`", table.name, reference.target);
        let step = out.step(statement::add_reference(&table.name, reference), description);
        let has = |table: Option<&Table>, names: &[String]| {
            table.is_some_and(|table| names.iter().all(|name| table.column(name).is_some()))
        };
        if has(there, &reference.columns) && has(found.table(&reference.target), &reference.matches) {
            step.check = Some(Check {
                sql: statement::count_orphans(&table.name, reference),
                message: format!(
                    "rows of `{}` have a `{}` without a row in `{}`",
                    table.name,
                    reference.columns.join("`, `"),
                    reference.target
                ),
            });
        }
    }
}

fn unknown_tables(wanted: &Catalog, found: &Catalog, strict: bool, out: &mut Difference) {
    for table in found.tables.iter().filter(|table| wanted.table(&table.name).is_none()) {
        let name = &table.name;
        if strict && Mark::read(table).is_some() {
            let step = out.step(format!("DROP TABLE {}", quoted(name)), format!("drops the table `{name}`"));
            step.destructive = true;
        } else {
            out.notes.push(format!("the table `{name}` is not in the schema: it is kept"));
        }
    }
}

/// Writes down what Hearth made.
fn mark(declared: &Table, found: Option<&Table>, out: &mut Difference) {
    let wanted = Mark::of(declared);
    let comment = match found {
        None => wanted.comment(),
        Some(found) => {
            let Some(old) = Mark::read(found) else { return };
            let mut mark = old.clone();
            let is_new = |names: &dyn Fn(&Mark) -> bool| !names(&Mark::of(found));
            let new = |name: &String, of: fn(&Mark) -> &std::collections::BTreeSet<String>| {
                is_new(&|there| of(there).contains(name))
            };
            mark.columns.extend(wanted.columns.iter().filter(|name| new(name, |m| &m.columns)).cloned());
            mark.indexes.extend(wanted.indexes.iter().filter(|name| new(name, |m| &m.indexes)).cloned());
            mark.references
                .extend(wanted.references.iter().filter(|name| new(name, |m| &m.references)).cloned());
            if mark == old {
                return;
            }
            mark.comment()
        }
    };
    let sql = format!("COMMENT ON TABLE {} IS {}", quoted(&declared.name), text_literal(&comment));
    out.step(sql, format!("records what Hearth made of `{}`", declared.name));
}

/// Views that somebody else has to make.
fn views(schema: &Schema, found: &Catalog, out: &mut Difference) {
    for table in &schema.tables {
        let Some(View::Named(name)) = &table.view else { continue };
        if !found.views.contains(name) && found.table(name).is_none() {
            out.notes.push(format!(
                "the view `{name}` of `{}` is not in the database: create it, or write `@view(sql: \"…\")`",
                table.name
            ));
        }
    }
}
