//! Where documents live: `project ‖ database ‖ collection path ‖ 0x00 ‖ document id`.
//!
//! Segments start with a byte above zero, so a collection's own documents come before what lies in
//! sub-collections below them, and in document-name order. The encoding is [`base::key`]'s.

use access::keyspace::DOCUMENTS;
use base::key::{push_segment, push_text, split_segment, split_text};
use base::{DatabaseName, DocumentPath, ResourcePath};
use kv::{Key, KeyRange};

/// Stands between the path of a collection and the id of a document in it.
const IN_COLLECTION: u8 = 0x00;

/// Appends a database's prefix.
pub fn push_database(key: &mut Vec<u8>, database: &DatabaseName) {
    push_text(key, &database.project);
    push_text(key, &database.database);
}

fn prefix_of(database: &DatabaseName, segments: &[String]) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    push_database(&mut key, database);
    segments.iter().for_each(|segment| push_segment(&mut key, segment));
    key
}

/// The key of a document's row.
pub fn document(database: &DatabaseName, path: &DocumentPath) -> Key {
    in_collection(database, path.collection(), path.id())
}

/// The key of a document's row, from the segments of its collection and its id.
pub fn in_collection(database: &DatabaseName, collection: &[String], id: &str) -> Key {
    let mut key = prefix_of(database, collection);
    key.push(IN_COLLECTION);
    push_segment(&mut key, id);
    Key::new(DOCUMENTS, &key)
}

/// The bytes (without keyspace) that the keys of all documents directly in a collection start with; what follows is
/// the encoded document id.
pub fn collection_prefix(database: &DatabaseName, collection: &[String]) -> Vec<u8> {
    let mut key = prefix_of(database, collection);
    key.push(IN_COLLECTION);
    key
}

/// The rows of the documents directly in a collection.
pub fn collection(database: &DatabaseName, collection: &[String]) -> KeyRange {
    KeyRange::prefix(DOCUMENTS, &collection_prefix(database, collection))
}

/// The bytes (without keyspace) that the keys of everything below a path start with: of a document its
/// sub-collections at any depth, of a collection its documents and everything below them, of the root everything.
pub fn below_prefix(database: &DatabaseName, path: &[String]) -> Vec<u8> {
    prefix_of(database, path)
}

/// The rows of everything below a path, see [`below_prefix`]. A document's own row is not below it.
pub fn below(database: &DatabaseName, path: &ResourcePath) -> KeyRange {
    KeyRange::prefix(DOCUMENTS, &below_prefix(database, path.segments()))
}

/// The database and path in a row's key; `None` when it is not a document's key.
pub fn decode(key: &Key) -> Option<(DatabaseName, DocumentPath)> {
    let (project, rest) = split_text(key.as_bytes())?;
    let (database, rest) = split_text(rest)?;
    Some((DatabaseName { project, database }, decode_path(rest)?))
}

/// The path in what follows the database's prefix in a key.
pub fn decode_path(mut bytes: &[u8]) -> Option<DocumentPath> {
    let mut segments = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        if first == IN_COLLECTION {
            let (id, rest) = split_segment(rest)?;
            segments.push(id);
            return if rest.is_empty() {
                DocumentPath::new(ResourcePath::from_segments(segments).ok()?)
            } else {
                None
            };
        }
        let (segment, rest) = split_segment(bytes)?;
        segments.push(segment);
        bytes = rest;
    }
    None
}

/// The id of a document in a collection whose [`collection_prefix`] is known.
pub fn decode_id(key: &Key, collection_prefix: &[u8]) -> Option<String> {
    let (id, rest) = split_segment(key.as_bytes().strip_prefix(collection_prefix)?)?;
    rest.is_empty().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> DocumentPath {
        DocumentPath::new(ResourcePath::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn keys_give_back_their_names() {
        let database = DatabaseName::default_of("p");
        for text in ["a/b", "a/b/c/d", "a/__id7__", "a/\u{1}\u{0}x", "é/\u{1F600}/c/d/e/f"] {
            let key = document(&database, &path(text));
            assert_eq!(decode(&key), Some((database.clone(), path(text))), "{text}");
        }
        assert_eq!(decode(&Key::new(DOCUMENTS, b"junk")), None);
    }

    #[test]
    fn a_collection_is_contiguous_and_below_means_below() {
        let database = DatabaseName::default_of("p");
        let names =
            ["a/__id2__", "a/__id10__", "a/b", "a/b/c/d", "a/b/c/d/e/f", "a/ba", "a/c", "ab/c", "b/b"];
        let collect = |range: &KeyRange| {
            let mut keys: Vec<_> = names.iter().map(|name| document(&database, &path(name))).collect();
            keys.sort();
            let inside = keys.iter().filter(|key| range.contains(key));
            inside.map(|key| decode(key).unwrap().1.to_string()).collect::<Vec<_>>()
        };
        let segments = |text: &str| ResourcePath::parse(text).unwrap().segments().to_vec();
        assert_eq!(
            collect(&collection(&database, &segments("a"))),
            ["a/__id2__", "a/__id10__", "a/b", "a/ba", "a/c"]
        );
        assert_eq!(collect(&collection(&database, &segments("a/b/c"))), ["a/b/c/d"]);
        assert_eq!(collect(&below(&database, path("a/b").as_path())), ["a/b/c/d", "a/b/c/d/e/f"]);
        assert_eq!(collect(&below(&database, &ResourcePath::ROOT)).len(), names.len());
        assert!(collect(&below(&DatabaseName::default_of("q"), &ResourcePath::ROOT)).is_empty());
    }

    #[test]
    fn an_id_is_read_without_its_path() {
        let database = DatabaseName::default_of("p");
        let prefix = collection_prefix(&database, &["a".to_owned()]);
        assert_eq!(decode_id(&document(&database, &path("a/b")), &prefix), Some("b".to_owned()));
        assert_eq!(decode_id(&document(&database, &path("a/b/c/d")), &prefix), None);
    }
}
