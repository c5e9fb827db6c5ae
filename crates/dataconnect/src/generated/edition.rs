//! Which of the official tool's printings is followed.

/// A state of the official tool, by what it prints. Later ones print more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// 2024: keys are scalars; a row is found by its key alone.
    Keys,
    /// Spring of 2025: `first`, the many-forms, `offset`.
    Rows,
    /// Later in 2025: aggregates, `distinct`, `having`.
    Groups,
    /// Later still: orders by aggregates, updates of times.
    Orders,
    /// Spring of 2026: `_id`, and what variables must not have.
    Entities,
    /// Summer of 2026: rows are inserted with the rows that refer to them.
    Trees,
}

impl Edition {
    /// The one that Hearth serves.
    pub const CURRENT: Edition = Edition::Trees;

    /// The edition that printed a file `input.gql`, by what it has; with `relation.gql`.
    pub fn of(input: &str, relation: &str) -> Self {
        let has_trees = input.lines().any(|line| {
            line.contains("_on_") && line.contains("_Data") && !line.trim_start().starts_with('✨')
        });
        match () {
            () if !input.contains("_KeyOutput") => Edition::Keys,
            () if !input.contains("_Having") => Edition::Rows,
            () if !input.contains("_count: OrderDirection") => Edition::Groups,
            () if !relation.contains("ENTITY_ID") => Edition::Orders,
            () if !has_trees => Edition::Entities,
            () => Edition::Trees,
        }
    }
}
