//! The Rules API from the outside: what is deployed, by whom, with what effect; and tests of rules.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use access::{AccessLog, Caller, DevPermit, Gate, Mode, Rules, User};
use axum::body::Body;
use base::{Clock, Fields, SystemClock};
use deploy::Deploy;
use http::Request;
use http_body_util::BodyExt;
use kv::{Mem, Options, Sqlite, Store};
use serde_json::{Value as Json, json};
use tower::ServiceExt;

const ALICE: &str = "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents {
    match /notes/{id} { allow read: if request.auth.uid == 'alice'; } } }";
const NOBODY: &str = "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents {
    match /{x=**} { allow read: if false; } } }";
const STORAGE: &str = "rules_version = '2'; service firebase.storage { match /b/{b}/o {
    match /{x=**} { allow read: if request.auth.uid == 'alice'; } } }";
const BROKEN: &str = "service cloud.firestore { match /a { allow read: if ; } }";

struct House {
    gate: Gate,
    deploy: Arc<Deploy>,
}

async fn house_on(store: Store, mode: Mode) -> House {
    let gate = Gate::new(store, AccessLog::in_memory(), Arc::new(SystemClock), mode);
    House { deploy: Deploy::new(gate.clone(), "p"), gate }
}

fn options() -> Options {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Options { clock, ..Options::default() }
}

async fn serve() -> House {
    house_on(Store::open(Mem::default(), options()).await.unwrap(), Mode::Serve).await
}

async fn dev() -> House {
    let mode = Mode::Dev(DevPermit::for_development_only());
    house_on(Store::open(Mem::default(), options()).await.unwrap(), mode).await
}

fn admin() -> Caller {
    Caller::admin("deployer@p.iam.gserviceaccount.com")
}

fn user() -> Caller {
    Caller::user(Arc::new(User { uid: "alice".into(), claims: Fields::new() }))
}

impl House {
    async fn ask_as(&self, caller: Caller, method: &str, path: &str, body: &Json) -> (u16, Json) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path).extension(caller).body(body).unwrap();
        let response = deploy::api::router(Arc::clone(&self.deploy)).oneshot(request).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&body).unwrap())
    }

    async fn ask(&self, method: &str, path: &str, body: &Json) -> (u16, Json) {
        self.ask_as(admin(), method, path, body).await
    }

    async fn create(&self, text: &str) -> String {
        let (code, ruleset) = self.ask("POST", "/v1/projects/p/rulesets", &source(text)).await;
        assert_eq!(code, 200, "{ruleset}");
        ruleset["name"].as_str().unwrap().to_owned()
    }

    async fn release(&self, name: &str, ruleset: &str) -> (u16, Json) {
        let body = json!({ "name": format!("projects/p/releases/{name}"), "rulesetName": ruleset });
        self.ask("POST", "/v1/projects/p/releases", &body).await
    }

    async fn update(&self, name: &str, ruleset: &str) -> (u16, Json) {
        let release = json!({ "name": format!("projects/p/releases/{name}"), "rulesetName": ruleset });
        let path = format!("/v1/projects/p/releases/{name}");
        self.ask("PATCH", &path, &json!({ "release": release })).await
    }

    /// The text of the rules in force, or what is instead of them.
    fn in_force(&self, project: &str) -> String {
        match &*self.gate.rules().firestore.current(project) {
            Rules::Enforced(enforced) => enforced.policy.source().text.to_string(),
            Rules::Open(_) => "open".to_owned(),
            Rules::Closed(_) => "closed".to_owned(),
        }
    }
}

fn source(text: &str) -> Json {
    json!({ "source": { "files": [{ "name": "firestore.rules", "content": text }] } })
}

fn error(answer: &(u16, Json)) -> (u16, &str, &str) {
    let error = &answer.1["error"];
    (answer.0, error["status"].as_str().unwrap_or(""), error["message"].as_str().unwrap_or(""))
}

