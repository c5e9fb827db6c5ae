//! Guessing passwords is slow, nobody's guessing locks an owner out, and what is right always works.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::house::House;

const TOO_MANY: &str = "TOO_MANY_ATTEMPTS_TRY_LATER";

fn password(email: &str, password: &str) -> Json {
    json!({ "email": email, "password": password })
}

async fn guess(house: &House, from: &str, email: &str) -> String {
    house.call_from(from, "signInWithPassword", password(email, "wrong222")).await.unwrap_err()
}

async fn right(house: &House, from: &str, email: &str) -> Result<Json, String> {
    house.call_from(from, "signInWithPassword", password(email, "hunter22")).await
}

#[tokio::test]
async fn wrong_passwords_make_the_next_one_wait_and_a_restart_forgets_nothing() {
    let house = House::serve().await;
    house.sign_up("a@x.com").await;
    for email in ["a@x.com", "nobody@x.com"] {
        for _ in 0..5 {
            assert_eq!(guess(&house, "192.0.2.1", email).await, "INVALID_LOGIN_CREDENTIALS", "{email}");
        }
        assert_eq!(guess(&house, "192.0.2.1", email).await, TOO_MANY, "{email}");
    }
    assert_eq!(right(&house, "192.0.2.1", "a@x.com").await.unwrap_err(), TOO_MANY);
    let house = house.restarted().await;
    assert_eq!(right(&house, "192.0.2.1", "a@x.com").await.unwrap_err(), TOO_MANY);
    house.advance_s(30);
    assert_eq!(guess(&house, "192.0.2.1", "a@x.com").await, "INVALID_LOGIN_CREDENTIALS");
    house.advance_s(59);
    assert_eq!(right(&house, "192.0.2.1", "a@x.com").await.unwrap_err(), TOO_MANY, "the wait has doubled");
    house.advance_s(1);
    assert!(right(&house, "192.0.2.1", "a@x.com").await.is_ok());
    // All is forgotten.
    for _ in 0..5 {
        assert_eq!(guess(&house, "192.0.2.1", "a@x.com").await, "INVALID_LOGIN_CREDENTIALS");
    }
}

#[tokio::test]
async fn many_addresses_gain_nothing_and_the_owner_is_not_locked_out() {
    let house = House::serve().await;
    house.sign_up("a@x.com").await;
    assert!(right(&house, "198.51.100.7", "a@x.com").await.is_ok());
    let mut tried = 0;
    while guess(&house, &format!("2001:db8:{tried:x}::1"), "a@x.com").await != TOO_MANY {
        tried += 1;
        assert!(tried <= 10);
    }
    assert_eq!(right(&house, "203.0.113.9", "a@x.com").await.unwrap_err(), TOO_MANY);
    assert!(right(&house, "198.51.100.7", "a@x.com").await.is_ok(), "from where the owner always comes");
}

#[tokio::test]
async fn one_address_cannot_try_many_accounts() {
    let house = House::serve().await;
    house.sign_up("a@x.com").await;
    assert!(right(&house, "2001:db8:0:1::1", "a@x.com").await.is_ok());
    let mut tried = 0;
    // All of a network of 64 bits is one address.
    while guess(&house, &format!("2001:db8:0:1::{tried:x}"), &format!("{tried}@x.com")).await != TOO_MANY {
        tried += 1;
        assert!(tried <= 50);
    }
    assert!(right(&house, "2001:db8:0:1::2", "a@x.com").await.is_ok());
    assert_eq!(guess(&house, "2001:db8:0:2::1", "b@x.com").await, "INVALID_LOGIN_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_once_are_counted_one_by_one() {
    let house = Arc::new(House::serve().await);
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move { guess(&house, "192.0.2.1", "a@x.com").await })
        })
        .collect();
    let mut heard = 0;
    for task in tasks {
        heard += usize::from(task.await.unwrap() == "INVALID_LOGIN_CREDENTIALS");
    }
    assert_eq!(heard, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_right_gets_in_however_many_come_at_once() {
    let house = Arc::new(House::serve().await);
    let signed = house.sign_up("a@x.com").await;
    let mut tasks = Vec::new();
    for n in 0..48 {
        let house = house.clone();
        let refresh = json!({ "grantType": "refresh_token", "refreshToken": signed["refreshToken"] });
        tasks.push(tokio::spawn(async move {
            if n % 3 == 0 {
                right(&house, "192.0.2.1", "a@x.com").await
            } else {
                house.call("token", refresh).await
            }
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn accounts_of_one_address_are_made_slowly() {
    let house = House::serve().await;
    let max = identity::limits::SIGN_UPS_PER_ADDRESS_HOUR;
    for _ in 0..max {
        assert!(house.call_from("192.0.2.1", "signUp", json!({})).await.is_ok());
    }
    for body in [json!({}), password("b@x.com", "hunter22")] {
        let refused = house.call_from("192.0.2.1", "signUp", body).await.unwrap_err();
        assert!(refused.starts_with(TOO_MANY), "{refused}");
    }
    assert!(house.call_from("192.0.2.2", "signUp", json!({})).await.is_ok());
    house.advance_s(3600);
    assert!(house.call_from("192.0.2.1", "signUp", json!({})).await.is_ok());
}
