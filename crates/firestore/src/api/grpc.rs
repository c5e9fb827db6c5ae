//! The gRPC face.
//!
//! Source: the service `google.firestore.v1.Firestore`.

mod attested;
pub mod listen;

use std::sync::Arc;

use access::ClientAddress;
use base::limits::REQUEST_BYTES_MAX;
use base::{Code, Status};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::HeaderValue;
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Streaming};
use wire::v1;
use wire::v1::firestore_server::{self, FirestoreServer};

use super::caller;
use crate::{Firestore, status};
use attested::Attested;

/// The service's verbs as gRPC methods.
pub struct Face(Arc<Firestore>);

/// The tonic service, with the limits clients rely on.
pub fn service(firestore: Arc<Firestore>) -> Attested<FirestoreServer<Face>> {
    let inner = FirestoreServer::new(Face(Arc::clone(&firestore)))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(REQUEST_BYTES_MAX)
        .accept_compressed(CompressionEncoding::Gzip);
    Attested { inner, firestore }
}

/// Says `RESOURCE_EXHAUSTED` of a message that is too large, as gRPC's own servers do. tonic says `OUT_OF_RANGE`, a
/// code that Firestore has no use for.
pub async fn too_large_is_exhausted(mut answer: axum::response::Response) -> axum::response::Response {
    if let Some(code) = answer.headers_mut().get_mut("grpc-status")
        && code == "11"
    {
        *code = HeaderValue::from_static("8");
    }
    answer
}

/// Writes status messages as gRPC's own servers do: only what is no printable ASCII is escaped, and `%`. tonic escapes more,
/// and clients that decode as for URIs (grpc-js) would show a link with `%3F`.
pub async fn messages_as_they_are(mut answer: axum::response::Response) -> axum::response::Response {
    unescape(answer.headers_mut());
    answer.map(|body| {
        axum::body::Body::new(body.map_frame(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                unescape(trailers);
            }
            frame
        }))
    })
}

fn unescape(headers: &mut http::HeaderMap) {
    let Some(message) = headers.get_mut("grpc-message") else { return };
    let Ok(text) = message.to_str() else { return };
    let decoded = percent_encoding::percent_decode_str(text);
    let escaped = percent_encoding::percent_encode(&decoded.collect::<Vec<u8>>(), ESCAPED).to_string();
    if let Ok(escaped) = HeaderValue::try_from(escaped) {
        *message = escaped;
    }
}

/// What a status message escapes: everything that is no printable ASCII, and `%`.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

type Answer<T> = Result<Response<T>, tonic::Status>;
type Stream<T> = BoxStream<'static, Result<T, tonic::Status>>;

fn failed(status: Status) -> tonic::Status {
    wire::status::to_grpc(&status)
}

fn answer<T>(result: Result<T, Status>) -> Answer<T> {
    result.map(Response::new).map_err(failed)
}

/// What comes in a stream, as the verbs take it.
fn requests<T: Send + 'static>(requests: Streaming<T>) -> BoxStream<'static, Result<T, Status>> {
    let refused = |status: tonic::Status| {
        let code = match status.code() {
            tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => Code::ResourceExhausted,
            tonic::Code::Internal | tonic::Code::InvalidArgument => Code::InvalidArgument,
            _ => Code::Cancelled,
        };
        Status::new(code, status.message())
    };
    requests.map(move |request| request.map_err(refused)).boxed()
}

/// Calls a verb with the caller and the message.
macro_rules! call {
    ($face:expr, $verb:ident, $request:expr) => {{
        let caller = caller($request.extensions()).map_err(failed)?;
        $face.0.$verb(&caller, $request.into_inner()).await
    }};
}

#[async_trait::async_trait]
impl firestore_server::Firestore for Face {
    async fn get_document(&self, request: Request<v1::GetDocumentRequest>) -> Answer<v1::Document> {
        answer(call!(self, get_document, request))
    }

    async fn list_documents(
        &self,
        request: Request<v1::ListDocumentsRequest>,
    ) -> Answer<v1::ListDocumentsResponse> {
        answer(call!(self, list_documents, request))
    }

