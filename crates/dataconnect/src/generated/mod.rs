//! The API that a schema implies, as data and printed as the official tool prints it.
//!
//! Source: files that the official tool wrote for public projects; `prelude.graphql` is ours and has what they take
//! for granted.

mod edition;
mod fields;
mod inputs;
mod mutations;
mod print;
mod queries;
mod relations;

use crate::schema::Schema;

pub use edition::Edition;
pub use print::{Argument, Block, Member, print};
pub use relations::Aggregate;

/// What every generated API takes for granted: scalars, directives, filters.
pub const PRELUDE: &str = include_str!("prelude.graphql");

/// The generated API, file by file.
#[derive(Clone, Debug)]
pub struct Files {
    /// `implicit.gql`: fields that nobody declared.
    pub implicit: String,
    /// `input.gql`: types of arguments and keys.
    pub input: String,
    /// `mutation.gql`
    pub mutation: String,
    /// `query.gql`
    pub query: String,
    /// `relation.gql`: fields that the other side of a reference, and aggregates, add.
    pub relation: String,
}

impl Files {
    /// The files of a schema, as the tool of an edition prints them.
    pub fn of(schema: &Schema, edition: Edition) -> Self {
        let print = |blocks: Vec<Block>| print(&blocks, edition);
        Self {
            implicit: print(fields::blocks(schema)),
            input: print(inputs::blocks(schema, edition)),
            mutation: print(mutations::blocks(schema, edition)),
            query: print(queries::blocks(schema, edition)),
            relation: print(relations::blocks(schema, edition)),
        }
    }

    /// With their names.
    pub fn named(&self) -> [(&'static str, &str); 5] {
        [
            ("implicit.gql", &self.implicit),
            ("input.gql", &self.input),
            ("mutation.gql", &self.mutation),
            ("query.gql", &self.query),
            ("relation.gql", &self.relation),
        ]
    }
}
