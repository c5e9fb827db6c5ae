//! Exports and imports of whole databases.

use axum::body::Body;
use base::Status;
use http::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

use super::{Call, respond};

#[derive(Deserialize)]
struct Export {
    database: Option<String>,
    #[serde(alias = "exportDirectory")]
    export_directory: PathBuf,
    #[serde(alias = "exportName")]
    export_name: String,
}

#[derive(Deserialize)]
struct Import {
    database: Option<String>,
    /// The export's `*.overall_export_metadata`, or the folder that it is in.
    #[serde(alias = "exportDirectory")]
    export_directory: PathBuf,
}

fn read<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Status> {
    serde_json::from_slice(&call.body)
        .map_err(|error| Status::invalid(format!("Invalid JSON payload received. {error}")))
}

/// The database that is meant: the body's, the path's, else the default one.
fn database(call: &Call<'_>, named: Option<String>) -> String {
    named.unwrap_or_else(|| {
        format!("projects/{}/databases/{}", call.project, call.database.unwrap_or("(default)"))
    })
}

/// `POST …:export`.
pub(super) async fn export(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let Export { database: named, export_directory, export_name } = read(call)?;
    let database = database(call, named);
    call.firestore.export_documents(call.permit, &database, export_directory, &export_name).await?;
    Ok(respond(200, "{}".into()))
}

/// `POST …:import`.
pub(super) async fn import(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let Import { database: named, export_directory } = read(call)?;
    let database = database(call, named);
    call.firestore.import_documents(call.permit, &database, export_directory).await?;
    Ok(respond(200, "{}".into()))
}
