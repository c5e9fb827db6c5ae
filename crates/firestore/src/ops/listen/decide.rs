//! The decisions of a stream: whether a target may be shown, asked when it begins and whenever its grant is stale.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::{Decided, Footprint, Grant, Session};
use base::{Code, DatabaseName, DocumentPath, ResourcePath, Status};
use kv::Version;
use policy::Method;
use policy::rules::Action;

use super::pump::Pump;
use super::state::keys;
use crate::listen::image::Image;
use crate::listen::target::Asked;
use crate::model::Stored;
use crate::ops::decide::decide_read;
use crate::ops::operation;
use crate::ops::query::{authorize_query, not_literal, query_path};
use crate::query::{self, Found, Query};

/// How long listeners may be behind a version that has been read.
const REACH_SECONDS_MAX: u64 = 20;

/// A target that may be shown: the session in which that was decided, and what it was decided on.
pub struct Allowed {
    /// The state that the decision saw.
    pub session: Session,
    /// For [`Pump::granted`].
    pub decided: Decided,
    /// See [`Grant::is_literal`].
    pub is_literal: bool,
    /// The documents of a documents target, in its order.
    pub documents: Vec<Option<Stored>>,
}

impl Pump {
    /// Has a target decided at the newest state. A denial is recorded; what is allowed is when the session ends.
    pub(super) async fn decide(&mut self, id: i32) -> Result<Allowed, Status> {
        let target = self.targets.get(&id).ok_or_else(no_target)?;
        let database = self.database()?;
        let generation = self.service.gate.rules().firestore.generation();
        let path = match &target.asked {
            Asked::Query { query, .. } => query_path(query),
            Asked::Documents(paths) => only(paths),
        };
        let mut session = self.service.gate.begin_open(&self.caller, operation("Listen", &path)).await?;
        if target.grant.is_some() {
            session.note("revoked", true.into());
        }
        let mut documents = Vec::new();
        let grant = match &target.asked {
            Asked::Query { query, .. } => Some(authorize_query(&mut session, database, query, false).await?),
            Asked::Documents(paths) => {
                let rows = session.get_many(&keys(database, paths)).await?;
                let mut last = None;
                for (path, row) in paths.iter().zip(rows) {
                    let stored = row.as_ref().map(Stored::from_row).transpose()?;
                    last = Some(decide_get(&mut session, database, path, stored.as_ref()).await?);
                    documents.push(stored);
                }
                last
            }
        };
        let at = session.version();
        let is_literal = grant.as_ref().is_some_and(Grant::is_literal);
        let footprint = grant.map(|grant| grant.footprint).unwrap_or_default();
        Ok(Allowed { session, decided: Decided { footprint, at, generation }, is_literal, documents })
    }

    /// A target was decided: from now on it is shown while that holds. The session's record is left where the grant is new.
    pub(super) fn granted(&mut self, id: i32, session: Session, decided: Decided, is_literal: bool) {
        let holder = self.holder();
        let Some(target) = self.targets.get_mut(&id) else { return };
        target.is_literal = is_literal;
        match &mut target.grant {
            Some(grant) => {
                grant.renew(&self.caller, decided, false);
                session.confirm();
            }
            None => {
                target.grant = Some(self.service.gate.open(&self.caller, decided, holder));
                session.finish();
            }
        }
    }

    /// Whether the time alone can end a grant of this stream.
    pub(super) fn depends_on_time(&self) -> bool {
        let mut grants = self.targets.values().filter_map(|target| target.grant.as_ref());
        grants.any(access::OpenGrant::depends_on_time)
    }

    /// Has decided again what is stale, and at times what depends on the time. What is lost ends.
    pub(super) async fn decide_stale(&mut self, time_too: bool) -> Result<(), Status> {
        let generation = self.service.gate.rules().firestore.generation();
        let stale = self.targets.iter().filter(|(_, target)| {
            target
                .grant
                .as_ref()
                .is_some_and(|grant| grant.is_stale(generation) || time_too && grant.depends_on_time())
        });
        let stale: Vec<i32> = stale.map(|(id, _)| *id).collect();
        for id in stale {
            if let Some(grant) = self.targets.get(&id).and_then(|target| target.grant.as_ref()) {
                grant.begin();
            }
            match Box::pin(self.decide(id)).await {
                Ok(Allowed { session, decided, is_literal, .. }) => {
                    self.granted(id, session, decided, is_literal);
                }
                Err(status) => self.lose(id, status)?,
            }
        }
        Ok(())
    }

