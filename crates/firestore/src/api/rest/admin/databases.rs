//! Databases.

use base::{DatabaseName, Status, Timestamp};
use http::Method;
use serde_json::{Value as Json, json};

use super::{Call, metadata, not_found, typed};
use crate::ops::databases::Database;

/// How long the past can be read, as production says it without point-in-time recovery.
const RETENTION: &str = "3600s";
/// The one location that there is.
const LOCATION: &str = "nam5";

fn as_json(name: &DatabaseName, database: &Database) -> Json {
    let protected = if database.is_protected { "ENABLED" } else { "DISABLED" };
    let location = if database.location.is_empty() { LOCATION } else { &database.location };
    let mut whole = json!({
        "name": name.to_string(),
        "uid": database.uid,
        "locationId": location,
        "type": "FIRESTORE_NATIVE",
        "databaseEdition": "STANDARD",
        "concurrencyMode": "PESSIMISTIC",
        "appEngineIntegrationMode": "DISABLED",
        "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
        "deleteProtectionState": format!("DELETE_PROTECTION_{protected}"),
        "versionRetentionPeriod": RETENTION,
        "etag": format!("{:x}", database.updated),
    });
    if let (Some(whole), true) = (whole.as_object_mut(), database.created > 0) {
        whole.insert("createTime".to_owned(), Timestamp::from_micros(database.created).to_string().into());
        whole.insert("updateTime".to_owned(), Timestamp::from_micros(database.updated).to_string().into());
    }
    whole
}

/// `GET …/locations`.
pub(super) async fn locations(call: &Call<'_>, project: &str) -> Result<Json, Status> {
    call.firestore.list_databases(&call.caller, project).await?;
    let name = format!("projects/{project}/locations/{LOCATION}");
    Ok(json!({ "locations": [{ "name": name, "locationId": LOCATION, "displayName": "This server" }] }))
}

/// `GET` and `POST …/databases`.
pub(super) async fn all(call: &Call<'_>, project: &str) -> Result<Json, Status> {
    match call.method {
        Method::GET => {
            let all = call.firestore.list_databases(&call.caller, project).await?;
            let all: Vec<Json> = all.iter().map(|(name, database)| as_json(name, database)).collect();
            Ok(json!({ "databases": all }))
        }
        Method::POST => {
            let id = call.parameter("databaseId").unwrap_or_default();
            let name = DatabaseName::parse(&format!("projects/{project}/databases/{id}"));
            let name = name.map_err(|_| Status::invalid("`databaseId` is missing or is none."))?;
            only_standard(&call.body)?;
            let location = call.body.get("locationId").and_then(Json::as_str).unwrap_or_default();
            let protected = is_protected(&call.body)?.unwrap_or_default();
            let made = call.firestore.create_database(&call.caller, &name, location, protected).await?;
            done(call, &name, "CreateDatabaseMetadata", &made)
        }
        _ => Err(not_found()),
    }
}

/// `GET`, `PATCH` and `DELETE …/databases/D`.
pub(super) async fn one(call: &Call<'_>, name: &DatabaseName) -> Result<Json, Status> {
    match call.method {
        Method::GET => {
            let database = call.firestore.get_database(&call.caller, name).await?;
            Ok(as_json(name, &database))
        }
        Method::PATCH => {
            only_standard(&call.body)?;
            let protected = is_protected(&call.body)?;
            let updated = call.firestore.update_database(&call.caller, name, protected).await?;
            done(call, name, "UpdateDatabaseMetadata", &updated)
        }
        Method::DELETE => {
            let deleted = call.firestore.delete_database(&call.caller, name).await?;
            done(call, name, "DeleteDatabaseMetadata", &deleted)
        }
        _ => Err(not_found()),
    }
}

fn done(call: &Call<'_>, name: &DatabaseName, kind: &str, database: &Database) -> Result<Json, Status> {
    let response = typed("Database", as_json(name, database));
    let metadata = metadata(kind, "database", &name.to_string(), true);
    Ok(call.firestore.begin_work(name, metadata, Some(Ok(response)))?.json())
}

/// Refuses what would be another kind of database than there is.
fn only_standard(body: &Json) -> Result<(), Status> {
    let others = [
        ("databaseEdition", &["STANDARD", "DATABASE_EDITION_UNSPECIFIED"][..]),
        ("type", &["FIRESTORE_NATIVE", "DATABASE_TYPE_UNSPECIFIED"]),
        ("concurrencyMode", &["PESSIMISTIC", "CONCURRENCY_MODE_UNSPECIFIED"]),
        ("pointInTimeRecoveryEnablement", &["POINT_IN_TIME_RECOVERY_DISABLED"]),
    ];
    for (member, known) in others {
        let asked = body.get(member).and_then(Json::as_str);
        if let Some(asked) = asked.filter(|asked| !known.contains(asked)) {
            let known = known.first().copied().unwrap_or_default();
            let asked: String = asked.chars().take(100).collect();
            return Err(Status::invalid(format!("`{member}` is `{asked}`: there is {known} only.")));
        }
    }
    Ok(())
}

fn is_protected(body: &Json) -> Result<Option<bool>, Status> {
    match body.get("deleteProtectionState").and_then(Json::as_str) {
        None | Some("DELETE_PROTECTION_STATE_UNSPECIFIED") => Ok(None),
        Some("DELETE_PROTECTION_ENABLED") => Ok(Some(true)),
        Some("DELETE_PROTECTION_DISABLED") => Ok(Some(false)),
        Some(_) => Err(Status::invalid("`deleteProtectionState` is none.")),
    }
}
