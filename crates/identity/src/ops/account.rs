//! Service accounts change a signature for an access token.

use super::{UnitOfWork, Verb};
use crate::authenticate::{short_lived, verify_with};
use crate::model::account::ServiceAccount;
use crate::status::{Failure, Refused};
use crate::token::claims::{ACCESS_TOKEN_TYPE, access_token};
use crate::token::{Jwt, text};
use crate::{GOOGLE_TOKEN_URI, GOOGLE_TOKEN_URI_OLDER};

/// The grant type of [`Exchange`].
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a service account signed, in exchange for an access token.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub assertion: String,
}

/// What is answered to a signature that is not good. The message is the `error_description`.
fn invalid_grant(why: &str) -> Failure {
    Failure::Refused(Refused::text(why))
}

impl Verb for Exchange {
    type Output = String;
    const NAME: &'static str = "oauthToken";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<String, Failure> {
        let jwt =
            Jwt::parse(&self.assertion).map_err(|error| invalid_grant(&format!("Invalid JWT: {error}.")))?;
        let email = text(&jwt.claims, "iss").unwrap_or_default();
        let unknown = || invalid_grant("Invalid grant: account not found");
        let key = work.realm().account(email);
        let account: ServiceAccount = work.row(&key).await?.ok_or_else(unknown)?;
        if account.disabled {
            return Err(unknown());
        }
        let now_s = work.now_s();
        let kid = verify_with(&account, &jwt, now_s).map_err(|_| invalid_grant("Invalid JWT Signature."))?;
        short_lived(&jwt.claims, now_s).map_err(|_| {
            invalid_grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your \
                 iat and exp values in the JWT claim.",
            )
        })?;
        let audience = text(&jwt.claims, "aud").unwrap_or_default();
        let ours = [GOOGLE_TOKEN_URI, GOOGLE_TOKEN_URI_OLDER, &*work.identity.settings.token_uri];
        if !ours.contains(&audience) {
            return Err(invalid_grant("Invalid JWT: audience is not this token endpoint."));
        }
        if jwt.claims.get("sub").is_some_and(|subject| subject.as_str() != Some(email)) {
            return Err(invalid_grant("Invalid grant: acting for someone else is not supported."));
        }
        work.proved("service account key");
        work.note("account", email.into());
        let scope = text(&jwt.claims, "scope").unwrap_or_default();
        let claims = access_token(&work.realm().project, email, &kid, scope, now_s);
        work.identity.tokens.sign(ACCESS_TOKEN_TYPE, &claims, now_s)
    }
}
