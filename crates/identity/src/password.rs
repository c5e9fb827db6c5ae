//! Passwords: hashing them and checking them. Whose turn it is to is decided in [`crate::turns`].
//!
//! In serve a password is an argon2id hash in PHC text (19 MiB, 2 passes, 1 lane). In dev it is the emulator's
//! `fakeHash:salt=…:password=…`, which tests write and read; making that scheme demands a [`DevPermit`].

use access::DevPermit;
use argon2::password_hash::{PasswordHash as Phc, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base::id::{alphanumeric, random_bytes};
use serde::{Deserialize, Serialize};

use crate::status::Failure;

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

/// Something to be hashed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// A new password.
    New { password: String },
    /// A password that is to be the stored one; nobody's, where nothing is stored.
    Check { password: String, stored: Option<PasswordHash> },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Hashed {
    /// The hash of a new password.
    New(PasswordHash),
    /// Whether it was the stored one.
    Matches(bool),
}

/// What unknown addresses are checked against, so that they take as long as known ones.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The one place where passwords are hashed.
#[derive(Debug)]
pub struct Passwords {
    scheme: Scheme,
}

impl Passwords {
    /// The emulator's scheme.
    pub fn fake(permit: DevPermit) -> Self {
        Self { scheme: Scheme::Fake(permit) }
    }

    /// Production's scheme.
    pub fn argon2id() -> Self {
        Self { scheme: Scheme::Argon2id }
    }

    /// Does what is to be done.
    pub(crate) async fn compute(&self, hashing: &Hashing) -> Result<Hashed, Failure> {
        match hashing {
            Hashing::New { password } => self.hash(password).await.map(Hashed::New),
            Hashing::Check { password, stored } => {
                self.matches(password, stored.as_ref()).await.map(Hashed::Matches)
            }
        }
    }

    /// Hashes a password.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, Failure> {
        match self.scheme {
            Scheme::Fake(_) => {
                let salt = format!("fakeSalt{}", alphanumeric(20)?);
                Ok(PasswordHash { hash: fake(&salt, password), salt: Some(salt) })
            }
            Scheme::Argon2id => {
                let password = password.to_owned();
                let salt = random_bytes::<16>()?;
                let hash = off_thread(move || argon2id(&password, &salt)).await??;
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
                let hash = stored.map_or(DUMMY, |stored| &stored.hash).to_owned();
                let password = password.to_owned();
                let matches = off_thread(move || verify(&password, &hash)).await?;
                Ok(matches && stored.is_some())
            }
        }
    }
}

/// Computes off the threads that serve requests.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| closed())
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

    #[test]
    fn what_nobody_has_costs_what_a_hash_costs() {
        let phc = Phc::new(DUMMY).unwrap();
        let params = Params::try_from(&phc).unwrap();
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(costs(&params), costs(&Params::DEFAULT));
        assert_eq!(phc.hash.unwrap().len(), 32);
        assert_eq!(phc.salt.unwrap().as_str().len(), 22);
    }
}
