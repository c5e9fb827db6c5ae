//! A project's sign-in settings: reading and changing them.

use access::Permit;
use serde_json::Value as Json;

use super::{UnitOfWork, Verb};
use crate::model::config::Config;
use crate::model::settings;
use crate::status::Failure;

/// Reads the settings.
#[derive(Debug)]
pub(crate) struct GetConfig;

impl Verb for GetConfig {
    type Output = Config;
    const NAME: &'static str = "getConfig";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Config, Failure> {
        permit(work)?;
        work.config().await
    }
}

/// Reads the settings for what everybody may know of them.
#[derive(Debug)]
pub(crate) struct ReadConfig;

impl Verb for ReadConfig {
    type Output = Config;
    const NAME: &'static str = "readConfig";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Config, Failure> {
        work.config().await
    }
}

/// Changes the settings at these dotted paths; `None` removes.
#[derive(Debug)]
pub(crate) struct UpdateConfig {
    pub changes: Vec<(String, Option<Json>)>,
    /// Whether all else goes back to its default.
    pub replaces: bool,
}

impl Verb for UpdateConfig {
    type Output = Config;
    const NAME: &'static str = "updateConfig";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Config, Failure> {
        let mut config = if self.replaces { Config::default() } else { work.config().await? };
        for (path, value) in &self.changes {
            config.set(path, value.clone());
        }
        if work.is_admin() || !work.identity.serves() {
            settings::check(&config)?;
        }
        let permit = permit(work)?;
        let paths: Vec<&str> = self.changes.iter().map(|(path, _)| path.as_str()).collect();
        work.note("config", paths.into());
        let key = work.realm().config();
        work.put(&permit, key, &config)?;
        Ok(config)
    }
}

/// In dev the emulator's own endpoint may, without any credential.
fn permit(work: &mut UnitOfWork<'_>) -> Result<Permit, Failure> {
    if work.is_admin() || work.identity.serves() { work.admin() } else { Ok(work.proved("emulator")) }
}
