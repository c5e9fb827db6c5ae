//! Defines indexes and fills them, beside the traffic.
//!
//! An index is defined in one transaction; from then on writers maintain it. What was there before is added in
//! batches, each a transaction of its own that says how far it came, so a build that is cut short goes on where it
//! stopped. A batch that meets a concurrent writer is tried again, smaller.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use access::{Caller, CommitFailure, Gate, Operation, Service, Session};
use base::{Code, DatabaseName, Status, Value};
use bytes::Bytes;
use kv::Key;
use parking_lot::Mutex;

use super::definition::{self, Definition, Origin, State, definitions};
use super::{INDEXES_PER_GROUP_MAX, Kind, Shape, Spec, changes};
use crate::model::key;
use crate::query::walk::Collections;

/// Builds that run at once; more are not started and will be wanted again.
pub const BUILDS_RUNNING_MAX: usize = 2;
/// Documents of one batch.
pub const BATCH_DOCUMENTS_MAX: usize = 2_000;
/// Bytes of the documents of one batch.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// Index entries of one batch.
pub const BATCH_ENTRIES_MAX: usize = 20_000;
/// Indexes that a collection group may have for queries of others than administrators to add one, in serve.
pub const INDEXES_FOR_OTHERS_MAX: usize = 16;
/// How many of their queries must have looked at far more than they found before an index is made for them. A query that
/// is asked once leaves nothing.
pub const WANTED_TIMES: u32 = 20;
/// Wanted indexes that are counted; beyond it all begin anew.
const WANTED_MAX: usize = 1_000;
/// Documents that are looked at for the field of an index that others than administrators want.
pub const PROBED_DOCUMENTS_MAX: usize = 200;
/// Tries of one step before the build is given up until the index is wanted again.
pub const STEP_ATTEMPTS_MAX: usize = 20;

/// What came of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// The index is readable.
    Readable,
    /// The collection group has [`INDEXES_PER_GROUP_MAX`] indexes already.
    TooMany,
    /// None of the documents looked at has its field.
    Useless,
}

/// Starts builds, each index once at a time. Cheap to clone.
#[derive(Clone)]
pub struct Builder {
    gate: Gate,
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    running: HashSet<(DatabaseName, Shape)>,
    /// How often others than administrators wanted an index, in serve.
    wanted: HashMap<(DatabaseName, Shape), u32>,
    /// Not tried again by this process.
    given_up: HashSet<(DatabaseName, Shape)>,
}

impl Tasks {
    /// Counts another query that would have liked an index; whether that makes it worth having.
    fn is_wanted_enough(&mut self, task: &(DatabaseName, Shape)) -> bool {
        if self.wanted.len() >= WANTED_MAX && !self.wanted.contains_key(task) {
            self.wanted.clear();
        }
        let times = self.wanted.entry(task.clone()).or_default();
        *times += 1;
        let is_enough = *times >= WANTED_TIMES;
        if is_enough {
            self.wanted.remove(task);
        }
        is_enough
    }
}

/// How many given-up builds are remembered.
const GIVEN_UP_MAX: usize = 10_000;

impl Builder {
    /// A builder that goes through this gate.
    pub fn new(gate: Gate) -> Self {
        Self { gate, tasks: Arc::default() }
    }

    /// Builds these indexes in the background for a caller's query, unless that is happening already or the caller may
    /// not cause it (yet): see [`build_for_others`]. Returns whether any is being built, or will be when asked again.
    pub fn start<'s>(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        shapes: impl Iterator<Item = &'s Shape>,
    ) -> bool {
        let mut is_under_way = false;
        let trusted = caller.is_admin() || self.gate.mode().dev().is_some();
        for shape in shapes {
            let task = (database.clone(), shape.clone());
            {
                let mut tasks = self.tasks.lock();
                if !trusted && !tasks.is_wanted_enough(&task) {
                    continue;
                }
                if tasks.given_up.contains(&task) {
                    continue;
                }
                is_under_way = true;
                if tasks.running.len() >= BUILDS_RUNNING_MAX || !tasks.running.insert(task.clone()) {
                    continue;
                }
            }
            let builder = self.clone();
            tokio::spawn(async move {
                let built = match trusted {
                    true => build(&builder.gate, &task.0, &task.1, Origin::Query).await,
                    false => build_for_others(&builder.gate, &task.0, &task.1).await,
                };
                let mut tasks = builder.tasks.lock();
                tasks.running.remove(&task);
                match built {
                    Ok(Built::Readable) => tracing::info!(shape = ?task.1, "an index has been built"),
                    // Trying again soon is pointless for one, and for the other likely so.
                    Ok(Built::TooMany | Built::Useless) | Err(Status { code: Code::InvalidArgument, .. }) => {
                        tracing::warn!(shape = ?task.1, ?built, "an index cannot be built");
                        if tasks.given_up.len() < GIVEN_UP_MAX {
                            tasks.given_up.insert(task);
                        }
                    }
                    Err(status) => tracing::warn!(shape = ?task.1, %status, "an index build stopped"),
                }
            });
        }
        is_under_way
    }

    /// Whether nothing is being built.
    pub fn is_idle(&self) -> bool {
        self.tasks.lock().running.is_empty()
    }
}

