//! The hub: tells tools of the official suite what runs where (`@firebase/rules-unit-testing` discovers emulators so).
//!
//! Source: the routes `firebase-tools` serves on port 4400, as far as client libraries ask for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The hub's routes for these services (name as in `firebase.json` → address). The console finds a feed of decisions at
/// those of `feeds`.
pub fn routes(project: &str, services: BTreeMap<String, SocketAddr>, feeds: &[&str]) -> Router {
    let emulators: serde_json::Map<String, Value> = services
        .iter()
        .map(|(name, address)| {
            let listen = json!({
                "address": address.ip().to_string(),
                "family": if address.is_ipv4() { "IPv4" } else { "IPv6" },
                "port": address.port(),
            });
            let host = address.ip().to_string();
            let mut entry = json!({ "name": name, "host": host, "port": address.port(), "listen": [listen] });
            if let (true, Some(entry)) = (feeds.contains(&name.as_str()), entry.as_object_mut()) {
                entry.insert("webSocketHost".to_owned(), json!(host));
                entry.insert("webSocketPort".to_owned(), json!(address.port()));
            }
            (name.clone(), entry)
        })
        .collect();
    let origins: Vec<String> = services.get("hub").map(|hub| format!("http://{hub}")).into_iter().collect();
    let locator = json!({ "version": env!("CARGO_PKG_VERSION"), "origins": origins, "projectId": project });
    Router::new()
        .route("/", get(async move || Json(locator)))
        .route("/emulators", get(async move || Json(Value::Object(emulators))))
}
