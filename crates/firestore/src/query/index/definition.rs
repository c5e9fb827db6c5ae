//! Which indexes exist: rows of the keyspace `INDEX_DEFINITIONS`.
//!
//! - `project ‖ database ‖ collection group ‖ breadth ‖ components` → format, state, id. The key is the shape.
//! - `project ‖ database ‖ "" ‖ 0x00` → the next id. No collection group has an empty name.
//! - `project ‖ database ‖ "" ‖ 0x01 ‖ id` → where the build of an index stands. Apart from the definition, because
//!   writers read that one and would conflict with every step of the build.

use access::Session;
use access::keyspace::INDEX_DEFINITIONS;
use base::key::{push_text, split_text};
use base::{Code, DatabaseName, FieldPath, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Row, Scan};

use super::{Breadth, Component, INDEXES_PER_GROUP_MAX, Kind, Shape};
use crate::model::key::push_database;

/// An index that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What it is on.
    pub shape: Shape,
    /// What its entries' keys call it.
    pub id: u32,
    /// Whether it answers queries.
    pub state: State,
}

/// Whether an index answers queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Writers maintain it, older documents are being added.
    Building,
    /// It is complete.
    Readable,
}

/// The version of the row's format.
const FORMAT: u8 = 1;
const COMPONENT: u8 = 0x01;
const SEGMENT: u8 = 0x01;
const END: u8 = 0x00;
const NEXT_ID: u8 = 0x00;
const PROGRESS: u8 = 0x01;

fn group_prefix(database: &DatabaseName, group: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    push_database(&mut key, database);
    push_text(&mut key, group);
    key
}

/// The row of a definition.
pub fn key(database: &DatabaseName, shape: &Shape) -> Key {
    let mut key = group_prefix(database, &shape.group);
    key.push(match shape.breadth {
        Breadth::Collection => 0,
        Breadth::Group => 1,
    });
    for component in &shape.components {
        key.push(COMPONENT);
        key.push(match component.kind {
            Kind::Ascending => 0,
            Kind::Descending => 1,
            Kind::Contains => 2,
        });
        for segment in component.field.segments() {
            key.push(SEGMENT);
            push_text(&mut key, segment);
        }
        key.push(END);
    }
    Key::new(INDEX_DEFINITIONS, &key)
}

fn read_key(key: &Key) -> Option<Shape> {
    let (_, rest) = split_text(key.as_bytes())?;
    let (_, rest) = split_text(rest)?;
    let (group, rest) = split_text(rest)?;
    let (breadth, mut rest) = rest.split_first()?;
    let breadth = match breadth {
        0 => Breadth::Collection,
        1 => Breadth::Group,
        _ => return None,
    };
    let mut components = Vec::new();
    while let [COMPONENT, kind, tail @ ..] = rest {
        let kind = match kind {
            0 => Kind::Ascending,
            1 => Kind::Descending,
            2 => Kind::Contains,
            _ => return None,
        };
        let mut segments = Vec::new();
        let mut tail = tail;
        while let [SEGMENT, text @ ..] = tail {
            let (segment, after) = split_text(text)?;
            segments.push(segment);
            tail = after;
        }
        rest = tail.strip_prefix(&[END])?;
        components.push(Component { field: FieldPath::from_segments(segments)?, kind });
    }
    rest.is_empty().then_some(Shape { group, breadth, components })
}

/// The value of a definition's row.
pub fn value(definition: &Definition) -> Bytes {
    let state = match definition.state {
        State::Building => 0,
        State::Readable => 1,
    };
    [&[FORMAT, state][..], &definition.id.to_be_bytes()].concat().into()
}

/// Reads a definition's row.
pub fn decode(row: &Row) -> Result<Definition, Status> {
    let definition = || {
        let shape = read_key(&row.key)?;
        let [FORMAT, state, id @ ..] = &*row.value else { return None };
        let state = match state {
            0 => State::Building,
            1 => State::Readable,
            _ => return None,
        };
        Some(Definition { shape, id: u32::from_be_bytes(id.try_into().ok()?), state })
    };
    definition().ok_or_else(|| {
        tracing::error!(key = %row.key, "an index definition is unreadable");
        Status::new(Code::DataLoss, "An index definition is unreadable.")
    })
}

/// The indexes of a collection group, read in this session: a commit conflicts when one came or changed meanwhile.
pub async fn definitions(
    session: &mut Session,
    database: &DatabaseName,
    group: &str,
) -> Result<Vec<Definition>, Status> {
    let range = KeyRange::prefix(INDEX_DEFINITIONS, &group_prefix(database, group));
    let scan = Scan { rows_max: INDEXES_PER_GROUP_MAX + 1, ..Scan::default() };
    session.scan(&range, scan).await?.rows.iter().map(decode).collect()
}

/// The row that holds a database's next index id.
pub fn next_id_key(database: &DatabaseName) -> Key {
    let mut key = group_prefix(database, "");
    key.push(NEXT_ID);
    Key::new(INDEX_DEFINITIONS, &key)
}

/// The row that says where the build of an index stands.
pub fn progress_key(database: &DatabaseName, id: u32) -> Key {
    let mut key = group_prefix(database, "");
    key.push(PROGRESS);
    key.extend_from_slice(&id.to_be_bytes());
    Key::new(INDEX_DEFINITIONS, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_back_its_definition() {
        let field = |text: &str| FieldPath::parse(text).unwrap();
        for components in [
            vec![],
            vec![Component { field: field("a"), kind: Kind::Contains }],
            vec![
                Component { field: field("a.`b.c`"), kind: Kind::Ascending },
                Component { field: field("a"), kind: Kind::Descending },
            ],
        ] {
            for (breadth, state) in
                [(Breadth::Collection, State::Building), (Breadth::Group, State::Readable)]
            {
                let shape = Shape { group: "posts".into(), breadth, components: components.clone() };
                let definition = Definition { shape, id: 7, state };
                let row = Row {
                    key: key(&DatabaseName::default_of("p"), &definition.shape),
                    value: value(&definition),
                    version: kv::Version(1),
                };
                assert_eq!(decode(&row).unwrap(), definition);
            }
        }
        let junk = Row {
            key: next_id_key(&DatabaseName::default_of("p")),
            value: Bytes::from_static(&[9]),
            version: kv::Version(1),
        };
        assert_eq!(decode(&junk).unwrap_err().code, Code::DataLoss);
    }
}
