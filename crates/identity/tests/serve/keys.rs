//! The keys that sign tokens: published for others, and rotated.

use std::collections::HashSet;

use access::{Caller, CommitFailure, Operation, Service};
use identity::keys::{KEPT_AFTER_S, PUBLISHED_BEFORE_S, ROTATED_EVERY_S};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value as Json, json};

use super::house::{House, PROJECT, START_S};
use super::{X509, published};

#[tokio::test]
async fn what_others_verify_with_our_published_keys_is_good() {
    let house = House::serve().await;
    let signed = house.sign_up("a@x.com").await;
    let token = signed["idToken"].as_str().unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();

    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[PROJECT]);
    validation.set_issuer(&[format!("https://securetoken.google.com/{PROJECT}")]);

    let (jwks, _) = published(&house, "/.well-known/jwks.json").await;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
    let decoded = jsonwebtoken::decode::<Json>(token, &key, &validation).unwrap();
    assert_eq!(decoded.claims["sub"], signed["localId"]);

    let (certificates, _) = published(&house, X509).await;
    let certificate = certificates[&kid].as_str().unwrap();
    let key = DecodingKey::from_rsa_pem(certificate.as_bytes()).unwrap();
    jsonwebtoken::decode::<Json>(token, &key, &validation).unwrap();
    validation.set_audience(&["other"]);
    assert!(jsonwebtoken::decode::<Json>(token, &key, &validation).is_err());

    for same in [
        "/identitytoolkit.googleapis.com/v1/sessionCookiePublicKeys",
        "/www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        "/www.googleapis.com/service_accounts/v1/metadata/jwk/securetoken@system.gserviceaccount.com",
    ] {
        assert_eq!(published(&house, same).await.0, jwks, "{same}");
    }
    let cookies = published(&house, "/www.googleapis.com/identitytoolkit/v3/relyingparty/publicKeys").await.0;
    assert_eq!(cookies, certificates);
    let (configuration, _) = published(&house, "/.well-known/openid-configuration").await;
    assert_eq!(configuration["jwks_uri"], "http://localhost:9099/.well-known/jwks.json");
}

#[tokio::test]
async fn keys_rotate_with_overlap_and_survive_a_restart() {
    let engine = kv::Mem::default();
    let house = House::open(engine.clone(), access::Mode::Serve, START_S).await;
    let kids = async |house: &House| -> HashSet<String> {
        published(house, X509).await.0.as_object().unwrap().keys().cloned().collect()
    };
    let signer = async |house: &House| {
        let signed = house.call("signUp", json!({})).await.unwrap();
        let token = signed["idToken"].as_str().unwrap().to_owned();
        (jsonwebtoken::decode_header(&token).unwrap().kid.unwrap(), token)
    };
    let first = kids(&house).await;
    assert_eq!(first.len(), 1);
    house.advance_s(ROTATED_EVERY_S - PUBLISHED_BEFORE_S);
    house.identity.rotate_keys().await.unwrap();
    let both = kids(&house).await;
    assert!(both.len() == 2 && both.is_superset(&first));
    assert!(first.contains(&signer(&house).await.0), "published, but not signing yet");
    house.advance_s(PUBLISHED_BEFORE_S - 1);
    let (old_kid, old_token) = signer(&house).await;
    assert!(first.contains(&old_kid));
    house.advance_s(1);
    let (new_kid, _) = signer(&house).await;
    assert!(!first.contains(&new_kid));
    assert!(house.caller(&old_token).await.is_ok(), "the old key still verifies");

    let now_s = START_S + ROTATED_EVERY_S;
    let house = House::open(engine, access::Mode::Serve, now_s).await;
    assert_eq!(kids(&house).await, both, "the keys are those of before");
    assert!(house.caller(&old_token).await.is_ok());
    house.advance_s(KEPT_AFTER_S - 1);
    house.identity.rotate_keys().await.unwrap();
    assert!(kids(&house).await.contains(&old_kid));
    house.advance_s(1);
    house.identity.rotate_keys().await.unwrap();
    assert!(!kids(&house).await.contains(&old_kid));
    for event in house.gate.log().events() {
        let line = serde_json::to_string(&event).unwrap();
        assert!(!line.contains("PRIVATE") && line.len() < 2000, "{line}");
    }
}

#[tokio::test]
async fn a_write_that_began_before_its_key_was_revoked_does_not_count() {
    let house = House::serve().await;
    let signed = house.sign_up("a@x.com").await;
    let token = signed["idToken"].as_str().unwrap();
    let caller = house.caller(token).await.unwrap();
    let begin = async || {
        let operation = Operation { service: Service::Identity, verb: "test", resource: "/test".to_owned() };
        house.gate.begin(&caller, operation).await
    };
    let mut session = begin().await.unwrap();
    let permit = session.authorize_self("test", "/test");
    session.write(&permit, kv::Key::new(kv::Keyspace(0x70), b"x"), Some(bytes::Bytes::new()));
    let admin = Caller::admin("system:root");
    let kid = house.identity.signing_keys(&admin).await.unwrap()[0].id.clone();
    house.identity.revoke_signing_key(&admin, &kid).await.unwrap();
    assert!(matches!(session.commit().await, Err(CommitFailure::Conflict)), "it counted");
    let refused = begin().await.err().unwrap();
    assert_eq!(refused.code, base::Code::Unauthenticated);
    assert_eq!(house.caller(token).await.unwrap_err().code, base::Code::Unauthenticated);
    // Somebody who is no administrator changes nothing.
    let user = house.sign_up("b@x.com").await;
    let user = house.caller(user["idToken"].as_str().unwrap()).await.unwrap();
    assert_eq!(
        house.identity.rotate_signing_key(&user, true).await.unwrap_err().code,
        base::Code::PermissionDenied
    );
    assert!(house.identity.signing_keys(&user).await.is_err());
}
