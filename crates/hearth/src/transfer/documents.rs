//! The documents of Cloud Firestore.

use std::path::Path;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::{Portable, Site, TransferError, ask, unreadable};

const FOLDER: &str = "firestore_export";

/// The official export format, which Firestore writes itself.
pub struct Documents;

#[async_trait]
impl Portable for Documents {
    async fn export(&self, site: &Site<'_>, folder: &Path) -> Result<Json, TransferError> {
        let body = json!({
            "database": database(site), "export_directory": folder.to_string_lossy(), "export_name": FOLDER,
        });
        let path = format!("/emulator/v1/projects/{}:export", site.project);
        ask(&site.routes, "POST", &path, &body).await?;
        Ok(json!({
            "path": FOLDER,
            "metadata_file": format!("{FOLDER}/{FOLDER}.overall_export_metadata"),
        }))
    }

    async fn import(&self, site: &Site<'_>, folder: &Path, section: &Json) -> Result<(), TransferError> {
        let Some(file) = section.get("metadata_file").and_then(Json::as_str) else { return Ok(()) };
        let file = folder.join(file);
        let file = file.canonicalize().map_err(|source| unreadable(&file, source))?;
        let body = json!({"database": database(site), "export_directory": file.to_string_lossy()});
        ask(&site.routes, "POST", &format!("/emulator/v1/projects/{}:import", site.project), &body).await?;
        Ok(())
    }
}

fn database(site: &Site<'_>) -> String {
    format!("projects/{}/databases/(default)", site.project)
}
