//! A copy of all data, made while everybody works. An administrator's act, with its record.

use std::path::Path;

use base::{Code, Status};
use kv::{StoreError, Version};

use crate::caller::Caller;
use crate::fault::fault;
use crate::gate::{Gate, Operation};
use crate::service::Service;

impl Gate {
    /// Writes a consistent copy of all data to a new file. Gives the version of the copy.
    ///
    /// Errors: `PERMISSION_DENIED` for anybody but an administrator, `ALREADY_EXISTS`, and what the file system says.
    pub async fn backup(&self, caller: &Caller, to: &Path) -> Result<Version, Status> {
        let resource = to.display().to_string();
        let operation = Operation { service: Service::Store, verb: "backup", resource: resource.clone() };
        let mut session = self.begin(caller, operation).await?;
        if session.authorize_admin(&resource).is_err() {
            session.finish();
            return Err(Status::new(Code::PermissionDenied, "only administrators may make a backup"));
        }
        session.let_go();
        let copied = self.inner.store.backup(to).await;
        session.finish();
        copied.map_err(|error| match error {
            StoreError::Exists { .. } => Status::new(Code::AlreadyExists, error.to_string()),
            StoreError::Io { .. } | StoreError::Damaged { .. } => {
                Status::new(Code::FailedPrecondition, error.to_string())
            }
            error => fault(&error),
        })
    }
}