#[tokio::test]
async fn rules_are_stored_released_changed_and_taken_back() {
    let house = serve().await;
    house.gate.rules().firestore.load(policy::Source::new("firestore.rules", NOBODY)).unwrap();
    let first = house.create(ALICE).await;
    assert_eq!(house.in_force("p"), NOBODY, "what is stored is not yet released");
    let path = format!("/v1/{first}");
    let (code, told) = house.ask("GET", &path, &Json::Null).await;
    assert_eq!((code, &told["source"]["files"][0]["content"]), (200, &json!(ALICE)));
    assert_eq!(told["metadata"]["services"], json!(["cloud.firestore"]));
    // As firebase-admin does it: change, and make when there is none.
    let absent = house.update("cloud.firestore", &first).await;
    assert_eq!(error(&absent), (404, "NOT_FOUND", "Requested entity was not found."));
    let (code, released) = house.release("cloud.firestore", &first).await;
    assert_eq!((code, released["rulesetName"].as_str()), (200, Some(first.as_str())));
    assert_eq!(house.in_force("p"), ALICE, "deployed rules stand before the file's");
    house.gate.rules().firestore.load(policy::Source::new("firestore.rules", NOBODY)).unwrap();
    assert_eq!(house.in_force("p"), ALICE, "also when the file is loaded again");
    let again = house.release("cloud.firestore", &first).await;
    assert_eq!(error(&again).1, "ALREADY_EXISTS");
    let second = house.create(NOBODY).await;
    assert_eq!(house.update("cloud.firestore", &second).await.0, 200);
    assert_eq!(house.in_force("p"), NOBODY);
    let refused = house.ask("DELETE", &format!("/v1/{second}"), &Json::Null).await;
    assert_eq!(error(&refused).1, "FAILED_PRECONDITION");
    assert_eq!(house.ask("DELETE", &path, &Json::Null).await, (200, json!({})));
    assert_eq!(house.ask("GET", &path, &Json::Null).await.0, 404);
    house.gate.rules().firestore.load(policy::Source::new("firestore.rules", ALICE)).unwrap();
    assert_eq!(house.in_force("p"), NOBODY);
    let release = "/v1/projects/p/releases/cloud.firestore";
    assert_eq!(house.ask("DELETE", release, &Json::Null).await, (200, json!({})));
    assert_eq!(house.in_force("p"), ALICE, "the file decides again");
    assert_eq!(house.ask("GET", release, &Json::Null).await.0, 404);
}

#[tokio::test]
async fn broken_rules_are_refused_and_the_good_ones_stay() {
    let house = serve().await;
    let good = house.create(ALICE).await;
    house.release("cloud.firestore", &good).await;
    let refused = house.ask("POST", "/v1/projects/p/rulesets", &source(BROKEN)).await;
    let (code, status, message) = error(&refused);
    assert_eq!((code, status), (400, "INVALID_ARGUMENT"));
    assert!(message.starts_with("Error compiling rules:\nL1:"), "{message}");
    let unknown = house.update("cloud.firestore", "projects/p/rulesets/none").await;
    assert_eq!(error(&unknown).1, "NOT_FOUND");
    let storage = house.create(STORAGE).await;
    let wrong = house.update("cloud.firestore", &storage).await;
    assert_eq!(error(&wrong).1, "INVALID_ARGUMENT", "it has no rules for Firestore");
    assert_eq!(house.release("firebase.storage/p.appspot.com", &storage).await.0, 200);
    let elsewhere = house.update("cloud.firestore", "projects/q/rulesets/1").await;
    assert_eq!(error(&elsewhere).1, "INVALID_ARGUMENT");
    for body in [json!({}), json!({ "source": {} }), json!({ "source": { "files": [] } }), json!([1])] {
        assert_eq!(house.ask("POST", "/v1/projects/p/rulesets", &body).await.0, 400, "{body}");
    }
    assert_eq!(house.in_force("p"), ALICE);
}

