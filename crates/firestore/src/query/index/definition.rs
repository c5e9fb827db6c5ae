//! Which indexes exist: rows of the keyspace `INDEX_DEFINITIONS`.
//!
//! - `project ‖ database ‖ collection group ‖ breadth ‖ components` → format, state, origin, id. The key is the shape; a
//!   vector's component has its dimension behind its kind.
//!   Format 1 had no origin: whatever it has was made for a query.
//! - `project ‖ database ‖ "" ‖ 0x00` → the next id. No collection group has an empty name.
//! - `project ‖ database ‖ "" ‖ 0x01 ‖ id` → where the build of an index stands. Apart from the definition, because
//!   writers read that one and would conflict with every step of the build.
//! - `project ‖ database ‖ "" ‖ 0x02 ‖ id` → when a query used the index last.
//! - `project ‖ database ‖ "" ‖ 0x03 ‖ id` → nothing: the index was dropped, and its entries are to be erased.

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
    /// Who asked for it.
    pub origin: Origin,
    /// It was written with names descending, so all of its directions the other way round.
    pub name_descends: bool,
}

/// Who asked for an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A query that would have liked it. It ages out when none uses it.
    Query,
    /// `firestore.indexes.json`.
    File,
    /// An administrator.
    Administrator,
}

/// Whether an index answers queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Writers maintain it, older documents are being added.
    Building,
    /// It is complete.
    Readable,
}

/// Beside the origin: [`Definition::name_descends`].
const NAME_DESCENDS: u8 = 0x80;

/// The version of the row's format.
const FORMAT: u8 = 2;
const FORMAT_WITHOUT_ORIGIN: u8 = 1;
const COMPONENT: u8 = 0x01;
const SEGMENT: u8 = 0x01;
const END: u8 = 0x00;
const NEXT_ID: u8 = 0x00;
const PROGRESS: u8 = 0x01;
const LAST_USE: u8 = 0x02;
const TO_ERASE: u8 = 0x03;

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
        match component.kind {
            Kind::Ascending => key.push(0),
            Kind::Descending => key.push(1),
            Kind::Contains => key.push(2),
            Kind::Vector(dimension) => {
                key.push(3);
                key.extend_from_slice(&dimension.to_be_bytes());
            }
        }
        for segment in component.field.segments() {
            key.push(SEGMENT);
            push_text(&mut key, segment);
        }
        key.push(END);
    }
    Key::new(INDEX_DEFINITIONS, &key)
}

/// What the row of a definition is about; `None` for the rows beside them.
fn read_key(key: &Key) -> Option<(DatabaseName, Shape)> {
    let (project, rest) = split_text(key.as_bytes())?;
    let (database, rest) = split_text(rest)?;
    let database = DatabaseName { project, database };
    let (group, rest) = split_text(rest)?;
    if group.is_empty() {
        return None;
    }
    let (breadth, mut rest) = rest.split_first()?;
    let breadth = match breadth {
        0 => Breadth::Collection,
        1 => Breadth::Group,
        _ => return None,
    };
    let mut components = Vec::new();
    while let [COMPONENT, kind, tail @ ..] = rest {
        let mut tail = tail;
        let kind = match kind {
            0 => Kind::Ascending,
            1 => Kind::Descending,
            2 => Kind::Contains,
            3 => {
                let (dimension, after) = tail.split_first_chunk()?;
                tail = after;
                Kind::Vector(u16::from_be_bytes(*dimension))
            }
            _ => return None,
        };
        let mut segments = Vec::new();
        while let [SEGMENT, text @ ..] = tail {
            let (segment, after) = split_text(text)?;
            segments.push(segment);
            tail = after;
        }
        rest = tail.strip_prefix(&[END])?;
        components.push(Component { field: FieldPath::from_segments(segments)?, kind });
    }
    rest.is_empty().then_some((database, Shape { group, breadth, components }))
}

/// The value of a definition's row.
pub fn value(definition: &Definition) -> Bytes {
    let state = match definition.state {
        State::Building => 0,
        State::Readable => 1,
    };
    let origin = match definition.origin {
        Origin::Query => 0,
        Origin::File => 1,
        Origin::Administrator => 2,
    };
    let origin = origin | if definition.name_descends { NAME_DESCENDS } else { 0 };
    [&[FORMAT, state, origin][..], &definition.id.to_be_bytes()].concat().into()
}

