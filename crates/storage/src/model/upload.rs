//! An upload that comes in several requests.

use access::{Caller, Principal};
use serde::{Deserialize, Serialize};

use super::patch::Patch;

/// Who began an upload: whoever shows a credential while it goes on must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// An administrator.
    Admin(String),
    /// A user, by uid.
    User(String),
    /// Nobody in particular.
    Nobody,
}

impl Owner {
    /// Who this caller is.
    pub fn of(caller: &Caller) -> Self {
        match &caller.who {
            Principal::Admin(admin) => Owner::Admin(admin.account.clone()),
            Principal::User(user) => Owner::User(user.uid.clone()),
            Principal::Unauthenticated => Owner::Nobody,
        }
    }
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UploadState {
    /// More may come.
    Active,
    /// It is an object of this generation.
    Final(i64),
    /// The rules refused the finished object.
    Refused,
    /// Its client gave it up.
    Cancelled,
}

/// The row of an upload. How much of it has come is the length of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The bucket.
    pub bucket: String,
    /// The object's name.
    pub name: String,
    /// What was said of it.
    pub metadata: Patch,
    /// How many bytes were announced.
    pub declared_size: Option<u64>,
    /// The conditions under which it may become an object, by their parameters' names.
    pub conditions: Vec<(String, i64)>,
    /// Who began it.
    pub owner: Owner,
    /// The network that it was begun from.
    pub network: String,
    /// Whether it came over the Firebase API, which gives each object a download token.
    pub is_firebase: bool,
    /// When it was begun, microseconds.
    pub created: i64,
    /// What became of it.
    pub state: UploadState,
}
