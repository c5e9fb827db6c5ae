//! The verbs: what one may ask of this service, and the only part of it that talks to the gate.
//!
//! A verb is a struct of its parameters. [`Identity::run`] gives it a session, commits what it wrote, and runs it again
//! when others changed what it had read. A verb checks first and asks for its permit last, so that the record of an
//! allowed act is one that happened.

pub mod account;
pub mod account_keys;
pub mod batch;
mod blocking;
pub mod config;
pub mod cookie;
pub mod delete;
pub mod import;
pub mod lookup;
pub mod methods;
pub mod oob;
pub mod past_claims;
pub mod refresh;
pub mod rotate;
mod rounds;
pub mod sign_in;
pub mod sign_up;
pub mod signing_keys;
mod throttle;
mod unit_of_work;
pub mod update;

use std::future::Future;
use std::sync::Arc;

use access::{Caller, Network, Principal};
use kv::Key;

pub(crate) use unit_of_work::UnitOfWork;

use crate::Identity;
use crate::model::key::Realm;
use crate::model::user::User;
use crate::status::{Failure, INVALID_ID_TOKEN, Refused, TOKEN_EXPIRED, USER_DISABLED};
use crate::token::TokenError;
use crate::token::claims::IdToken;

/// Something one may ask of this service.
pub(crate) trait Verb: Sync {
    /// What it answers.
    type Output: Send;
    /// Its name in the log.
    const NAME: &'static str;

    /// The rows it is known to write before it begins: the signed-in user's, where nothing else is said.
    fn contended(&self, context: &RequestContext) -> Vec<Key> {
        context.token_user_row()
    }

    /// Runs within one session. A conflict runs it again from the start, and so does a password that had to be hashed.
    fn execute(
        &self,
        work: &mut UnitOfWork<'_>,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// Who makes a request, and about whose users.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    /// Whose users.
    pub realm: Realm,
    /// An administrator, the user of the ID token in the request, or nobody.
    pub caller: Caller,
    /// The ID token in the request. Why one was not good is reported when its turn comes in the order of checks.
    pub token: Option<Result<Arc<IdToken>, Refused>>,
    /// Where the request came in: what links in e-mails begin with.
    pub origin: String,
    /// Where the client is; `None` for what does not come through a socket.
    pub network: Option<Network>,
}

impl RequestContext {
    /// The client's network as a part of keys; empty where there is none.
    pub fn network_text(&self) -> String {
        self.network.map(|network| network.to_string()).unwrap_or_default()
    }

    /// The row of the signed-in user.
    pub fn token_user_row(&self) -> Vec<Key> {
        let token = self.token.as_ref().and_then(|token| token.as_ref().ok());
        token.map(|token| self.realm.user(&token.uid)).into_iter().collect()
    }
}

/// What a client gets when it has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    pub id_token: String,
    pub refresh_token: String,
}

/// A user, with tokens when they have signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub user: User,
    pub issued: Option<Issued>,
    pub is_new: bool,
}

impl SignedIn {
    /// Refuses whom a blocking function has disabled: the account is there, and nobody signs in with it.
    pub fn unless_disabled(self, context: &RequestContext) -> Result<Self, Failure> {
        let is_refused = self.user.disabled && self.issued.is_none() && !context.caller.is_admin();
        if is_refused { Err(USER_DISABLED.into()) } else { Ok(self) }
    }
}

impl Identity {
    /// Puts together who makes the request: an administrator, or whoever the ID token in the request is about.
    pub(crate) fn request_context(
        &self,
        realm: Realm,
        caller: Caller,
        id_token: Option<&str>,
        origin: String,
        network: Option<Network>,
    ) -> RequestContext {
        let checked = id_token.filter(|token| !token.is_empty()).map(|token| {
            self.tokens.id_token(token, &realm.project, self.now_s()).map_err(|error| match error {
                TokenError::Expired => TOKEN_EXPIRED,
                _ => INVALID_ID_TOKEN,
            })
        });
        let caller = match (&checked, &caller.who) {
            (Some(Ok((_, user))), Principal::Unauthenticated) => Caller::user(Arc::clone(user)),
            _ => caller,
        };
        let token = checked.map(|checked| checked.map(|(token, _)| token));
        RequestContext { realm, caller, token, origin, network }
    }
}
