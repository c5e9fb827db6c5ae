//! What administrators look after: debug tokens and services.

use access::Enforcement;
use base::Status;
use http::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Call;
use crate::ops::debug_tokens::DebugTokenInfo;
use crate::status;

/// Services of one request.
const BATCH_MAX: usize = 100;

#[derive(Deserialize)]
struct NewDebugToken {
    #[serde(alias = "displayName", default)]
    display_name: String,
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct ServiceBody {
    #[serde(default)]
    name: String,
    #[serde(alias = "enforcementMode")]
    enforcement_mode: Option<String>,
    #[serde(alias = "replayProtection")]
    replay_protection: Option<String>,
}

#[derive(Deserialize)]
struct Update {
    service: ServiceBody,
}

#[derive(Deserialize)]
struct BatchUpdate {
    requests: Vec<Update>,
}

fn encoded(answer: impl serde::Serialize) -> Result<Json, Status> {
    serde_json::to_value(answer).map_err(|error| status::cannot_encode(&error))
}

impl Call<'_> {
    fn debug_token_resource(&self, app: &str, token: &DebugTokenInfo) -> Json {
        let project = &self.app_check.settings.project;
        json!({
            "name": format!("projects/{project}/apps/{app}/debugTokens/{}", token.id),
            "displayName": token.name, "updateTime": token.created,
        })
    }

    pub(super) async fn debug_tokens(&self, app: &str) -> Result<Json, Status> {
        match self.method {
            Method::GET => {
                let tokens = self.app_check.debug_tokens(&self.caller, app).await?;
                let tokens: Vec<Json> =
                    tokens.iter().map(|token| self.debug_token_resource(app, token)).collect();
                Ok(if tokens.is_empty() { json!({}) } else { json!({ "debugTokens": tokens }) })
            }
            Method::POST => {
                let NewDebugToken { display_name, token } = self.read()?;
                let made = self.app_check.add_debug_token(&self.caller, app, &display_name, &token).await?;
                Ok(self.debug_token_resource(app, &made))
            }
            _ => Err(status::no_method()),
        }
    }

    pub(super) async fn debug_token(&self, app: &str, id: &str) -> Result<Json, Status> {
        match self.method {
            Method::GET => {
                let tokens = self.app_check.debug_tokens(&self.caller, app).await?;
                let found = tokens.iter().find(|token| token.id == id);
                let found = found.ok_or_else(|| status::not_found("debug token", id))?;
                Ok(self.debug_token_resource(app, found))
            }
            Method::DELETE => {
                self.app_check.remove_debug_token(&self.caller, app, id).await?;
                Ok(json!({}))
            }
            _ => Err(status::no_method()),
        }
    }

    pub(super) async fn services(&self, verb: Option<&str>) -> Result<Json, Status> {
        match (&self.method, verb) {
            (&Method::GET, None) => {
                Ok(json!({ "services": encoded(self.app_check.services(&self.caller).await?)? }))
            }
            (&Method::POST, Some("batchUpdate")) => {
                let BatchUpdate { requests } = self.read()?;
                if requests.len() > BATCH_MAX {
                    return Err(status::too_many("services in one request", BATCH_MAX));
                }
                let mut updated = Vec::new();
                for Update { service } in requests {
                    let id = service.name.rsplit('/').next().unwrap_or_default().to_owned();
                    updated.push(self.update_service(&id, service).await?);
                }
                Ok(json!({ "services": updated }))
            }
            _ => Err(status::no_method()),
        }
    }

    pub(super) async fn service(&self, id: &str) -> Result<Json, Status> {
        match self.method {
            Method::GET => encoded(self.app_check.service(&self.caller, id).await?),
            Method::PATCH => self.update_service(id, self.read()?).await,
            _ => Err(status::no_method()),
        }
    }

    async fn update_service(&self, id: &str, body: ServiceBody) -> Result<Json, Status> {
        let names_replay = self.query.is_some_and(|query| query.contains("eplay"));
        let wants_replay = body
            .replay_protection
            .is_some_and(|mode| mode != "OFF" && mode != "REPLAY_PROTECTION_UNSPECIFIED");
        if wants_replay || (names_replay && body.enforcement_mode.is_none()) {
            return Err(status::no_replay_protection());
        }
        let mode = body.enforcement_mode.unwrap_or_else(|| "OFF".to_owned());
        let enforcement: Enforcement =
            serde_json::from_value(mode.clone().into()).map_err(|_| status::bad_enforcement(&mode))?;
        encoded(self.app_check.set_enforcement(&self.caller, id, enforcement).await?)
    }
}
