//! What Hearth made of a table, kept as the table's comment.
//!
//! A comment travels with dumps and needs no table of its own. Whoever writes another comment takes the table over:
//! nothing of it is dropped any more.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::catalog::Table;

/// What a comment of Hearth begins with.
const PREFIX: &str = "hearth ";
/// The comment of an enum.
pub(super) const ENUM: &str = "hearth";

/// Names of what Hearth made in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Columns.
    pub columns: BTreeSet<String>,
    /// Indexes.
    pub indexes: BTreeSet<String>,
    /// Foreign keys.
    pub references: BTreeSet<String>,
}

impl Mark {
    /// The mark of a table, if Hearth made it.
    pub(super) fn read(table: &Table) -> Option<Self> {
        serde_json::from_str(table.note.as_ref()?.strip_prefix(PREFIX)?).ok()
    }

    /// Everything of a table.
    pub(super) fn of(table: &Table) -> Self {
        Self {
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
            indexes: table.indexes.iter().map(|index| index.name.clone()).collect(),
            references: table.references.iter().map(|reference| reference.name.clone()).collect(),
        }
    }

    /// As a comment.
    pub(super) fn comment(&self) -> String {
        format!("{PREFIX}{}", serde_json::to_string(self).unwrap_or_default())
    }
}
