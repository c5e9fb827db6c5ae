//! `hearth service-account`: accounts for servers that use the Admin SDK.

use base::Status;
use identity::{AccountInfo, AccountKeyInfo};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::admin::{Act, Site, ask};
use crate::cli::{KeyFile, ServiceAccount};
use crate::failure::Failure;
use crate::table::{Table, print, print_json};

/// Runs one of the verbs.
pub async fn run(verb: &ServiceAccount) -> Result<(), Failure> {
    match verb {
        ServiceAccount::Create(verb) => {
            let KeyFile { name, token_uri } = verb.key_file.clone();
            print_json(&ask(&verb.folder, CreateAccount { name, token_uri }).await?)
        }
        ServiceAccount::List(verb) => {
            let accounts = ask(&verb.folder, ListAccounts {}).await?;
            if verb.json { print_json(&accounts) } else { print(&table(&accounts)) }
        }
        ServiceAccount::Rotate(verb) => {
            let KeyFile { name, token_uri } = verb.key_file.clone();
            let overlap_s = verb.keep_old.seconds();
            print_json(&ask(&verb.folder, RotateAccount { name, token_uri, overlap_s }).await?)
        }
        ServiceAccount::Revoke(verb) => {
            let act = RevokeAccount { name: verb.name.clone(), key: verb.key.clone() };
            let account = ask(&verb.folder, act).await?;
            if verb.json { print_json(&account) } else { print(&table(&[account])) }
        }
    }
}

fn table(accounts: &[AccountInfo]) -> Table {
    let mut table = Table::new(["ACCOUNT", "STATE", "KEY", "CREATED", "REFUSED FROM"]);
    for account in accounts {
        let state = if account.revoked { "revoked" } else { "active" };
        if account.keys.is_empty() {
            table.add([account.email.as_str(), state, "none", "", ""]);
        }
        for AccountKeyInfo { id, created, expires } in &account.keys {
            table.add([account.email.as_str(), state, id, created, expires.as_deref().unwrap_or("")]);
        }
    }
    table
}

/// Makes an account, or a further key of one, and answers with its key file. The private key exists in that file only.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateAccount {
    name: String,
    token_uri: String,
}

impl Act for CreateAccount {
    const NAME: &'static str = "service-accounts/create";
    const MAY_BE_NEW: bool = true;
    type Answer = Json;

    async fn run(self, site: Site) -> Result<Json, Status> {
        let Site { gate, project, caller, .. } = site;
        identity::create_service_account(&gate, &caller, &project, &self.name, &self.token_uri).await
    }
}

/// The accounts of the project.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListAccounts {}

impl Act for ListAccounts {
    const NAME: &'static str = "service-accounts/list";
    type Answer = Vec<AccountInfo>;

    async fn run(self, site: Site) -> Result<Vec<AccountInfo>, Status> {
        identity::service_accounts(&site.gate, &site.caller, &site.project).await
    }
}

/// Gives an account another key and ends the others after a while. Answers with the new key's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateAccount {
    name: String,
    token_uri: String,
    overlap_s: u32,
}

impl Act for RotateAccount {
    const NAME: &'static str = "service-accounts/rotate";
    type Answer = Json;

    async fn run(self, site: Site) -> Result<Json, Status> {
        let Self { name, token_uri, overlap_s } = self;
        let Site { gate, project, caller, .. } = site;
        identity::rotate_service_account(&gate, &caller, &project, &name, overlap_s, &token_uri).await
    }
}

/// Refuses an account, or one key of it, from now on.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeAccount {
    name: String,
    key: Option<String>,
}

impl Act for RevokeAccount {
    const NAME: &'static str = "service-accounts/revoke";
    type Answer = AccountInfo;

    async fn run(self, site: Site) -> Result<AccountInfo, Status> {
        let Site { gate, project, caller, .. } = site;
        identity::revoke_service_account(&gate, &caller, &project, &self.name, self.key.as_deref()).await
    }
}
