//! App Check through the front door: what a token is worth over time, what a session is held to, and what one client may cost.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use access::{
    AccessLog, AppVerdict, Attest, Attestation, Caller, CommitFailure, DevPermit, ENFORCEABLE, Enforcement,
    Flaw, Gate, Mode, Operation, Service, is_unattested,
};
use attest::{AppCheck, NewApp};
use axum::Router;
use axum::body::Body;
use base::{Code, ManualClock};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use identity::Identity;
use kv::faulty::{Fault, Faults, Faulty};
use kv::{Key, Keyspace};
use serde_json::{Value as Json, json};
use server::{Answer, Routes};

const APP: &str = "1:12345:web:0123456789abcdef";
const PROJECT: &str = "p";
const START_S: i64 = 1_764_000_000;
/// What nobody owns.
const ROWS: Keyspace = Keyspace(0x7F);

struct House {
    gate: Gate,
    clock: Arc<ManualClock>,
    identity: Arc<Identity>,
    app_check: Arc<AppCheck>,
    faults: Faults,
}

impl House {
    async fn open(mode: Mode) -> Self {
        let faults = Faults::default();
        let engine = Faulty::new(kv::Mem::default(), faults.clone());
        let clock = Arc::new(ManualClock::at(START_S * 1_000_000));
        let options = kv::Options { clock: clock.clone(), ..kv::Options::default() };
        let store = kv::Store::open(engine, options).await.unwrap();
        let gate = Gate::new(store, AccessLog::in_memory(), clock.clone(), mode);
        let identity = Identity::new(gate.clone(), identity::Settings::new(PROJECT)).await.unwrap();
        let settings = attest::Settings { project: PROJECT.into(), project_number: "12345".into() };
        let app_check = AppCheck::new(gate.clone(), settings, Arc::new(identity.authenticator()));
        app_check.restore().await.unwrap();
        Self { gate, clock, identity, app_check, faults }
    }

    /// Production with one app.
    async fn serve() -> Self {
        let house = Self::open(Mode::Serve).await;
        let new = NewApp { id: Some(APP.into()), platform: "web".into(), name: "Web".into(), ttl_s: None };
        house.app_check.add_app(&admin(), new).await.unwrap();
        house
    }

    fn advance_s(&self, seconds: i64) {
        self.clock.advance(seconds * 1_000_000);
    }

    /// The routes of App Check with all that stands before them.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Json,
    ) -> (StatusCode, Json) {
        let routes = server::with_caller(
            attest::api::router(Arc::clone(&self.app_check)).merge(Router::new()),
            Arc::new(self.identity.authenticator()),
            PROJECT,
        );
        let attest: Arc<dyn Attest> = Arc::clone(&self.app_check) as _;
        let routes = server::with_app(Routes::from(routes), attest, PROJECT);
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = routes.answer(request.body(Body::from(body.to_string())).unwrap()).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Json::Null))
    }

    async fn debug_token(&self) -> String {
        let token = attest::new_debug_token().unwrap();
        self.app_check.add_debug_token(&admin(), APP, "test", &token).await.unwrap();
        token
    }

    async fn exchange(&self, debug: &str, limited: bool) -> Result<String, Json> {
        let path = format!("/v1/projects/{PROJECT}/apps/{APP}:exchangeDebugToken");
        let (status, body) =
            self.send("POST", &path, &[], json!({"debugToken": debug, "limitedUse": limited})).await;
        if status == StatusCode::OK { Ok(body["token"].as_str().unwrap().to_owned()) } else { Err(body) }
    }

    async fn token(&self) -> String {
        let debug = self.debug_token().await;
        self.exchange(&debug, false).await.unwrap()
    }

    async fn worth(&self, token: &str) -> Attestation {
        self.app_check.app(PROJECT, Some(token)).await.unwrap()
    }

    async fn flaw(&self, token: &str) -> Option<Flaw> {
        match self.worth(token).await {
            Attestation::Invalid(flaw) => Some(flaw),
            _ => None,
        }
    }
}

fn admin() -> Caller {
    Caller::admin("tester")
}

fn operation(service: Service) -> Operation {
    Operation { service, verb: "Test", resource: "/x".to_owned() }
}

#[tokio::test]
async fn a_token_lives_as_long_as_it_says() {
    let house = House::serve().await;
    let debug = house.debug_token().await;
    let (usual, limited) =
        (house.exchange(&debug, false).await.unwrap(), house.exchange(&debug, true).await.unwrap());
    assert_eq!(house.worth(&usual).await.app().map(|app| app.id.as_str()), Some(APP));
    house.advance_s(299);
    assert_eq!(house.flaw(&limited).await, None);
    house.advance_s(1);
    assert_eq!(house.flaw(&limited).await, Some(Flaw::Expired));
    house.advance_s(3600 - 301);
    assert_eq!(house.flaw(&usual).await, None);
    house.advance_s(1);
    assert_eq!(house.flaw(&usual).await, Some(Flaw::Expired));
    house.clock.advance(-7200 * 1_000_000);
    assert_eq!(house.flaw(&usual).await, Some(Flaw::Future));
}

