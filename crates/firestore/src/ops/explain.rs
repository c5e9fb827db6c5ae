//! Query explain: the plan of a query and, when it is run, what that took.
//!
//! For administrators: the figures say something of documents and indexes that the rules may hide from a caller.

use std::time::Duration;

use access::{Caller, Session};
use base::{DatabaseName, Status};
use tokio::time::{Instant, sleep};
use wire::v1::{self, ExplainMetrics, ExplainOptions, PlanSummary};

use super::Firestore;
use super::query::query_path;
use crate::query::explain::{Outcome, metrics};
use crate::query::{Query, Results, plan};
use crate::status;

/// How long a query that is explained waits for an index that is being made for it.
const INDEX_WAIT: Duration = Duration::from_secs(10);
/// How often it looks.
const INDEX_POLL: Duration = Duration::from_millis(20);

/// A query that is run and explained.
pub(super) struct Explained {
    plan: PlanSummary,
    begun_micros: i64,
    given: usize,
    /// The newest response: the last one carries the report.
    held: Option<v1::RunQueryResponse>,
}

/// What to do about a query.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Run it.
    Result,
    /// Say how it would be run.
    Plan,
    /// Run it and say how that went.
    Analysis,
}

impl From<Option<ExplainOptions>> for Asked {
    fn from(options: Option<ExplainOptions>) -> Self {
        match options {
            None => Asked::Result,
            Some(ExplainOptions { analyze: false }) => Asked::Plan,
            Some(ExplainOptions { analyze: true }) => Asked::Analysis,
        }
    }
}

/// The answer to those who ask for the plan alone.
pub(super) fn plan_alone(plan: PlanSummary) -> ExplainMetrics {
    ExplainMetrics { plan_summary: Some(plan), execution_stats: None }
}

impl Explained {
    /// The answer to those who ask for the plan alone.
    pub fn plan_alone(&self) -> ExplainMetrics {
        plan_alone(self.plan.clone())
    }

    pub fn new(plan: PlanSummary, begun_micros: i64) -> Self {
        Self { plan, begun_micros, given: 0, held: None }
    }

    /// Holds the last of these responses back and gives the others.
    pub fn pass(&mut self, mut page: Vec<v1::RunQueryResponse>) -> Vec<v1::RunQueryResponse> {
        self.given += page.iter().filter(|response| response.document.is_some()).count();
        let Some(last) = page.pop() else { return page };
        let before = self.held.replace(last);
        before.into_iter().chain(page).collect()
    }

    /// The last response, with the report; `None` when it was given already.
    pub fn last(
        &mut self,
        asked: &Query,
        results: &Results,
        now_micros: i64,
    ) -> Option<v1::RunQueryResponse> {
        let mut last = self.held.take()?;
        let outcome = Outcome::Documents { given: self.given, skipped: results.skipped() };
        let took = elapsed(self.begun_micros, now_micros);
        last.explain_metrics = Some(metrics(asked, self.plan.clone(), results.scanned(), outcome, took));
        Some(last)
    }
}

pub(super) fn elapsed(begun_micros: i64, now_micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(now_micros.saturating_sub(begun_micros)).unwrap_or(0).max(1))
}

impl Firestore {
    /// Lets a query be explained, or denies it.
    pub(super) fn allow_explaining(session: &mut Session, asked: &Query) -> Result<(), Status> {
        let path = format!("/{}", query_path(asked));
        session.authorize_admin(&path).map(|_| ()).map_err(status::refused)
    }

    /// Has the indexes that a query would like made, as far as that is allowed, and waits for them a while: the plan is to
    /// be the one that the query has when it is run often.
    pub(super) async fn prepare_indexes(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        asked: &Query,
    ) -> Result<(), Status> {
        let Some(group) = asked.scope.group_id().filter(|_| caller.is_admin()) else { return Ok(()) };
        let wanted = plan::wanted(asked);
        let until = Instant::now() + INDEX_WAIT;
        while !wanted.is_empty() && Instant::now() < until {
            let definitions = self.indexes.of_group(caller, database, group).await?;
            let lacks = |shape: &&_| !plan::is_served(asked, shape, &definitions);
            let lacking: Vec<_> = wanted.iter().filter(lacks).cloned().collect();
            if lacking.is_empty() || !self.indexes.want(caller, database, &lacking) {
                break;
            }
            sleep(INDEX_POLL).await;
        }
        Ok(())
    }
}
