//! A database in memory for the engine's tests: documents written with their index entries, as writers do it.

use std::sync::Arc;

use access::{AccessLog, Caller, CommitFailure, DevPermit, Gate, Mode, Operation, Service, Session};
use base::{DatabaseName, DocumentPath, Fields, ResourcePath, SystemClock};
use kv::{Mem, Options, Store};

use super::index;
use crate::model::{self, document, key};

/// The gate to the store, and the one database in it.
pub struct Database {
    pub gate: Gate,
    pub name: DatabaseName,
}

/// A document's path.
pub fn path(text: &str) -> DocumentPath {
    DocumentPath::new(ResourcePath::parse(text).unwrap()).unwrap()
}

impl Database {
    pub async fn new() -> Self {
        let store = Store::open(Mem::default(), Options::default()).await.unwrap();
        let mode = Mode::Dev(DevPermit::for_development_only());
        let gate = Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), mode);
        Self { gate, name: DatabaseName::default_of("p") }
    }

    pub async fn session(&self) -> Session {
        let caller = Caller::admin("owner");
        let operation = Operation { service: Service::Firestore, verb: "Test", resource: "/".into() };
        self.gate.begin(&caller, operation).await.unwrap()
    }

    /// Writes documents (`None` deletes) in one transaction.
    pub async fn write(&self, writes: &[(DocumentPath, Option<Fields>)]) {
        self.attempt(writes).await.unwrap();
    }

    /// The same beside others: tried again when it conflicts.
    pub async fn try_write(&self, writes: &[(DocumentPath, Option<Fields>)]) {
        while let Err(failure) = self.attempt(writes).await {
            assert!(matches!(failure, CommitFailure::Conflict), "{failure:?}");
        }
    }

    async fn attempt(&self, writes: &[(DocumentPath, Option<Fields>)]) -> Result<kv::Version, CommitFailure> {
        let mut session = self.session().await;
        let permit = session.authorize_admin("/").unwrap();
        for (path, after) in writes {
            let definitions =
                index::definitions(&mut session, &self.name, path.collection_id()).await.unwrap();
            let key = key::document(&self.name, path);
            let before = session.get(&key).await.unwrap();
            let before = before.map(|row| model::Stored::from_row(&row).unwrap().fields().unwrap());
            let entries =
                index::changes(&self.name, &definitions, path, before.as_ref(), after.as_ref()).unwrap();
            for (key, value) in entries {
                session.write(&permit, key, value);
            }
            let row = after.clone().map(|fields| model::encode(None, &document::encode_fields(&fields)));
            session.write(&permit, key, row);
        }
        session.commit().await
    }
}
