//! Runs a call: the machine says what, the connection and the gate do it.
//!
//! A mutation is one transaction of PostgreSQL, with its record. What its checks look at is read in a serializable one and held
//! until it ends, so that nobody takes a permission away between the look and the commit; transactions that get in each other's
//! way are begun again.

use std::time::Duration;

use access::{Caller, Permit, Refusal, Session, Subject};
use base::{Code, Fields, Status, Value as Stored};
use policy::Who;
use policy::cel::Call;
use serde_json::{Map, Value as Json, json};
use tokio::time::{Instant, sleep};

use super::ask::Reply;
use super::call::{NoFacts, uuid};
use super::live::Served;
use crate::execution::{Answer, Caller as By, Execution, SqlFault, Step};
use crate::operation::{Evaluation, ExpressionFault, Operation, Scope};
use crate::postgres::Connection;
use crate::sql::Statement;
use crate::status::Failure;

/// How often a mutation is begun again because of others.
const ATTEMPTS_MAX: u32 = 6;
/// The pause before it is; it grows.
const PAUSE_MILLIS: u64 = 5;
/// How long the statements of one call may take together.
const CALL_SECONDS_MAX: u64 = 30;
/// What undoes one statement.
const SAVEPOINT: &str = "SAVEPOINT one";
const UNDO: &str = "ROLLBACK TO SAVEPOINT one";

/// A call that is allowed.
pub(super) struct Run<'r> {
    pub served: &'r Served,
    pub operation: &'r Operation,
    pub path: &'r str,
    pub caller: Caller,
    pub variables: &'r Map<String, Json>,
    pub vars: &'r Fields,
    /// Whether its statements are prepared once and kept.
    pub keeps: bool,
}

/// What a mutation came to.
pub(super) struct Outcome {
    pub answer: Answer,
    /// The name of its record, where it wrote.
    pub commit: Option<String>,
}

/// How an attempt ended.
enum Attempt {
    /// With a record in the database.
    Committed(Answer, String),
    /// Nothing was written, for this reason where the answer has none of its own.
    Nothing(Answer),
    /// Nobody knows whether it was.
    Unknown(Answer),
    /// Others were in the way.
    InTheWay(SqlFault),
}

/// Evaluates the expression of a default.
type Evaluate<'r> = dyn Fn(&str) -> Result<Json, ExpressionFault> + Send + Sync + 'r;

/// What the machine borrows of a call.
struct Borrowed<'r> {
    now: String,
    default: Box<Evaluate<'r>>,
}

fn unavailable(fault: &SqlFault) -> Failure {
    tracing::warn!(state = fault.state, message = fault.message, "the database is not available");
    Status::unavailable("the database is not available").into()
}

fn is_in_the_way(fault: &SqlFault) -> bool {
    matches!(fault.state.as_str(), "40001" | "40P01")
}

