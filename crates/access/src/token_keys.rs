//! The keys of this house that sign tokens, for services that issue tokens of their own.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use base::Status;
use kv::Key;
use serde_json::{Map, Value as Json};

use crate::caller::Caller;

/// What a token says that a key of this house has signed. Whether it is for the reader is not checked.
#[derive(Clone, Debug)]
pub struct SignedToken {
    /// Its claims.
    pub claims: Map<String, Json>,
    /// The key.
    pub signer: Arc<dyn TokenSigner>,
}

/// What a token says that a service account has signed.
#[derive(Clone, Debug)]
pub struct AccountSigned {
    /// Its claims.
    pub claims: Map<String, Json>,
    /// The account, an administrator held to its row.
    pub account: Caller,
}

/// A key that signed a token.
pub trait TokenSigner: Debug + Send + Sync {
    /// The key's row: it changes when the key is revoked.
    fn row(&self) -> &Key;
    /// Whether the key counts still.
    fn stands(&self) -> bool;
}

/// The keys. Implemented by the identity service.
#[async_trait]
pub trait TokenKeys: Send + Sync {
    /// Writes a token (RS256) with the key that signs at present.
    async fn sign(&self, claims: &Map<String, Json>) -> Result<String, Status>;

    /// Opens a token; `None` where no key of this house has signed it.
    async fn open(&self, token: &str) -> Result<Option<SignedToken>, Status>;

    /// Opens a token that a service account of the project has signed; `None` where none has.
    async fn open_of_account(&self, project: &str, token: &str) -> Result<Option<AccountSigned>, Status>;

    /// The public keys: a JSON Web Key Set.
    async fn published(&self) -> Result<Json, Status>;
}
