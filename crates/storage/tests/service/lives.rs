//! What survives a restart, what is collected and what is not.

use std::sync::Arc;

use access::{Caller, Mode, Operation, Service};
use kv::{KeyRange, Scan};
use storage::files::{Disk, Files};

use crate::firebase::OPEN;
use crate::house::{BUCKET, House, admin, user};

#[tokio::test]
async fn an_upload_goes_on_in_the_next_process() {
    let alice = user("alice", &[]);
    let house = House::new(OPEN).await;
    let url = house.start(&alice, "r", Some(11)).await.ok().unwrap();
    house.chunk(&alice, &url, "upload", 0, "hello ").await;
    let house = house.restarted();
    house.storage.find_orphans().await.unwrap();
    let query = house.ask(&alice, "POST", &url, &[("x-goog-upload-command", "query")], "").await;
    assert_eq!(query.header("x-goog-upload-size-received"), "6");
    // Who began it is not in memory any more: its id alone is nobody's credential.
    let nobody = house.chunk(&Caller::unauthenticated(), &url, "upload, finalize", 6, "world").await;
    let other = house.chunk(&user("bob", &[]), &url, "upload, finalize", 6, "world").await;
    assert_eq!((nobody.status, other.status), (401, 403));
    let last = house.chunk(&alice, &url, "upload, finalize", 6, "world").await;
    assert_eq!((last.status, &last.json()["md5Hash"]), (200, &"XrY7u+Ae7tCTyyK7j1rNww==".into()));
    let house = house.restarted();
    let again = house.chunk(&alice, &url, "finalize", 11, "").await;
    assert_eq!(again.header("x-goog-upload-status"), "final");
}

#[tokio::test]
async fn an_upload_ends_after_seven_days() {
    let house = House::new(OPEN).await;
    let url = house.start(&admin(), "r", None).await.ok().unwrap();
    house.chunk(&admin(), &url, "upload", 0, "hello").await;
    house.clock.advance(7 * 86_400_000_000);
    assert_eq!(house.chunk(&admin(), &url, "upload", 5, "x").await.status, 200);
    house.clock.advance(1_000_000);
    assert_eq!(house.chunk(&admin(), &url, "upload", 6, "x").await.status, 404);
    house.storage.end_uploads().await.unwrap();
    assert!(house.files.drafts().await.unwrap().is_empty());
    let house = house.restarted();
    assert_eq!(house.chunk(&admin(), &url, "upload", 5, "x").await.status, 404);
}

#[tokio::test]
async fn files_go_when_the_last_object_that_uses_them_has_gone() {
    let house = House::new(OPEN).await;
    for name in ["a", "b"] {
        house.upload(&admin(), name, "same").await;
    }
    assert_eq!(house.blobs().await, 1);
    let collect = async || {
        house.clock.advance(60_000_000);
        house.storage.collect().await.unwrap();
        house.blobs().await
    };
    house.upload(&admin(), "a", "other").await;
    assert_eq!(collect().await, 2);
    house.ask(&admin(), "DELETE", &format!("/v0/b/{BUCKET}/o/b"), &[], "").await;
    assert_eq!(house.blobs().await, 2, "who has just asked may still read");
    assert_eq!(collect().await, 1);
    // Unused, and used again before it is collected.
    house.ask(&admin(), "DELETE", &format!("/v0/b/{BUCKET}/o/a"), &[], "").await;
    house.upload(&admin(), "c", "other").await;
    assert_eq!(collect().await, 1);
    assert_eq!(house.download(&admin(), "c").await.body, b"other");
}

#[tokio::test]
async fn what_a_crash_leaves_is_found_and_what_is_used_stays() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(Disk::open(folder.path()).unwrap());
    let house = House::with(OPEN, Arc::clone(&files), Mode::Serve).await;
    house.upload(&admin(), "kept", "kept").await;
    // A file that got its name and no row; a draft of an upload in one request.
    let mut draft = files.draft("left", 0).await.unwrap();
    draft.append("left".into()).await.unwrap();
    draft.sync().await.unwrap();
    files.publish("left", &storage::model::BlobName([7; 32])).await.unwrap();
    files.discard("left").await.unwrap();
    files.draft("half", 0).await.unwrap();
    assert_eq!((house.blobs().await, files.drafts().await.unwrap().len()), (2, 1));
    let house = house.restarted();
    house.storage.find_orphans().await.unwrap();
    assert_eq!((house.blobs().await, files.drafts().await.unwrap().len()), (1, 0));
    assert_eq!(house.download(&admin(), "kept").await.body, b"kept");
}

