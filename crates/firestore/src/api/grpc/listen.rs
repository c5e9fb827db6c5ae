//! `Listen` over gRPC. Its answers are encoded here rather than by the generated service, because documents come with
//! bytes that many streams share.

use std::pin::Pin;
use std::sync::Arc;

use access::ClientAddress;
use axum::extract::Request;
use axum::response::IntoResponse;
use base::limits::REQUEST_BYTES_MAX;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use prost::Message;
use tonic::codec::{
    Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder,
};
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use wire::v1::ListenRequest;

use super::{failed, requests};
use crate::Firestore;
use crate::api::caller;
use crate::listen::Response;

/// Answers one request.
pub async fn answer(firestore: Arc<Firestore>, request: Request) -> axum::response::Response {
    let mut accepted = EnabledCompressionEncodings::default();
    accepted.enable(CompressionEncoding::Gzip);
    let mut grpc = Grpc::new(Responses)
        .apply_compression_config(accepted, EnabledCompressionEncodings::default())
        .apply_max_message_size_config(Some(REQUEST_BYTES_MAX), Some(REQUEST_BYTES_MAX));
    grpc.streaming(Listen(firestore), request).await.into_response()
}

struct Listen(Arc<Firestore>);

impl StreamingService<ListenRequest> for Listen {
    type Response = Response;
    type ResponseStream = BoxStream<'static, Result<Response, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<ListenRequest>>) -> Self::Future {
        let firestore = Arc::clone(&self.0);
        Box::pin(async move {
            let caller = caller(request.extensions()).map_err(failed)?;
            let address = request.extensions().get::<ClientAddress>().copied();
            let responses =
                firestore.listen(&caller, address, requests(request.into_inner())).map_err(failed)?;
            Ok(tonic::Response::new(responses.map(|response| response.map_err(failed)).boxed()))
        })
    }
}

/// Requests as messages, answers by their own encoding.
#[derive(Clone, Copy)]
struct Responses;

impl Codec for Responses {
    type Encode = Response;
    type Decode = ListenRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Responses {
    type Item = Response;
    type Error = Status;

    fn encode(&mut self, response: Response, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(response.encoded_len());
        response.encode(out);
        Ok(())
    }
}

impl Decoder for Responses {
    type Item = ListenRequest;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<ListenRequest>, Status> {
        let request = ListenRequest::decode(from);
        request.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
