//! What a database has, or should have.

use serde::Deserialize;

/// The statement that reads a catalog: `$1` is the schema's name, its one row one JSON text.
pub const CATALOG: &str = include_str!("catalog.sql");

/// Types and tables of one schema of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Catalog {
    /// Enums.
    pub enums: Vec<Enum>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Views and foreign tables, by name.
    pub views: Vec<String>,
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Enum {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub note: Option<String>,
    /// Its values, smallest first.
    pub values: Vec<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub note: Option<String>,
    /// Columns in their order.
    pub columns: Vec<Column>,
    /// The primary key.
    pub key: Option<Key>,
    /// Indexes, the primary key's left out.
    pub indexes: Vec<Index>,
    /// Foreign keys.
    pub references: Vec<Reference>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL or the author writes it.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it is `NOT NULL`.
    pub required: bool,
    /// The expression of its default.
    pub default: Option<String>,
    /// The expression of a generated column.
    pub generated: Option<String>,
    /// Whether PostgreSQL numbers its rows.
    pub identity: bool,
}

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// The constraint's name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Whether values are unique.
    pub unique: bool,
    /// `btree`, `gin`.
    pub method: String,
    /// Whether it covers every row and only columns.
    pub is_plain: bool,
    /// Whether a constraint needs it.
    pub of_constraint: bool,
    /// Its columns.
    pub columns: Vec<IndexColumn>,
}

/// A column of an index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IndexColumn {
    /// Its name.
    pub name: String,
    /// Whether the largest come first.
    pub descends: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reference {
    /// The constraint's name.
    pub name: String,
    /// The other table.
    pub target: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The other table's columns.
    pub matches: Vec<String>,
    /// What becomes of rows whose target is deleted.
    pub on_delete: String,
}

impl Catalog {
    /// Reads the row of [`CATALOG`].
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Index {
    /// Whether another index does the same, whatever its name.
    pub(super) fn is_like(&self, other: &Index) -> bool {
        other.is_plain
            && self.unique == other.unique
            && self.method == other.method
            && self.columns == other.columns
    }
}

impl Reference {
    /// Whether another foreign key does the same, whatever its name.
    pub(super) fn is_like(&self, other: &Reference) -> bool {
        let same_name = Reference { name: self.name.clone(), ..other.clone() };
        *self == same_name
    }
}
