//! The decision about a call: who asks, whether the function's guard admits them, and its record.

use access::log::TRACE;
use access::{Caller, Credential, Facts, Operation, Reads, Service, Session, Subject};
use async_trait::async_trait;
use base::{Code, Fields, Status};
use policy::cel::{HttpCall, NoNeed, Requirement};

use super::guards::{Guard, RunAs};
use super::{Function, Functions};
use crate::model::partner::{CLAIM, parts_of};
use crate::model::{Endpoint, Kind};
use crate::status::{Failure, denied};

/// A call, as far as it is decided on.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// What follows the function's name.
    pub path: String,
    /// The `Authorization` header; `Some(None)` is one that is no text.
    pub authorization: Option<Option<String>>,
    /// The `X-Api-Key` header.
    pub key: Option<String>,
    /// The other headers, by their names in lower case.
    pub headers: Fields,
    /// The client's address.
    pub ip: String,
    /// What counts as one client, where nobody is signed in.
    pub network: String,
    /// The trace that the function's log lines carry, too.
    pub trace: String,
}

/// Requirements need no facts.
struct NoFacts;

#[async_trait]
impl Facts<Requirement> for NoFacts {
    async fn facts(&self, _: &mut Reads, _: &[NoNeed]) -> Result<Vec<()>, Status> {
        Ok(Vec::new())
    }
}

/// A call that may go on.
#[derive(Debug)]
pub struct Admitted {
    /// Who calls.
    pub caller: Caller,
    /// On whose behalf the code reads and writes.
    pub run_as: RunAs,
    /// Whether the partner's key is spent here: the code does not get it.
    pub has_key: bool,
}

/// What is decided about: a function and its guard.
struct Asked<'a> {
    endpoint: &'a Endpoint,
    guard: Option<&'a Guard>,
    call: &'a Call,
    /// What the record says it is about.
    resource: String,
}

impl Functions {
    /// Decides a call and leaves its record.
    ///
    /// Errors: `UNAUTHENTICATED` for a credential that is no good, where the function takes Firebase's credentials (callables, and
    /// whatever has a guard); `PERMISSION_DENIED` for who is not admitted; `RESOURCE_EXHAUSTED` beyond the guard's rate; the
    /// store's faults.
    pub async fn admit(&self, function: &Function, call: &Call) -> Result<Admitted, Failure> {
        let endpoint = &function.endpoint;
        let region = endpoint.regions.first().map_or("", String::as_str);
        let guards = self.guards.load_full();
        let guard = guards.of(&endpoint.name);
        let asked =
            Asked { endpoint, guard, call, resource: format!("/functions/{region}/{}", endpoint.name) };
        let (caller, has_key) = self.caller_asking(&asked).await?;
        let session = self.session(&caller, &asked).await?;
        let session = self.within_bounds(session, &asked).await?;
        self.decide(session, &asked).await?;
        let run_as = guard.map(|guard| guard.run_as).unwrap_or_default();
        Ok(Admitted { caller, run_as, has_key })
    }

    /// Who calls, and whether a partner's key says so.
    async fn caller_asking(&self, asked: &Asked<'_>) -> Result<(Caller, bool), Failure> {
        let Asked { endpoint, guard, call, resource } = asked;
        let takes_keys = guard.is_some_and(|guard| guard.api_keys);
        let key = call.key.as_deref().filter(|_| takes_keys);
        let found = match key {
            Some(key) => self.partner_of_key(key).await,
            None => self.caller(call).await,
        };
        let is_ours = endpoint.kind == Kind::Callable || endpoint.is_private || guard.is_some();
        match found {
            Ok(caller) => Ok((caller, key.is_some())),
            Err(status) if status.code != Code::Unauthenticated => Err(status.into()),
            Err(status) if is_ours => {
                let mut session = self.session(&Caller::unauthenticated(), asked).await?;
                // Whose key it wants to be: the partner's report has the attempt.
                if let Some((partner, _)) = key.and_then(parts_of) {
                    session.note(CLAIM, partner.into());
                }
                session.refuse("credential", resource, &status.message);
                Err(Failure::of(Code::Unauthenticated, "Unauthenticated"))
            }
            // The header is the function's own business.
            Err(_) => Ok((Caller::unauthenticated(), false)),
        }
    }

