//! What becomes of indexes that exist: when they were used last, that unused ones made for queries age out, and that the
//! entries of dropped ones are erased.
//!
//! When an index was used is kept in memory and stored at most once in [`STORED_EVERY_S`]; a restart forgets no more than
//! that. A definition goes in one transaction, its entries afterwards in steps, which a restart takes up again.

use std::collections::HashMap;

use access::keyspace::{INDEX_DEFINITIONS, INDEX_ENTRIES};
use access::{Caller, CommitFailure, Gate, Operation, Service, Session};
use base::{Code, DatabaseName, Status};
use kv::{Key, KeyRange, Scan};
use parking_lot::Mutex;

use super::definition::{self, Definition, Origin, all_definitions};
use super::{Breadth, entry_prefix};

/// How often the last use of an index is stored, at most.
const STORED_EVERY_S: i64 = 3600;
/// In serve an index that was made for a query and that none has used for so long is dropped.
pub const UNUSED_S_MAX: i64 = 7 * 24 * 3600;
/// The same in dev.
pub const UNUSED_IN_DEV_S_MAX: i64 = 24 * 3600;
/// Entries erased in one transaction.
const ERASED_AT_ONCE: usize = 1_000;
/// Tries of one transaction before it waits for the next sweep.
const ATTEMPTS_MAX: usize = 10;

/// When indexes were used, and what is done about those that are not.
pub struct Upkeep {
    gate: Gate,
    unused_s_max: i64,
    /// By database and id: seconds.
    uses: Mutex<HashMap<DatabaseName, HashMap<u32, i64>>>,
}

impl Upkeep {
    /// Goes through this gate. In dev indexes age faster.
    pub fn new(gate: Gate) -> Self {
        let unused_s_max = if gate.mode().dev().is_some() { UNUSED_IN_DEV_S_MAX } else { UNUSED_S_MAX };
        Self { gate, unused_s_max, uses: Mutex::default() }
    }

