//! A project's schema: tables, views and enums, with everything that is implied.
//!
//! [`Schema::read`] takes texts and gives a schema and diagnostics. Whoever runs operations refuses a schema with
//! errors.
//!
//! Source: the reference, §5.

mod read;
mod relations;
mod resolve;
pub mod values;

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Place, Text};

pub use read::parser;
pub use relations::{Reverse, ReverseKind};

/// The scalars of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// 32 hexadecimal digits.
    Uuid,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 64 bits, text in JSON.
    Int64,
    /// A finite double.
    Float,
    /// `true` or `false`.
    Boolean,
    /// A day.
    Date,
    /// An instant, in microseconds.
    Timestamp,
    /// Any JSON.
    Any,
    /// Numbers for searches by likeness.
    Vector,
}

impl Scalar {
    /// All of them.
    pub const ALL: [Scalar; 10] = [
        Scalar::Uuid,
        Scalar::String,
        Scalar::Int,
        Scalar::Int64,
        Scalar::Float,
        Scalar::Boolean,
        Scalar::Date,
        Scalar::Timestamp,
        Scalar::Any,
        Scalar::Vector,
    ];

    /// Its name in GraphQL.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Uuid => "UUID",
            Scalar::String => "String",
            Scalar::Int => "Int",
            Scalar::Int64 => "Int64",
            Scalar::Float => "Float",
            Scalar::Boolean => "Boolean",
            Scalar::Date => "Date",
            Scalar::Timestamp => "Timestamp",
            Scalar::Any => "Any",
            Scalar::Vector => "Vector",
        }
    }

    /// The scalar with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scalar| scalar.name() == name)
    }

    /// Whether it has sums and averages.
    pub fn is_number(self) -> bool {
        matches!(self, Scalar::Int | Scalar::Int64 | Scalar::Float)
    }
}

/// What a column holds, one of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// A scalar.
    Scalar(Scalar),
    /// A value of an enum.
    Enum(String),
}

impl Base {
    /// Its name in GraphQL.
    pub fn name(&self) -> &str {
        match self {
            Base::Scalar(scalar) => scalar.name(),
            Base::Enum(name) => name,
        }
    }

    /// The scalar, unless it is an enum.
    pub fn scalar(&self) -> Option<Scalar> {
        match self {
            Base::Scalar(scalar) => Some(*scalar),
            Base::Enum(_) => None,
        }
    }
}

/// A column's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// What it holds.
    pub base: Base,
    /// `Some`: a list; whether its items are non-null.
    pub list: Option<bool>,
    /// Whether it is non-null.
    pub required: bool,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list {
            None => write!(f, "{}", self.base.name())?,
            Some(true) => write!(f, "[{}!]", self.base.name())?,
            Some(false) => write!(f, "[{}]", self.base.name())?,
        }
        f.write_str(if self.required { "!" } else { "" })
    }
}

/// What a column gets when nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Default {
    /// A constant.
    Value(Json),
    /// CEL.
    Expr(String),
    /// SQL.
    Sql(String),
}

/// Why a column is there although nobody declared it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Implied {
    /// A table without a key.
    Key,
    /// A reference: its name, the table and the column it matches.
    Reference {
        /// The reference.
        field: String,
        /// The other table.
        table: String,
        /// The other table's column.
        column: String,
    },
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// The column's name.
    pub sql_name: String,
    /// Its type.
    pub ty: ColumnType,
    /// Its default.
    pub default: Option<Default>,
    /// PostgreSQL's type as the author wrote it.
    pub data_type: Option<String>,
    /// A vector's length.
    pub size: Option<u32>,
    /// The language of full-text search.
    pub searchable: Option<String>,
    /// Why it is there, when it was not declared.
    pub implied: Option<Implied>,
    /// Where it, or what implies it, is declared.
    pub place: Place,
}

