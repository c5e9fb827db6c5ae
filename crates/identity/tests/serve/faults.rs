//! What a fault of the store looks like from outside.

use base::Code;
use serde_json::{Value as Json, json};

use super::house::{House, START_S};

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
