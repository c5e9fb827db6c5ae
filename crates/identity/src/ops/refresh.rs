//! A fresh ID token for a session.

use kv::Key;
use serde::Deserialize;

use super::sign_up::given;
use super::{Issued, RequestContext, UnitOfWork, Verb};
use crate::model::session::{RefreshToken, Session};
use crate::status::{
    Failure, INVALID_GRANT_TYPE, INVALID_REFRESH_TOKEN, MISSING_GRANT_TYPE, MISSING_REFRESH_TOKEN,
    TOKEN_EXPIRED, USER_DISABLED, USER_NOT_FOUND,
};

/// `token`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Refresh {
    pub grant_type: Option<String>,
    pub refresh_token: Option<String>,
}

/// Whose tokens, and the tokens.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub uid: String,
    pub issued: Issued,
}

impl Verb for Refresh {
    type Output = Refreshed;
    const NAME: &'static str = "token";

    fn contended(&self, context: &RequestContext) -> Vec<Key> {
        let token = self.refresh_token.as_deref().and_then(RefreshToken::parse);
        token.map(|token| context.realm.user(&token.uid)).into_iter().collect()
    }

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Refreshed, Failure> {
        let grant_type = given(self.grant_type.as_ref()).ok_or(MISSING_GRANT_TYPE)?;
        if grant_type != "refresh_token" {
            return Err(INVALID_GRANT_TYPE.into());
        }
        let refresh_token = given(self.refresh_token.as_ref()).ok_or(MISSING_REFRESH_TOKEN)?;
        let token = RefreshToken::parse(refresh_token).ok_or(INVALID_REFRESH_TOKEN)?;
        work.about(&token.uid);
        let key = work.realm().session(&token.uid, &token.hash());
        let session: Option<Session> = work.row(&key).await?;
        let user = work.user(&token.uid).await?;
        let (mut user, session) = match (user, session) {
            // Only these answers make an app sign its user out, which is what has happened.
            (None, _) => return Err(USER_NOT_FOUND.into()),
            (Some(user), None) if user.disabled => return Err(USER_DISABLED.into()),
            (Some(_), None) => return Err(TOKEN_EXPIRED.into()),
            (Some(user), Some(session)) => (user, session),
        };
        if user.disabled {
            return Err(USER_DISABLED.into());
        }
        if !user.accepts_token_of(session.created_ms.div_euclid(1000)) {
            return Err(TOKEN_EXPIRED.into());
        }
        let before = user.clone();
        user.last_refresh_ms = Some(work.now_ms());
        let permit = work.proved("refresh token");
        let id_token = work.id_token(&user, &session.grant())?;
        work.save(&permit, Some(&before), &user).await?;
        let issued = Issued { id_token, refresh_token: token.text() };
        Ok(Refreshed { uid: user.uid, issued })
    }
}
