//! One suite for every place of files.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use storage::files::{Disk, Files, FilesError, Incoming, Memory, ReceiveError};
use storage::model::{Digest, Digests};

async fn each(run: impl AsyncFn(Arc<dyn Files>)) {
    run(Arc::new(Memory::default())).await;
    let folder = tempfile::tempdir().unwrap();
    run(Arc::new(Disk::open(&folder.path().join("blobs")).unwrap())).await;
}

async fn write(files: &dyn Files, id: &str, pieces: &[&[u8]]) -> Digest {
    let pieces: Vec<Result<Bytes, ReceiveError>> =
        pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut incoming = Incoming::new(files.draft(id, 0).await.unwrap(), Digests::default(), u64::MAX);
    incoming.receive(stream::iter(pieces)).await.unwrap();
    incoming.sync().await.unwrap();
    incoming.digests().clone().finish()
}

async fn read(files: &dyn Files, digest: &Digest) -> Vec<u8> {
    let blob = files.open(&digest.blob).await.unwrap();
    let mut all = Vec::new();
    loop {
        let piece = blob.read(all.len() as u64, 7).await.unwrap();
        if piece.is_empty() {
            assert_eq!(all.len() as u64, blob.size());
            return all;
        }
        all.extend_from_slice(&piece);
    }
}

#[tokio::test]
async fn what_is_published_is_read_and_what_is_removed_is_gone() {
    each(async |files| {
        let digest = write(files.as_ref(), "one", &[b"hello ", b"world"]).await;
        assert_eq!(digest.md5, "XrY7u+Ae7tCTyyK7j1rNww==");
        assert!(matches!(files.open(&digest.blob).await, Err(FilesError::Missing(_))));
        files.publish("one", &digest.blob).await.unwrap();
        assert_eq!(read(files.as_ref(), &digest).await, b"hello world");
        files.publish("one", &digest.blob).await.unwrap();
        // What is written to the draft from now on does not reach the blob.
        files.draft("one", 3).await.unwrap().append("p".into()).await.unwrap();
        assert_eq!(read(files.as_ref(), &digest).await, b"hello world");
        files.discard("one").await.unwrap();
        assert!(files.drafts().await.unwrap().is_empty());
        assert_eq!(files.blobs(digest.blob.0[0]).await.unwrap(), [digest.blob]);
        // The same bytes again.
        let same = write(files.as_ref(), "two", &[b"hello world"]).await;
        files.publish("two", &same.blob).await.unwrap();
        assert_eq!(same, digest);
        let open = files.open(&digest.blob).await.unwrap();
        files.remove(&digest.blob).await.unwrap();
        files.remove(&digest.blob).await.unwrap();
        assert_eq!(&open.read(0, 100).await.unwrap()[..], b"hello world", "who has it open reads on");
        assert!(matches!(files.open(&digest.blob).await, Err(FilesError::Missing(_))));
    })
    .await;
}

#[tokio::test]
async fn a_draft_goes_on_where_it_was_and_what_is_behind_is_cut() {
    each(async |files| {
        write(files.as_ref(), "d", &[b"hello ", b"there"]).await;
        let mut digests = Digests::default();
        digests.update(b"hello ");
        let mut incoming = Incoming::new(files.draft("d", 6).await.unwrap(), digests, 11);
        let more: [Result<Bytes, ReceiveError>; 1] = [Ok(Bytes::from_static(b"world"))];
        incoming.receive(stream::iter(more)).await.unwrap();
        incoming.sync().await.unwrap();
        let digest = incoming.digests().clone().finish();
        files.publish("d", &digest.blob).await.unwrap();
        assert_eq!(read(files.as_ref(), &digest).await, b"hello world");
        files.discard("d").await.unwrap();
        assert!(files.draft("d", 6).await.is_err(), "there is nothing to go on from");
        files.discard("d").await.unwrap();
        files.discard("d").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn more_than_is_allowed_and_what_breaks_end_it_with_what_came_before_kept() {
    each(async |files| {
        let piece = Bytes::from(vec![7; 300 * 1024]);
        let pieces = |end: Result<Bytes, ReceiveError>| stream::iter([Ok(piece.clone()), end]);
        let mut incoming = Incoming::new(files.draft("a", 0).await.unwrap(), Digests::default(), 400 * 1024);
        let ended = incoming.receive(pieces(Ok(piece.clone()))).await;
        assert!(matches!(ended, Err(ReceiveError::TooLong(_))), "{ended:?}");
        assert_eq!(incoming.digests().size(), 300 * 1024);
        let mut incoming = Incoming::new(files.draft("b", 0).await.unwrap(), Digests::default(), u64::MAX);
        let ended = incoming.receive(pieces(Err(ReceiveError::Broken("gone".to_owned())))).await;
        assert!(matches!(ended, Err(ReceiveError::Broken(_))), "{ended:?}");
        let draft = files.read_draft("b").await.unwrap().unwrap();
        assert_eq!((incoming.digests().size(), draft.size()), (300 * 1024, 300 * 1024));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_an_object_too() {
    each(async |files| {
        let digest = write(files.as_ref(), "n", &[]).await;
        assert_eq!((digest.size, digest.md5.as_str()), (0, "1B2M2Y8AsgTpgAmY7PhCfg=="));
        files.publish("n", &digest.blob).await.unwrap();
        assert_eq!(read(files.as_ref(), &digest).await, b"");
    })
    .await;
}

#[tokio::test]
async fn a_copy_has_every_blob_that_is_whole_and_names_those_that_are_not() {
    each(async |from| {
        let mut digests = Vec::new();
        for text in ["one", "two", ""] {
            let digest = write(from.as_ref(), "d", &[text.as_bytes()]).await;
            from.publish("d", &digest.blob).await.unwrap();
            from.discard("d").await.unwrap();
            digests.push(digest);
        }
        // A blob that has other bytes than its name says.
        let wrong = storage::model::BlobName([9; 32]);
        write(from.as_ref(), "w", &[b"wrong"]).await;
        from.publish("w", &wrong).await.unwrap();
        from.discard("w").await.unwrap();
        let to = Memory::default();
        let copied = storage::files::copy(from.as_ref(), &to).await.unwrap();
        assert_eq!((copied.files, copied.bytes, copied.damaged), (3, 6, vec![wrong]));
        for digest in &digests {
            assert_eq!(read(&to, digest).await.len() as u64, digest.size);
        }
        assert!(matches!(to.open(&wrong).await, Err(FilesError::Missing(_))));
        assert!(to.drafts().await.unwrap().is_empty());
    })
    .await;
}
