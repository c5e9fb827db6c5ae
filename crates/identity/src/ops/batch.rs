//! Deleting many users at once.

use serde::Deserialize;

use super::{UnitOfWork, Verb};
use crate::limits::BATCH_USERS_MAX;
use crate::status::{Failure, LOCAL_ID_LIST_EXCEEDS_LIMIT};

/// `accounts:batchDelete`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct BatchDelete {
    pub local_ids: Vec<String>,
    pub force: bool,
}

/// Why one user of a batch was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    pub index: usize,
    pub local_id: Option<String>,
    pub message: String,
}

impl Verb for BatchDelete {
    type Output = Vec<RowError>;
    const NAME: &'static str = "batchDelete";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Vec<RowError>, Failure> {
        if self.local_ids.is_empty() || self.local_ids.len() > BATCH_USERS_MAX {
            return Err(LOCAL_ID_LIST_EXCEEDS_LIMIT.into());
        }
        let permit = work.admin()?;
        work.note("users", self.local_ids.len().into());
        let mut errors = Vec::new();
        for (index, uid) in self.local_ids.iter().enumerate() {
            let Some(user) = work.user(uid).await? else { continue };
            if user.disabled || self.force {
                work.remove(&permit, &user).await?;
            } else {
                let message = "NOT_DISABLED : Disable the account before batch deletion.".to_owned();
                errors.push(RowError { index, local_id: Some(uid.clone()), message });
            }
        }
        Ok(errors)
    }
}
