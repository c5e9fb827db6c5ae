//! Messages by name: from JSON to binary and back.

use prost::Message;
use wire::json::{self, Json, JsonOptions};
use wire::v1::*;

/// A kind of message, with what tests do to it.
pub struct Form {
    pub name: &'static str,
    pub read: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Binary as this crate writes it: fields in the order of their numbers, keys in their order.
    pub recode: fn(&[u8]) -> Vec<u8>,
    pub write: fn(&[u8], JsonOptions) -> String,
}

impl Form {
    fn of<M: Json + Message>() -> Self {
        Self {
            name: M::NAME,
            read: |text| {
                json::read::<M>(text)
                    .map(|message| message.encode_to_vec())
                    .map_err(|error| error.to_string())
            },
            recode: |bytes| M::decode(bytes).unwrap().encode_to_vec(),
            write: |bytes, options| json::to_string(&M::decode(bytes).unwrap(), options),
        }
    }

    pub fn named(name: &str) -> Self {
        let full = format!("google.firestore.v1.{name}");
        all().into_iter().find(|form| form.name == full).unwrap_or_else(|| panic!("no message `{name}`"))
    }
}

/// Every message the service takes or gives, and some inside them.
pub fn all() -> Vec<Form> {
    vec![
        Form::of::<ArrayValue>(),
        Form::of::<BatchGetDocumentsRequest>(),
        Form::of::<BatchGetDocumentsResponse>(),
        Form::of::<BatchWriteRequest>(),
        Form::of::<BatchWriteResponse>(),
        Form::of::<BeginTransactionRequest>(),
        Form::of::<BeginTransactionResponse>(),
        Form::of::<CommitRequest>(),
        Form::of::<CommitResponse>(),
        Form::of::<CreateDocumentRequest>(),
        Form::of::<DeleteDocumentRequest>(),
        Form::of::<Document>(),
        Form::of::<DocumentMask>(),
        Form::of::<ExecutionStats>(),
        Form::of::<GetDocumentRequest>(),
        Form::of::<ListCollectionIdsRequest>(),
        Form::of::<ListCollectionIdsResponse>(),
        Form::of::<ListDocumentsRequest>(),
        Form::of::<ListDocumentsResponse>(),
        Form::of::<ListenRequest>(),
        Form::of::<ListenResponse>(),
        Form::of::<PartitionQueryRequest>(),
        Form::of::<PartitionQueryResponse>(),
        Form::of::<RollbackRequest>(),
        Form::of::<RunAggregationQueryRequest>(),
        Form::of::<RunAggregationQueryResponse>(),
        Form::of::<RunQueryRequest>(),
        Form::of::<RunQueryResponse>(),
        Form::of::<UpdateDocumentRequest>(),
        Form::of::<Value>(),
        Form::of::<Write>(),
        Form::of::<WriteRequest>(),
        Form::of::<WriteResponse>(),
    ]
}
