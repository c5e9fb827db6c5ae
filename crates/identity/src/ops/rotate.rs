//! Keeping the signing keys fresh.

use std::sync::Arc;
use std::time::Duration;

use access::{Admin, Caller, CommitFailure, Operation, Service};
use base::{Code, Status};
use kv::Scan;

use crate::Identity;
use crate::keys::{Ring, SigningKey, schedule};
use crate::limits::ATTEMPTS_MAX;
use crate::model::key::{signing_key, signing_keys};
use crate::model::signing::SigningKeyRow;
use crate::model::{decode, encode};
use crate::status::Failure;
use crate::token::rs256::KeyError;
use crate::tokens::Tokens;

/// How often it is asked whether a key is due.
const ASKED_EVERY: Duration = Duration::from_secs(600);

impl Identity {
    /// Keeps the signing keys fresh for as long as it is polled. In dev there is nothing to do and it returns.
    pub async fn run_rotation(self: Arc<Self>) {
        if !self.serves() {
            return;
        }
        loop {
            tokio::time::sleep(ASKED_EVERY).await;
            if let Err(error) = self.rotate_keys().await {
                tracing::error!(%error, "the signing keys could not be looked after; the present ones stay in use");
            }
        }
    }

    /// Reads the keys, makes one if it is due, drops those whose time is over, and puts the rest in use.
    pub async fn rotate_keys(&self) -> Result<(), Failure> {
        let Tokens::Signed(signed) = &self.tokens else { return Ok(()) };
        for _ in 0..ATTEMPTS_MAX {
            if let Some(rows) = self.rotate_once().await? {
                let known = signed.ring.load_full();
                let mut keys = Vec::with_capacity(rows.len());
                for row in rows {
                    match known.by_id(&row.kid) {
                        Some(key) => keys.push(key.clone()),
                        None => keys.push(Arc::new(self.open(row).await?)),
                    }
                }
                signed.ring.store(Arc::new(Ring::new(keys)));
                return Ok(());
            }
        }
        Err(Failure::Fault(Status::new(Code::Aborted, "others kept changing the signing keys")))
    }

    /// One try: the keys in the store afterwards, or `None` on a conflict.
    async fn rotate_once(&self) -> Result<Option<Vec<SigningKeyRow>>, Failure> {
        let caller = Caller::Admin(Admin { account: "hearth".into() });
        let resource = "/signingKeys";
        let operation =
            Operation { service: Service::Identity, verb: "rotateKeys", resource: resource.to_owned() };
        let mut session = self.gate.begin(&caller, operation).await?;
        let mut rows: Vec<SigningKeyRow> = Vec::new();
        for row in session.scan(&signing_keys(), Scan::default()).await?.rows {
            rows.push(decode(&row)?);
        }
        rows.sort_by_key(|row| row.signs_from_s);
        let now_s = self.now_s();
        let permit = session.authorize_admin(resource)?;
        let mut wrote = false;
        while let [oldest, successor, ..] = rows.as_slice()
            && schedule::over(Some(successor.signs_from_s), now_s)
        {
            session.write(&permit, signing_key(oldest.created_s, &oldest.kid), None);
            rows.remove(0);
            wrote = true;
        }
        let times: Vec<i64> = rows.iter().map(|row| row.signs_from_s).collect();
        if let Some(signs_from_s) = schedule::due(&times, now_s) {
            let row = self.generate(now_s, signs_from_s).await?;
            session.note("key", row.kid.as_str().into());
            session.write(&permit, signing_key(row.created_s, &row.kid), Some(encode(&row)?));
            rows.push(row);
            wrote = true;
        }
        if !wrote {
            session.finish();
            return Ok(Some(rows));
        }
        match session.commit().await {
            Ok(_) => Ok(Some(rows)),
            Err(CommitFailure::Conflict) => Ok(None),
            Err(CommitFailure::Failed(status)) => Err(Failure::Fault(status)),
        }
    }

    async fn generate(&self, now_s: i64, signs_from_s: i64) -> Result<SigningKeyRow, Failure> {
        let seal = self.settings.seal.clone();
        blocking(move || SigningKey::generate(now_s, signs_from_s, seal.as_ref())).await
    }

    async fn open(&self, row: SigningKeyRow) -> Result<SigningKey, Failure> {
        let seal = self.settings.seal.clone();
        blocking(move || SigningKey::open(&row, seal.as_ref())).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, Failure> {
    let shutting_down = |_| Failure::Fault(Status::unavailable("The service is shutting down."));
    tokio::task::spawn_blocking(work).await.map_err(shutting_down)?.map_err(|error| {
        tracing::error!(%error, "a signing key cannot be made or opened; is it sealed with another key?");
        Failure::Fault(Status::new(Code::FailedPrecondition, "A signing key cannot be opened."))
    })
}
