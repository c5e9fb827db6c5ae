//! What a stream says: protocol messages, and documents whose bytes are shared with other streams.

use base::{Code, Status};
use bytes::{BufMut, Bytes};
use kv::Version;
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};
use wire::v1;
use wire::v1::listen_response::ResponseType;
use wire::v1::target_change::TargetChangeType;

use crate::model::value::version_to_wire;

/// Field numbers: of `ListenResponse`, and of `DocumentChange`, each with the wire type of sized fields.
const DOCUMENT_CHANGE: u64 = 3 << 3 | 2;
const DOCUMENT: u64 = 1 << 3 | 2;

/// One `ListenResponse`.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// As a message.
    Message(Box<v1::ListenResponse>),
    /// A `DocumentChange`.
    Change {
        /// The `Document`, encoded.
        document: Bytes,
        /// What is beside the document: the targets.
        targets: Box<v1::DocumentChange>,
    },
}

impl Response {
    /// A change of targets; of none by name: of all.
    pub fn targets(change: v1::TargetChange) -> Self {
        Self::message(ResponseType::TargetChange(change))
    }

    /// One target begins, ends, starts over or is complete.
    pub fn target(kind: TargetChangeType, id: i32) -> Self {
        Self::targets(v1::TargetChange {
            target_change_type: kind.into(),
            target_ids: vec![id],
            ..Default::default()
        })
    }

    /// Everything up to a version has been said: of these targets, or of all.
    pub fn seen(kind: TargetChangeType, target_ids: Vec<i32>, version: Version, resume_token: Bytes) -> Self {
        Self::targets(v1::TargetChange {
            target_change_type: kind.into(),
            target_ids,
            cause: None,
            resume_token,
            read_time: Some(version_to_wire(version)),
        })
    }

    /// A target ends for a reason; the stream goes on.
    pub fn lost(id: i32, status: &Status) -> Self {
        Self::targets(v1::TargetChange {
            target_change_type: TargetChangeType::Remove.into(),
            target_ids: vec![id],
            cause: Some(status.into()),
            ..Default::default()
        })
    }

    /// A document is now in some targets and no longer in others.
    pub fn change(document: Bytes, target_ids: Vec<i32>, removed_target_ids: Vec<i32>) -> Self {
        let targets = v1::DocumentChange { document: None, target_ids, removed_target_ids };
        Self::Change { document, targets: Box::new(targets) }
    }

    /// A document is not there any more.
    pub fn delete(document: String, removed_target_ids: Vec<i32>, version: Version) -> Self {
        let read_time = Some(version_to_wire(version));
        Self::message(ResponseType::DocumentDelete(v1::DocumentDelete {
            document,
            removed_target_ids,
            read_time,
        }))
    }

    /// A document is no longer in some targets.
    pub fn remove(document: String, removed_target_ids: Vec<i32>, version: Version) -> Self {
        let read_time = Some(version_to_wire(version));
        Self::message(ResponseType::DocumentRemove(v1::DocumentRemove {
            document,
            removed_target_ids,
            read_time,
        }))
    }

    /// How many documents a target has, and which.
    pub fn filter(filter: v1::ExistenceFilter) -> Self {
        Self::message(ResponseType::Filter(filter))
    }

    fn message(kind: ResponseType) -> Self {
        Self::Message(Box::new(v1::ListenResponse { response_type: Some(kind) }))
    }

    /// The length of its encoding.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Message(message) => message.encoded_len(),
            Self::Change { document, targets } => {
                let inner = change_len(document, targets);
                1 + encoded_len_varint(inner as u64) + inner
            }
        }
    }

    /// Appends its encoding.
    pub fn encode(&self, out: &mut impl BufMut) {
        match self {
            Self::Message(message) => message.encode_raw(out),
            Self::Change { document, targets } => {
                encode_varint(DOCUMENT_CHANGE, out);
                encode_varint(change_len(document, targets) as u64, out);
                encode_varint(DOCUMENT, out);
                encode_varint(document.len() as u64, out);
                out.put_slice(document);
                targets.encode_raw(out);
            }
        }
    }

    /// The whole as a message.
    pub fn into_message(self) -> Result<v1::ListenResponse, Status> {
        match self {
            Self::Message(message) => Ok(*message),
            Self::Change { document, targets } => {
                let document = v1::Document::decode(document).map_err(|error| {
                    tracing::error!(%error, "a stored document cannot be read");
                    Status::new(Code::DataLoss, "A stored document cannot be read.")
                })?;
                let change = v1::DocumentChange { document: Some(document), ..*targets };
                Ok(v1::ListenResponse { response_type: Some(ResponseType::DocumentChange(change)) })
            }
        }
    }
}

fn change_len(document: &Bytes, targets: &v1::DocumentChange) -> usize {
    1 + encoded_len_varint(document.len() as u64) + document.len() + targets.encoded_len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_encoded_as_its_message() {
        for length in [0, 10, 200, 20_000] {
            let name = "x".repeat(length);
            let document = v1::Document { name, ..Default::default() };
            let response = Response::change(document.encode_to_vec().into(), vec![1, 300], vec![7]);
            let mut encoded = Vec::new();
            response.encode(&mut encoded);
            assert_eq!(encoded.len(), response.encoded_len());
            let message = response.into_message().unwrap();
            assert_eq!(v1::ListenResponse::decode(&*encoded).unwrap(), message);
            let Some(ResponseType::DocumentChange(change)) = message.response_type else { panic!() };
            assert_eq!((change.document, change.removed_target_ids), (Some(document), vec![7]));
        }
    }
}
