//! Keeping the signing keys fresh.

use std::sync::Arc;
use std::time::Duration;

use access::{Attempts, Caller, Operation, Service, Session};
use base::{Code, Status, Timestamp};
use kv::Scan;

use crate::Identity;
use crate::keys::seal::Seal;
use crate::keys::{PUBLISHED_BEFORE_S, Ring, SigningKey, schedule};
use crate::limits::{ATTEMPTS_MAX, SIGNING_KEYS_MAX};
use crate::model::key::{signing_key, signing_keys};
use crate::model::signing::SigningKeyRow;
use crate::model::{decode, encode};
use crate::status::Failure;
use crate::token::rs256::KeyError;

/// How often it is asked whether a key is due.
const ASKED_EVERY: Duration = Duration::from_secs(600);

/// What the record says they are.
const RESOURCE: &str = "/signingKeys";

/// What is done to the signing keys.
pub(super) enum Change<'a> {
    /// What their schedule says.
    Due,
    /// A successor, signing as soon as it has been published for long enough, or at once.
    Rotate { at_once: bool },
    /// The end of one.
    Revoke(&'a str),
    /// All of them sealed with this from now on.
    Seal(&'a Seal),
}

impl Change<'_> {
    fn verb(&self) -> &'static str {
        match self {
            Change::Due => "rotateKeys",
            Change::Rotate { .. } => "rotateSigningKey",
            Change::Revoke(_) => "revokeSigningKey",
            Change::Seal(_) => "sealSigningKeys",
        }
    }
}

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
        self.change_keys(&Caller::admin("hearth"), &Change::Due).await.map(drop)
    }

    /// Changes the signing keys and puts them in use; returns them, by the second from which they sign.
    pub(super) async fn change_keys(
        &self,
        caller: &Caller,
        change: &Change<'_>,
    ) -> Result<Vec<SigningKeyRow>, Failure> {
        let _turn = self.key_changes.lock().await;
        let operation =
            Operation { service: Service::Identity, verb: change.verb(), resource: RESOURCE.to_owned() };
        let exhausted = || Status::new(Code::Aborted, "others kept changing the signing keys");
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted };
        let before = self.ring.load_full();
        let work = |session| async move {
            let (session, rows) = self.changed(session, change).await?;
            let ring = Arc::new(self.ring_of(&rows, &self.ring.load()).await?);
            // What is refused is refused before that is durable: a session that begins later sees it, and one that began
            // before conflicts with the commit.
            if matches!(change, Change::Revoke(_)) {
                self.ring.store(Arc::clone(&ring));
            }
            Ok::<_, Failure>((session, (rows, ring)))
        };
        match self.gate.transact(caller, &operation, attempts, work).await {
            Ok(((rows, ring), _)) => {
                self.ring.store(ring);
                if let Change::Seal(seal) = change {
                    self.seal.store(Some(Arc::new((*seal).clone())));
                }
                Ok(rows)
            }
            Err(failure) => {
                self.ring.store(before);
                Err(failure)
            }
        }
    }

    /// The keys in the store as the change leaves them. It is staged.
    async fn changed(
        &self,
        mut session: Session,
        change: &Change<'_>,
    ) -> Result<(Session, Vec<SigningKeyRow>), Failure> {
        let mut rows: Vec<SigningKeyRow> = Vec::new();
        for row in session.scan(&signing_keys(), Scan::default()).await?.rows {
            rows.push(decode(&row)?);
        }
        rows.sort_by_key(|row| row.signs_from_s);
        let (before, now_s) = (rows.clone(), self.now_s());
        let permit = session.authorize_admin(RESOURCE)?;
        while let [_, successor, ..] = rows.as_slice()
            && schedule::over(Some(successor.signs_from_s), now_s)
        {
            rows.remove(0);
        }
        let due = match *change {
            Change::Due => schedule::due(&times(&rows), now_s),
            Change::Rotate { at_once } => rotated(&mut rows, at_once, now_s)?,
            Change::Revoke(kid) => {
                session.note("key", kid.into());
                revoked(&mut rows, kid, now_s)?
            }
            Change::Seal(_) => None,
        };
        let seal = self.seal.load_full();
        let after = match change {
            Change::Seal(seal) => Some((*seal).clone()),
            _ => seal.as_deref().cloned(),
        };
        // What was stored before there was a seal is sealed, too.
        for row in &mut rows {
            let id = after.as_ref().map(Seal::id);
            if let Some(after) = after.as_ref().filter(|_| row.sealed_by != id) {
                check_seal(row, seal.as_deref())?;
                *row = SigningKey::sealed(row, seal.as_deref(), after).map_err(|_| unreadable(row))?;
            }
        }
        if let Some(signs_from_s) = due {
            let row = self.generate(now_s, signs_from_s).await?;
            session.note("new", row.kid.as_str().into());
            rows.push(row);
        }
        for row in before.iter().filter(|row| rows.iter().all(|after| after.kid != row.kid)) {
            session.write(&permit, signing_key(row.created_s, &row.kid), None);
        }
        for row in rows.iter().filter(|row| !before.contains(row)) {
            session.write(&permit, signing_key(row.created_s, &row.kid), Some(encode(row)?));
        }
        rows.sort_by_key(|row| row.signs_from_s);
        Ok((session, rows))
    }

    /// The keys of these rows, parsed; what is known already is not parsed again.
    async fn ring_of(&self, rows: &[SigningKeyRow], known: &Ring) -> Result<Ring, Failure> {
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            match known.by_id(&row.kid).filter(|key| key.signs_from_s == row.signs_from_s) {
                Some(key) => keys.push(Arc::clone(key)),
                None => keys.push(Arc::new(self.open(row.clone()).await?)),
            }
        }
        Ok(Ring::new(keys))
    }

    async fn generate(&self, now_s: i64, signs_from_s: i64) -> Result<SigningKeyRow, Failure> {
        let seal = self.seal.load_full();
        blocking(move || SigningKey::generate(now_s, signs_from_s, seal.as_deref())).await
    }

    async fn open(&self, row: SigningKeyRow) -> Result<SigningKey, Failure> {
        let seal = self.seal.load_full();
        check_seal(&row, seal.as_deref())?;
        blocking(move || SigningKey::open(&row, seal.as_deref())).await
    }
}