#[tokio::test]
async fn every_service_that_can_be_enforced_refuses_at_its_sessions_and_records_it() {
    let house = House::serve().await;
    let token = house.token().await;
    let attested = Caller::unauthenticated().from_app(house.worth(&token).await);
    for service in ENFORCEABLE {
        let begin = async |caller: &Caller| {
            house.gate.begin(caller, operation(service)).await.map(|session| session.finish())
        };
        assert!(begin(&Caller::unauthenticated()).await.is_ok(), "{service:?} is off");
        house.gate.enforce_app(service, Enforcement::Unenforced);
        assert!(begin(&Caller::unauthenticated()).await.is_ok(), "{service:?} only counts");
        house.gate.enforce_app(service, Enforcement::Enforced);
        let refused = begin(&Caller::unauthenticated()).await.unwrap_err();
        assert!(is_unattested(&refused) && refused.code == Code::PermissionDenied, "{service:?} {refused:?}");
        assert!(house.gate.admit_app(&Caller::unauthenticated(), service, "/x").is_err());
        let bad = Caller::unauthenticated().from_app(Attestation::Invalid(Flaw::Forged));
        assert_eq!(begin(&bad).await.unwrap_err().code, Code::Unauthenticated);
        for caller in [&attested, &admin(), &attested.clone().from_app(Attestation::Exempt(None))] {
            assert!(begin(caller).await.is_ok(), "{service:?} {caller:?}");
            assert!(house.gate.admit_app(caller, service, "/x").is_ok());
        }
    }
    assert!(house.gate.begin(&Caller::unauthenticated(), operation(Service::AppCheck)).await.is_ok());
    let events = house.gate.log().events();
    let denied: Vec<_> = events.iter().filter(|event| event.method == "app check").collect();
    assert_eq!(denied.len(), 3 * ENFORCEABLE.len());
    assert!(denied.iter().all(|event| event.app_check.is_some_and(|verdict| verdict != AppVerdict::Valid)));
}

