//! The exact codes and texts clients see, in one place.
//!
//! Source: Cloud Firestore's documented and observed answers; where only the official emulator's text is known and it
//! names its own internals, the meaning is kept and the text is plainer.

mod indexes;

use access::{Denial, Reason, Refusal};
use base::limits::{
    COMMIT_BYTES_MAX, DOCUMENT_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELD_VALUE_BYTES_MAX,
    TRANSFORMS_PER_DOCUMENT_MAX,
};
use base::{Code, DatabaseName, Status};
use kv::Version;

pub use indexes::index_missing;

/// What the client hears of a refusal.
pub fn refused(refusal: Refusal) -> Status {
    refusal.status(denial)
}

/// Production's text; in dev the official emulator's, with the reasons.
fn denial(denial: &Denial) -> String {
    match (&denial.reason, denial.shows_reasons) {
        (Reason::Rules(causes), Some(_)) if causes.is_empty() => "\nNo matching allow statements".to_owned(),
        (Reason::Rules(causes), Some(_)) => {
            let cause = |cause: &policy::Cause| {
                format!("{} for '{}' @ L{}", cause.text(), denial.method, cause.allow_line)
            };
            format!("\n{}", causes.iter().map(cause).collect::<Vec<_>>().join(", "))
        }
        (Reason::NoRules(reason), Some(_)) => format!("\n{reason}"),
        (Reason::Retracted(reason), Some(_)) => format!("\n{reason}"),
        _ => "Missing or insufficient permissions.".to_owned(),
    }
}

/// A get of a document that is not there.
pub fn not_found(name: &str) -> Status {
    Status::new(Code::NotFound, format!("Document \"{name}\" not found."))
}

/// `exists: true` does not hold.
pub fn nothing_to_update(name: &str) -> Status {
    Status::new(Code::NotFound, format!("No document to update: {name}"))
}

/// `exists: false` does not hold.
pub fn already_exists(name: &str) -> Status {
    Status::new(Code::AlreadyExists, format!("Document already exists: {name}"))
}

/// `update_time` names an older state.
pub fn base_version_mismatch(stored: Option<Version>, required: Version) -> Status {
    let stored = stored.unwrap_or(Version::ZERO);
    Status::new(
        Code::FailedPrecondition,
        format!("the stored version ({stored}) does not match the required base version ({required})"),
    )
}

/// `update_time` names a state that never was.
pub fn base_version_in_future(name: &str) -> Status {
    Status::invalid(format!("Invalid base version, it is greater than the stored version: {name}"))
}

/// A verify and then a write of one document in one commit.
pub fn verified_then_written() -> Status {
    Status::invalid("the same document cannot be verified and then written in a single request")
}

/// A write and then a verify of one document in one commit.
pub fn written_then_verified() -> Status {
    Status::invalid("the same document cannot be written and then verified in a single request")
}

/// A delete and then one that insists on the document.
pub fn delete_then_delete() -> Status {
    Status::invalid("Cannot delete then delete an entity in the same request.")
}

/// A delete and a write that insists on the document, in one commit.
pub fn delete_then_update() -> Status {
    Status::invalid("Cannot delete then update an entity in the same request.")
}

/// The same document twice in a batch whose writes are independent.
pub fn written_twice() -> Status {
    Status::invalid("the same document cannot be written more than once in a single request")
}

/// A serializable transaction lost.
pub fn contention() -> Status {
    Status::new(
        Code::Aborted,
        "Aborted due to cross-transaction contention. This occurs when multiple transactions attempt to access the \
         same data, requiring Firestore to abort at least one in order to enforce serializability.",
    )
}

/// Bytes that are no transaction id.
pub fn invalid_transaction() -> Status {
    Status::invalid("Invalid transaction.")
}

/// A transaction that ran out of time, ended, or began before a restart. Server SDKs begin anew on this wording.
pub fn expired_transaction() -> Status {
    Status::invalid("The referenced transaction has expired or is no longer valid.")
}