    /// Notes that a query used these indexes.
    pub fn used(&self, database: &DatabaseName, ids: impl Iterator<Item = u32>) {
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return;
        }
        let now_s = self.gate.clock().now().seconds;
        let mut uses = self.uses.lock();
        if !uses.contains_key(database) {
            uses.insert(database.clone(), HashMap::new());
        }
        if let Some(uses) = uses.get_mut(database) {
            uses.extend(ids.map(|id| (id, now_s)));
        }
    }

    /// When an index was used last, as far as this process knows: seconds.
    pub fn last_use(&self, database: &DatabaseName, id: u32) -> Option<i64> {
        self.uses.lock().get(database)?.get(&id).copied()
    }

    /// Stores when indexes were used, drops those that none uses any more, and erases what is left of dropped ones.
    pub async fn sweep(&self) -> Result<(), Status> {
        let mut session = session(&self.gate, &builder(), "ListIndexes", "/").await?;
        session.authorize_admin("/").map_err(crate::status::refused)?;
        let mut made = all_definitions(&mut session).await?;
        made.retain(|(_, definition)| definition.origin == Origin::Query);
        let keys: Vec<Key> =
            made.iter().map(|(database, made)| definition::last_use_key(database, made.id)).collect();
        let stored = session.get_many(&keys).await?;
        session.finish();
        let now_s = self.gate.clock().now().seconds;
        for ((database, definition), stored) in made.iter().zip(stored) {
            let stored_s = stored.as_ref().and_then(definition::read_last_use);
            let used_s = self.last_use(database, definition.id).max(stored_s);
            match used_s {
                Some(used_s) if used_s.saturating_add(self.unused_s_max) <= now_s => {
                    tracing::info!(shape = ?definition.shape, "an index that no query uses is dropped");
                    drop_index(&self.gate, &builder(), database, definition).await?;
                }
                // One that was never seen begins to age now.
                None => self.store(database, definition, now_s).await?,
                Some(used_s) if stored_s.is_none_or(|stored_s| stored_s + STORED_EVERY_S <= used_s) => {
                    self.store(database, definition, used_s).await?;
                }
                Some(_) => {}
            }
        }
        self.erase_dropped().await
    }

    async fn store(
        &self,
        database: &DatabaseName,
        definition: &Definition,
        used_s: i64,
    ) -> Result<(), Status> {
        let resource = format!("/{}", definition.shape.group);
        let mut session = session(&self.gate, &builder(), "NoteIndexUse", &resource).await?;
        let permit = session.authorize_admin(&resource).map_err(crate::status::refused)?;
        let key = definition::last_use_key(database, definition.id);
        // An index that was dropped meanwhile must not leave a row behind.
        if session.get(&definition::key(database, &definition.shape)).await?.is_none() {
            session.finish();
            return Ok(());
        }
        session.write(&permit, key, Some(definition::last_use_value(used_s)));
        match session.commit().await {
            Ok(_) | Err(CommitFailure::Conflict) => Ok(()),
            Err(CommitFailure::Failed(status)) => Err(status),
        }
    }

    /// Erases the entries of dropped indexes.
    pub async fn erase_dropped(&self) -> Result<(), Status> {
        let mut session = session(&self.gate, &builder(), "ListIndexes", "/").await?;
        session.authorize_admin("/").map_err(crate::status::refused)?;
        let mut dropped = Vec::new();
        let mut left = Some(KeyRange::prefix(INDEX_DEFINITIONS, &[]));
        while let Some(range) = left {
            let page = session.scan(&range, Scan::default()).await?;
            dropped.extend(page.rows.iter().filter_map(|row| definition::read_to_erase(&row.key)));
            left = page.next;
        }
        session.finish();
        for (database, id) in dropped {
            while !self.erase(&database, id).await? {
                tokio::task::yield_now().await;
            }
            if let Some(uses) = self.uses.lock().get_mut(&database) {
                uses.remove(&id);
            }
        }
        Ok(())
    }

    /// Erases some entries of a dropped index; whether that was the end of them.
    async fn erase(&self, database: &DatabaseName, id: u32) -> Result<bool, Status> {
        let mut session = session(&self.gate, &builder(), "EraseIndex", "/").await?;
        let permit = session.authorize_admin("/").map_err(crate::status::refused)?;
        let entries = KeyRange::prefix(INDEX_ENTRIES, &entry_prefix(database, id, Breadth::Group, &[]));
        let page = session.scan(&entries, Scan { rows_max: ERASED_AT_ONCE, ..Scan::default() }).await?;
        for row in page.rows {
            session.write(&permit, row.key, None);
        }
        let is_done = page.next.is_none();
        if is_done {
            session.write(&permit, definition::to_erase_key(database, id), None);
        }
        match session.commit().await {
            Ok(_) => Ok(is_done),
            Err(CommitFailure::Conflict) => Ok(false),
            Err(CommitFailure::Failed(status)) => Err(status),
        }
    }
}

/// Drops an index: no query uses it and no writer maintains it from then on. Its entries are erased by
/// [`Upkeep::erase_dropped`].
///
/// Errors: `NOT_FOUND` when it is not there (any more).
pub async fn drop_index(
    gate: &Gate,
    caller: &Caller,
    database: &DatabaseName,
    dropped: &Definition,
) -> Result<(), Status> {
    let resource = format!("/{}", dropped.shape.group);
    for _ in 0..ATTEMPTS_MAX {
        let mut session = session(gate, caller, "DropIndex", &resource).await?;
        let permit = session.authorize_admin(&resource).map_err(crate::status::refused)?;
        session.note("index", super::Spec::of(&dropped.shape, dropped.name_descends).to_string().into());
        let key = definition::key(database, &dropped.shape);
        match session.get(&key).await?.map(|row| definition::decode(&row)).transpose()? {
            Some(found) if found.id == dropped.id => {}
            _ => return Err(Status::new(Code::NotFound, "The index is not there any more.")),
        }
        session.write(&permit, key, None);
        session.write(&permit, definition::progress_key(database, dropped.id), None);
        session.write(&permit, definition::last_use_key(database, dropped.id), None);
        session.write(&permit, definition::to_erase_key(database, dropped.id), Some(bytes::Bytes::new()));
        match session.commit().await {
            Ok(_) => return Ok(()),
            Err(CommitFailure::Conflict) => {}
            Err(CommitFailure::Failed(status)) => return Err(status),
        }
    }
    Err(Status::new(Code::Aborted, "Too much contention to drop the index."))
}

