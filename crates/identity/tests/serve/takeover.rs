//! An ID token that was stolen changes no credential once its sign-in is old, in whatever order it is tried.

use access::Caller;
use identity::{GOOGLE_TOKEN_URI, create_service_account};
use serde_json::{Value as Json, json};

use super::Account;
use super::house::{House, PROJECT};

const TOO_OLD: &str = "CREDENTIAL_TOO_OLD_LOGIN_AGAIN";

fn attempts(token: &Json) -> Vec<(&'static str, Json)> {
    vec![
        ("update", json!({ "idToken": token, "deleteProvider": ["password"] })),
        ("update", json!({ "idToken": token, "deleteProvider": ["google.com"] })),
        ("update", json!({ "idToken": token, "deleteProvider": ["phone"] })),
        ("update", json!({ "idToken": token, "deleteAttribute": ["EMAIL"] })),
        ("update", json!({ "idToken": token, "deleteAttribute": ["PASSWORD"] })),
        ("update", json!({ "idToken": token, "deleteAttribute": ["DISPLAY_NAME", 5] })),
        ("update", json!({ "idToken": token, "email": "evil@x.com" })),
        ("update", json!({ "idToken": token, "password": "evil2222" })),
        ("update", json!({ "idToken": token, "phoneNumber": "+15555550100" })),
        (
            "update",
            json!({ "idToken": token, "linkProviderUserInfo": { "providerId": "google.com", "rawId": "1" } }),
        ),
        ("signUp", json!({ "idToken": token, "email": "evil@x.com", "password": "evil2222" })),
        ("signUp", json!({ "idToken": token, "email": "a@x.com", "password": "evil2222" })),
        (
            "sendOobCode",
            json!({ "idToken": token, "requestType": "VERIFY_AND_CHANGE_EMAIL", "newEmail": "evil@x.com" }),
        ),
        ("delete", json!({ "idToken": token })),
    ]
}

#[tokio::test]
async fn no_credential_changes_on_an_old_sign_in_in_any_order() {
    let house = House::serve().await;
    let signed = house.sign_up("a@x.com").await;
    let refresh = json!({ "grantType": "refresh_token", "refreshToken": signed["refreshToken"] });
    house.advance_s(301);
    let stolen = house.call("token", refresh.clone()).await.unwrap()["id_token"].clone();
    let attempts = attempts(&stolen);
    for start in 0..attempts.len() {
        for (verb, body) in attempts[start..].iter().chain(&attempts[..start]) {
            assert_eq!(house.call(verb, body.clone()).await.unwrap_err(), TOO_OLD, "{verb} {body}");
        }
    }
    // Ending sessions gives a token that is no more recent.
    let ended = house.call("update", json!({ "idToken": stolen, "validSince": "1" })).await.unwrap();
    let password = json!({ "idToken": ended["idToken"], "password": "evil2222" });
    assert_eq!(house.call("update", password).await.unwrap_err(), TOO_OLD);
    let body = json!({ "email": "a@x.com", "password": "hunter22" });
    let signed = house.call("signInWithPassword", body).await.unwrap();
    // Who has just signed in may.
    let password = json!({ "idToken": signed["idToken"], "password": "hunter33" });
    assert!(house.call("update", password).await.is_ok());
}

#[tokio::test]
async fn a_user_without_e_mail_is_no_more_to_be_taken_over() {
    let house = House::serve().await;
    let account = Account::of(
        create_service_account(&house.gate, &Caller::admin("test"), PROJECT, "ci", GOOGLE_TOKEN_URI)
            .await
            .unwrap(),
    );
    let claims =
        account.claims(super::house::START_S, &json!({ "aud": super::CUSTOM_AUDIENCE, "uid": "dave" }));
    let signed =
        house.call("signInWithCustomToken", json!({ "token": account.sign(&claims) })).await.unwrap();
    house.advance_s(301);
    let linked = json!({ "idToken": signed["idToken"], "email": "evil@x.com", "password": "evil2222" });
    assert_eq!(house.call("signUp", linked).await.unwrap_err(), TOO_OLD);
}

#[tokio::test]
async fn a_link_leads_to_the_configured_house_whatever_the_host_says() {
    let house = House::serve().await;
    house.sign_up("a@x.com").await;
    let account = Account::create(&house, "ci").await;
    let bearer = account.sign(&account.claims(super::house::START_S, &json!({ "scope": "x" })));
    assert!(matches!(house.caller(&bearer).await, Ok(Caller { .. })));
    let path = format!("/identitytoolkit.googleapis.com/v1/projects/{PROJECT}/accounts:sendOobCode");
    let body =
        json!({ "requestType": "PASSWORD_RESET", "email": "a@x.com", "returnOobLink": true }).to_string();
    let headers = [("authorization", &*format!("Bearer {bearer}")), ("x-forwarded-host", "evil.example")];
    let (status, _, body) = house.send("POST", &path, &headers, body).await;
    assert_eq!(status, 200, "{body}");
    let link = serde_json::from_str::<Json>(&body).unwrap()["oobLink"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://demo-hearth.firebaseapp.com/__/auth/action?"), "{link}");
}