    async fn create_document(&self, request: Request<v1::CreateDocumentRequest>) -> Answer<v1::Document> {
        answer(call!(self, create_document, request))
    }

    async fn update_document(&self, request: Request<v1::UpdateDocumentRequest>) -> Answer<v1::Document> {
        answer(call!(self, update_document, request))
    }

    async fn delete_document(&self, request: Request<v1::DeleteDocumentRequest>) -> Answer<()> {
        answer(call!(self, delete_document, request))
    }

    type BatchGetDocumentsStream = Stream<v1::BatchGetDocumentsResponse>;

    async fn batch_get_documents(
        &self,
        request: Request<v1::BatchGetDocumentsRequest>,
    ) -> Answer<Self::BatchGetDocumentsStream> {
        let caller = caller(request.extensions()).map_err(failed)?;
        let responses = self.0.batch_get_documents(&caller, request.into_inner()).await;
        let responses = responses.and_then(|responses| self.0.send(&caller, responses)).map_err(failed)?;
        Ok(Response::new(responses.map(|response| response.map_err(failed)).boxed()))
    }

    async fn begin_transaction(
        &self,
        request: Request<v1::BeginTransactionRequest>,
    ) -> Answer<v1::BeginTransactionResponse> {
        answer(call!(self, begin_transaction, request))
    }

    async fn commit(&self, request: Request<v1::CommitRequest>) -> Answer<v1::CommitResponse> {
        answer(call!(self, commit, request))
    }

    async fn rollback(&self, request: Request<v1::RollbackRequest>) -> Answer<()> {
        answer(call!(self, rollback, request))
    }

    type RunQueryStream = Stream<v1::RunQueryResponse>;

    async fn run_query(&self, request: Request<v1::RunQueryRequest>) -> Answer<Self::RunQueryStream> {
        let responses = call!(self, run_query, request).map_err(failed)?;
        Ok(Response::new(responses.map(|response| response.map_err(failed)).boxed()))
    }

    type RunAggregationQueryStream = Stream<v1::RunAggregationQueryResponse>;

    async fn run_aggregation_query(
        &self,
        request: Request<v1::RunAggregationQueryRequest>,
    ) -> Answer<Self::RunAggregationQueryStream> {
        let response = call!(self, run_aggregation_query, request).map_err(failed)?;
        Ok(Response::new(stream::iter([Ok(response)]).boxed()))
    }

    async fn partition_query(
        &self,
        request: Request<v1::PartitionQueryRequest>,
    ) -> Answer<v1::PartitionQueryResponse> {
        answer(call!(self, partition_query, request))
    }

    type ExecutePipelineStream = Stream<v1::ExecutePipelineResponse>;

    async fn execute_pipeline(
        &self,
        request: Request<v1::ExecutePipelineRequest>,
    ) -> Answer<Self::ExecutePipelineStream> {
        answer(self.0.refuse_pipeline(&request.get_ref().database))
    }

    type WriteStream = Stream<v1::WriteResponse>;

    async fn write(&self, request: Request<Streaming<v1::WriteRequest>>) -> Answer<Self::WriteStream> {
        let caller = caller(request.extensions()).map_err(failed)?;
        let address = request.extensions().get::<ClientAddress>().copied();
        let responses = self.0.write(&caller, address, requests(request.into_inner())).map_err(failed)?;
        Ok(Response::new(responses.map(|response| response.map_err(failed)).boxed()))
    }

    type ListenStream = Stream<v1::ListenResponse>;

    /// Not reached: [`listen::answer`] has the route.
    async fn listen(&self, _request: Request<Streaming<v1::ListenRequest>>) -> Answer<Self::ListenStream> {
        answer(Err(status::unimplemented("Listen")))
    }

    async fn list_collection_ids(
        &self,
        request: Request<v1::ListCollectionIdsRequest>,
    ) -> Answer<v1::ListCollectionIdsResponse> {
        answer(call!(self, list_collection_ids, request))
    }

    async fn batch_write(&self, request: Request<v1::BatchWriteRequest>) -> Answer<v1::BatchWriteResponse> {
        answer(call!(self, batch_write, request))
    }
}
