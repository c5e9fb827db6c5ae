//! One call of an operation, as a machine without I/O: it says what to run and what to decide, and is told the outcome.
//!
//! It keeps the order of steps and the tables of failures. Whoever drives it has the connection and the gate: an
//! operation's own guard is decided before, its checks when the machine asks.
//!
//! Source: the reference, §9.

mod answer;

use base::{Fields, Value as Stored};
use policy::Who;
use serde_json::{Map, Value as Json};

use crate::operation::{Evaluation, ExpressionFault, Kind, Operation, Scope, Selected};
use crate::schema::Schema;
use crate::sql::{self, Failure, Given, Statement};

pub use answer::{Answer, Fault};

/// What the driver does next.
#[derive(Debug)]
pub enum Step<'e> {
    /// Begins the transaction of a mutation. It is serializable when the operation looks at what it decides by. Where not
    /// everything is to happen or nothing ([`Operation::transaction`]), a statement that fails undoes itself alone.
    Begin {
        /// Whether it reads what decides about it.
        serializable: bool,
    },
    /// Runs a statement, which gives one row with one text.
    Run(Statement),
    /// Decides a check, with `this` and `response`. One that reached no value does not hold.
    Decide {
        /// The check with its value.
        evaluation: Evaluation<'e>,
        /// What was answered so far.
        response: Stored,
    },
    /// Commits.
    Commit,
    /// Rolls back.
    Rollback,
    /// Answers the client.
    Done(Answer),
}

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFault {
    /// PostgreSQL's code of five letters.
    pub state: String,
    /// What it said, for administrators.
    pub message: String,
}

/// Who calls with what.
pub struct Caller<'e> {
    /// Who, and when.
    pub who: Who<'e>,
    /// The request's time, RFC 3339.
    pub now: String,
    /// The variables, checked.
    pub variables: &'e Map<String, Json>,
    /// The same, as policies see them.
    pub stored: &'e Fields,
    /// The value of a default's expression.
    pub default: &'e (dyn Fn(&str) -> Result<Json, ExpressionFault> + Sync),
    /// Makes 32 hexadecimal digits.
    pub uuid: &'e (dyn Fn() -> String + Sync),
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Before the transaction.
    New,
    /// Between two fields.
    Ready,
    /// A statement runs.
    Running,
    /// Checks of the field, or of the operation, are decided.
    Deciding,
    /// Before the commit.
    Committing,
    /// Before the rollback.
    RollingBack,
    /// Nothing is left but the answer.
    Over,
}

/// A call.
pub struct Execution<'e> {
    schema: &'e Schema,
    operation: &'e Operation,
    caller: Caller<'e>,
    state: State,
    /// The fields that are there.
    fields: Vec<&'e Selected>,
    at: usize,
    /// Those that are to be decided, last first.
    pending: Vec<Evaluation<'e>>,
    data: Map<String, Json>,
    response: Fields,
    faults: Vec<Fault>,
}

impl<'e> Execution<'e> {
    /// A call whose guard was decided.
    pub fn new(schema: &'e Schema, operation: &'e Operation, caller: Caller<'e>) -> Self {
        let mut execution = Self {
            schema,
            operation,
            caller,
            state: State::New,
            fields: Vec::new(),
            at: 0,
            pending: Vec::new(),
            data: Map::new(),
            response: Fields::new(),
            faults: Vec::new(),
        };
        let there = operation.selection.iter().filter(|field| execution.is_there(field));
        execution.fields = there.collect();
        execution
    }

    fn is_there(&self, field: &Selected) -> bool {
        let never = |_: usize| Ok(Json::Null);
        self.given(&never).includes(field)
    }

    fn given<'g>(&'g self, expression: &'g dyn Fn(usize) -> Result<Json, ExpressionFault>) -> Given<'g> {
        Given {
            variables: self.caller.variables,
            expression,
            default: self.caller.default,
            now: &self.caller.now,
        }
    }

    /// Whether the answer decides about the operation.
    fn decides(&self) -> bool {
        !self.operation.checks.is_empty() || self.operation.selection.iter().any(Selected::has_checks)
    }