/// Writes in a read-only transaction.
pub fn read_only_transaction() -> Status {
    Status::invalid("Cannot modify entities in a read-only transaction.")
}

/// More transactions open at once than are kept.
pub fn too_many_transactions() -> Status {
    Status::new(Code::ResourceExhausted, "Too many transactions are open.")
}

/// Reads of one transaction beyond what is kept for validation.
pub fn transaction_too_large() -> Status {
    Status::invalid("Transaction too big. Decrease transaction size.")
}

/// A stream of responses that its client left unread for too long.
pub fn stream_ended() -> Status {
    Status::new(Code::Aborted, "The response was not read in time and has been given up. Please try again.")
}

/// More responses open at once than one caller may have.
pub fn too_many_streams() -> Status {
    Status::new(Code::ResourceExhausted, "Too many responses are open.")
}

/// More streams that stay open than one caller or one address may have.
pub fn too_many_open_streams() -> Status {
    Status::new(Code::ResourceExhausted, "Too many streams are open.")
}

/// A stream whose caller's credential has ended: clients get a new one and come back.
pub fn credential_expired() -> Status {
    Status::new(Code::Unauthenticated, "Missing or invalid authentication.")
}

/// A stream that has been open for as long as one may be.
pub fn open_too_long() -> Status {
    Status::unavailable("The stream has been open for as long as one may be. Please open another.")
}

/// This process stops.
pub fn server_stops() -> Status {
    Status::unavailable("The server is shutting down.")
}

/// A request about another database than the stream's.
pub fn stream_of_other_database() -> Status {
    Status::invalid("All requests of a stream must be for the same database.")
}

/// A `Write` stream that is to go on where another ended.
pub fn no_resumed_writes() -> Status {
    Status::new(Code::Aborted, "resuming a stream not supported")
}

/// Writes in the first request of a `Write` stream.
pub fn writes_before_handshake() -> Status {
    Status::invalid("The first request of a Write stream must not contain writes.")
}

/// Bytes that are no resume token of this service.
pub fn bad_resume_token() -> Status {
    Status::invalid("bad resume token")
}

/// A listener on every collection.
pub fn all_collections_listen() -> Status {
    Status::invalid("All-collection queries are not supported by real-time queries.")
}

/// A listener on a search for the nearest vectors.
pub fn nearest_listen() -> Status {
    Status::invalid("FindNearest is not supported by real-time queries.")
}

/// A search for the nearest vectors among too many documents.
pub fn too_many_vectors(documents_max: usize) -> Status {
    Status::new(
        Code::ResourceExhausted,
        format!("FindNearest looks at more than {documents_max} documents. Add a filter to the query."),
    )
}

/// A listener on a collection group below a document.
pub fn group_below_document_listen() -> Status {
    Status::invalid(
        "'all_descendants' in CollectionSelector with document parent is not supported by real-time queries.",
    )
}

/// Two targets with one id.
pub fn duplicate_target(id: i32) -> Status {
    Status::invalid(format!("The target id {id} is already in use on this stream."))
}

/// More targets than one stream may have.
pub fn too_many_targets(max: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("A stream may have at most {max} targets."))
}

/// A window of a query with a limit that is too large to be followed.
pub fn window_too_large(bytes_max: usize) -> Status {
    Status::new(
        Code::ResourceExhausted,
        format!(
            "The result of a query with a limit is larger than the {bytes_max} bytes that can be listened to."
        ),
    )
}

/// More windows than can be kept.
pub fn windows_too_large() -> Status {
    Status::new(Code::ResourceExhausted, "Too many large queries with a limit are being listened to.")
}

/// More targets than one caller, or all together, may have.
pub fn too_many_targets_of_all() -> Status {
    Status::new(Code::ResourceExhausted, "Too many targets are being listened to.")
}

/// More large commits under way than one caller may have.
pub fn too_many_large_commits() -> Status {
    Status::new(Code::ResourceExhausted, "Too many large commits are under way.")
}

