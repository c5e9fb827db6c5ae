//! The claims that an account's tokens had at a moment, for whoever makes a logged decision again.

use access::{Caller, Gate, Operation, Service};
use base::{Fields, Status};
use kv::Version;

use crate::model::decode;
use crate::model::key::Realm;
use crate::model::user::User;
use crate::token::claims::{Grant, fields, id_token};

/// The claims that a token of this account would have had at a version, for administrators. The session's own claims, how the user
/// signed in and the times in the token are not known from the account: those claims are left out. `None`: no such account then.
///
/// Errors: `FAILED_PRECONDITION` when the store no longer remembers the version.
pub async fn past_claims(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    uid: &str,
    at: Version,
) -> Result<Option<Fields>, Status> {
    let resource = format!("/users/{uid}");
    let operation =
        Operation { service: Service::Identity, verb: "ExplainRequest", resource: resource.clone() };
    let mut session = gate.begin_at(caller, operation, at).await?;
    session.set_project(project);
    session
        .authorize_admin(&resource)
        .map_err(|refusal| refusal.status(|_| "Only administrators may explain requests.".to_owned()))?;
    let row = session.get(&Realm::of(project).user(uid)).await?;
    session.finish();
    let Some(user) = row.as_ref().map(decode::<User>).transpose()? else { return Ok(None) };
    let grant = Grant { provider: String::new(), auth_time_s: 0, claims: Default::default() };
    let mut claims = id_token(project, &user, &grant, 0);
    for name in ["auth_time", "iat", "exp", "firebase"] {
        claims.shift_remove(name);
    }
    Ok(Some(fields(&claims)))
}