/// Reads a definition's row.
pub fn decode(row: &Row) -> Result<Definition, Status> {
    let definition = || {
        let (_, shape) = read_key(&row.key)?;
        let (state, origin, id) = match &*row.value {
            [FORMAT, state, origin, id @ ..] => (state, origin, id),
            [FORMAT_WITHOUT_ORIGIN, state, id @ ..] => (state, &0, id),
            _ => return None,
        };
        let name_descends = origin & NAME_DESCENDS != 0;
        let origin = match origin & !NAME_DESCENDS {
            0 => Origin::Query,
            1 => Origin::File,
            2 => Origin::Administrator,
            _ => return None,
        };
        let state = match state {
            0 => State::Building,
            1 => State::Readable,
            _ => return None,
        };
        let id = u32::from_be_bytes(id.try_into().ok()?);
        Some(Definition { shape, id, state, origin, name_descends })
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
    beside(database, PROGRESS, id)
}

/// Definitions read at once.
const DEFINITIONS_PER_READ: usize = 500;

/// Every index there is, of every database.
pub async fn all_definitions(session: &mut Session) -> Result<Vec<(DatabaseName, Definition)>, Status> {
    let mut all = Vec::new();
    let mut left = Some(KeyRange::prefix(INDEX_DEFINITIONS, &[]));
    while let Some(range) = left {
        let page = session.scan(&range, Scan { rows_max: DEFINITIONS_PER_READ, ..Scan::default() }).await?;
        for row in &page.rows {
            if let Some((database, _)) = read_key(&row.key) {
                all.push((database, decode(row)?));
            }
        }
        left = page.next;
    }
    Ok(all)
}

/// The row that says when a query used an index last.
pub fn last_use_key(database: &DatabaseName, id: u32) -> Key {
    beside(database, LAST_USE, id)
}

/// The value of that row.
pub fn last_use_value(seconds: i64) -> Bytes {
    Bytes::copy_from_slice(&seconds.to_be_bytes())
}

/// Reads that row: seconds.
pub fn read_last_use(row: &Row) -> Option<i64> {
    Some(i64::from_be_bytes(row.value.as_ref().try_into().ok()?))
}

/// The row that says that a dropped index's entries are to be erased.
pub fn to_erase_key(database: &DatabaseName, id: u32) -> Key {
    beside(database, TO_ERASE, id)
}

/// The dropped index that such a row is about; `None` for other rows.
pub fn read_to_erase(key: &Key) -> Option<(DatabaseName, u32)> {
    let (project, rest) = split_text(key.as_bytes())?;
    let (database, rest) = split_text(rest)?;
    let (group, rest) = split_text(rest)?;
    match rest {
        [TO_ERASE, id @ ..] if group.is_empty() => {
            Some((DatabaseName { project, database }, u32::from_be_bytes(id.try_into().ok()?)))
        }
        _ => None,
    }
}

fn beside(database: &DatabaseName, what: u8, id: u32) -> Key {
    let mut key = group_prefix(database, "");
    key.push(what);
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
                Component { field: field("a"), kind: Kind::Descending },
                Component { field: field("v.w"), kind: Kind::Vector(257) },
            ],
            vec![
                Component { field: field("a.`b.c`"), kind: Kind::Ascending },
                Component { field: field("a"), kind: Kind::Descending },
            ],
        ] {
            for (breadth, state) in
                [(Breadth::Collection, State::Building), (Breadth::Group, State::Readable)]
            {
                let shape = Shape { group: "posts".into(), breadth, components: components.clone() };
                let definition =
                    Definition { shape, id: 7, state, origin: Origin::File, name_descends: true };
                let database = DatabaseName::default_of("p");
                let row = Row {
                    key: key(&database, &definition.shape),
                    value: value(&definition),
                    version: kv::Version(1),
                };
                assert_eq!(decode(&row).unwrap(), definition);
                assert_eq!(read_key(&row.key), Some((database, definition.shape.clone())));
                // As earlier versions wrote it.
                let state = u8::from(state == State::Readable);
                let row = Row { value: vec![1, state, 0, 0, 0, 7].into(), ..row };
                assert_eq!(
                    decode(&row).unwrap(),
                    Definition { origin: Origin::Query, name_descends: false, ..definition }
                );
            }
        }
        let erase = to_erase_key(&DatabaseName::default_of("p"), 7);
        assert_eq!(read_to_erase(&erase), Some((DatabaseName::default_of("p"), 7)));
        assert_eq!(read_to_erase(&last_use_key(&DatabaseName::default_of("p"), 7)), None);
        let junk = Row {
            key: next_id_key(&DatabaseName::default_of("p")),
            value: Bytes::from_static(&[9]),
            version: kv::Version(1),
        };
        assert_eq!(decode(&junk).unwrap_err().code, Code::DataLoss);
    }
}
