//! Exports and imports of a service: what is written comes back, at one version; what is damaged changes nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod house;

use std::fs;
use std::path::{Path, PathBuf};

use access::DevPermit;
use base::Code;
use firestore::Written;
use house::{DATABASE, House, admin, house};
use wire::v1;

const OUTPUT: &str = "all_namespaces/all_kinds/output-0";

fn permit() -> DevPermit {
    DevPermit::for_development_only()
}

async fn export(house: &House, folder: &Path, name: &str) -> Result<Written, base::Status> {
    house.firestore.export_documents(permit(), DATABASE, folder.to_owned(), name).await
}

async fn import(house: &House, export: PathBuf) -> Result<u64, base::Status> {
    house.firestore.import_documents(permit(), DATABASE, export).await
}

async fn all(house: &House) -> Vec<v1::Document> {
    let mut documents = Vec::new();
    for group in ["a", "sub", "many"] {
        for document in house.look_group(group).await {
            documents.push(document);
        }
    }
    documents
}

async fn seeded() -> House {
    let house = house("").await;
    let writes = r#"[
        {"update": {"name": "$/a/1", "fields": {"n": {"integerValue": "1"}, "l": {"arrayValue": {}}}}},
        {"update": {"name": "$/a/gone/sub/x", "fields": {"r": {"referenceValue": "$/a/1"}, "m": {"mapValue": {}}}}},
        {"update": {"name": "$/a/__id7__", "fields": {}}}
    ]"#;
    house.commit(&admin(), writes).await.unwrap();
    house
}

#[tokio::test]
async fn what_is_exported_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let from = seeded().await;
    let written = export(&from, folder.path(), "one").await.unwrap();
    assert_eq!(written.documents, 3);
    let to = house("").await;
    // By the folder as well as by its metadata file.
    assert_eq!(import(&to, folder.path().join("one")).await.unwrap(), 3);
    assert_eq!(import(&to, folder.path().join("one/one.overall_export_metadata")).await.unwrap(), 3);
    let fields = |all: Vec<v1::Document>| {
        all.into_iter().map(|document| (document.name, document.fields)).collect::<Vec<_>>()
    };
    assert_eq!(fields(all(&to).await), fields(all(&from).await));
    let verbs: Vec<String> = to.gate.log().events().into_iter().map(|event| event.verb).collect();
    assert!(verbs.iter().any(|verb| verb == "ImportDocuments"), "{verbs:?}");
    // What the export does not have stays, what it has is as it was.
    let more =
        r#"[{"update": {"name": "$/a/1", "fields": {}}}, {"update": {"name": "$/a/2", "fields": {}}}]"#;
    to.commit(&admin(), more).await.unwrap();
    import(&to, folder.path().join("one")).await.unwrap();
    assert_eq!((to.number("a/1", "n").await, to.look("a/2").await.is_some()), (Some(1), true));
}

#[tokio::test]
async fn queries_find_what_was_imported_by_its_indexes() {
    let folder = tempfile::tempdir().unwrap();
    export(&seeded().await, folder.path(), "one").await.unwrap();
    let to = house("").await;
    let count = async |to: &House| {
        to.find("a", r#"{"fieldFilter": {"field": {"fieldPath": "n"}, "op": "EQUAL", "value": {"integerValue": "1"}}}"#).await
    };
    assert_eq!(count(&to).await, 0);
    import(&to, folder.path().join("one")).await.unwrap();
    assert_eq!(count(&to).await, 1);
}

#[tokio::test]
async fn empty_and_large_databases() {
    let folder = tempfile::tempdir().unwrap();
    let empty = house("").await;
    assert_eq!(export(&empty, folder.path(), "none").await.unwrap().documents, 0);
    assert_eq!(fs::read_dir(folder.path().join("none")).unwrap().count(), 1);
    assert_eq!(import(&empty, folder.path().join("none")).await.unwrap(), 0);
    let large = house("").await;
    for batch in 0..22 {
        let write = |at: usize| {
            format!(
                r#"{{"update": {{"name": "$/many/{batch}-{at}", "fields": {{"n": {{"integerValue": "{at}"}}}}}}}}"#
            )
        };
        let writes: Vec<String> = (0..500).map(write).collect();
        large.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    }
    let written = export(&large, folder.path(), "many").await.unwrap();
    assert_eq!(written.documents, 11_000);
    let outputs = folder.path().join("many/all_namespaces/all_kinds");
    assert_eq!(fs::read_dir(&outputs).unwrap().count(), 4, "three outputs and their metadata");
    assert_eq!(import(&empty, folder.path().join("many")).await.unwrap(), 11_000);
    assert_eq!(all(&empty).await.len(), 11_000);
}

#[tokio::test]
async fn a_damaged_export_changes_nothing_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    export(&seeded().await, folder.path(), "one").await.unwrap();
    let output = folder.path().join("one").join(OUTPUT);
    let overall = folder.path().join("one/one.overall_export_metadata");
    let whole = fs::read(&output).unwrap();
    let to = house("").await;
    let refused = async |says: &str| {
        let error = import(&to, folder.path().join("one")).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{error}");
        assert!(error.message.contains(says), "{says}: {error}");
        assert!(all(&to).await.is_empty(), "{says}");
    };
    for at in [5, 40, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&output, damaged).unwrap();
        refused("output-0`, record at byte").await;
    }
    fs::write(&output, &whole[..whole.len() - 3]).unwrap();
    refused("ends within the record").await;
    // A record less: each that is there is whole.
    let first = 7 + usize::from(u16::from_le_bytes([whole[4], whole[5]]));
    fs::write(&output, &whole[..first]).unwrap();
    refused("has 3 documents, its files have 1").await;
    fs::write(&output, b"no log at all, but long enough to look like one").unwrap();
    refused("record at byte 0").await;
    fs::write(&output, &whole).unwrap();
    let metadata = output.with_file_name("all_namespaces_all_kinds.export_metadata");
    let mut named = fs::read(&metadata).unwrap();
    let at = named.len() - 8;
    named[at..].copy_from_slice(b"../../xx");
    fs::write(&metadata, named).unwrap();
    refused("does not lie within").await;
    fs::write(&overall, b"\x00").unwrap();
    refused("overall_export_metadata").await;
    let missing = import(&to, folder.path().join("none")).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    let denied = to.gate.log().events().into_iter().filter(|event| event.verb == "ImportDocuments");
    assert!(
        denied.clone().count() >= 8
            && denied.into_iter().all(|event| event.verdict == access::log::Verdict::Error)
    );
}

#[tokio::test]
async fn an_export_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let from = seeded().await;
    for (directory, name, code) in [
        (folder.path().join("none"), "x", Code::FailedPrecondition),
        (folder.path().to_owned(), "../x", Code::InvalidArgument),
        (folder.path().to_owned(), "", Code::InvalidArgument),
        (folder.path().to_owned(), "..", Code::InvalidArgument),
        (folder.path().to_owned(), "a/b", Code::InvalidArgument),
    ] {
        assert_eq!(export(&from, &directory, name).await.unwrap_err().code, code, "{name}");
    }
    fs::write(folder.path().join("taken"), b"mine").unwrap();
    assert_eq!(export(&from, folder.path(), "taken").await.unwrap_err().code, Code::FailedPrecondition);
    assert_eq!(fs::read(folder.path().join("taken")).unwrap(), b"mine");
    for _ in 0..2 {
        export(&from, folder.path(), "one").await.unwrap();
    }
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["one", "taken"]);
}
