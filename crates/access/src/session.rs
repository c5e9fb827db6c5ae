//! One operation: one caller, one consistent snapshot, its decisions, its writes and its record.

use std::collections::HashMap;

use base::{Code, Fields, Status, Timestamp};
use bytes::Bytes;
use kv::{CommitError, Key, KeyRange, Page, Row, Scan, Snapshot, Txn, Version};

use crate::caller::Caller;
use crate::documents::{DocumentSource, Pending};
use crate::gate::{Gate, Operation, fault};
use crate::log::{Cause, Event, Verdict};
use crate::rulesets::{Enforced, Rules};

/// Rounds of "which documents do you need?" before an evaluation counts as broken; each round reads at least one
/// document more and rules may read at most twenty.
const ROUNDS_MAX: usize = 24;

/// The documents that rules have asked for.
struct Known<'s> {
    fetched: &'s HashMap<policy::Needed, Option<Fields>>,
    /// Those that earlier operations of the session have read.
    earlier: &'s [policy::Needed],
}

impl policy::Documents for Known<'_> {
    fn document(&self, need: &policy::Need<'_>) -> policy::Lookup<'_> {
        self.fetched.document(need)
    }

    fn look(&self, need: &policy::Need<'_>) -> (policy::Lookup<'_>, Option<&policy::Needed>) {
        self.fetched.look(need)
    }

    fn earlier(&self) -> &[policy::Needed] {
        self.earlier
    }
}

/// The right to one effect of one session. Writes are staged against it.
#[derive(Debug)]
pub struct Permit {
    request: u64,
    literally: bool,
}

impl Permit {
    /// Whether a query may give only what has the values it asks for literally: see [`policy::Decision::literally`]. What
    /// it finds beside that is to be answered with [`Session::retract`].
    pub fn is_literal(&self) -> bool {
        self.literally
    }
}

/// Why an operation may not go on.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// No rule allows it.
    Denied(Denial),
    /// It could not be decided: an infrastructure fault, never a denial.
    Fault(Status),
}

/// A denial: what the client is told. The developer's account of it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Production's text in serve; the official emulator's, with the reasons, in dev.
    pub message: String,
}

impl Refusal {
    /// What the client is answered.
    pub fn status(&self) -> Status {
        match self {
            Refusal::Denied(denial) => Status::new(Code::PermissionDenied, denial.message.clone()),
            Refusal::Fault(status) => status.clone(),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.status()
    }
}

/// Why nothing was committed.
#[derive(Clone, Debug)]
pub enum CommitFailure {
    /// Another commit changed what this session read. The whole operation may be tried again.
    Conflict,
    /// It cannot be committed.
    Failed(Status),
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

/// See the module.
pub struct Session {
    gate: Gate,
    caller: Caller,
    operation: Operation,
    request: u64,
    snapshot: Snapshot,
    now: Timestamp,
    reads: Vec<Key>,
    ranges: Vec<KeyRange>,
    writes: Vec<(Key, Option<Bytes>)>,
    /// What rules have read so far; `None` is a missing document.
    fetched: HashMap<policy::Needed, Option<Fields>>,
    events: Vec<Event>,
    details: serde_json::Map<String, serde_json::Value>,
    recorded: bool,
}

impl Session {
    pub(crate) fn new(gate: Gate, caller: Caller, operation: Operation, snapshot: Snapshot) -> Self {
        let request = gate.next_request();
        // Never before what is already committed, even when the machine's clock steps back.
        let now =
            Timestamp::from_micros(gate.clock().now_micros().max(snapshot.version().0)).truncate_to_millis();
        Self {
            gate,
            caller,
            operation,
            request,
            snapshot,
            now,
            reads: Vec::new(),
            ranges: Vec::new(),
            writes: Vec::new(),
            fetched: HashMap::new(),
            events: Vec::new(),
            details: serde_json::Map::new(),
            recorded: false,
        }
    }

