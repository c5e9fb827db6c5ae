//! One operation: one caller, one consistent snapshot, its decisions, its writes and its record.

use base::{Code, Status, Timestamp};
use bytes::Bytes;
use kv::{Chain, CommitError, Key, KeyRange, Page, Row, Scan, Txn, Version};
use tokio::task::JoinHandle;

use crate::app_check::Enforcement;
use crate::caller::Caller;
use crate::events;
use crate::fault::fault;
use crate::gate::{Gate, Operation};
use crate::grant::{Evidence, Permit};
use crate::keyspace::OF_CALLERS;
use crate::log::{Cause, Event, TRACE, Verdict};
use crate::reads::Reads;
use crate::service::Service;

/// Why nothing was committed.
#[derive(Clone, Debug)]
pub enum CommitFailure {
    /// Another commit changed what this session read. The whole operation may be tried again.
    Conflict,
    /// It cannot be committed.
    Failed(Status),
}

/// Commits that build on each other before they are durable: all writes of certain rows are made through it, one after
/// the other. After a failure those handed in later have failed too, and a new line begins.
pub struct Line {
    chain: Chain,
    rows: KeyRange,
}

impl Line {
    /// The line of all writes to these rows.
    pub fn of(rows: KeyRange) -> Self {
        Self { chain: Chain::default(), rows }
    }
}

/// What a transaction keeps between its requests: its snapshot's version and what it has read.
#[derive(Debug)]
pub struct Suspended {
    version: Version,
    reads: Vec<Key>,
    ranges: Vec<KeyRange>,
    bytes: usize,
}

/// What keeping a key costs beside its bytes.
const KEY_OVERHEAD_BYTES: usize = 64;

impl Suspended {
    /// The version all reads of the transaction see.
    pub fn version(&self) -> Version {
        self.version
    }

    /// About how much memory it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in what a later request of the same transaction has read.
    pub fn absorb(&mut self, later: Suspended) {
        debug_assert_eq!(self.version, later.version, "all reads of a transaction see one state");
        self.reads.extend(later.reads);
        self.ranges.extend(later.ranges);
        self.bytes += later.bytes;
    }
}

/// An operation under way. It ends with [`Session::commit`], [`Session::finish`] or [`Session::suspend`]; dropped
/// before, it leaves a record of its failure.
pub struct Session {
    gate: Gate,
    pub(crate) caller: Caller,
    operation: Operation,
    pub(crate) request: u64,
    pub(crate) now: Timestamp,
    pub(crate) reads: Reads,
    pub(crate) evidence: Evidence,
    pub(crate) writes: Vec<(Key, Option<Bytes>)>,
    pub(crate) staged_events: events::Staged,
    /// A write was staged against another session's permit: nothing may be committed.
    broken: bool,
    pub(crate) events: Vec<Event>,
    details: serde_json::Map<String, serde_json::Value>,
    /// The project, where it is not the gate's.
    project: Option<String>,
    recorded: bool,
}

impl Session {
    pub(crate) fn new(gate: Gate, caller: Caller, operation: Operation, reads: Reads) -> Self {
        let request = gate.next_request();
        // Never before what is already committed, even when the machine's clock steps back.
        let now =
            Timestamp::from_micros(gate.clock().now_micros().max(reads.version().0)).truncate_to_millis();
        Self {
            gate,
            caller,
            operation,
            request,
            now,
            reads,
            evidence: Evidence::default(),
            writes: Vec::new(),
            staged_events: events::Staged::default(),
            broken: false,
            events: Vec::new(),
            details: serde_json::Map::new(),
            project: None,
            recorded: false,
        }
    }

    pub(crate) fn adopt(&mut self, suspended: Suspended) {
        self.reads.keys.extend(suspended.reads);
        self.reads.ranges.extend(suspended.ranges);
    }

    /// On whose behalf.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The version that every read of this session sees.
    pub fn version(&self) -> Version {
        self.reads.version()
    }

    /// The time that every read of this session sees: the present, or the version of a past state. Nothing was or will
    /// be committed between the version and it.
    pub fn time(&self) -> Version {
        self.reads.time()
    }

