//! Any bytes as a stored document's row and as its key: refused, or what was read reads back the same.
#![no_main]

use bytes::Bytes;
use firestore::model::{Stored, document, key};
use kv::{Key, Keyspace, Row, Version};
use libfuzzer_sys::fuzz_target;

const DOCUMENTS: Keyspace = access::keyspace::DOCUMENTS;

fn row(value: Bytes) -> Row {
    Row { key: Key::new(DOCUMENTS, b"k"), value, version: Version(7) }
}

fuzz_target!(|data: &[u8]| {
    // As it lies, and behind a good header, so that the fields are reached.
    for value in [Bytes::copy_from_slice(data), document::encode(Some(Version(3)), data)] {
        let Ok(stored) = Stored::from_row(&row(value)) else { continue };
        let Ok(fields) = stored.fields() else { continue };
        let body = document::encode_fields(&fields);
        let again = Stored::from_row(&row(document::encode(Some(stored.created), &body))).unwrap();
        assert_eq!(document::encode_fields(&again.fields().unwrap()), body, "equal documents have equal bytes");
    }
    if let Some((database, path)) = key::decode(&Key::new(DOCUMENTS, data)) {
        assert_eq!(key::decode(&key::document(&database, &path)), Some((database, path)));
    }
});
