//! Production: what is refused, what is accepted, and what a fault looks like.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may"
)]

mod house;

use std::collections::HashSet;

use access::{Caller, Credential, Principal};
use aws_lc_rs::hmac;
use base::Code;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use house::{House, PROJECT, START_S, claims};
use identity::keys::{KEPT_AFTER_S, PUBLISHED_BEFORE_S, ROTATED_EVERY_S};
use identity::token::rs256::PrivateKey;
use identity::{GOOGLE_TOKEN_URI, create_service_account};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value as Json, json};

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
        Self::of(create_service_account(&house.gate, PROJECT, name, GOOGLE_TOKEN_URI).await.unwrap())
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

const X509: &str = "/www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com";

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
    let there =
        Account::of(create_service_account(&house.gate, "other", "ci", GOOGLE_TOKEN_URI).await.unwrap());
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

#[tokio::test]
async fn service_accounts_show_what_they_signed_and_nothing_else_counts() {
    let house = House::serve().await;
    let account = Account::create(&house, "ci").await;
    let stranger = PrivateKey::generate().unwrap();
    let now = START_S;
    let good = json!({ "scope": "https://www.googleapis.com/auth/cloud-platform" });
    let cases: [(&str, Json, bool); 17] = [
        ("a scope", good.clone(), true),
        ("a service as audience", json!({ "aud": "https://firestore.googleapis.com/" }), true),
        (
            "a gRPC service as audience",
            json!({ "aud": "https://firestore.googleapis.com/google.firestore.v1.Firestore" }),
            true,
        ),
        ("both", json!({ "aud": "https://identitytoolkit.googleapis.com/", "scope": "x" }), true),
        ("neither", json!({}), false),
        ("an empty scope", json!({ "scope": "" }), false),
        ("someone else's audience", json!({ "aud": "https://example.com/", "scope": "x" }), false),
        (
            "an audience that only looks like it",
            json!({ "aud": "https://googleapis.com.evil.example/" }),
            false,
        ),
        ("the token endpoint as audience", json!({ "aud": GOOGLE_TOKEN_URI, "scope": "x" }), false),
        ("the token service as audience", json!({ "aud": "https://oauth2.googleapis.com/" }), false),
        ("a custom token", json!({ "aud": CUSTOM_AUDIENCE, "uid": "alice" }), false),
        ("a custom token without its audience", json!({ "scope": "x", "uid": "alice" }), false),
        ("another subject", json!({ "scope": "x", "sub": "someone@else" }), false),
        ("no subject", json!({ "scope": "x", "sub": null }), false),
        ("more than an hour", json!({ "scope": "x", "exp": now + 3601 }), false),
        ("an hour that is over", json!({ "scope": "x", "iat": now - 3600, "exp": now }), false),
        ("an hour to come", json!({ "scope": "x", "iat": now + 600, "exp": now + 4200 }), false),
    ];
    for (what, more, expected) in &cases {
        let token = account.sign(&account.claims(now, more));
        let caller = house.caller(&token).await;
        match caller {
            Ok(Caller { who: Principal::Admin(admin), .. }) if *expected => {
                assert_eq!(admin.account, account.email())
            }
            Err(status) if !expected => assert_eq!(status.code, Code::Unauthenticated, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    let claims = account.claims(now, &good);
    let claims = claims.as_object().unwrap();
    for (what, token) in [
        ("a stranger's key under the account's key id", stranger.sign(account.kid(), "JWT", claims).unwrap()),
        ("a stranger's key", stranger.sign("unknown", "JWT", claims).unwrap()),
        ("the right key under an unknown id", account.key.sign("unknown", "JWT", claims).unwrap()),
        ("unsigned", unsigned(&Json::Object(claims.clone()))),
    ] {
        assert_eq!(house.caller(&token).await.expect_err(what).code, Code::Unauthenticated, "{what}");
    }
    // A second key does not push out the first.
    let second = Account::create(&house, "ci").await;
    for account in [&account, &second] {
        assert!(house.caller(&account.sign(&account.claims(now, &good))).await.is_ok());
    }
    let file = &account.file;
    assert_eq!(file["type"], "service_account");
    assert_eq!(file["client_email"], format!("ci@{PROJECT}.iam.gserviceaccount.com"));
    assert!(create_service_account(&house.gate, PROJECT, "No Name", GOOGLE_TOKEN_URI).await.is_err());
}

#[tokio::test]
async fn a_signature_is_exchanged_for_an_access_token() {
    let house = House::serve().await;
    let account = Account::create(&house, "ci").await;
    let exchange = async |assertion: String, path: &str| {
        let form =
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
        let (status, _, body) = house.send("POST", path, &[], form).await;
        (status.as_u16(), serde_json::from_str::<Json>(&body).unwrap())
    };
    let assertion = |more: &Json| account.sign(&account.claims(START_S, more));
    let audience = json!({ "aud": GOOGLE_TOKEN_URI, "scope": "x", "sub": null });
    for path in ["/oauth2.googleapis.com/token", "/token"] {
        let (status, answer) = exchange(assertion(&audience), path).await;
        assert_eq!(
            (status, &answer["token_type"], &answer["expires_in"]),
            (200, &json!("Bearer"), &json!(3599))
        );
        let token = answer["access_token"].as_str().unwrap();
        let Ok(Caller { who: Principal::Admin(admin), .. }) = house.caller(token).await else {
            panic!("no administrator")
        };
        assert_eq!(admin.account, account.email());
        house.admin(token, "", json!({ "localId": format!("made-by-{}", path.len()) })).await.unwrap();
        assert!(house.call("lookup", json!({ "idToken": token })).await.is_err(), "no ID token");
        let (status, _, _) = house.send("POST", path, &[], "grant_type=password".into()).await;
        assert_eq!(status, 400);
    }
    for (what, more) in [
        ("another audience", json!({ "aud": "https://example.com/token" })),
        ("no audience", json!({ "scope": "x" })),
        ("a custom token", json!({ "aud": CUSTOM_AUDIENCE, "uid": "alice" })),
        ("too long", json!({ "aud": GOOGLE_TOKEN_URI, "exp": START_S + 7200 })),
        ("someone else", json!({ "aud": GOOGLE_TOKEN_URI, "sub": "boss@example.com" })),
    ] {
        let (status, answer) = exchange(assertion(&more), "/token").await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")), "{what}");
        assert!(answer["error_description"].is_string());
    }
    let (_, answer) = exchange(assertion(&audience), "/token").await;
    let token = answer["access_token"].as_str().unwrap();
    house.advance_s(3600);
    assert_eq!(house.caller(token).await.unwrap_err().code, Code::Unauthenticated);
}

#[tokio::test]
async fn custom_tokens_count_when_an_account_of_the_project_signed_them() {
    let house = House::serve().await;
    let account = Account::create(&house, "ci").await;
    let sign_in = async |token: String| house.call("signInWithCustomToken", json!({ "token": token })).await;
    let custom = json!({ "aud": CUSTOM_AUDIENCE, "uid": "alice", "claims": { "tier": "gold" } });
    let said = account.claims(START_S, &custom);
    let signed = sign_in(account.sign(&said)).await.unwrap();
    assert_eq!(claims(signed["idToken"].as_str().unwrap())["tier"], "gold");
    // Node's SDK names no key in its header.
    let header = encoded(&json!({ "alg": "RS256", "typ": "JWT" }));
    let named = account.sign(&said);
    assert!(
        sign_in(format!("{header}.{}", named.split_once('.').unwrap().1)).await.is_err(),
        "not what was signed"
    );

    let stranger = PrivateKey::generate().unwrap();
    let elsewhere = json!({ "aud": CUSTOM_AUDIENCE, "uid": "a", "iss": "x@other.iam.gserviceaccount.com", "sub": "x@other.iam.gserviceaccount.com" });
    for (what, token, expected) in [
        ("unsigned", unsigned(&said), "INVALID_CUSTOM_TOKEN"),
        ("plain JSON", r#"{"uid":"alice"}"#.to_owned(), "INVALID_CUSTOM_TOKEN"),
        (
            "a stranger",
            stranger.sign(account.kid(), "JWT", said.as_object().unwrap()).unwrap(),
            "INVALID_CUSTOM_TOKEN",
        ),
        ("another project", account.sign(&account.claims(START_S, &elsewhere)), "CREDENTIAL_MISMATCH"),
        (
            "another subject",
            account
                .sign(&account.claims(START_S, &json!({ "aud": CUSTOM_AUDIENCE, "uid": "a", "sub": "b" }))),
            "INVALID_CUSTOM_TOKEN",
        ),
        (
            "another audience",
            account.sign(&account.claims(START_S, &json!({ "aud": "x", "uid": "a" }))),
            "INVALID_CUSTOM_TOKEN",
        ),
        (
            "too long",
            account.sign(
                &account
                    .claims(START_S, &json!({ "aud": CUSTOM_AUDIENCE, "uid": "a", "exp": START_S + 7200 })),
            ),
            "INVALID_CUSTOM_TOKEN",
        ),
        ("an ID token", signed["idToken"].as_str().unwrap().to_owned(), "INVALID_CUSTOM_TOKEN"),
        (
            "a reserved claim",
            account.sign(&account.claims(
                START_S,
                &json!({ "aud": CUSTOM_AUDIENCE, "uid": "a", "claims": { "firebase": 1 } }),
            )),
            "FORBIDDEN_CLAIM : firebase",
        ),
    ] {
        let message = sign_in(token).await.expect_err(what);
        assert!(message.starts_with(expected), "{what}: {message}");
    }
}

#[tokio::test]
async fn addresses_are_not_given_away_and_old_logins_change_nothing() {
    let house = House::serve().await;
    let signed = house.sign_up("a@x.com").await;
    let token = &signed["idToken"];
    for (email, password) in [("a@x.com", "wrong22"), ("nobody@x.com", "hunter22")] {
        let refused = house.call("signInWithPassword", json!({ "email": email, "password": password })).await;
        assert_eq!(refused.unwrap_err(), "INVALID_LOGIN_CREDENTIALS");
    }
    let change = json!({ "idToken": token, "email": "b@x.com" });
    assert_eq!(
        house.call("update", change.clone()).await.unwrap_err(),
        "OPERATION_NOT_ALLOWED : Please verify the new email before changing email."
    );
    let replaced = json!({ "idToken": token, "email": "b@x.com", "password": "hunter33" });
    assert!(house.call("signUp", replaced).await.unwrap_err().starts_with("OPERATION_NOT_ALLOWED"));
    house.advance_s(301);
    for (verb, body) in [
        ("update", change),
        ("update", json!({ "idToken": token, "password": "hunter33" })),
        ("delete", json!({ "idToken": token })),
    ] {
        assert_eq!(house.call(verb, body).await.unwrap_err(), "CREDENTIAL_TOO_OLD_LOGIN_AGAIN", "{verb}");
    }
    // A refreshed token is not a new login.
    let body = json!({ "grantType": "refresh_token", "refreshToken": signed["refreshToken"] });
    let refreshed = house.call("token", body).await.unwrap();
    let late = json!({ "idToken": refreshed["id_token"], "password": "hunter33" });
    assert_eq!(house.call("update", late).await.unwrap_err(), "CREDENTIAL_TOO_OLD_LOGIN_AGAIN");
    // An anonymous user may become someone however long ago they came.
    let anonymous = house.call("signUp", json!({})).await.unwrap();
    house.advance_s(3000);
    let linked = json!({ "idToken": anonymous["idToken"], "email": "c@x.com", "password": "hunter22" });
    assert_eq!(house.call("signUp", linked).await.unwrap()["localId"], anonymous["localId"]);
    // What is only for development is not there.
    let (status, _, _) =
        house.send("DELETE", &format!("/emulator/v1/projects/{PROJECT}/accounts"), &[], String::new()).await;
    assert_eq!(status, 404);
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
async fn a_fault_of_the_store_is_never_a_refusal() {
    let faults = kv::faulty::Faults::default();
    let engine = kv::faulty::Faulty::new(kv::Mem::default(), faults.clone());
    let house = House::open(engine, access::Mode::Serve, START_S).await;
    let signed = house.sign_up("a@x.com").await;
    let token = signed["idToken"].as_str().unwrap();
    assert!(house.caller(token).await.is_ok());
    faults.on_read(0, kv::faulty::Fault::Fail);
    assert_eq!(house.caller(token).await.unwrap_err().code, Code::Unavailable);
    assert!(house.caller(token).await.is_ok());

    let lookup = json!({ "idToken": token }).to_string();
    let path = "/identitytoolkit.googleapis.com/v1/accounts:lookup?key=k";
    faults.on_read(0, kv::faulty::Fault::Fail);
    let (status, kind, body) = house.send("POST", path, &[], lookup).await;
    assert_eq!(status, 503);
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert!(serde_json::from_str::<Json>(&body).is_err(), "the SDK would sign the user out");

    let refresh = json!({ "grantType": "refresh_token", "refreshToken": signed["refreshToken"] }).to_string();
    faults.on_batch(0, kv::faulty::Fault::Fail);
    let (status, _, _) = house.send("POST", "/securetoken.googleapis.com/v1/token?key=k", &[], refresh).await;
    assert_eq!(status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_one_address_one_gets_it() {
    let house = std::sync::Arc::new(House::dev().await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let house = house.clone();
            let body = json!({ "email": "one@x.com", "password": "hunter22" });
            tokio::spawn(async move { house.call("signUp", body).await })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => winners += 1,
            Err(message) => assert_eq!(message, "EMAIL_EXISTS"),
        }
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn sessions_of_a_user_are_bounded_and_secrets_are_not_stored() {
    let house = House::dev().await;
    let first = house.sign_up("a@x.com").await;
    let body = json!({ "email": "a@x.com", "password": "hunter22" });
    let mut last = Json::Null;
    for _ in 0..identity::limits::SESSIONS_PER_USER_MAX {
        house.advance_s(1);
        last = house.call("signInWithPassword", body.clone()).await.unwrap();
    }
    let refresh =
        |signed: &Json| json!({ "grantType": "refresh_token", "refreshToken": signed["refreshToken"] });
    assert!(house.call("token", refresh(&last)).await.is_ok());
    assert_eq!(house.call("token", refresh(&first)).await.unwrap_err(), "TOKEN_EXPIRED");
}
