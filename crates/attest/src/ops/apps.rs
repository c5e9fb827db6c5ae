//! Apps: those whose tokens count.

use access::Caller;
use base::Status;
use serde::{Deserialize, Serialize};

use super::{check_name, time};
use crate::model::rows::{
    AppRow, all_apps, all_debug_tokens, app_key, debug_token_key, decode, encode, id_of, is_app_id,
};
use crate::model::token::{TTL_S, TTL_S_USUAL};
use crate::{AppCheck, status};

/// Apps of a project.
const APPS_MAX: usize = 1000;
/// Digits of an app's own part of its id.
const ID_BYTES: usize = 11;

/// An app as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// Its id.
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// RFC 3339.
    pub created: String,
    /// How long its tokens live, in seconds.
    pub ttl_s: i64,
    /// Tokens that were issued before are refused; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_since: Option<String>,
    /// How many debug tokens it has.
    #[serde(default)]
    pub debug_tokens: usize,
}

/// An app that is to be registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewApp {
    /// Its id; `None`: a new one.
    pub id: Option<String>,
    /// `web`, `ios`, `android`: part of a new id.
    pub platform: String,
    /// For people.
    pub name: String,
    /// How long its tokens live, in seconds.
    pub ttl_s: Option<i64>,
}

fn info(id: &str, row: &AppRow, debug_tokens: usize) -> AppInfo {
    AppInfo {
        id: id.to_owned(),
        name: row.name.clone(),
        created: time(row.created_s),
        ttl_s: row.ttl_s,
        valid_since: (row.valid_since_s > 0).then(|| time(row.valid_since_s)),
        debug_tokens,
    }
}

impl AppCheck {
    /// Registers an app.
    pub async fn add_app(&self, caller: &Caller, new: NewApp) -> Result<AppInfo, Status> {
        check_name(&new.name)?;
        let ttl_s = new.ttl_s.unwrap_or(TTL_S_USUAL);
        if !TTL_S.contains(&ttl_s) {
            return Err(status::bad_ttl(&format!("{ttl_s}s")));
        }
        let id = match new.id {
            Some(id) => id,
            None => {
                let random: [u8; ID_BYTES] =
                    base::id::random_bytes().map_err(|error| Status::unavailable(error.to_string()))?;
                format!("1:{}:{}:{}", self.settings.project_number, new.platform, hex::encode(random))
            }
        };
        if !is_app_id(&id) {
            return Err(status::bad_app_id(&id));
        }
        let (project, created_s) = (&self.settings.project, self.now_s());
        let by = caller.id().unwrap_or_default().to_owned();
        let row = AppRow { name: new.name, created_s, ttl_s, valid_since_s: 0, by };
        let (id, row) = (&id, &row);
        self.change(caller, "addApp", &format!("/apps/{id}"), |mut session, permit| async move {
            let key = app_key(project, id);
            if session.get(&key).await?.is_some() {
                return Err(status::app_exists(id));
            }
            if session.all(all_apps(project), APPS_MAX).await?.len() >= APPS_MAX {
                return Err(status::too_many("apps", APPS_MAX));
            }
            session.write(&permit, key, Some(encode(row)?));
            Ok((session, info(id, row, 0)))
        })
        .await
    }

    /// All apps.
    pub async fn apps(&self, caller: &Caller) -> Result<Vec<AppInfo>, Status> {
        let (mut session, _) = self.begin(caller, "listApps", "/apps").await?;
        let project = &self.settings.project;
        let mut apps = Vec::new();
        for row in session.all(all_apps(project), APPS_MAX).await? {
            let id = id_of(&row);
            let tokens = session.all(all_debug_tokens(project, &id), usize::MAX).await?;
            apps.push(info(&id, &decode::<AppRow>(&row)?, tokens.len()));
        }
        session.finish();
        Ok(apps)
    }

    /// Forgets an app with its debug tokens: its tokens are refused from now on.
    pub async fn remove_app(&self, caller: &Caller, id: &str) -> Result<(), Status> {
        let project = &self.settings.project;
        self.change(caller, "removeApp", &format!("/apps/{id}"), |mut session, permit| async move {
            let key = app_key(project, id);
            session.get(&key).await?.ok_or_else(|| status::not_found("app", id))?;
            for row in session.all(all_debug_tokens(project, id), usize::MAX).await? {
                session.write(&permit, debug_token_key(project, id, &id_of(&row)), None);
            }
            session.write(&permit, key, None);
            Ok((session, ()))
        })
        .await
    }

    /// Refuses all tokens that an app has got so far.
    pub async fn revoke_app_tokens(&self, caller: &Caller, id: &str) -> Result<AppInfo, Status> {
        let (project, now_s) = (&self.settings.project, self.now_s());
        self.change(caller, "revokeAppTokens", &format!("/apps/{id}"), |mut session, permit| async move {
            let key = app_key(project, id);
            let row = session.get(&key).await?.ok_or_else(|| status::not_found("app", id))?;
            // Tokens of this very second are refused, too.
            let row = AppRow { valid_since_s: now_s + 1, ..decode(&row)? };
            let tokens = session.all(all_debug_tokens(project, id), usize::MAX).await?.len();
            session.write(&permit, key, Some(encode(&row)?));
            Ok((session, info(id, &row, tokens)))
        })
        .await
    }
}