/// Whether a key can be opened with this seal.
///
/// Errors: `FAILED_PRECONDITION` that says which one it takes.
fn check_seal(row: &SigningKeyRow, seal: Option<&Seal>) -> Result<(), Status> {
    let refused = |text: String| Err(Status::new(Code::FailedPrecondition, text));
    let by = row.sealed_by.as_deref().unwrap_or("unknown");
    match (row.sealed, seal) {
        (false, _) => Ok(()),
        (true, None) => refused(format!(
            "the signing keys are sealed (with the key whose id is {by}): give that key with `--key-file FILE` or in the \
             environment variable HEARTH_KEY"
        )),
        (true, Some(seal)) if row.sealed_by.as_ref().is_some_and(|by| *by != seal.id()) => refused(format!(
            "the signing keys are sealed with another key: theirs has the id {by}, the given one {}",
            seal.id()
        )),
        (true, Some(_)) => Ok(()),
    }
}

fn unreadable(row: &SigningKeyRow) -> Status {
    Status::new(Code::DataLoss, format!("the signing key `{}` cannot be read: its row is damaged", row.kid))
}

/// When the keys sign from.
pub(super) fn times(rows: &[SigningKeyRow]) -> Vec<i64> {
    rows.iter().map(|row| row.signs_from_s).collect()
}

/// A successor of the key that signs: the one that is published already, or a new one from the second returned.
fn rotated(rows: &mut [SigningKeyRow], at_once: bool, now_s: i64) -> Result<Option<i64>, Status> {
    if rows.len() >= SIGNING_KEYS_MAX {
        let text = format!(
            "there are {SIGNING_KEYS_MAX} signing keys, which is the most; revoke those that are not needed"
        );
        return Err(Status::new(Code::ResourceExhausted, text));
    }
    if at_once {
        make_older(rows, now_s);
    }
    match rows.iter_mut().find(|row| row.signs_from_s > now_s) {
        Some(pending) if at_once => {
            pending.signs_from_s = now_s;
            Ok(None)
        }
        Some(pending) => {
            let from = Timestamp { seconds: pending.signs_from_s, nanos: 0 };
            let text = format!("a successor, `{}`, is published already and signs from {from}", pending.kid);
            Err(Status::new(Code::FailedPrecondition, text))
        }
        None if at_once => Ok(Some(now_s)),
        None => Ok(Some(now_s + PUBLISHED_BEFORE_S)),
    }
}

/// Keys that sign from this very second do so from the second before: whichever follows now is the newer one.
fn make_older(rows: &mut [SigningKeyRow], now_s: i64) {
    rows.iter_mut().filter(|row| row.signs_from_s == now_s).for_each(|row| row.signs_from_s -= 1);
}

/// Takes a key away. If it is the one that signs, its successor does from now on: never an older one. Returns from when a new
/// key must sign, if one is needed.
fn revoked(rows: &mut Vec<SigningKeyRow>, kid: &str, now_s: i64) -> Result<Option<i64>, Status> {
    let at = rows.iter().position(|row| row.kid == kid);
    let at = at.ok_or_else(|| Status::new(Code::NotFound, format!("there is no signing key `{kid}`")))?;
    let was_signer = schedule::signer(&times(rows), now_s) == Some(at);
    rows.remove(at);
    if !was_signer {
        return Ok(None);
    }
    make_older(rows, now_s);
    match rows.get_mut(at) {
        Some(successor) => {
            successor.signs_from_s = now_s;
            Ok(None)
        }
        None => Ok(Some(now_s)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kid: &str, signs_from_s: i64) -> SigningKeyRow {
        let (kid, private) = (kid.to_owned(), String::new());
        SigningKeyRow { kid, created_s: 100, signs_from_s, sealed: false, sealed_by: None, private }
    }

    /// A rotation in the second in which the key before began to sign: whatever the ids, the newer one signs.
    #[test]
    fn of_two_keys_of_one_second_the_newer_signs() {
        let mut rows = vec![row("z", 100), row("a", 7_300)];
        assert_eq!(rotated(&mut rows, true, 100).unwrap(), None);
        rows.sort_by_key(|row| row.signs_from_s);
        assert_eq!(schedule::signer(&times(&rows), 100).map(|at| rows[at].kid.as_str()), Some("a"));
        assert_eq!(revoked(&mut rows, "z", 100).unwrap(), None);
        assert_eq!(rows.iter().map(|row| row.kid.as_str()).collect::<Vec<_>>(), ["a"]);
    }
}
