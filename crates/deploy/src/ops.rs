//! The verbs: make, look at, release and delete rules, and test them. Only the files here talk to the gate.

pub mod releases;
mod rulesets;
mod test;

use access::{Attempts, Caller, Operation, Permit, Service, Session};
use base::Status;
use kv::{KeyRange, Page, Scan};

use crate::model::row::{decode, source_key};
use crate::model::source::{CompiledSource, RulesSource};
use crate::{Deploy, status};

/// Rulesets that a project may keep.
const RULESETS_MAX: usize = 2500;
/// Releases that a project may have.
const RELEASES_MAX: usize = 1000;
/// Entries of one page of a list.
const PAGE_ENTRIES_MAX: usize = 100;
/// Entries of a page where nothing is said.
const PAGE_ENTRIES_USUAL: usize = 10;
/// How often a change is tried when others are in its way.
const ATTEMPTS_MAX: usize = 5;

/// Refuses a source with errors.
fn check(compiled: &CompiledSource) -> Result<(), Status> {
    if compiled.rulesets.is_empty() { Err(status::compile_errors(&compiled.issues())) } else { Ok(()) }
}

impl Deploy {
    async fn begin(
        &self,
        caller: &Caller,
        project: &str,
        verb: &'static str,
        resource: String,
    ) -> Result<(Session, Permit), Status> {
        let operation = Operation { service: Service::Rules, verb, resource: resource.clone() };
        let mut session = self.gate.begin(caller, operation).await?;
        let permit = self.permit(&mut session, project, &resource)?;
        Ok((session, permit))
    }

    /// The right of an administrator of a project that is served here.
    fn permit(&self, session: &mut Session, project: &str, resource: &str) -> Result<Permit, Status> {
        session.set_project(project);
        let permit = session.authorize_admin(resource).map_err(status::refused)?;
        if self.gate.mode().dev().is_none() && project != self.project {
            return Err(status::not_served(project));
        }
        Ok(permit)
    }

    /// Runs a change as a unit of work. `change` stages it against the permit.
    async fn change<T, F>(
        &self,
        caller: &Caller,
        project: &str,
        verb: &'static str,
        resource: String,
        change: impl Fn(Session, Permit) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<(Session, T), Status>>,
    {
        let operation = Operation { service: Service::Rules, verb, resource };
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let work = |mut session: Session| {
            let permit = self.permit(&mut session, project, &operation.resource);
            let change = &change;
            async move { change(session, permit?).await }
        };
        let (output, _) = self.gate.transact(caller, &operation, attempts, work).await?;
        Ok(output)
    }

    /// Leaves the record of an administrator's question whose answer needs no data; refuses all others.
    pub async fn look(
        &self,
        caller: &Caller,
        project: &str,
        verb: &'static str,
        resource: String,
    ) -> Result<(), Status> {
        let (session, _) = self.begin(caller, project, verb, resource).await?;
        session.finish();
        Ok(())
    }

    /// Refuses whoever is not an administrator, on the record.
    pub async fn refuse(&self, caller: &Caller, path: &str) -> Result<(), Status> {
        let resource = format!("/{}", path.split_once('/').map_or("", |(_, rest)| rest));
        let operation = Operation { service: Service::Rules, verb: "Rules", resource: resource.clone() };
        let mut session = self.gate.begin(caller, operation).await?;
        let refused = session.authorize_admin(&resource).map(drop).map_err(status::refused);
        session.finish();
        refused
    }
}

/// The stored text of a ruleset.
async fn source_of(session: &mut Session, project: &str, id: &str) -> Result<RulesSource, Status> {
    let row = session.get(&source_key(project, id)).await?.ok_or_else(status::not_found)?;
    decode(&row)
}

/// The first rows of a range, as many as a client asks for and may have.
async fn page(
    session: &mut Session,
    range: KeyRange,
    size: Option<usize>,
    reverse: bool,
) -> Result<Page, Status> {
    let rows_max = match size {
        None | Some(0) => PAGE_ENTRIES_USUAL,
        Some(size) => size.min(PAGE_ENTRIES_MAX),
    };
    if range.is_empty() {
        return Ok(Page::default());
    }
    session.scan(&range, Scan { rows_max, reverse, ..Scan::default() }).await
}