    /// Lets go of the store's snapshot before something that may take long, such as a write to a slow client. The next
    /// read takes it up again at the same version; it costs as much as was changed meanwhile, and fails as
    /// [`Gate::begin_at`] does.
    pub fn let_go(&mut self) {
        self.reads.let_go();
    }

    /// Goes from the present, where the operation has been decided, to a past version, where it is decided again:
    /// nobody but an administrator sees of the past what the present would not show them. What was read and recorded
    /// at the present is forgotten.
    pub fn look_back(&mut self, version: Version) {
        if version == self.reads.version() {
            return;
        }
        self.reads.move_to(version);
        self.reads.keys.extend(self.caller.depends_on().cloned());
        self.evidence = Evidence::default();
        self.events.clear();
    }

    /// `request.time`, milliseconds: also the value of server timestamps this session writes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The gate it came from.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Reads a row. A commit conflicts when it has changed by then.
    pub async fn get(&mut self, key: &Key) -> Result<Option<Row>, Status> {
        self.reads.get(key).await
    }

    /// Reads several rows, in the order asked.
    pub async fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Row>>, Status> {
        self.reads.get_many(keys).await
    }

    /// Reads a stretch of a range. What was really looked at is in the read set, rows and gaps alike.
    pub async fn scan(&mut self, range: &KeyRange, scan: Scan) -> Result<Page, Status> {
        self.reads.scan(range, scan).await
    }

    /// All rows of a range: pages are read until it ends or there are `rows_max`, which the last page may exceed.
    pub async fn all(&mut self, range: KeyRange, rows_max: usize) -> Result<Vec<Row>, Status> {
        let mut rows = Vec::new();
        let mut rest = Some(range);
        while let Some(range) = rest.filter(|_| rows.len() < rows_max) {
            let page = self.scan(&range, Scan::default()).await?;
            rows.extend(page.rows);
            rest = page.next;
        }
        Ok(rows)
    }

    /// What it has read, and the way to read more.
    pub fn reads(&mut self) -> &mut Reads {
        &mut self.reads
    }

    /// Says which project the events are about, where it is another than the gate's.
    pub fn set_project(&mut self, project: &str) {
        if self.project.as_deref().unwrap_or(self.gate.project()) != project {
            self.project = Some(project.to_owned());
        }
    }

    /// Adds a fact to this session's events. Never a token, a secret or a field's value.
    pub fn note(&mut self, name: &'static str, value: serde_json::Value) {
        self.details.insert(name.to_owned(), value);
    }

    /// Stages a write; `None` deletes. Of several to one key the last counts. A permit of another session makes the
    /// commit fail.
    pub fn write(&mut self, permit: &Permit, key: Key, value: Option<Bytes>) {
        self.broken |= permit.request != self.request;
        self.writes.push((key, value));
    }

    /// Whether something was staged.
    pub fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Ends an operation that wrote nothing, leaving its record.
    pub fn finish(mut self) {
        self.record(None);
    }

    /// Ends the decision of a grant that was open before and still holds. It leaves no record of its own: the grant was
    /// recorded when it was opened, and is again when it is lost.
    pub fn confirm(mut self) {
        debug_assert!(self.writes.is_empty(), "an open grant is about reads");
        self.events.retain(|event| event.verdict == Verdict::Deny);
        self.record(None);
    }

    /// Ends a question that its caller has not asked and that had no effect: it leaves no record.
    pub fn discard(mut self) {
        debug_assert!(self.writes.is_empty(), "what is written is recorded");
        self.events.clear();
        self.recorded = true;
    }

    /// Ends a request of a transaction, leaving its record. Returns what it has read, for the transaction's commit.
    pub fn suspend(mut self) -> Suspended {
        self.record(None);
        let mut reads = std::mem::take(&mut self.reads.keys);
        // What is read over and over is kept once.
        reads.sort_unstable();
        reads.dedup();
        let ranges = std::mem::take(&mut self.reads.ranges);
        let ends = ranges.iter().flat_map(|range| [&range.start, &range.end]);
        let bytes = reads.iter().chain(ends).map(|key| key.stored().len() + KEY_OVERHEAD_BYTES).sum();
        Suspended { version: self.reads.version(), reads, ranges, bytes }
    }