    /// Has the new states of a documents target's documents decided.
    pub(super) async fn decide_images(&mut self, id: i32, images: &[Arc<Image>]) -> Result<(), Status> {
        if self.caller.is_admin() {
            return Ok(());
        }
        let generation = self.service.gate.rules().firestore.generation();
        let path = match images {
            [image] => image.path.as_path().clone(),
            _ => ResourcePath::ROOT,
        };
        let mut session = self.service.gate.begin_open(&self.caller, operation("Listen", &path)).await?;
        session.note("revoked", true.into());
        let mut footprint = Footprint::default();
        for image in images {
            let grant = decide_get(&mut session, &image.database, &image.path, image.stored.as_ref()).await?;
            footprint = grant.footprint;
        }
        let at = session.version();
        if let Some(grant) = self.targets.get_mut(&id).and_then(|target| target.grant.as_mut()) {
            grant.renew(&self.caller, Decided { footprint, at, generation }, true);
        }
        session.confirm();
        Ok(())
    }

    /// Which of these documents, which are in no target of the stream any more, its caller may still get. Nobody asked: it leaves
    /// no record.
    pub(super) async fn may_get(
        &mut self,
        images: &[Arc<Image>],
    ) -> Result<HashMap<DocumentPath, bool>, Status> {
        let mut may = HashMap::new();
        if images.is_empty() || self.caller.is_admin() {
            may.extend(images.iter().map(|image| (image.path.clone(), true)));
            return Ok(may);
        }
        let mut session =
            self.service.gate.begin_open(&self.caller, operation("Listen", &ResourcePath::ROOT)).await?;
        for image in images {
            let decided = decide_get(&mut session, &image.database, &image.path, image.stored.as_ref()).await;
            let is_allowed = match decided {
                Ok(_) => true,
                Err(status) if status.code == Code::PermissionDenied => false,
                Err(fault) => {
                    session.discard();
                    return Err(fault);
                }
            };
            may.insert(image.path.clone(), is_allowed);
        }
        session.discard();
        Ok(may)
    }

    /// Ends a target that found what its rules allow only literally.
    pub(super) async fn check_literal(
        &mut self,
        id: i32,
        query: &Query,
        image: &Image,
    ) -> Result<bool, Status> {
        let Some(stored) = &image.stored else { return Ok(true) };
        let found = Found { path: image.path.clone(), stored: stored.clone() };
        if query::finds_literally(&image.database, query, &found)? {
            return Ok(true);
        }
        match self.decide(id).await {
            Ok(Allowed { mut session, .. }) => {
                let denied = not_literal(&mut session);
                session.finish();
                self.lose(id, denied)?;
            }
            Err(status) => self.lose(id, status)?,
        }
        Ok(false)
    }

    /// The version that a session sees is waited for: commits up to it have been taken in.
    ///
    /// Errors: `UNAVAILABLE` when that takes too long.
    pub(super) async fn reached(&mut self, version: Version) -> Result<(), Status> {
        if version <= self.sent {
            return Ok(());
        }
        let hub = Arc::clone(self.hub());
        let reached =
            tokio::time::timeout(Duration::from_secs(REACH_SECONDS_MAX), hub.reached(version)).await;
        reached.map_err(|_| Status::unavailable("The service is currently unavailable."))
    }
}

async fn decide_get(
    session: &mut Session,
    database: &DatabaseName,
    path: &DocumentPath,
    stored: Option<&Stored>,
) -> Result<Grant, Status> {
    let fields = match stored {
        Some(stored) if !session.caller().is_admin() => Some(stored.fields()?),
        _ => None,
    };
    let resource = fields.as_ref().map(|fields| policy::Document { fields });
    let action = Action::new(Method::Get, &database.database, path.segments());
    decide_read(session, database, &Action { resource, ..action }).await
}

/// What documents are about, for the record.
fn only(paths: &[DocumentPath]) -> ResourcePath {
    match paths {
        [path] => path.as_path().clone(),
        _ => ResourcePath::ROOT,
    }
}

fn no_target() -> Status {
    crate::ops::internal("a target that is not there")
}