/// Builds an index for a query of somebody else than an administrator, in production. Lasting work is done for them
/// only as far as Firestore would do it without being asked: one on a single field that documents have. The number is
/// bounded by [`INDEXES_FOR_OTHERS_MAX`], and those that are not used age out.
async fn build_for_others(gate: &Gate, database: &DatabaseName, shape: &Shape) -> Result<Built, Status> {
    let mut session = session(gate, "ProbeIndex", shape).await?;
    session.authorize_admin(&format!("/{}", shape.group)).map_err(crate::status::refused)?;
    let taken = definitions(&mut session, database, &shape.group).await?;
    let mut walk = Collections::of_group(database, &shape.group, None, PROBED_DOCUMENTS_MAX);
    let mut has_field = false;
    for _ in 0..PROBED_DOCUMENTS_MAX {
        let Some(found) = walk.next(&mut session).await? else { break };
        let fields = found.stored.fields()?;
        has_field = shape.components.iter().all(|component| match component.field.get(&fields) {
            Some(Value::Array(_)) => true,
            Some(_) => component.kind != Kind::Contains,
            None => false,
        });
        if has_field {
            break;
        }
    }
    session.finish();
    if !has_field {
        return Ok(Built::Useless);
    }
    let is_new = taken.iter().all(|definition| definition.shape != *shape);
    if is_new && taken.len() >= INDEXES_FOR_OTHERS_MAX {
        return Ok(Built::TooMany);
    }
    build(gate, database, shape, Origin::Query).await
}

/// Defines an index if it is not, and fills it.
///
/// Errors: `ABORTED` when writers kept getting in the way; `INVALID_ARGUMENT` when a document would have too many
/// entries; the store's faults.
pub async fn build(
    gate: &Gate,
    database: &DatabaseName,
    shape: &Shape,
    origin: Origin,
) -> Result<Built, Status> {
    let new =
        Definition { shape: shape.clone(), id: 0, state: State::Building, origin, name_descends: false };
    match define(gate, &builder(), database, &new).await? {
        Some(definition) => fill(gate, database, definition).await,
        None => Ok(Built::TooMany),
    }
}

/// Who builds without being asked by name.
fn builder() -> Caller {
    Caller::admin("index builder")
}

/// Fills an index that is defined.
///
/// Errors: those of [`build`].
pub async fn fill(gate: &Gate, database: &DatabaseName, definition: Definition) -> Result<Built, Status> {
    if definition.state == State::Readable {
        return Ok(Built::Readable);
    }
    let mut documents_max = BATCH_DOCUMENTS_MAX;
    let mut attempts = 0;
    loop {
        match step(gate, database, &definition, documents_max).await {
            Ok(true) => return Ok(Built::Readable),
            Ok(false) => {
                attempts = 0;
                documents_max = documents_max.saturating_mul(2).min(BATCH_DOCUMENTS_MAX);
            }
            Err(CommitFailure::Conflict) if attempts < STEP_ATTEMPTS_MAX => {
                attempts += 1;
                documents_max = (documents_max / 2).max(1);
            }
            Err(failure) => return Err(status(failure)),
        }
    }
}

fn status(failure: CommitFailure) -> Status {
    match failure {
        CommitFailure::Conflict => Status::new(Code::Aborted, "Too much contention to build an index."),
        CommitFailure::Failed(status) => status,
    }
}

async fn session(gate: &Gate, verb: &'static str, shape: &Shape) -> Result<Session, Status> {
    session_of(gate, &builder(), verb, shape).await
}

async fn session_of(
    gate: &Gate,
    caller: &Caller,
    verb: &'static str,
    shape: &Shape,
) -> Result<Session, Status> {
    let resource = format!("/{}", shape.group);
    gate.begin(caller, Operation { service: Service::Firestore, verb, resource }).await
}

