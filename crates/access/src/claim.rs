//! What a data folder was made by. Development and production never share one: dev keeps readable passwords and believes
//! every token.
//!
//! A row says it, so that it goes wherever the data goes. Folders of versions that wrote none are known by what is in them:
//! production has made a signing key at its first start, and development never has.

use base::{Code, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Keyspace, Scan, Store};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::fault::fault;
use crate::gate::{Gate, Operation};
use crate::keyspace::{CLAIM, DOCUMENTS, RELEASES, SIGNING_KEYS, USERS};
use crate::mode::Mode;
use crate::service::Service;
use crate::session::CommitFailure;

/// Who made the data, and for which project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `dev` rather than `serve`.
    pub dev: bool,
    /// The project's id; `None` where no row says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

fn key() -> Key {
    Key::new(CLAIM, &[])
}

impl Claim {
    /// The claim on a store; `None` for one with nothing in it.
    ///
    /// Errors: the store's faults; `DATA_LOSS` for a row that cannot be read.
    pub async fn of(store: &Store) -> Result<Option<Self>, Status> {
        let snapshot = store.snapshot().await.map_err(|error| fault(&error))?;
        if let Some(row) = snapshot.get(&key()).await.map_err(|error| fault(&error))? {
            let claim = serde_json::from_slice(&row.value).map_err(|error| {
                let text = format!("the row that says what made this data cannot be read: {error}");
                Status::new(Code::DataLoss, text)
            })?;
            return Ok(Some(claim));
        }
        let has = async |keyspace: Keyspace| {
            let scan = Scan { rows_max: 1, ..Scan::default() };
            let page = snapshot.scan(&KeyRange::prefix(keyspace, &[]), scan).await;
            page.map(|page| !page.rows.is_empty()).map_err(|error| fault(&error))
        };
        if has(SIGNING_KEYS).await? {
            return Ok(Some(Self { dev: false, project: None }));
        }
        for keyspace in [DOCUMENTS, USERS, RELEASES] {
            if has(keyspace).await? {
                return Ok(Some(Self { dev: true, project: None }));
            }
        }
        Ok(None)
    }

    /// Whether a process of this mode may open the data.
    pub fn allows(&self, mode: &Mode) -> bool {
        self.dev == mode.dev().is_some()
    }
}

impl Gate {
    /// Writes down what this process is and for which project, so that no other kind opens the data.
    pub async fn claim(&self, project: &str) -> Result<(), Status> {
        let claim = Claim { dev: self.mode().dev().is_some(), project: Some(project.to_owned()) };
        let value = serde_json::to_vec(&claim).map_err(|error| Status::unavailable(error.to_string()))?;
        let (verb, resource) = ("claimFolder", "/");
        let operation = Operation { service: Service::Identity, verb, resource: resource.to_owned() };
        let mut session = self.begin(&Caller::admin("hearth"), operation).await?;
        let permit = session
            .authorize_admin(resource)
            .map_err(|refusal| refusal.status(|_| "Only administrators may do this.".to_owned()))?;
        session.note("dev", claim.dev.into());
        session.write(&permit, key(), Some(Bytes::from(value)));
        match session.commit().await {
            Ok(_) => Ok(()),
            Err(CommitFailure::Failed(status)) => Err(status),
            Err(CommitFailure::Conflict) => Err(Status::unavailable("the data folder could not be claimed")),
        }
    }
}
