//! A longer-lived token for a site's own cookie, made of an ID token.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{UnitOfWork, Verb};
use crate::limits::{COOKIE_LIFE_S_MAX, COOKIE_LIFE_S_MIN};
use crate::status::{Failure, INVALID_DURATION, MISSING_ID_TOKEN};
use crate::token::claims::session_cookie;

/// `:createSessionCookie`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CreateSessionCookie {
    pub id_token: Option<String>,
    /// Seconds, as number or text.
    pub valid_duration: Option<Json>,
}

impl Verb for CreateSessionCookie {
    type Output = String;
    const NAME: &'static str = "createSessionCookie";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<String, Failure> {
        if work.context.token.is_none() {
            return Err(MISSING_ID_TOKEN.into());
        }
        let life_s = match &self.valid_duration {
            None | Some(Json::Null) => COOKIE_LIFE_S_MAX,
            Some(Json::String(text)) => text.parse().map_err(|_| INVALID_DURATION)?,
            Some(number) => number.as_i64().ok_or(INVALID_DURATION)?,
        };
        if !(COOKIE_LIFE_S_MIN..=COOKIE_LIFE_S_MAX).contains(&life_s) {
            return Err(INVALID_DURATION.into());
        }
        let (token, _) = work.required_token_user().await?;
        work.admin()?;
        let now_s = work.now_s();
        let claims = session_cookie(&token.claims, &work.realm().project, now_s, life_s);
        work.identity.tokens.sign("JWT", &claims, now_s)
    }
}
