//! Whole projects in the official suite's layout: `--import` and `--export-on-exit`, the folder that `firebase
//! emulators:export` writes and `--import` of the Firebase CLI reads.
//!
//! Done by the services' own routes, as the Firebase CLI does it, without a socket between.
//!
//! Source: `src/emulator/hubExport.ts` and `auth/index.ts` (`importData`) of firebase-tools.

use std::path::{Path, PathBuf};

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use server::Answer;

/// The file that says what an export has.
const METADATA: &str = "firebase-export-metadata.json";
const FIRESTORE_FOLDER: &str = "firestore_export";
const AUTH_FOLDER: &str = "auth_export";
const STORAGE_FOLDER: &str = "storage_export";
/// Users of one page of an export, and of one batch of an import.
const USERS_MAX: usize = 1000;

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

/// The routes of the services of one project.
pub struct Transfer<'a, A, F, S> {
    /// The project's id.
    pub project: &'a str,
    /// The identity service's.
    pub auth: A,
    /// Firestore's.
    pub firestore: F,
    /// Cloud Storage's.
    pub storage: S,
}

impl<A: Answer, F: Answer, S: Answer> Transfer<'_, A, F, S> {
    /// Imports what an export has for the services of this table.
    pub async fn import(&self, folder: &Path) -> Result<(), TransferError> {
        let path = folder.join(METADATA);
        if !path.is_file() {
            return Err(TransferError::NoExport(folder.to_owned()));
        }
        let metadata = read(&path)?;
        let text = |pointer: &str| metadata.pointer(pointer).and_then(Json::as_str);
        if let Some(file) = text("/firestore/metadata_file") {
            let file = folder.join(file);
            let file = file.canonicalize().map_err(|source| unreadable(&file, source))?;
            let body = json!({"database": self.database(), "export_directory": file.to_string_lossy()});
            let path = format!("/emulator/v1/projects/{}:import", self.project);
            ask(&self.firestore, "POST", &path, &body).await?;
        }
        if let Some(auth) = text("/auth/path") {
            self.import_users(&folder.join(auth)).await?;
        }
        if let Some(storage) = text("/storage/path") {
            let path = folder.join(storage);
            let path = path.canonicalize().map_err(|source| unreadable(&path, source))?;
            ask(&self.storage, "POST", "/internal/import", &json!({"path": path.to_string_lossy()})).await?;
        }
        Ok(())
    }

    async fn import_users(&self, folder: &Path) -> Result<(), TransferError> {
        let accounts = folder.join("accounts.json");
        let accounts = if accounts.is_file() { read(&accounts)? } else { Json::Null };
        let users = accounts.get("users").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        for users in users.chunks(USERS_MAX) {
            let body = json!({"users": users, "allowOverwrite": true, "sanityCheck": false});
            let answer = ask(&self.auth, "POST", &self.users("batchCreate"), &body).await?;
            if let Some(error) =
                answer.get("error").and_then(Json::as_array).filter(|errors| !errors.is_empty())
            {
                let answer = Json::Array(error.clone()).to_string();
                return Err(TransferError::Refused {
                    what: "some users cannot be imported".to_owned(),
                    answer,
                });
            }
        }
        let config = folder.join("config.json");
        if config.is_file() {
            let path = format!("/emulator/v1/projects/{}/config", self.project);
            ask(&self.auth, "PATCH", &path, &read(&config)?).await?;
        }
        Ok(())
    }

    /// Exports all services; what the folder had of an earlier export is replaced.
    pub async fn export(&self, folder: &Path) -> Result<(), TransferError> {
        std::fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
        let folder = folder.canonicalize().map_err(|source| unwritable(folder, source))?;
        let body = json!({
            "database": self.database(), "export_directory": folder.to_string_lossy(), "export_name": FIRESTORE_FOLDER,
        });
        ask(&self.firestore, "POST", &format!("/emulator/v1/projects/{}:export", self.project), &body)
            .await?;
        let auth = folder.join(AUTH_FOLDER);
        std::fs::create_dir_all(&auth).map_err(|source| unwritable(&auth, source))?;
        let users =
            json!({"kind": "identitytoolkit#DownloadAccountResponse", "users": self.all_users().await?});
        write(&auth.join("accounts.json"), &users)?;
        let path = format!("/emulator/v1/projects/{}/config", self.project);
        write(&auth.join("config.json"), &ask(&self.auth, "GET", &path, &Json::Null).await?)?;
        let storage = folder.join(STORAGE_FOLDER);
        // Objects that an earlier export had would come back with this one.
        if let Err(error) = std::fs::remove_dir_all(&storage)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(unwritable(&storage, error));
        }
        ask(&self.storage, "POST", "/internal/export", &json!({"path": storage.to_string_lossy()})).await?;
        let version = env!("CARGO_PKG_VERSION");
        let metadata = json!({
            "version": version,
            "firestore": {
                "version": version, "path": FIRESTORE_FOLDER,
                "metadata_file": format!("{FIRESTORE_FOLDER}/{FIRESTORE_FOLDER}.overall_export_metadata"),
            },
            "auth": {"version": version, "path": AUTH_FOLDER},
            "storage": {"version": version, "path": STORAGE_FOLDER},
        });
        // Last: without it the folder is no export.
        write(&folder.join(METADATA), &metadata)
    }

    async fn all_users(&self) -> Result<Vec<Json>, TransferError> {
        let (mut users, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{}?maxResults={USERS_MAX}&nextPageToken={token}", self.users("batchGet"));
            let mut page = ask(&self.auth, "GET", &path, &Json::Null).await?;
            let found =
                page.get_mut("users").and_then(Json::as_array_mut).map(std::mem::take).unwrap_or_default();
            let is_last = found.len() < USERS_MAX;
            users.extend(found);
            match page.get("nextPageToken").and_then(Json::as_str).filter(|next| !next.is_empty() && !is_last)
            {
                Some(next) => token = next.to_owned(),
                None => return Ok(users),
            }
        }
    }

    fn users(&self, verb: &str) -> String {
        format!("/identitytoolkit.googleapis.com/v1/projects/{}/accounts:{verb}", self.project)
    }

    fn database(&self) -> String {
        format!("projects/{}/databases/(default)", self.project)
    }
}

/// Asks as the administrator that this process is.
async fn ask(routes: &impl Answer, method: &str, path: &str, body: &Json) -> Result<Json, TransferError> {
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