#[tokio::test]
async fn many_at_once_over_few_names_and_bytes_leave_no_file_too_many_or_too_few() {
    let house = Arc::new(House::new(OPEN).await);
    let mut running = Vec::new();
    for worker in 0..8u64 {
        let house = Arc::clone(&house);
        running.push(tokio::spawn(async move {
            for step in 0..40u64 {
                let number = worker * 7 + step * 13;
                let (name, bytes) = (format!("n{}", number % 5), format!("bytes {}", number % 3));
                let status = match number % 4 {
                    0 => {
                        house
                            .ask(&admin(), "DELETE", &format!("/v0/b/{BUCKET}/o/{name}"), &[], "")
                            .await
                            .status
                    }
                    1 => {
                        house.clock.advance(20_000_000);
                        house.storage.collect().await.unwrap();
                        200
                    }
                    _ => house.upload(&admin(), &name, &bytes).await.status,
                };
                assert!([200, 204, 404].contains(&status), "{status}");
            }
        }));
    }
    for worker in running {
        worker.await.unwrap();
    }
    let mut kept = std::collections::BTreeSet::new();
    for number in 0..5 {
        let got = house.download(&admin(), &format!("n{number}")).await;
        assert!([200, 404].contains(&got.status), "{}", got.status);
        if got.status == 200 {
            kept.insert(got.body);
        }
    }
    house.clock.advance(60_000_000);
    house.storage.collect().await.unwrap();
    assert_eq!(house.blobs().await, kept.len());
}

#[tokio::test]
async fn what_is_copied_is_not_collected_meanwhile() {
    let house = House::new(OPEN).await;
    house.upload(&admin(), "a", "bytes").await;
    let kept = house.files.keep().keep().await;
    house.ask(&admin(), "DELETE", &format!("/v0/b/{BUCKET}/o/a"), &[], "").await;
    house.clock.advance(60_000_000);
    house.storage.collect().await.unwrap();
    assert_eq!(house.blobs().await, 1);
    // The same bytes can be written meanwhile.
    assert_eq!(house.upload(&admin(), "b", "bytes").await.status, 200);
    house.ask(&admin(), "DELETE", &format!("/v0/b/{BUCKET}/o/b"), &[], "").await;
    drop(kept);
    house.clock.advance(60_000_000);
    house.storage.collect().await.unwrap();
    assert_eq!(house.blobs().await, 0);
}

#[tokio::test]
async fn rows_are_held_against_files() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(Disk::open(folder.path()).unwrap());
    let house = House::with(OPEN, Arc::clone(&files), Mode::Serve).await;
    for (name, bytes) in [("a", "same"), ("b", "same"), ("c", "other"), ("d", "third")] {
        house.upload(&admin(), name, bytes).await;
    }
    let check = async || {
        let mut objects = storage::verify::Objects::default();
        let operation = Operation { service: Service::Storage, verb: "verify", resource: String::new() };
        let mut session = house.gate.begin(&admin(), operation).await.unwrap();
        for keyspace in storage::verify::KEYSPACES {
            let page = session.reads().look(&KeyRange::prefix(keyspace, b""), Scan::default()).await.unwrap();
            page.rows.iter().for_each(|row| objects.see(row));
        }
        session.discard();
        objects.check(files.as_ref()).await.unwrap()
    };
    let whole = check().await;
    assert_eq!((whole.objects, whole.files, whole.bytes, whole.faults), (4, 3, 14, 0), "{:?}", whole.listed);
    // A file that no row names is none.
    files.draft("extra", 0).await.unwrap();
    files.publish("extra", &storage::model::BlobName([7; 32])).await.unwrap();
    assert_eq!((check().await.unused, check().await.faults), (1, 1), "its bytes are not what its name says");
    files.remove(&storage::model::BlobName([7; 32])).await.unwrap();
    let named = |bytes: &str| {
        let mut digests = storage::model::Digests::default();
        digests.update(bytes.as_bytes());
        let name = digests.finish().blob;
        (name, folder.path().join(&name.to_string()[..2]).join(name.to_string()))
    };
    std::fs::write(named("same").1, "sane").unwrap();
    std::fs::write(named("third").1, "short").and_then(|()| std::fs::write(named("third").1, "t")).unwrap();
    files.remove(&named("other").0).await.unwrap();
    let damaged = check().await;
    let listed = damaged.listed.join("\n");
    assert_eq!((damaged.missing, damaged.faults), (1, 4), "{listed}");
    for why in [
        "of `demo.appspot.com/b`, has other bytes",
        "is missing: the bytes of `demo.appspot.com/c`",
        "has 1 bytes",
    ] {
        assert!(listed.contains(why), "{why}: {listed}");
    }
}
