//! What is particular about a field of a collection group: other indexes than the automatic ones, and whether its time ends
//! documents.
//!
//! From `firestore.indexes.json`, or deployed over the Admin API and then a row of the keyspace `FIELD_CONFIGS`:
//! `project ‖ database ‖ collection group ‖ field path` → JSON. A deployed one stands before the file's.

use std::collections::BTreeMap;

use access::Session;
use access::keyspace::FIELD_CONFIGS;
use base::key::{push_text, split_text};
use base::{Code, DatabaseName, FieldPath, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Row, Scan};
use serde::{Deserialize, Serialize};

use super::{Breadth, Component, Kind, Spec};
use crate::model::key::push_database;

/// By collection group and field.
pub type FieldConfigs = BTreeMap<(String, FieldPath), FieldConfig>;

/// What is particular about a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldConfig {
    /// Its indexes; `None` are the automatic ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexes: Option<Vec<FieldIndex>>,
    /// Documents whose time in this field has passed are deleted.
    #[serde(default)]
    pub ttl: bool,
}

/// An index on one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldIndex {
    /// One collection, or all of the group.
    pub breadth: Breadth,
    /// How.
    pub kind: Kind,
}

impl FieldConfig {
    /// The automatic indexes.
    pub const AUTOMATIC: [FieldIndex; 3] = [
        FieldIndex { breadth: Breadth::Collection, kind: Kind::Ascending },
        FieldIndex { breadth: Breadth::Collection, kind: Kind::Descending },
        FieldIndex { breadth: Breadth::Collection, kind: Kind::Contains },
    ];

    /// Whether nothing is particular.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The indexes that it has built: those of a whole group. Ascending and descending are the same index, walked the other way.
    pub fn specs(&self, group: &str, field: &FieldPath) -> Vec<Spec> {
        let mut specs: Vec<Spec> = Vec::new();
        for index in self.indexes.iter().flatten().filter(|index| index.breadth == Breadth::Group) {
            let component = Component { field: field.clone(), kind: index.kind };
            if let Ok(spec) = Spec::written(group, Breadth::Group, vec![component])
                && specs.iter().all(|other| other.shape() != spec.shape())
            {
                specs.push(spec);
            }
        }
        specs
    }
}

/// The row of a field.
pub fn key(database: &DatabaseName, group: &str, field: &FieldPath) -> Key {
    let mut key = Vec::with_capacity(64);
    push_database(&mut key, database);
    push_text(&mut key, group);
    push_text(&mut key, &field.to_string());
    Key::new(FIELD_CONFIGS, &key)
}

/// All rows of a database.
pub fn all_of(database: &DatabaseName) -> KeyRange {
    let mut key = Vec::with_capacity(64);
    push_database(&mut key, database);
    KeyRange::prefix(FIELD_CONFIGS, &key)
}

/// The value of a row.
pub fn value(config: &FieldConfig) -> Result<Bytes, Status> {
    serde_json::to_vec(config).map(Bytes::from).map_err(|_| unreadable("it cannot be written"))
}

fn unreadable(what: &str) -> Status {
    tracing::error!(what, "what is particular about a field is unreadable");
    Status::new(Code::DataLoss, "What is particular about a field is unreadable.")
}

fn decode(row: &Row) -> Result<(DatabaseName, String, FieldPath, FieldConfig), Status> {
    let broken = || unreadable("its row");
    let (project, rest) = split_text(row.key.as_bytes()).ok_or_else(broken)?;
    let (database, rest) = split_text(rest).ok_or_else(broken)?;
    let (group, rest) = split_text(rest).ok_or_else(broken)?;
    let (field, _) = split_text(rest).ok_or_else(broken)?;
    let field = FieldPath::parse(&field).map_err(|_| broken())?;
    let config = serde_json::from_slice(&row.value).map_err(|_| broken())?;
    Ok((DatabaseName { project, database }, group, field, config))
}

/// Everything that was deployed, of every database.
pub async fn all(session: &mut Session) -> Result<BTreeMap<DatabaseName, FieldConfigs>, Status> {
    let mut found: BTreeMap<DatabaseName, FieldConfigs> = BTreeMap::new();
    let mut rest = Some(KeyRange::prefix(FIELD_CONFIGS, &[]));
    while let Some(range) = rest {
        let page = session.scan(&range, Scan::default()).await?;
        for row in &page.rows {
            let (database, group, field, config) = decode(row)?;
            found.entry(database).or_default().insert((group, field), config);
        }
        rest = page.next;
    }
    Ok(found)
}
