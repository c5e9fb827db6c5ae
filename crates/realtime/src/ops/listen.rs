//! A listener of a client: opened under a grant, and shown things for as long as that holds.

use std::sync::Arc;
use std::time::Duration;

use access::{Caller, Decided, Holder, OpenGrant};
use kv::Version;

use super::database::{Database, Seen};
use super::hub::Listener;
use super::outbox::Outbox;
use crate::failure::Failure;
use crate::model::{Node, Path};
use crate::query::Query;

/// How long one waits for another who reads the same query.
const SHARED_WAIT: Duration = Duration::from_millis(500);

/// An open listener. Dropped, it is told nothing any more.
pub struct Listen {
    database: Arc<Database>,
    /// Where.
    pub path: Path,
    /// To what.
    pub query: Query,
    listener: Listener,
    grant: OpenGrant,
    /// What is older has been shown.
    shown: Version,
}

/// What a new listener shows first.
pub struct First {
    /// The value.
    pub value: Option<Arc<Node>>,
    /// Whether an index is missing.
    pub is_indexed: bool,
}

/// Takes a listener away unless it stays.
struct Registered<'a> {
    database: &'a Database,
    path: &'a Path,
    query: &'a Query,
    listener: &'a Listener,
    stays: bool,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if !self.stays {
            self.database.hub().forget(self.path, self.query, self.listener);
        }
    }
}

impl Listen {
    /// Opens a listener.
    ///
    /// Errors: a denial; faults; more than a read may find.
    pub async fn open(
        database: &Arc<Database>,
        caller: &Caller,
        (path, query): (Path, Query),
        (id, outbox): (u64, &Arc<Outbox>),
    ) -> Result<(Self, First), Failure> {
        let listener = Listener { id, outbox: Arc::clone(outbox) };
        let generation = database.generation();
        let is_default = query.is_default();
        // Decided before it costs others anything.
        let mut registered =
            Registered { database, path: &path, query: &query, listener: &listener, stays: false };
        let reads = if is_default {
            database.hub().listen(&path, listener.clone());
            true
        } else {
            database.hub().listen_to_query(&path, &query, listener.clone())
        };
        let Seen { session, grant, value } = database.open(caller, &path, &query, (true, reads)).await?;
        let at = session.version();
        let decided = Decided { footprint: grant.footprint, at, generation };
        let holder: Arc<dyn Holder> = outbox.clone();
        let grant = database.gate().open(caller, decided, Arc::downgrade(&holder));
        session.finish();
        let (value, shown) = if is_default {
            (value, at)
        } else {
            if reads {
                database.hub().loaded(&path, &query, at, value.as_ref());
            }
            shown(database, caller, &path, &query).await?
        };
        registered.stays = true;
        drop(registered);
        let is_indexed = database.is_indexed(&path, &query);
        let database = Arc::clone(database);
        let mut listen = Self { database, path, query, listener, grant, shown };
        // What is shown may be newer than the decision.
        if shown > at {
            listen.database.gate().settle(shown).await?;
            listen.confirm(caller).await?;
        }
        Ok((listen, First { value, is_indexed }))
    }

    /// The clock of the house.
    pub fn clock(&self) -> Arc<dyn base::Clock> {
        Arc::clone(self.database.gate().clock())
    }

    /// Whether something of a commit is new to the client.
    pub fn is_new(&self, version: Version) -> bool {
        version > self.shown
    }

    /// Has it decided again where that is due. Errors: it is lost, and why.
    pub async fn confirm(&mut self, caller: &Caller) -> Result<(), Failure> {
        let generation = self.database.generation();
        if !self.grant.is_stale(generation) {
            return Ok(());
        }
        self.decide(caller).await
    }

    /// Whether the time alone can end it.
    pub fn depends_on_time(&self) -> bool {
        self.grant.depends_on_time()
    }

    /// Has it decided again: another caller, or something that it depends on has changed.
    pub async fn decide(&mut self, caller: &Caller) -> Result<(), Failure> {
        let generation = self.database.generation();
        self.grant.begin();
        // Boxed: who only waits for news keeps no room for this.
        let opening = Box::pin(self.database.open(caller, &self.path, &self.query, (false, false)));
        let Seen { session, grant, .. } = opening.await?;
        let decided = Decided { footprint: grant.footprint, at: session.version(), generation };
        self.grant.renew(caller, decided, false);
        session.confirm();
        Ok(())
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        self.database.hub().forget(&self.path, &self.query, &self.listener);
    }
}

/// What a shared query shows. Who reads it first may be gone: then it is read here.
async fn shown(
    database: &Database,
    caller: &Caller,
    path: &Path,
    query: &Query,
) -> Result<(Option<Arc<Node>>, Version), Failure> {
    loop {
        let settled = database.hub().settled();
        if let Some(shown) = database.hub().shown(path, query) {
            return Ok(shown);
        }
        if tokio::time::timeout(SHARED_WAIT, settled).await.is_err() {
            let seen = database.open(caller, path, query, (true, true)).await?;
            database.hub().loaded(path, query, seen.session.version(), seen.value.as_ref());
            seen.session.finish();
        }
    }
}
