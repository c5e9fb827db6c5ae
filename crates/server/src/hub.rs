//! The hub: tells tools of the official suite what runs where (`@firebase/rules-unit-testing` discovers emulators so).
//!
//! Source: the routes `firebase-tools` serves on port 4400, as far as client libraries ask for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The hub's routes for these services (name as in `firebase.json` → address).
pub fn routes(project: &str, services: BTreeMap<String, SocketAddr>) -> Router {
    let emulators: serde_json::Map<String, Value> = services
        .iter()
        .map(|(name, address)| {
            let listen = json!({
                "address": address.ip().to_string(),
                "family": if address.is_ipv4() { "IPv4" } else { "IPv6" },
                "port": address.port(),
            });
            let entry = json!({
                "name": name, "host": address.ip().to_string(), "port": address.port(), "listen": [listen],
            });
            (name.clone(), entry)
        })
        .collect();
    let origins: Vec<String> = services.get("hub").map(|hub| format!("http://{hub}")).into_iter().collect();
    let locator = json!({ "version": env!("CARGO_PKG_VERSION"), "origins": origins, "projectId": project });
    Router::new()
        .route("/", get(async move || Json(locator)))
        .route("/emulators", get(async move || Json(Value::Object(emulators))))
}