#[tokio::test]
async fn only_administrators_and_only_of_the_project_served() {
    let house = serve().await;
    let ruleset = house.create(ALICE).await;
    let paths = [
        ("GET", "/v1/projects/p/rulesets".to_owned()),
        ("POST", "/v1/projects/p/rulesets".to_owned()),
        ("GET", format!("/v1/{ruleset}")),
        ("DELETE", format!("/v1/{ruleset}")),
        ("POST", "/v1/projects/p/releases".to_owned()),
        ("PATCH", "/v1/projects/p/releases/cloud.firestore".to_owned()),
        ("POST", "/v1/projects/p:test".to_owned()),
        ("GET", "/firebaserules.googleapis.com/v1/projects/p/releases".to_owned()),
    ];
    for (method, path) in &paths {
        for caller in [user(), Caller::unauthenticated()] {
            let answer = house.ask_as(caller, method, path, &Json::Null).await;
            assert_eq!(error(&answer).1, "PERMISSION_DENIED", "{method} {path}");
        }
        let other = path.replace("projects/p", "projects/q");
        let body = match *path == "/v1/projects/p/rulesets" {
            true => source(ALICE),
            false => json!({ "name": "projects/q/releases/x", "rulesetName": "projects/q/rulesets/1",
                             "release": { "rulesetName": "projects/q/rulesets/1" } }),
        };
        assert_eq!(error(&house.ask(method, &other, &body).await).1, "PERMISSION_DENIED", "{method} {other}");
    }
    assert_eq!(house.in_force("p"), "closed");
    let events = house.gate.log().events();
    let made: Vec<_> =
        events.iter().filter(|event| event.verb == "CreateRuleset" && event.version.is_some()).collect();
    assert_eq!(made.len(), 1, "{events:#?}");
    assert_eq!(made[0].who.as_deref(), Some("deployer@p.iam.gserviceaccount.com"));
    assert_eq!((made[0].service.as_str(), format!("projects/p{}", made[0].path)), ("rules", ruleset));
    let denied = events.iter().filter(|event| event.verdict == access::log::Verdict::Deny).count();
    assert_eq!(denied, 2 * paths.len(), "whoever may not is on record");
}

#[tokio::test]
async fn lists_come_in_pages_the_newest_first() {
    let house = serve().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(house.create(ALICE).await);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    made.reverse();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/projects/p/rulesets?pageSize=2&pageToken={token}");
        let path = if token.is_empty() { "/v1/projects/p/rulesets?pageSize=2".to_owned() } else { path };
        let (code, page) = house.ask("GET", &path, &Json::Null).await;
        assert_eq!(code, 200);
        for ruleset in page["rulesets"].as_array().into_iter().flatten() {
            assert!(ruleset.get("source").is_none(), "{ruleset}");
            seen.push(ruleset["name"].as_str().unwrap().to_owned());
        }
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, made);
    for name in ["a", "b", "firebase.storage/x"] {
        let storage = house.create(STORAGE).await;
        assert_eq!(house.release(name, &storage).await.0, 200);
    }
    let (_, page) = house.ask("GET", "/v1/projects/p/releases", &Json::Null).await;
    let names: Vec<_> =
        page["releases"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["projects/p/releases/a", "projects/p/releases/b", "projects/p/releases/firebase.storage/x"]
    );
    assert_eq!(house.ask("GET", "/v1/projects/p/rulesets?filter=x", &Json::Null).await.0, 501);
}

#[tokio::test]
async fn what_is_released_is_in_force_again_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || Store::open(Sqlite::open(folder.path()).unwrap(), options()).await.unwrap();
    let house = house_on(open().await, Mode::Serve).await;
    assert!(house.deploy.restore().await.unwrap().is_none());
    let ruleset = house.create(ALICE).await;
    house.release("cloud.firestore", &ruleset).await;
    let House { gate, deploy } = house;
    drop(deploy);
    gate.close().await.unwrap();
    let house = house_on(open().await, Mode::Serve).await;
    assert_eq!(house.in_force("p"), "closed");
    let restored = house.deploy.restore().await.unwrap().unwrap();
    assert!(ruleset.ends_with(&restored.ruleset));
    assert_eq!(house.in_force("p"), ALICE);
}

