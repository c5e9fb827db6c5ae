//! How the owner of an e-mail address may sign in. Where addresses are hidden, the answer is the same for all of them.

use base::id::alphanumeric;
use serde::Deserialize;

use super::oob::is_absolute;
use super::sign_up::given;
use super::{UnitOfWork, Verb};
use crate::model::key::Handle;
use crate::model::user::email_address;
use crate::status::{
    Failure, INVALID_CONTINUE_URI, INVALID_IDENTIFIER, MISSING_CONTINUE_URI, MISSING_IDENTIFIER,
    not_implemented,
};

const SESSION_ID_CHARS: usize = 27;
const SESSION_ID_BYTES_MAX: usize = 128;

/// `accounts:createAuthUri`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CreateAuthUri {
    pub identifier: Option<String>,
    pub continue_uri: Option<String>,
    pub provider_id: Option<String>,
    pub session_id: Option<String>,
}

/// How an address may sign in.
#[derive(Debug)]
pub(crate) struct Methods {
    pub session_id: String,
    /// Providers and methods; `None` when it is not told.
    pub known: Option<(Vec<String>, Vec<String>)>,
}

impl Verb for CreateAuthUri {
    type Output = Methods;
    const NAME: &'static str = "createAuthUri";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Methods, Failure> {
        if given(self.provider_id.as_ref()).is_some() {
            return Err(not_implemented("Signing in through another provider").into());
        }
        let identifier = given(self.identifier.as_ref()).ok_or(MISSING_IDENTIFIER)?;
        let continue_uri = given(self.continue_uri.as_ref()).ok_or(MISSING_CONTINUE_URI)?;
        let email = email_address(identifier).ok_or(INVALID_IDENTIFIER)?;
        if !is_absolute(continue_uri) {
            return Err(INVALID_CONTINUE_URI.into());
        }
        let session_id = match given(self.session_id.as_ref()) {
            Some(id) if id.len() <= SESSION_ID_BYTES_MAX => id.to_owned(),
            _ => alphanumeric(SESSION_ID_CHARS)?,
        };
        let hidden = work.hides_emails().await?;
        let found = if hidden { None } else { work.find(&Handle::Email(email)).await? };
        work.proved("e-mail");
        if hidden {
            return Ok(Methods { session_id, known: None });
        }
        let (mut providers, mut methods) = (Vec::new(), Vec::new());
        if let Some(user) = found {
            if user.password.is_some() {
                methods.push("password".to_owned());
            }
            if user.email_link_signin {
                methods.push("emailLink".to_owned());
            }
            let elsewhere = user.providers.iter().map(|provider| provider.provider_id.clone());
            methods.extend(elsewhere);
            let all = user.all_providers().into_iter().map(|provider| provider.provider_id);
            providers.extend(all.filter(|provider| provider != "phone"));
        }
        Ok(Methods { session_id, known: Some((providers, methods)) })
    }
}