impl Run<'_> {
    fn who(&self, time: base::Timestamp) -> Who<'_> {
        Who { auth: self.caller.auth(), app: self.caller.app.as_deref(), time }
    }

    fn borrowed(&self, time: base::Timestamp) -> Borrowed<'_> {
        let default = move |text: &str| {
            let scope = Scope {
                who: self.who(time),
                kind: self.operation.kind.name(),
                variables: self.vars,
                response: &Stored::Null,
                uuid: &uuid,
            };
            self.served.api.default(text).map_or(Ok(Json::Null), |expression| expression.value(&scope))
        };
        Borrowed { now: time.to_string(), default: Box::new(default) }
    }

    fn execution<'e>(&'e self, borrowed: &'e Borrowed<'e>, time: base::Timestamp) -> Execution<'e> {
        let by = By {
            who: self.who(time),
            now: borrowed.now.clone(),
            variables: self.variables,
            stored: self.vars,
            default: &*borrowed.default,
            uuid: &uuid,
        };
        Execution::new(self.served.api.tables(), self.operation, by)
    }

    pub async fn query(self, mut session: Session) -> Result<Reply, Failure> {
        let time = session.now();
        let borrowed = self.borrowed(time);
        let mut execution = self.execution(&borrowed, time);
        let connection = self.served.database.pools.read().await;
        let mut connection = match connection {
            Ok(connection) => connection,
            Err(fault) => {
                session.fail_elsewhere("the database is not available");
                return Err(unavailable(&fault));
            }
        };
        if let Some(whole) = execution.whole() {
            match connection.one(&whole, self.keeps).await {
                Ok(data) => {
                    session.finish();
                    return Ok(Reply::Data(data));
                }
                Err(fault) if fault.state.starts_with("08") || fault.state.starts_with("57P") => {
                    session.fail_elsewhere("the database is not available");
                    return Err(unavailable(&fault));
                }
                // One of the fields: which, and the others, is found out one by one.
                Err(_) => {}
            }
        }
        let answer = self.fields(&mut execution, &mut connection, &mut session).await;
        match answer {
            Ok(answer) => {
                session.finish();
                Ok(Reply::Answer(answer, false))
            }
            Err(failure) => {
                session.fail_elsewhere("the operation failed");
                Err(failure)
            }
        }
    }

    /// Field by field, on one snapshot.
    async fn fields(
        &self,
        execution: &mut Execution<'_>,
        connection: &mut Connection,
        session: &mut Session,
    ) -> Result<Answer, Failure> {
        let until = Instant::now() + Duration::from_secs(CALL_SECONDS_MAX);
        connection.begin("BEGIN").await.map_err(|fault| unavailable(&fault))?;
        loop {
            match execution.step() {
                Step::Begin { .. } | Step::Commit | Step::Rollback => {}
                Step::Run(statement) => {
                    let outcome = self.alone(connection, &statement, until).await;
                    execution.ran(outcome);
                }
                Step::Decide { evaluation, response } => {
                    let holds = self.decide(session, &evaluation, &response).await?;
                    execution.decided(&evaluation, holds);
                }
                Step::Done(answer) => {
                    // Nothing was written: when this fails the connection is closed, and nothing is lost.
                    let _ = connection.end("COMMIT").await;
                    return Ok(answer);
                }
            }
        }
    }

    /// Runs a statement whose failure undoes nothing else.
    async fn alone(
        &self,
        connection: &mut Connection,
        statement: &Statement,
        until: Instant,
    ) -> Result<String, SqlFault> {
        if Instant::now() > until {
            let message = format!("the call has taken longer than {CALL_SECONDS_MAX} s");
            return Err(SqlFault { state: "57014".to_owned(), message });
        }
        connection.run(SAVEPOINT).await?;
        let outcome = connection.one(statement, self.keeps).await;
        if outcome.is_err() {
            connection.run(UNDO).await?;
        }
        outcome
    }

    /// Decides a check at the gate. `Err`: it could not be decided.
    async fn decide(
        &self,
        session: &mut Session,
        evaluation: &Evaluation<'_>,
        response: &Stored,
    ) -> Result<bool, Failure> {
        let kind = self.operation.kind.name();
        let path = match evaluation.path.is_empty() {
            true => self.path.to_owned(),
            false => format!("{}/{}", self.path, evaluation.path.join("/")),
        };
        let (check, subject) = (evaluation.check, Subject { method: "check", path: &path });
        let Some(this) = &evaluation.this else {
            session.refuse_check(subject, &check.place.to_string(), &unreached(&check.message));
            return Ok(false);
        };
        let call = Call {
            operation_name: kind,
            operation_type: kind,
            variables: self.vars,
            this: Some(this),
            response: Some(response),
            uuid: &uuid,
        };
        let details = json!({"message": check.message, "this": type_of(this)});
        let details = details.as_object().cloned().unwrap_or_default();
        match session.check(&check.guard, subject, details, &call, &NoFacts).await {
            Ok(_) => Ok(true),
            Err(Refusal::Denied(_)) => Ok(false),
            Err(Refusal::Fault(status)) => Err(status.into()),
        }
    }

    pub async fn mutation(self, mut session: Session, permit: &Permit) -> Result<Outcome, Failure> {
        let time = session.now();
        let borrowed = self.borrowed(time);
        let decided = session.decisions();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut execution = self.execution(&borrowed, time);
            let fault = match self.attempt(&mut execution, &mut session, permit).await {
                Ok(Attempt::Committed(answer, commit)) => {
                    session.finish_elsewhere();
                    return Ok(Outcome { answer, commit: Some(commit) });
                }
                Ok(Attempt::Nothing(answer)) => {
                    // A check that refused has its own line; what else kept it from writing is said here.
                    match answer.faults.iter().find(|fault| fault.code != "ABORTED") {
                        Some(fault) if fault.code != "PERMISSION_DENIED" => {
                            session.fail_elsewhere(&format!("nothing was written: {}", fault.message));
                        }
                        _ => session.finish(),
                    }
                    return Ok(Outcome { answer, commit: None });
                }
                Ok(Attempt::Unknown(answer)) => {
                    session.fail_elsewhere("nobody knows whether it was committed");
                    return Ok(Outcome { answer, commit: None });
                }
                Ok(Attempt::InTheWay(fault)) => fault,
                Err(failure) => {
                    session.fail_elsewhere("the operation failed");
                    return Err(failure);
                }
            };
            if attempt >= ATTEMPTS_MAX {
                session.fail_elsewhere("other operations were in the way");
                let mut execution = self.execution(&borrowed, time);
                execution.commit_failed(fault);
                return match execution.step() {
                    Step::Done(answer) => Ok(Outcome { answer, commit: None }),
                    _ => Err(Failure::of(Code::Aborted, "other operations were in the way")),
                };
            }
            session.forget_decisions(decided);
            let spread = base::id::random_bytes::<1>().map_or(0, |[byte]| u64::from(byte) % PAUSE_MILLIS);
            sleep(Duration::from_millis(PAUSE_MILLIS * u64::from(attempt) + spread)).await;
        }
    }

    async fn attempt(
        &self,
        execution: &mut Execution<'_>,
        session: &mut Session,
        permit: &Permit,
    ) -> Result<Attempt, Failure> {
        let until = Instant::now() + Duration::from_secs(CALL_SECONDS_MAX);
        let connection = self.served.database.pools.write().await;
        let mut connection = connection.map_err(|fault| unavailable(&fault))?;
        let commit = uuid();
        let (mut wrote, mut committed, mut unknown) = (false, false, false);
        loop {
            match execution.step() {
                Step::Begin { serializable } => {
                    let begin = if serializable { "BEGIN ISOLATION LEVEL SERIALIZABLE" } else { "BEGIN" };
                    connection.begin(begin).await.map_err(|fault| unavailable(&fault))?;
                }
                Step::Run(statement) => {
                    let outcome = match self.operation.transaction {
                        false => self.alone(&mut connection, &statement, until).await,
                        true => connection.one(&statement, self.keeps).await,
                    };
                    match outcome {
                        Err(fault) if is_in_the_way(&fault) => {
                            let _ = connection.end("ROLLBACK").await;
                            return Ok(Attempt::InTheWay(fault));
                        }
                        outcome => {
                            wrote |= outcome.is_ok();
                            execution.ran(outcome);
                        }
                    }
                }
                Step::Decide { evaluation, response } => {
                    let holds = self.decide(session, &evaluation, &response).await?;
                    execution.decided(&evaluation, holds);
                }
                Step::Commit if !wrote => {
                    // Nothing to keep; a connection that does not even roll back is closed.
                    let _ = connection.end("ROLLBACK").await;
                }
                Step::Commit => {
                    let record = session.record_for(permit, &commit)?;
                    match self.commit(&mut connection, &commit, record).await {
                        Ok(()) => committed = true,
                        Err(fault) if is_in_the_way(&fault) => return Ok(Attempt::InTheWay(fault)),
                        Err(fault) => {
                            unknown = fault.state.starts_with("08") || fault.state.starts_with("57P");
                            execution.commit_failed(fault);
                        }
                    }
                }
                Step::Rollback => {
                    let _ = connection.end("ROLLBACK").await;
                }
                Step::Done(answer) if committed => return Ok(Attempt::Committed(answer, commit)),
                Step::Done(answer) if unknown => return Ok(Attempt::Unknown(answer)),
                Step::Done(answer) => return Ok(Attempt::Nothing(answer)),
            }
        }
    }

    /// The record, and with it the effect.
    async fn commit(
        &self,
        connection: &mut Connection,
        commit: &str,
        record: String,
    ) -> Result<(), SqlFault> {
        let keep = Statement {
            text: super::records::KEEP.to_owned(),
            parameters: vec![Some(commit.to_owned()), Some(record)],
        };
        connection.one(&keep, true).await?;
        connection.end("COMMIT").await
    }
}

fn unreached(message: &str) -> String {
    format!("no value was reached, and a check that is not optional needs one: {message}")
}

fn type_of(value: &Stored) -> &'static str {
    match value {
        Stored::Null => "null",
        Stored::Bool(_) => "bool",
        Stored::Integer(_) => "int",
        Stored::Double(_) => "double",
        Stored::String(_) => "string",
        Stored::Array(_) => "list",
        Stored::Map(_) => "map",
        _ => "value",
    }
}
