//! One database: what is read of it and what is staged, each in a session of the gate.

use std::sync::Arc;

use access::{Caller, Gate, Grant, Line, Operation, Rules, Service, Session, Subject};
use kv::Version;
use parking_lot::Mutex;
use policy::rtdb;

use super::facts::Places;
use super::hub::{Effects, Hub};
use super::rows::{Layer, Layout, Rows};
use super::sequencer::{Job, Staged};
use super::staging::Staging;
use super::triggers::Written;
use crate::failure::Failure;
use crate::model::{Change, Expected, Node, Path, SizeLimit, Write};
use crate::query::{Order, Query};

/// Rows that one read may find.
pub const READ_ROWS_MAX: usize = 2_000_000;
/// Rows that one write may change.
pub const WRITE_ROWS_MAX: usize = 190_000;

/// What all databases of the service share.
pub struct Ground {
    /// The way to the data.
    pub gate: Gate,
    /// The project's id.
    pub project: String,
    /// The name of the project's own database.
    pub default: String,
}

/// A database.
pub struct Database {
    name: String,
    layout: Layout,
    ground: Arc<Ground>,
    hub: Hub,
    /// For writes that bring none.
    size_limit: Mutex<SizeLimit>,
}

/// What is at a place, and the state in which that was read.
pub struct Seen {
    /// The session in which it was decided: the record is not left yet.
    pub session: Session,
    /// What allowed it.
    pub grant: Grant,
    /// What was found.
    pub value: Option<Arc<Node>>,
}

