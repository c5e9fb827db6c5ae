//! Where rows live. Every key of a user begins with project and tenant; the tenant is empty until there are any.
//!
//! ```text
//! users           project tenant uid                    -> User
//! user index      project tenant kind value             -> uid
//! refresh tokens  project tenant uid hash(secret)       -> Session
//! signing keys    created kid                           -> SigningKeyRow
//! accounts        project email                         -> ServiceAccount
//! configuration   project                               -> Config
//! oob codes       project hash(code)                    -> OobCode
//! counts          f project tenant (a|p|i) …            -> Failures of an account, one at an address, an address
//! counts          s project tenant address              -> SignUps
//! ```

use access::keyspace;
use base::key::{push_text, split_text};
use kv::{Key, KeyRange, Keyspace};

/// Project and tenant: whose users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// The project.
    pub project: String,
    /// The tenant; empty for the project's own users.
    pub tenant: String,
}

/// What a user can be found by, besides the uid. Each value leads to one user at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handle {
    /// An e-mail address, in lower case.
    Email(String),
    /// A phone number.
    Phone(String),
    /// An identity elsewhere: provider and the id there.
    Federated(String, String),
}

impl Realm {
    /// A project's own users.
    pub fn of(project: &str) -> Self {
        Self { project: project.to_owned(), tenant: String::new() }
    }

    fn prefix(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        push_text(&mut bytes, &self.project);
        push_text(&mut bytes, &self.tenant);
        bytes
    }

    /// A user's record.
    pub fn user(&self, uid: &str) -> Key {
        let mut bytes = self.prefix();
        push_text(&mut bytes, uid);
        Key::new(keyspace::USERS, &bytes)
    }

    /// Every user's record, by uid.
    pub fn users(&self) -> KeyRange {
        KeyRange::prefix(keyspace::USERS, &self.prefix())
    }

    /// The row that leads from a handle to its user.
    pub fn handle(&self, handle: &Handle) -> Key {
        let mut bytes = self.prefix();
        match handle {
            Handle::Email(email) => {
                bytes.push(b'e');
                push_text(&mut bytes, email);
            }
            Handle::Phone(phone) => {
                bytes.push(b'p');
                push_text(&mut bytes, phone);
            }
            Handle::Federated(provider, id) => {
                bytes.push(b'f');
                push_text(&mut bytes, provider);
                push_text(&mut bytes, id);
            }
        }
        Key::new(keyspace::USER_INDEX, &bytes)
    }

    /// A session, by the hash of its secret.
    pub fn session(&self, uid: &str, hash: &[u8]) -> Key {
        let mut bytes = self.prefix();
        push_text(&mut bytes, uid);
        bytes.extend_from_slice(hash);
        Key::new(keyspace::REFRESH_TOKENS, &bytes)
    }

    /// A user's sessions.
    pub fn sessions(&self, uid: &str) -> KeyRange {
        let mut bytes = self.prefix();
        push_text(&mut bytes, uid);
        KeyRange::prefix(keyspace::REFRESH_TOKENS, &bytes)
    }

    /// A service account.
    pub fn account(&self, email: &str) -> Key {
        Key::new(keyspace::SERVICE_ACCOUNTS, &two(&self.project, email))
    }

    /// Every service account of the project, by address.
    pub fn accounts(&self) -> KeyRange {
        let mut bytes = Vec::new();
        push_text(&mut bytes, &self.project);
        KeyRange::prefix(keyspace::SERVICE_ACCOUNTS, &bytes)
    }

    /// The project's sign-in settings.
    pub fn config(&self) -> Key {
        let mut bytes = Vec::new();
        push_text(&mut bytes, &self.project);
        Key::new(keyspace::IDENTITY_CONFIG, &bytes)
    }

    /// An e-mail action, by the hash of its code.
    pub fn oob_code(&self, hash: &[u8]) -> Key {
        let mut bytes = self.prefix();
        bytes.extend_from_slice(hash);
        Key::new(keyspace::OOB_CODES, &bytes)
    }

    /// Failed sign-ins of an account, from anywhere.
    pub fn failures_of_account(&self, email: &str) -> Key {
        self.count(b"f", b"a", &[email])
    }

    /// Failed sign-ins of an account from one address.
    pub fn failures_of_pair(&self, email: &str, address: &str) -> Key {
        self.count(b"f", b"p", &[email, address])
    }

    /// Failed sign-ins from one address.
    pub fn failures_of_address(&self, address: &str) -> Key {
        self.count(b"f", b"i", &[address])
    }

    /// Accounts that were made from one address.
    pub fn sign_ups(&self, address: &str) -> Key {
        self.count(b"s", b"", &[address])
    }

    fn count(&self, what: &[u8], kind: &[u8], of: &[&str]) -> Key {
        let mut bytes = [what, &self.prefix(), kind].concat();
        of.iter().for_each(|text| push_text(&mut bytes, text));
        Key::new(keyspace::SIGN_IN_COUNTS, &bytes)
    }

    /// All waiting e-mail actions.
    pub fn oob_codes(&self) -> KeyRange {
        KeyRange::prefix(keyspace::OOB_CODES, &self.prefix())
    }
}

/// The uid in the key of a user's record.
pub fn uid_of(key: &Key) -> Option<String> {
    let (_project, rest) = split_text(key.as_bytes())?;
    let (_tenant, rest) = split_text(rest)?;
    Some(split_text(rest)?.0)
}

/// A key that signs tokens. They sort by age.
pub fn signing_key(created_s: i64, kid: &str) -> Key {
    let mut bytes = created_s.max(0).to_be_bytes().to_vec();
    push_text(&mut bytes, kid);
    Key::new(keyspace::SIGNING_KEYS, &bytes)
}

/// All keys that sign tokens.
pub fn signing_keys() -> KeyRange {
    whole(keyspace::SIGNING_KEYS)
}

/// All counts of failed sign-ins.
pub fn failure_counts() -> KeyRange {
    KeyRange::prefix(keyspace::SIGN_IN_COUNTS, b"f")
}

/// All counts of new accounts.
pub fn sign_up_counts() -> KeyRange {
    KeyRange::prefix(keyspace::SIGN_IN_COUNTS, b"s")
}

fn whole(keyspace: Keyspace) -> KeyRange {
    KeyRange::prefix(keyspace, &[])
}

fn two(first: &str, second: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_text(&mut bytes, first);
    push_text(&mut bytes, second);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_owner_never_fall_into_anothers_range() {
        let realm = Realm::of("demo");
        let longer = Realm::of("demo2");
        assert!(realm.users().contains(&realm.user("a")));
        assert!(!realm.users().contains(&longer.user("a")));
        assert!(!realm.users().contains(&Realm { tenant: "t".into(), ..realm.clone() }.user("a")));
        assert!(realm.sessions("a").contains(&realm.session("a", &[7; 32])));
        assert!(!realm.sessions("a").contains(&realm.session("ab", &[7; 32])));
        assert_eq!(uid_of(&realm.user("a\0b")).as_deref(), Some("a\0b"));
        assert_ne!(realm.handle(&Handle::Email("x".into())), realm.handle(&Handle::Phone("x".into())));
        assert!(signing_key(1, "b") < signing_key(2, "a"));
        assert!(signing_keys().contains(&signing_key(i64::MAX, "z")));
    }
}
