//! Firestore's documented limits, each with its unit in its name. Services refuse what is larger with the
//! documented message; nothing below this floor enforces them by itself.
//!
//! Source: "Usage and limits" of Cloud Firestore.

/// A document's largest size, names and overhead included.
pub const DOCUMENT_BYTES_MAX: usize = 1_048_576;
/// A field value's largest size.
pub const FIELD_VALUE_BYTES_MAX: usize = 1_048_487;
/// A field name's (and a whole field path's) largest size.
pub const FIELD_NAME_BYTES_MAX: usize = 1_500;
/// How deeply maps and arrays may be nested.
pub const VALUE_DEPTH_MAX: usize = 20;
/// How deeply sub-collections may be nested.
pub const COLLECTION_DEPTH_MAX: usize = 100;
/// A collection's or document's id.
pub const ID_BYTES_MAX: usize = 1_500;
/// A document's full resource name.
pub const NAME_BYTES_MAX: usize = 6 * 1024;
/// How much of a string or of bytes takes part in order and indexes.
pub const INDEXED_VALUE_BYTES_MAX: usize = 1_500;
/// A request body over any transport, above the documented 10 MiB so that the service, not the transport, answers.
pub const REQUEST_BYTES_MAX: usize = 17 * 1024 * 1024;
/// A commit, as documented.
pub const COMMIT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Transforms on one document in one commit.
pub const TRANSFORMS_PER_DOCUMENT_MAX: usize = 500;
/// Disjunctions of a query in disjunctive normal form.
pub const QUERY_DISJUNCTIONS_MAX: usize = 30;
/// Values in a `not-in` filter.
pub const NOT_IN_VALUES_MAX: usize = 10;
