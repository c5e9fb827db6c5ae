//! Users' accounts: addresses are not shown, belong to one user each, and their sessions are bounded.

use serde_json::{Value as Json, json};

use super::house::{House, PROJECT};

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

#[tokio::test]
async fn a_reset_that_nobody_is_sent_is_recorded_as_that() {
    let house = House::serve().await;
    house.sign_up("a@x.com").await;
    for email in ["a@x.com", "nobody@x.com"] {
        let ask = json!({ "requestType": "PASSWORD_RESET", "email": email });
        assert_eq!(house.call("sendOobCode", ask).await.unwrap()["email"], email);
    }
    let events = house.gate.log().events();
    let asked: Vec<_> = events.iter().filter(|event| event.verb == "sendOobCode").collect();
    assert_eq!(asked.len(), 2);
    for event in asked {
        assert_eq!(event.details["mail"], "not sent: this server sends no e-mail", "{event:?}");
    }
}
