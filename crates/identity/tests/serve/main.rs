//! Production: what is refused, what is accepted, and what a fault looks like.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may"
)]

mod accounts;
mod clock;
mod faults;
#[path = "../house/mod.rs"]
mod house;
mod keys;
mod service_accounts;
mod takeover;
mod throttle;
mod tokens;

use access::Caller;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use house::{House, PROJECT};
use identity::token::rs256::PrivateKey;
use identity::{GOOGLE_TOKEN_URI, create_service_account};
use serde_json::{Value as Json, json};

const X509: &str = "/www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com";

const CUSTOM_AUDIENCE: &str =
    "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit";

fn encoded(json: &Json) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn unsigned(claims: &Json) -> String {
    format!("{}.{}.", encoded(&json!({ "alg": "none", "typ": "JWT" })), encoded(claims))
}

/// A service account as its owner has it.
struct Account {
    key: PrivateKey,
    file: Json,
}

impl Account {
    async fn create(house: &House, name: &str) -> Self {
        Self::of(
            create_service_account(&house.gate, &Caller::admin("test"), PROJECT, name, GOOGLE_TOKEN_URI)
                .await
                .unwrap(),
        )
    }

    fn of(file: Json) -> Self {
        let pem = file["private_key"].as_str().unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        Self { key: PrivateKey::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap(), file }
    }

    fn email(&self) -> &str {
        self.file["client_email"].as_str().unwrap()
    }

    fn kid(&self) -> &str {
        self.file["private_key_id"].as_str().unwrap()
    }

    fn sign(&self, claims: &Json) -> String {
        self.key.sign(self.kid(), "JWT", claims.as_object().unwrap()).unwrap()
    }

    fn claims(&self, now_s: i64, more: &Json) -> Json {
        let mut claims =
            json!({ "iss": self.email(), "sub": self.email(), "iat": now_s, "exp": now_s + 3600 });
        for (name, value) in more.as_object().unwrap() {
            match value {
                Json::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }
}

async fn published(house: &House, path: &str) -> (Json, String) {
    let (status, _, body) = house.send("GET", path, &[], String::new()).await;
    assert_eq!(status, 200, "{path}");
    let known = serde_json::from_str(&body).unwrap();
    (known, body)
}