/// A field that refers to a row of another table.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The field's name.
    pub name: String,
    /// The other table, by position.
    pub table: usize,
    /// This table's columns, by position.
    pub columns: Vec<usize>,
    /// The other table's columns in the same order, by position.
    pub matches: Vec<usize>,
    /// Whether it is non-null.
    pub required: bool,
    /// The constraint's name as the author wrote it.
    pub constraint: Option<String>,
    /// Whether at most one row refers to the same row.
    pub unique: bool,
    /// Where.
    pub place: Place,
}

/// How an index orders a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// An index.
#[derive(Clone, Debug)]
pub struct Index {
    /// As the author named it.
    pub name: Option<String>,
    /// The fields as the author wrote them: columns or references.
    pub fields: Vec<String>,
    /// The columns, by position.
    pub columns: Vec<usize>,
    /// How they are ordered.
    pub order: Vec<Direction>,
    /// `BTREE`, `GIN`, `HNSW`, `IVFFLAT`.
    pub method: Option<String>,
    /// How vectors are compared.
    pub vector_method: Option<String>,
    /// Whether values are unique.
    pub unique: bool,
}

/// What a view is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// A view of the database, by name.
    Named(String),
    /// A statement.
    Sql(String),
}

/// A table or a view.
#[derive(Clone, Debug)]
pub struct Table {
    /// The type's name.
    pub name: String,
    /// The table's name.
    pub sql_name: String,
    /// Its singular in the API.
    pub singular: String,
    /// Its plural in the API.
    pub plural: String,
    /// What it is made of, when it is a view.
    pub view: Option<View>,
    /// The key, by position; empty for a view.
    pub key: Vec<usize>,
    /// The key as the author wrote it: columns or references.
    pub key_fields: Vec<String>,
    /// Columns, implied ones included.
    pub columns: Vec<Column>,
    /// References, as declared.
    pub references: Vec<Reference>,
    /// Indexes, as declared.
    pub indexes: Vec<Index>,
    /// Where.
    pub place: Place,
}

impl Table {
    /// A column by its field's name.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }

    /// A reference by its name.
    pub fn reference(&self, name: &str) -> Option<&Reference> {
        self.references.iter().find(|reference| reference.name == name)
    }

    /// The columns of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|at| self.columns.get(*at))
    }

    /// Whether a column holds a part of a reference.
    pub fn is_foreign(&self, column: usize) -> bool {
        self.references.iter().any(|reference| reference.columns.contains(&column))
    }

    /// Whether full-text search is there.
    pub fn is_searchable(&self) -> bool {
        self.columns.iter().any(|column| column.searchable.is_some())
    }
}

/// An enum.
#[derive(Clone, Debug)]
pub struct Enum {
    /// Its name.
    pub name: String,
    /// Its values, smallest first.
    pub values: Vec<String>,
    /// Where.
    pub place: Place,
}

/// A schema.
#[derive(Clone, Debug, std::default::Default)]
pub struct Schema {
    /// Tables and views, sorted by name.
    pub tables: Vec<Table>,
    /// Enums, sorted by name.
    pub enums: IndexMap<String, Enum>,
}

impl Schema {
    /// Reads a schema. The order of the texts does not matter.
    pub fn read(texts: &[Text]) -> (Self, Vec<Diagnostic>) {
        let (drafts, mut diagnostics) = read::read(texts);
        let schema = resolve::resolve(drafts, &mut diagnostics);
        diagnostics.sort_by(|a, b| (a.severity, &a.place).cmp(&(b.severity, &b.place)));
        (schema, diagnostics)
    }

    /// A table by its type's name.
    pub fn table(&self, name: &str) -> Option<(usize, &Table)> {
        self.tables.iter().enumerate().find(|(_, table)| table.name == name)
    }

    /// The table that a reference leads to.
    pub fn target(&self, reference: &Reference) -> Option<&Table> {
        self.tables.get(reference.table)
    }
}
