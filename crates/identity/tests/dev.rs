//! Development: what the emulator believes, and that nothing of it depends on a user.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may"
)]

mod house;

use access::{Authenticate as _, Caller, Credential, Principal};
use base::Value;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use house::House;

#[tokio::test]
async fn owner_and_mock_users_are_believed() {
    let house = House::dev().await;
    let authenticator = house.identity.authenticator();
    for token in ["owner", "Owner", "ya29.x"] {
        let caller = authenticator.caller("any-project", Credential::Bearer(token)).await.unwrap();
        assert!(matches!(&caller.who, Principal::Admin(admin) if admin.account == "owner"), "{caller:?}");
    }
    // As rules-unit-testing makes them: header key `type`, no times to speak of, another project's audience.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","type":"JWT"}"#);
    let claims = r#"{"iss":"https://securetoken.google.com/demo-project","aud":"demo-project","iat":0,"exp":3600,
        "auth_time":0,"sub":"alice","user_id":"alice","firebase":{"sign_in_provider":"custom","identities":{}},
        "partner":true,"level":2,"share":0.5}"#;
    let token = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims));
    let Ok(Caller { who: Principal::User(user), .. }) =
        authenticator.caller("any-project", Credential::Bearer(&token)).await
    else {
        panic!("not a user")
    };
    assert_eq!(user.uid, "alice");
    assert_eq!(user.claims["partner"], Value::Bool(true));
    assert_eq!(user.claims["level"], Value::Integer(2));
    assert_eq!(user.claims["share"], Value::Double(0.5));
    assert!(matches!(user.claims["firebase"], Value::Map(_)));
    for garbage in ["", "garbage", "a.b.c", &format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode(claims))] {
        let refused = authenticator.caller("any-project", Credential::Bearer(garbage)).await.unwrap_err();
        assert_eq!(refused.code, base::Code::Unauthenticated, "{garbage}");
    }
    assert!(matches!(
        authenticator.caller("p", Credential::None).await.unwrap().who,
        Principal::Unauthenticated
    ));
}

/// SDKs with a key file send a token they signed themselves, to an emulator too.
#[tokio::test]
async fn signed_tokens_are_ours_or_believed() {
    let house = House::dev().await;
    let authenticator = house.identity.authenticator();
    let file = identity::create_service_account(&house.gate, &Caller::admin("test"), "demo", "ci", "")
        .await
        .unwrap();
    let key =
        jsonwebtoken::EncodingKey::from_rsa_pem(file["private_key"].as_str().unwrap().as_bytes()).unwrap();
    let now = house.gate.clock().now().seconds;
    let email = file["client_email"].as_str().unwrap();
    let signed = |issuer: &str, exp: i64| {
        let claims = serde_json::json!({ "iss": issuer, "sub": issuer, "iat": now, "exp": exp,
            "scope": "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/datastore" });
        let header = jsonwebtoken::Header {
            kid: file["private_key_id"].as_str().map(str::to_owned),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    };
    let caller = async |token: &str| authenticator.caller("demo", Credential::Bearer(token)).await;
    let ours = caller(&signed(email, now + 3600)).await.unwrap();
    assert!(matches!(&ours.who, Principal::Admin(admin) if admin.account == email), "{ours:?}");
    // One of ours that is not good is not believed either.
    assert_eq!(caller(&signed(email, now + 7200)).await.unwrap_err().code, base::Code::Unauthenticated);
    let foreign = caller(&signed("ci@elsewhere.iam.gserviceaccount.com", now + 3600)).await.unwrap();
    assert!(
        matches!(&foreign.who, Principal::User(user) if user.uid == "ci@elsewhere.iam.gserviceaccount.com")
    );
}

#[tokio::test]
async fn the_front_page_says_that_the_emulator_is_there() {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    let request = http::Request::get("/").body(axum::body::Body::empty()).unwrap();
    let answer = identity::api::welcome().oneshot(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(body["authEmulator"].is_object());
}
