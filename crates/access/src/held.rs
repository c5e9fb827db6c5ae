//! What sessions hold their callers to: their own row, and their app's.

use base::{Code, Status};

use crate::app_check::{AppChecks, Attestation, Enforcement, Flaw, is_unattested};
use crate::caller::Caller;
use crate::gate::{Gate, Operation};
use crate::log::{Cause, Verdict};
use crate::service::Service;
use crate::session::{Session, event_of};

impl Session {
    /// Takes the caller's row into the read set, and refuses a caller who has no standing any more. In a session on a
    /// past state it is the present row that is checked.
    pub(crate) async fn hold_caller(mut self, is_past: bool) -> Result<Self, Status> {
        if let Err(status) = self.hold_app(is_past).await {
            if is_unattested(&status) {
                self.finish();
            }
            return Err(status);
        }
        let Some(standing) = self.caller.standing.clone() else { return Ok(self) };
        let row = self.reads.get(standing.key()).await?;
        self.reads.keys.extend(standing.depends_on().cloned());
        let checked = match is_past {
            false => standing.check(row.as_ref()),
            true => standing.check(self.gate().peek(standing.key()).await?.as_ref()),
        };
        match checked {
            Ok(()) => Ok(self),
            Err(status) if status.code == Code::Unauthenticated => {
                let resource = self.resource().to_owned();
                self.refuse("credential", &resource, "the caller was disabled, deleted or revoked");
                Err(status)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Gives the caller the claims that the store has of them now.
    pub(crate) async fn renew_caller(mut self) -> Result<Self, Status> {
        let Some(standing) = self.caller.standing.clone() else { return Ok(self) };
        let row = self.reads.get(standing.key()).await?;
        match self.caller.clone().renewed(row.as_ref()) {
            Ok(caller) => {
                self.caller = caller;
                Ok(self)
            }
            Err(status) if status.code == Code::Unauthenticated => {
                let resource = self.resource().to_owned();
                self.refuse("credential", &resource, "the caller was disabled, deleted or revoked");
                Err(status)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Checks the caller's standing as it is now: what a long read does for each page.
    ///
    /// Errors: `UNAUTHENTICATED` when it is lost.
    pub async fn check_standing(&self) -> Result<(), Status> {
        if let Some(standing) = &self.caller.standing {
            standing.check(self.gate().peek(standing.key()).await?.as_ref())?;
        }
        match &self.caller.app {
            Attestation::Valid(attested) => {
                let standing = &attested.standing;
                standing.check(self.gate().peek(standing.key()).await?.as_ref())
            }
            _ => Ok(()),
        }
    }
}

impl Gate {
    /// Which services require an app, and what was counted.
    pub fn app_checks(&self) -> &AppChecks {
        &self.inner.app_checks
    }

    /// Has a service require an app, or not. What is open is decided again before more of it is shown.
    pub fn enforce_app(&self, service: Service, enforcement: Enforcement) {
        if self.inner.app_checks.set(service, enforcement) {
            match service {
                Service::Firestore => self.rules().firestore.decide_again(),
                Service::Realtime => self.rules().database.decide_again(),
                _ => {}
            }
        }
    }

    /// Whether a service is open to the app that a caller comes from: asked before a request is read. A refusal is recorded.
    ///
    /// Errors: [`APP_CHECK_INVALID`], with `UNAUTHENTICATED` where another token may help and `PERMISSION_DENIED` where none came.
    pub fn admit_app(&self, caller: &Caller, service: Service, path: &str) -> Result<(), Status> {
        let Some(reason) = self.refuses_app(caller, service) else { return Ok(()) };
        self.inner.app_checks.count(service, &caller.app);
        let operation = &Operation { service, verb: "Request", resource: path.to_owned() };
        let request = self.next_request();
        let mut event = event_of(self, caller, operation, request, "app check", &operation.resource);
        event.verdict = Verdict::Deny;
        event.causes.push(Cause::plain(&reason));
        self.inner.log.push(event);
        Err(caller.app.refusal())
    }

    fn refuses_app(&self, caller: &Caller, service: Service) -> Option<String> {
        if caller.is_admin() || self.inner.app_checks.of(service) != Enforcement::Enforced {
            return None;
        }
        caller.app.reason()
    }
}

impl Session {
    /// Takes the row of the caller's app into the read set, and refuses where the service requires an app and there is none. In a
    /// session on a past state it is the present row that is checked.
    pub(crate) async fn hold_app(&mut self, is_past: bool) -> Result<(), Status> {
        if self.caller.is_admin() {
            return Ok(());
        }
        if let Attestation::Valid(attested) = self.caller.app.clone() {
            let standing = &attested.standing;
            let row = self.reads.get(standing.key()).await?;
            self.reads.keys.extend(standing.depends_on().cloned());
            let checked = match is_past {
                false => standing.check(row.as_ref()),
                true => standing.check(self.gate().peek(standing.key()).await?.as_ref()),
            };
            match checked {
                Ok(()) => {}
                Err(status) if status.code == Code::Unauthenticated => {
                    self.caller.app = Attestation::Invalid(Flaw::Revoked);
                }
                Err(fault) => return Err(fault),
            }
        }
        let (gate, service) = (self.gate().clone(), self.service());
        gate.inner.app_checks.count(service, &self.caller.app);
        let Some(reason) = gate.refuses_app(&self.caller, service) else { return Ok(()) };
        self.push_refusal("app check", &reason);
        Err(self.caller.app.refusal())
    }

    /// Holds a session, which was begun with [`Attestation::Exempt`] because its right might be proved in another way, to what is
    /// known of the app after all.
    ///
    /// Errors: as [`Gate::begin`].
    pub async fn require_app(&mut self, app: Attestation) -> Result<(), Status> {
        self.caller.app = app;
        self.hold_app(false).await
    }
}
