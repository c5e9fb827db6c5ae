//! Whether indexes and documents agree: for the operator who doubts, and for tests.

use access::Session;
use access::keyspace::INDEX_ENTRIES;
use base::{DatabaseName, DocumentPath, Status};
use kv::{Key, KeyRange, Scan};

use super::{Definition, State, changes, definitions, entry_prefix};
use crate::query::index::{Breadth, read_entry};
use crate::query::walk::{Collections, fetch};

/// Differences told of one collection group; more are not looked for.
pub const DIFFERENCES_MAX: usize = 100;
/// Rows read at once.
const ROWS_PER_READ: usize = 500;

/// Where an index and a document disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The document has no entry where it should have one.
    #[error("index {index} lacks an entry for `{document}`")]
    Missing {
        /// The index's id.
        index: u32,
        /// The document.
        document: DocumentPath,
    },
    /// There is an entry that no document has.
    #[error("index {index} has an entry that is not of a document: {key}")]
    Stray {
        /// The index's id.
        index: u32,
        /// The entry.
        key: Key,
    },
}

/// Compares the readable indexes of a collection group with its documents, both ways.
pub async fn check(
    session: &mut Session,
    database: &DatabaseName,
    group: &str,
) -> Result<Vec<Difference>, Status> {
    let mut differences = Vec::new();
    for definition in definitions(session, database, group).await? {
        if definition.state == State::Readable {
            missing(session, database, &definition, &mut differences).await?;
            stray(session, database, &definition, &mut differences).await?;
        }
    }
    Ok(differences)
}

async fn missing(
    session: &mut Session,
    database: &DatabaseName,
    definition: &Definition,
    differences: &mut Vec<Difference>,
) -> Result<(), Status> {
    let mut walk = Collections::of_group(database, &definition.shape.group, None, ROWS_PER_READ);
    while let Some(found) = walk.next(session).await? {
        let fields = found.stored.fields()?;
        let own = changes(database, std::slice::from_ref(definition), &found.path, None, Some(&fields))?;
        let keys: Vec<_> = own.into_iter().map(|(key, _)| key).collect();
        for row in session.get_many(&keys).await? {
            if differences.len() >= DIFFERENCES_MAX {
                return Ok(());
            }
            if row.is_none() {
                differences.push(Difference::Missing { index: definition.id, document: found.path.clone() });
            }
        }
    }
    Ok(())
}

async fn stray(
    session: &mut Session,
    database: &DatabaseName,
    definition: &Definition,
    differences: &mut Vec<Difference>,
) -> Result<(), Status> {
    // Without a collection the prefix is what all entries of the index start with.
    let prefix = entry_prefix(database, definition.id, Breadth::Group, &[]);
    let mut rest = Some(KeyRange::prefix(INDEX_ENTRIES, &prefix));
    while let Some(range) = rest {
        let page = session.scan(&range, Scan { rows_max: ROWS_PER_READ, ..Scan::default() }).await?;
        rest = page.next;
        for row in page.rows {
            if differences.len() >= DIFFERENCES_MAX {
                return Ok(());
            }
            let agrees = match read_entry(row.key.as_bytes(), prefix.len()) {
                None => false,
                Some((_, path)) => {
                    match fetch(session, database, std::slice::from_ref(&path)).await?.pop().flatten() {
                        None => false,
                        Some(found) => {
                            let fields = found.stored.fields()?;
                            let definition = std::slice::from_ref(definition);
                            let own = changes(database, definition, &path, None, Some(&fields))?;
                            own.iter().any(|(key, _)| *key == row.key)
                        }
                    }
                }
            };
            if !agrees {
                differences.push(Difference::Stray { index: definition.id, key: row.key });
            }
        }
    }
    Ok(())
}
