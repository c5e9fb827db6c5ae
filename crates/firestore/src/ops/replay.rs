//! A decision that was logged, made again: by rules of any time, on the documents of a past moment or on today's.
//!
//! For administrators, and on the record: it reads what the rules read. Nothing is changed.

use std::collections::HashMap;

use access::{Caller, Session};
use base::{DatabaseName, DocumentPath, Fields, ResourcePath, Status};
use kv::Version;
use policy::rules::{Action, Ruleset};
use policy::trace::Trace;
use policy::{Decision, Document, DocumentName, Known, Method, Needed, Policy, Query, Step, Who};

use super::decide::Source;
use super::{Firestore, internal, operation};
use crate::model::{Stored, key};
use crate::status;

/// Rounds of asking for documents: each names at least one more of a bounded number.
const ROUNDS_MAX: usize = 50;

/// The documents of one commit as it left them; `None` is deleted.
pub type Written = HashMap<String, Option<Fields>>;

/// A request that rules are asked about once more.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The database.
    pub database: &'a DatabaseName,
    /// What was done. Of a write only whether it deletes: that it creates or updates follows from what exists.
    pub method: Method,
    /// The document, or where the query looks.
    pub path: &'a [String],
    /// Who asked, and when.
    pub who: Who<'a>,
    /// What a query asked.
    pub query: Option<&'a Query>,
    /// Whether it was part of a transaction.
    pub in_transaction: bool,
    /// What the whole commit makes of its documents, by their paths without a slash in front.
    pub written: &'a Written,
}

/// What became of it.
#[derive(Debug)]
pub struct Replayed {
    /// The method on this state: a document that is not there is created.
    pub method: Method,
    /// The decision.
    pub decision: Decision,
    /// What was evaluated.
    pub trace: Trace,
    /// The documents that it depended on, its own included, as they were in this state.
    pub documents: HashMap<String, Option<Fields>>,
}

impl Firestore {
    /// Asks each of several rulesets about a request, on the state at a version (`None`: today's).
    ///
    /// Errors: `FAILED_PRECONDITION` when the store no longer remembers that version; `PERMISSION_DENIED` for everybody but
    /// administrators; the store's faults.
    pub async fn replay(
        &self,
        caller: &Caller,
        at: Option<Version>,
        rules: &[&Ruleset],
        replay: &Replay<'_>,
    ) -> Result<Vec<Replayed>, Status> {
        let resource = format!("/{}", replay.path.join("/"));
        let operation = access::Operation { resource, ..operation("ExplainRequest", &ResourcePath::ROOT) };
        let mut session = match at {
            Some(version) => self.gate.begin_at(caller, operation, version).await?,
            None => self.gate.begin(caller, operation).await?,
        };
        session.set_project(&replay.database.project);
        session.authorize_admin(&format!("/{}", replay.path.join("/"))).map_err(status::refused)?;
        let mut replayed = Vec::with_capacity(rules.len());
        for rules in rules {
            replayed.push(one(&mut session, rules, replay).await?);
        }
        session.finish();
        Ok(replayed)
    }

    /// What a commit made of the documents of a database; `None` where the change log no longer has it.
    pub async fn written_by(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        version: Version,
    ) -> Result<Option<Written>, Status> {
        let mut session = self.gate.begin(caller, operation("ExplainRequest", &ResourcePath::ROOT)).await?;
        session.set_project(&database.project);
        session.authorize_admin("/").map_err(status::refused)?;
        session.finish();
        let changes = match self.gate.changes(Version(version.0 - 1), 1).await {
            Ok(changes) => changes,
            Err(status) if status.code == base::Code::FailedPrecondition => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let Some(change) = changes.into_iter().find(|change| change.version == version) else {
            return Ok(None);
        };
        let mut written = Written::new();
        for row in change.rows {
            let found = key::decode(&row.key).filter(|(of, _)| of == database);
            let Some((_, path)) = found.filter(|_| row.key.keyspace() == access::keyspace::DOCUMENTS) else {
                continue;
            };
            let fields = match row.after {
                None => None,
                Some(value) => Some(Stored::from_row(&kv::Row { key: row.key, value, version })?.fields()?),
            };
            written.insert(path.segments().join("/"), fields);
        }
        Ok(Some(written))
    }
}

/// Asks one ruleset, reading what it wants to know.
async fn one(session: &mut Session, rules: &Ruleset, replay: &Replay<'_>) -> Result<Replayed, Status> {
    let own_path = replay.path.join("/");
    let mut documents = HashMap::new();
    let own = match replay.query {
        Some(_) => None,
        None => read(session, replay, &own_path).await?,
    };
    if replay.query.is_none() {
        documents.insert(own_path.clone(), own.clone());
    }
    let method = match (replay.method, own.is_some()) {
        (Method::Create | Method::Update, true) => Method::Update,
        (Method::Create | Method::Update, false) => Method::Create,
        (method, _) => method,
    };
    let after = replay.written.get(&own_path).and_then(Option::as_ref);
    let action = Action {
        resource: own.as_ref().map(|fields| Document { fields }),
        new_resource: after.filter(|_| method.is_write()).map(|fields| Document { fields }),
        query: replay.query,
        in_transaction: replay.in_transaction,
        ..Action::new(method, &replay.database.database, replay.path)
    };
    let mut known = Known::<Ruleset>::default();
    for _ in 0..ROUNDS_MAX {
        let mut trace = Trace::reporting();
        let needs = match Policy::decide(rules, &replay.who, &action, &known, Some(&mut trace)) {
            Step::Decided(decision) => return Ok(Replayed { method, decision, trace, documents }),
            Step::Needs(needs) => needs,
        };
        for need in needs {
            let fields = find(session, replay, &need).await?;
            documents.insert(need.path.path().to_owned(), fields.clone());
            known.insert(need, fields);
        }
    }
    Err(internal("rules that never decide"))
}

/// A document that rules ask for: as the commit leaves it, where they ask for that and it is known.
async fn find(session: &mut Session, replay: &Replay<'_>, need: &Needed) -> Result<Option<Fields>, Status> {
    let is_here = need.path.database() == replay.database.database;
    match replay.written.get(need.path.path()).filter(|_| need.after && is_here) {
        Some(fields) => Ok(fields.clone()),
        None => read_of(session, replay, &need.path).await,
    }
}

async fn read(session: &mut Session, replay: &Replay<'_>, path: &str) -> Result<Option<Fields>, Status> {
    let name = DocumentName::new(&replay.database.database, path.split('/'));
    read_of(session, replay, &name).await
}

async fn read_of(
    session: &mut Session,
    replay: &Replay<'_>,
    name: &policy::DocumentPath,
) -> Result<Option<Fields>, Status> {
    use access::DocumentSource;

    let path: Vec<String> = name.segments().map(str::to_owned).collect();
    let is_document = ResourcePath::from_segments(path.clone()).ok().and_then(DocumentPath::new).is_some();
    if !is_document {
        return Ok(None);
    }
    let source = Source { project: &replay.database.project };
    let row = session.get(&source.key(name.database(), &path)).await?;
    row.as_ref().map(|row| source.decode(row)).transpose()
}