#[tokio::test]
async fn in_dev_a_release_is_its_projects_own_until_the_file_changes() {
    let house = dev().await;
    let ruleset = house.create(ALICE).await;
    assert_eq!(house.release("cloud.firestore", &ruleset).await.0, 200);
    assert_eq!((house.in_force("p").as_str(), house.in_force("q").as_str()), (ALICE, "open"));
    house.gate.rules().firestore.load(policy::Source::new("firestore.rules", NOBODY)).unwrap();
    assert_eq!(house.in_force("p"), NOBODY);
    house.update("cloud.firestore", &ruleset).await;
    let release = "/v1/projects/p/releases/cloud.firestore";
    assert_eq!(
        (house.in_force("p").as_str(), house.ask("DELETE", release, &Json::Null).await.0),
        (ALICE, 200)
    );
    assert_eq!(house.in_force("p"), NOBODY);
}

#[tokio::test]
async fn a_database_of_its_own_has_rules_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || Store::open(Sqlite::open(folder.path()).unwrap(), options()).await.unwrap();
    let of = |house: &House, part: &str| match &*house.gate.rules().firestore.current_for("p", part) {
        Rules::Enforced(enforced) => enforced.policy.source().text.to_string(),
        Rules::Open(_) => "open".to_owned(),
        Rules::Closed(_) => "closed".to_owned(),
    };
    let house = house_on(open().await, Mode::Serve).await;
    let (alice, nobody) = (house.create(ALICE).await, house.create(NOBODY).await);
    assert_eq!(house.release("cloud.firestore", &nobody).await.0, 200);
    assert_eq!(of(&house, "orders"), "closed", "the default database's rules are not its own");
    assert_eq!(house.release("cloud.firestore/orders", &alice).await.0, 200);
    assert_eq!((of(&house, "orders").as_str(), of(&house, "other").as_str()), (ALICE, "closed"));
    assert_eq!(house.in_force("p"), NOBODY);
    let House { gate, deploy } = house;
    drop(deploy);
    gate.close().await.unwrap();
    let house = house_on(open().await, Mode::Serve).await;
    house.deploy.restore().await.unwrap();
    assert_eq!((of(&house, "orders").as_str(), house.in_force("p").as_str()), (ALICE, NOBODY));
    let release = "/v1/projects/p/releases/cloud.firestore/orders";
    assert_eq!(house.ask("DELETE", release, &Json::Null).await.0, 200);
    assert_eq!(of(&house, "orders"), "closed");
    let house = dev().await;
    let ruleset = house.create(ALICE).await;
    assert_eq!(of(&house, "orders"), "open");
    assert_eq!(house.release("cloud.firestore/orders", &ruleset).await.0, 200);
    assert_eq!((of(&house, "orders").as_str(), of(&house, "other").as_str()), (ALICE, "open"));
}

fn case(expectation: &str, uid: Option<&str>, more: Json) -> Json {
    let mut request = json!({ "path": "/databases/(default)/documents/notes/1", "method": "get" });
    if let Some(uid) = uid {
        request["auth"] = json!({ "uid": uid });
    }
    let mut case = json!({ "expectation": expectation, "request": request });
    case.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    case
}