/// The definition of an index, made like `new` if there is none; `None` when there is no room for it. One that was made for
/// a query belongs to whoever else asks for it, from then on.
pub async fn define(
    gate: &Gate,
    caller: &Caller,
    database: &DatabaseName,
    new: &Definition,
) -> Result<Option<Definition>, Status> {
    let shape = &new.shape;
    for _ in 0..STEP_ATTEMPTS_MAX {
        let mut session = session_of(gate, caller, "DefineIndex", shape).await?;
        let existing = definitions(&mut session, database, &shape.group).await?;
        let count = existing.len();
        let found = existing.into_iter().find(|definition| definition.shape == *shape);
        let is_new = found.is_none();
        let definition = match found {
            Some(found) if found.origin != Origin::Query || new.origin == Origin::Query => {
                session.finish();
                return Ok(Some(found));
            }
            Some(found) => Definition { origin: new.origin, name_descends: new.name_descends, ..found },
            None if count >= INDEXES_PER_GROUP_MAX => {
                session.finish();
                return Ok(None);
            }
            None => Definition { id: next_id(&mut session, database).await?, ..new.clone() },
        };
        let permit = session.authorize_admin(&format!("/{}", shape.group)).map_err(crate::status::refused)?;
        session.note("index", Spec::of(shape, definition.name_descends).to_string().into());
        if is_new {
            let next = Bytes::copy_from_slice(&definition.id.saturating_add(1).to_be_bytes());
            session.write(&permit, definition::next_id_key(database), Some(next));
        }
        session.write(&permit, definition::key(database, shape), Some(definition::value(&definition)));
        match session.commit().await {
            Ok(_) => return Ok(Some(definition)),
            Err(CommitFailure::Conflict) => {}
            Err(failure) => return Err(status(failure)),
        }
    }
    Err(status(CommitFailure::Conflict))
}

/// The id for a new index.
async fn next_id(session: &mut Session, database: &DatabaseName) -> Result<u32, Status> {
    let Some(row) = session.get(&definition::next_id_key(database)).await? else { return Ok(1) };
    let id = row.value.as_ref().try_into().map_err(|_| {
        tracing::error!("the next index id is unreadable");
        Status::new(Code::DataLoss, "The next index id is unreadable.")
    })?;
    Ok(u32::from_be_bytes(id))
}

/// Adds the entries of the next documents; whether that was the end of it.
async fn step(
    gate: &Gate,
    database: &DatabaseName,
    definition: &Definition,
    documents_max: usize,
) -> Result<bool, CommitFailure> {
    let mut session = session(gate, "BuildIndex", &definition.shape).await.map_err(CommitFailure::Failed)?;
    match stage(&mut session, database, definition, documents_max).await {
        Ok(done) => session.commit().await.map(|_| done),
        Err(status) => Err(CommitFailure::Failed(status)),
    }
}

async fn stage(
    session: &mut Session,
    database: &DatabaseName,
    definition: &Definition,
    documents_max: usize,
) -> Result<bool, Status> {
    let shape = &definition.shape;
    let permit = session.authorize_admin(&format!("/{}", shape.group)).map_err(crate::status::refused)?;
    // In the read set: a definition that is dropped or replaced meanwhile makes this batch fail.
    let definition_key = definition::key(database, shape);
    let stored = session.get(&definition_key).await?.map(|row| definition::decode(&row)).transpose()?;
    let Some(stored) = stored.filter(|stored| stored.id == definition.id) else {
        return Err(Status::new(Code::Aborted, "The index was dropped while it was being built."));
    };
    let progress_key = definition::progress_key(database, definition.id);
    let after = session.get(&progress_key).await?.and_then(|row| Key::from_stored(row.value));

    let mut walk = Collections::of_group(database, &shape.group, after.as_ref(), documents_max);
    let (mut documents, mut bytes, mut entries) = (0, 0, 0);
    let mut last = None;
    let fields = shape.components.iter().filter_map(|component| component.field.segments().first());
    let looked_at: Vec<String> = fields.cloned().collect();
    while documents < documents_max && bytes < BATCH_BYTES_MAX && entries < BATCH_ENTRIES_MAX {
        let Some(found) = walk.next(session).await? else {
            session.write(&permit, progress_key, None);
            let readable = Definition { state: State::Readable, ..stored };
            session.write(&permit, definition_key, Some(definition::value(&readable)));
            return Ok(true);
        };
        documents += 1;
        bytes += found.stored.body().len();
        let fields = found.stored.fields_named(&looked_at)?;
        let definition = std::slice::from_ref(definition);
        for (key, value) in changes(database, definition, &found.path, None, Some(&fields))? {
            session.write(&permit, key, value);
            entries += 1;
        }
        last = Some(key::document(database, &found.path));
    }
    if let Some(last) = last {
        session.write(&permit, progress_key, Some(Bytes::copy_from_slice(last.stored())));
    }
    Ok(false)
}
