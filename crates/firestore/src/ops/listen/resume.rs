//! Resuming: what has changed of a target since its client saw it, from the change log.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::Session;
use access::keyspace::DOCUMENTS;
use base::{Code, DatabaseName, DocumentPath, Status};
use kv::{Key, Row, Version};

use super::pump::Pump;
use super::state::Loading;
use crate::listen::Response;
use crate::listen::image::Image;
use crate::listen::token::Seen;
use crate::listen::view::position_in;
use crate::model::{Stored, key};
use crate::query::{Query, Results, position};
use wire::v1::target_change::TargetChangeType;

/// Commits of the log read at once.
const COMMITS_PER_READ: usize = 256;
/// Rows of the log that one resume reads. One that would read more is answered with the whole result.
const RESUME_ROWS_MAX: usize = 20_000;

/// A document's states at two versions.
struct Changed {
    path: DocumentPath,
    then: Option<Stored>,
    now: Option<Stored>,
    version: Version,
}

impl Pump {
    /// Sends what has changed of a query's result. Returns whether that was possible: not when the client has seen something
    /// else, or too much has happened since.
    pub(super) async fn resume(
        &mut self,
        id: i32,
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        seen: Seen,
    ) -> Result<bool, Status> {
        let Some(changed) = self.changed(session, database, query, seen).await? else { return Ok(false) };
        let at = session.version();
        let mut left = Vec::new();
        for Changed { path, then, now, version } in changed {
            let was_in = is_in(database, query, &path, then.as_ref())?;
            let is_in = is_in(database, query, &path, now.as_ref())?;
            let image = Image::new(database.clone(), path, now, version);
            match (was_in, is_in) {
                (_, true) => {
                    if let Some(document) = image.document(Some(query))? {
                        self.ready.push_back(Response::change(document, vec![id], Vec::new()));
                    }
                }
                (true, false) if image.stored.is_none() => {
                    self.ready.push_back(Response::delete(image.name(), vec![id], at));
                }
                (true, false) => left.push(Arc::new(image)),
                (false, false) => {}
            }
        }
        let may = self.may_get(&left).await?;
        for image in left {
            self.push_left(&image, vec![id], &may, at)?;
        }
        Ok(true)
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
        let Some(seen) = loading.seen else { return Ok(()) };
        let changed = self.changed(session, database, query, seen).await?;
        let mut is_same = changed.is_some();
        for Changed { path, then, now, .. } in changed.into_iter().flatten() {
            is_same &= !is_in(database, query, &path, then.as_ref())?;
            is_same &= !is_in(database, query, &path, now.as_ref())?;
        }
        let mut shown = std::collections::HashMap::new();
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

    /// The documents where a query looks that have changed since a version; `None` when that cannot be found out.
    async fn changed(
        &mut self,
        session: &Session,
        database: &DatabaseName,
        query: &Query,
        seen: Seen,
    ) -> Result<Option<Vec<Changed>>, Status> {
        let Seen::UpTo(mut after) = seen else { return Ok(None) };
        let until = session.version();
        if after > until {
            return Ok(None);
        }
        let mut found: BTreeMap<Key, Changed> = BTreeMap::new();
        let mut rows = 0;
        while after < until {
            let changes = match self.service.gate.changes(after, COMMITS_PER_READ).await {
                Ok(changes) => changes,
                Err(status) if status.code == Code::FailedPrecondition => return Ok(None),
                Err(fault) => return Err(fault),
            };
            let Some(last) = changes.last() else { break };
            after = last.version;
            for change in changes.into_iter().take_while(|change| change.version <= until) {
                rows += change.rows.len();
                if rows > RESUME_ROWS_MAX {
                    return Ok(None);
                }
                for row in change.rows.into_iter().filter(|row| row.key.keyspace() == DOCUMENTS) {
                    let Some((of, path)) = key::decode(&row.key) else { continue };
                    if of != *database || !query.scope.contains(&path) {
                        continue;
                    }
                    let row_after =
                        row.after.map(|value| Row { key: row.key.clone(), value, version: change.version });
                    let now = row_after.as_ref().map(Stored::from_row).transpose()?;
                    let then = row.before.as_ref().map(Stored::from_row).transpose()?;
                    let entry =
                        found.entry(row.key).or_insert(Changed { path, then, now: None, version: after });
                    (entry.now, entry.version) = (now, change.version);
                }
            }
        }
        Ok(Some(found.into_values().collect()))
    }
}

fn is_in(
    database: &DatabaseName,
    query: &Query,
    path: &DocumentPath,
    stored: Option<&Stored>,
) -> Result<bool, Status> {
    let Some(stored) = stored else { return Ok(false) };
    let between = position::window(query);
    Ok(position_in(database, query, &between, path, &stored.fields()?).is_some())
}
