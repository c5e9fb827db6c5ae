//! Whole projects in the official suite's layout: `--import` and `--export-on-exit`, the folder that `firebase
//! emulators:export` writes and `--import` of the Firebase CLI reads.
//!
//! Done by the services' own routes, as the Firebase CLI does it, without a socket between.
//!
//! Source: `src/emulator/hubExport.ts` and `auth/index.ts` (`importData`) of firebase-tools.

mod documents;
mod objects;
mod trees;
mod users;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use serde_json::{Map, Value as Json, json};
use server::{Answer, Routes};

pub use documents::Documents;
pub use objects::Objects;
pub use trees::Trees;
pub use users::Users;

/// The file that says what an export has.
const METADATA: &str = "firebase-export-metadata.json";

/// Why a project cannot be imported or exported.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("`{}` cannot be {verb}: {source}", .path.display())]
    File { path: PathBuf, verb: &'static str, source: std::io::Error },
    #[error("{}:{line}:{column}: {reason}", .path.display())]
    Malformed { path: PathBuf, line: usize, column: usize, reason: String },
    #[error("`{}` is not an export: it has no {METADATA}", .0.display())]
    NoExport(PathBuf),
    #[error("{what}: {answer}")]
    Refused { what: String, answer: String },
}

/// What a service has in an export, under its name.
#[async_trait]
pub trait Portable: Send + Sync {
    /// Writes it below the export's folder. Gives what the metadata say of it, beside the version.
    async fn export(&self, site: &Site<'_>, folder: &Path) -> Result<Json, TransferError>;

    /// Reads it from the export's folder; `section` is what the metadata say of it.
    async fn import(&self, site: &Site<'_>, folder: &Path, section: &Json) -> Result<(), TransferError>;
}

/// The service that is exported or imported.
pub struct Site<'a> {
    /// The project's id.
    pub project: &'a str,
    /// The service's routes.
    pub routes: Routes,
}

/// The services of one project.
pub struct Transfer<'a> {
    /// Each with its name in the metadata.
    pub services: Vec<(&'static str, &'static dyn Portable, Site<'a>)>,
}

impl Transfer<'_> {
    /// Imports what an export has for the services of this table.
    pub async fn import(&self, folder: &Path) -> Result<(), TransferError> {
        let path = folder.join(METADATA);
        if !path.is_file() {
            return Err(TransferError::NoExport(folder.to_owned()));
        }
        let metadata = read(&path)?;
        for (name, service, site) in &self.services {
            if let Some(section) = metadata.get(name) {
                service.import(site, folder, section).await?;
            }
        }
        Ok(())
    }

    /// Exports all services; what the folder had of an earlier export is replaced.
    pub async fn export(&self, folder: &Path) -> Result<(), TransferError> {
        std::fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
        let folder = folder.canonicalize().map_err(|source| unwritable(folder, source))?;
        let version = json!(env!("CARGO_PKG_VERSION"));
        let mut metadata = Map::from_iter([("version".to_owned(), version.clone())]);
        for (name, service, site) in &self.services {
            let mut section = service.export(site, &folder).await?;
            if let Some(section) = section.as_object_mut() {
                section.insert("version".to_owned(), version.clone());
            }
            metadata.insert((*name).to_owned(), section);
        }
        // Last: without it the folder is no export.
        write(&folder.join(METADATA), &Json::Object(metadata))
    }
}

/// Asks as the administrator that this process is.
async fn ask(routes: &Routes, method: &str, path: &str, body: &Json) -> Result<Json, TransferError> {
    let refused = |answer: String| TransferError::Refused { what: format!("{method} {path}"), answer };
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let request = http::Request::builder().method(method).uri(path).header(HOST, "localhost");
    let request = request.header(AUTHORIZATION, "Bearer owner").header(CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(text)).map_err(|error| refused(error.to_string()))?;
    let response = routes.answer(request).await;
    let is_success = response.status().is_success();
    let collected = response.into_body().collect().await.map_err(|error| refused(error.to_string()))?;
    let bytes = collected.to_bytes();
    let answer: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    if is_success {
        return Ok(answer);
    }
    let message = answer.pointer("/error/message").and_then(Json::as_str).map(str::to_owned);
    Err(refused(message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned())))
}

fn read(path: &Path) -> Result<Json, TransferError> {
    let text = std::fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    serde_json::from_str(&text).map_err(|error| TransferError::Malformed {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        reason: error.to_string(),
    })
}

fn write(path: &Path, content: &Json) -> Result<(), TransferError> {
    let text = serde_json::to_string_pretty(content).unwrap_or_default();
    std::fs::write(path, text).map_err(|source| unwritable(path, source))
}

fn unreadable(path: &Path, source: std::io::Error) -> TransferError {
    TransferError::File { path: path.to_owned(), verb: "read", source }
}

fn unwritable(path: &Path, source: std::io::Error) -> TransferError {
    TransferError::File { path: path.to_owned(), verb: "written", source }
}

fn make(folder: &Path) -> Result<(), TransferError> {
    std::fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))
}
