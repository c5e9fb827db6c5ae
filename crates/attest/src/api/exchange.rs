//! Tokens for proofs, and the use of a token.

use access::DevPermit;
use base::Status;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Call;
use crate::ops::{Exchange, Proof};
use crate::status;

/// What SDKs send, in both ways of writing names.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(alias = "debug_token")]
    debug_token: Option<String>,
    #[serde(alias = "custom_token")]
    custom_token: Option<String>,
    #[serde(alias = "recaptcha_v3_token", rename = "recaptchaV3Token")]
    recaptcha_v3_token: Option<String>,
    #[serde(alias = "recaptcha_enterprise_token")]
    recaptcha_enterprise_token: Option<String>,
    #[serde(alias = "limited_use", default)]
    limited_use: bool,
    jti: Option<String>,
}

#[derive(Deserialize)]
struct Verify {
    #[serde(alias = "appCheckToken")]
    app_check_token: String,
}

impl Call<'_> {
    /// `:exchange…Token` of an app.
    pub(super) async fn exchange(&self, app: &str, verb: &str) -> Result<Json, Status> {
        if self.method != http::Method::POST {
            return Err(status::no_method());
        }
        let body: Body = self.read()?;
        let given = |token: &Option<String>| token.clone().unwrap_or_default();
        let (debug, custom) = (given(&body.debug_token), given(&body.custom_token));
        let (v3, enterprise) = (given(&body.recaptcha_v3_token), given(&body.recaptcha_enterprise_token));
        let proof = match verb {
            "exchangeDebugToken" => Proof::Debug(&debug),
            "exchangeCustomToken" => Proof::Custom(&custom),
            "exchangeRecaptchaV3Token" => Proof::Believed(self.dev("reCAPTCHA v3")?, &v3),
            "exchangeRecaptchaEnterpriseToken" => {
                Proof::Believed(self.dev("reCAPTCHA Enterprise")?, &enterprise)
            }
            _ => return Err(status::no_method()),
        };
        let exchange = Exchange { app, proof, limited: body.limited_use, jti: body.jti.as_deref() };
        let minted = self.app_check.exchange(exchange).await?;
        Ok(json!({ "token": minted.token, "ttl": format!("{}s", minted.ttl_s) }))
    }

    fn dev(&self, provider: &str) -> Result<DevPermit, Status> {
        self.app_check.gate.mode().dev().ok_or_else(|| status::only_in_dev(provider))
    }

    /// `:verifyAppCheckToken` of the project.
    pub(super) async fn verify(&self) -> Result<Json, Status> {
        if self.method != http::Method::POST {
            return Err(status::no_method());
        }
        let Verify { app_check_token } = self.read()?;
        let is_new = self.app_check.verify_and_consume(&self.caller, &app_check_token).await?;
        Ok(if is_new { json!({}) } else { json!({ "alreadyConsumed": true }) })
    }
}