#[tokio::test]
async fn tests_tell_the_verdict_and_how_it_came_about() {
    let house = serve().await;
    let mut body = source(ALICE);
    body["testSuite"] = json!({ "testCases": [
        case("ALLOW", Some("alice"), json!({})),
        case("ALLOW", Some("eve"), json!({ "expressionReportLevel": "FULL" })),
        case("DENY", None, json!({ "expressionReportLevel": "VISITED" })),
    ] });
    let (code, tested) = house.ask("POST", "/v1/projects/p:test", &body).await;
    assert_eq!(code, 200, "{tested}");
    let results = &tested["testResults"];
    assert_eq!(results[0], json!({ "state": "SUCCESS" }));
    assert_eq!(results[1]["state"], "FAILURE");
    let visited = &results[1]["visitedExpressions"][0];
    assert_eq!((&visited["value"], &visited["sourcePosition"]["line"]), (&json!(false), &json!(2)));
    let report = &results[1]["expressionReports"][0];
    assert_eq!(report["values"], json!([{ "value": false, "count": 1 }]));
    assert_eq!(report["children"][0]["values"], json!([{ "value": "eve", "count": 1 }]));
    assert_eq!(results[2]["state"], "SUCCESS");
    let message = "Error: firestore.rules line [2], column [40]. Property auth is undefined on object.";
    assert_eq!(results[2]["debugMessages"], json!([message]));
    assert_eq!(results[2]["errorPosition"]["fileName"], "firestore.rules");
    assert_eq!(results[2].get("visitedExpressions"), None, "an error has no value");
    // A stored ruleset is tested by its name.
    let ruleset = house.create(ALICE).await;
    let path = format!("/v1/{ruleset}:test");
    let (code, stored) = house.ask("POST", &path, &json!({ "testSuite": body["testSuite"] })).await;
    assert_eq!((code, &stored["testResults"]), (200, results));
    assert_eq!(house.ask("POST", &path, &body).await.0, 400);
}

