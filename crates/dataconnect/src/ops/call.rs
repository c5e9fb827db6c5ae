//! One call: who asks, whether they may, and what is run for them.
//!
//! Order: the operation is found, the caller's standing held (mutations), the guard decided on the variables as they were sent with
//! defaults, the variables judged, the operation run. So strangers learn nothing of variables.

use std::sync::Arc;
use std::time::Duration;

use access::{
    Attestation, Caller, Facts, Operation as Asked, Reads, Refusal, Service, Session, Subject, User,
};
use async_trait::async_trait;
use base::{Code, Fields, Status, Value as Stored};
use policy::Policy as _;
use policy::cel::{Call, Guard, Supply};
use serde_json::{Map, Value as Json};
use tokio::time::timeout;

use super::ask::{Ask, Impersonation, Reply, What};
use super::drive::{Outcome, Run};
use super::live::{Live, Served};
use super::{DataConnect, START_SECONDS_MAX, State};
use crate::diagnostic::Text;
use crate::operation::{Kind, Operation, stored};
use crate::status::{Failure, denied};

/// Bytes of a text that an administrator sends.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Guards of operations need no facts.
pub(super) struct NoFacts;

#[async_trait]
impl Facts<Guard> for NoFacts {
    async fn facts(&self, _: &mut Reads, _: &[Supply]) -> Result<Vec<Stored>, Status> {
        Ok(Vec::new())
    }
}

/// An operation: one of a connector, or one made of a text for this call.
enum Found {
    Compiled(Arc<Served>, String, String),
    Text(Box<Operation>),
}

impl Found {
    fn operation(&self) -> Option<&Operation> {
        match self {
            Found::Compiled(served, connector, name) => served.operation(connector, name).ok(),
            Found::Text(operation) => Some(operation),
        }
    }
}

/// Random digits for `uuidV4()`.
pub(super) fn uuid() -> String {
    // Without randomness nothing unique can be made: the statement that gets this refuses it.
    let Ok(mut bytes) = base::id::random_bytes::<16>() else { return String::new() };
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    hex::encode(bytes)
}

impl DataConnect {
    /// What is in force, once it is started.
    async fn started(&self) -> Result<Arc<Live>, Failure> {
        let mut state = self.state.subscribe();
        let started = state.wait_for(|state| !matches!(state, State::Starting));
        let started = timeout(Duration::from_secs(START_SECONDS_MAX), started).await;
        match started.ok().and_then(Result::ok).map(|state| state.clone()) {
            Some(State::Live(live)) => Ok(live),
            Some(State::Broken(why)) => Err(Failure::of(Code::Unavailable, &*why)),
            Some(State::Starting) | None => {
                Err(Failure::of(Code::Unavailable, "Data Connect is still being started"))
            }
        }
    }

    /// Calls an operation.
    ///
    /// Errors: `NOT_FOUND`, `INVALID_ARGUMENT`; `UNAUTHENTICATED` and `PERMISSION_DENIED` by its guard; faults.
    pub async fn call(self: Arc<Self>, ask: Ask) -> Result<Reply, Failure> {
        let live = self.started().await?;
        let served = live.service(&ask.service)?;
        if ask.needs_admin && !ask.caller.is_admin() {
            let resource = format!("/services/{}", ask.service);
            let session = self.begin(&ask.caller, "admin", &resource).await?;
            session.refuse("admin", &resource, "only administrators may call in this way");
            return Err(Failure::of(Code::PermissionDenied, "only administrators may call in this way"));
        }
        let found = self.find(&served, &ask)?;
        let Some(kind) = found.operation().map(|operation| operation.kind) else {
            return Err(Failure::not_found("there is no such operation"));
        };
        match kind {
            Kind::Query => self.run(served, found, ask).await,
            // What has begun to write ends, also when the client hangs up: its record says what became of it.
            Kind::Mutation => {
                let run = tokio::spawn(async move { self.run(served, found, ask).await });
                run.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a mutation ended early");
                    Err(Failure::of(Code::Internal, "Internal error encountered."))
                })
            }
        }
    }

    fn find(&self, served: &Arc<Served>, ask: &Ask) -> Result<Found, Failure> {
        match &ask.what {
            What::Operation { connector, name, kind } => {
                let operation = served.operation(connector, name)?;
                if operation.kind != *kind {
                    let message = format!(
                        "`{name}` is a {}: it was called as a {}",
                        operation.kind.name(),
                        kind.name()
                    );
                    return Err(Failure::of(Code::InvalidArgument, message));
                }
                Ok(Found::Compiled(Arc::clone(served), connector.clone(), name.clone()))
            }
            What::Text { query, name, read_only } => {
                if query.len() > TEXT_BYTES_MAX {
                    let message = format!("the text has {} bytes; at most {TEXT_BYTES_MAX}", query.len());
                    return Err(Failure::of(Code::InvalidArgument, message));
                }
                let text = Text::new("query.gql", query);
                let operation = served.api.compile_one(&text, name.as_deref()).map_err(Failure::Text)?;
                if *read_only && operation.kind == Kind::Mutation {
                    let message = "executeGraphqlRead runs queries only; the text is a mutation";
                    return Err(Failure::of(Code::PermissionDenied, message));
                }
                Ok(Found::Text(Box::new(operation)))
            }
        }
    }

    async fn begin(&self, caller: &Caller, verb: &'static str, resource: &str) -> Result<Session, Status> {
        let operation = Asked { service: Service::DataConnect, verb, resource: resource.to_owned() };
        self.gate.begin_open(caller, operation).await
    }

    async fn run(self: Arc<Self>, served: Arc<Served>, found: Found, ask: Ask) -> Result<Reply, Failure> {
        let Some(operation) = found.operation() else {
            return Err(Failure::not_found("there is no such operation"));
        };
        let path = match &ask.what {
            What::Operation { connector, name, .. } => {
                format!("/services/{}/connectors/{connector}/operations/{name}", served.id)
            }
            What::Text { .. } => format!("/services/{}/graphql/{}", served.id, operation.name),
        };
        let (caller, by) = as_whom(&ask)?;
        // A turn comes before the session: who waits holds no snapshot.
        let name =
            caller.id().map_or_else(|| format!("address {}", ask.address), |id| format!("caller {id}"));
        let turn = served.database.shares.turn(&name).await;
        let _turn = turn.map_err(|busy| Failure::of(Code::ResourceExhausted, busy.to_string()))?;
        let _hold = (operation.kind == Kind::Mutation).then(|| self.gate.hold(&caller));
        let mut session = self.begin(&caller, verb_of(&ask, operation.kind), &path).await?;
        if let Some(by) = by {
            session.note("impersonatedBy", by.into());
        }
        let judged = served.api.variables(operation, ask.variables.clone());
        let variables = match &judged {
            Ok(variables) => variables.clone(),
            Err(_) => ask.variables.clone(),
        };
        let Stored::Map(vars) = stored(&Json::Object(variables.clone())) else {
            return Err(Failure::of(Code::Internal, "Internal error encountered."));
        };
        let grant = match authorize(&mut session, operation, &path, &vars).await {
            Ok(grant) => grant,
            Err(refusal) => {
                let failure = refused(operation, refusal);
                session.finish();
                return Err(failure);
            }
        };
        let variables = match judged {
            Ok(variables) => variables,
            Err(faults) => {
                session.fail_elsewhere("its variables do not fit");
                return Ok(Reply::Variables(faults));
            }
        };
        // The database may take long: the store's snapshot is not needed for it.
        session.let_go();
        let run = Run {
            served: &served,
            operation,
            path: &path,
            caller: session.caller().clone(),
            variables: &variables,
            vars: &vars,
            keeps: matches!(found, Found::Compiled(..)),
        };
        let details = ask.details;
        match operation.kind {
            Kind::Query => run.query(session).await.map(|reply| reply.with_details(details)),
            Kind::Mutation => {
                let Outcome { answer, commit } = run.mutation(session, &grant.permit).await?;
                if let Some(commit) = commit {
                    self.records.written(&served.database.name, commit);
                }
                Ok(Reply::Answer(answer, details))
            }
        }
    }
}

