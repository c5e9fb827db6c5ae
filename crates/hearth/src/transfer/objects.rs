//! The objects of Cloud Storage.

use std::path::Path;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::{Portable, Site, TransferError, ask, unreadable, unwritable};

const FOLDER: &str = "storage_export";

/// `storage_export`: buckets, metadata and bytes, which Cloud Storage writes itself.
pub struct Objects;

#[async_trait]
impl Portable for Objects {
    async fn export(&self, site: &Site<'_>, folder: &Path) -> Result<Json, TransferError> {
        let objects = folder.join(FOLDER);
        // Objects that an earlier export had would come back with this one.
        if let Err(error) = std::fs::remove_dir_all(&objects)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(unwritable(&objects, error));
        }
        let body = json!({"path": objects.to_string_lossy()});
        ask(&site.routes, "POST", "/internal/export", &body).await?;
        Ok(json!({"path": FOLDER}))
    }

    async fn import(&self, site: &Site<'_>, folder: &Path, section: &Json) -> Result<(), TransferError> {
        let Some(path) = section.get("path").and_then(Json::as_str) else { return Ok(()) };
        let path = folder.join(path);
        let path = path.canonicalize().map_err(|source| unreadable(&path, source))?;
        ask(&site.routes, "POST", "/internal/import", &json!({"path": path.to_string_lossy()})).await?;
        Ok(())
    }
}