#[tokio::test]
async fn functions_are_mocked_by_path_or_for_any() {
    let rules = ALICE.replace(
        "request.auth.uid == 'alice'",
        "get(/databases/$(d)/documents/a/$(request.auth.uid)).data.n == 1 || exists(/databases/$(d)/documents/b/c)",
    );
    let mock = |function: &str, arg: Json, result: Json| json!({ "function": function, "args": [arg], "result": result });
    let any = json!({ "anyValue": {} });
    let exact = json!({ "exactValue": "/databases/(default)/documents/a/alice" });
    let one = json!({ "value": { "data": { "n": 1 } } });
    let two = json!({ "value": { "data": { "n": 2 } } });
    let mut body = source(&rules);
    body["testSuite"] = json!({ "testCases": [
        case("ALLOW", Some("alice"), json!({ "functionMocks": [mock("get", any.clone(), two.clone()), mock("get", exact, one.clone())] })),
        case("DENY", Some("eve"), json!({ "functionMocks": [mock("get", any.clone(), two)] })),
        case("ALLOW", Some("eve"), json!({ "functionMocks": [mock("exists", any.clone(), json!({ "value": true }))] })),
        case("DENY", Some("eve"), json!({ "functionMocks": [mock("get", any.clone(), json!({ "undefined": {} }))] })),
    ] });
    let (_, tested) = house_test(&body).await;
    let states: Vec<_> = tested["testResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["SUCCESS"; 4], "{tested}");
    let calls = &tested["testResults"][0]["functionCalls"];
    assert_eq!(
        calls,
        &json!([{ "function": "get", "args": ["/databases/%28default%29/documents/a/alice"] }])
    );
    for wrong in [mock("sqrt", any.clone(), one.clone()), mock("exists", any, one)] {
        body["testSuite"] =
            json!({ "testCases": [case("ALLOW", None, json!({ "functionMocks": [wrong] }))] });
        assert_eq!(house_test(&body).await.0, 400);
    }
}

async fn house_test(body: &Json) -> (u16, Json) {
    serve().await.ask("POST", "/v1/projects/p:test", body).await
}

#[tokio::test]
async fn a_source_with_errors_has_issues_and_no_results() {
    let mut body = source(BROKEN);
    body["testSuite"] = json!({ "testCases": [case("ALLOW", None, json!({}))] });
    let (code, tested) = house_test(&body).await;
    assert_eq!((code, tested.get("testResults")), (200, None));
    let issue = &tested["issues"][0];
    assert_eq!(issue["severity"], "ERROR");
    assert_eq!(issue["sourcePosition"]["fileName"], "firestore.rules");
    let (_, warned) =
        house_test(&source("service cloud.firestore { match /{x=**} { allow read: if false; } }")).await;
    assert_eq!(warned["issues"][0]["severity"], "WARNING", "{warned}");
    for (wrong, text) in [
        (json!({ "expectation": "MAYBE" }), "expectation"),
        (json!({ "expressionReportLevel": "SOME" }), "expressionReportLevel"),
        (json!({ "pathEncoding": "SOME" }), "pathEncoding"),
        (json!({ "request": { "method": "read", "path": "/databases/d/documents/a/b" } }), "request.method"),
        (json!({ "request": { "method": "get", "path": "a/b" } }), "request.path"),
        (
            json!({ "request": { "method": "get", "path": "/databases/d/documents/a/b", "time": "now" } }),
            "request.time",
        ),
        (json!({ "request": { "method": "get", "path": "/databases/d/documents/a/b", "auth": {} } }), "uid"),
    ] {
        let mut body = source(ALICE);
        body["testSuite"] = json!({ "testCases": [case("ALLOW", None, wrong)] });
        let answer = house_test(&body).await;
        let (code, status, message) = error(&answer);
        assert_eq!((code, status), (400, "INVALID_ARGUMENT"), "{message}");
        assert!(message.contains("testCases[0]") && message.contains(text), "{message}");
    }
    assert_eq!(house_test(&json!({})).await.0, 400);
    assert_eq!(house_test(&json!("x")).await.0, 400);
}

#[tokio::test]
async fn what_the_firebase_cli_asks_first_is_answered_for_administrators() {
    let house = serve().await;
    let permissions = json!({ "permissions": ["firebaserules.releases.update", "x"] });
    for (method, path, body, expected) in [
        ("POST", "/v1/projects/p:testIamPermissions", &permissions, permissions.clone()),
        (
            "POST",
            "/cloudresourcemanager.googleapis.com/v1/projects/p:testIamPermissions",
            &permissions,
            permissions.clone(),
        ),
        ("GET", "/v1beta1/projects/p", &Json::Null, json!("p")),
        ("GET", "/firebase.googleapis.com/v1beta1/projects/p", &Json::Null, json!("p")),
        ("GET", "/v1/projects/p/services/firestore.googleapis.com", &Json::Null, json!("ENABLED")),
        ("GET", "/serviceusage.googleapis.com/v1/projects/p/services/x", &Json::Null, json!("ENABLED")),
    ] {
        let (code, answer) = house.ask(method, path, body).await;
        assert_eq!(code, 200, "{path}: {answer}");
        let told = [&answer, &answer["projectId"], &answer["state"], &answer["type"]];
        assert!(told.contains(&&expected), "{path}: {answer}");
        let refused = house.ask_as(user(), method, path, body).await;
        assert_eq!(error(&refused).1, "PERMISSION_DENIED", "{path}");
        let other = path.replace("projects/p", "projects/q");
        assert_eq!(error(&house.ask(method, &other, body).await).1, "PERMISSION_DENIED", "{other}");
    }
    assert_eq!(
        house.ask("POST", "/v1/projects/p:testIamPermissions", &json!({})).await.1,
        json!({ "permissions": [] })
    );
}

#[tokio::test]
async fn whoever_hangs_up_does_not_leave_a_release_half_done() {
    let house = serve().await;
    let (alice, nobody) = (house.create(ALICE).await, house.create(NOBODY).await);
    house.release("cloud.firestore", &alice).await;
    for polls in 0..12 {
        let (name, text) = if polls % 2 == 0 { (&nobody, NOBODY) } else { (&alice, ALICE) };
        {
            let mut asking = std::pin::pin!(house.update("cloud.firestore", name));
            for _ in 0..polls {
                let polled = poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx).is_ready()));
                if polled.await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // Begun with the first poll, it ends by itself.
        let expected = if polls == 0 { ALICE } else { text };
        let (mut stored, mut in_force) = (String::new(), String::new());
        for _ in 0..500 {
            let path = "/v1/projects/p/releases/cloud.firestore";
            let (_, released) = house.ask("GET", path, &Json::Null).await;
            stored = if released["rulesetName"] == json!(alice) { ALICE } else { NOBODY }.to_owned();
            in_force = house.in_force("p");
            if stored == expected && in_force == expected {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!((stored.as_str(), in_force.as_str()), (expected, expected), "after {polls} polls");
    }
}
