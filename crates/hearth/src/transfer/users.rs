//! The users of Authentication.

use std::path::Path;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::{Portable, Site, TransferError, ask, make, read, write};

const FOLDER: &str = "auth_export";
/// Users of one page of an export, and of one batch of an import.
const USERS_MAX: usize = 1000;

/// `auth_export/accounts.json` and `config.json`.
pub struct Users;

#[async_trait]
impl Portable for Users {
    async fn export(&self, site: &Site<'_>, folder: &Path) -> Result<Json, TransferError> {
        let auth = folder.join(FOLDER);
        make(&auth)?;
        let users = json!({"kind": "identitytoolkit#DownloadAccountResponse", "users": all(site).await?});
        write(&auth.join("accounts.json"), &users)?;
        write(&auth.join("config.json"), &ask(&site.routes, "GET", &config(site), &Json::Null).await?)?;
        Ok(json!({"path": FOLDER}))
    }

    async fn import(&self, site: &Site<'_>, folder: &Path, section: &Json) -> Result<(), TransferError> {
        let Some(path) = section.get("path").and_then(Json::as_str) else { return Ok(()) };
        let folder = folder.join(path);
        let accounts = folder.join("accounts.json");
        let accounts = if accounts.is_file() { read(&accounts)? } else { Json::Null };
        let users = accounts.get("users").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        for users in users.chunks(USERS_MAX) {
            let body = json!({"users": users, "allowOverwrite": true, "sanityCheck": false});
            let answer = ask(&site.routes, "POST", &accounts_verb(site, "batchCreate"), &body).await?;
            let errors = answer.get("error").and_then(Json::as_array).filter(|errors| !errors.is_empty());
            if let Some(errors) = errors {
                let answer = Json::Array(errors.clone()).to_string();
                let what = "some users cannot be imported".to_owned();
                return Err(TransferError::Refused { what, answer });
            }
        }
        let file = folder.join("config.json");
        if file.is_file() {
            ask(&site.routes, "PATCH", &config(site), &read(&file)?).await?;
        }
        Ok(())
    }
}

async fn all(site: &Site<'_>) -> Result<Vec<Json>, TransferError> {
    let (mut users, mut token) = (Vec::new(), String::new());
    loop {
        let verb = accounts_verb(site, "batchGet");
        let path = format!("{verb}?maxResults={USERS_MAX}&nextPageToken={token}");
        let mut page = ask(&site.routes, "GET", &path, &Json::Null).await?;
        let found =
            page.get_mut("users").and_then(Json::as_array_mut).map(std::mem::take).unwrap_or_default();
        let is_last = found.len() < USERS_MAX;
        users.extend(found);
        let next = page.get("nextPageToken").and_then(Json::as_str);
        match next.filter(|next| !next.is_empty() && !is_last) {
            Some(next) => token = next.to_owned(),
            None => return Ok(users),
        }
    }
}

fn accounts_verb(site: &Site<'_>, verb: &str) -> String {
    format!("/identitytoolkit.googleapis.com/v1/projects/{}/accounts:{verb}", site.project)
}

fn config(site: &Site<'_>) -> String {
    format!("/emulator/v1/projects/{}/config", site.project)
}