fn builder() -> Caller {
    Caller::admin("index builder")
}

async fn session(
    gate: &Gate,
    caller: &Caller,
    verb: &'static str,
    resource: &str,
) -> Result<Session, Status> {
    let operation = Operation { service: Service::Firestore, verb, resource: resource.to_owned() };
    gate.begin(caller, operation).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access::{AccessLog, Mode};
    use base::{FieldPath, ManualClock};
    use kv::{Mem, Options, Store};

    use super::super::{Component, Kind, Shape, State, definitions};
    use super::*;
    use crate::query::index::build::build;
    use crate::query::testing::{Database, path};

    const DAY_S: i64 = 24 * 3600;

    async fn database(clock: &Arc<ManualClock>) -> Database {
        let options = Options { clock: clock.clone(), ..Options::default() };
        let store = Store::open(Mem::default(), options).await.unwrap();
        let gate = Gate::new(store, AccessLog::discarding(), clock.clone(), Mode::Serve);
        Database { gate, name: DatabaseName::default_of("p") }
    }

    fn shape(field: &str) -> Shape {
        let field = FieldPath::parse(field).unwrap();
        let components = vec![Component { field, kind: Kind::Ascending }];
        Shape { group: "c".into(), breadth: Breadth::Collection, components }
    }

    /// How many indexes and entries there are.
    async fn counts(database: &Database) -> (usize, usize) {
        let mut session = database.session().await;
        let found = definitions(&mut session, &database.name, "c").await.unwrap();
        assert!(found.iter().all(|definition| definition.state == State::Readable));
        let rows = session.scan(&KeyRange::prefix(INDEX_ENTRIES, &[]), Scan::default()).await.unwrap().rows;
        session.finish();
        (found.len(), rows.len())
    }

    #[tokio::test]
    async fn an_index_of_queries_ages_out_with_its_entries_and_others_stay() {
        let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
        let database = database(&clock).await;
        let fields = [("a".to_owned(), base::Value::Integer(1)), ("b".to_owned(), base::Value::Integer(1))];
        for n in 0..3 {
            database.write(&[(path(&format!("c/{n}")), Some(fields.clone().into()))]).await;
        }
        build(&database.gate, &database.name, &shape("a"), Origin::Query).await.unwrap();
        build(&database.gate, &database.name, &shape("b"), Origin::File).await.unwrap();
        let upkeep = Upkeep::new(database.gate.clone());
        upkeep.sweep().await.unwrap();
        clock.advance(6 * DAY_S * 1_000_000);
        upkeep.used(&database.name, [1].into_iter());
        upkeep.sweep().await.unwrap();
        clock.advance(6 * DAY_S * 1_000_000);
        // Another process knows of the use from the store.
        let upkeep = Upkeep::new(database.gate.clone());
        upkeep.sweep().await.unwrap();
        assert_eq!(counts(&database).await, (2, 6));
        clock.advance(DAY_S * 1_000_000);
        upkeep.sweep().await.unwrap();
        assert_eq!(counts(&database).await, (1, 3));
        // It comes again with another id, and nothing of the first is left.
        build(&database.gate, &database.name, &shape("a"), Origin::Query).await.unwrap();
        assert_eq!(counts(&database).await, (2, 6));
        let mut session = database.session().await;
        let rows =
            session.scan(&KeyRange::prefix(INDEX_DEFINITIONS, &[]), Scan::default()).await.unwrap().rows;
        assert!(rows.iter().all(|row| definition::read_to_erase(&row.key).is_none()));
        session.finish();
    }
}
