//! Releases: which ruleset is in force by which name.
//!
//! Invariant: what is durable is in force. A release that has begun ends, whether or not somebody still waits for it,
//! and the next one begins after it.

use std::sync::Arc;

use access::{Caller, Permit, Session};
use base::Status;
use policy::{Service as Language, Source};

use super::{RELEASES_MAX, check, page, source_of};
use crate::model::names::ruleset_id;
use crate::model::resource::{Listed, Release};
use crate::model::row::{ReleaseRow, all_releases, decode, encode, name_of, release_key, source_key};
use crate::model::source::{CompiledSource, compile};
use crate::{Deploy, FIRESTORE_RELEASE, status};

/// Whether a release must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It must not: a release is made.
    Absent,
    /// It must: a release is changed.
    Present,
}

/// Deployed rules that are in force again after a start.
#[derive(Debug)]
pub struct Restored {
    /// The release.
    pub release: &'static str,
    /// The ruleset's id.
    pub ruleset: String,
    /// Its text.
    pub source: Source,
}

/// The service whose rules a release's name asks for.
fn service_of(name: &str) -> Option<Language> {
    let service = name.split('/').next().unwrap_or_default();
    [Language::Firestore, Language::Storage].into_iter().find(|known| known.name() == service)
}

/// Runs whether or not somebody still waits for it.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(status::ended_early(&error)))
}

impl Deploy {
    /// One release.
    pub async fn get_release(&self, caller: &Caller, project: &str, name: &str) -> Result<Release, Status> {
        let (mut session, _) = self.begin(caller, project, "GetRelease", format!("/releases/{name}")).await?;
        let row = session.get(&release_key(project, name)).await?.ok_or_else(status::not_found)?;
        session.finish();
        Ok(Release::new(project, name, &decode(&row)?))
    }

