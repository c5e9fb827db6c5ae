//! `hearth keys`: the keys that sign ID tokens.

use std::path::PathBuf;

use base::Status;
use identity::SigningKeyInfo;
use serde::{Deserialize, Serialize};

use crate::admin::{Act, Site, ask};
use crate::cli::{Keys, KeysOutput};
use crate::failure::Failure;
use crate::sealing::seal_in;
use crate::table::{Table, print, print_json};

/// Runs one of the verbs.
pub async fn run(verb: &Keys) -> Result<(), Failure> {
    match verb {
        Keys::List(output) => show(output, &ask(&output.folder, ListKeys {}).await?),
        Keys::Rotate(verb) => {
            show(&verb.output, &ask(&verb.output.folder, RotateKey { at_once: verb.now }).await?)
        }
        Keys::Revoke(verb) => {
            show(&verb.output, &ask(&verb.output.folder, RevokeKey { id: verb.id.clone() }).await?)
        }
        Keys::Seal(verb) => {
            let path = std::path::absolute(&verb.new_key_file).map_err(|error| error.to_string())?;
            // A file that is none is refused before the server is asked.
            seal_in(&path)?;
            show(&verb.output, &ask(&verb.output.folder, SealKeys { key_file: path }).await?)
        }
    }
}

fn show(output: &KeysOutput, keys: &[SigningKeyInfo]) -> Result<(), Failure> {
    if output.json {
        return print_json(&keys);
    }
    let mut table = Table::new(["KEY", "STATE", "SIGNS FROM", "VERIFIES UNTIL", "SEALED BY"]);
    for key in keys {
        let until = key.verifies_until.as_deref().unwrap_or("");
        let sealed = key.sealed_by.as_deref().unwrap_or("no");
        table.add([key.id.as_str(), key.state.word(), &key.signs_from, until, sealed]);
    }
    print(&table)
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ListKeys {}

impl Act for ListKeys {
    const NAME: &'static str = "keys/list";
    type Answer = Vec<SigningKeyInfo>;

    async fn run(self, site: Site) -> Result<Vec<SigningKeyInfo>, Status> {
        site.identity.signing_keys(&site.caller).await
    }
}

/// Makes a successor of the key that signs.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateKey {
    at_once: bool,
}

impl Act for RotateKey {
    const NAME: &'static str = "keys/rotate";
    type Answer = Vec<SigningKeyInfo>;

    async fn run(self, site: Site) -> Result<Vec<SigningKeyInfo>, Status> {
        site.identity.rotate_signing_key(&site.caller, self.at_once).await
    }
}

/// Refuses a key and all that it signed.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeKey {
    id: String,
}

impl Act for RevokeKey {
    const NAME: &'static str = "keys/revoke";
    type Answer = Vec<SigningKeyInfo>;

    async fn run(self, site: Site) -> Result<Vec<SigningKeyInfo>, Status> {
        site.identity.revoke_signing_key(&site.caller, &self.id).await
    }
}

/// Seals the keys with another key.
#[derive(Debug, Serialize, Deserialize)]
pub struct SealKeys {
    key_file: PathBuf,
}

impl Act for SealKeys {
    const NAME: &'static str = "keys/seal";
    type Answer = Vec<SigningKeyInfo>;

    async fn run(self, site: Site) -> Result<Vec<SigningKeyInfo>, Status> {
        let seal = seal_in(&self.key_file).map_err(Status::invalid)?;
        site.identity.seal_signing_keys(&site.caller, &seal).await
    }
}
