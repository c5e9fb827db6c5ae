//! What is implied: keys, the columns of references, and what a schema must not have.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::read::{DraftIndex, DraftReference, DraftTable, Drafts};
use super::{Base, Column, ColumnType, Default, Enum, Implied, Index, Reference, Scalar, Schema, Table};
use crate::diagnostic::{Diagnostic, Place, suggestion};
use crate::names::{snake, upper_first};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
}

struct Resolver<'d> {
    drafts: Vec<DraftTable>,
    states: Vec<State>,
    /// Per table: its key, and its resolved references by name.
    keys: Vec<Vec<String>>,
    references: Vec<HashMap<String, Option<Reference>>>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

pub(super) fn resolve(drafts: Drafts, diagnostics: &mut Vec<Diagnostic>) -> Schema {
    let mut enums = drafts.enums;
    enums.sort_keys();
    let mut tables: Vec<DraftTable> = drafts.tables.into_values().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let count = tables.len();
    let mut resolver = Resolver {
        drafts: tables,
        states: vec![State::Waiting; count],
        keys: vec![Vec::new(); count],
        references: vec![HashMap::new(); count],
        diagnostics,
    };
    for at in 0..count {
        resolver.settle_key(at);
    }
    for at in 0..count {
        resolver.settle_references(at);
    }
    let tables = resolver.tables();
    same_names(&tables, resolver.diagnostics);
    defaults(&tables, &enums, resolver.diagnostics);
    Schema { tables, enums }
}