    pub(crate) fn adopt(&mut self, suspended: Suspended) {
        self.reads.extend(suspended.reads);
        self.ranges.extend(suspended.ranges);
    }

    /// On whose behalf.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The version that every read of this session sees.
    pub fn version(&self) -> Version {
        self.snapshot.version()
    }

    /// `request.time`, milliseconds: also the value of server timestamps this session writes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Dev or serve.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Reads a row. Remembered: a commit conflicts when it has changed by then.
    pub async fn get(&mut self, key: &Key) -> Result<Option<Row>, Status> {
        self.reads.push(key.clone());
        self.snapshot.get(key).await.map_err(|error| fault(&error))
    }

    /// Reads several rows, in the order asked.
    pub async fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Row>>, Status> {
        self.reads.extend_from_slice(keys);
        self.snapshot.get_many(keys).await.map_err(|error| fault(&error))
    }

    /// Reads a stretch of a range. What was really looked at is remembered, rows and gaps alike.
    pub async fn scan(&mut self, range: &KeyRange, scan: Scan) -> Result<Page, Status> {
        let page = self.snapshot.scan(range, scan).await.map_err(|error| fault(&error))?;
        let seen = match &page.next {
            None => range.clone(),
            Some(rest) if scan.reverse => KeyRange::between(rest.end.clone(), range.end.clone()),
            Some(rest) => KeyRange::between(range.start.clone(), rest.start.clone()),
        };
        self.ranges.push(seen);
        Ok(page)
    }

    /// Adds a fact to this session's events. Never a token, a secret or a field's value.
    pub fn note(&mut self, name: &'static str, value: serde_json::Value) {
        self.details.insert(name.to_owned(), value);
    }

    /// Asks the rules. Administrators pass, on the record.
    pub async fn authorize(
        &mut self,
        request: &policy::Request<'_>,
        documents: &dyn DocumentSource,
        pending: &dyn Pending,
    ) -> Result<Permit, Refusal> {
        let mut event = self.event(request.method.name(), &format!("/{}", request.path.join("/")));
        if self.caller.is_admin() {
            event.verdict = Verdict::Admin;
            self.events.push(event);
            return Ok(self.permit());
        }
        let rules = self.gate.firestore_rules().current(documents.project());
        let enforced = match &*rules {
            Rules::Enforced(enforced) => enforced,
            Rules::Open(_) => {
                event.rule = Some("no rules are loaded: dev allows everything".into());
                self.events.push(event);
                return Ok(self.permit());
            }
            Rules::Closed => {
                event.verdict = Verdict::Deny;
                event.causes.push(plain_cause("no rules are loaded: production denies everything"));
                self.events.push(event);
                return Err(self.denied(String::new()));
            }
        };
        let decision = self.decide(enforced, request, documents, pending).await.map_err(Refusal::Fault)?;
        event.expressions = u64::from(decision.cost.expressions);
        event.read = decision.documents.iter().map(ToString::to_string).collect();
        let source = enforced.ruleset.source();
        if decision.allowed {
            event.rule = decision.by.map(|by| format!("{}:{}:{}", source.name, by.line, by.column));
            self.events.push(event);
            return Ok(Permit { literally: decision.literally, ..self.permit() });
        }
        event.verdict = Verdict::Deny;
        let dev = self.gate.mode().dev().is_some();
        event.causes = decision
            .causes
            .iter()
            .map(|cause| Cause {
                at: format!("{}:{}:{}", source.name, cause.line, cause.column),
                expression: cause.expression.clone(),
                // Observed values are data: outside of dev the log keeps their types only.
                observed: if dev { cause.observed.clone() } else { cause.observed_type.to_owned() },
                text: cause.text.clone(),
            })
            .collect();
        if event.causes.is_empty() {
            event.causes.push(plain_cause("no rule matches this path and method"));
        }
        let text = decision.emulator_text(request.method);
        self.events.push(event);
        Err(self.denied(text))
    }