/// An aggregation by fields that an order by name leaves unordered.
pub fn aggregated_after_name(fields: &[String]) -> Status {
    Status::invalid(format!(
        "This query requires an index with fields [{}] after __name__ and Firestore does not currently support such an \
         index. Please try the query again with additional ordering on those fields.",
        fields.join(", ")
    ))
}

/// A pipeline on a database of the standard edition.
pub fn no_pipelines() -> Status {
    Status::new(
        Code::FailedPrecondition,
        "Pipeline Operations are only available for Firestore databases in Enterprise edition.\n\nPlease switch to an \
         Enterprise edition database to take advantage of such functionality.",
    )
}

/// `RunQuery` without a query.
pub fn only_structured_queries() -> Status {
    Status::invalid("only structured queries are supported")
}

/// `RunAggregationQuery` without one.
pub fn only_structured_aggregations() -> Status {
    Status::invalid("Only structured aggregation queries are supported.")
}

/// A read time that has not come yet or is finer than microseconds.
pub fn bad_read_time() -> Status {
    Status::invalid("The requested read time must be a timestamp in microseconds that is not in the future.")
}

/// A database nobody made.
pub fn no_database(name: &DatabaseName) -> Status {
    Status::new(
        Code::NotFound,
        format!(
            "The database {} does not exist for project {}. Please add a Cloud Firestore database to the project.",
            name.database, name.project
        ),
    )
}

/// A document named under another database than the request's.
pub fn other_database(name: &str, database: &DatabaseName) -> Status {
    Status::invalid(format!("Document name \"{name}\" is not in the database \"{database}\" of the request."))
}

/// A document beyond [`DOCUMENT_BYTES_MAX`].
pub fn document_too_large(name: &str, size_bytes: usize) -> Status {
    Status::invalid(format!(
        "Document \"{name}\" cannot be written because its size ({} bytes) exceeds the maximum allowed size of {} \
         bytes.",
        grouped(size_bytes),
        grouped(DOCUMENT_BYTES_MAX)
    ))
}

/// A number with commas between thousands, as the service writes sizes.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A commit beyond [`COMMIT_BYTES_MAX`].
pub fn commit_too_large(size_bytes: usize) -> Status {
    Status::invalid(format!(
        "Request payload size exceeds the limit: {COMMIT_BYTES_MAX} bytes (the request has {size_bytes} bytes)."
    ))
}

/// A name that ends with a collection where a document is meant.
pub fn lacks_slash(what: &str, name: &str) -> Status {
    Status::invalid(format!("{what} \"{name}\" lacks \"/\" at index {}.", name.len()))
}

/// A field value beyond [`FIELD_VALUE_BYTES_MAX`].
pub fn value_too_large(field: &str) -> Status {
    Status::invalid(format!(
        "The value of property \"{field}\" is longer than {FIELD_VALUE_BYTES_MAX} bytes."
    ))
}

/// Maps and arrays nested too deeply.
pub fn nested_too_deep(field: &str) -> Status {
    Status::invalid(format!("Property {field} contains an invalid nested entity."))
}

/// An array directly in an array.
pub fn nested_array() -> Status {
    Status::invalid("Cannot convert an array value in an array value.")
}

/// A map key or field name of the form `__…__`.
pub fn reserved_field(name: &str) -> Status {
    Status::invalid(format!("field name '{name}' is reserved."))
}

/// A field without a name.
pub fn empty_field_name() -> Status {
    Status::invalid("The property.name is the empty string.")
}

/// A field name beyond [`FIELD_NAME_BYTES_MAX`].
pub fn field_name_too_long() -> Status {
    Status::invalid(format!("The property.name is longer than {FIELD_NAME_BYTES_MAX} bytes."))
}

/// A map marked as a vector that is none.
pub fn bad_vector() -> Status {
    Status::invalid("Vector Value type must be an array.")
}