#[expect(clippy::indexing_slicing, reason = "positions come from 0..drafts.len() and the tables' own names")]
impl Resolver<'_> {
    fn position(&self, name: &str) -> Option<usize> {
        self.drafts.iter().position(|draft| draft.name == name)
    }

    fn error(&mut self, place: &Place, message: String) {
        self.diagnostics.push(Diagnostic::error(place.clone(), message));
    }

    /// Resolves the key, which may be made of references.
    fn settle_key(&mut self, at: usize) {
        if self.states[at] != State::Waiting {
            if self.states[at] == State::Running {
                let (place, name) = (self.drafts[at].key_place.clone(), self.drafts[at].name.clone());
                self.error(&place, format!("the key of `{name}` leads back to itself"));
            }
            return;
        }
        self.states[at] = State::Running;
        let key = match (&self.drafts[at].view, self.drafts[at].key.clone()) {
            (Some(_), _) => Vec::new(),
            (None, Some(key)) => key,
            (None, None) => vec![self.own_id(at)],
        };
        let mut columns: Vec<String> = Vec::new();
        for entry in key {
            for name in self.key_entry(at, &entry) {
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
        }
        for name in &columns {
            let found = self.drafts[at].columns.iter().find(|column| column.name == *name);
            let bad = found.filter(|column| !column.ty.required || column.ty.list.is_some());
            if let Some((place, ty)) = bad.map(|column| (column.place.clone(), column.ty.to_string())) {
                let table = &self.drafts[at].name;
                let what =
                    format!("`{table}.{name}` is of the type `{ty}`, and a key is neither null nor a list");
                self.error(&place, what);
            }
        }
        self.keys[at] = columns;
        self.states[at] = State::Done;
    }

    /// The field `id`, which is made when it is not there.
    fn own_id(&mut self, at: usize) -> String {
        let draft = &mut self.drafts[at];
        if !draft.columns.iter().any(|column| column.name == "id") {
            let ty = ColumnType { base: Base::Scalar(Scalar::Uuid), list: None, required: true };
            let default = Some(Default::Expr("uuidV4()".to_owned()));
            let column = implied("id", ty, draft.place.clone(), Implied::Key);
            draft.columns.insert(0, Column { default, ..column });
        }
        "id".to_owned()
    }

    fn key_entry(&mut self, at: usize, entry: &str) -> Vec<String> {
        if self.drafts[at].columns.iter().any(|column| column.name == entry) {
            return vec![entry.to_owned()];
        }
        let named = |reference: &&DraftReference| {
            reference.name == entry
                || reference.fields.iter().any(|field| field == entry)
                || entry
                    .strip_prefix(reference.name.as_str())
                    .is_some_and(|rest| rest.chars().next().is_some_and(char::is_uppercase))
        };
        let found = self.drafts[at].references.iter().find(named).map(|reference| reference.name.clone());
        if let Some(reference) = found {
            self.settle_reference(at, &reference);
            if reference == entry {
                let resolved = self.references[at].get(&reference).cloned().flatten();
                let columns = resolved.map(|reference| reference.columns).unwrap_or_default();
                return columns.iter().map(|c| self.drafts[at].columns[*c].name.clone()).collect();
            }
            if self.drafts[at].columns.iter().any(|column| column.name == entry) {
                return vec![entry.to_owned()];
            }
        }
        let draft = &self.drafts[at];
        let known = draft.columns.iter().map(|column| column.name.as_str());
        let known: Vec<&str> = known.chain(draft.references.iter().map(|r| r.name.as_str())).collect();
        let what = format!("the key of `{}` has `{entry}`, which is not a field", draft.name);
        let help = match suggestion(entry, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its fields are `{}`", known.join("`, `")),
        };
        self.diagnostics.push(Diagnostic::error(draft.key_place.clone(), what).help(help));
        Vec::new()
    }

    fn settle_references(&mut self, at: usize) {
        let names: Vec<String> = self.drafts[at].references.iter().map(|r| r.name.clone()).collect();
        for name in names {
            self.settle_reference(at, &name);
        }
    }

    fn settle_reference(&mut self, at: usize, name: &str) {
        if self.references[at].contains_key(name) {
            return;
        }
        let resolved = self.resolved(at, name);
        self.references[at].insert(name.to_owned(), resolved);
    }

    fn resolved(&mut self, at: usize, name: &str) -> Option<Reference> {
        let draft = self.drafts[at].references.iter().find(|reference| reference.name == name)?;
        let (place, required) = (draft.place.clone(), draft.required);
        let (fields, references) = (draft.fields.clone(), draft.references.clone());
        let constraint = draft.constraint.clone();
        let target = self.position(&draft.target)?;
        let owner = self.drafts[at].name.clone();
        if self.drafts[target].view.is_some() {
            let view = &self.drafts[target].name;
            let what = format!("`{owner}.{name}` refers to the view `{view}`, which has no key");
            self.error(&place, what);
            return None;
        }
        if target != at || self.states[at] != State::Running {
            self.settle_key(target);
        }
        let wanted = if references.is_empty() { self.keys[target].clone() } else { references };
        if wanted.is_empty() {
            return None;
        }
        if !fields.is_empty() && fields.len() != wanted.len() {
            let what = format!(
                "`{owner}.{name}` has {} fields for {} referenced ones: `{}`",
                fields.len(),
                wanted.len(),
                wanted.join("`, `")
            );
            self.error(&place, what);
            return None;
        }
        let (mut columns, mut matches) = (Vec::new(), Vec::new());
        for (n, other) in wanted.iter().enumerate() {
            let own = fields.get(n).cloned().unwrap_or_else(|| format!("{name}{}", upper_first(other)));
            matches.push(self.matched(at, name, target, other, &place)?);
            let from = *matches.last()?;
            columns.push(self.foreign(at, name, &own, (target, from), required, &place)?);
        }
        Some(Reference {
            name: name.to_owned(),
            table: target,
            columns,
            matches,
            required,
            constraint,
            unique: false,
            place,
        })
    }

    fn matched(&mut self, at: usize, name: &str, target: usize, other: &str, place: &Place) -> Option<usize> {
        let found = self.drafts[target].columns.iter().position(|column| column.name == other);
        if found.is_none() {
            let (owner, of) = (&self.drafts[at].name, &self.drafts[target].name);
            let what = format!("`{owner}.{name}` references `{of}.{other}`, which is not a field");
            self.error(place, what);
        }
        found
    }

    /// The column of a reference: the declared one, or an implied one.
    fn foreign(
        &mut self,
        at: usize,
        reference: &str,
        name: &str,
        (target, matched): (usize, usize),
        required: bool,
        place: &Place,
    ) -> Option<usize> {
        let other = self.drafts[target].columns[matched].clone();
        let of = self.drafts[target].name.clone();
        if let Some(found) = self.drafts[at].columns.iter().position(|column| column.name == name) {
            let column = &self.drafts[at].columns[found];
            if column.ty.base != other.ty.base || column.ty.list.is_some() {
                let owner = &self.drafts[at].name;
                let what = format!(
                    "`{owner}.{name}` is of the type `{}`, and `{of}.{}`, which it must match, of the type `{}`",
                    column.ty, other.name, other.ty
                );
                let place = column.place.clone();
                self.error(&place, what);
                return None;
            }
            return Some(found);
        }
        let ty = ColumnType { base: other.ty.base.clone(), list: None, required };
        let why = Implied::Reference { field: reference.to_owned(), table: of, column: other.name.clone() };
        let column = Column {
            data_type: other.data_type.as_deref().map(no_serial),
            ..implied(name, ty, place.clone(), why)
        };
        self.drafts[at].columns.push(column);
        Some(self.drafts[at].columns.len() - 1)
    }

    fn tables(&mut self) -> Vec<Table> {
        let drafts = std::mem::take(&mut self.drafts);
        let mut tables = Vec::new();
        for (at, draft) in drafts.into_iter().enumerate() {
            let resolved = std::mem::take(&mut self.references[at]);
            let position = |name: &String| draft.columns.iter().position(|column| column.name == *name);
            let key: Vec<usize> = self.keys[at].iter().filter_map(position).collect();
            let mut references: Vec<Reference> =
                draft.references.iter().filter_map(|r| resolved.get(&r.name).cloned().flatten()).collect();
            let mut indexes = Vec::new();
            for index in &draft.indexes {
                indexes.extend(self.index(&draft, &references, index));
            }
            for reference in &mut references {
                let one = |index: &Index| index.unique && same(&index.columns, &reference.columns);
                reference.unique = same(&key, &reference.columns) || indexes.iter().any(one);
            }
            let key_fields = draft.key.clone().unwrap_or_else(|| self.keys[at].clone());
            tables.push(Table {
                name: draft.name,
                sql_name: draft.sql_name,
                singular: draft.singular,
                plural: draft.plural,
                view: draft.view,
                key,
                key_fields,
                columns: draft.columns,
                references,
                indexes,
                place: draft.place,
            });
        }
        tables
    }

    fn index(&mut self, draft: &DraftTable, references: &[Reference], index: &DraftIndex) -> Option<Index> {
        let mut columns = Vec::new();
        for field in &index.fields {
            let reference = references.iter().find(|reference| reference.name == *field);
            let column = draft.columns.iter().position(|column| column.name == *field);
            match (column, reference) {
                (Some(column), _) => columns.push(column),
                (None, Some(reference)) => columns.extend(&reference.columns),
                (None, None) => {
                    let known = draft.columns.iter().map(|column| column.name.as_str());
                    let near = suggestion(field, known).map(|near| format!("did you mean `{near}`?"));
                    let what = format!("an index of `{}` has `{field}`, which is not a field", draft.name);
                    let said = Diagnostic { help: near, ..Diagnostic::error(index.place.clone(), what) };
                    self.diagnostics.push(said);
                    return None;
                }
            }
        }
        Some(Index {
            name: index.name.clone(),
            fields: index.fields.clone(),
            columns,
            order: index.order.clone(),
            method: index.method.clone(),
            vector_method: index.vector_method.clone(),
            unique: index.unique,
        })
    }
}

