//! Who may do what: the rules decide on the finished object, in the step that publishes it.

use access::Caller;

use crate::house::{BUCKET, House, admin, user};

const RULES: &str = r"
rules_version = '2';
service firebase.storage {
  match /b/{bucket}/o {
    match /own/{uid}/{file} {
      allow get, list, delete: if request.auth.uid == uid;
      allow create: if request.auth.uid == uid && request.resource.size < 10
                    && request.resource.contentType.matches('text/.*');
      allow update: if request.auth.uid == uid && request.resource.metadata.stage != 'locked';
    }
    match /roles/{file} {
      allow read: if true;
      allow create: if firestore.get(/databases/(default)/documents/roles/$(request.auth.uid)).data.role == 'editor';
    }
    match /once/{file} { allow get; allow create: if resource == null; }
    match /hash/{file} { allow get; allow create: if request.resource.md5Hash == 'XrY7u+Ae7tCTyyK7j1rNww=='; }
    match /list/{rest=**} { allow list; }
  }
}";

#[tokio::test]
async fn each_verb_is_decided_by_its_own_rule() {
    let (house, alice, bob) = (House::new(RULES).await, user("alice", &[]), user("bob", &[]));
    assert_eq!(house.upload(&alice, "own/alice/a", "hello").await.status, 200);
    let denied = house.upload(&bob, "own/alice/a", "evil").await;
    assert_eq!(denied.status, 403);
    assert_eq!(denied.json()["error"]["message"], "Permission denied. No WRITE permission.");
    assert_eq!(house.upload(&Caller::unauthenticated(), "own/alice/a", "evil").await.status, 403);
    assert_eq!(house.upload(&alice, "own/alice/a", "more than ten").await.status, 403);
    assert_eq!(house.download(&alice, "own/alice/a").await.body, b"hello");
    let denied = house.download(&bob, "own/alice/a").await;
    assert_eq!(denied.json()["error"]["message"], "Permission denied. No READ permission.");
    let uri = format!("/v0/b/{BUCKET}/o/own%2Falice%2Fa");
    let patch = async |caller: &Caller, text: &'static str| house.ask(caller, "PATCH", &uri, &[], text).await;
    assert_eq!(patch(&bob, r#"{"contentType": "text/html"}"#).await.status, 403);
    assert_eq!(patch(&alice, r#"{"metadata": {"stage": "locked"}}"#).await.status, 403);
    let patched = patch(&alice, r#"{"metadata": {"stage": "open"}, "cacheControl": "no-store"}"#).await;
    assert_eq!((patched.status, &patched.json()["metageneration"]), (200, &"2".into()));
    assert_eq!(house.ask(&bob, "DELETE", &uri, &[], "").await.status, 403);
    assert_eq!(house.ask(&alice, "DELETE", &uri, &[], "").await.status, 204);
    assert_eq!(house.ask(&alice, "DELETE", &uri, &[], "").await.status, 404);
}

#[tokio::test]
async fn who_is_denied_does_not_learn_what_is_there() {
    let (house, bob) = (House::new(RULES).await, user("bob", &[]));
    house.upload(&admin(), "own/alice/there", "x").await;
    for (method, uri, body) in [
        ("GET", "own%2Falice%2FNAME", ""),
        ("GET", "own%2Falice%2FNAME?alt=media", ""),
        ("GET", "own%2Falice%2FNAME?alt=media&token=guess", ""),
        ("DELETE", "own%2Falice%2FNAME", ""),
        ("DELETE", "own%2Falice%2FNAME?ifGenerationMatch=1", ""),
        ("PATCH", "own%2Falice%2FNAME", "{}"),
        ("PATCH", "own%2Falice%2FNAME", r#"{"metadata": {"firebaseStorageDownloadTokens": "a"}}"#),
        ("PATCH", "own%2Falice%2FNAME?ifMetagenerationMatch=7", "{}"),
    ] {
        let ask = async |name: &str| {
            let uri = format!("/v0/b/{BUCKET}/o/{}", uri.replace("NAME", name));
            let answer = house.ask(&bob, method, &uri, &[], body).await;
            (answer.status, answer.body)
        };
        let (there, missing) = (ask("there").await, ask("missing").await);
        assert_eq!(there.0, 403, "{method} {uri}");
        assert_eq!(there, missing, "{method} {uri}");
    }
}

#[tokio::test]
async fn overwriting_is_create_with_the_old_object_as_resource() {
    let house = House::new(RULES).await;
    let alice = user("alice", &[]);
    assert_eq!(house.upload(&alice, "once/a", "one").await.status, 200);
    assert_eq!(house.upload(&alice, "once/a", "two").await.status, 403);
    assert_eq!(house.download(&alice, "once/a").await.body, b"one");
}

#[tokio::test]
async fn lists_need_version_two_and_a_prefix_that_ends() {
    let house = House::new(RULES).await;
    let list = async |query: &str| {
        let uri = format!("/v0/b/{BUCKET}/o?{query}");
        house.ask(&Caller::unauthenticated(), "GET", &uri, &[], "").await
    };
    assert_eq!(list("prefix=list/&delimiter=/").await.status, 200);
    assert_eq!(list("prefix=list").await.status, 400);
    let denied = list("prefix=other/").await;
    assert_eq!(denied.json()["error"]["message"], "Permission denied. No LIST permission.");
    let old =
        House::new("service firebase.storage { match /b/{b}/o { match /{all=**} { allow read; } } }").await;
    let answer = old.ask(&Caller::unauthenticated(), "GET", &format!("/v0/b/{BUCKET}/o"), &[], "").await;
    let expected = "Permission denied. List operations are only allowed for rules_version='2'.";
    assert_eq!((answer.status, &answer.json()["error"]["message"]), (403, &expected.into()));
}

#[tokio::test]
async fn a_role_that_goes_between_two_chunks_keeps_the_object_from_appearing() {
    let (house, alice) = (House::new(RULES).await, user("alice", &[]));
    house.set_role("roles/alice", Some("editor")).await;
    let url =
        house.start(&alice, "roles/a", Some(10)).await.unwrap_or_else(|answer| panic!("{}", answer.status));
    assert_eq!(house.chunk(&alice, &url, "upload", 0, "hello").await.status, 200);
    house.set_role("roles/alice", None).await;
    let last = house.chunk(&alice, &url, "upload, finalize", 5, "world").await;
    assert_eq!((last.status, last.header("x-goog-upload-status")), (403, "final"));
    assert_eq!(house.download(&alice, "roles/a").await.status, 404);
    // It does not come back with the role.
    house.set_role("roles/alice", Some("editor")).await;
    assert_eq!(house.chunk(&alice, &url, "finalize", 10, "").await.status, 403);
    assert_eq!(house.download(&alice, "roles/a").await.status, 404);
    assert_eq!((house.blobs().await, house.files.drafts().await.unwrap().len()), (0, 0));
    let granted = house.upload(&alice, "roles/a", "hello").await;
    assert_eq!(granted.status, 200);
}

#[tokio::test]
async fn what_is_declared_is_refused_early_and_what_depends_on_the_bytes_is_not() {
    let (house, alice) = (House::new(RULES).await, user("alice", &[]));
    let refused = house.start(&alice, "own/alice/a", Some(5_000_000_000)).await.err();
    assert_eq!(refused.map(|answer| answer.status), Some(403));
    assert!(house.start(&user("bob", &[]), "own/alice/a", Some(5)).await.is_err());
    let url = house.start(&alice, "hash/a", Some(11)).await.ok().unwrap();
    assert_eq!(house.chunk(&alice, &url, "upload, finalize", 0, "hello world").await.status, 200);
    let url = house.start(&alice, "hash/a", Some(5)).await.ok().unwrap();
    assert_eq!(house.chunk(&alice, &url, "upload, finalize", 0, "other").await.status, 403);
    assert_eq!(house.download(&alice, "hash/a").await.body, b"hello world");
    // Less is declared than comes.
    let url = house.start(&alice, "own/alice/b", Some(5)).await.ok().unwrap();
    assert_eq!(house.chunk(&alice, &url, "upload, finalize", 0, "0123456789abcdef").await.status, 413);
    assert_eq!(house.download(&alice, "own/alice/b").await.status, 404);
}