    /// What the guard bounds before it looks at who calls: methods and rate; and what a partner may call at all.
    async fn within_bounds(&self, session: Session, asked: &Asked<'_>) -> Result<Session, Failure> {
        let Asked { endpoint, guard, call, resource } = asked;
        if let Some(why) = self.unlike_partner(session.caller(), &endpoint.name).await? {
            session.refuse("partner", resource, &why);
            return Err(Failure::of(
                Code::PermissionDenied,
                self.shown(why, format!("You may not call `{}`.", endpoint.name)),
            ));
        }
        let Some(guard) = guard else { return Ok(session) };
        if !guard.methods.is_empty() && !guard.methods.contains(&call.method) {
            let text =
                format!("the guard admits {} and the request is {}", guard.methods.join(", "), call.method);
            session.refuse("methods", resource, &text);
            let plain = "You may not call it with this method.".to_owned();
            return Err(Failure::of(Code::PermissionDenied, self.shown(text, plain)));
        }
        if let Some(rate) = guard.rate {
            let who = session.caller().id().map_or_else(|| call.network.clone(), str::to_owned);
            if let Err(wait) = self.buckets.take(&endpoint.name, &who, rate) {
                session.refuse("rate", resource, &format!("more than {rate}"));
                return Err(Failure::TooOften(wait));
            }
        }
        Ok(session)
    }

    /// The guard's requirement.
    async fn decide(&self, mut session: Session, asked: &Asked<'_>) -> Result<(), Failure> {
        let Asked { endpoint, guard, call, resource } = asked;
        let name = &endpoint.name;
        if endpoint.is_private {
            let admitted = session.authorize_admin(resource);
            let admitted =
                admitted.map_err(|refusal| Failure::from(refusal.status(|denial| denied(name, denial))));
            session.finish();
            return admitted.map(drop);
        }
        let Some(require) = guard.and_then(|guard| guard.require.as_deref()) else {
            session.authorize_self("no guard", resource);
            session.finish();
            return Ok(());
        };
        let request = HttpCall {
            function: name,
            method: &call.method,
            path: &call.path,
            headers: &call.headers,
            ip: &call.ip,
        };
        let subject = Subject { method: "call", path: resource };
        let decided = session.authorize(require, subject, &request, &NoFacts).await;
        session.finish();
        decided.map(drop).map_err(|refusal| refusal.status(|denial| denied(name, denial)).into())
    }

    async fn session(&self, caller: &Caller, asked: &Asked<'_>) -> Result<Session, Status> {
        let operation =
            Operation { service: Service::Functions, verb: "call", resource: asked.resource.clone() };
        let mut session = self.gate.begin(caller, operation).await?;
        session.note(TRACE, asked.call.trace.clone().into());
        session.note("httpMethod", asked.call.method.clone().into());
        Ok(session)
    }

    /// The caller behind a credential.
    pub(crate) async fn caller_of(&self, credential: Credential<'_>) -> Result<Caller, Status> {
        self.authenticate.caller(&self.project, credential).await
    }

    /// The project's own server, which sends no credential to what emulators are there.
    ///
    /// Errors: `UNAUTHENTICATED` in production.
    pub(crate) fn local_server(&self) -> Result<Caller, Status> {
        match self.gate.mode().dev() {
            Some(_) => Ok(Caller::admin("owner")),
            None => Err(Status::new(Code::Unauthenticated, "the request has no credential")),
        }
    }

    async fn caller(&self, call: &Call) -> Result<Caller, Status> {
        let bad = || Status::new(Code::Unauthenticated, "the Authorization header has no bearer token");
        let credential = match &call.authorization {
            None => Credential::None,
            Some(header) => match Credential::from_header(header.as_deref().ok_or_else(bad)?) {
                Credential::None => return Err(bad()),
                bearer => bearer,
            },
        };
        self.authenticate.caller(&self.project, credential).await
    }

    /// What a client reads: the reason in dev only.
    fn shown(&self, reason: String, plain: String) -> String {
        if self.is_dev() { reason } else { plain }
    }
}