    /// Lets the ruleset evaluate until it needs no more documents, reading those it names from this snapshot.
    async fn decide(
        &mut self,
        enforced: &Enforced,
        request: &policy::Request<'_>,
        documents: &dyn DocumentSource,
        pending: &dyn Pending,
    ) -> Result<policy::Decision, Status> {
        let limits = policy::Limits::default();
        // What this operation reads of them does not count again.
        let earlier: Vec<policy::Needed> = self.fetched.keys().cloned().collect();
        for _ in 0..ROUNDS_MAX {
            let known = Known { fetched: &self.fetched, earlier: &earlier };
            match enforced.ruleset.decide(request, &known, &limits, None) {
                policy::Step::Decided(decision) => {
                    // The answer is the same.
                    enforced.cover(|trace| {
                        let _ = enforced.ruleset.decide(request, &known, &limits, Some(trace));
                    });
                    return Ok(decision);
                }
                policy::Step::Needs(needs) => {
                    for need in needs {
                        // A commit writes to one database; `getAfter` of another one's document is as it is now.
                        let written = need.after && need.path.database() == request.database;
                        let path: Vec<String> = need.path.segments().map(str::to_owned).collect();
                        let fields = match written.then(|| pending.after(&path)).flatten() {
                            Some(after) => after.cloned(),
                            _ => {
                                let key = documents.key(need.path.database(), &path);
                                match self.get(&key).await? {
                                    Some(row) => Some(documents.decode(&row)?),
                                    None => None,
                                }
                            }
                        };
                        self.fetched.insert(need, fields);
                    }
                }
            }
        }
        tracing::error!("the rules went on asking for documents they were given");
        Err(Status::new(Code::Internal, "The rules could not be evaluated."))
    }

    /// For verbs that only administrators have.
    pub fn authorize_admin(&mut self, resource: &str) -> Result<Permit, Refusal> {
        let mut event = self.event("admin", resource);
        if self.caller.is_admin() {
            event.verdict = Verdict::Admin;
            self.events.push(event);
            return Ok(self.permit());
        }
        event.verdict = Verdict::Deny;
        event.causes.push(plain_cause("only administrators may do this"));
        self.events.push(event);
        Err(self.denied(String::new()))
    }

    /// For acts whose right was proved to the service itself; `ground` names the proof (`password`, `refresh token`).
    pub fn authorize_self(&mut self, ground: &'static str, resource: &str) -> Permit {
        let mut event = self.event(ground, resource);
        if self.caller.is_admin() {
            event.verdict = Verdict::Admin;
        }
        self.events.push(event);
        self.permit()
    }

    /// Ends with a denial that no rule made: a wrong password, a revoked session.
    pub fn refuse(mut self, ground: &'static str, resource: &str, reason: &str) {
        let mut event = self.event(ground, resource);
        event.verdict = Verdict::Deny;
        event.causes.push(plain_cause(reason));
        self.events.push(event);
        self.finish();
    }

    /// Takes back what the rules allowed on a condition that the data does not meet.
    pub fn retract(&mut self, reason: &str) -> Refusal {
        for event in self.events.iter_mut().filter(|event| event.verdict == Verdict::Allow) {
            event.verdict = Verdict::Deny;
            event.causes.push(plain_cause(reason));
        }
        self.denied(format!("\n{reason}"))
    }

    /// Stages a write; `None` deletes. Of several to one key the last counts.
    pub fn write(&mut self, permit: &Permit, key: Key, value: Option<Bytes>) {
        debug_assert_eq!(permit.request, self.request, "a permit is good for its own session");
        if permit.request == self.request {
            self.writes.push((key, value));
        }
    }

    /// Ends an operation that wrote nothing, leaving its record.
    pub fn finish(mut self) {
        self.record(None);
    }

