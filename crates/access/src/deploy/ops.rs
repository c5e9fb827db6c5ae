//! The verbs: make, look at, release and delete rules, and test them.

use std::sync::Arc;

use base::{Code, Status};
use kv::{KeyRange, Scan};
use policy::coverage::{Issue, issues};
use policy::{Service as Language, Source};
use serde::Serialize;

use super::model::{
    CompiledSource, ReleaseRow, RulesSource, RulesetRow, all_releases, all_rulesets, compile, decode, encode,
    name_of, new_ruleset_id, release_key, ruleset_key, source_key, told,
};
use super::names::ruleset_id;
use super::suite::TestSuite;
use super::testing::{TestResult, run};
use super::{Deploy, FIRESTORE_RELEASE};
use crate::authorize::Permit;
use crate::caller::Caller;
use crate::gate::{Operation, Service};
use crate::refusal::Refusal;
use crate::session::{CommitFailure, Session};

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

/// A ruleset as it is told. Lists leave the source out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruleset {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<RulesSource>,
    create_time: String,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
struct Metadata {
    services: Vec<String>,
}

/// A release as it is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    name: String,
    ruleset_name: String,
    create_time: String,
    update_time: String,
}

/// A page of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next page begins.
    pub next_page_token: Option<String>,
}

impl<T> Listed<T> {
    /// Its parts.
    pub fn entries_and_token(self) -> (Vec<T>, Option<String>) {
        (self.entries, self.next_page_token)
    }
}

/// What a test came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    issues: Vec<Issue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    test_results: Vec<TestResult>,
}

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
    /// The ruleset's id.
    pub ruleset: String,
    /// Its text.
    pub source: Source,
}

/// A denial in the words of the real service.
fn refused(refusal: Refusal) -> Status {
    refusal.status(|_| "Missing or insufficient permissions.".to_owned())
}

fn not_found() -> Status {
    Status::new(Code::NotFound, "Requested entity was not found.")
}

fn contention() -> Status {
    Status::new(Code::Aborted, "Others are changing the same rules. Try again.")
}

fn ruleset(project: &str, id: &str, row: RulesetRow, source: Option<RulesSource>) -> Ruleset {
    Ruleset {
        name: format!("projects/{project}/rulesets/{id}"),
        source,
        create_time: told(row.created_micros),
        metadata: Metadata { services: row.services },
    }
}

fn release(project: &str, name: &str, row: &ReleaseRow) -> Release {
    Release {
        name: format!("projects/{project}/releases/{name}"),
        ruleset_name: format!("projects/{project}/rulesets/{}", row.ruleset),
        create_time: told(row.created_micros),
        update_time: told(row.updated_micros),
    }
}

/// Runs whether or not somebody still waits for it.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a release of rules ended early");
        Err(Status::new(Code::Internal, "Internal error encountered."))
    })
}

/// The service whose rules a release's name asks for.
fn service_of(name: &str) -> Option<Language> {
    let service = name.split('/').next().unwrap_or_default();
    [Language::Firestore, Language::Storage].into_iter().find(|known| known.name() == service)
}

