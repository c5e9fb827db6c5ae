//! Keeping the signing keys fresh.

use std::sync::Arc;
use std::time::Duration;

use access::{Attempts, Caller, Operation, Service, Session};
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

/// What the record says they are.
const RESOURCE: &str = "/signingKeys";

impl Identity {
    /// Keeps the signing keys fresh for as long as it is polled. In dev there is nothing to do and it returns.
    pub async fn run_rotation(self: Arc<Self>) {
        if !self.serves() {
            return;
        }
        loop {
            tokio::time::sleep(ASKED_EVERY).await;
            if let Err(error) = self.sweep_counts().await {
                tracing::warn!(%error, "counts of failed sign-ins that are over could not be erased");
            }
            if let Err(error) = self.rotate_keys().await {
                tracing::error!(%error, "the signing keys could not be looked after; the present ones stay in use");
            }
        }
    }

    /// Reads the keys, makes one if it is due, drops those whose time is over, and puts the rest in use.
    pub async fn rotate_keys(&self) -> Result<(), Failure> {
        let Tokens::Signed(signed) = &self.tokens else { return Ok(()) };
        let operation =
            Operation { service: Service::Identity, verb: "rotateKeys", resource: RESOURCE.to_owned() };
        let exhausted = || Status::new(Code::Aborted, "others kept changing the signing keys");
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted };
        let work = |session| self.rotated(session);
        let caller = Caller::admin("hearth");
        let (rows, _) = self.gate.transact(&caller, &operation, attempts, work).await?;
        let known = signed.ring.load_full();
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            match known.by_id(&row.kid) {
                Some(key) => keys.push(key.clone()),
                None => keys.push(Arc::new(self.open(row).await?)),
            }
        }
        signed.ring.store(Arc::new(Ring::new(keys)));
        Ok(())
    }

    /// The keys in the store, after what is due was done.
    async fn rotated(&self, mut session: Session) -> Result<(Session, Vec<SigningKeyRow>), Failure> {
        let mut rows: Vec<SigningKeyRow> = Vec::new();
        for row in session.scan(&signing_keys(), Scan::default()).await?.rows {
            rows.push(decode(&row)?);
        }
        rows.sort_by_key(|row| row.signs_from_s);
        let now_s = self.now_s();
        let permit = session.authorize_admin(RESOURCE)?;
        while let [oldest, successor, ..] = rows.as_slice()
            && schedule::over(Some(successor.signs_from_s), now_s)
        {
            session.write(&permit, signing_key(oldest.created_s, &oldest.kid), None);
            rows.remove(0);
        }
        let times: Vec<i64> = rows.iter().map(|row| row.signs_from_s).collect();
        if let Some(signs_from_s) = schedule::due(&times, now_s) {
            let row = self.generate(now_s, signs_from_s).await?;
            session.note("key", row.kid.as_str().into());
            session.write(&permit, signing_key(row.created_s, &row.kid), Some(encode(&row)?));
            rows.push(row);
        }
        Ok((session, rows))
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