    /// Ends a request of a transaction, leaving its record. Gives what it has read, for the transaction's commit.
    pub fn suspend(mut self) -> Suspended {
        self.record(None);
        let mut reads = std::mem::take(&mut self.reads);
        // What is read over and over is kept once.
        reads.sort_unstable();
        reads.dedup();
        let ranges = std::mem::take(&mut self.ranges);
        let ends = ranges.iter().flat_map(|range| [&range.start, &range.end]);
        let bytes = reads.iter().chain(ends).map(|key| key.stored().len() + KEY_OVERHEAD_BYTES).sum();
        Suspended { version: self.snapshot.version(), reads, ranges, bytes }
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
        self.take_details();
        let note = serde_json::to_vec(&self.events).ok().filter(|_| !self.writes.is_empty()).map(Bytes::from);
        let txn = Txn {
            base: self.snapshot.version(),
            reads: std::mem::take(&mut self.reads),
            read_ranges: std::mem::take(&mut self.ranges),
            writes: std::mem::take(&mut self.writes),
            note,
        };
        match self.gate.inner.store.commit(txn).await {
            Ok(version) => {
                self.record(Some(version));
                Ok(version)
            }
            Err(error) => {
                let (failure, reason) = match error {
                    CommitError::Conflict { .. } | CommitError::TooOld { .. } => {
                        (CommitFailure::Conflict, "another commit changed what this one read".to_owned())
                    }
                    CommitError::TooLarge { .. } => {
                        (CommitFailure::Failed(Status::invalid(error.to_string())), error.to_string())
                    }
                    CommitError::Overloaded => (
                        CommitFailure::Failed(Status::new(
                            Code::ResourceExhausted,
                            "Too many writes are waiting.",
                        )),
                        error.to_string(),
                    ),
                    CommitError::Store(error) => {
                        (CommitFailure::Failed(fault(&error)), "the store failed".to_owned())
                    }
                };
                self.fail(&reason);
                Err(failure)
            }
        }
    }

    fn permit(&self) -> Permit {
        Permit { request: self.request, literally: false }
    }

    fn denied(&self, emulator_text: String) -> Refusal {
        let message = match self.gate.mode().dev() {
            Some(_) if !emulator_text.is_empty() => emulator_text,
            _ => "Missing or insufficient permissions.".to_owned(),
        };
        Refusal::Denied(Denial { message })
    }

    fn event(&self, method: &str, path: &str) -> Event {
        Event {
            time: Timestamp::from_micros(self.gate.clock().now_micros()).to_string(),
            request: self.request,
            service: self.operation.service.name().to_owned(),
            verb: self.operation.verb.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            caller: self.caller.kind().to_owned(),
            who: self.caller.id().map(str::to_owned),
            verdict: Verdict::Allow,
            rule: None,
            causes: Vec::new(),
            read: Vec::new(),
            expressions: 0,
            version: None,
            details: serde_json::Map::new(),
        }
    }

    fn take_details(&mut self) {
        let details = std::mem::take(&mut self.details);
        if let Some(last) = self.events.last_mut() {
            last.details.extend(details);
        }
    }

    /// Hands the events to the log.
    fn record(&mut self, version: Option<Version>) {
        self.recorded = true;
        self.take_details();
        for mut event in std::mem::take(&mut self.events) {
            event.version = version.map(|version| version.0);
            self.gate.inner.log.push(event);
        }
    }

    /// The same for an operation that came to nothing: what was allowed did not happen, and the record says so.
    fn fail(&mut self, reason: &str) {
        for event in &mut self.events {
            if event.verdict != Verdict::Deny {
                event.verdict = Verdict::Error;
                event.causes.push(plain_cause(reason));
            }
        }
        self.record(None);
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

fn plain_cause(text: &str) -> Cause {
    Cause { at: String::new(), expression: String::new(), observed: String::new(), text: text.to_owned() }
}