    /// Commits what was staged, if nothing that was read has changed since. The record goes with it, in the same
    /// transaction.
    ///
    /// Once begun it ends, and leaves its record, also when the caller of this has gone: a client that hangs up at
    /// the right moment must not have its write recorded as one that failed.
    pub async fn commit(self) -> Result<Version, CommitFailure> {
        let committed = tokio::spawn(self.commit_to_the_end()).await;
        committed.unwrap_or_else(|error| {
            tracing::error!(%error, "a commit ended early");
            Err(CommitFailure::Failed(Status::unavailable("The service is currently unavailable.")))
        })
    }

    async fn commit_to_the_end(mut self) -> Result<Version, CommitFailure> {
        if let Err(status) = self.stage_events().await {
            self.fail(&status.message);
            return Err(CommitFailure::Failed(status));
        }
        let txn = self.txn()?;
        let of_callers =
            txn.writes.iter().map(|(key, _)| key).filter(|key| OF_CALLERS.contains(&key.keyspace()));
        let of_callers: Vec<Key> = of_callers.cloned().collect();
        let gate = self.gate.clone();
        let committed = gate.inner.store.commit(txn).await;
        let committed = self.committed(committed);
        if committed.is_ok() {
            gate.inner.holds.ended(&of_callers).await;
        }
        committed
    }

    /// Hands over what was staged as the next commit of a line: commits of a line are decided in the order of these calls.
    /// What came before in the line is taken as committed, so nothing that was read of the line's own rows is validated.
    ///
    /// Returns when it is handed over; the task ends when it is durable, whether somebody waits or not.
    pub fn submit(
        mut self,
        line: &Line,
    ) -> Result<JoinHandle<Result<Version, CommitFailure>>, CommitFailure> {
        self.reads.keys.retain(|key| !line.rows.contains(key));
        self.reads.ranges.retain(|range| !line.rows.contains(&range.start));
        let txn = Txn { chain: Some(line.chain.clone()), ..self.txn()? };
        match self.gate.inner.store.submit(txn) {
            Ok(answer) => Ok(tokio::spawn(async move { self.committed(answer.await) })),
            Err(error) => Err(self.committed(Err(error)).err().unwrap_or(CommitFailure::Conflict)),
        }
    }

    /// What was staged, as the store takes it.
    fn txn(&mut self) -> Result<Txn, CommitFailure> {
        self.take_details();
        let note = match self.written_record() {
            Ok(note) => note,
            Err(reason) => {
                tracing::error!(verb = self.operation.verb, reason, "a commit was refused");
                self.fail(reason);
                let status = Status::new(Code::Internal, "Internal error encountered.");
                return Err(CommitFailure::Failed(status));
            }
        };
        Ok(Txn {
            base: self.reads.version(),
            reads: std::mem::take(&mut self.reads.keys),
            read_ranges: std::mem::take(&mut self.reads.ranges),
            writes: std::mem::take(&mut self.writes),
            note,
            chain: None,
        })
    }

    /// Leaves the record of a commit.
    fn committed(mut self, committed: Result<Version, CommitError>) -> Result<Version, CommitFailure> {
        match committed {
            Ok(version) => {
                self.staged_events.rooms.drain(..).for_each(events::Room::keep);
                self.record(Some(version));
                Ok(version)
            }
            Err(error) => {
                let (failure, reason) = failure_of(error);
                self.fail(&reason);
                Err(failure)
            }
        }
    }

