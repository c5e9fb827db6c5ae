//! How many requests had which token: kept for a week, so that it is known what enforcement would do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::{AppVerdict, Attempts, Caller, Counted, Enforcement, Session};
use base::Status;
use serde::{Deserialize, Serialize};

use super::services::IDS;
use super::{ATTEMPTS_MAX, operation};
use crate::model::rows::{counts_before, counts_from, counts_key, decode, encode};
use crate::{AppCheck, status};

/// How often counts are stored.
const STORED_EVERY: Duration = Duration::from_secs(60);
/// How long they are kept.
const KEPT_HOURS: i64 = 7 * 24;
const RESOURCE: &str = "/counts";

/// What was counted of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCounts {
    /// Its name on the command line.
    pub service: String,
    /// Its name at Google.
    pub id: String,
    /// What it requires.
    pub enforcement: Enforcement,
    /// Requests with a token of an app of this project.
    pub valid: u64,
    /// Requests with a token that is no good.
    pub invalid: u64,
    /// Requests without one.
    pub missing: u64,
    /// The valid ones by app.
    pub apps: Vec<AppCount>,
}

/// Requests of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCount {
    /// Its id; empty: of apps beyond the number that is counted one by one.
    pub app: String,
    /// How many.
    pub requests: u64,
}

type Counts = BTreeMap<Counted, u64>;

impl AppCheck {
    /// Stores counts and forgets used-up tokens that are over, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        loop {
            if let Err(status) = self.forget_used_tokens().await
                && !super::replay::is_passing(&status)
            {
                tracing::error!(%status, "App Check tokens that are over could not be forgotten");
            }
            tokio::time::sleep(STORED_EVERY).await;
            if let Err(status) = self.store_counts().await {
                tracing::warn!(%status, "counts of App Check could not be stored; they are tried again");
            }
        }
    }

    async fn store_counts(&self) -> Result<(), Status> {
        let taken = self.gate.app_checks().take_counts();
        if taken.is_empty() {
            return Ok(());
        }
        let hour = self.now_s().div_euclid(3600);
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let new = &taken;
        let work = |mut session: Session| async move {
            let permit = session.authorize_admin(RESOURCE).map_err(status::refused)?;
            let stored = session.get(&counts_key(hour)).await?;
            let mut counts: Counts = BTreeMap::new();
            if let Some(row) = stored {
                counts.extend(decode::<Vec<(Counted, u64)>>(&row)?);
            }
            new.iter().for_each(|(counted, number)| *counts.entry(counted.clone()).or_default() += number);
            let counts: Vec<(Counted, u64)> = counts.into_iter().collect();
            session.write(&permit, counts_key(hour), Some(encode(&counts)?));
            for row in session.all(counts_before(hour - KEPT_HOURS), usize::MAX).await? {
                session.write(&permit, row.key, None);
            }
            Ok::<_, Status>((session, ()))
        };
        let hearth = Caller::admin("hearth");
        let stored = self.gate.transact(&hearth, &operation("storeCounts", RESOURCE), attempts, work).await;
        if let Err(status) = stored {
            self.gate.app_checks().give_back(taken);
            return Err(status);
        }
        Ok(())
    }

    /// What was counted in the last hours, for every service.
    pub async fn counts(&self, caller: &Caller, hours: i64) -> Result<Vec<ServiceCounts>, Status> {
        let (mut session, _) = self.begin(caller, "readCounts", RESOURCE).await?;
        let from = self.now_s().div_euclid(3600) + 1 - hours.clamp(1, KEPT_HOURS);
        let mut counts: Counts = self.gate.app_checks().counts();
        for row in session.all(counts_from(from), usize::MAX).await? {
            for (counted, number) in decode::<Vec<(Counted, u64)>>(&row)? {
                *counts.entry(counted).or_default() += number;
            }
        }
        session.finish();
        let of = |(service, id, name): &(access::Service, &str, &str)| {
            let own = || counts.iter().filter(|(counted, _)| counted.service == service.name());
            let sum = |verdict: AppVerdict| {
                own().filter(|(counted, _)| counted.verdict == verdict).map(|(_, number)| number).sum()
            };
            let apps = own().filter(|(counted, _)| counted.verdict == AppVerdict::Valid);
            let apps = apps.map(|(counted, number)| AppCount { app: counted.app.clone(), requests: *number });
            ServiceCounts {
                service: (*name).to_owned(),
                id: (*id).to_owned(),
                enforcement: self.enforcement(*service),
                valid: sum(AppVerdict::Valid),
                invalid: sum(AppVerdict::Invalid),
                missing: sum(AppVerdict::Missing),
                apps: apps.collect(),
            }
        };
        Ok(IDS.iter().map(of).collect())
    }
}
