//! The environment of a codebase's processes.
//!
//! Source: the functions reference, A3 and A4 (development).

use std::collections::BTreeMap;

use crate::model::{Codebase, Settings};

/// The base of both processes: where the other services are, and what the packages demand. `own` are the codebase's variables.
pub fn of(
    settings: &Settings,
    codebase: &Codebase,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let project = &settings.project;
    let config = serde_json::json!({
        "projectId": project,
        "databaseURL": database_url(settings),
        "storageBucket": format!("{project}.appspot.com"),
    });
    let mut variables = own.clone();
    variables.extend(settings.variables.iter().cloned());
    let mut put = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    put("FIREBASE_CONFIG", &config.to_string());
    put("GCLOUD_PROJECT", project);
    put("GOOGLE_CLOUD_PROJECT", project);
    put("GOOGLE_CLOUD_QUOTA_PROJECT", project);
    put("K_REVISION", "1");
    put("TZ", "UTC");
    put("METADATA_SERVER_DETECTION", "none");
    put("FUNCTIONS_EMULATOR", "true");
    put("FIREBASE_DEBUG_MODE", "true");
    put("FIREBASE_DEBUG_FEATURES", r#"{"skipTokenVerification":true,"enableCors":true}"#);
    put("HEARTH_CODEBASE", &codebase.name);
    variables
}

/// Where the house is, as `glue/house.js` reads it. Without an identity a process asks on behalf of its calls only.
pub fn house(settings: &Settings, identity: Option<&str>) -> String {
    let address = |(_, value): &(String, String)| value.trim_start_matches("http://").to_owned();
    let named = |part: &'static str| {
        let all = settings.variables.iter();
        let all = all.filter(move |(name, _)| name.ends_with("_EMULATOR_HOST") && name.contains(part));
        all.map(address).collect::<Vec<_>>()
    };
    // Functions that call functions do so in their own name.
    let functions = named("FUNCTIONS");
    let hosts = named("").into_iter().filter(|host| !functions.contains(host)).collect::<Vec<_>>();
    let closed = if identity.is_none() { named("DATABASE") } else { Vec::new() };
    serde_json::json!({ "hosts": hosts, "open": named("STORAGE"), "token": identity, "closed": closed })
        .to_string()
}

fn database_url(settings: &Settings) -> String {
    let host = settings.variables.iter().find(|(name, _)| name == "FIREBASE_DATABASE_EMULATOR_HOST");
    match host {
        Some((_, host)) => format!("http://{host}/?ns={}-default-rtdb", settings.project),
        None => format!("https://{}-default-rtdb.firebaseio.com", settings.project),
    }
}