/// A reference that names no document.
pub fn bad_reference(name: &str) -> Status {
    Status::invalid(format!("Resource name \"{name}\" is not the name of a document."))
}

/// A write without operation.
pub fn empty_write() -> Status {
    Status::invalid("empty write operation")
}

/// A delete with fields to write.
pub fn delete_with(what: &str) -> Status {
    Status::invalid(format!("a delete must not specify a {what}."))
}

/// A verify with something to write.
pub fn verify_with(what: &str) -> Status {
    Status::invalid(format!("a verify must not specify a {what}."))
}

/// A verify that verifies nothing.
pub fn verify_without_precondition() -> Status {
    Status::invalid("a verify must contain a precondition")
}

/// A precondition without condition.
pub fn empty_precondition() -> Status {
    Status::invalid("A precondition must have a condition.")
}

/// The legacy transform operation without transforms.
pub fn no_transforms() -> Status {
    Status::invalid("The list of FieldTransform must not be empty.")
}

/// The legacy transform operation with fields of `update`.
pub fn transform_with(what: &str) -> Status {
    Status::invalid(format!("a transform must not specify a {what}."))
}

/// A transform without a kind.
pub fn empty_transform() -> Status {
    Status::invalid("Operation type must be specified for field transformation.")
}

/// `set_to_server_value` without saying which.
pub fn no_server_value() -> Status {
    Status::invalid("ServerValue type must be specified for set_to_server_value transformation.")
}

/// A numeric transform by something else.
pub fn operand_not_a_number() -> Status {
    Status::invalid("Input must be int64 or double.")
}

/// More transforms of one document than allowed.
pub fn too_many_transforms() -> Status {
    Status::invalid(format!(
        "A document cannot be transformed more than {TRANSFORMS_PER_DOCUMENT_MAX} times in a single request."
    ))
}

/// A path that stands for the document itself where a field is meant.
pub fn not_a_field(path: &str) -> Status {
    Status::invalid(format!("Invalid property path \"{path}\": it does not name a field."))
}

/// A page token this service did not make for this very request.
pub fn bad_page_token() -> Status {
    Status::invalid("invalid page token")
}

/// A page size below zero.
pub fn negative_page_size() -> Status {
    Status::invalid("Page size must be nonnegative.")
}

/// `order_by` that cannot be read.
pub fn bad_order_by(clause: &str) -> Status {
    Status::invalid(format!("Invalid order by clause \"{clause}\"."))
}

/// `order_by` together with `show_missing`.
pub fn ordered_and_missing() -> Status {
    Status::invalid("cannot specify an order when show_missing is true")
}

/// An order other than by name over all collections.
pub fn kind_required() -> Status {
    Status::invalid("kind is required for all orders except __key__ ascending")
}

/// More documents asked for at once than are read at once.
pub fn too_many_documents(documents_max: usize) -> Status {
    Status::invalid(format!("A request may name at most {documents_max} documents."))
}

/// A result beyond what is kept in memory for one request.
pub fn result_too_large(bytes_max: usize) -> Status {
    Status::new(
        Code::ResourceExhausted,
        format!("The result exceeds the {bytes_max} bytes that one request may read."),
    )
}

/// A REST body or query that does not fit its message.
pub fn bad_payload(what: &str) -> Status {
    Status::invalid(format!("Payload isn't valid for request. {what}"))
}

/// A request without the part that says what to do.
pub fn missing_part(what: &str) -> Status {
    Status::invalid(format!("{what} is required."))
}

/// An RPC that is not served.
pub fn unimplemented(verb: &str) -> Status {
    Status::new(Code::Unimplemented, format!("{verb} is not implemented."))
}

/// No caller came with the request: a wiring fault of this process, never a default.
pub fn no_caller() -> Status {
    tracing::error!("a request reached the service without a caller");
    Status::new(Code::Internal, "Internal error encountered.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_048_576, "1,048,576")] {
            assert_eq!(grouped(number), text);
        }
    }
}