/// The app stands inside of the step: who loses it before the commit does not commit.
#[tokio::test]
async fn an_app_that_is_removed_or_revoked_before_the_commit_commits_nothing() {
    for what in ["remove", "revoke", "key"] {
        let house = House::serve().await;
        let token = house.token().await;
        let caller = Caller::unauthenticated().from_app(house.worth(&token).await);
        let mut session = house.gate.begin(&caller, operation(Service::Firestore)).await.unwrap();
        let permit = session.authorize_self("test", "/x");
        session.write(&permit, Key::new(ROWS, b"x"), Some("1".into()));
        match what {
            "remove" => house.app_check.remove_app(&admin(), APP).await.unwrap(),
            "revoke" => drop(house.app_check.revoke_app_tokens(&admin(), APP).await.unwrap()),
            _ => {
                let kid = house.identity.signing_keys(&admin()).await.unwrap().remove(0).id;
                house.identity.revoke_signing_key(&admin(), &kid).await.unwrap();
            }
        }
        assert!(matches!(session.commit().await, Err(CommitFailure::Conflict)), "{what}");
        house.gate.enforce_app(Service::Firestore, Enforcement::Enforced);
        let refused = house.gate.begin(&caller, operation(Service::Firestore)).await.map(drop).unwrap_err();
        assert!(is_unattested(&refused), "{what}");
        let flaw = house.flaw(&token).await;
        let expected = if what == "remove" { Flaw::UnknownApp } else { Flaw::Revoked };
        assert!(flaw == Some(expected) || what == "key" && flaw == Some(Flaw::Forged), "{what} {flaw:?}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_a_fault_and_never_a_verdict() {
    let house = House::serve().await;
    let token = house.token().await;
    house.faults.on_read(0, Fault::Fail);
    let failed = house.app_check.app(PROJECT, Some(&token)).await.unwrap_err();
    assert_eq!(failed.code, Code::Unavailable);
    house.faults.on_read(0, Fault::Fail);
    let (status, _) = house.send("GET", "/v1/jwks", &[("x-firebase-appcheck", &token)], json!({})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    house.gate.enforce_app(Service::Firestore, Enforcement::Enforced);
    let caller = Caller::unauthenticated().from_app(house.worth(&token).await);
    house.faults.on_read(0, Fault::Fail);
    let failed = house.gate.begin(&caller, operation(Service::Firestore)).await.map(drop).unwrap_err();
    assert_eq!(failed.code, Code::Unavailable);
    assert!(house.gate.log().events().iter().all(|event| event.method != "app check"));
}

#[tokio::test]
async fn what_is_too_long_or_of_no_app_costs_nothing_and_changes_nothing() {
    let house = House::serve().await;
    let path = format!("/v1/projects/{PROJECT}/apps/{APP}:exchangeDebugToken");
    let long = "x".repeat(70_000);
    let (status, body) = house.send("POST", &path, &[], json!({ "debugToken": long })).await;
    assert_eq!(
        (status, body["error"]["message"].as_str()),
        (StatusCode::BAD_REQUEST, Some("A request may have 64 KiB."))
    );
    let nested = "[".repeat(60_000);
    let (status, _) = house.send("POST", &path, &[], Json::String(nested)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for jti in ["short", &"j".repeat(251)] {
        let (status, _) =
            house.send("POST", &path, &[], json!({"debugToken": "x", "limitedUse": true, "jti": jti})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    for app in ["1:2:web:x", "..", "a:b:c:d%00", "1:2:3"] {
        let path = format!("/v1/projects/{PROJECT}/apps/{app}:exchangeDebugToken");
        let debug = attest::new_debug_token().unwrap();
        let (status, _) = house.send("POST", &path, &[], json!({ "debugToken": debug })).await;
        assert!([StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status), "{app} {status}");
    }
    let (status, _) =
        house.send("POST", "/v1/projects/other/apps/1:2:web:x:exchangeDebugToken", &[], json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    for (method, path) in [
        ("GET", format!("/v1/projects/{PROJECT}/apps/{APP}/debugTokens")),
        ("POST", format!("/v1/projects/{PROJECT}/apps/{APP}/debugTokens")),
        ("POST", format!("/v1beta/projects/{PROJECT}:verifyAppCheckToken")),
        (
            "PATCH",
            format!(
                "/firebaseappcheck.googleapis.com/v1/projects/{PROJECT}/services/firestore.googleapis.com"
            ),
        ),
    ] {
        let (status, _) = house.send(method, &path, &[], json!({})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(house.app_check.enforcement(Service::Firestore), Enforcement::Off);
}

#[tokio::test]
async fn a_token_is_used_up_once_and_forgotten_when_it_ends() {
    let house = House::serve().await;
    let debug = house.debug_token().await;
    let token = house.exchange(&debug, true).await.unwrap();
    assert!(house.app_check.consume(PROJECT, &token).await.unwrap());
    assert!(!house.app_check.consume(PROJECT, &token).await.unwrap());
    assert!(!house.app_check.consume("other", &token).await.unwrap());
    assert!(!house.app_check.consume(PROJECT, "a.b.c").await.unwrap());
    assert_eq!(house.app_check.forget_used_tokens().await.unwrap(), 1);
    house.advance_s(301);
    assert_eq!(house.app_check.forget_used_tokens().await.unwrap(), 0);
    assert!(
        !house.app_check.consume(PROJECT, &token).await.unwrap(),
        "it has ended, so it is not used again"
    );
}

#[tokio::test]
async fn dev_has_conveniences_and_verifies_all_the_same() {
    let house = House::open(Mode::Dev(DevPermit::for_development_only())).await;
    let debug = attest::new_debug_token().unwrap();
    let token = house.exchange(&debug, false).await.unwrap();
    assert_eq!(house.flaw(&token).await, None, "an app that nobody has registered");
    let path = format!(
        "/content-firebaseappcheck.googleapis.com/v1/projects/{PROJECT}/apps/{APP}:exchangeRecaptchaV3Token"
    );
    let (status, body) = house.send("POST", &path, &[], json!({"recaptcha_v3_token": "x"})).await;
    assert_eq!((status, body["ttl"].as_str()), (StatusCode::OK, Some("3600s")));
    assert_eq!(house.send("POST", &path, &[], json!({})).await.0, StatusCode::FORBIDDEN);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    assert_eq!(house.flaw(&format!("{head}.{other}{}", &signature[1..])).await, Some(Flaw::Forged));
    assert_eq!(house.flaw("owner").await, Some(Flaw::Malformed));
    // Once it is registered it has the debug tokens that were made for it.
    let new = NewApp { id: Some(APP.into()), platform: "web".into(), name: String::new(), ttl_s: None };
    house.app_check.add_app(&admin(), new).await.unwrap();
    assert!(house.exchange(&debug, false).await.is_err());
    let serve = House::serve().await;
    assert_eq!(
        serve.send("POST", &path, &[], json!({"recaptcha_v3_token": "x"})).await.0,
        StatusCode::NOT_IMPLEMENTED
    );
}
