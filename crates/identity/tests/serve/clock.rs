//! A clock that was ahead for a while: its commits stay ahead, and nothing else does.

use identity::GOOGLE_TOKEN_URI;
use serde_json::json;

use super::Account;
use super::house::{House, START_S, claims};

const DAY_S: i64 = 86_400;

#[tokio::test]
async fn a_day_ahead_outlives_nothing() {
    let house = House::serve().await;
    let account = Account::create(&house, "ci").await;
    house.sign_up("a@x.com").await;
    house.advance_s(DAY_S);
    let ahead = house.sign_up("b@x.com").await;
    let ahead_token = ahead["idToken"].as_str().unwrap();
    house.advance_s(-DAY_S);

    // Tokens live an hour.
    let body = json!({ "email": "a@x.com", "password": "hunter22" });
    let signed = house.call("signInWithPassword", body.clone()).await.unwrap();
    let token = signed["idToken"].as_str().unwrap();
    let said = claims(token);
    assert_eq!((said["iat"].as_i64(), said["exp"].as_i64()), (Some(START_S), Some(START_S + 3600)));
    assert_eq!(said["auth_time"], START_S);

    // Exchanges go on.
    let assertion = account.sign(&account.claims(START_S, &json!({ "aud": GOOGLE_TOKEN_URI, "scope": "x" })));
    let form =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let (status, _, answer) = house.send("POST", "/token", &[], form).await;
    assert_eq!(status, 200, "{answer}");
    let bearer = account.sign(&account.claims(START_S, &json!({ "scope": "x" })));

    // What was issued ahead does not count, until its time has come.
    assert!(house.caller(ahead_token).await.is_err());
    assert_eq!(
        house.call("lookup", json!({ "idToken": ahead_token })).await.unwrap_err(),
        "INVALID_ID_TOKEN"
    );

    // A revocation revokes.
    house.advance_s(10);
    let revoked = json!({ "localId": signed["localId"], "validSince": START_S + 10 });
    house.admin(&bearer, ":update", revoked).await.unwrap();
    assert_eq!(house.call("lookup", json!({ "idToken": token })).await.unwrap_err(), "TOKEN_EXPIRED");
    let refresh = json!({ "grantType": "refresh_token", "refreshToken": signed["refreshToken"] });
    assert_eq!(house.call("token", refresh).await.unwrap_err(), "TOKEN_EXPIRED");
    let revoked = json!({ "localId": ahead["localId"], "validSince": START_S + 10 });
    house.admin(&bearer, ":update", revoked).await.unwrap();
    let refresh = json!({ "grantType": "refresh_token", "refreshToken": ahead["refreshToken"] });
    assert_eq!(house.call("token", refresh).await.unwrap_err(), "TOKEN_EXPIRED");

    // Who was revoked ahead signs in again.
    let body = json!({ "email": "b@x.com", "password": "hunter22" });
    let signed = house.call("signInWithPassword", body).await.unwrap();
    assert!(house.call("lookup", json!({ "idToken": signed["idToken"] })).await.is_ok());
}
