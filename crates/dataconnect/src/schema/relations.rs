//! The other side of references: `reviews_on_movie`, `actors_via_MovieActor`.
//!
//! Source: the reference, §5.5; the order as the official tool prints it.

use super::{Reference, Schema, Table};

/// What a reverse side gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReverseKind {
    /// The rows that refer to this one.
    Many,
    /// The one row that refers to this one.
    One,
    /// The rows that rows of a join table connect with this one.
    Via {
        /// The join table's reference to what is given.
        forth: usize,
    },
}

/// The other side of a reference.
#[derive(Clone, Debug)]
pub struct Reverse {
    /// The field's name.
    pub name: String,
    /// The table that refers here, or the join table.
    pub table: usize,
    /// Its reference to here.
    pub reference: usize,
    /// What it gives.
    pub kind: ReverseKind,
    /// The table whose rows it gives.
    pub target: usize,
}

impl Schema {
    /// The reverse sides of a table: first the many, then the ones, then those through join tables.
    pub fn reverses(&self, here: usize) -> Vec<Reverse> {
        let mut found = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            for (n, reference) in table.references.iter().enumerate() {
                if reference.table != here {
                    continue;
                }
                let (kind, noun) = match reference.unique {
                    true => (ReverseKind::One, &table.singular),
                    false => (ReverseKind::Many, &table.plural),
                };
                let name = format!("{noun}_on_{}", reference.name);
                found.push(Reverse { name, table: at, reference: n, kind, target: at });
                found.extend(self.via(at, n));
            }
        }
        let order = |reverse: &Reverse| {
            let rank = match reverse.kind {
                ReverseKind::Many => 0,
                ReverseKind::One => 1,
                ReverseKind::Via { .. } => 2,
            };
            let names =
                [reverse.target, reverse.table].map(|at| self.tables.get(at).map(|t| t.name.as_str()));
            (rank, names, reverse.name.clone())
        };
        found.sort_by(|a, b| order(a).cmp(&order(b)));
        found
    }

    fn via(&self, join: usize, back: usize) -> Option<Reverse> {
        let table = self.tables.get(join)?;
        let (a, b) = joined(table)?;
        let forth = match back {
            _ if back == a => b,
            _ if back == b => a,
            _ => return None,
        };
        let (from, to) = (table.references.get(back)?, table.references.get(forth)?);
        let target = self.tables.get(to.table)?;
        let suffix = if from.table == to.table { format!("_on_{}", to.name) } else { String::new() };
        Some(Reverse {
            name: format!("{}_via_{}{suffix}", target.plural, table.name),
            table: join,
            reference: back,
            kind: ReverseKind::Via { forth },
            target: to.table,
        })
    }

    /// The reverse side with this name.
    pub fn reverse(&self, here: usize, name: &str) -> Option<Reverse> {
        self.reverses(here).into_iter().find(|reverse| reverse.name == name)
    }
}

/// The two references that a join table's key is made of.
fn joined(table: &Table) -> Option<(usize, usize)> {
    let in_key = |reference: &Reference| {
        reference.columns.iter().all(|column| table.key.contains(column)) && !reference.unique
    };
    let mut found = table.references.iter().enumerate().filter(|(_, reference)| in_key(reference));
    let (a, b) = (found.next()?, found.next()?);
    let whole = table.key.iter().all(|column| a.1.columns.contains(column) || b.1.columns.contains(column));
    (found.next().is_none() && whole).then_some((a.0, b.0))
}
