//! One request as a case line writes it: its words, its user, and what became of it.

use base::{Fields, Value};
use policy::decision::Decision;
use policy::source::Source;
use policy::trace::Trace;

use super::World;

/// What became of a request.
#[derive(Debug)]
pub struct Answer {
    /// The request as it was asked.
    pub request: String,
    /// `allow`, `deny`, or what an expression comes to.
    pub outcome: String,
    /// The decision.
    pub decision: Decision,
    /// Everything that was evaluated.
    pub trace: Trace,
    /// The text that the decision and the trace are about.
    pub source: Source,
    /// What is not there and may have been forgotten.
    pub missing: Option<String>,
}

/// The words of a request: who, what, where, and the rest.
pub(super) fn words(request: &str) -> Result<(Option<&str>, &str, &str, &str), String> {
    let mut words = request.trim().splitn(4, ' ').filter(|word| !word.is_empty());
    let (Some(user), Some(verb), Some(path)) = (words.next(), words.next(), words.next()) else {
        return Err(format!(
            "`{request}` is not of the form `user verb /path …`, such as `alice get /rooms/1`"
        ));
    };
    if !path.starts_with('/') {
        return Err(format!("`{path}` is not a path: it starts with `/`"));
    }
    Ok(((user != "nobody").then_some(user), verb, path, words.next().unwrap_or("").trim()))
}

/// A user: the id, and the claims or the whole `auth` that is given.
pub(super) struct User<'w> {
    pub uid: &'w str,
    pub claims: &'w Fields,
    /// The whole `auth`, when it is given.
    pub auth: Option<&'w Fields>,
}

/// Finds a user: one who is not in the world has no claims. `users` has claims by name; with `uid` or a map `token` it
/// is the whole `auth`.
pub(super) fn user<'w>(name: &'w str, world: &'w World, none: &'w Fields) -> User<'w> {
    let Some(Value::Map(given)) = world.users.get(name) else {
        return User { uid: name, claims: none, auth: None };
    };
    let token = match given.get("token") {
        Some(Value::Map(token)) => Some(token),
        _ => None,
    };
    let uid = match given.get("uid") {
        Some(Value::String(uid)) => Some(uid.as_str()),
        _ => None,
    };
    if token.is_none() && uid.is_none() {
        return User { uid: name, claims: given, auth: None };
    }
    User { uid: uid.unwrap_or(name), claims: token.unwrap_or(none), auth: Some(given) }
}