impl Database {
    /// A database with a name.
    pub fn new(name: &str, ground: Arc<Ground>) -> Self {
        let (layout, size_limit) = (Layout::new(name), Mutex::new(SizeLimit::Large));
        Self { name: name.to_owned(), layout, ground, hub: Hub::default(), size_limit }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is the project's own.
    pub fn is_default(&self) -> bool {
        self.name == self.ground.default
    }

    /// How large a write may be that does not say so itself.
    pub fn size_limit(&self) -> SizeLimit {
        *self.size_limit.lock()
    }

    /// The same from now on.
    pub fn set_size_limit(&self, limit: SizeLimit) {
        *self.size_limit.lock() = limit;
    }

    /// Where it lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Who listens to it.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The way to the data.
    pub fn gate(&self) -> &Gate {
        &self.ground.gate
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules<rtdb::Ruleset>> {
        let rules = &self.ground.gate.rules().database;
        if self.ground.gate.mode().dev().is_some() || self.name == self.ground.default {
            return rules.current(&self.name);
        }
        rules.current_for(&self.ground.project, &self.name)
    }

    /// Which rules are in force, as a number.
    pub fn generation(&self) -> u64 {
        self.ground.gate.rules().database.generation()
    }

    /// Whether `.indexOn` names what a query is ordered by.
    pub fn is_indexed(&self, path: &Path, query: &Query) -> bool {
        let Some(index) = query.index() else { return true };
        match &*self.rules() {
            Rules::Enforced(enforced) => enforced.policy.is_indexed(&path.texts(), &index),
            Rules::Open(_) | Rules::Closed(_) => false,
        }
    }

    fn operation(&self, verb: &'static str, path: &Path) -> Operation {
        Operation { service: Service::Realtime, verb, resource: path.to_string() }
    }

    /// Asks the rules for a read in a session.
    async fn authorize_read(
        &self,
        session: &mut Session,
        path: &Path,
        query: &Query,
    ) -> Result<Grant, Failure> {
        session.note("database", self.name.as_str().into());
        let texts = path.texts();
        let asked = query.rules();
        let query = (!query.is_default()).then_some(&asked);
        let request = rtdb::Operation::Read { path: &texts, query };
        let subject = Subject { method: "read", path: &path.to_string() };
        let facts = Places { layout: &self.layout, pending: &Layer::new() };
        Ok(session.authorize(&self.rules(), subject, &request, &facts).await?)
    }

    /// Decides a read and reads.
    ///
    /// Errors: a denial; more than [`READ_ROWS_MAX`] rows; faults.
    pub async fn see(
        &self,
        caller: &Caller,
        verb: &'static str,
        path: &Path,
        query: &Query,
    ) -> Result<Seen, Failure> {
        let mut session = self.ground.gate.begin(caller, self.operation(verb, path)).await?;
        let grant = self.authorize_read(&mut session, path, query).await?;
        let value = self.find(&mut session, path, query).await?;
        Ok(Seen { session, grant, value })
    }

    /// Decides what stays open: with the claims that the caller has now. `reads` says whether the data is wanted, too: then it
    /// is what the query looks at, at least all that it finds and one more.
    pub async fn open(
        &self,
        caller: &Caller,
        path: &Path,
        query: &Query,
        (is_new, reads): (bool, bool),
    ) -> Result<Seen, Failure> {
        let mut session = self.ground.gate.begin_open(caller, self.operation("Listen", path)).await?;
        if !is_new {
            session.note("revoked", true.into());
        }
        let grant = self.authorize_read(&mut session, path, query).await?;
        let value = if reads { self.sought(&mut session, path, query).await? } else { None };
        Ok(Seen { session, grant, value })
    }

    /// What a query finds, in a session that may read it.
    async fn find(
        &self,
        session: &mut Session,
        path: &Path,
        query: &Query,
    ) -> Result<Option<Arc<Node>>, Failure> {
        let node = self.sought(session, path, query).await?;
        Ok(if query.is_default() { node } else { query.select(node.as_ref()) })
    }

    /// What a query has to look at: all of a place, or less where its order allows.
    async fn sought(
        &self,
        session: &mut Session,
        path: &Path,
        query: &Query,
    ) -> Result<Option<Arc<Node>>, Failure> {
        let mut rows = Rows { layout: &self.layout, reads: session.reads(), layers: &[] };
        Ok(if query.order == Order::Key && !query.selects_all() {
            rows.by_key(path, query, READ_ROWS_MAX).await?
        } else {
            rows.node(path, READ_ROWS_MAX).await?
        })
    }

    /// The keys of a place's children after one of them, of `max` at most.
    pub async fn keys(
        &self,
        caller: &Caller,
        path: &Path,
        after: Option<&crate::model::Key>,
        max: usize,
    ) -> Result<Shallow, Failure> {
        let mut session = self.ground.gate.begin(caller, self.operation("Get", path)).await?;
        self.authorize_read(&mut session, path, &Query::default()).await?;
        let mut rows = Rows { layout: &self.layout, reads: session.reads(), layers: &[] };
        let shallow = match rows.leaf(path).await? {
            Some(leaf) => Shallow::Leaf(leaf),
            None => Shallow::Keys(rows.children(path, after, max).await?.0),
        };
        session.finish();
        Ok(shallow)
    }

    /// Puts or takes away a row beside the data, for the client whose row it is.
    pub async fn put_row(&self, key: &kv::Key, row: Option<bytes::Bytes>) -> Result<(), Failure> {
        let client = Caller::unauthenticated();
        let mut session =
            self.ground.gate.begin(&client, self.operation("onDisconnect", &Path::ROOT)).await?;
        session.note("database", self.name.as_str().into());
        let permit = session.authorize_self("the session's own", "/");
        session.write(&permit, key.clone(), row);
        session.commit().await?;
        Ok(())
    }

    /// What views have to look at again, for nobody in particular: what it finds leaves only under the listeners' grants.
    pub async fn look(
        &self,
        version: Version,
        (path, query): (&Path, &Query),
        children: Option<&[crate::model::Key]>,
    ) -> Result<super::hub::Seen, Failure> {
        let admin = Caller::admin("listeners");
        let mut session = self.ground.gate.begin_at(&admin, self.operation("Listen", path), version).await?;
        let seen = match children {
            None => super::hub::Seen::All(self.sought(&mut session, path, query).await?),
            Some(keys) => {
                let mut rows = Rows { layout: &self.layout, reads: session.reads(), layers: &[] };
                let mut seen = Vec::with_capacity(keys.len());
                for key in keys {
                    seen.push((key.clone(), rows.node(&path.child(key.clone()), READ_ROWS_MAX).await?));
                }
                super::hub::Seen::Children(seen)
            }
        };
        session.discard();
        Ok(seen)
    }

    /// Decides a write and hands its commit over.
    ///
    /// Errors: a denial, what was expected is not there, more than [`WRITE_ROWS_MAX`] rows, faults.
    pub async fn stage(&self, job: &Job, pending: &Layer, line: &Line) -> Result<Staged, Failure> {
        let Job { caller, write, beside, .. } = job;
        let mut session =
            self.ground.gate.begin(caller, self.operation(write.verb.as_str(), &write.path)).await?;
        session.note("database", self.name.as_str().into());
        if let Some(expected) = &write.expected {
            self.expect(&mut session, write, expected, pending).await?;
        }
        let now_ms = session.now().micros().div_euclid(1000);
        let changes = self.resolve(&mut session, write, pending, now_ms).await?;
        let grant = self.authorize_write(&mut session, write, &changes, pending).await?;
        let asked_max = write.size_limit.unwrap_or(self.size_limit()).leaves_max();
        let rows_max = asked_max.map_or(WRITE_ROWS_MAX, |max| max.min(WRITE_ROWS_MAX));
        let mut staging = Staging::new(&self.layout, session.reads(), pending, rows_max);
        for change in &changes {
            match &change.value {
                Value::Whole(value) => staging.set(&change.path, value.as_ref()).await,
                Value::Priority(priority, _) => staging.set_priority(&change.path, priority.as_ref()).await,
            }
            .map_err(Failure::of_write)?;
        }
        let rows = staging.finish();
        self.emit(&mut session, &changes, pending, &rows).await?;
        let effects = effects(write, changes);
        if rows.is_empty() && beside.is_empty() {
            session.finish();
            return Ok(Staged { effects, commit: None });
        }
        for (key, value) in rows.iter().chain(beside.iter().map(|(key, value)| (key, value))) {
            session.write(&grant.permit, key.clone(), value.clone());
        }
        let commit = session.submit(line)?;
        Ok(Staged { effects, commit: Some((rows, commit)) })
    }

    /// Emits the events of a write.
    async fn emit(
        &self,
        session: &mut Session,
        changes: &[Resolved],
        pending: &Layer,
        rows: &Layer,
    ) -> Result<(), Failure> {
        let paths: Vec<Path> = changes.iter().map(|change| change.path.clone()).collect();
        let (database, layout) = (self.name.as_str(), &self.layout);
        let written = Written { database, layout, paths: &paths, pending, rows };
        if rows.is_empty() { Ok(()) } else { written.emit(session).await.map_err(Failure::of_write) }
    }

    /// Compares what a transaction expects with what is there.
    async fn expect(
        &self,
        session: &mut Session,
        write: &Write,
        expected: &Expected,
        pending: &Layer,
    ) -> Result<(), Failure> {
        let layers = [pending];
        let mut rows = Rows { layout: &self.layout, reads: session.reads(), layers: &layers };
        let current = rows.node(&write.path, WRITE_ROWS_MAX).await.map_err(Failure::of_write)?;
        if expected.is(current.as_deref()) {
            return Ok(());
        }
        // Who may not read it learns nothing of it.
        if !session.caller().is_admin() {
            self.authorize_read(session, &write.path, &Query::default()).await?;
        }
        Err(Failure::Stale { current })
    }

    /// Values without server values in them.
    async fn resolve(
        &self,
        session: &mut Session,
        write: &Write,
        pending: &Layer,
        now_ms: i64,
    ) -> Result<Vec<Resolved>, Failure> {
        let layers = [pending];
        let mut changes = Vec::with_capacity(write.changes.len());
        for change in &write.changes {
            let (path, draft) = match change {
                Change::Set { path, value } | Change::Priority { path, value } => (path, value),
            };
            let is_priority = matches!(change, Change::Priority { .. });
            let mut rows = Rows { layout: &self.layout, reads: session.reads(), layers: &layers };
            let before = if is_priority || draft.needs_before() {
                rows.node(path, WRITE_ROWS_MAX).await.map_err(Failure::of_write)?
            } else {
                None
            };
            let value = if is_priority {
                let priority = draft.resolve_priority(now_ms, before.as_deref())?;
                let node = Node::with_priority(before.as_ref(), &[], priority.clone());
                Value::Priority(priority, node)
            } else {
                Value::Whole(draft.resolve(now_ms, before.as_deref())?)
            };
            changes.push(Resolved { path: path.clone(), value });
        }
        Ok(changes)
    }

    async fn authorize_write(
        &self,
        session: &mut Session,
        write: &Write,
        changes: &[Resolved],
        pending: &Layer,
    ) -> Result<Grant, Failure> {
        let paths: Vec<Vec<&str>> = changes.iter().map(|change| change.path.texts()).collect();
        let asked: Vec<rtdb::Change<'_>> = changes
            .iter()
            .zip(&paths)
            .map(|(change, path)| rtdb::Change {
                path,
                value: change.value.node().map(|node| &**node as &(dyn rtdb::Tree + Sync)),
            })
            .collect();
        let request = match asked.as_slice() {
            [change] => rtdb::Operation::Write(*change),
            changes => rtdb::Operation::Update(changes),
        };
        let subject = Subject { method: "write", path: &write.path.to_string() };
        let facts = Places { layout: &self.layout, pending };
        Ok(session.authorize(&self.rules(), subject, &request, &facts).await?)
    }

    /// Asks the rules whether a write would be allowed now, and leaves rows beside the data when it is.
    ///
    /// Errors: as [`Database::stage`].
    pub async fn register(
        &self,
        caller: &Caller,
        write: &Write,
        rows: Vec<(kv::Key, Option<bytes::Bytes>)>,
    ) -> Result<(), Failure> {
        let mut session =
            self.ground.gate.begin(caller, self.operation(write.verb.as_str(), &write.path)).await?;
        session.note("database", self.name.as_str().into());
        let now_ms = session.now().micros().div_euclid(1000);
        let pending = Layer::new();
        let changes = self.resolve(&mut session, write, &pending, now_ms).await?;
        let grant = self.authorize_write(&mut session, write, &changes, &pending).await?;
        for (key, value) in rows {
            session.write(&grant.permit, key, value);
        }
        if !session.has_writes() {
            session.finish();
            return Ok(());
        }
        // What the rules have read need not stay so: they are asked again when it is done.
        let line = Line::of(self.layout.all(&Path::ROOT));
        session.submit(&line)?.await.map_err(|_| Failure::busy())??;
        Ok(())
    }
}

/// What `shallow` finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Shallow {
    /// A value.
    Leaf(crate::model::Leaf),
    /// Children; none where the place is null.
    Keys(Vec<crate::model::Key>),
}

/// A change whose values are known.
struct Resolved {
    path: Path,
    value: Value,
}

enum Value {
    /// All of a place.
    Whole(Option<Arc<Node>>),
    /// Its priority, and the place with it.
    Priority(Option<crate::model::Leaf>, Option<Arc<Node>>),
}

impl Value {
    fn node(&self) -> Option<&Arc<Node>> {
        match self {
            Value::Whole(node) | Value::Priority(_, node) => node.as_ref(),
        }
    }
}

fn effects(write: &Write, changes: Vec<Resolved>) -> Effects {
    let changes = changes.into_iter().map(|change| {
        let node = match change.value {
            Value::Whole(node) | Value::Priority(_, node) => node,
        };
        (change.path, node)
    });
    Effects { path: write.path.clone(), is_merge: write.is_update(), changes: changes.collect() }
}