    /// What to do next. A step that has an outcome is told it before the next is asked for.
    pub fn step(&mut self) -> Step<'e> {
        loop {
            match self.state {
                State::New => {
                    self.state = State::Ready;
                    if self.operation.kind == Kind::Mutation {
                        return Step::Begin { serializable: self.decides() };
                    }
                }
                State::Ready => match self.begin_field() {
                    Some(statement) => {
                        self.state = State::Running;
                        return Step::Run(statement);
                    }
                    None if self.state == State::Ready => self.end_fields(),
                    None => {}
                },
                // The driver asks again without an outcome: nothing is known of the statement.
                State::Running => {
                    self.ran(Err(SqlFault { state: "XX000".into(), message: "no outcome".into() }))
                }
                State::Deciding => match self.pending.pop() {
                    Some(evaluation) => {
                        let response = Stored::Map(self.response.clone());
                        return Step::Decide { evaluation, response };
                    }
                    None => self.end_checks(),
                },
                State::Committing => {
                    self.state = State::Over;
                    return Step::Commit;
                }
                State::RollingBack => {
                    self.state = State::Over;
                    return Step::Rollback;
                }
                State::Over => return Step::Done(self.answer()),
            }
        }
    }

    /// The statement of the next field. `None`: there is no next one, or it failed before it ran.
    fn begin_field(&mut self) -> Option<Statement> {
        let field = *self.fields.get(self.at)?;
        match self.statement(field) {
            Ok(statement) => Some(statement),
            Err(failure) => {
                self.fail(Fault::of(&failure, &field.key));
                None
            }
        }
    }

    fn statement(&self, field: &Selected) -> Result<Statement, Failure> {
        let response = Stored::Map(self.response.clone());
        let scope = self.scope(&response);
        let expression = |at: usize| self.expression(at, &scope);
        let given = self.given(&expression);
        match (self.operation.kind, field.name.as_str()) {
            (Kind::Mutation, "query") if self.decides() => {
                sql::query_held(self.schema, &field.selection, &given, &self.written())
            }
            (Kind::Mutation, "query") => sql::query(self.schema, &field.selection, &given),
            (Kind::Mutation, _) => sql::mutation(self.schema, field, &given),
            (Kind::Query, _) => sql::query(self.schema, std::slice::from_ref(field), &given),
        }
    }

    /// The tables that the operation writes.
    fn written(&self) -> Vec<usize> {
        let names =
            || self.fields.iter().filter_map(|field| field.name.rsplit_once('_').map(|(name, _)| name));
        let tables = self.schema.tables.iter().enumerate();
        tables.filter(|(_, table)| names().any(|name| name == table.singular)).map(|(at, _)| at).collect()
    }

    /// A statement's outcome.
    pub fn ran(&mut self, outcome: Result<String, SqlFault>) {
        let Some(field) = self.fields.get(self.at).copied() else { return };
        let text = match outcome {
            Ok(text) => text,
            Err(fault) => return self.fail(Fault::sql(fault, &field.key)),
        };
        let Ok(mut value) = serde_json::from_str::<Json>(&text) else {
            return self.fail(Fault::internal("the database's answer is no JSON", &field.key));
        };
        if self.operation.kind == Kind::Query {
            value = value.get_mut(&field.key).map(Json::take).unwrap_or_default();
        }
        let seen = field.stored(&value);
        if let (Stored::Map(inner), "query") = (&seen, field.name.as_str()) {
            // Results of an embedded query are `response.query.x` and `response.x`.
            self.response.extend(inner.clone());
        }
        self.pending = field.evaluations(&seen, &|field| self.is_there(field));
        self.pending.reverse();
        self.response.insert(field.key.clone(), seen);
        self.data.insert(field.key.clone(), value);
        self.state = State::Deciding;
    }

    /// A check's outcome.
    pub fn decided(&mut self, evaluation: &Evaluation<'_>, holds: bool) {
        if !holds {
            self.refuse(evaluation);
        }
    }

    fn end_checks(&mut self) {
        self.at += 1;
        self.state = match self.at > self.fields.len() {
            false => State::Ready,
            true => self.last(),
        };
    }

    /// All fields ran: the operation's own checks come.
    fn end_fields(&mut self) {
        let data = self.operation.stored(&self.data);
        self.pending = self.operation.evaluations(&data);
        self.pending.reverse();
        self.at = self.fields.len();
        self.state = State::Deciding;
    }

    /// A check does not hold.
    fn refuse(&mut self, evaluation: &Evaluation<'_>) {
        let message = &evaluation.check.message;
        let Some(field) = self.fields.get(self.at).copied() else {
            // The operation's own: nothing of the answer is shown.
            for field in &self.fields {
                self.data.insert(field.key.clone(), Json::Null);
            }
            self.pending.clear();
            self.faults.push(Fault::refused(message, &[]));
            return self.give_up(self.fields.len());
        };
        let own = [field.key.as_str()];
        let path = if evaluation.path.is_empty() { &own } else { evaluation.path.as_slice() };
        let fault = Fault::refused(message, path);
        self.pending.clear();
        self.data.insert(field.key.clone(), Json::Null);
        self.faults.push(fault);
        match self.operation.kind {
            // The other fields of a query keep their data.
            Kind::Query => {
                self.at += 1;
                self.state = State::Ready;
            }
            Kind::Mutation => self.give_up(self.at + 1),
        }
    }

    /// A field fails. Without a transaction the later ones run all the same.
    fn fail(&mut self, fault: Fault) {
        let Some(field) = self.fields.get(self.at) else { return };
        self.data.insert(field.key.clone(), Json::Null);
        self.response.insert(field.key.clone(), Stored::Null);
        self.faults.push(fault);
        match self.operation.transaction {
            true => self.give_up(self.at + 1),
            false => {
                self.at += 1;
                self.state = State::Ready;
            }
        }
    }

    /// Nothing more runs: the fields from `from` on are aborted, and with a transaction the earlier ones are undone.
    fn give_up(&mut self, from: usize) {
        if self.operation.transaction {
            for field in self.fields.iter().take(self.at.min(from)) {
                self.data.insert(field.key.clone(), Json::Null);
                self.faults.push(Fault::aborted("(rolled back)", &field.key));
            }
        }
        for field in self.fields.iter().skip(from) {
            self.data.insert(field.key.clone(), Json::Null);
            self.faults.push(Fault::aborted("(aborted)", &field.key));
        }
        self.state = if self.operation.transaction { State::RollingBack } else { self.last() };
    }

    /// What comes when all ran that is to run.
    fn last(&self) -> State {
        match self.operation.kind {
            Kind::Mutation => State::Committing,
            Kind::Query => State::Over,
        }
    }

    /// The statement that answers all fields of a query at once: where nothing of the answer is decided on or taken out, it is
    /// the answer. `None`: the fields are run one by one, so that one that fails leaves the others.
    pub fn whole(&self) -> Option<Statement> {
        let fields = &self.operation.selection;
        let plain = self.operation.kind == Kind::Query
            && !self.decides()
            && !fields.iter().any(Selected::has_redactions);
        let response = Stored::Map(Fields::new());
        let scope = self.scope(&response);
        let expression = |at: usize| self.expression(at, &scope);
        plain.then(|| sql::query(self.schema, fields, &self.given(&expression)).ok()).flatten()
    }

    fn scope<'s>(&'s self, response: &'s Stored) -> Scope<'s> {
        Scope {
            who: self.caller.who,
            kind: self.operation.kind.name(),
            variables: self.caller.stored,
            response,
            uuid: self.caller.uuid,
        }
    }

    fn expression(&self, at: usize, scope: &Scope<'_>) -> Result<Json, ExpressionFault> {
        self.operation.expressions.get(at).map_or(Ok(Json::Null), |expression| expression.value(scope))
    }

    /// The commit failed: nothing was written. `retry` says that the whole call may be begun again.
    pub fn commit_failed(&mut self, fault: SqlFault) {
        for field in &self.fields {
            self.data.insert(field.key.clone(), Json::Null);
        }
        self.faults = vec![Fault { path: Vec::new(), ..Fault::sql(fault, "") }];
        self.state = State::Over;
    }

    fn answer(&mut self) -> Answer {
        let mut data = Map::new();
        for field in &self.fields {
            let mut value = self.data.shift_remove(&field.key).unwrap_or_default();
            if !field.redacted {
                field.redact(&mut value);
                data.insert(field.key.clone(), value);
            }
        }
        let mut faults = std::mem::take(&mut self.faults);
        let place =
            |fault: &Fault| self.fields.iter().position(|field| fault.path.first() == Some(&field.key));
        faults.sort_by_key(place);
        Answer { data, faults }
    }
}
