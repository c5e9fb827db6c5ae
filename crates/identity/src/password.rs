//! Passwords: hashing them, checking them, and never doing more of it at once than the machine can bear.
//!
//! In serve a password is an argon2id hash in PHC text (19 MiB, 2 passes, 1 lane). In dev it is the emulator's
//! `fakeHash:salt=…:password=…`, which tests write and read; making that scheme demands a [`DevPermit`].

use std::sync::atomic::{AtomicUsize, Ordering};

use access::DevPermit;
use argon2::password_hash::{PasswordHash as Phc, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base::id::{alphanumeric, random_bytes};
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, Semaphore};

use crate::limits::{PASSWORD_HASHES_AT_ONCE, PASSWORD_QUEUE_LEN_MAX};
use crate::status::{Failure, TOO_MANY_ATTEMPTS};

/// A password as stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    /// The hash, in the text of its scheme.
    pub hash: String,
    /// The salt, where the scheme keeps it apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[derive(Clone, Copy, Debug)]
enum Scheme {
    Fake(DevPermit),
    Argon2id,
}

/// The one place where passwords are hashed.
#[derive(Debug)]
pub struct Passwords {
    scheme: Scheme,
    turns: Semaphore,
    waiting: AtomicUsize,
    /// What unknown addresses are checked against, so that they take as long as known ones.
    dummy: OnceCell<String>,
}

impl Passwords {
    /// The emulator's scheme.
    pub fn fake(permit: DevPermit) -> Self {
        Self::with(Scheme::Fake(permit))
    }

    /// Production's scheme.
    pub fn argon2id() -> Self {
        Self::with(Scheme::Argon2id)
    }

    fn with(scheme: Scheme) -> Self {
        Self {
            scheme,
            turns: Semaphore::new(PASSWORD_HASHES_AT_ONCE),
            waiting: AtomicUsize::new(0),
            dummy: OnceCell::new(),
        }
    }

    /// Hashes a password.
    ///
    /// Errors: `TOO_MANY_ATTEMPTS_TRY_LATER` when too many wait already.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, Failure> {
        match self.scheme {
            Scheme::Fake(_) => {
                let salt = format!("fakeSalt{}", alphanumeric(20)?);
                Ok(PasswordHash { hash: fake(&salt, password), salt: Some(salt) })
            }
            Scheme::Argon2id => {
                let password = password.to_owned();
                let salt = random_bytes::<16>()?;
                let hash = self.turn(move || argon2id(&password, &salt)).await??;
                Ok(PasswordHash { hash, salt: None })
            }
        }
    }

    /// Whether a password is the one behind a hash. Without a hash the work is done all the same, and the answer is
    /// no.
    pub async fn matches(&self, password: &str, stored: Option<&PasswordHash>) -> Result<bool, Failure> {
        match self.scheme {
            Scheme::Fake(_) => Ok(stored.is_some_and(|stored| {
                stored.salt.as_deref().is_some_and(|salt| stored.hash == fake(salt, password))
            })),
            Scheme::Argon2id => {
                let hash = match stored {
                    Some(stored) => stored.hash.clone(),
                    None => self.dummy().await?.to_owned(),
                };
                let password = password.to_owned();
                let matches = self.turn(move || verify(&password, &hash)).await?;
                Ok(matches && stored.is_some())
            }
        }
    }

    async fn dummy(&self) -> Result<&str, Failure> {
        let made = self.dummy.get_or_try_init(|| async {
            let salt = random_bytes::<16>()?;
            self.turn(move || argon2id("nobody has this password", &salt)).await?
        });
        made.await.map(String::as_str)
    }

    /// Runs one computation when its turn comes, off the threads that serve requests.
    async fn turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let _place = Place::take(&self.waiting)?;
        let _turn = self.turns.acquire().await.map_err(|_| closed())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| closed())
    }
}

/// A place in the queue, given back when dropped: also when the client goes away meanwhile.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Failure> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= PASSWORD_HASHES_AT_ONCE + PASSWORD_QUEUE_LEN_MAX {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(TOO_MANY_ATTEMPTS.into());
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn closed() -> Failure {
    Failure::Fault(base::Status::unavailable("The service is shutting down."))
}

fn fake(salt: &str, password: &str) -> String {
    format!("fakeHash:salt={salt}:password={password}")
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn argon2id(password: &str, salt: &[u8]) -> Result<String, Failure> {
    let hashed = SaltString::encode_b64(salt)
        .and_then(|salt| hasher().hash_password(password.as_bytes(), &salt).map(|phc| phc.to_string()));
    hashed.map_err(|error| {
        tracing::error!(%error, "a password cannot be hashed");
        Failure::Fault(base::Status::new(base::Code::Internal, "Internal error."))
    })
}

fn verify(password: &str, hash: &str) -> bool {
    Phc::new(hash).is_ok_and(|phc| hasher().verify_password(password.as_bytes(), &phc).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_matches_its_password_and_no_other() {
        for passwords in [Passwords::argon2id(), Passwords::fake(DevPermit::for_development_only())] {
            let hash = passwords.hash("hunter22").await.unwrap();
            assert!(passwords.matches("hunter22", Some(&hash)).await.unwrap());
            assert!(!passwords.matches("hunter23", Some(&hash)).await.unwrap());
            assert!(!passwords.matches("nobody has this password", None).await.unwrap());
        }
    }

    #[tokio::test]
    async fn serve_does_not_know_the_fake_scheme() {
        let fake = PasswordHash { hash: "fakeHash:salt=S:password=P".into(), salt: Some("S".into()) };
        assert!(!Passwords::argon2id().matches("P", Some(&fake)).await.unwrap());
        let dev = Passwords::fake(DevPermit::for_development_only());
        assert!(dev.matches("P", Some(&fake)).await.unwrap());
    }

    #[tokio::test]
    async fn hashes_carry_the_parameters_they_were_made_with() {
        let hash = Passwords::argon2id().hash("hunter22").await.unwrap().hash;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }

    #[tokio::test]
    async fn beyond_the_queue_one_is_told_to_come_back() {
        let passwords = Passwords::argon2id();
        let places: Vec<_> = (0..PASSWORD_HASHES_AT_ONCE + PASSWORD_QUEUE_LEN_MAX)
            .map(|_| Place::take(&passwords.waiting).unwrap())
            .collect();
        let refused = passwords.hash("hunter22").await.unwrap_err();
        assert_eq!(refused, Failure::Refused(TOO_MANY_ATTEMPTS));
        drop(places);
        assert!(passwords.hash("hunter22").await.is_ok());
    }
}
