//! Loading a target: its first result, a page at a time and each page at the newest state, or what has changed since its
//! client last saw it.
//!
//! Commits that come meanwhile wait in the outbox. They are sent after the last page, so that whatever a page missed or
//! showed too old is corrected before the target is part of a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::Session;
use base::{DatabaseName, DocumentPath, Status};
use kv::Version;
use wire::v1;
use wire::v1::target_change::TargetChangeType;

use super::cohort::Kept;
use super::decide::Allowed;
use super::pump::Pump;
use super::state::{Loading, Phase, Target};
use crate::listen::Response;
use crate::listen::bloom::bloom_filter;
use crate::listen::hub::Cut;
use crate::listen::image::Image;
use crate::listen::target::Asked;
use crate::listen::token::Seen;
use crate::listen::window::{WINDOW_BYTES_MAX, Window};
use crate::model::Stored;
use crate::query::{Query, Results};
use crate::status;

/// How often a window is loaded that commits keep taking apart.
const WINDOW_ATTEMPTS_MAX: usize = 4;
/// Documents of a result that are counted for a client that resumes.
const FILTER_COUNT_MAX: usize = 100_000;
/// Documents that are read for a client that has another number of them, to tell it their names.
const FILTER_NAMES_MAX: usize = 10_000;

impl Pump {
    /// Loads a part of a target.
    pub(super) async fn load(&mut self, id: i32) -> Result<(), Status> {
        if self.targets.get(&id).is_some_and(|target| target.to_replay().is_some()) {
            self.replay(id).await?;
        }
        // Who asks the same at the same time waits for the first of them, and then has what was loaded for it.
        let first_page = self.targets.get(&id).and_then(Target::first_page_of);
        let listeners = Arc::clone(&self.service);
        let _first = match first_page {
            Some(view) => Some(listeners.listeners.first_of(view).await),
            None => None,
        };
        let is_part = self.targets.get(&id).is_some_and(|target| target.is_loaded_in_part());
        let service = Arc::clone(&self.service);
        let _turn = service.places.load(&self.caller).await?;
        if let Some(grant) = self.targets.get(&id).and_then(|target| target.grant.as_ref()) {
            grant.begin();
        }
        let Allowed { mut session, decided, is_literal, documents } = match self.decide(id).await {
            Ok(allowed) => allowed,
            Err(status) => return self.lose(id, status),
        };
        let loaded = self.load_allowed(id, &mut session, documents, is_literal).await;
        self.granted(id, session, decided, is_literal);
        match loaded {
            Ok(phase) => {
                if let Some(target) = self.targets.get_mut(&id) {
                    target.loaded = match phase {
                        Phase::Settling(at) if !is_part => at,
                        _ => Version::ZERO,
                    };
                    target.phase = phase;
                }
                Ok(())
            }
            Err(status) => self.lose(id, status),
        }
    }

    async fn load_allowed(
        &mut self,
        id: i32,
        session: &mut Session,
        documents: Vec<Option<Stored>>,
        is_literal: bool,
    ) -> Result<Phase, Status> {
        let database = self.database()?.clone();
        let Some(target) = self.targets.get_mut(&id) else { return Ok(Phase::Current) };
        let has_window = target.has_window();
        let mut loading = match std::mem::replace(&mut target.phase, Phase::Current) {
            Phase::Loading(loading) => *loading,
            phase => return Ok(phase),
        };
        let at = session.version();
        match target.asked.clone() {
            Asked::Documents(paths) => {
                self.show_documents(id, &database, &paths, documents, loading, at);
                Ok(Phase::Settling(at))
            }
            Asked::Query { query, .. } if has_window => {
                self.resume_window(id, session, &database, &query, loading).await?;
                Ok(Phase::Settling(at))
            }
            Asked::Query { query, .. } => {
                if loading.seen.take().is_some() {
                    let found = loading.found.take().and_then(Kept::take);
                    if let Some(more) = self.resume(id, session, &database, &query, found).await? {
                        let expected = loading.expected.map(|had| i64::from(had) + more);
                        if self.filter(id, session, &database, &query, expected).await? {
                            return Ok(Phase::Settling(at));
                        }
                    }
                    self.ready.push_back(Response::target(TargetChangeType::Reset, id));
                }
                if self.show_loaded(id, session, &query, is_literal).await? {
                    return Ok(Phase::Settling(at));
                }
                self.load_pages(id, session, &database, &query, is_literal, loading).await
            }
        }
    }