/// Whether two lists have the same columns.
fn same(a: &[usize], b: &[usize]) -> bool {
    !b.is_empty() && a.len() == b.len() && a.iter().all(|column| b.contains(column))
}

fn no_serial(data_type: &str) -> String {
    match data_type.to_ascii_lowercase().as_str() {
        "serial" => "integer".to_owned(),
        "bigserial" => "bigint".to_owned(),
        _ => data_type.to_owned(),
    }
}

fn implied(name: &str, ty: ColumnType, place: Place, why: Implied) -> Column {
    Column {
        name: name.to_owned(),
        sql_name: snake(name),
        ty,
        default: None,
        data_type: None,
        size: None,
        searchable: None,
        implied: Some(why),
        place,
    }
}

/// Defaults of enums are values of theirs.
fn defaults(tables: &[Table], enums: &IndexMap<String, Enum>, diagnostics: &mut Vec<Diagnostic>) {
    for column in tables.iter().flat_map(|table| &table.columns) {
        let (Base::Enum(name), Some(Default::Value(value))) = (&column.ty.base, &column.default) else {
            continue;
        };
        let Some(of) = enums.get(name) else { continue };
        let words: Vec<&str> = match value {
            Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        for word in words.into_iter().filter(|word| !of.values.iter().any(|known| known == word)) {
            let what = format!("the default of `{}` is `{word}`, which is no value of `{name}`", column.name);
            let near = suggestion(word, of.values.iter().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            diagnostics.push(Diagnostic { help, ..Diagnostic::error(column.place.clone(), what) });
        }
    }
}

/// Two types with one singular, plural or table have one name in the API or in the database.
fn same_names(tables: &[Table], diagnostics: &mut Vec<Diagnostic>) {
    let mut fields: HashMap<&str, &str> = HashMap::new();
    let mut in_database: HashMap<&str, &str> = HashMap::new();
    for table in tables {
        let mut taken = |map: &mut HashMap<&'_ str, &'_ str>, what: &str, name: &'_ str| {
            let other = map.get(name).filter(|other| **other != table.name).map(|other| (*other).to_owned());
            if let Some(other) = other {
                let message = format!("`{}` and `{other}` have the same {what} `{name}`", table.name);
                diagnostics.push(Diagnostic::error(table.place.clone(), message));
            }
        };
        taken(&mut fields, "name in the API", &table.singular);
        taken(&mut fields, "name in the API", &table.plural);
        taken(&mut in_database, "table", &table.sql_name);
        if table.singular == table.plural {
            let what = format!("the singular and the plural of `{}` are both `{}`", table.name, table.plural);
            diagnostics.push(Diagnostic::error(table.place.clone(), what));
        }
        fields.insert(&table.singular, &table.name);
        fields.insert(&table.plural, &table.name);
        in_database.insert(&table.sql_name, &table.name);
    }
}
