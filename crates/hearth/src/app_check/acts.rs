//! What a running server does for `hearth app-check`.

use access::Enforcement;
use attest::{AppInfo, DebugTokenInfo, NewApp, ServiceCounts, ServiceInfo};
use base::Status;
use serde::{Deserialize, Serialize};

use crate::admin::{Act, Site};

/// What was counted.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadCounts {
    pub hours: i64,
}

impl Act for ReadCounts {
    const NAME: &'static str = "app-check/counts";
    type Answer = Vec<ServiceCounts>;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        site.app_check.counts(&site.caller, self.hours).await
    }
}

/// Has a service require an app, or not.
#[derive(Debug, Serialize, Deserialize)]
pub struct Enforce {
    pub service: String,
    pub mode: Enforcement,
}

impl Act for Enforce {
    const NAME: &'static str = "app-check/enforce";
    type Answer = ServiceInfo;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        site.app_check.set_enforcement(&site.caller, &self.service, self.mode).await
    }
}

/// Registers an app.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddApp {
    pub new: NewApp,
}

impl Act for AddApp {
    const NAME: &'static str = "app-check/apps/add";
    const MAY_BE_NEW: bool = true;
    type Answer = AppInfo;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        site.app_check.add_app(&site.caller, self.new).await
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ListApps {}

impl Act for ListApps {
    const NAME: &'static str = "app-check/apps/list";
    type Answer = Vec<AppInfo>;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        site.app_check.apps(&site.caller).await
    }
}

/// Forgets an app.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveApp {
    pub id: String,
}

impl Act for RemoveApp {
    const NAME: &'static str = "app-check/apps/remove";
    type Answer = ();

    async fn run(self, site: Site) -> Result<(), Status> {
        site.app_check.remove_app(&site.caller, &self.id).await
    }
}

/// Refuses an app's tokens so far.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeApp {
    pub id: String,
}

impl Act for RevokeApp {
    const NAME: &'static str = "app-check/apps/revoke";
    type Answer = AppInfo;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        site.app_check.revoke_app_tokens(&site.caller, &self.id).await
    }
}

/// Makes a debug token.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddDebugToken {
    pub app: String,
    pub name: String,
    /// `None`: a new one.
    pub token: Option<String>,
}

/// A new debug token.
#[derive(Debug, Serialize, Deserialize)]
pub struct Made {
    /// The token: nobody can show it again.
    pub token: String,
    /// Its id.
    pub id: String,
}

impl Act for AddDebugToken {
    const NAME: &'static str = "app-check/debug-tokens/add";
    type Answer = Made;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        let token = self.token.map_or_else(attest::new_debug_token, Ok)?;
        let made = site.app_check.add_debug_token(&site.caller, &self.app, &self.name, &token).await?;
        Ok(Made { token, id: made.id })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ListDebugTokens {
    pub app: String,
}

impl Act for ListDebugTokens {
    const NAME: &'static str = "app-check/debug-tokens/list";
    type Answer = Vec<DebugTokenInfo>;

    async fn run(self, site: Site) -> Result<Self::Answer, Status> {
        site.app_check.debug_tokens(&site.caller, &self.app).await
    }
}

/// Deletes a debug token.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveDebugToken {
    pub app: String,
    pub id: String,
}

impl Act for RemoveDebugToken {
    const NAME: &'static str = "app-check/debug-tokens/remove";
    type Answer = ();

    async fn run(self, site: Site) -> Result<(), Status> {
        site.app_check.remove_debug_token(&site.caller, &self.app, &self.id).await
    }
}