    /// The documents that a client does not have, and word of those that are not there.
    fn show_documents(
        &mut self,
        id: i32,
        database: &DatabaseName,
        paths: &[DocumentPath],
        documents: Vec<Option<Stored>>,
        loading: Loading,
        at: Version,
    ) {
        let seen = match loading.seen {
            Some(Seen::UpTo(version)) if version <= at => Some(version),
            Some(_) => {
                self.ready.push_back(Response::target(TargetChangeType::Reset, id));
                None
            }
            None => None,
        };
        let (mut names, mut unchanged) = (Vec::new(), 0);
        for (path, stored) in paths.iter().zip(documents) {
            let image = Image::new(database.clone(), path.clone(), stored, at);
            match (&image.stored, image.document(None)) {
                (Some(stored), Ok(Some(document))) => {
                    if seen.is_none_or(|seen| stored.updated > seen) {
                        self.ready.push_back(Response::change(document, vec![id], Vec::new()));
                    } else {
                        unchanged += 1;
                    }
                    names.push(image.name());
                }
                _ => self.ready.push_back(Response::delete(image.name(), vec![id], at)),
            }
        }
        let has_all = |expected| {
            usize::try_from(expected).is_ok_and(|had: usize| had >= unchanged && had <= paths.len())
        };
        if seen.is_some() && !loading.expected.is_none_or(has_all) {
            self.push_filter(id, &names);
        }
    }

    /// Tells a client that resumes which documents there are.
    fn push_filter(&mut self, id: i32, names: &[String]) {
        let count = i32::try_from(names.len()).unwrap_or(i32::MAX);
        let unchanged_names = Some(bloom_filter(names));
        self.ready.push_back(Response::filter(v1::ExistenceFilter { target_id: id, count, unchanged_names }));
    }

    /// The same for a query, where a client should have another number with what it was sent. Returns whether that was
    /// possible: not where there are so many that the whole result is to be sent instead, as fast as the client takes it.
    async fn filter(
        &mut self,
        id: i32,
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        expected: Option<i64>,
    ) -> Result<bool, Status> {
        let Some(expected) = expected else { return Ok(true) };
        let count = Results::open_with(session, database, query, &self.service.indexes)
            .await?
            .count(session, FILTER_COUNT_MAX + 1)
            .await?;
        if usize::try_from(expected).ok() == Some(count) && count <= FILTER_COUNT_MAX {
            return Ok(true);
        }
        if count > FILTER_NAMES_MAX {
            return Ok(false);
        }
        let mut names = Vec::new();
        let mut results = Results::open_with(session, database, query, &self.service.indexes).await?;
        while let Some(page) = results.page(session).await? {
            names.extend(page.iter().map(|found| found.path.name_in(database)));
        }
        self.push_filter(id, &names);
        Ok(true)
    }

    /// Loads the windows that are not known. Commits may take them apart again at once: then the next cut does without.
    pub(super) async fn load_windows(&mut self) -> Result<Version, Status> {
        let mut newest = Version::ZERO;
        let ids: Vec<i32> =
            self.targets.iter().filter(|(_, target)| target.has_window()).map(|(id, _)| *id).collect();
        for id in ids {
            for _ in 0..WINDOW_ATTEMPTS_MAX {
                let Some(view) = self.targets.get(&id).and_then(|target| target.registration.view()) else {
                    break;
                };
                if !self.hub().is_window_unknown(view) {
                    break;
                }
                match Box::pin(self.load_window(id, view)).await {
                    Ok(at) => newest = newest.max(at),
                    Err(status) => self.lose(id, status)?,
                }
            }
        }
        Ok(newest)
    }

    async fn load_window(&mut self, id: i32, view: u64) -> Result<Version, Status> {
        let service = Arc::clone(&self.service);
        let _turn = service.places.load(&self.caller).await?;
        // Others that listen to the same may have loaded it meanwhile.
        if !self.hub().is_window_unknown(view) {
            return Ok(Version::ZERO);
        }
        let database = self.database()?.clone();
        let Allowed { mut session, decided, is_literal, .. } = self.decide(id).await?;
        let Some(query) = self.targets.get(&id).and_then(|target| target.query()).cloned() else {
            return Ok(Version::ZERO);
        };
        let wanted = Window::wanted(&query);
        let mut results = Results::open_with(&mut session, &database, &wanted, &service.indexes).await?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some(page) = results.page(&mut session).await? {
            for document in page {
                let image = Image::of(&database, document);
                bytes += image.bytes();
                found.push(Arc::new(image));
            }
            if bytes > WINDOW_BYTES_MAX {
                return Err(status::window_too_large(WINDOW_BYTES_MAX));
            }
        }
        self.service.indexes.want(session.caller(), &database, results.wanted());
        let at = session.version();
        self.granted(id, session, decided, is_literal);
        if !self.hub().has_room_for_window(bytes) {
            return Err(status::windows_too_large());
        }
        self.hub().load_window(view, at, found)?;
        Ok(at)
    }

    /// What waits for the stream, with the windows of these targets.
    pub(super) fn take_cut(&self, wanted: &[i32]) -> Cut {
        let windows: BTreeMap<i32, u64> = self
            .targets
            .iter()
            .filter(|(_, target)| target.has_window())
            .filter_map(|(id, target)| Some((*id, target.registration.view()?)))
            .collect();
        self.hub().cut(&self.outbox, &windows, wanted)
    }
}