/// Refuses a source with errors, in the words of the official tools.
fn check(compiled: &CompiledSource) -> Result<(), Status> {
    if !compiled.rulesets.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = issues(&compiled.source, &compiled.diagnostics)
        .into_iter()
        .filter(|issue| issue.severity == policy::coverage::IssueSeverity::Error)
        .map(|issue| {
            let place = issue.source_position;
            format!("L{}:{} {}", place.line, place.column, issue.description)
        })
        .collect();
    Err(Status::invalid(format!("Error compiling rules:\n{}", lines.join("\n"))))
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
        let permit = session.authorize_admin(&resource).map_err(refused)?;
        if self.gate.mode().dev().is_none() && project != self.project {
            let text = format!("The project `{project}` is not served here.");
            return Err(Status::new(Code::PermissionDenied, text));
        }
        Ok((session, permit))
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
        let refused = session.authorize_admin(&resource).map(drop).map_err(refused);
        session.finish();
        refused
    }

    /// Stores rules. They decide nothing before they are released.
    pub async fn create_ruleset(
        &self,
        caller: &Caller,
        project: &str,
        source: RulesSource,
    ) -> Result<Ruleset, Status> {
        for _ in 0..ATTEMPTS_MAX {
            let now = self.gate.clock().now_micros();
            let id = new_ruleset_id(now)?;
            let (mut session, permit) =
                self.begin(caller, project, "CreateRuleset", format!("/rulesets/{id}")).await?;
            let compiled = compile(&source)?;
            check(&compiled)?;
            let kept = self.all(&mut session, all_rulesets(project), RULESETS_MAX).await?.len();
            if kept >= RULESETS_MAX {
                let text = format!("The project has {RULESETS_MAX} rulesets. Delete some.");
                return Err(Status::new(Code::ResourceExhausted, text));
            }
            let row = RulesetRow {
                created_micros: now,
                services: compiled.services(),
                by: caller.id().unwrap_or_default().to_owned(),
            };
            session.write(&permit, ruleset_key(project, &id), Some(encode(&row)?));
            session.write(&permit, source_key(project, &id), Some(encode(&source)?));
            session.note("files", source.files.iter().map(|file| file.name.clone()).collect());
            match session.commit().await {
                Ok(_) => return Ok(ruleset(project, &id, row, Some(source))),
                Err(CommitFailure::Conflict) => {}
                Err(CommitFailure::Failed(status)) => return Err(status),
            }
        }
        Err(contention())
    }

    /// One ruleset with its source.
    pub async fn get_ruleset(&self, caller: &Caller, project: &str, id: &str) -> Result<Ruleset, Status> {
        let (mut session, _) = self.begin(caller, project, "GetRuleset", format!("/rulesets/{id}")).await?;
        let row = session.get(&ruleset_key(project, id)).await?.ok_or_else(not_found)?;
        let source = self.source(&mut session, project, id).await?;
        session.finish();
        Ok(ruleset(project, id, decode(&row)?, Some(source)))
    }

    async fn source(&self, session: &mut Session, project: &str, id: &str) -> Result<RulesSource, Status> {
        let row = session.get(&source_key(project, id)).await?.ok_or_else(not_found)?;
        decode(&row)
    }

    /// Rulesets, the newest first.
    pub async fn list_rulesets(
        &self,
        caller: &Caller,
        project: &str,
        size: Option<usize>,
        token: Option<&str>,
    ) -> Result<Listed<Ruleset>, Status> {
        let (mut session, _) = self.begin(caller, project, "ListRulesets", "/rulesets".to_owned()).await?;
        let mut range = all_rulesets(project);
        if let Some(token) = token {
            range.end = ruleset_key(project, token);
        }
        let page = self.page(&mut session, range, size, true).await?;
        session.finish();
        let mut entries = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            entries.push(ruleset(project, &name_of(project, row), decode(row)?, None));
        }
        let next_page_token = page.next.and(page.rows.last()).map(|row| name_of(project, row));
        Ok(Listed { entries, next_page_token })
    }

    /// Deletes a ruleset that no release names.
    pub async fn delete_ruleset(&self, caller: &Caller, project: &str, id: &str) -> Result<(), Status> {
        for _ in 0..ATTEMPTS_MAX {
            let (mut session, permit) =
                self.begin(caller, project, "DeleteRuleset", format!("/rulesets/{id}")).await?;
            session.get(&ruleset_key(project, id)).await?.ok_or_else(not_found)?;
            for row in self.all(&mut session, all_releases(project), RELEASES_MAX).await? {
                if decode::<ReleaseRow>(&row)?.ruleset == id {
                    let name = name_of(project, &row);
                    let text = format!("The ruleset is released as `{name}`. Release another one first.");
                    return Err(Status::new(Code::FailedPrecondition, text));
                }
            }
            session.write(&permit, ruleset_key(project, id), None);
            session.write(&permit, source_key(project, id), None);
            match session.commit().await {
                Ok(_) => return Ok(()),
                Err(CommitFailure::Conflict) => {}
                Err(CommitFailure::Failed(status)) => return Err(status),
            }
        }
        Err(contention())
    }

    /// One release.
    pub async fn get_release(&self, caller: &Caller, project: &str, name: &str) -> Result<Release, Status> {
        let (mut session, _) = self.begin(caller, project, "GetRelease", format!("/releases/{name}")).await?;
        let row = session.get(&release_key(project, name)).await?.ok_or_else(not_found)?;
        session.finish();
        Ok(release(project, name, &decode(&row)?))
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
        let page = self.page(&mut session, range, size, false).await?;
        session.finish();
        let mut entries = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            entries.push(release(project, &name_of(project, row), &decode(row)?));
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
        for _ in 0..ATTEMPTS_MAX {
            let (mut session, permit) =
                self.begin(caller, project, verb, format!("/releases/{name}")).await?;
            let key = release_key(project, name);
            let before: Option<ReleaseRow> = match (session.get(&key).await?, existing) {
                (Some(_), Existing::Absent) => {
                    return Err(Status::new(Code::AlreadyExists, "Requested entity already exists."));
                }
                (None, Existing::Present) => return Err(not_found()),
                (None, Existing::Absent) => {
                    if self.all(&mut session, all_releases(project), RELEASES_MAX).await?.len()
                        >= RELEASES_MAX
                    {
                        let text = format!("The project has {RELEASES_MAX} releases. Delete some.");
                        return Err(Status::new(Code::ResourceExhausted, text));
                    }
                    None
                }
                (Some(row), Existing::Present) => Some(decode(&row)?),
            };
            let id = ruleset_id(project, ruleset_name)?;
            let source = self.source(&mut session, project, &id).await?;
            let compiled = compile(&source)?;
            check(&compiled)?;
            if let Some(service) = service_of(name)
                && compiled.ruleset(service).is_none()
            {
                let text = format!("The ruleset has no `service {}`, which `{name}` needs.", service.name());
                return Err(Status::invalid(text));
            }
            let now = self.gate.clock().now_micros();
            let row = ReleaseRow {
                ruleset: id.clone(),
                created_micros: before.map_or(now, |before| before.created_micros),
                updated_micros: now,
                by: caller.id().unwrap_or_default().to_owned(),
            };
            session.write(&permit, key, Some(encode(&row)?));
            session.note("ruleset", id.into());
            match session.commit().await {
                Ok(_) => {
                    self.put_in_force(project, name, Some(compiled.source))?;
                    return Ok(release(project, name, &row));
                }
                Err(CommitFailure::Conflict) => {}
                Err(CommitFailure::Failed(status)) => return Err(status),
            }
        }
        Err(contention())
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
        for _ in 0..ATTEMPTS_MAX {
            let (mut session, permit) =
                self.begin(caller, project, "DeleteRelease", format!("/releases/{name}")).await?;
            let key = release_key(project, name);
            session.get(&key).await?.ok_or_else(not_found)?;
            session.write(&permit, key, None);
            match session.commit().await {
                Ok(_) => return self.put_in_force(project, name, None),
                Err(CommitFailure::Conflict) => {}
                Err(CommitFailure::Failed(status)) => return Err(status),
            }
        }
        Err(contention())
    }

    fn put_in_force(&self, project: &str, name: &str, source: Option<Source>) -> Result<(), Status> {
        if name != FIRESTORE_RELEASE {
            return Ok(());
        }
        let rules = &self.gate.rules().firestore;
        let loaded = match (self.gate.mode().dev(), source) {
            (Some(permit), Some(source)) => rules.load_for(permit, project, source),
            (Some(permit), None) => {
                rules.forget(permit, project);
                Ok(Vec::new())
            }
            (None, Some(source)) => rules.deploy(source),
            (None, None) => {
                rules.withdraw();
                Ok(Vec::new())
            }
        };
        loaded.map(drop).map_err(|error| {
            tracing::error!(%error, "released rules did not compile the second time");
            Status::new(Code::Internal, "Internal error encountered.")
        })
    }

    /// Puts what production has released in force again, at start. `None` where nothing is released.
    pub async fn restore(&self) -> Result<Option<Restored>, Status> {
        let Some(row) = self.gate.peek(&release_key(&self.project, FIRESTORE_RELEASE)).await? else {
            return Ok(None);
        };
        let row: ReleaseRow = decode(&row)?;
        let stored = self.gate.peek(&source_key(&self.project, &row.ruleset)).await?.ok_or_else(not_found)?;
        let compiled = compile(&decode(&stored)?)?;
        check(&compiled)?;
        let source = compiled.source;
        self.gate.rules().firestore.deploy(source.clone()).map_err(|error| {
            Status::new(Code::FailedPrecondition, format!("the released rules have errors: {error}"))
        })?;
        Ok(Some(Restored { ruleset: row.ruleset, source }))
    }

    /// Tests a source, or a stored ruleset. With errors in the source there are no results, only issues.
    pub async fn test(
        &self,
        caller: &Caller,
        project: &str,
        id: Option<&str>,
        source: Option<RulesSource>,
        suite: TestSuite,
    ) -> Result<Tested, Status> {
        let resource = id.map_or_else(|| "/rules".to_owned(), |id| format!("/rulesets/{id}"));
        let (mut session, _) = self.begin(caller, project, "TestRuleset", resource).await?;
        let source = match (id, source) {
            (Some(id), None) => self.source(&mut session, project, id).await?,
            (None, Some(source)) => source,
            (None, None) => return Err(Status::invalid("`source` is missing.")),
            (Some(_), Some(_)) => {
                return Err(Status::invalid("A stored ruleset is tested as it is: leave `source` out."));
            }
        };
        let cases = suite.cases(session.now())?;
        session.finish();
        // Compiling and deciding many cases takes a while: other requests go on meanwhile.
        let tested = tokio::task::spawn_blocking(move || {
            let compiled = compile(&source)?;
            let issues = issues(&compiled.source, &compiled.diagnostics);
            let test_results = match compiled.rulesets.is_empty() {
                true => Vec::new(),
                false => cases.iter().map(|case| run(&compiled, case)).collect(),
            };
            Ok(Tested { issues, test_results })
        });
        tested.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a test of rules ended early");
            Err(Status::new(Code::Internal, "Internal error encountered."))
        })
    }

    /// All rows of a range, and no more than a limit.
    async fn all(
        &self,
        session: &mut Session,
        range: KeyRange,
        rows_max: usize,
    ) -> Result<Vec<kv::Row>, Status> {
        let mut rows = Vec::new();
        let mut rest = Some(range);
        while let Some(range) = rest.filter(|_| rows.len() < rows_max) {
            let page = session.scan(&range, Scan::default()).await?;
            rows.extend(page.rows);
            rest = page.next;
        }
        Ok(rows)
    }

    async fn page(
        &self,
        session: &mut Session,
        range: KeyRange,
        size: Option<usize>,
        reverse: bool,
    ) -> Result<kv::Page, Status> {
        let rows_max = match size {
            None | Some(0) => PAGE_ENTRIES_USUAL,
            Some(size) => size.min(PAGE_ENTRIES_MAX),
        };
        if range.is_empty() {
            return Ok(kv::Page::default());
        }
        session.scan(&range, Scan { rows_max, reverse, ..Scan::default() }).await
    }
}