impl Reply {
    fn with_details(self, details: bool) -> Self {
        match self {
            Reply::Answer(answer, _) => Reply::Answer(answer, details),
            other => other,
        }
    }
}

async fn authorize(
    session: &mut Session,
    operation: &Operation,
    path: &str,
    vars: &Fields,
) -> Result<access::Grant, Refusal> {
    let kind = operation.kind.name();
    let call = Call {
        operation_name: kind,
        operation_type: kind,
        variables: vars,
        this: None,
        response: None,
        uuid: &uuid,
    };
    session.authorize_by(&operation.guard, Subject { method: kind, path }, &call, &NoFacts).await
}

fn refused(operation: &Operation, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Fault(status) => status.into(),
        Refusal::Denied(denial) => denied(&operation.guard.source().text, &denial).into(),
    }
}

/// The caller, and who stands behind them.
fn as_whom(ask: &Ask) -> Result<(Caller, Option<String>), Failure> {
    let Some(impersonation) = &ask.impersonation else { return Ok((ask.caller.clone(), None)) };
    let by = ask.caller.id().unwrap_or_default().to_owned();
    let caller = match impersonation {
        Impersonation::Unauthenticated => Caller::unauthenticated(),
        Impersonation::User(claims) => {
            let uid =
                claims.get("sub").and_then(Json::as_str).filter(|uid| !uid.is_empty() && uid.len() <= 128);
            let Some(uid) = uid else {
                let message =
                    "`extensions.impersonate.authClaims.sub` is no user id: a text of 1 to 128 characters";
                return Err(Failure::of(Code::InvalidArgument, message));
            };
            let Stored::Map(fields) = stored(&Json::Object(claims.clone())) else {
                return Err(Failure::of(Code::InvalidArgument, "`authClaims` is no object"));
            };
            Caller::user(Arc::new(User { uid: uid.to_owned(), claims: fields }))
        }
    };
    // An administrator asks in their name: no app does.
    Ok((caller.from_app(Attestation::Exempt(None)), Some(by)))
}

fn verb_of(ask: &Ask, kind: Kind) -> &'static str {
    match (&ask.what, kind, &ask.impersonation) {
        (What::Text { read_only: true, .. }, ..) => "executeGraphqlRead",
        (What::Text { .. }, ..) => "executeGraphql",
        (_, Kind::Query, None) => "executeQuery",
        (_, Kind::Query, Some(_)) => "impersonateQuery",
        (_, Kind::Mutation, None) => "executeMutation",
        (_, Kind::Mutation, Some(_)) => "impersonateMutation",
    }
}

/// Variables as the body has them: an object, or nothing.
pub fn variables_of(body: &mut Map<String, Json>) -> Result<Map<String, Json>, Failure> {
    match body.shift_remove("variables") {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(variables)) => Ok(variables),
        Some(_) => Err(Failure::of(Code::InvalidArgument, "`variables` is no object")),
    }
}
