//! The decision about a call: who asks, whether the function's guard admits them, and its record.

use access::{Attestation, Caller, Credential, Facts, Flaw, Operation, Reads, Service, Session, Subject};
use async_trait::async_trait;
use base::{Code, Fields, Status};
use policy::cel::{HttpCall, NoNeed, Requirement};

use super::guards::AppGuard;
use super::{Function, Functions};
use crate::model::Kind;
use crate::status::{Failure, denied, unattested};

/// A call, as far as it is decided on.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// What follows the function's name.
    pub path: String,
    /// The `Authorization` header; `Some(None)` is one that is no text.
    pub authorization: Option<Option<String>>,
    /// What is known of the client's app.
    pub app: Attestation,
    /// Its App Check token, as it came.
    pub app_token: Option<String>,
    /// The other headers, by their names in lower case.
    pub headers: Fields,
    /// The client's address.
    pub ip: String,
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

impl Functions {
    /// Decides a call and leaves its record.
    ///
    /// Errors: `UNAUTHENTICATED` for a credential that is no good, where the function takes Firebase's credentials (callables, and
    /// whatever has a guard); `PERMISSION_DENIED` for who is not admitted; the store's faults.
    pub async fn admit(&self, function: &Function, call: &Call) -> Result<(), Failure> {
        let endpoint = &function.endpoint;
        let region = endpoint.regions.first().map_or("", String::as_str);
        let resource = format!("/functions/{region}/{}", endpoint.name);
        let guards = self.guards.load_full();
        let guard = guards.of(&endpoint.name);
        let is_ours = endpoint.kind == Kind::Callable || endpoint.is_private || guard.is_some();
        let caller = match self.caller(call).await {
            Ok(caller) => caller,
            Err(status) if status.code != Code::Unauthenticated => return Err(status.into()),
            Err(status) if is_ours => {
                let session = self.session(&Caller::unauthenticated(), &resource, call).await?;
                session.refuse("credential", &resource, &status.message);
                return Err(Failure::of(Code::Unauthenticated, "Unauthenticated"));
            }
            // The header is the function's own business.
            Err(_) => Caller::unauthenticated(),
        };
        let mut session = self.session(&caller, &resource, call).await?;
        if let Some(required) = guard.and_then(|guard| guard.app_check)
            && !caller.is_admin()
            && let Err(why) = self.check_app(required, call).await?
        {
            session.refuse("app check", &resource, &why);
            return Err(unattested());
        }
        if let Some(guard) =
            guard.filter(|guard| !guard.methods.is_empty() && !guard.methods.contains(&call.method))
        {
            let text =
                format!("the guard admits {} and the request is {}", guard.methods.join(", "), call.method);
            session.refuse("methods", &resource, &text);
            let shown = if self.is_dev() { text } else { "You may not call it with this method.".to_owned() };
            return Err(Failure::of(Code::PermissionDenied, shown));
        }
        let name = &endpoint.name;
        if endpoint.is_private {
            let admitted = session.authorize_admin(&resource);
            let admitted =
                admitted.map_err(|refusal| Failure::from(refusal.status(|denial| denied(name, denial))));
            session.finish();
            return admitted.map(drop);
        }
        let Some(require) = guard.and_then(|guard| guard.require.as_deref()) else {
            session.authorize_self("no guard", &resource);
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
        let subject = Subject { method: "call", path: &resource };
        let decided = session.authorize(require, subject, &request, &NoFacts).await;
        session.finish();
        decided.map(drop).map_err(|refusal| refusal.status(|denial| denied(name, denial)).into())
    }

    /// Whether a call has the App Check token that its function's guard requires; uses it up where it is to be used once.
    async fn check_app(&self, required: AppGuard, call: &Call) -> Result<Result<(), String>, Status> {
        match (&call.app, required) {
            (Attestation::Missing, _) => Ok(Err("the call has no App Check token".to_owned())),
            (Attestation::Invalid(flaw), _) => Ok(Err(flaw.to_string())),
            (_, AppGuard::Required) => Ok(Ok(())),
            (_, AppGuard::Consume) => {
                let token = call.app_token.as_deref().unwrap_or_default();
                let is_new = self.attest.consume(&self.project, token).await?;
                Ok(if is_new { Ok(()) } else { Err(Flaw::Consumed.to_string()) })
            }
        }
    }

    async fn session(&self, caller: &Caller, resource: &str, call: &Call) -> Result<Session, Status> {
        let operation =
            Operation { service: Service::Functions, verb: "call", resource: resource.to_owned() };
        let caller = caller.clone().from_app(call.app.clone());
        let mut session = self.gate.begin(&caller, operation).await?;
        session.note("trace", call.trace.clone().into());
        session.note("httpMethod", call.method.clone().into());
        Ok(session)
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
}