    /// The record that goes with the writes; none without writes. Nothing is written without a record, or against a
    /// permit that is not this session's.
    fn written_record(&self) -> Result<Option<Bytes>, &'static str> {
        if self.writes.is_empty() {
            return Ok(None);
        }
        if self.broken {
            return Err("a write was staged against another session's permit");
        }
        if self.events.is_empty() {
            return Err("a write has no decision to record");
        }
        let note = serde_json::to_vec(&self.events).map_err(|_| "the record of a write cannot be encoded")?;
        Ok(Some(note.into()))
    }

    pub(crate) fn event(&self, method: &str, path: &str) -> Event {
        let event = event_of(&self.gate, &self.caller, &self.operation, self.request, method, path);
        match &self.project {
            Some(project) => Event { project: project.clone(), ..event },
            None => event,
        }
    }

    pub(crate) fn service(&self) -> Service {
        self.operation.service
    }

    pub(crate) fn resource(&self) -> &str {
        &self.operation.resource
    }

    /// Adds a denial that no rule made.
    pub(crate) fn push_refusal(&mut self, ground: &str, reason: &str) {
        let mut event = self.event(ground, &self.operation.resource);
        event.verdict = Verdict::Deny;
        event.causes.push(Cause::plain(reason));
        self.events.push(event);
    }

    pub(crate) fn take_details(&mut self) {
        let details = std::mem::take(&mut self.details);
        if let Some(last) = self.events.last_mut() {
            last.details.extend(details);
        }
        let Some(origin) = &self.caller.origin else { return };
        for event in &mut self.events {
            event.details.insert("via".to_owned(), origin.via.as_str().into());
            if !origin.trace.is_empty() {
                event.details.insert(TRACE.to_owned(), origin.trace.as_str().into());
            }
        }
    }

    /// Hands the events to the log.
    pub(crate) fn record(&mut self, version: Option<Version>) {
        self.recorded = true;
        self.take_details();
        for mut event in std::mem::take(&mut self.events) {
            event.version = version.map(|version| version.0);
            self.gate.inner.log.push(event);
        }
    }

    /// The same for an operation that came to nothing: what was allowed did not happen, and the record says so.
    pub(crate) fn fail(&mut self, reason: &str) {
        for event in &mut self.events {
            if event.verdict != Verdict::Deny {
                event.verdict = Verdict::Error;
                event.causes.push(Cause::plain(reason));
            }
        }
        self.record(None);
    }
}

/// A line of the log about an operation.
pub(crate) fn event_of(
    gate: &Gate,
    caller: &Caller,
    operation: &Operation,
    request: u64,
    method: &str,
    path: &str,
) -> Event {
    let is_asked = !caller.is_admin() && gate.app_checks().of(operation.service) != Enforcement::Off;
    Event {
        time: Timestamp::from_micros(gate.clock().now_micros()).to_string(),
        request,
        project: gate.project().to_owned(),
        service: operation.service.name().to_owned(),
        verb: operation.verb.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        caller: caller.kind().to_owned(),
        who: caller.id().map(str::to_owned),
        app: caller.app.app().map(|app| app.id.clone()),
        app_check: is_asked.then(|| caller.app.verdict()),
        verdict: Verdict::Allow,
        rule: None,
        causes: Vec::new(),
        read: Vec::new(),
        basis: None,
        expressions: 0,
        version: None,
        count: None,
        details: serde_json::Map::new(),
    }
}

/// What a failed commit is to the client, and the reason for the log.
fn failure_of(error: CommitError) -> (CommitFailure, String) {
    match error {
        CommitError::Conflict { .. } | CommitError::TooOld { .. } | CommitError::Broken => {
            (CommitFailure::Conflict, "another commit changed what this one read".to_owned())
        }
        CommitError::TooLarge { .. } => {
            (CommitFailure::Failed(Status::invalid(error.to_string())), error.to_string())
        }
        CommitError::Overloaded => {
            let status = Status::new(Code::ResourceExhausted, "Too many writes are waiting.");
            (CommitFailure::Failed(status), error.to_string())
        }
        CommitError::Store(error) => (CommitFailure::Failed(fault(&error)), "the store failed".to_owned()),
    }
}

/// A session that ended on an error path still leaves its record.
impl Drop for Session {
    fn drop(&mut self) {
        if self.recorded {
            return;
        }
        if self.events.is_empty() {
            let event = self.event("", &self.operation.resource.clone());
            self.events.push(event);
        }
        self.fail("the request ended with an error before it took effect");
    }
}
