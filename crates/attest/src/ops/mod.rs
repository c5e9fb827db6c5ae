//! The verbs. Only the files here talk to the gate.

pub mod apps;
pub mod counts;
pub mod debug_tokens;
mod exchange;
mod replay;
pub mod services;
mod verify;

use access::{Attempts, Caller, Operation, Permit, Service, Session};
use base::{Status, Timestamp};

use crate::{AppCheck, status};

pub use exchange::{Exchange, Proof};

/// How often a change is tried when others are in its way.
const ATTEMPTS_MAX: usize = 5;
/// Characters of a display name.
const NAME_LEN_MAX: usize = 128;

fn operation(verb: &'static str, resource: &str) -> Operation {
    Operation { service: Service::AppCheck, verb, resource: resource.to_owned() }
}

fn check_name(name: &str) -> Result<(), Status> {
    let is_good = name.chars().count() <= NAME_LEN_MAX && !name.chars().any(char::is_control);
    if is_good { Ok(()) } else { Err(status::bad_name(NAME_LEN_MAX)) }
}

fn time(seconds: i64) -> String {
    Timestamp { seconds, nanos: 0 }.to_string()
}

impl AppCheck {
    /// Begins what only administrators may do.
    async fn begin(
        &self,
        caller: &Caller,
        verb: &'static str,
        resource: &str,
    ) -> Result<(Session, Permit), Status> {
        let mut session = self.gate.begin(caller, operation(verb, resource)).await?;
        let permit = session.authorize_admin(resource).map_err(status::refused)?;
        Ok((session, permit))
    }

    /// Runs a change of an administrator as a unit of work. `change` stages it against the permit.
    async fn change<T, F>(
        &self,
        caller: &Caller,
        verb: &'static str,
        resource: &str,
        change: impl Fn(Session, Permit) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<(Session, T), Status>>,
    {
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let work = |mut session: Session| {
            let permit = session.authorize_admin(resource).map_err(status::refused);
            let change = &change;
            async move { change(session, permit?).await }
        };
        let (output, _) = self.gate.transact(caller, &operation(verb, resource), attempts, work).await?;
        Ok(output)
    }

    /// Refuses whoever is not an administrator, on the record, before anything of a request is read.
    pub async fn only_admins(&self, caller: &Caller, resource: &str) -> Result<(), Status> {
        if caller.is_admin() {
            return Ok(());
        }
        self.begin(caller, "AppCheck", resource).await.map(drop)
    }
}
