//! Resuming: what has changed of a target since its client saw it, from the change log.

use std::collections::HashMap;
use std::sync::Arc;

use access::Session;
use base::{Code, DatabaseName, Status};
use futures_util::future::join_all;
use wire::v1::target_change::TargetChangeType;

use super::cohort::{Found, Kept, RESUME_ROWS_MAX};
use super::pump::Pump;
use super::state::{Loading, Phase};
use crate::listen::Response;
use crate::listen::replay::{self, Changed, Changes};
use crate::query::{Query, Results};

/// Commits of the log read at once.
const COMMITS_PER_READ: usize = 256;

impl Pump {
    /// Finds out, with all who resume now, what has changed of the stream's targets since its client saw them. Holds nothing
    /// meanwhile.
    pub(super) async fn replay(&mut self, now: i32) -> Result<(), Status> {
        let service = Arc::clone(&self.service);
        let (database, cohorts) = (self.database()?, &service.listeners.cohorts);
        let asking = self.targets.iter().filter_map(|(id, target)| {
            let (after, query, key) = target.to_replay()?;
            Some(async move { (*id, cohorts.join(database, (query, key), after).await) })
        });
        for (id, found) in join_all(asking).await {
            let found = found?;
            if let Some(Phase::Loading(loading)) = self.targets.get_mut(&id).map(|target| &mut target.phase) {
                loading.found = cohorts.keep(found, id == now);
            }
        }
        Ok(())
    }

    /// Sends what has changed of a query's result. Returns by how many documents it has grown; `None` where it cannot be found
    /// out: the client has seen something else, or too much has happened since.
    pub(super) async fn resume(
        &mut self,
        id: i32,
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        found: Found,
    ) -> Result<Option<i64>, Status> {
        let Some(changes) = self.changes(session, database, query, found).await? else { return Ok(None) };
        let mut more = 0;
        let at = session.version();
        let mut left = Vec::new();
        for Changed { was_in, is_in, image } in changes.values() {
            more += i64::from(*is_in) - i64::from(*was_in);
            match (was_in, is_in) {
                (_, true) => {
                    if let Some(document) = image.document(Some(query))? {
                        self.ready.push_back(Response::change(document, vec![id], Vec::new()));
                    }
                }
                (true, false) if image.stored.is_none() => {
                    self.ready.push_back(Response::delete(image.name(), vec![id], at));
                }
                (true, false) => left.push(Arc::clone(image)),
                (false, false) => {}
            }
        }
        let may = self.may_get(&left).await?;
        for image in left {
            self.push_left(&image, vec![id], &may, at)?;
        }
        Ok(Some(more))
    }

    /// The same for a window: it is sent as a whole, unless nothing has happened to its result.
    pub(super) async fn resume_window(
        &mut self,
        id: i32,
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        loading: Loading,
    ) -> Result<(), Status> {
        if loading.seen.is_none() {
            return Ok(());
        }
        let changes = self.changes(session, database, query, loading.found.and_then(Kept::take)).await?;
        let mut is_same = changes.is_some_and(|changes| changes.is_empty());
        let mut shown = HashMap::new();
        if is_same {
            let mut results = Results::open_with(session, database, query, &self.service.indexes).await?;
            while let Some(page) = results.page(session).await? {
                shown.extend(page.into_iter().map(|found| (found.path, found.stored.updated)));
            }
            let count = i32::try_from(shown.len()).unwrap_or(i32::MAX);
            is_same = loading.expected.is_none_or(|expected| expected == count);
        }
        if !is_same {
            shown.clear();
            self.ready.push_back(Response::target(TargetChangeType::Reset, id));
        }
        if let Some(target) = self.targets.get_mut(&id) {
            target.shown = shown;
        }
        Ok(())
    }

    /// What was found for all who resumed, and what has come since up to the session's version; `None` when that cannot be
    /// found out.
    async fn changes(
        &mut self,
        session: &Session,
        database: &DatabaseName,
        query: &Query,
        found: Found,
    ) -> Result<Option<Arc<Changes>>, Status> {
        let Some((mut after, mut changes)) = found else { return Ok(None) };
        let until = session.version();
        let mut rows = 0;
        while after < until {
            let later = match self.service.gate.changes(after, COMMITS_PER_READ).await {
                Ok(later) => later,
                Err(status) if status.code == Code::FailedPrecondition => return Ok(None),
                Err(fault) => return Err(fault),
            };
            let Some(last) = later.last() else { break };
            after = last.version;
            for change in later.iter().take_while(|change| change.version <= until) {
                rows += change.rows.len();
                if rows > RESUME_ROWS_MAX {
                    return Ok(None);
                }
                replay::extend(Arc::make_mut(&mut changes), database, query, change)?;
            }
        }
        Ok((after >= until || rows == 0).then_some(changes))
    }
}