    /// Releases in the order of their names.
    pub async fn list_releases(
        &self,
        caller: &Caller,
        project: &str,
        size: Option<usize>,
        token: Option<&str>,
    ) -> Result<Listed<Release>, Status> {
        let (mut session, _) = self.begin(caller, project, "ListReleases", "/releases".to_owned()).await?;
        let mut range = all_releases(project);
        if let Some(token) = token {
            range.start = release_key(project, token).successor();
        }
        let page = page(&mut session, range, size, false).await?;
        session.finish();
        let mut entries = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            entries.push(Release::new(project, &name_of(project, row), &decode(row)?));
        }
        let next_page_token = page.next.and(page.rows.last()).map(|row| name_of(project, row));
        Ok(Listed { entries, next_page_token })
    }

    /// Makes a release name a ruleset. The rules of Firestore's default database are in force when this returns.
    ///
    /// Once begun it ends, also when the caller of this has gone: what is durable must be in force.
    pub async fn release(
        self: &Arc<Self>,
        caller: &Caller,
        project: &str,
        name: &str,
        ruleset_name: &str,
        existing: Existing,
    ) -> Result<Release, Status> {
        let (deploy, caller) = (Arc::clone(self), caller.clone());
        let (project, name, ruleset) = (project.to_owned(), name.to_owned(), ruleset_name.to_owned());
        to_the_end(
            async move { deploy.release_to_the_end(&caller, &project, &name, &ruleset, existing).await },
        )
        .await
    }

    async fn release_to_the_end(
        &self,
        caller: &Caller,
        project: &str,
        name: &str,
        ruleset_name: &str,
        existing: Existing,
    ) -> Result<Release, Status> {
        let _in_order = self.releasing.lock().await;
        let verb = if existing == Existing::Absent { "CreateRelease" } else { "UpdateRelease" };
        let now = self.gate.clock().now_micros();
        let by = caller.id().unwrap_or_default();
        let release = |mut session: Session, permit: Permit| async move {
            let before = before(&mut session, project, name, existing).await?;
            let id = ruleset_id(project, ruleset_name)?;
            let compiled = releasable(&mut session, project, name, &id).await?;
            let row = ReleaseRow {
                ruleset: id.clone(),
                created_micros: before.map_or(now, |before| before.created_micros),
                updated_micros: now,
                by: by.to_owned(),
            };
            session.write(&permit, release_key(project, name), Some(encode(&row)?));
            session.note("ruleset", id.into());
            Ok((session, (row, compiled.source)))
        };
        let (row, source) = self.change(caller, project, verb, format!("/releases/{name}"), release).await?;
        self.put_in_force(project, name, Some(source))?;
        Ok(Release::new(project, name, &row))
    }

    /// Deletes a release. Without one for Firestore the rules file decides again. Once begun it ends.
    pub async fn delete_release(
        self: &Arc<Self>,
        caller: &Caller,
        project: &str,
        name: &str,
    ) -> Result<(), Status> {
        let (deploy, caller) = (Arc::clone(self), caller.clone());
        let (project, name) = (project.to_owned(), name.to_owned());
        to_the_end(async move { deploy.delete_release_to_the_end(&caller, &project, &name).await }).await
    }

    async fn delete_release_to_the_end(
        &self,
        caller: &Caller,
        project: &str,
        name: &str,
    ) -> Result<(), Status> {
        let _in_order = self.releasing.lock().await;
        let delete = |mut session: Session, permit: Permit| async move {
            let key = release_key(project, name);
            session.get(&key).await?.ok_or_else(status::not_found)?;
            session.write(&permit, key, None);
            Ok((session, ()))
        };
        self.change(caller, project, "DeleteRelease", format!("/releases/{name}"), delete).await?;
        self.put_in_force(project, name, None)
    }

    fn put_in_force(&self, project: &str, name: &str, source: Option<Source>) -> Result<(), Status> {
        let rules = &self.gate.rules().firestore;
        let part = match name.strip_prefix(FIRESTORE_RELEASE) {
            Some("") => None,
            Some(rest) if rest.len() > 1 && rest.starts_with('/') => rest.get(1..),
            _ => return Ok(()),
        };
        let of_dev = part.map_or_else(|| project.to_owned(), |part| format!("{project}/{part}"));
        let loaded = match (self.gate.mode().dev(), source, part) {
            (Some(permit), Some(source), _) => rules.load_for(permit, &of_dev, source),
            (Some(permit), None, _) => {
                rules.forget(permit, &of_dev);
                Ok(Vec::new())
            }
            (None, Some(source), None) => rules.deploy(source),
            (None, Some(source), Some(part)) => rules.deploy_for(part, source),
            (None, None, None) => {
                rules.withdraw();
                Ok(Vec::new())
            }
            (None, None, Some(part)) => {
                rules.withdraw_from(part);
                Ok(Vec::new())
            }
        };
        loaded.map(drop).map_err(|error| status::refused_at_last(&error))
    }

    /// The same for the databases beside the default one.
    async fn restore_parts(&self) -> Result<(), Status> {
        let resource = "/releases".to_owned();
        let (mut session, _) =
            self.begin(&Caller::admin("deploy"), &self.project, "ListReleases", resource).await?;
        let rows = session.all(all_releases(&self.project), RELEASES_MAX).await?;
        for row in rows {
            let name = name_of(&self.project, &row);
            let Some(part) = name.strip_prefix(FIRESTORE_RELEASE).and_then(|rest| rest.strip_prefix('/'))
            else {
                continue;
            };
            let released: ReleaseRow = decode(&row)?;
            let compiled = compile(&source_of(&mut session, &self.project, &released.ruleset).await?)?;
            check(&compiled)?;
            let deployed = self.gate.rules().firestore.deploy_for(part, compiled.source);
            deployed.map_err(|error| status::released_with_errors(&error))?;
        }
        // Nobody asked.
        session.discard();
        Ok(())
    }

    /// Puts what production has released in force again, at start. `None` where nothing is released.
    pub async fn restore(&self) -> Result<Option<Restored>, Status> {
        self.restore_parts().await?;
        let Some(row) = self.gate.peek(&release_key(&self.project, FIRESTORE_RELEASE)).await? else {
            return Ok(None);
        };
        let row: ReleaseRow = decode(&row)?;
        let stored = self.gate.peek(&source_key(&self.project, &row.ruleset)).await?;
        let compiled = compile(&decode(&stored.ok_or_else(status::not_found)?)?)?;
        check(&compiled)?;
        let source = compiled.source;
        let deployed = self.gate.rules().firestore.deploy(source.clone());
        deployed.map_err(|error| status::released_with_errors(&error))?;
        Ok(Some(Restored { release: FIRESTORE_RELEASE, ruleset: row.ruleset, source }))
    }
}

/// The release as it is, which must be there or not as is asked.
async fn before(
    session: &mut Session,
    project: &str,
    name: &str,
    existing: Existing,
) -> Result<Option<ReleaseRow>, Status> {
    match (session.get(&release_key(project, name)).await?, existing) {
        (Some(_), Existing::Absent) => Err(status::already_exists()),
        (None, Existing::Present) => Err(status::not_found()),
        (None, Existing::Absent) => {
            let kept = session.all(all_releases(project), RELEASES_MAX).await?.len();
            if kept >= RELEASES_MAX { Err(status::too_many_releases(RELEASES_MAX)) } else { Ok(None) }
        }
        (Some(row), Existing::Present) => decode(&row).map(Some),
    }
}

/// A stored ruleset, compiled: it has no errors, and rules for what the release's name says.
async fn releasable(
    session: &mut Session,
    project: &str,
    name: &str,
    id: &str,
) -> Result<CompiledSource, Status> {
    let compiled = compile(&source_of(session, project, id).await?)?;
    check(&compiled)?;
    match service_of(name) {
        Some(service) if compiled.ruleset(service).is_none() => Err(status::no_rules_for(service, name)),
        _ => Ok(compiled),
    }
}
