//! Blocking functions: code of the project that has a say before an account is made and before somebody signs in.
//!
//! They are asked between the sessions of a verb, as passwords are hashed: see [`super::rounds`]. Nobody passes a function that
//! cannot be asked. Administrators, anonymous users and custom tokens are not asked about, as in production.
//!
//! Source: the functions reference, A5 (blocking); `fetchBlockingFunction` of firebase-tools.

use base::Code;
use serde_json::{Map, Value as Json, json};

use super::UnitOfWork;
use super::rounds::Question;
use crate::model::user::User;
use crate::status::{Failure, Refused};
use crate::token::Claims;
use crate::token::claims::{allowed_session, allowed_text};

pub(super) const BEFORE_CREATE: &str = "beforeCreate";
pub(super) const BEFORE_SIGN_IN: &str = "beforeSignIn";
/// How long a question is good.
const QUESTION_LIFE_S: i64 = 3600;

/// What a function wants to be otherwise.
#[derive(Default)]
struct Wishes {
    /// Claims of this session only.
    session: Claims,
}

impl UnitOfWork<'_> {
    /// Asks before an account is made, then before it is signed in. Returns claims for the session.
    pub async fn before_create(&mut self, user: &mut User, method: &str) -> Result<Claims, Failure> {
        self.say(BEFORE_CREATE, user, method)?;
        self.before_sign_in(user, method).await
    }

    /// Asks before somebody signs in. Returns claims for the session.
    pub async fn before_sign_in(&mut self, user: &mut User, method: &str) -> Result<Claims, Failure> {
        if user.disabled {
            return Ok(Claims::new());
        }
        Ok(self.say(BEFORE_SIGN_IN, user, method)?.session)
    }

    fn say(&mut self, event: &'static str, user: &mut User, method: &str) -> Result<Wishes, Failure> {
        let Some(blocking) = self.identity.blocking.get() else { return Ok(Wishes::default()) };
        let Some(url) = blocking.function(event) else { return Ok(Wishes::default()) };
        let Some(answer) = self.rounds().answer(event) else {
            let claims = self.question(event, &url, user, method)?;
            let text = self.identity.tokens.sign("JWT", &claims, self.now_s())?;
            return Err(self.rounds().ask(Question { event, text }));
        };
        let answer = answer.map_err(Failure::Fault)?;
        self.note("blockingFunction", json!({ "event": event, "status": answer.http }));
        if !(200..300).contains(&answer.http) {
            let text = format!("HTTP request to {url} returned HTTP error {}: {}", answer.http, answer.body);
            return Err(refused(&text).into());
        }
        let body: Json = serde_json::from_str(&answer.body)
            .map_err(|_| refused("The response body is not valid JSON."))?;
        apply(&body, user, event == BEFORE_SIGN_IN)
    }

    fn question(&self, event: &'static str, url: &str, user: &User, method: &str) -> Result<Claims, Failure> {
        let now_s = self.now_s();
        let id: [u8; 8] = base::id::random_bytes()?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let claims = json!({
            "iss": format!("https://securetoken.google.com/{}", self.realm().project),
            "aud": url,
            "iat": now_s,
            "exp": now_s + QUESTION_LIFE_S,
            "event_id": id,
            "event_type": event,
            "user_agent": "",
            "ip_address": self.context.network_text(),
            "locale": "en",
            "sub": user.uid,
            "sign_in_method": method,
            "user_record": user_record(user),
        });
        Ok(claims.as_object().cloned().unwrap_or_default())
    }
}

fn refused(text: &str) -> Refused {
    Refused::text(format!("BLOCKING_FUNCTION_ERROR_RESPONSE : (({text}))"))
}

fn user_record(user: &User) -> Json {
    let providers: Vec<Json> = user
        .all_providers()
        .into_iter()
        .map(|provider| {
            set(json!({
                "provider_id": provider.provider_id,
                "uid": provider.raw_id,
                "email": provider.email,
                "display_name": provider.display_name,
                "photo_url": provider.photo_url,
                "phone_number": provider.phone_number,
            }))
        })
        .collect();
    let claims = user.custom_claims();
    set(json!({
        "uid": user.uid,
        "email": user.email,
        "email_verified": user.email_verified,
        "display_name": user.display_name,
        "photo_url": user.photo_url,
        "phone_number": user.phone_number,
        "disabled": user.disabled,
        "provider_data": providers,
        "custom_claims": (!claims.is_empty()).then_some(claims),
        "metadata": set(json!({ "creation_time": user.created_ms, "last_sign_in_time": user.last_login_ms })),
    }))
}

/// Without the members that are not set.
fn set(mut value: Json) -> Json {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}

/// Does what a function wants: only what its mask names.
fn apply(body: &Json, user: &mut User, is_session: bool) -> Result<Wishes, Failure> {
    let mut wishes = Wishes::default();
    let Some(record) = body.get("userRecord").and_then(Json::as_object) else { return Ok(wishes) };
    let mask = record.get("updateMask").and_then(Json::as_str).unwrap_or_default();
    for name in mask.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let value = record.get(name).unwrap_or(&Json::Null);
        let text = || value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match name {
            "displayName" => user.display_name = text(),
            "photoURL" | "photoUrl" => user.photo_url = text(),
            "disabled" => user.disabled = value.as_bool().unwrap_or(false),
            "emailVerified" => user.email_verified = value.as_bool().unwrap_or(false),
            "customClaims" => user.custom_attributes = custom(value)?,
            "sessionClaims" if is_session => {
                let none = Json::Object(Map::new());
                let claims = if value.is_null() { &none } else { value };
                wishes.session = allowed_session(claims).map_err(|it| refused(&it.message))?;
            }
            _ => {}
        }
    }
    Ok(wishes)
}

fn custom(value: &Json) -> Result<Option<String>, Failure> {
    if value.is_null() {
        return Ok(None);
    }
    let text = value.to_string();
    allowed_text(&text).map_err(|it| refused(&it.message))?;
    Ok(Some(text))
}

/// What a function that could not be asked makes of a request.
pub(super) fn unanswered(status: &base::Status) -> base::Status {
    let code = if status.code == Code::DeadlineExceeded { Code::DeadlineExceeded } else { Code::Unavailable };
    base::Status::new(code, format!("A blocking function could not be asked: {}", status.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_mask_names_is_done() {
        let mut user = User { uid: "u".to_owned(), ..User::default() };
        let body = json!({ "userRecord": {
            "updateMask": "displayName,customClaims,sessionClaims,photoURL,emailVerified",
            "displayName": "Al", "customClaims": { "role": "x" }, "sessionClaims": { "s": 1 }, "photoURL": "p",
            "emailVerified": true, "disabled": true } });
        let wishes = apply(&body, &mut user, true).unwrap();
        assert_eq!((user.display_name.as_deref(), user.photo_url.as_deref()), (Some("Al"), Some("p")));
        assert_eq!(user.custom_attributes.as_deref(), Some(r#"{"role":"x"}"#));
        assert!(user.email_verified && !user.disabled);
        assert_eq!(wishes.session.get("s"), Some(&json!(1)));
        assert!(apply(&body, &mut user, false).unwrap().session.is_empty(), "there is no session yet");
        assert!(apply(&json!({}), &mut user, true).is_ok());
        let reserved =
            json!({ "userRecord": { "updateMask": "customClaims", "customClaims": { "iss": 1 } } });
        assert!(apply(&reserved, &mut user, true).is_err());
    }
}
