//! What service accounts sign: for themselves, for access tokens, and custom tokens.

use access::{Caller, Principal};
use base::Code;
use identity::token::rs256::PrivateKey;
use identity::{GOOGLE_TOKEN_URI, create_service_account};
use serde_json::{Value as Json, json};

use super::house::{House, PROJECT, START_S, claims};
use super::{Account, CUSTOM_AUDIENCE, encoded, unsigned};

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
    assert!(
        create_service_account(&house.gate, &Caller::admin("test"), PROJECT, "No Name", GOOGLE_TOKEN_URI)
            .await
            .is_err()
    );
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
