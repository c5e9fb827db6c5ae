//! ID tokens: forged, and of users who were revoked, disabled or deleted.

use access::{Caller, Credential, Principal};
use aws_lc_rs::hmac;
use base::Code;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::token::rs256::PrivateKey;
use identity::{GOOGLE_TOKEN_URI, create_service_account};
use serde_json::{Value as Json, json};

use super::house::{House, PROJECT, START_S, claims};
use super::{Account, X509, encoded, published, unsigned};

#[tokio::test]
async fn forgeries_are_refused() {
    let house = House::serve().await;
    let signed = house.sign_up("a@x.com").await;
    let good = signed["idToken"].as_str().unwrap().to_owned();
    let known = house.caller(&good).await.unwrap();
    let Principal::User(user) = &known.who else { panic!("{known:?}") };
    assert_eq!(Json::from(user.uid.as_str()), signed["localId"]);
    assert_eq!(user.claims["email"], base::Value::String("a@x.com".into()));
    assert_eq!(user.claims["exp"], base::Value::Integer(START_S + 3600));

    let said = claims(&good);
    let ours = jsonwebtoken::decode_header(&good).unwrap().kid.unwrap();
    let stranger = PrivateKey::generate().unwrap();
    let by_stranger =
        |kid: &str, claims: &Json| stranger.sign(kid, "JWT", claims.as_object().unwrap()).unwrap();
    let with_hmac = |kid: &str, secret: &[u8]| {
        let signed =
            format!("{}.{}", encoded(&json!({ "alg": "HS256", "kid": kid, "typ": "JWT" })), encoded(&said));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    let certificate = published(&house, X509).await.0[&ours].as_str().unwrap().to_owned();
    let parts: Vec<&str> = good.split('.').collect();
    let mut promoted = said.clone();
    promoted["role"] = "admin".into();
    let rs256_header_with_hmac = {
        let signed = format!("{}.{}", parts[0], parts[1]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, certificate.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    let forgeries = [
        ("the emulator's administrator", "owner".to_owned()),
        ("the same, shouted", "OWNER".to_owned()),
        ("a production access token", "ya29.AHES6ZRVmB7fkLtd1XTmq6mo0S1wqZZi3".to_owned()),
        ("nothing", String::new()),
        ("garbage", "a.b.c".to_owned()),
        ("unsigned", unsigned(&said)),
        (
            "unsigned, with our key's id",
            format!("{}.{}.", encoded(&json!({ "alg": "none", "kid": ours })), parts[1]),
        ),
        ("signature cut off", format!("{}.{}.", parts[0], parts[1])),
        ("claims exchanged", format!("{}.{}.{}", parts[0], encoded(&promoted), parts[2])),
        ("signed by a stranger under our key's id", by_stranger(&ours, &said)),
        ("signed by a stranger", by_stranger("unknown", &said)),
        ("hmac with the certificate", with_hmac(&ours, certificate.as_bytes())),
        ("hmac under an RS256 header", rs256_header_with_hmac),
        ("too long", format!("{good}{}", "A".repeat(20_000))),
    ];
    for (what, token) in &forgeries {
        let refused = house.caller(token).await.expect_err(what);
        assert_eq!(refused.code, Code::Unauthenticated, "{what}");
        let on_lookup = house.call("lookup", json!({ "idToken": token })).await.expect_err(what);
        let expected = if token.is_empty() { "MISSING_ID_TOKEN" } else { "INVALID_ID_TOKEN" };
        assert_eq!(on_lookup, expected, "{what}");
        let as_admin = house.admin(token, ":lookup", json!({ "localId": ["x"] })).await.expect_err(what);
        assert!(
            as_admin.starts_with("Request had invalid authentication credentials."),
            "{what}: {as_admin}"
        );
    }
    // What an ID token is good for, it is good for here only, even where the other project has a user of that uid.
    use access::Authenticate as _;
    let there = Account::of(
        create_service_account(&house.gate, &Caller::admin("test"), "other", "ci", GOOGLE_TOKEN_URI)
            .await
            .unwrap(),
    );
    let bearer = format!("Bearer {}", there.sign(&there.claims(START_S, &json!({ "scope": "x" }))));
    let namesake = json!({ "localId": signed["localId"] }).to_string();
    let path = "/identitytoolkit.googleapis.com/v1/projects/other/accounts";
    let (status, _, _) = house.send("POST", path, &[("authorization", &bearer)], namesake).await;
    assert_eq!(status, 200);
    let authenticator = house.identity.authenticator();
    let elsewhere = authenticator.caller("other", Credential::Bearer(&good)).await.unwrap_err();
    assert_eq!(elsewhere.code, Code::Unauthenticated);
    let none = authenticator.caller(PROJECT, Credential::None).await.unwrap();
    assert!(matches!(none.who, Principal::Unauthenticated));
    assert!(house.admin(&good, ":lookup", json!({})).await.is_err(), "a user is no administrator");
    // The genuine one still works, and stops with its hour.
    house.advance_s(3599);
    assert!(house.caller(&good).await.is_ok());
    house.advance_s(1);
    assert_eq!(house.caller(&good).await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(house.call("lookup", json!({ "idToken": good })).await.unwrap_err(), "TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_revoked_disabled_or_deleted_user_is_refused_at_once() {
    let house = House::serve().await;
    let account = Account::create(&house, "ci").await;
    let admin = account.sign(&account.claims(START_S, &json!({ "scope": "x" })));
    let signed = house.sign_up("a@x.com").await;
    let (uid, refresh) = (&signed["localId"], &signed["refreshToken"]);
    let token = signed["idToken"].as_str().unwrap();
    assert!(house.caller(token).await.is_ok());

    house.admin(&admin, ":update", json!({ "localId": uid, "disableUser": true })).await.unwrap();
    assert_eq!(house.caller(token).await.unwrap_err().code, Code::Unauthenticated);
    house.admin(&admin, ":update", json!({ "localId": uid, "disableUser": false })).await.unwrap();
    assert!(house.caller(token).await.is_ok());

    house.advance_s(2);
    let revoked =
        house.admin(&admin, ":update", json!({ "localId": uid, "validSince": START_S + 2 })).await.unwrap();
    assert!(revoked.get("idToken").is_none());
    assert_eq!(house.caller(token).await.unwrap_err().code, Code::Unauthenticated);
    let again = json!({ "grantType": "refresh_token", "refreshToken": refresh });
    assert_eq!(house.call("token", again.clone()).await.unwrap_err(), "TOKEN_EXPIRED");

    let fresh = house
        .call("signInWithPassword", json!({ "email": "a@x.com", "password": "hunter22" }))
        .await
        .unwrap();
    let fresh_token = fresh["idToken"].as_str().unwrap();
    assert!(house.caller(fresh_token).await.is_ok());
    house.admin(&admin, ":delete", json!({ "localId": uid })).await.unwrap();
    assert_eq!(house.caller(fresh_token).await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(house.call("token", again).await.unwrap_err(), "USER_NOT_FOUND");
}
